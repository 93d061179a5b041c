//! What is done with runs: begun, followed, held, ended, foretold, taken along.

use js_sys::ArrayBuffer;
use leptos::prelude::*;
use web_sys::Blob;

use super::kept::{self, Kept};
use super::runs::Activity;
use crate::messages::{Ask, Refusal, RunSaid, Said, TrainAsk};
use crate::page::browser;
use crate::page::lab::{self, Lab};
use crate::page::link::unexpected;
use crate::run::{Race, Record};

impl Lab {
    /// Gives the engine weights and pictures, as far as it lacks them.
    async fn prepare(self) -> Result<(), Refusal> {
        self.give_weights().await?;
        self.give_pictures().await?;
        Ok(())
    }

    /// Trains with the settings of the fields.
    pub async fn train(self) {
        let Some(ask) = untrack(|| self.train_ask()) else {
            return;
        };
        let record = Record::new(ask.clone(), self.weights.name.get_untracked());
        self.run_one(record, Ask::Train(ask), None).await;
    }

    /// Goes on with the run that an earlier visit left.
    pub async fn go_on_with_kept(self) {
        let Some(Kept { record, snapshot }) = self.runs.kept.get_untracked() else {
            return;
        };
        self.run_one(record, Ask::Resume, Some(snapshot)).await;
    }

    async fn run_one(self, record: Record, ask: Ask, snapshot: Option<Blob>) {
        let runs = self.runs;
        if runs.activity.get_untracked() != Activity::Idle {
            return;
        }
        runs.activity.set(Activity::Preparing);
        runs.races.set(false);
        runs.problem.set(None);
        let work = async {
            self.prepare().await?;
            let bytes = match snapshot {
                Some(blob) => vec![lab::bytes(&blob).await?],
                None => Vec::new(),
            };
            runs.kept.set(None);
            runs.has_best.set(false);
            runs.record.set(Some(record));
            self.follow(ask, bytes).await
        };
        let ended = work.await;
        if let Err(refusal) = ended {
            runs.record.update(|record| {
                if let Some(record) = record.as_mut().filter(|record| !record.is_over()) {
                    record.failed = Some(refusal.clone());
                }
            });
            runs.problem.set(Some(refusal));
            kept::offer(self).await;
        }
        runs.activity.set(Activity::Idle);
    }

    /// Asks for a run and takes in all that is said of it, to its end; keeps what a later visit needs.
    async fn follow(self, ask: Ask, bytes: Vec<ArrayBuffer>) -> Result<(), Refusal> {
        let told = move |said: Said, bytes: Vec<ArrayBuffer>| {
            self.hear(&said);
            if let (Said::Epoch(_), Some(snapshot), false) = (
                &said,
                bytes.into_iter().next(),
                self.runs.races.get_untracked(),
            ) {
                leptos::task::spawn_local(kept::keep_run(self, snapshot));
            }
        };
        let (said, _) = self.engine.begin(ask, bytes, told).await?;
        if !matches!(said, Said::Done(_)) {
            return Err(unexpected(&said));
        }
        self.hear(&said);
        kept::keep_pace(self).await;
        if !self.runs.races.get_untracked() {
            let best = self.fetch_best().await;
            kept::keep_done(self, best).await;
        }
        Ok(())
    }

    /// The best weights of the run that has ended, while the engine has them.
    async fn fetch_best(self) -> Option<Blob> {
        let (said, bytes) = self.engine.ask(Ask::Export, Vec::new()).await.ok()?;
        let (Said::Exported { .. }, Some(bytes)) = (said, bytes.into_iter().next()) else {
            return None;
        };
        let blob = browser::file_of(&bytes, "application/octet-stream")?;
        self.set_best(Some(blob.clone()));
        Some(blob)
    }

    pub(super) fn set_best(self, blob: Option<Blob>) {
        self.runs.has_best.set(blob.is_some());
        self.runs.best.set_value(blob);
    }

    /// Hands the best weights over as a download.
    pub fn export(self) {
        if let Some(blob) = self.runs.best.get_value() {
            browser::download(&blob, "best.safetensors");
        }
    }

    /// Hands them over as an ONNX graph, which the engine writes.
    pub async fn export_onnx(self) {
        let Some(blob) = self.runs.best.get_value() else {
            return;
        };
        let record = self.runs.record.read_untracked();
        let Some(imgsz) = record.as_ref().map(|record| record.ask.imgsz) else {
            return;
        };
        drop(record);
        let written = async {
            let file = lab::bytes(&blob).await?;
            let (said, bytes) = self.engine.ask(Ask::Onnx { imgsz }, vec![file]).await?;
            match (said, bytes.into_iter().next()) {
                (Said::Exported { name }, Some(bytes)) => Ok((name, bytes)),
                (said, _) => Err(unexpected(&said)),
            }
        };
        match written.await {
            Ok((name, bytes)) => {
                if let Some(file) = browser::file_of(&bytes, "application/octet-stream") {
                    browser::download(&file, &name);
                }
            }
            Err(refusal) => self.runs.problem.set(Some(refusal)),
        }
    }

    /// Runs the three plans one after another.
    pub async fn race(self) {
        let Some(ask) = untrack(|| self.race_ask()) else {
            return;
        };
        let runs = self.runs;
        if runs.activity.get_untracked() != Activity::Idle {
            return;
        }
        runs.activity.set(Activity::Preparing);
        runs.races.set(true);
        runs.problem.set(None);
        runs.race
            .set(Some(Race::new(ask, self.weights.name.get_untracked())));
        let work = async {
            self.prepare().await?;
            while let Some(ask) = runs
                .race
                .try_update(|race| race.as_mut()?.begin_next())
                .flatten()
            {
                self.follow(Ask::Train(ask), Vec::new()).await?;
                kept::keep_race(self).await;
            }
            Ok(())
        };
        let ended: Result<(), Refusal> = work.await;
        if let Err(refusal) = ended {
            runs.race.update(|race| {
                let Some(race) = race else { return };
                race.stopped = true;
                if let Some(run) = race.runs.last_mut().filter(|run| !run.is_over()) {
                    run.failed = Some(refusal.clone());
                }
            });
            runs.problem.set(Some(refusal));
        }
        kept::keep_race(self).await;
        runs.races.set(false);
        runs.activity.set(Activity::Idle);
    }

    /// Holds what is under way after its step, or lets it go on.
    pub async fn pause_or_go(self) {
        let activity = self.runs.activity;
        let (ask, then) = match activity.get_untracked() {
            Activity::Runs => (Ask::Pause, Activity::Paused),
            Activity::Paused => (Ask::Go, Activity::Runs),
            _ => return,
        };
        activity.set(then);
        self.hold();
        // It may have come to its end meanwhile; then its answer says so.
        _ = self.engine.ask(ask, Vec::new()).await;
    }

    /// Ends what is under way after its step.
    pub async fn stop(self) {
        let runs = self.runs;
        if !matches!(
            runs.activity.get_untracked(),
            Activity::Runs | Activity::Paused
        ) {
            return;
        }
        runs.activity.set(Activity::Stopping);
        runs.race.update(|race| {
            if let Some(race) = race.as_mut().filter(|_| runs.races.get_untracked()) {
                race.stopped = true;
            }
        });
        _ = self.engine.ask(Ask::Stop, Vec::new()).await;
    }

    /// The time until the next step is nobody's pace.
    fn hold(self) {
        let runs = self.runs;
        if runs.races.get_untracked() {
            let hold = |race: &mut Option<Race>| {
                if let Some(run) = race.as_mut().and_then(|race| race.runs.last_mut()) {
                    run.hold();
                }
            };
            runs.race.update(hold);
        } else {
            runs.record.update(|record| {
                if let Some(record) = record {
                    record.hold();
                }
            });
        }
    }

    /// Asks what a run with the settings of the fields would take.
    pub async fn foretell(self, ask: TrainAsk) {
        let answer = async {
            self.prepare().await?;
            match self
                .engine
                .ask(Ask::Forecast(ask.clone()), Vec::new())
                .await?
            {
                (Said::Started(run), _) => Ok(run),
                (said, _) => Err(unexpected(&said)),
            }
        };
        let answer: Result<RunSaid, Refusal> = answer.await;
        // Settings may have changed meanwhile; then another forecast is on its way.
        if untrack(|| self.train_ask()).as_ref() == Some(&ask) {
            self.runs.forecast.set(Some(answer));
        }
    }
}
