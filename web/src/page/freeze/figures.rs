//! The figures of a training step, counting along with the line.

use crate::page::lean::{derived, part};
use leptos::prelude::*;

use super::counter::Counter;
use crate::figures::{bytes, flops, grouped, percent, ratio};
use crate::page::state::State;
use crate::words::fill;

/// The figures.
#[component]
pub fn Figures(state: State) -> impl IntoView {
    let words = move || state.words();
    let counted = move || {
        let network = state.network.read();
        let (batch, side) = (grouped(network.batch as u64), network.imgsz.to_string());
        fill(words().counted, &[("batch", &batch), ("side", &side)])
    };
    view! {
        <section class="figures" aria-labelledby="figures-title">
            <h2 id="figures-title">{state.word(|words| words.figures)}</h2>
            <dl>
                <Parameters state />
                <Work state />
                <Memory state />
                <Crossing state />
                <Cached state />
            </dl>
            <p class="hint">{part(counted)}</p>
        </section>
    }
}

#[component]
fn Parameters(state: State) -> impl IntoView {
    let words = move || state.words();
    let frozen = Memo::new(move |_| state.scene.read().stage.counts.frozen_parameters);
    let learn = Memo::new(move |_| state.scene.read().stage.counts.trainable_parameters);
    let share = move || frozen.get() as f64 / (frozen.get() + learn.get()).max(1) as f64;
    let percent = move || percent(frozen.get(), frozen.get() + learn.get());
    view! {
        <div class="figure wide">
            <dt>{state.word(|words| words.parameters)}</dt>
            <dd class="pair">
                <span class="cold">
                    <b><Counter value=frozen format=grouped /></b>
                    " "
                    {state.word(|words| words.frozen_parameters)}
                </span>
                <span class="warm">
                    <b><Counter value=learn format=grouped /></b>
                    " "
                    {state.word(|words| words.trainable_parameters)}
                </span>
            </dd>
            <dd class="bar" aria-hidden="true">
                <span style:transform=derived(move || format!("scaleX({:.4})", share())) />
            </dd>
            <dd class="note">{part(move || fill(words().share_frozen, &[("percent", &percent())]))}</dd>
        </div>
    }
}

#[component]
fn Work(state: State) -> impl IntoView {
    let words = move || state.words();
    let step = Memo::new(move |_| state.scene.read().costs.step());
    let full = Memo::new(move |_| state.network.read().full.step());
    let note = move || {
        if step.get() >= full.get() {
            return words().work_full.to_owned();
        }
        let ratio = ratio(full.get(), step.get());
        fill(
            words().work_against,
            &[("full", &flops(full.get())), ("ratio", &ratio)],
        )
    };
    view! {
        <div class="figure" id="figure-work">
            <dt>{state.word(|words| words.work)}</dt>
            <dd><b><Counter value=step format=flops /></b></dd>
            <dd class="note">{part(note)}</dd>
        </div>
    }
}

#[component]
fn Memory(state: State) -> impl IntoView {
    let words = move || state.words();
    let kept = Memo::new(move |_| state.scene.read().costs.activation_bytes);
    let full = Memo::new(move |_| state.network.read().full.activation_bytes);
    let note = move || {
        if kept.get() >= full.get() {
            return words().memory_full.to_owned();
        }
        fill(words().memory_against, &[("full", &bytes(full.get()))])
    };
    view! {
        <div class="figure" id="figure-memory">
            <dt>{state.word(|words| words.memory)}</dt>
            <dd><b><Counter value=kept format=bytes /></b></dd>
            <dd class="note">{part(note)}</dd>
        </div>
    }
}

#[component]
fn Crossing(state: State) -> impl IntoView {
    let words = move || state.words();
    let per_picture = Memo::new(move |_| state.scene.read().cut_bytes_per_picture());
    let cut = Memo::new(move |_| state.scene.read().stage.cut.prefix > 0);
    let features = move || {
        let scene = state.scene.read();
        let crossing = scene.crossing(&state.network.read());
        let features = crossing.into_iter().map(|(module, shape)| {
            view! { <li><b>{module}</b> " " {shape}</li> }
        });
        features.collect_view()
    };
    let value = move || {
        if cut.get() {
            view! { <b><Counter value=per_picture format=bytes /></b> }.into_any()
        } else {
            view! { <b>"–"</b> }.into_any()
        }
    };
    let note = move || {
        if cut.get() {
            words().each_picture
        } else {
            words().image_crosses
        }
    };
    view! {
        <div class="figure" id="figure-cut">
            <dt>{state.word(|words| words.crossing)}</dt>
            <dd>{part(value)}</dd>
            <dd class="note">{part(note)}</dd>
            <dd><ul class="features">{part(features)}</ul></dd>
        </div>
    }
}

#[component]
fn Cached(state: State) -> impl IntoView {
    let words = move || state.words();
    let step = Memo::new(move |_| state.scene.read().costs.cached_step());
    let full = Memo::new(move |_| state.network.read().full.step());
    let cut = Memo::new(move |_| state.scene.read().stage.cut.prefix > 0);
    let value = move || {
        if cut.get() {
            view! { <b><Counter value=step format=flops /></b> }.into_any()
        } else {
            view! { <b>"–"</b> }.into_any()
        }
    };
    let note = move || {
        if !cut.get() {
            return words().cached_none.to_owned();
        }
        let ratio = ratio(full.get(), step.get());
        fill(words().cached_against, &[("ratio", &ratio)])
    };
    view! {
        <div class="figure" id="figure-cached">
            <dt>{state.word(|words| words.cached)}</dt>
            <dd>{part(value)}</dd>
            <dd class="note">{part(note)}</dd>
        </div>
    }
}
