//! Why: short texts about the plan on the screen, with its figures.

use crate::page::lean::part;
use leptos::prelude::*;

use crate::figures::{bytes, grouped, percent, ratio};
use crate::page::state::State;
use crate::words::{fill, ranges};

/// The three explanations.
#[component]
pub fn Notes(state: State) -> impl IntoView {
    view! {
        <section class="notes" aria-labelledby="notes-title">
            <h2 id="notes-title">{state.word(|words| words.explanations)}</h2>
            <div>
                <article>
                    <h3>{state.word(|words| words.cut_title)}</h3>
                    <p>{part(move || cut(state))}</p>
                </article>
                <article>
                    <h3>{state.word(|words| words.when_title)}</h3>
                    <p>{part(move || when(state))}</p>
                </article>
                <article>
                    <h3>{state.word(|words| words.norm_title)}</h3>
                    <p>{part(move || norms(state))}</p>
                </article>
            </div>
        </section>
    }
}

/// What the cut is.
fn cut(state: State) -> String {
    let words = state.words();
    let language = state.language.get();
    let scene = state.scene.read();
    let full = state.network.read().full.step();
    let cut = &scene.stage.cut;
    if cut.prefix == 0 {
        return if scene.stage.counts.frozen_tensors == 0 {
            words.cut_none.to_owned()
        } else {
            fill(
                words.cut_behind,
                &[("ratio", &ratio(full, scene.costs.step()))],
            )
        };
    }
    let prefix: Vec<usize> = (0..cut.prefix).collect();
    fill(
        words.cut_some,
        &[
            ("prefix", &ranges(&prefix, language)),
            ("crossing", &ranges(&cut.crossing, language)),
            ("bytes", &bytes(scene.cut_bytes_per_picture())),
            ("ratio", &ratio(full, scene.costs.cached_step())),
        ],
    )
}

/// When to freeze how much.
fn when(state: State) -> String {
    let words = state.words();
    let scene = state.scene.read();
    let network = state.network.read();
    let backbone = network.architecture.backbone;
    let last = network.rows().len().saturating_sub(1);
    let counts = scene.stage.counts;
    let prefix = scene.stage.cut.prefix;
    // Whether what lies after the cut all learns.
    let leading = (scene.stage.states.iter().skip(prefix))
        .all(|state| *state == frostline::freeze::ModuleState::Trains);
    let template = match prefix {
        _ if counts.frozen_tensors == 0 => words.when_nothing,
        _ if !leading => words.when_other,
        prefix if prefix < backbone => words.when_early,
        prefix if prefix == backbone => words.when_backbone,
        prefix if prefix < last => words.when_neck,
        _ => words.when_detect,
    };
    let all = counts.frozen_parameters + counts.trainable_parameters;
    fill(
        template,
        &[
            ("trainable", &grouped(counts.trainable_parameters)),
            ("percent", &percent(counts.trainable_parameters, all)),
        ],
    )
}

/// Why BatchNorm matters.
fn norms(state: State) -> String {
    let words = state.words();
    let fixed = state.scene.read().stage.fixed_norms.len();
    let all = state.network.read().norms();
    let template = match fixed {
        0 => words.norm_none,
        fixed if fixed == all => words.norm_all,
        _ => words.norm_some,
    };
    let all = all.to_string();
    fill(template, &[("fixed", &fixed.to_string()), ("all", &all)])
}
