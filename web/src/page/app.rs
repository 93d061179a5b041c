//! The page from top to bottom.

use leptos::prelude::*;

use super::command::CommandLine;
use super::controls::Controls;
use super::figures::Figures;
use super::header::{Footer, Header};
use super::list::ParameterList;
use super::notes::Notes;
use super::picture::PictureView;
use super::state::State;

/// The Freeze view.
#[component]
pub fn App(state: State) -> impl IntoView {
    let words = move || state.words();
    view! {
        <a class="skip" href="#picture">{move || words().skip_to_picture}</a>
        {(!state.embedded).then(|| view! { <Header state /> })}
        <main class:embedded=state.embedded>
            {if state.embedded {
                // The heading that an embedded page does not show.
                view! { <h1 class="unseen">{move || words().title}</h1> }.into_any()
            } else {
                view! { <p class="lead">{move || words().lead}</p> }.into_any()
            }}
            <Controls state />
            <PictureView state />
            <Figures state />
            <Notes state />
            <CommandLine state />
            <ParameterList state />
        </main>
        <Footer state />
    }
}
