//! All views, and the engine for those that need it.

use leptos::prelude::*;

use super::data::DataView;
use super::detect::DetectView;
use super::freeze::FreezeView;
use super::lab::Lab;
use super::lean::{effect, part};
use super::race::RaceView;
use super::state::State;
use super::status::EngineStatus;
use super::train::TrainView;
use super::xray::XrayView;
use crate::address::View;

/// The view that the address names.
#[component]
pub fn Views(state: State) -> impl IntoView {
    let lab = Lab::new(state);
    // The Freeze view is arithmetic; every other one needs the engine.
    let needs = move || state.view.get() != View::Freeze;
    effect(move || {
        if needs() {
            lab.load();
        }
    });
    let shown = move || match state.view.get() {
        View::Freeze => view! { <FreezeView state /> }.into_any(),
        View::Data => view! { <DataView lab /> }.into_any(),
        View::Train => view! { <TrainView lab /> }.into_any(),
        View::Detect => view! { <DetectView lab /> }.into_any(),
        View::Race => view! { <RaceView lab /> }.into_any(),
        View::Xray => view! { <XrayView lab /> }.into_any(),
    };
    view! {
        {part(move || needs().then(|| view! { <EngineStatus lab /> }))}
        {part(shown)}
    }
}
