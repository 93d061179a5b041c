//! The button, what is foretold before it is pressed, and how far the run is after.

use crate::page::lean::derived;
use leptos::prelude::*;

use super::kept;
use super::runs::Activity;
use crate::dataset::DataSet;
use crate::figures::bytes;
use crate::page::lab::Lab;
use crate::page::state::not;
use crate::page::status::Wrong;
use crate::run::Record;
use crate::words::{self, fill, refusal};

/// Forecast, button, progress.
#[component]
pub fn TrainBar(lab: Lab) -> impl IntoView {
    let (state, runs) = (lab.state, lab.runs);
    let words = move || state.words();
    let mine = runs.is_under_way(false);
    let status = move || {
        let language = state.language.get();
        match runs.activity.get() {
            Activity::Idle => runs
                .record
                .with(|record| record.as_ref().and_then(|record| ended(record, language))),
            _ if runs.races.get() => Some(words().train_elsewhere.to_owned()),
            Activity::Preparing => Some(words().train_preparing.to_owned()),
            Activity::Stopping => Some(words().train_stopping.to_owned()),
            activity => runs.record.with(|record| {
                let record = record.as_ref()?;
                let done = record.epochs.len();
                let (template, epoch) = match activity {
                    Activity::Paused => (words().train_paused, done),
                    _ => (
                        words().train_under_way,
                        (done + 1).min(record.epochs_in_all()),
                    ),
                };
                let (epoch, epochs) = (epoch.to_string(), record.epochs_in_all().to_string());
                Some(fill(template, &[("epoch", &epoch), ("epochs", &epochs)]))
            }),
        }
    };
    // Anew only when the sentence changes, not at every step: it is read aloud.
    let status = Memo::new(move |_| status().unwrap_or_default());
    let label = Signal::derive(move || {
        if runs.record.read().is_some() {
            state.words().train_again
        } else {
            state.words().train_start
        }
    });
    let cannot = not(lab.may_begin(false));
    let activity = Signal::derive(move || activity_name(runs.activity.get()));
    view! {
        <section class="train-bar" data-activity=activity>
            <div class="forecast" hidden=runs.busy()>
                <ForecastText lab />
            </div>
            <div class="train-row">
                <button
                    id="train-start"
                    type="button"
                    class="large"
                    hidden=mine
                    disabled=cannot
                    on:click=move |_| leptos::task::spawn_local(lab.train())
                >
                    {label}
                </button>
                <span class="train-row" hidden=not(mine)>
                    <Holding lab />
                </span>
                <p id="train-status" role="status">{status}</p>
            </div>
            <Wrong lab problem=runs.problem.into() />
            <LostNotes lab />
            <div class="progress" hidden=not(mine)>
                <Progress lab />
            </div>
        </section>
    }
}

/// The name of an activity for tests and style sheets.
pub fn activity_name(activity: Activity) -> &'static str {
    match activity {
        Activity::Idle => "idle",
        Activity::Preparing => "preparing",
        Activity::Runs => "runs",
        Activity::Paused => "paused",
        Activity::Stopping => "stopping",
    }
}

fn ended(record: &Record, language: words::Language) -> Option<String> {
    let words = language.words();
    if record.failed.is_some() {
        return Some(words.train_failed.to_owned());
    }
    let done = record.done.as_ref()?;
    let template = if done.stopped {
        words.train_stopped
    } else {
        words.train_ended
    };
    let time = words::run::duration(record.seconds()?, language);
    let epochs = record.epochs.len().to_string();
    Some(fill(template, &[("epochs", &epochs), ("time", &time)]))
}

/// Pause or go on, and end, for whatever is under way.
#[component]
pub fn Holding(lab: Lab) -> impl IntoView {
    let (state, runs) = (lab.state, lab.runs);
    let words = move || state.words();
    let hold = Signal::derive(move || match runs.activity.get() {
        Activity::Paused => words().train_go,
        _ => words().train_pause,
    });
    let early = Signal::derive(move || {
        matches!(
            runs.activity.get(),
            Activity::Preparing | Activity::Stopping
        )
    });
    view! {
        <button
            id="train-pause"
            type="button"
            class="large"
            disabled=early
            on:click=move |_| leptos::task::spawn_local(lab.pause_or_go())
        >
            {hold}
        </button>
        <button
            id="train-stop"
            type="button"
            class="large"
            disabled=early
            on:click=move |_| leptos::task::spawn_local(lab.stop())
        >
            {state.word(|words| words.train_stop)}
        </button>
    }
}

/// What a run would take, or why it cannot be said.
#[component]
fn ForecastText(lab: Lab) -> impl IntoView {
    let (state, runs) = (lab.state, lab.runs);
    let said = Memo::new(move |_| {
        let language = state.language.get();
        match runs.forecast.get() {
            Some(Ok(run)) => words::run::forecast(&run, runs.pace.get(), language),
            _ if lab.pictures.set.with(DataSet::is_empty) => {
                [language.words().forecast_waits.to_owned(), String::new()]
            }
            _ => Default::default(),
        }
    });
    let wrong = Signal::derive(move || match &*runs.forecast.read() {
        Some(Err(found)) => Some(refusal(found, state.language.get())),
        _ => None,
    });
    let line = move |at: usize| Signal::derive(move || said.with(|said| said.get(at).cloned()));
    view! {
        <p id="forecast">{line(0)}</p>
        <p class="hint">{line(1)}</p>
        <p class="error" role="status">{wrong}</p>
    }
}

/// How far the run is: a bar, and figures that were measured.
#[component]
fn Progress(lab: Lab) -> impl IntoView {
    let (state, runs) = (lab.state, lab.runs);
    let words = move || state.words();
    let of = move |read: fn(&Record) -> Option<String>| {
        Memo::new(move |_| {
            let record = runs.record.read();
            record
                .as_ref()
                .and_then(read)
                .unwrap_or_else(|| "–".to_owned())
        })
    };
    let left = Memo::new(move |_| {
        let record = runs.record.read();
        let left = record.as_ref().and_then(Record::left_s);
        left.map_or("–".to_owned(), |left| {
            words::run::duration(left, state.language.get())
        })
    });
    let pace = of(|record| Some(format!("{:.1}", record.steps_per_s()?)));
    let memory = of(|record| Some(bytes(record.epochs.last()?.memory_bytes)));
    let map50 = of(|record| Some(words::run::share(record.epochs.last()?.reached.map50)));
    let loss = of(|record| Some(format!("{:.3}", record.losses.points().last()?.sum())));
    let steps = Memo::new(move |_| {
        let record = runs.record.read();
        record.as_ref().map_or((0, 1), |record| {
            (
                record.losses.steps(),
                record.steps_per_epoch() * record.epochs_in_all(),
            )
        })
    });
    let features = Signal::derive(move || {
        let record = runs.record.read();
        let record = record.as_ref()?;
        let (done, total) = record.features.filter(|(done, total)| done < total)?;
        let (done, total) = (done.to_string(), total.to_string());
        Some(fill(
            words().features_made,
            &[("done", &done), ("total", &total)],
        ))
    });
    let figure = move |id: &'static str,
                       name: fn(&'static words::Words) -> &'static str,
                       value: Memo<String>| {
        view! {
            <div class="figure" id=id>
                <dt>{state.word(name)}</dt>
                <dd><b>{value}</b></dd>
            </div>
        }
    };
    view! {
        <progress
            aria-label=state.word(|words| words.view_train)
            max=derived(move || steps.get().1.to_string())
            prop:value=derived(move || steps.get().0 as f64)
        />
        <dl class="live-figures">
            {figure("live-loss", |words| words.loss, loss)}
            {figure("live-map50", |words| words.map50, map50)}
            {figure("live-left", |words| words.time_left, left)}
            {figure("live-pace", |words| words.pace, pace)}
            {figure("live-memory", |words| words.engine_memory, memory)}
        </dl>
        <p class="hint">{features}</p>
    }
}

/// GPUs that went away during the run.
#[component]
fn LostNotes(lab: Lab) -> impl IntoView {
    let (state, runs) = (lab.state, lab.runs);
    let notes = Signal::derive(move || {
        let record = runs.record.read();
        let lost = record.as_ref().map_or(&[][..], |record| &record.lost);
        let notes = lost.iter().map(|loss| {
            let epoch = (loss.from_epoch + 1).to_string();
            let values = [("why", &*loss.why), ("now", &loss.now), ("epoch", &epoch)];
            fill(state.words().gpu_lost, &values)
        });
        Some(notes.collect::<Vec<_>>().join(" "))
    });
    view! { <p class="note" id="lost" role="status">{notes}</p> }
}

/// The offer to go on with a run of an earlier visit.
#[component]
pub fn KeptRun(lab: Lab) -> impl IntoView {
    let (state, runs) = (lab.state, lab.runs);
    let text = move |template: fn(&'static words::Words) -> &'static str| {
        Signal::derive(move || {
            let kept = runs.kept.read();
            let record = &kept.as_ref()?.record;
            let done = record.epochs.len();
            let (epochs, next) = (record.epochs_in_all().to_string(), (done + 1).to_string());
            let values = [
                ("freeze", &*record.ask.freeze),
                ("done", &done.to_string()),
                ("epochs", &epochs),
                ("epoch", &next),
            ];
            Some(fill(template(state.words()), &values))
        })
    };
    let none = Signal::derive(move || runs.kept.read().is_none());
    view! {
        <section class="kept" hidden=none>
            <p>{text(|words| words.kept_run)}</p>
            <div class="source-row">
                <button
                    id="kept-go-on"
                    type="button"
                    disabled=runs.busy()
                    on:click=move |_| leptos::task::spawn_local(lab.go_on_with_kept())
                >
                    {text(|words| words.kept_go_on)}
                </button>
                <button
                    id="kept-discard"
                    type="button"
                    disabled=runs.busy()
                    on:click=move |_| leptos::task::spawn_local(kept::discard(lab))
                >
                    {state.word(|words| words.kept_discard)}
                </button>
            </div>
        </section>
    }
}
