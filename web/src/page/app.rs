//! The page from top to bottom.

use crate::page::lean::{derived, effect, part};
use leptos::prelude::*;

use super::data::DataView;
use super::detect::DetectView;
use super::freeze::FreezeView;
use super::header::{Footer, Header};
use super::lab::Lab;
use super::nav::{self, Navigation};
use super::race::RaceView;
use super::status::EngineStatus;
use super::train::TrainView;
use super::xray::XrayView;
use crate::address::View;

/// The view that the address names, in its frame.
#[component]
pub fn App(lab: Lab) -> impl IntoView {
    let state = lab.state;
    let words = move || state.words();
    // The Freeze view is arithmetic; every other one needs the engine.
    effect(move || {
        if state.view.get() != View::Freeze {
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
    let skip = move || match state.view.get() {
        View::Freeze => ("#picture", words().skip_to_picture),
        _ => ("#view", words().skip_to_view),
    };
    // What an embedded page does not show, and every other view begins with.
    let heading = move || match state.view.get() {
        View::Freeze if state.embedded => {
            view! { <h1 class="unseen">{state.word(|words| words.title)}</h1> }.into_any()
        }
        View::Freeze => view! { <p class="lead">{state.word(|words| words.lead)}</p> }.into_any(),
        view if state.embedded => {
            view! { <h1 class="unseen">{part(move || nav::name(view, words()))}</h1> }.into_any()
        }
        view => view! { <h2 class="view-title">{part(move || nav::name(view, words()))}</h2> }
            .into_any(),
    };
    view! {
        <a class="skip" href=derived(move || skip().0)>{part(move || skip().1)}</a>
        {(!state.embedded).then(|| view! { <Header state /> <Navigation state /> })}
        <main id="view" tabindex="-1" class:embedded=state.embedded>
            {part(heading)}
            {part(move || (state.view.get() != View::Freeze).then(|| view! { <EngineStatus lab /> }))}
            {part(shown)}
        </main>
        <Footer state />
    }
}
