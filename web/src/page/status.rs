//! How far the engine is, on what it computes, and how to choose.

use crate::page::lean::{derived, part};
use leptos::prelude::*;

use super::lab::Lab;
use super::link::Phase;
use crate::messages::{Refusal, Wish};
use crate::words::{fill, refusal};

/// The device, what went wrong with it, and the choice of another.
#[component]
pub fn EngineStatus(lab: Lab) -> impl IntoView {
    let state = lab.state;
    let engine = lab.engine;
    let words = move || state.words();
    let told = move || match engine.phase.get() {
        Phase::Idle | Phase::Loading => words().engine_loading.to_owned(),
        Phase::Ready(device) => {
            let text = if device.gpu {
                words().engine_gpu
            } else {
                words().engine_cpu
            };
            fill(text, &[("name", &device.name)])
        }
        Phase::Failed(found) => refusal(&found, state.language.get()),
    };
    let lost = move || {
        engine.lost.get().map(|lost| {
            let text = match lost.from_epoch {
                Some(_) => words().engine_lost_in_run,
                None => words().engine_lost,
            };
            let epoch = lost.from_epoch.map(|epoch| (epoch + 1).to_string());
            fill(text, &[("epoch", &epoch.unwrap_or_default())])
        })
    };
    let failed = move || matches!(*engine.phase.read(), Phase::Failed(_));
    let choices = [Wish::Auto, Wish::Gpu, Wish::Cpu].map(|wish| {
        let name = move || match wish {
            Wish::Auto => words().device_auto,
            Wish::Gpu => words().device_gpu,
            Wish::Cpu => words().device_cpu,
        };
        let choose = move |_| {
            state.device.set(wish);
            if failed() {
                engine.start(wish);
            } else {
                engine.choose(wish);
            }
        };
        view! {
            <button
                type="button"
                aria-pressed=derived(move || (state.device.get() == wish).to_string())
                on:click=choose
            >
                {part(name)}
            </button>
        }
    });
    let again = move || {
        failed().then(|| {
            view! {
                <button type="button" on:click=move |_| engine.start(state.device.get_untracked())>
                    {state.word(|words| words.engine_again)}
                </button>
            }
        })
    };
    view! {
        <div class="engine" data-phase=derived(move || phase_name(&engine.phase.read()))>
            <p role="status" class:error=failed>{told}{part(move || lost().map(|text| format!(" {text}")))}</p>
            {part(again)}
            <div class="segments small" role="group" aria-label=state.word(|words| words.device)>
                {choices.into_iter().collect_view()}
            </div>
        </div>
    }
}

fn phase_name(phase: &Phase) -> &'static str {
    match phase {
        Phase::Idle => "idle",
        Phase::Loading => "loading",
        Phase::Ready(_) => "ready",
        Phase::Failed(_) => "failed",
    }
}

/// What went wrong, beside what failed; nothing when nothing did.
#[component]
pub fn Wrong(lab: Lab, problem: Signal<Option<Refusal>>) -> impl IntoView {
    let text = move || {
        problem
            .get()
            .map(|found| refusal(&found, lab.state.language.get()))
    };
    view! { <p class="error" role="alert">{part(text)}</p> }
}
