//! Small drawings. They never stand alone: a word or a label says the same.

use leptos::prelude::*;

use crate::address::Theme;

/// Six arms with two twigs each, in a circle of radius 6 around the origin.
const SNOWFLAKE: &str = "M0-6V6M-5.2-3L5.2 3M-5.2 3L5.2-3M-1.7-5.3L0-3.9L1.7-5.3M-1.7 5.3L0 3.9L1.7 5.3M-5.4-1.2L-3.4-1.9L-3.8-4.1M5.4 1.2L3.4 1.9L3.8 4.1M-3.8 4.1L-3.4 1.9L-5.4 1.2M3.8-4.1L3.4-1.9L5.4-1.2";
/// A star with four points.
const SPARK: &str =
    "M0-6.2C.7-1.6 1.6-.7 6.2 0C1.6.7.7 1.6 0 6.2C-.7 1.6-1.6.7-6.2 0C-1.6-.7-.7-1.6 0-6.2Z";
/// Half a snowflake's room, half a spark's: a disc of which one half is filled.
const HALF: &str = "M0-5A5 5 0 0 1 0 5A5 5 0 0 1 0-5ZM0-5A5 5 0 0 0 0 5Z";

/// How much of something is frozen, as a drawing around the origin of an `<svg>`.
pub fn state_path(state: frostline::freeze::ModuleState) -> (&'static str, &'static str) {
    use frostline::freeze::ModuleState::{Frozen, Partly, Trains};
    match state {
        Frozen => ("icon snowflake", SNOWFLAKE),
        Trains => ("icon spark", SPARK),
        Partly => ("icon half", HALF),
    }
}

/// The same as a small picture in a line of text.
pub fn state(state: frostline::freeze::ModuleState) -> impl IntoView {
    let (class, path) = state_path(state);
    view! {
        <svg class="inline-icon" viewBox="-7 -7 14 14" width="14" height="14" aria-hidden="true">
            <path class=class d=path />
        </svg>
    }
}

/// The mark: a line, frost on one side, a spark on the other.
pub fn mark() -> impl IntoView {
    view! {
        <svg class="mark" viewBox="0 0 40 40" width="40" height="40" aria-hidden="true">
            <rect class="mark-cold" x="1" y="1" width="19" height="38" rx="4" />
            <rect class="mark-warm" x="20" y="1" width="19" height="38" rx="9" />
            <path class="icon snowflake" transform="translate(10.5 20)" d=SNOWFLAKE />
            <path class="icon spark" transform="translate(29.5 20)" d=SPARK />
            <path class="mark-line" d="M20 1V39" />
        </svg>
    }
}

/// Half a disc, a sun or a moon.
pub fn theme(theme: Theme) -> impl IntoView {
    let path = match theme {
        Theme::System => "M0-6A6 6 0 0 1 0 6A6 6 0 0 1 0-6ZM0-6V6M1.5-5.6V5.6M3-5V5M4.5-3.8V3.8",
        Theme::Light => {
            "M0-3A3 3 0 0 1 0 3A3 3 0 0 1 0-3ZM0-6.5V-5M0 5V6.5M-6.5 0H-5M5 0H6.5M-4.6-4.6L-3.6-3.6M3.6 3.6L4.6 4.6M-4.6 4.6L-3.6 3.6M3.6-3.6L4.6-4.6"
        }
        Theme::Dark => "M2-5.6A6 6 0 1 0 5.6 2A5 5 0 0 1 2-5.6Z",
    };
    view! {
        <svg viewBox="-8 -8 16 16" width="16" height="16" aria-hidden="true">
            <path class="outline" d=path />
        </svg>
    }
}
