//! The frost line: a handle between two modules.

use crate::page::lean::derived;
use leptos::ev::{KeyboardEvent, PointerEvent};
use leptos::prelude::*;
use wasm_bindgen::JsCast;

use super::edges::Crossings;
use crate::edit::{self, Digits};
use crate::page::browser;
use crate::page::icon;
use crate::page::state::State;
use crate::picture::{Flow, Picture};
use crate::words;
use frostline::freeze::ModuleState;

/// The line and its handle, moved by pointer, touch and keyboard.
#[component]
pub fn FrostLine(state: State, picture: Memo<Picture>) -> impl IntoView {
    let flow = picture.with_untracked(|picture| picture.flow);
    let dragging = RwSignal::new(false);
    let digits = StoredValue::new(Digits::default());

    let line = move || untrack(move || state.line());
    let step = move |by: isize| {
        let stop = edit::stop_beside(&state.stops.read_untracked(), line(), by);
        state.move_line(stop);
    };
    let most = move || state.stops.read_untracked().last().copied().unwrap_or(0);
    // The first modules of neck and Detect, and both ends.
    let shore = move |forwards: bool| {
        let shores = edit::shores(&state.network.read_untracked().architecture);
        let line = line();
        let firsts = shores.map(|(first, _)| first);
        let next = if forwards {
            firsts
                .into_iter()
                .find(|first| *first > line)
                .unwrap_or(most())
        } else {
            firsts
                .into_iter()
                .rev()
                .find(|first| *first < line)
                .unwrap_or(0)
        };
        state.move_line(next);
    };
    let on_key = move |event: KeyboardEvent| {
        if event.ctrl_key() || event.meta_key() || event.alt_key() {
            return;
        }
        let key = event.key();
        match key.as_str() {
            "ArrowRight" => step(1),
            "ArrowLeft" => step(-1),
            // On a line that moves down, down is further; elsewhere up is more.
            "ArrowDown" => step(if flow == Flow::Down { 1 } else { -1 }),
            "ArrowUp" => step(if flow == Flow::Down { -1 } else { 1 }),
            "PageUp" => shore(flow == Flow::Across),
            "PageDown" => shore(flow == Flow::Down),
            "Home" => state.move_line(0),
            "End" => state.move_line(most()),
            _ => match key.parse::<usize>() {
                Ok(digit) if digit < 10 => {
                    let now = browser::now_ms();
                    let number = digits.try_update_value(|d| d.push(digit, now, most()));
                    state.move_line(number.unwrap_or(digit));
                }
                _ => return,
            },
        }
        event.prevent_default();
    };

    let drag = move |event: &PointerEvent| {
        let Some(handle) = event.current_target() else {
            return;
        };
        let Ok(handle) = handle.dyn_into::<web_sys::Element>() else {
            return;
        };
        let Some(svg) = handle.closest("svg").ok().flatten() else {
            return;
        };
        let frame = svg.get_bounding_client_rect();
        let to = match flow {
            Flow::Across => f64::from(event.client_x()) - frame.left(),
            Flow::Down => f64::from(event.client_y()) - frame.top(),
        };
        let stop = {
            let picture = picture.read_untracked();
            edit::stop_near(&state.stops.read_untracked(), to, |stop| {
                picture.place(stop)
            })
        };
        if stop != line() {
            state.move_line(stop);
        }
    };
    let on_down = move |event: PointerEvent| {
        if event.button() != 0 {
            return;
        }
        if let Some(target) = event.current_target()
            && let Ok(element) = target.dyn_into::<web_sys::Element>()
        {
            _ = element.set_pointer_capture(event.pointer_id());
        }
        dragging.set(true);
        event.prevent_default();
        browser::focus("frost-line");
    };
    let on_move = move |event: PointerEvent| {
        if dragging.get_untracked() {
            drag(&event);
        }
    };
    let on_up = move |_: PointerEvent| dragging.set(false);

    let place = move || picture.with(|picture| picture.place(state.line()));
    let at = move || match flow {
        Flow::Across => format!("translate({:.1}px, 0px)", place()),
        Flow::Down => format!("translate(0px, {:.1}px)", place()),
    };
    let (stroke, handle) = match flow {
        Flow::Across => ("M0 34V340".to_owned(), "translate(0 20)".to_owned()),
        Flow::Down => {
            let width = picture.with_untracked(|picture| picture.width);
            (
                format!("M2 0H{:.1}", width - 26.0),
                format!("translate({:.1} 0)", width - 22.0),
            )
        }
    };
    let (cold, warm, cold_at, warm_at, hit, ring) = match flow {
        Flow::Across => (
            "M0-14V14H-17L-23 8V-8L-17-14Z",
            "M0-14V14H14A9 9 0 0 0 23 5V-5A9 9 0 0 0 14-14Z",
            "translate(-11 0)",
            "translate(11 0)",
            "M-24-20H24V20H-24ZM-8 20H8V320H-8Z",
            "M-27-18H27V18H-27Z",
        ),
        Flow::Down => (
            "M-16 0H16V-15L10-21H-10L-16-15Z",
            "M-16 0H16V12A9 9 0 0 1 7 21H-7A9 9 0 0 1-16 12Z",
            "translate(0 -10)",
            "translate(0 10.5)",
            "M-22-24H22V24H-22Z",
            "M-19-24H19V24H-19Z",
        ),
    };
    let value_text = move || words::summary(&state.scene.read().stage, state.language.get());
    view! {
        <g
            id="frost-line"
            class="frost-line"
            class:dragging=dragging
            role="slider"
            tabindex="0"
            aria-label=state.word(|words| words.frost_line)
            aria-orientation=if flow == Flow::Across { "horizontal" } else { "vertical" }
            aria-valuemin="0"
            aria-valuemax=derived(move || state.stops.read().last().copied().unwrap_or(0))
            aria-valuenow=derived(move || state.line())
            aria-valuetext=value_text
            aria-describedby="line-help"
            style:transform=at
            on:keydown=on_key
            on:pointerdown=on_down
            // Where the style sheet's `touch-action` is not heeded for drawings.
            on:touchstart=|event| event.prevent_default()
            on:pointermove=on_move
            on:pointerup=on_up
            on:pointercancel=move |_| dragging.set(false)
        >
            <path class="line-glow" d=stroke.clone() />
            <path class="line" d=stroke />
            <Crossings state picture />
            <g transform=handle>
                <path class="hit" d=hit />
                <path class="handle-cold" d=cold />
                <path class="handle-warm" d=warm />
                <path
                    class="icon snowflake"
                    d=icon::state_path(ModuleState::Frozen).1
                    transform=cold_at
                />
                <path
                    class="icon spark"
                    d=icon::state_path(ModuleState::Trains).1
                    transform=warm_at
                />
                <path class="ring" d=ring />
            </g>
        </g>
    }
}
