//! The Xray view.

use leptos::prelude::*;

use super::lab::Lab;

/// The view from top to bottom.
#[component]
pub fn XrayView(lab: Lab) -> impl IntoView {
    let _ = lab;
}
