//! The Detect view.

use leptos::prelude::*;

use super::lab::Lab;

/// The view from top to bottom.
#[component]
pub fn DetectView(lab: Lab) -> impl IntoView {
    let _ = lab;
}
