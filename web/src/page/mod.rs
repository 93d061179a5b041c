//! The page itself: what stands in the browser and answers to a person.

mod app;
mod block;
mod browser;
mod command;
mod controls;
mod counter;
mod edges;
mod figures;
mod header;
mod host;
mod icon;
mod line;
mod list;
mod notes;
mod picture;
mod state;

use leptos::prelude::*;

use self::app::App;
use self::state::State;

/// Puts the page into the document and keeps its address, language and theme in step.
pub fn mount() {
    leptos::mount::mount_to_body(|| {
        let state = State::from_address(browser::query(), browser::is_embedded());
        browser::clear_loading();
        browser::keep_document(state);
        if state.embedded {
            host::speak(state);
        } else {
            browser::keep_address(state);
        }
        view! { <App state /> }
    });
}
