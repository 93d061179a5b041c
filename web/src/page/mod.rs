//! The page itself: what stands in the browser and answers to a person.
//!
//! It is built twice: as `app`, which has the Freeze view alone and is there at once, and as `studio`, which has all views.
//! `start.js` takes the one that the address needs.

mod app;
mod browser;
mod copy;
mod freeze;
mod header;
mod host;
mod icon;
mod lean;
mod nav;
mod state;

// The studio: every view that needs the engine.
#[cfg(feature = "studio")]
mod camera;
#[cfg(feature = "studio")]
mod chart;
#[cfg(feature = "studio")]
mod data;
#[cfg(feature = "studio")]
mod detect;
#[cfg(feature = "studio")]
mod lab;
#[cfg(feature = "studio")]
mod link;
#[cfg(feature = "studio")]
mod picked;
#[cfg(feature = "studio")]
mod race;
#[cfg(feature = "studio")]
mod status;
#[cfg(feature = "studio")]
mod store;
#[cfg(feature = "studio")]
mod studio;
#[cfg(feature = "studio")]
mod train;
#[cfg(feature = "studio")]
mod xray;

use leptos::prelude::*;

use self::app::App;
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
        view! { <App state /> }
    });
}
