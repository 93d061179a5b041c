//! The Detect view: what the weights find on a picture, before fine-tuning and after.

mod found;

use crate::page::lean::{derived, part};
use leptos::prelude::*;

pub use self::found::{NothingYet, is_nothing_yet};

use self::found::FoundPanel;
use super::lab::Lab;
use super::picked::Source;
use crate::messages::Which;

/// Longer sides of the network's input that can be chosen, in pixels.
pub const SIDES: [usize; 5] = [160, 224, 320, 480, 640];
/// The one that is taken unless another is chosen: that of the shipped pictures.
pub const SIDE: usize = 320;

/// What is asked about a picture.
#[derive(Debug, Clone, Copy)]
struct Settings {
    /// Least confidence, in per cent.
    conf: RwSignal<u32>,
    /// IoU above which a weaker box is suppressed, in per cent.
    iou: RwSignal<u32>,
    /// Longer side of the network's input, in pixels.
    imgsz: RwSignal<usize>,
}

/// The view from top to bottom.
#[component]
pub fn DetectView(lab: Lab) -> impl IntoView {
    let settings = Settings {
        conf: RwSignal::new(25),
        iou: RwSignal::new(45),
        imgsz: RwSignal::new(SIDE),
    };
    let asked = RwSignal::new(0);
    view! {
        <p class="lead">{lab.state.word(|words| words.detect_lead)}</p>
        <Source lab asked />
        <div class="row settings-of">
            <Slider lab id="conf" value=settings.conf label=|words| words.conf least=1 />
            <Slider lab id="iou" value=settings.iou label=|words| words.iou least=5 />
            <Side lab imgsz=settings.imgsz />
        </div>
        <div class="pair-of">
            <FoundPanel lab settings asked which=Which::Before />
            <FoundPanel lab settings asked which=Which::After />
        </div>
        <p class="note">{lab.state.word(|words| words.detect_why)}</p>
    }
}

/// A slider in per cent.
#[component]
fn Slider(
    lab: Lab,
    id: &'static str,
    value: RwSignal<u32>,
    label: fn(&crate::words::Words) -> &'static str,
    least: u32,
) -> impl IntoView {
    view! {
        <div class="slider">
            <label for=id>{part(move || label(lab.state.words()))}</label>
            <input
                id=id
                type="range"
                min=least
                max="95"
                step="1"
                prop:value=derived(move || value.get().to_string())
                aria-valuetext=derived(move || format!("{}%", value.get()))
                on:input=move |event| {
                    if let Ok(found) = event_target_value(&event).parse() {
                        value.set(found);
                    }
                }
            />
            <output for=id>{part(move || format!("{}%", value.get()))}</output>
        </div>
    }
}

/// The longer side of the network's input.
#[component]
pub fn Side(lab: Lab, imgsz: RwSignal<usize>) -> impl IntoView {
    let options = SIDES.map(|side| {
        view! { <option value=side.to_string() selected={side == imgsz.get_untracked()}>{side} " px"</option> }
    });
    view! {
        <label class="side-of">
            <span>{part(move || lab.state.words().imgsz_choice)}</span>
            <select
                id="side"
                on:change=move |event| {
                    if let Ok(side) = event_target_value(&event).parse() {
                        imgsz.set(side);
                    }
                }
            >
                {options.into_iter().collect_view()}
            </select>
        </label>
    }
}

/// The name of a side of the comparison.
pub fn name_of(which: Which, words: &crate::words::Words) -> &'static str {
    match which {
        Which::Before => words.before,
        Which::After => words.after,
    }
}
