//! The equal command, ready to be copied.

use leptos::prelude::*;

use crate::command::Command;
use crate::page::copy::CopyLine;
use crate::page::state::State;

/// The command with its button.
#[component]
pub fn CommandLine(state: State) -> impl IntoView {
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
    view! {
        <section class="command" aria-labelledby="command-title">
            <h2 id="command-title">{state.word(|words| words.command)}</h2>
            <CopyLine
                state
                line
                labelled_by="command-title"
                note=state.word(|words| words.command_note)
            />
        </section>
    }
}
