//! The page from top to bottom.

use crate::page::lean::{derived, part};
use leptos::prelude::*;

use super::header::{Footer, Header};
use super::nav::{self, Navigation};
use super::state::State;
use crate::address::View;

#[cfg(not(feature = "studio"))]
use super::freeze::FreezeView as Views;
#[cfg(feature = "studio")]
use super::studio::Views;

/// The view that the address names, in its frame.
#[component]
pub fn App(state: State) -> impl IntoView {
    let words = move || state.words();
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
            <Views state />
        </main>
        <Footer state />
    }
}
