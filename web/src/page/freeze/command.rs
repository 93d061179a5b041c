//! The equal command, ready to be copied.

use std::time::Duration;

use leptos::prelude::*;

use crate::command::Command;
use crate::page::browser;
use crate::page::state::State;

/// How long `Copied` stands.
const SAID_FOR: Duration = Duration::from_secs(3);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Copied {
    NotYet,
    Yes,
    Refused,
}

/// The command with its button.
#[component]
pub fn CommandLine(state: State) -> impl IntoView {
    let words = move || state.words();
    let line = Memo::new(move |_| {
        let network = state.network.read();
        let planned = state.planned.read();
        // What is right is said as it was typed.
        let freeze = match planned.problem {
            None => state.freeze.get(),
            Some(_) => planned.plan.spec.to_string(),
        };
        Command {
            size: state.size.get(),
            freeze: &freeze,
            imgsz: network.imgsz,
            batch: network.batch,
        }
        .line()
    });
    let copied = RwSignal::new(Copied::NotYet);
    Effect::new(move || {
        line.track();
        copied.set(Copied::NotYet);
    });
    let copy = move |_| {
        let text = line.get_untracked();
        leptos::task::spawn_local(async move {
            let done = browser::copy(&text).await;
            copied.set(if done { Copied::Yes } else { Copied::Refused });
            if done {
                set_timeout(move || _ = copied.try_set(Copied::NotYet), SAID_FOR);
            }
        });
    };
    let button = move || match copied.get() {
        Copied::Yes => words().copied,
        _ => words().copy,
    };
    let refused = move || (copied.get() == Copied::Refused).then(|| words().copy_failed);
    view! {
        <section class="command" aria-labelledby="command-title">
            <h2 id="command-title">{move || words().command}</h2>
            <div class="command-line">
                <pre tabindex="0" aria-labelledby="command-title"><code>{line}</code></pre>
                <button type="button" on:click=copy>{button}</button>
            </div>
            <p class="hint" role="status">
                {move || refused().unwrap_or(words().command_note)}
            </p>
        </section>
    }
}
