//! What goes on: curves, and tables of the same.

use crate::page::lean::part;
use leptos::prelude::*;

use crate::page::chart::ChartView;
use crate::page::lab::Lab;
use crate::run::{Record, accuracy, losses_chart};
use crate::words::run::share;

/// Loss and mAP.
#[component]
pub fn Curves(lab: Lab) -> impl IntoView {
    let (state, runs) = (lab.state, lab.runs);
    let words = move || state.words();
    let losses = move |room| {
        let names = [words().loss_train, words().loss_val];
        runs.record.with(|record| match record {
            Some(record) => losses_chart(record, names, room),
            None => accuracy(&[], room),
        })
    };
    let reached = move |room| {
        let words = words();
        runs.record.with(|record| match record {
            Some(record) => accuracy(
                &[
                    (words.map50, record, |reached| reached.map50),
                    (words.map_strict, record, |reached| reached.map),
                ],
                room,
            ),
            None => accuracy(&[], room),
        })
    };
    view! {
        <div class="curves">
            <ChartView
                state
                title=state.word(|words| words.losses_by_epoch)
                wanted=losses
                format=share
            />
            <ChartView
                state
                title=state.word(|words| words.accuracy_by_epoch)
                wanted=reached
                format=share
            />
        </div>
    }
}

/// The epochs as a table.
#[component]
pub fn EpochTable(lab: Lab) -> impl IntoView {
    let (state, runs) = (lab.state, lab.runs);
    let words = move || state.words();
    // Only epochs change it, not steps.
    let epochs = Memo::new(move |_| {
        runs.record.with(|record| {
            record
                .as_ref()
                .map(|record| record.epochs.clone())
                .unwrap_or_default()
        })
    });
    let rows = move || {
        let rows = epochs.get().into_iter().map(|epoch| {
            view! {
                <tr>
                    <th scope="row">{epoch.epoch + 1}</th>
                    <td>{share(epoch.losses.iter().sum())}</td>
                    <td>{share(epoch.val_losses.iter().sum())}</td>
                    <td>{share(epoch.reached.map50)}</td>
                    <td>{share(epoch.reached.map)}</td>
                </tr>
            }
        });
        rows.collect_view()
    };
    view! {
        <details class="table">
            <summary>{state.word(|words| words.epoch_table)}</summary>
            <div class="scrolls" tabindex="0" role="group" aria-label=state.word(|words| words.epoch_table)>
                <table>
                    <thead>
                        <tr>
                            <th scope="col">{state.word(|words| words.epoch)}</th>
                            <th scope="col">
                                {part(move || format!("{}, {}", words().loss, words().loss_train))}
                            </th>
                            <th scope="col">
                                {part(move || format!("{}, {}", words().loss, words().loss_val))}
                            </th>
                            <th scope="col">{state.word(|words| words.map50)}</th>
                            <th scope="col">{state.word(|words| words.map_strict)}</th>
                        </tr>
                    </thead>
                    <tbody>{part(rows)}</tbody>
                </table>
            </div>
        </details>
    }
}

/// Gradients and statistics by module.
#[component]
pub fn ModuleTable(lab: Lab) -> impl IntoView {
    let (state, runs) = (lab.state, lab.runs);
    let open = RwSignal::new(false);
    // Gradients, and how far statistics have moved, of one module.
    let figures = move |module: usize| {
        Memo::new(move |_| {
            // Nobody looks: nothing is worked out.
            if !open.get() {
                return [String::new(), String::new()];
            }
            let record = runs.record.read();
            let drift =
                |record: &Record| record.epochs.last().map(|epoch| of(&epoch.drift, module));
            let gradient = record.as_ref().map(|record| of(&record.gradients, module));
            [gradient, record.as_ref().and_then(drift)].map(|value| match value.flatten() {
                Some(value) if value != 0.0 => format!("{value:.2e}"),
                Some(_) => "0".to_owned(),
                None => "–".to_owned(),
            })
        })
    };
    let count = state.network.with_untracked(|network| network.rows().len());
    let rows = (0..count).map(|module| {
        let figures = figures(module);
        let kind = Signal::derive(move || {
            state
                .network
                .read()
                .rows()
                .get(module)
                .map_or("", |row| row.kind.name())
        });
        let cell = move |at: usize| {
            Signal::derive(move || figures.with(|figures| figures.get(at).cloned()))
        };
        view! {
            <tr>
                <th scope="row">{module} " " {kind}</th>
                <td>{cell(0)}</td>
                <td>{cell(1)}</td>
            </tr>
        }
    });
    let rows = rows.collect_view();
    view! {
        <details
            class="table"
            on:toggle=move |event| open.set(event_target::<web_sys::HtmlElement>(&event).has_attribute("open"))
        >
            <summary>{state.word(|words| words.module_table)}</summary>
            <p class="hint">{state.word(|words| words.module_note)}</p>
            <div class="scrolls" tabindex="0" role="group" aria-label=state.word(|words| words.module_table)>
                <table id="modules-table">
                    <thead>
                        <tr>
                            <th scope="col">{state.word(|words| words.module_column)}</th>
                            <th scope="col">{state.word(|words| words.gradient_column)}</th>
                            <th scope="col">{state.word(|words| words.drift_column)}</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </details>
    }
}

fn of(values: &[(usize, f64)], module: usize) -> Option<f64> {
    values
        .iter()
        .find(|(of, _)| *of == module)
        .map(|(_, value)| *value)
}
