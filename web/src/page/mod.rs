//! The page itself: what stands in the browser and answers to a person.

mod app;
mod browser;
mod camera;
mod chart;
mod copy;
mod data;
mod detect;
mod freeze;
mod header;
mod host;
mod icon;
mod lab;
mod lean;
mod link;
mod nav;
mod picked;
mod race;
mod state;
mod status;
mod store;
mod train;
mod xray;

use leptos::prelude::*;

use self::app::App;
use self::lab::Lab;
use self::state::State;

/// Puts the page into the document and keeps its address, language and theme in step.
pub fn mount() {
    browser::tell_panics();
    leptos::mount::mount_to_body(|| {
        let state = State::from_address(browser::query(), browser::is_embedded());
        browser::clear_loading();
        browser::keep_document(state);
        if state.embedded {
            host::speak(state);
        } else {
            browser::keep_address(state);
        }
        let lab = Lab::new(state);
        view! { <App lab /> }
    });
}
