//! The weights that a run begins with: those of the page, or a file of one's own.

use leptos::html;
use leptos::prelude::*;
use web_sys::{DragEvent, File};

use crate::page::lab::Lab;
use crate::page::state::not;
use crate::words::{fill, refusal};

/// What the weights are, and how to take others.
#[component]
pub fn WeightsField(lab: Lab) -> impl IntoView {
    let state = lab.state;
    let weights = lab.weights;
    let words = move || state.words();
    let reading = RwSignal::new(false);
    let over = RwSignal::new(false);
    let input = NodeRef::<html::Input>::new();
    let take = move |file: File| {
        reading.set(true);
        leptos::task::spawn_local(async move {
            lab.take_weights(file.name(), file.into()).await;
            // The view may have gone meanwhile.
            _ = reading.try_set(false);
        });
    };
    let chosen = move |_| {
        let Some(input) = input.get_untracked() else {
            return;
        };
        if let Some(file) = input.files().and_then(|files| files.get(0)) {
            take(file);
        }
        // The same file may be chosen again.
        input.set_value("");
    };
    let dropped = move |event: DragEvent| {
        event.prevent_default();
        over.set(false);
        let files = event.data_transfer().and_then(|data| data.files());
        if let Some(file) = files.and_then(|files| files.get(0)) {
            take(file);
        }
    };
    let shipped = move |_| leptos::task::spawn_local(lab.take_shipped_weights());
    let said = Signal::derive(move || {
        if reading.get() {
            return words().weights_reading.to_owned();
        }
        let said = weights.said.read();
        let Some(said) = said.as_ref() else {
            return String::new();
        };
        let classes = said
            .classes
            .as_ref()
            .map_or("?".to_owned(), |classes| classes.len().to_string());
        let tensors = said.tensors.to_string();
        let size = said.size.as_deref().unwrap_or_default();
        let template = if size.is_empty() {
            words().weights_said_other
        } else {
            words().weights_said
        };
        fill(
            template,
            &[("size", size), ("classes", &classes), ("tensors", &tensors)],
        )
    });
    let wrong = Signal::derive(move || {
        let problem = weights.problem.read();
        problem
            .as_ref()
            .map(|found| refusal(found, state.language.get()))
    });
    let busy = lab.runs.busy();
    view! {
        <div
            class="source"
            class:over=over
            on:dragover=move |event: DragEvent| {
                event.prevent_default();
                over.set(true);
            }
            on:dragleave=move |_| over.set(false)
            on:drop=dropped
        >
            <h3 id="weights-title">{state.word(|words| words.start_weights)}</h3>
            <p>
                <b id="weights-name">{weights.name}</b>
                " "
                <span class="note" id="weights-said" role="status">{said}</span>
            </p>
            <p class="error" id="weights-error" role="status">{wrong}</p>
            <div class="source-row">
                <label class="button" class:disabled=busy>
                    <input
                        id="weights-file"
                        class="unseen"
                        type="file"
                        accept=".pt,.pth,.safetensors,.onnx"
                        aria-describedby="weights-error"
                        disabled=busy
                        node_ref=input
                        on:change=chosen
                    />
                    {state.word(|words| words.weights_choose)}
                </label>
                <span class="hint">{state.word(|words| words.weights_drop)}</span>
                <button
                    id="weights-shipped"
                    type="button"
                    hidden=not(weights.are_own.into())
                    disabled=busy
                    on:click=shipped
                >
                    {state.word(|words| words.weights_shipped)}
                </button>
            </div>
        </div>
    }
}
