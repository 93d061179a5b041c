//! Choosing a network, and what of it is frozen.

use crate::page::lean::{derived, part};
use frostline::model::Size;
use leptos::prelude::*;

use crate::address::{self, MAX_BATCH};
use crate::page::state::State;
use crate::words::{self, Language, fill, problem, stage_label};
use frostline::model::architecture::MAX_CLASSES;

/// Everything that is typed or chosen.
#[component]
pub fn Controls(state: State) -> impl IntoView {
    view! {
        <section class="controls">
            <NetworkFields state />
            <FreezeField state />
        </section>
    }
}

#[component]
fn NetworkFields(state: State) -> impl IntoView {
    let sizes = Size::ALL.map(|size| {
        let letter = size.to_string();
        view! {
            <label>
                <input
                    type="radio"
                    name="size"
                    value=letter.clone()
                    prop:checked=derived(move || state.size.get() == size)
                    on:change=move |_| state.size.set(size)
                />
                <span>{letter}</span>
            </label>
        }
    });
    let classes_wrong = move || {
        let right = address::classes(&state.classes.read()).is_some();
        whole_number(state, right, [1, MAX_CLASSES], "80")
    };
    view! {
        <fieldset class="sizes">
            <legend>{state.word(|words| words.size)}</legend>
            <div class="segments">{sizes.into_iter().collect_view()}</div>
        </fieldset>
        <NumberField
            id="classes"
            label=state.word(|words| words.classes)
            value=state.classes
            wrong=Signal::derive(classes_wrong)
        />
        <SideField state />
        <BatchField state />
    }
}

/// The side of the network's input.
#[component]
pub fn SideField(state: State) -> impl IntoView {
    let wrong = move || {
        let wrong = state.imgsz_problem.read();
        wrong
            .as_ref()
            .map(|wrong| problem(wrong, state.language.get()))
    };
    view! {
        <NumberField
            id="imgsz"
            label=state.word(|words| words.image_side)
            value=state.imgsz
            wrong=Signal::derive(wrong)
        />
    }
}

/// Pictures per step.
#[component]
pub fn BatchField(state: State) -> impl IntoView {
    let wrong = move || {
        let right = address::batch(&state.batch.read()).is_some();
        whole_number(state, right, [1, MAX_BATCH], "16")
    };
    view! {
        <NumberField
            id="batch"
            label=state.word(|words| words.batch)
            value=state.batch
            wrong=Signal::derive(wrong)
        />
    }
}

/// What to write instead of something that is no whole number of a range.
pub fn whole_number(state: State, right: bool, range: [usize; 2], example: &str) -> Option<String> {
    let [least, most] = range.map(|end| end.to_string());
    let values = [("least", &*least), ("most", &*most), ("example", example)];
    (!right).then(|| fill(state.words().whole_number, &values))
}

/// A number with its label, and what is wrong with it beside it.
#[component]
pub fn NumberField(
    id: &'static str,
    label: Signal<&'static str>,
    value: RwSignal<String>,
    wrong: Signal<Option<String>>,
    /// What stands in it while it is empty.
    #[prop(optional)]
    placeholder: Option<Signal<&'static str>>,
) -> impl IntoView {
    let error = format!("{id}-error");
    view! {
        <div class="field">
            <label for=id>{label}</label>
            <input
                id=id
                type="text"
                inputmode="decimal"
                autocomplete="off"
                placeholder=placeholder
                aria-describedby=error.clone()
                aria-invalid=derived(move || wrong.read().is_some().to_string())
                prop:value=value
                on:input=move |event| value.set(event_target_value(&event))
            />
            <p class="error" id=error role="status">{wrong}</p>
        </div>
    }
}

/// The plan as text, with common choices, and with its stages when it has several.
#[component]
pub fn FreezeField(state: State) -> impl IntoView {
    let words = move || state.words();
    let wrong = move || {
        let planned = state.planned.read();
        let language = state.language.get();
        planned.problem.as_ref().map(|found| {
            let plan = planned.plan.spec.to_string();
            let shown = fill(words().shown_instead, &[("plan", &plan)]);
            format!("{} {shown}", problem(found, language))
        })
    };
    let wrong = Signal::derive(wrong);
    let last = move || state.network.read().rows().len().saturating_sub(1);
    let backbone = move || state.network.read().architecture.backbone;
    let choose = move |leading: usize| state.freeze.set(leading.to_string());
    view! {
        <div class="field freeze-field">
            <label for="freeze">{state.word(|words| words.freeze)}</label>
            <div class="freeze-row">
                <input
                    id="freeze"
                    type="text"
                    autocomplete="off"
                    autocapitalize="off"
                    spellcheck="false"
                    aria-describedby="freeze-error freeze-hint"
                    aria-invalid=derived(move || wrong.read().is_some().to_string())
                    prop:value=state.freeze
                    on:input=move |event| state.freeze.set(event_target_value(&event))
                />
                <div class="presets" role="group" aria-label=state.word(|words| words.presets)>
                    <button type="button" on:click=move |_| choose(0)>
                        {state.word(|words| words.nothing)}
                    </button>
                    <button type="button" on:click=move |_| choose(backbone())>
                        {state.word(|words| words.backbone)}
                    </button>
                    <button type="button" on:click=move |_| choose(last())>
                        {state.word(|words| words.all_but_detect)}
                    </button>
                </div>
            </div>
            <p class="error" id="freeze-error" role="status">{wrong}</p>
            <p class="hint" id="freeze-hint">{state.word(|words| words.freeze_hint)}</p>
            <Stages state />
        </div>
    }
}

/// One button for each stage, when there are several.
#[component]
fn Stages(state: State) -> impl IntoView {
    let labels = Memo::new(move |_| -> Vec<String> {
        let planned = state.planned.read();
        let language: Language = state.language.get();
        let stages = &planned.plan.stages;
        let next = stages
            .iter()
            .skip(1)
            .map(|stage| Some(stage.from_epoch))
            .chain([None]);
        (stages.iter().zip(next))
            .map(|(stage, until)| stage_label(stage.from_epoch, until, language))
            .collect()
    });
    let buttons = move || {
        let labels = labels.get();
        (labels.len() > 1).then(|| {
            let buttons = labels.into_iter().enumerate().map(|(index, label)| {
                view! {
                    <button
                        type="button"
                        aria-pressed=derived(move || (state.stage_index() == index).to_string())
                        on:click=move |_| state.stage.set(index)
                    >
                        {label}
                    </button>
                }
            });
            view! {
                <div class="segments" role="group" aria-label=state.word(|words| words.stages)>
                    {buttons.collect_view()}
                </div>
            }
        })
    };
    view! { <div class="stages">{part(buttons)}</div> }
}

/// The sentence that says what is frozen.
#[component]
pub fn Summary(state: State) -> impl IntoView {
    let sentence = move || words::summary(&state.scene.read().stage, state.language.get());
    view! { <p class="summary" id="summary" aria-live="polite">{part(sentence)}</p> }
}
