//! The Data view.

mod annotator;
mod classes;
mod incoming;
mod open;
mod set;
mod shown;

use leptos::prelude::*;

pub use self::set::Pictures;

use super::lab::Lab;

/// The view from top to bottom.
#[component]
pub fn DataView(lab: Lab) -> impl IntoView {
    let chosen = RwSignal::new(None);
    let class = RwSignal::new(0);
    view! {
        <annotator::Annotator lab chosen class />
        <classes::Classes lab class />
    }
}

/// Classes have eight colours, and after those the same with another edge; their names always stand beside.
pub fn class_style(class: usize) -> String {
    format!("class-{} edge-{}", class % 8, class / 8 % 3)
}
