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
            {(!state.embedded).then(|| view! { <p class="lead">{move || words().lead}</p> })}
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
