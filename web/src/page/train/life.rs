//! What the picture of the network shows of the run under way.

use leptos::prelude::*;

use super::runs::Activity;
use crate::page::freeze::Life;
use crate::page::lab::Lab;
use crate::run::glow;

/// The life of the run of the page.
pub fn life_of(lab: Lab) -> Life {
    let runs = lab.runs;
    let active = move || {
        matches!(
            runs.activity.get(),
            Activity::Runs | Activity::Paused | Activity::Stopping
        )
    };
    Life {
        runs: Memo::new(move |_| active() && !runs.races.get()),
        glow: Memo::new(move |_| {
            runs.record.with(|record| {
                record
                    .as_ref()
                    .map(|record| glow(&record.gradients))
                    .unwrap_or_default()
            })
        }),
        beat: Memo::new(move |_| {
            runs.record.with(|record| {
                record
                    .as_ref()
                    .is_some_and(|record| record.losses.steps() % 2 == 1)
            })
        }),
    }
}
