//! The picture while a run is under way: what learns glows with its gradient, what is frozen is locked, and what crosses
//! the cut pulses with every step.

use crate::page::lean::{derived, part};
use frostline::freeze::ModuleState;
use leptos::prelude::*;

use crate::page::state::State;
use crate::picture::Picture;

/// A padlock around the middle, 9 pixels wide.
const PADLOCK: &str = "M-4.5-1.5H4.5V5H-4.5ZM-2.8-1.5V-3.4A2.8 2.8 0 0 1 2.8-3.4V-1.5";

/// What the picture needs to know of a run.
#[derive(Debug, Clone, Copy)]
pub struct Life {
    /// Whether a run is under way.
    pub runs: Memo<bool>,
    /// Glow by module, in `0..=1`.
    pub glow: Memo<Vec<(usize, f64)>>,
    /// Changes with every step.
    pub beat: Memo<bool>,
}

impl Life {
    /// The class of a picture that lives: two that take turns, so that each step begins an animation.
    pub fn class(&self) -> &'static str {
        match (self.runs.get(), self.beat.get()) {
            (false, _) => "",
            (true, false) => " alive tick",
            (true, true) => " alive tock",
        }
    }
}

/// What is drawn over the blocks.
#[component]
pub fn LifeView(state: State, picture: Memo<Picture>, life: Life) -> impl IntoView {
    move || {
        life.runs.get().then(|| {
            let count = state.network.with_untracked(|network| network.rows().len());
            let modules =
                (0..count).map(|module| view! { <ModuleLife state picture life module /> });
            view! { <g class="life" aria-hidden="true">{modules.collect_view()}</g> }
        })
    }
}

#[component]
fn ModuleLife(state: State, picture: Memo<Picture>, life: Life, module: usize) -> impl IntoView {
    let rect = Memo::new(move |_| picture.read().blocks.get(module).map(|block| block.rect));
    let glow = Memo::new(move |_| {
        let glow = life.glow.read();
        glow.iter()
            .find(|(of, _)| *of == module)
            .map_or(0.0, |(_, glow)| *glow)
    });
    let locked = Memo::new(move |_| {
        state.scene.read().stage.states.get(module) == Some(&ModuleState::Frozen)
    });
    let lock = move || {
        let rect = rect.get().filter(|_| locked.get())?;
        let place = format!("translate({:.1} {:.1})", rect.right() - 9.0, rect.y + 10.0);
        Some(view! { <path class="padlock" d=PADLOCK transform=place /> })
    };
    let ring = move || {
        let rect = rect.get().filter(|_| !locked.get())?;
        Some(view! {
            <rect
                class="glow"
                x=rect.x - 2.0
                y=rect.y - 2.0
                width=rect.width + 4.0
                height=rect.height + 4.0
                rx="10"
                style:opacity=derived(move || format!("{:.2}", glow.get()))
            />
        })
    };
    view! { {part(ring)} {part(lock)} }
}
