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
    /// The fixed views that are learnt from; none with fresh augmentation.
    #[serde(default)]
    pub views: Option<Views>,
}
