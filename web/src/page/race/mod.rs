//! The Race view.

use leptos::prelude::*;

use super::lab::Lab;

/// The view from top to bottom.
#[component]
pub fn RaceView(lab: Lab) -> impl IntoView {
    let _ = lab;
}
