//! A number that counts to its new value.

use leptos::prelude::*;

use crate::page::browser;

/// How long a number counts.
const COUNT_MS: f64 = 260.0;

/// Shows a number as text; when it changes it counts there, unless little movement is wanted.
/// A reader that speaks hears the number from the summary, not every step.
#[component]
pub fn Counter(value: Memo<u64>, format: fn(u64) -> String) -> impl IntoView {
    let shown = RwSignal::new(value.get_untracked());
    // Counts runs, so that a later one ends an earlier one.
    let run = StoredValue::new(0_u32);
    Effect::new(move |first: Option<()>| {
        let to = value.get();
        run.update_value(|run| *run += 1);
        if first.is_none() || browser::reduced_motion() {
            shown.set(to);
            return;
        }
        let this = run.get_value();
        step(
            shown,
            run,
            this,
            shown.get_untracked(),
            to,
            browser::now_ms(),
        );
    });
    move || format(shown.get())
}

fn step(shown: RwSignal<u64>, run: StoredValue<u32>, this: u32, from: u64, to: u64, began_ms: f64) {
    if run.try_get_value() != Some(this) {
        return;
    }
    let part = ((browser::now_ms() - began_ms) / COUNT_MS).clamp(0.0, 1.0);
    if part >= 1.0 {
        shown.set(to);
        return;
    }
    // Quick at first, slow at the end.
    let eased = 1.0 - (1.0 - part).powi(3);
    let (a, b) = (from as f64, to as f64);
    shown.set((a + (b - a) * eased).round() as u64);
    request_animation_frame(move || step(shown, run, this, from, to, began_ms));
}
