//! The Data view.

mod set;

use leptos::prelude::*;

pub use self::set::Pictures;

use super::lab::Lab;

/// The view from top to bottom.
#[component]
pub fn DataView(lab: Lab) -> impl IntoView {
    let _ = lab;
}
