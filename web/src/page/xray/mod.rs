//! The X-ray view: what a module makes of a picture, before fine-tuning and after.

mod planes;

use crate::page::lean::{derived, part};
use js_sys::Uint8ClampedArray;
use leptos::ev::KeyboardEvent;
use leptos::prelude::*;

use self::planes::SeenPanel;
use super::browser;
use super::detect::{SIDE, Side};
use super::lab::Lab;
use super::picked::Source;
use crate::edit;
use crate::messages::Which;
use crate::overlay;
use crate::words::fill;

/// The module that is looked at first: the end of the first stage, where textures are still easy to see.
const FIRST: usize = 2;

/// What a module made of a picture.
#[derive(Debug, Clone)]
pub struct Seen {
    module: usize,
    planes: usize,
    /// Of a plane `[w, h]`, in pixels.
    size: [usize; 2],
    /// The part `[left, top, width, height]` of a plane that shows the picture, in its pixels.
    content: [u32; 4],
    /// RGBA, plane after plane; the colours are the engine's, even in lightness.
    pixels: Uint8ClampedArray,
}

/// What is chosen.
#[derive(Debug, Clone, Copy)]
struct Choice {
    module: RwSignal<usize>,
    plane: RwSignal<usize>,
    imgsz: RwSignal<usize>,
    /// Whether all planes are shown.
    all: RwSignal<bool>,
}

/// The view from top to bottom.
#[component]
pub fn XrayView(lab: Lab) -> impl IntoView {
    let words = move || lab.state.words();
    let choice = Choice {
        module: RwSignal::new(FIRST),
        plane: RwSignal::new(0),
        imgsz: RwSignal::new(SIDE),
        all: RwSignal::new(false),
    };
    let asked = RwSignal::new(0);
    let seen = [(); 2].map(|()| RwSignal::new_local(None::<Seen>));
    let compared = move || {
        let [before, after] = seen;
        let (before, after) = (before.read(), after.read());
        let (Some(before), Some(after)) = (&*before, &*after) else {
            return String::new();
        };
        if before.module != after.module {
            return String::new();
        }
        let [a, b] = [before, after].map(|seen| seen.pixels.to_vec());
        match overlay::differing(&a, &b, before.planes) {
            Some(0) => words().xray_same.to_owned(),
            Some(count) => fill(
                words().xray_differ,
                &[
                    ("count", &count.to_string()),
                    ("all", &before.planes.to_string()),
                ],
            ),
            None => String::new(),
        }
    };
    let frozen = move || {
        let planned = lab.state.planned.read();
        let module = choice.module.get();
        planned
            .plan
            .stages
            .iter()
            .all(|stage| module < stage.cut.prefix)
    };
    let why = move || {
        let words = words();
        match depth(lab, choice.module.get()) {
            Depth::Early => words.xray_early,
            Depth::Middle => words.xray_middle,
            Depth::Late => words.xray_late,
            Depth::Neck => words.xray_neck,
        }
    };
    let [before, after] = seen;
    view! {
        <p class="lead">{lab.state.word(|words| words.xray_lead)}</p>
        <Source lab asked />
        <div class="row settings-of">
            <Modules lab module=choice.module />
            <Side lab imgsz=choice.imgsz />
        </div>
        <div class="why-of">
            <p>{part(why)}</p>
            <p>{part(move || if frozen() { words().xray_frozen } else { words().xray_learns })}</p>
            <p class="compared" role="status">{part(compared)}</p>
        </div>
        <div class="pair-of">
            <SeenPanel lab choice asked seen=before which=Which::Before />
            <SeenPanel lab choice asked seen=after which=Which::After />
        </div>
    }
}

/// Where in the network a module stands.
enum Depth {
    Early,
    Middle,
    Late,
    Neck,
}

fn depth(lab: Lab, module: usize) -> Depth {
    let network = lab.state.network.read();
    let [(_, backbone), ..] = edit::shores(&network.architecture);
    match module {
        m if m > backbone => Depth::Neck,
        m if m * 3 <= backbone => Depth::Early,
        m if m * 3 <= backbone * 2 => Depth::Middle,
        _ => Depth::Late,
    }
}

/// All modules with a map, in the order in which they compute; cold ones are frozen in the plan.
#[component]
fn Modules(lab: Lab, module: RwSignal<usize>) -> impl IntoView {
    let state = lab.state;
    let words = move || state.words();
    // Detect, the last one, gives boxes.
    let count = state
        .network
        .with_untracked(|network| network.rows().len().saturating_sub(1));
    let kind = move |index: usize| {
        let network = state.network.read();
        network.rows().get(index).map_or("", |row| row.kind.name())
    };
    let on_key = move |event: KeyboardEvent| {
        if let Some(to) = overlay::step(&event.key(), module.get_untracked(), count) {
            event.prevent_default();
            module.set(to);
            browser::focus(&format!("xray-module-{to}"));
        }
    };
    let buttons = (0..count).map(|index| {
        let cold = move || state.scene.read().stage.frozen_modules.get(index) == Some(&true);
        let label = move || {
            let index = index.to_string();
            fill(
                words().xray_module,
                &[
                    ("index", &index),
                    ("kind", kind(index.parse().unwrap_or(0))),
                ],
            )
        };
        view! {
            <button
                id=format!("xray-module-{index}")
                type="button"
                class:cold=cold
                class:warm=derived(move || !cold())
                tabindex=derived(move || if module.get() == index { "0" } else { "-1" })
                aria-pressed=derived(move || (module.get() == index).to_string())
                aria-label=label
                title=label
                on:click=move |_| module.set(index)
            >
                {index}
            </button>
        }
    });
    view! {
        <div
            class="modules-of"
            role="group"
            aria-label=lab.state.word(|words| words.xray_modules)
            on:keydown=on_key
        >
            {buttons.collect_view()}
        </div>
    }
}
