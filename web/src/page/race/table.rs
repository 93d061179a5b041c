//! The table of results: a row per plan, the best of each column marked.

use crate::page::lean::part;
use leptos::prelude::*;

use crate::figures::bytes;
use crate::page::lab::Lab;
use crate::run::{Column, Row};
use crate::words::{Language, Words, run as say};

/// The table, as far as the race has come.
#[component]
pub fn ResultTable(lab: Lab) -> impl IntoView {
    let (state, runs) = (lab.state, lab.runs);
    let words = move || state.words();
    // Anew when a figure changes, not at every step.
    let table = Memo::new(move |_| {
        runs.race.with(|race| {
            race.as_ref()
                .map(crate::run::Race::table)
                .unwrap_or_default()
        })
    });
    let rows = move || {
        let (words, language) = (words(), state.language.get());
        let rows = table.get().into_iter().map(|row| {
            let cells = (Column::ALL.into_iter().enumerate())
                .map(|(at, column)| cell(&row, at, column, words, language));
            let cells = cells.collect_view();
            view! {
                <tr>
                    <th scope="row">{row.freeze}</th>
                    {cells}
                </tr>
            }
        });
        rows.collect_view()
    };
    view! {
        <section class="results" aria-labelledby="results-title">
            <h3 id="results-title">{state.word(|words| words.race_table)}</h3>
            <div class="scrolls" tabindex="0" role="group" aria-labelledby="results-title">
                <table id="race-table">
                    <thead>
                        <tr>
                            <th scope="col">{state.word(|words| words.race_plan)}</th>
                            <th scope="col">{state.word(|words| words.map50)}</th>
                            <th scope="col">{state.word(|words| words.map_strict)}</th>
                            <th scope="col">{state.word(|words| words.race_seconds)}</th>
                            <th scope="col">{state.word(|words| words.race_bytes)}</th>
                        </tr>
                    </thead>
                    <tbody>{part(rows)}</tbody>
                </table>
            </div>
            <p class="hint">{state.word(|words| words.race_note)}</p>
        </section>
    }
}

fn cell(
    row: &Row,
    at: usize,
    column: Column,
    words: &'static Words,
    language: Language,
) -> impl IntoView + use<> {
    let value = row.values.get(at).copied().flatten();
    let best = row.best.get(at) == Some(&true);
    let text = match (value, column) {
        (None, _) => words.race_not_yet.to_owned(),
        (Some(value), Column::Map50 | Column::Map) => say::share(value),
        (Some(value), Column::Seconds) => say::duration(value, language),
        (Some(value), Column::Bytes) => bytes(value as u64),
    };
    view! {
        <td class:best=best class:note=value.is_none()>
            {text}
            {best.then(|| view! { " " <span class="mark">{words.race_best}</span> })}
        </td>
    }
}
