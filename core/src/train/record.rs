//! What an interrupted run goes on with, beside its session.

use crate::freeze::FeaturePrecision;
use crate::train::OptimizerKind;
use crate::train::snapshot::SessionRecord;

/// The metadata key of a run's record.
pub const RUN: &str = "run";

/// What is learnt from: fixed views of each picture. Part of a run's record, because a resumed run must go
/// on with the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Views {
    /// Views per picture.
    pub count: usize,
    /// What their features are rounded to.
    pub precision: FeaturePrecision,
}

/// What a run remembers beside the session.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct RunRecord {
    /// The session's part.
    pub session: SessionRecord,
    /// First batch of the next epoch that has not been trained: above 0 when the run was interrupted within it.
    pub next_batch: usize,
    /// Sums of the losses over the batches of that epoch so far.
    pub loss_sums: [f64; 3],
    /// Best fitness so far; none before the first validation.
    pub best_fitness: Option<f64>,
    /// Its epoch.
    pub best_epoch: usize,
    /// AP50-95 per class at the last validation, for image weights.
    pub class_map: Vec<f64>,
    /// The learning rate in force, which may have been chosen by the program.
    pub lr0: f64,
    /// The update rule in force, likewise.
    pub optimizer: OptimizerKind,
    /// Pictures per optimizer step.
    pub nominal: usize,
    /// Pictures per batch, which may be fewer than at the start; none in records of older runs.
    #[serde(default)]
    pub batch: Option<usize>,
    /// The fixed views that are learnt from; none with fresh augmentation.
    #[serde(default)]
    pub views: Option<Views>,
}

/// How an epoch is cut into batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batches {
    /// Batches of an epoch.
    pub count: usize,
    /// Pictures per batch.
    pub size: usize,
}

impl RunRecord {
    /// The same moment in a run whose epochs are cut into `new` batches instead of `old` ones. Pictures that part of a
    /// new batch has seen are seen again.
    pub fn recut(mut self, old: Batches, new: Batches) -> Self {
        let next = (self.next_batch * old.size / new.size).min(new.count);
        if self.next_batch > 0 {
            let share = next as f64 / self.next_batch as f64;
            self.loss_sums = self.loss_sums.map(|sum| sum * share);
        }
        self.session.recut(old, new, next);
        self.next_batch = next;
        self.batch = Some(new.size);
        self
    }
}
