//! The run under way, and what is said of it.

use frostline::Result;
use frostline::freeze::FreezeSpec;
use frostline::train::run::{EpochReport, Piece, Run, RunPlan, RunReport, RunSettings, Step};
use frostline::train::{OptimizerKind, Receipt};

use super::browser::{memory_bytes, now_s, say};
use crate::messages::{
    DoneSaid, EpochSaid, Reached, ReceiptSaid, RunSaid, Said, StepSaid, TrainAsk,
};

/// Gradients are told this often, at most.
const GRADIENTS_S: f64 = 0.25;
/// Share of the time that snapshots may take.
const SNAPSHOT_SHARE: f64 = 0.05;
/// The weight of the newest epoch in the pace that the time left is reckoned with.
const NEWEST: f64 = 0.3;

/// A run under way.
#[derive(Debug)]
pub struct Training {
    /// The question that it answers.
    pub id: u32,
    /// The run.
    pub run: Run,
    /// Whether it is held.
    pub paused: bool,
    /// The newest snapshot: what a lost device is survived with.
    pub snapshot: Option<Vec<u8>>,
    stopped: bool,
    /// The last ones that were told.
    features: [usize; 2],
    clock: Clock,
}

/// Time that was worked, and when something last happened in it. All in seconds.
#[derive(Debug, Default)]
struct Clock {
    worked: f64,
    epoch_began: f64,
    gradients: f64,
    snapshot_next: f64,
    /// Of a step, validation included.
    pace: Option<f64>,
}

impl Training {
    /// Begins, and says so.
    pub fn begin(id: u32, run: Run) -> Self {
        say(id, Said::Started(said_of(&run)), None);
        Self {
            id,
            run,
            paused: false,
            snapshot: None,
            stopped: false,
            features: [0; 2],
            clock: Clock::default(),
        }
    }

    /// Takes no further steps.
    ///
    /// # Errors
    /// When the best weights cannot be read.
    pub fn stop(&mut self) -> Result<()> {
        self.stopped = true;
        self.paused = false;
        self.run.stop()
    }

    /// Goes on with another run in its place: after the device was lost.
    pub fn replace(&mut self, run: Run) {
        self.run = run;
    }

    /// Does a piece and tells it. Whether that was the last.
    ///
    /// # Errors
    /// As [`Run::advance`].
    pub async fn advance(&mut self) -> Result<bool> {
        let began = now_s();
        let piece = self.run.advance().await?;
        self.clock.worked += now_s() - began;
        match piece {
            Piece::Step(step) => self.tell_step(step).await?,
            Piece::Validated => {}
            Piece::Epoch(report) => self.tell_epoch(&report).await?,
            Piece::End(report) => {
                self.tell_end(*report);
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn tell_step(&mut self, step: Step) -> Result<()> {
        if let Some(features) = step.features
            && self.features != features
        {
            self.features = features;
            let [done, total] = features;
            say(self.id, Said::Features { done, total }, None);
        }
        let mut gradients = Vec::new();
        if self.clock.worked >= self.clock.gradients
            && let Some(squares) = step.report.gradients
        {
            gradients = squares.by_module().await?;
            self.clock.gradients = self.clock.worked + GRADIENTS_S;
        }
        let said = StepSaid {
            epoch: step.epoch,
            step: step.step,
            losses: step.losses,
            gradients,
        };
        say(self.id, Said::Step(said), None);
        Ok(())
    }

    async fn tell_epoch(&mut self, report: &EpochReport) -> Result<()> {
        let clock = &mut self.clock;
        let steps = self.run.plan().config.batches.max(1) as f64;
        let seconds = (clock.worked - clock.epoch_began).max(1e-6);
        clock.epoch_began = clock.worked;
        // The first epoch computes features that later ones take: it counts until there is another.
        let pace = match clock.pace {
            Some(pace) if report.epoch > 1 => pace + (seconds / steps - pace) * NEWEST,
            _ => seconds / steps,
        };
        clock.pace = Some(pace);
        let said = EpochSaid {
            epoch: report.epoch,
            losses: report.losses,
            val_losses: report.validation.loss,
            reached: reached(&report.validation.metrics),
            best: report.best,
            steps_per_s: steps / seconds,
            left_s: pace * self.run.steps_left() as f64,
            memory_bytes: memory_bytes(),
            drift: report.drift.clone(),
        };
        let id = self.id;
        let snapshot = self.take_snapshot().await?;
        say(id, Said::Epoch(said), snapshot);
        Ok(())
    }

    /// A snapshot, unless the last one is too young for what it costs.
    async fn take_snapshot(&mut self) -> Result<Option<&[u8]>> {
        if self.clock.worked < self.clock.snapshot_next {
            return Ok(None);
        }
        let began = now_s();
        self.snapshot = Some(self.run.snapshot().await?);
        let took = now_s() - began;
        self.clock.worked += took;
        self.clock.snapshot_next = self.clock.worked + took / SNAPSHOT_SHARE;
        self.clock.epoch_began = self.clock.worked;
        Ok(self.snapshot.as_deref())
    }

    fn tell_end(&self, report: RunReport) {
        let said = DoneSaid {
            epochs: report.epochs,
            stopped: self.stopped,
            best_epoch: report.best_epoch,
            best: report.best.as_ref().map(reached).unwrap_or_default(),
            seconds: self.clock.worked,
            receipts: report.receipts.iter().map(receipt).collect(),
        };
        say(self.id, Said::Done(said), None);
    }
}

/// The settings that were asked for.
///
/// # Errors
/// Names what cannot be read.
pub fn settings_of(ask: &TrainAsk) -> Result<RunSettings> {
    let optimizer = ask.optimizer.as_deref();
    Ok(RunSettings {
        freeze: ask.freeze.parse::<FreezeSpec>()?,
        epochs: ask.epochs,
        lr0: ask.lr0,
        optimizer: optimizer.map(str::parse::<OptimizerKind>).transpose()?,
        imgsz: ask.imgsz,
        batch: ask.batch,
        seed: ask.seed,
        views: ask.views,
    })
}

/// What a run says of itself when it begins.
pub fn said_of(run: &Run) -> RunSaid {
    let begun = run.begun();
    RunSaid {
        transferred: begun.transferred,
        tensors: begun.items,
        explanation: begun.explanation.clone(),
        new_anchors: begun.new_anchors,
        from_epoch: run.epoch(),
        ..forecast(run.plan())
    }
}

/// What a plan says, as long as nothing has been done.
pub fn forecast(plan: &RunPlan) -> RunSaid {
    let config = &plan.config;
    RunSaid {
        transferred: 0,
        tensors: 0,
        explanation: Vec::new(),
        optimizer: config.optimizer.to_string(),
        lr0: config.hyp.lr0,
        epochs: config.epochs,
        steps: config.batches,
        views: plan.views.map_or(0, |views| views.count),
        feature_bytes: plan.feature_bytes,
        activation_bytes: plan.activation_bytes,
        flops: plan.flops,
        new_anchors: false,
        from_epoch: 0,
    }
}

fn reached(metrics: &frostline::eval::Metrics) -> Reached {
    Reached {
        precision: metrics.precision,
        recall: metrics.recall,
        map50: metrics.map50,
        map: metrics.map,
    }
}

fn receipt(receipt: &Receipt) -> ReceiptSaid {
    let Receipt {
        from_epoch,
        before,
        after,
    } = receipt;
    let pair = |a: &String, b: &String| [a.clone(), b.clone()];
    ReceiptSaid {
        from_epoch: *from_epoch,
        parameters: after.parameters,
        statistics: after.statistics,
        parameters_sha256: pair(&before.parameters_sha256, &after.parameters_sha256),
        statistics_sha256: pair(&before.statistics_sha256, &after.statistics_sha256),
        holds: receipt.holds(),
    }
}
