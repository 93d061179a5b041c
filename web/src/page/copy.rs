//! A line of text with a button that copies it.

use std::time::Duration;

use crate::page::lean::{effect, part};
use leptos::prelude::*;

use super::browser;
use super::state::State;

/// How long `Copied` stands.
const SAID_FOR: Duration = Duration::from_secs(3);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Copied {
    NotYet,
    Yes,
    Refused,
}

/// The line, its button, and a note below that gives way when copying was refused. `labelled_by` is the id of what names it.
#[component]
pub fn CopyLine(
    state: State,
    #[prop(into)] line: Signal<String>,
    labelled_by: &'static str,
    #[prop(into)] note: Signal<&'static str>,
) -> impl IntoView {
    let words = move || state.words();
    let copied = RwSignal::new(Copied::NotYet);
    effect(move || {
        line.track();
        copied.set(Copied::NotYet);
    });
    let copy = move |_| {
        let text = line.get_untracked();
        leptos::task::spawn_local(async move {
            let done = browser::copy(&text).await;
            // The view may have gone meanwhile.
            _ = copied.try_set(if done { Copied::Yes } else { Copied::Refused });
            if done {
                set_timeout(move || _ = copied.try_set(Copied::NotYet), SAID_FOR);
            }
        });
    };
    let button = move || match copied.get() {
        Copied::Yes => words().copied,
        _ => words().copy,
    };
    let below = move || match copied.get() {
        Copied::Refused => words().copy_failed,
        _ => note.get(),
    };
    view! {
        <div class="command-line">
            <pre tabindex="0" aria-labelledby=labelled_by><code>{line}</code></pre>
            <button type="button" on:click=copy>{part(button)}</button>
        </div>
        <p class="hint" role="status">{part(below)}</p>
    }
}
