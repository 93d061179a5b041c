//! A run as the page knows it: what it was asked to do and what the engine has told of it, as a plain record
//! that can be stored; what follows from its figures; and several runs side by side.

mod curves;
mod glow;
mod losses;
mod next;
mod race;

pub use curves::{accuracy, losses_chart};
pub use glow::glow;
pub use losses::{LossPoint, Losses};
pub use next::{Next, next};
pub use race::{Column, PLANS, Race, Row};

use serde::{Deserialize, Serialize};

use crate::messages::{
    DoneSaid, EpochSaid, ReceiptSaid, Refusal, RunSaid, Said, StepSaid, TrainAsk,
};

/// A GPU that went away during a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// What the browser said of it.
    pub why: String,
    /// What the engine went on with.
    pub now: String,
    /// The epoch that it went on from, counted from 0.
    pub from_epoch: usize,
}

/// All that is known of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// What was asked for.
    pub ask: TrainAsk,
    /// Name of the weights that it began with.
    pub weights: String,
    /// What it does, once it has begun.
    pub started: Option<RunSaid>,
    /// Pictures whose features are there, of how many.
    pub features: Option<(usize, usize)>,
    /// Losses by step.
    pub losses: Losses,
    /// Epochs that were done.
    pub epochs: Vec<EpochSaid>,
    /// Norm of the gradient by module, as last told.
    pub gradients: Vec<(usize, f64)>,
    /// GPUs that went away.
    pub lost: Vec<Loss>,
    /// How it ended.
    pub done: Option<DoneSaid>,
    /// Why it did not.
    pub failed: Option<Refusal>,
    /// Computing time in seconds of earlier sittings, when it was gone on with.
    #[serde(default)]
    pub earlier_s: f64,
    #[serde(skip)]
    pace: Pace,
}

/// How fast steps follow each other in this sitting.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Pace {
    last_s: Option<f64>,
    steps: usize,
    seconds: f64,
}

impl Record {
    /// A run that is about to be asked for.
    pub fn new(ask: TrainAsk, weights: String) -> Self {
        Self {
            ask,
            weights,
            started: None,
            features: None,
            losses: Losses::default(),
            epochs: Vec::new(),
            gradients: Vec::new(),
            lost: Vec::new(),
            done: None,
            failed: None,
            earlier_s: 0.0,
            pace: Pace::default(),
        }
    }

    /// Takes in an event or the answer of its run; `now_s` are seconds on any clock that runs on.
    pub fn hear(&mut self, said: &Said, now_s: f64) {
        match said {
            Said::Started(run) => {
                self.back_to(run.from_epoch);
                self.earlier_s = self.epochs.iter().map(|epoch| self.seconds_of(epoch)).sum();
                (self.done, self.failed) = (None, None);
                self.started = Some(run.clone());
                self.pace = Pace::default();
            }
            Said::Features { done, total } => self.features = Some((*done, *total)),
            Said::Step(step) => self.hear_step(step, now_s),
            Said::Epoch(epoch) => self.epochs.push(epoch.clone()),
            Said::Done(done) => self.done = Some(done.clone()),
            Said::Failed(refusal) => self.failed = Some(refusal.clone()),
            Said::Lost {
                why,
                now,
                from_epoch: Some(from_epoch),
            } => {
                self.back_to(*from_epoch);
                self.pace = Pace::default();
                self.lost.push(Loss {
                    why: why.clone(),
                    now: now.name.clone(),
                    from_epoch: *from_epoch,
                });
            }
            _ => {}
        }
    }

    /// A pause has ended or begins: the time until the next step is nobody's pace.
    pub fn hold(&mut self) {
        self.pace.last_s = None;
    }

    fn hear_step(&mut self, step: &StepSaid, now_s: f64) {
        let steps = self.steps_per_epoch();
        self.losses
            .push(step.epoch * steps + step.step, step.losses);
        if !step.gradients.is_empty() {
            self.gradients.clone_from(&step.gradients);
        }
        if let Some(last_s) = self.pace.last_s {
            self.pace.steps += 1;
            self.pace.seconds += now_s - last_s;
        }
        self.pace.last_s = Some(now_s);
    }

    /// Forgets what came after the beginning of an epoch: it is done again.
    fn back_to(&mut self, epoch: usize) {
        self.epochs.retain(|known| known.epoch < epoch);
        let steps = self.steps_per_epoch();
        self.losses.forget_from(epoch * steps);
    }

    /// Steps of an epoch; 1 as long as that is not known.
    pub fn steps_per_epoch(&self) -> usize {
        self.started.as_ref().map_or(1, |run| run.steps.max(1))
    }

    /// Epochs in all.
    pub fn epochs_in_all(&self) -> usize {
        self.started
            .as_ref()
            .map_or(self.ask.epochs, |run| run.epochs)
    }

    /// Whether it goes on.
    pub fn is_over(&self) -> bool {
        self.done.is_some() || self.failed.is_some()
    }

    /// The epoch with the highest mAP of those that the engine called best.
    pub fn best(&self) -> Option<&EpochSaid> {
        self.epochs.iter().rev().find(|epoch| epoch.best)
    }

    /// Seconds that the rest will take: as the engine says after an epoch, before that at the pace of the steps. `None`
    /// as long as nothing was measured.
    pub fn left_s(&self) -> Option<f64> {
        if self.is_over() {
            return None;
        }
        let per_step = (self.pace.steps > 0).then(|| self.pace.seconds / self.pace.steps as f64);
        let in_all = self.epochs_in_all() * self.steps_per_epoch();
        match self.epochs.last() {
            Some(epoch) => {
                // What has been done since then is not left.
                let since = self
                    .losses
                    .steps()
                    .saturating_sub((epoch.epoch + 1) * self.steps_per_epoch());
                let rest = in_all
                    .saturating_sub((epoch.epoch + 1) * self.steps_per_epoch())
                    .max(1);
                Some(epoch.left_s * (1.0 - (since as f64 / rest as f64).min(1.0)))
            }
            None => {
                per_step.map(|seconds| seconds * in_all.saturating_sub(self.losses.steps()) as f64)
            }
        }
    }

    /// Steps per second: of the last epoch, before that of the steps so far.
    pub fn steps_per_s(&self) -> Option<f64> {
        let measured = (self.pace.steps > 0 && self.pace.seconds > 0.0)
            .then(|| self.pace.steps as f64 / self.pace.seconds);
        self.epochs
            .last()
            .map(|epoch| epoch.steps_per_s)
            .or(measured)
    }

    /// Seconds that it computed, earlier sittings included, once it is done.
    pub fn seconds(&self) -> Option<f64> {
        self.done.as_ref().map(|done| done.seconds + self.earlier_s)
    }

    /// Operations per second over the epochs that were done, to foretell other runs with.
    pub fn flops_per_s(&self) -> Option<f64> {
        let run = self.started.as_ref()?;
        let seconds: f64 = self.epochs.iter().map(|epoch| self.seconds_of(epoch)).sum();
        let share = self.epochs.len() as f64 / run.epochs.max(1) as f64;
        (seconds > 0.0).then(|| run.flops as f64 * share / seconds)
    }

    fn seconds_of(&self, epoch: &EpochSaid) -> f64 {
        self.steps_per_epoch() as f64 / epoch.steps_per_s.max(1e-9)
    }

    /// Bytes that it needs by count: a step's activations and the features that are kept.
    pub fn counted_bytes(&self) -> Option<u64> {
        self.started
            .as_ref()
            .map(|run| run.activation_bytes + run.feature_bytes)
    }

    /// Receipts of stages that froze something.
    pub fn receipts(&self) -> impl Iterator<Item = &ReceiptSaid> {
        let receipts = self.done.iter().flat_map(|done| &done.receipts);
        receipts.filter(|receipt| receipt.parameters + receipt.statistics > 0)
    }
}

#[cfg(test)]
mod tests;
