//! What a run begins with: weights, pictures, what is frozen, and the numbers.

use std::time::Duration;

use crate::page::lean::effect;
use leptos::prelude::*;

use super::runs::{Activity, MAX_EPOCHS};
use super::weights::WeightsField;
use crate::address::View;
use crate::dataset::DataSet;
use crate::page::freeze::{BatchField, FreezeField, NumberField, SideField, whole_number};
use crate::page::lab::Lab;
use crate::page::nav::ViewLink;
use crate::words::fill;

/// How long settings rest before a forecast is asked for.
const REST: Duration = Duration::from_millis(300);

/// All fields. The race has its own plans: there `plan` is false.
#[component]
pub fn Setup(lab: Lab, plan: bool) -> impl IntoView {
    view! {
        <section class="setup">
            <div class="sources">
                <PicturesField lab />
                <WeightsField lab />
            </div>
            <fieldset class="controls" disabled=lab.runs.busy()>
                {plan.then(|| view! { <FreezeField state=lab.state /> })}
                <Numbers lab />
            </fieldset>
        </section>
    }
}

/// The pictures, or the offer to take some.
#[component]
fn PicturesField(lab: Lab) -> impl IntoView {
    let (state, runs) = (lab.state, lab.runs);
    let words = move || state.words();
    let loading = RwSignal::new(false);
    let take = move |_| {
        loading.set(true);
        leptos::task::spawn_local(async move {
            match lab.open_shipped().await {
                Ok((_, refused)) => runs.problem.set(refused.into_iter().next()),
                Err(refusal) => runs.problem.set(Some(refusal)),
            }
            // The view may have gone meanwhile.
            _ = loading.try_set(false);
        });
    };
    let said = Signal::derive(move || {
        let set = lab.pictures.set.read();
        if set.is_empty() {
            return if loading.get() {
                words().pictures_loading.to_owned()
            } else {
                words().pictures_none.to_owned()
            };
        }
        let count = set.count();
        let boxes: usize = set.pictures().map(|picture| picture.boxes.len()).sum();
        let counts = [count.train, count.val, boxes, set.classes().len()];
        let [train, val, boxes, classes] = counts.map(|count| count.to_string());
        fill(
            words().pictures_said,
            &[
                ("train", &train),
                ("val", &val),
                ("boxes", &boxes),
                ("classes", &classes),
            ],
        )
    });
    let some = Signal::derive(move || !lab.pictures.set.with(DataSet::is_empty));
    view! {
        <div class="source">
            <h3>{state.word(|words| words.pictures_to_learn)}</h3>
            <p id="pictures-said" role="status">{said}</p>
            <div class="source-row">
                <button
                    id="take-shipped"
                    type="button"
                    hidden=some
                    disabled=loading
                    on:click=take
                >
                    {state.word(|words| words.pictures_take_shipped)}
                </button>
                <ViewLink state view=View::Data>{state.word(|words| words.pictures_add)}</ViewLink>
            </div>
        </div>
    }
}

#[component]
fn Numbers(lab: Lab) -> impl IntoView {
    let (state, runs) = (lab.state, lab.runs);
    let words = move || state.words();
    let epochs_wrong = move || whole_number(state, runs.epochs().is_some(), [1, MAX_EPOCHS], "30");
    let seed_wrong = move || whole_number(state, runs.seed().is_some(), [0, usize::MAX], "0");
    let rate_wrong = move || {
        runs.rate()
            .is_err()
            .then(|| words().learning_rate_wrong.to_owned())
    };
    view! {
        <NumberField
            id="epochs"
            label=state.word(|words| words.epochs)
            value=runs.epochs
            wrong=Signal::derive(epochs_wrong)
        />
        <SideField state />
        <BatchField state />
        <NumberField
            id="lr0"
            label=state.word(|words| words.learning_rate)
            value=runs.lr0
            wrong=Signal::derive(rate_wrong)
            placeholder=state.word(|words| words.learning_rate_own)
        />
        <NumberField
            id="seed"
            label=state.word(|words| words.seed)
            value=runs.seed
            wrong=Signal::derive(seed_wrong)
        />
    }
}

/// Asks for a forecast whenever settings, weights or pictures have changed and rest.
pub fn foretell_when_settings_change(lab: Lab) {
    let runs = lab.runs;
    let pending = StoredValue::new(None::<TimeoutHandle>);
    let forget = move || {
        if let Some(earlier) = pending.try_update_value(Option::take).flatten() {
            earlier.clear();
        }
    };
    effect(move || {
        forget();
        let ask = lab.train_ask();
        lab.pictures.revision.track();
        let none = lab.pictures.set.with_untracked(DataSet::is_empty);
        let ready = !none && lab.weights.said.read().is_some();
        let idle = runs.activity.get() == Activity::Idle;
        let (Some(ask), true, true) = (ask, ready, idle) else {
            if idle {
                runs.forecast.set(None);
            }
            return;
        };
        let then = move || leptos::task::spawn_local(lab.foretell(ask));
        pending.set_value(set_timeout_with_handle(then, REST).ok());
    });
    on_cleanup(forget);
    // The weights say what they are as soon as the engine has them.
    leptos::task::spawn_local(async move {
        if let Err(refusal) = lab.give_weights().await {
            lab.weights.problem.set(Some(refusal));
        }
    });
    // The picture shows the network of these weights and classes.
    effect(move || {
        let size = lab
            .weights
            .said
            .read()
            .as_ref()
            .and_then(|said| said.size.as_deref()?.parse().ok());
        if let Some(size) = size {
            lab.state.size.set(size);
        }
    });
    effect(move || {
        let classes = lab.pictures.set.with(|set| set.classes().len());
        if classes > 0 {
            lab.state.classes.set(classes.to_string());
        }
    });
}
