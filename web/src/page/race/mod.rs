//! The Race view: the same pictures and seed with three plans, one after another, side by side.

mod table;

use leptos::prelude::*;

use self::table::ResultTable;
use super::chart::ChartView;
use super::lab::Lab;
use super::state::not;
use super::status::Wrong;
use super::train::{Activity, Holding, Setup, activity_name, foretell_when_settings_change};
use crate::run::{PLANS, accuracy};
use crate::words::{fill, run::share};

/// The view from top to bottom.
#[component]
pub fn RaceView(lab: Lab) -> impl IntoView {
    lab.begin_runs();
    foretell_when_settings_change(lab);
    let (state, runs) = (lab.state, lab.runs);
    let none = Signal::derive(move || runs.race.read().is_none());
    view! {
        <div class="train">
            <p class="lead">{state.word(|words| words.race_lead)}</p>
            <Setup lab plan=false />
            <RaceBar lab />
            <div class="told" hidden=none>
                <RaceChart lab />
                <ResultTable lab />
            </div>
        </div>
    }
}

#[component]
fn RaceBar(lab: Lab) -> impl IntoView {
    let (state, runs) = (lab.state, lab.runs);
    let words = move || state.words();
    let mine = runs.is_under_way(true);
    let status = Memo::new(move |_| {
        let race = runs.race.read();
        let activity = runs.activity.get();
        if activity != Activity::Idle && !runs.races.get() {
            return words().race_elsewhere.to_owned();
        }
        let Some(race) = race.as_ref() else {
            return String::new();
        };
        match activity {
            Activity::Idle if race.stopped => words().race_stopped.to_owned(),
            Activity::Idle => words().race_ended.to_owned(),
            Activity::Preparing => words().train_preparing.to_owned(),
            Activity::Stopping => words().train_stopping.to_owned(),
            Activity::Runs | Activity::Paused => race.runs.last().map_or(String::new(), |run| {
                let epochs = run.epochs_in_all();
                let epoch = (run.epochs.len() + 1).min(epochs).to_string();
                let (number, count) = (race.runs.len().to_string(), PLANS.len().to_string());
                let values = [
                    ("run", &*number),
                    ("runs", &count),
                    ("freeze", &run.ask.freeze),
                    ("epoch", &epoch),
                    ("epochs", &epochs.to_string()),
                ];
                fill(words().race_under_way, &values)
            }),
        }
    });
    let label = Signal::derive(move || {
        if runs.race.read().is_some() {
            words().race_again
        } else {
            words().race_start
        }
    });
    let cannot = not(lab.may_begin(true));
    let activity = Signal::derive(move || activity_name(runs.activity.get()));
    view! {
        <section class="train-bar" data-activity=activity>
            <div class="train-row">
                <button
                    id="race-start"
                    type="button"
                    class="large"
                    hidden=mine
                    disabled=cannot
                    on:click=move |_| leptos::task::spawn_local(lab.race())
                >
                    {label}
                </button>
                <span class="train-row" hidden=not(mine)>
                    <Holding lab />
                </span>
                <p id="race-status" role="status">{status}</p>
            </div>
            <Wrong lab problem=runs.problem.into() />
        </section>
    }
}

/// The curves of all runs, of one figure at a time.
#[component]
fn RaceChart(lab: Lab) -> impl IntoView {
    let (state, runs) = (lab.state, lab.runs);
    let words = move || state.words();
    let strict = RwSignal::new(false);
    let wanted = move |room| {
        let race = runs.race.read();
        let race = race.as_ref().map_or(&[][..], |race| &race.runs);
        let figure = if strict.get() {
            |reached: &crate::messages::Reached| reached.map
        } else {
            |reached: &crate::messages::Reached| reached.map50
        };
        let names: Vec<String> = race
            .iter()
            .map(|run| fill(words().race_line, &[("freeze", &run.ask.freeze)]))
            .collect();
        let lines: Vec<_> = (race.iter().zip(&names))
            .map(|(run, name)| {
                (
                    name.as_str(),
                    run,
                    figure as fn(&crate::messages::Reached) -> f64,
                )
            })
            .collect();
        accuracy(&lines, room)
    };
    let choices = [false, true].map(|is_strict| {
        view! {
            <button
                type="button"
                aria-pressed=Signal::derive(move || (strict.get() == is_strict).to_string())
                on:click=move |_| strict.set(is_strict)
            >
                {state.word(if is_strict { |words| words.map_strict } else { |words| words.map50 })}
            </button>
        }
    });
    view! {
        <div class="race-chart">
            <div class="segments" role="group" aria-label=state.word(|words| words.race_shows)>
                {choices.into_iter().collect_view()}
            </div>
            <ChartView
                state
                title=state.word(|words| words.accuracy_by_epoch)
                wanted
                format=share
            />
        </div>
    }
}
