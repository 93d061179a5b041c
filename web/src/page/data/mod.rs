//! The Data view.

use leptos::prelude::*;

use super::lab::Lab;

/// The view from top to bottom.
#[component]
pub fn DataView(lab: Lab) -> impl IntoView {
    let _ = lab;
}
