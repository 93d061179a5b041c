//! What is kept of runs between visits: an unfinished run with its snapshot, the last finished one with its weights, the
//! race, and how fast this device is.

use js_sys::ArrayBuffer;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use web_sys::Blob;

use super::runs::{Activity, blob_of, text_of};
use crate::page::browser;
use crate::page::lab::Lab;
use crate::page::link::Phase;
use crate::page::store::Drawer;
use crate::run::{Race, Record};

const RUN: &str = "run";
const SNAPSHOT: &str = "run-snapshot";
const BEST: &str = "run-best";
const RACE: &str = "race";
const PACE: &str = "pace";

/// A run of an earlier visit that was not finished.
#[derive(Debug, Clone)]
pub struct Kept {
    pub record: Record,
    pub snapshot: Blob,
}

/// How fast a device was.
#[derive(Debug, Serialize, Deserialize)]
struct Pace {
    device: String,
    flops_per_s: f64,
}

/// Keeps the run under way as it was at a snapshot: both or neither.
pub async fn keep_run(lab: Lab, snapshot: ArrayBuffer) {
    let text = lab
        .runs
        .record
        .with_untracked(|record| serde_json::to_string(record).ok());
    if let (Some(text), Some(blob)) = (
        text,
        browser::file_of(&snapshot, "application/octet-stream"),
    ) {
        keep(lab, &[(RUN, text.into()), (SNAPSHOT, blob.into())]).await;
    }
}

/// Keeps the run that has ended, with its best weights; its snapshot is of no use any more.
pub async fn keep_done(lab: Lab, best: Option<Blob>) {
    let text = lab
        .runs
        .record
        .with_untracked(|record| serde_json::to_string(record).ok());
    let Some(text) = text else { return };
    _ = Drawer::Values.delete(&[SNAPSHOT, BEST]).await;
    let mut entries = vec![(RUN, text.into())];
    entries.extend(best.map(|blob| (BEST, blob.into())));
    keep(lab, &entries).await;
}

/// Keeps the race as far as it has come.
pub async fn keep_race(lab: Lab) {
    let text = lab
        .runs
        .race
        .with_untracked(|race| serde_json::to_string(race).ok());
    if let Some(text) = text {
        keep(lab, &[(RACE, text.into())]).await;
    }
}

/// Keeps how fast the device was in the run that has ended.
pub async fn keep_pace(lab: Lab) {
    let runs = lab.runs;
    let of_race = |race: &Option<Race>| race.as_ref()?.runs.last()?.flops_per_s();
    let measured = if runs.races.get_untracked() {
        runs.race.with_untracked(of_race)
    } else {
        runs.record
            .with_untracked(|record| record.as_ref()?.flops_per_s())
    };
    let (Some(flops_per_s), Phase::Ready(device)) = (measured, lab.engine.phase.get_untracked())
    else {
        return;
    };
    runs.pace.set(Some(flops_per_s));
    let pace = Pace {
        device: device.name,
        flops_per_s,
    };
    if let Ok(text) = serde_json::to_string(&pace) {
        keep(lab, &[(PACE, text.into())]).await;
    }
}

/// Forgets the unfinished run.
pub async fn discard(lab: Lab) {
    lab.runs.kept.set(None);
    _ = Drawer::Values.delete(&[RUN, SNAPSHOT]).await;
}

/// Takes up what an earlier visit left, unless something was begun meanwhile.
pub async fn recall(lab: Lab) {
    let runs = lab.runs;
    let race: Option<Race> = read(RACE).await;
    if let Some(mut race) = race.filter(|race| !race.runs.is_empty()) {
        // A race that was cut off is over; what is done stays.
        race.stopped |= race.runs.len() < crate::run::PLANS.len() || !race.is_over();
        race.runs.retain(Record::is_over);
        if runs.race.with_untracked(Option::is_none) && !race.runs.is_empty() {
            runs.race.set(Some(race));
        }
    }
    if runs.record.with_untracked(Option::is_some) {
        return;
    }
    match read::<Record>(RUN).await {
        Some(record) if record.is_over() => {
            let best = read_file(BEST).await;
            if runs.activity.get_untracked() == Activity::Idle {
                lab.set_best(best);
                runs.record.set(Some(record));
            }
        }
        _ => offer(lab).await,
    }
}

/// Offers to go on with the run whose snapshot is kept, if there is one.
pub async fn offer(lab: Lab) {
    let record: Option<Record> = read(RUN).await;
    if let (Some(record), Some(snapshot)) = (record, read_file(SNAPSHOT).await)
        && !record.is_over()
    {
        lab.runs.kept.set(Some(Kept { record, snapshot }));
    }
}

/// Takes up how fast a device was, if it is this one.
pub async fn recall_pace(lab: Lab, device: String) {
    let pace: Option<Pace> = read(PACE).await;
    let known = pace
        .filter(|pace| pace.device == device)
        .map(|pace| pace.flops_per_s);
    lab.runs.pace.set(known);
}

async fn read_file(key: &str) -> Option<Blob> {
    blob_of(Drawer::Values.get(key).await.ok().flatten()?)
}

async fn read<T: serde::de::DeserializeOwned>(key: &str) -> Option<T> {
    let value = Drawer::Values.get(key).await.ok().flatten()?;
    serde_json::from_str(&text_of(value)?).ok()
}

/// Keeps values; when the browser does not, that is said, and the run goes on.
async fn keep(lab: Lab, entries: &[(&str, wasm_bindgen::JsValue)]) {
    if let Err(refusal) = Drawer::Values.put(entries).await {
        lab.runs.problem.set(Some(refusal));
    }
}
