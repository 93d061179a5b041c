//! What came of a run: what was gained, the receipt, what to try next, and what to take along.

use crate::page::lean::part;
use leptos::prelude::*;

use crate::address::View;
use crate::command::{train_line, val_line};
use crate::messages::ReceiptSaid;
use crate::page::copy::CopyLine;
use crate::page::lab::Lab;
use crate::page::nav::ViewLink;
use crate::page::state::not;
use crate::run::{Next, Record, next};
use crate::words::run as say;

/// What came of the run that has ended; nothing before.
#[component]
pub fn Outcome(lab: Lab) -> impl IntoView {
    let (state, runs) = (lab.state, lab.runs);
    let is = move |what: fn(&Record) -> bool| {
        Signal::derive(move || runs.record.with(|record| record.as_ref().is_some_and(what)))
    };
    let over = is(Record::is_over);
    let reached = is(|record| record.best().is_some());
    let gained = Signal::derive(move || {
        let record = runs.record.read();
        record
            .as_ref()
            .map(|record| say::gained(record, state.language.get()))
    });
    view! {
        <section class="outcome" aria-labelledby="gained-title" hidden=not(over)>
            <article>
                <h3 id="gained-title">{state.word(|words| words.gained)}</h3>
                <p id="gained">{gained}</p>
                <div class="source-row">
                    <button
                        id="export"
                        type="button"
                        hidden=not(runs.has_best.into())
                        on:click=move |_| lab.export()
                    >
                        {state.word(|words| words.export)}
                    </button>
                    <button
                        id="export-onnx"
                        type="button"
                        hidden=not(runs.has_best.into())
                        on:click=move |_| leptos::task::spawn_local(lab.export_onnx())
                    >
                        {state.word(|words| words.export_onnx)}
                    </button>
                    <span class="source-row" hidden=not(reached)>
                        <ViewLink state view=View::Detect>
                            {state.word(|words| words.go_detect)}
                        </ViewLink>
                        <ViewLink state view=View::Xray>
                            {state.word(|words| words.go_xray)}
                        </ViewLink>
                    </span>
                </div>
            </article>
            <NextThing lab />
            <Receipts lab />
        </section>
    }
}

#[component]
fn NextThing(lab: Lab) -> impl IntoView {
    let (state, runs) = (lab.state, lab.runs);
    let found = Memo::new(move |_| runs.record.with(|record| record.as_ref().and_then(next)));
    let set = move |_| match found.get_untracked() {
        Some(Next::MoreEpochs(epochs)) => runs.epochs.set(epochs.to_string()),
        Some(Next::ThawNeck(freeze) | Next::ThawBackbone(freeze)) => state.freeze.set(freeze),
        Some(Next::LowerRate(lr0)) => runs.lr0.set(say::rate(lr0)),
        Some(Next::MorePictures | Next::TryIt) | None => {}
    };
    let text = Signal::derive(move || {
        let found = found.read();
        found
            .as_ref()
            .map(|found| say::next(found, state.language.get()))
    });
    let none = Signal::derive(move || found.read().is_none());
    let nothing_to_set = Signal::derive(move || {
        matches!(*found.read(), None | Some(Next::TryIt | Next::MorePictures))
    });
    view! {
        <article hidden=none>
            <h3>{state.word(|words| words.next_title)}</h3>
            <p id="next">{text}</p>
            <div class="source-row" hidden=nothing_to_set>
                <button id="next-set" type="button" disabled=runs.busy() on:click=set>
                    {state.word(|words| words.next_set)}
                </button>
            </div>
        </article>
    }
}

#[component]
fn Receipts(lab: Lab) -> impl IntoView {
    let (state, runs) = (lab.state, lab.runs);
    let words = move || state.words();
    let receipts = Memo::new(move |_| -> Option<Vec<ReceiptSaid>> {
        runs.record.with(|record| {
            let record = record.as_ref()?;
            record.done.as_ref()?;
            Some(record.receipts().cloned().collect())
        })
    });
    let shown = move || {
        let receipts = receipts.get()?;
        if receipts.is_empty() {
            return Some(view! { <p id="receipt">{words().receipt_none}</p> }.into_any());
        }
        let several = receipts.len() > 1;
        let all = receipts.into_iter().map(|receipt| {
            let text = say::receipt(&receipt, several, state.language.get());
            let holds = receipt.holds;
            view! {
                <p id="receipt" class:error=!holds data-holds=holds.to_string()>{text}</p>
                <Hashes lab receipt />
            }
        });
        Some(all.collect_view().into_any())
    };
    view! {
        <article class="wide">
            <h3>{state.word(|words| words.receipt)}</h3>
            {part(shown)}
        </article>
    }
}

/// What the sentence rests on.
#[component]
fn Hashes(lab: Lab, receipt: ReceiptSaid) -> impl IntoView {
    let state = lab.state;
    let row = move |name: fn(&crate::words::Words) -> &'static str,
                    [before, after]: [String; 2]| {
        view! {
            <tr>
                <th scope="row">{state.word(name)}</th>
                <td><code>{before}</code></td>
                <td><code>{after}</code></td>
            </tr>
        }
    };
    view! {
        <details class="table hashes">
            <summary>{state.word(|words| words.receipt_column)}</summary>
            <div class="scrolls" tabindex="0" role="group" aria-label=state.word(|words| words.receipt)>
                <table>
                    <thead>
                        <tr>
                            <td></td>
                            <th scope="col">{state.word(|words| words.before)}</th>
                            <th scope="col">{state.word(|words| words.after)}</th>
                        </tr>
                    </thead>
                    <tbody>
                        {row(|words| words.receipt_parameters, receipt.parameters_sha256)}
                        {row(|words| words.receipt_statistics, receipt.statistics_sha256)}
                    </tbody>
                </table>
            </div>
        </details>
    }
}

/// The lines that do the same natively: for the run there was, otherwise for the fields.
#[component]
pub fn Commands(lab: Lab) -> impl IntoView {
    let (state, runs) = (lab.state, lab.runs);
    let asked = Memo::new(move |_| {
        let record = runs.record.read();
        record
            .as_ref()
            .map(|record| record.ask.clone())
            .or_else(|| lab.train_ask())
    });
    let train = Memo::new(move |last: Option<&String>| {
        let name = lab.weights.name.get();
        let own = lab.weights.are_own.get().then_some(name);
        match asked.get() {
            Some(ask) => train_line(own.as_deref(), own_pictures(lab), &ask),
            None => last.cloned().unwrap_or_default(),
        }
    });
    let val = Memo::new(move |last: Option<&String>| match asked.get() {
        Some(ask) => val_line(own_pictures(lab), ask.imgsz),
        None => last.cloned().unwrap_or_default(),
    });
    view! {
        <section class="command" aria-labelledby="commands-title">
            <h2 id="commands-title">{state.word(|words| words.commands)}</h2>
            <h3 id="command-train">{state.word(|words| words.command_train)}</h3>
            <CopyLine state line=train labelled_by="command-train" note=state.word(|_| "") />
            <h3 id="command-val">{state.word(|words| words.command_val)}</h3>
            <CopyLine state line=val labelled_by="command-val" note=state.word(|_| "") />
        </section>
    }
}

/// The data yaml of the person's own pictures; none for the shipped ones alone, which come with the native program too.
fn own_pictures(lab: Lab) -> Option<&'static str> {
    let set = lab.pictures.set.read();
    let own = set
        .pictures()
        .any(|picture| !picture.name.starts_with("target_"));
    own.then_some("data.yaml")
}
