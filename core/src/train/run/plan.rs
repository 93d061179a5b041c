//! A run before it begins: what a person said, what the program chooses, and what that costs.

use serde::{Deserialize, Serialize};

use crate::data::Source;
use crate::error::{Error, Result};
use crate::freeze::{FeaturePrecision, FreezePlan, FreezeSpec};
use crate::model::Architecture;
use crate::train::choice::{
    self, FeatureRoom, OptimizerChoice, nominal_batch, reason_against_keeping,
};
use crate::train::record::Views;
use crate::train::{FreezeNorms, Hyp, OptimizerKind, SessionConfig};

/// Least size and strides of the network's input in pixels.
const STRIDE: usize = 32;

/// How a run trains; what is `None` the program chooses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSettings {
    /// What is frozen.
    pub freeze: FreezeSpec,
    /// Epochs.
    pub epochs: usize,
    /// Learning rate after warm-up.
    pub lr0: Option<f64>,
    /// Update rule.
    pub optimizer: Option<OptimizerKind>,
    /// Side of the network's input in pixels.
    pub imgsz: usize,
    /// Pictures per batch.
    pub batch: usize,
    /// Everything random follows from it.
    pub seed: u64,
    /// Views per picture whose features are kept; 0 for fresh augmentation.
    pub views: Option<usize>,
}

/// What a run will do.
#[derive(Debug, Clone)]
pub struct RunPlan {
    /// What is frozen when.
    pub freeze: FreezePlan,
    /// How the session trains.
    pub config: SessionConfig,
    /// The fixed views that are learnt from; none with fresh augmentation.
    pub views: Option<Views>,
    /// Bytes that their features take.
    pub feature_bytes: u64,
    /// Bytes of activations that a step keeps for its backward pass, at most.
    pub activation_bytes: u64,
    /// FLOPs of all steps, and of the features once.
    pub flops: u64,
}

impl RunSettings {
    /// Settles the settings for a network and the pictures that it learns from. `most_bytes` is what features may take.
    ///
    /// # Errors
    /// Names a setting that cannot be.
    pub fn settle(
        &self,
        architecture: &Architecture,
        train: &dyn Source,
        most_bytes: u64,
    ) -> Result<RunPlan> {
        self.check()?;
        let freeze = FreezePlan::resolve(&self.freeze, architecture)?;
        let batches = train.len().div_ceil(self.batch);
        let nominal = nominal_batch(self.epochs, batches, self.batch);
        let (optimizer, hyp) = self.optimizer(&freeze, architecture, batches, nominal);
        let mut plan = RunPlan {
            views: None,
            config: SessionConfig {
                hyp,
                epochs: self.epochs,
                batches,
                batch: self.batch,
                nominal,
                imgsz: self.imgsz,
                optimizer,
                cosine: false,
                freeze_norms: FreezeNorms::Fixed,
                rate_factors: std::collections::BTreeMap::new(),
                reference_schedule: false,
            },
            freeze,
            feature_bytes: 0,
            activation_bytes: 0,
            flops: 0,
        };
        plan.choose_views(self.views, architecture, train, most_bytes)?;
        plan.count(architecture, train.len())?;
        Ok(plan)
    }

    fn check(&self) -> Result<()> {
        let refuse = |place: &str, found: String, expected: &str| {
            Err(Error::input(place, found, expected, ""))
        };
        if self.imgsz == 0 || !self.imgsz.is_multiple_of(STRIDE) {
            return refuse(
                "the image size",
                format!("{} px", self.imgsz),
                "a multiple of 32 px",
            );
        }
        for (place, number) in [("epochs", self.epochs), ("the batch", self.batch)] {
            if number == 0 {
                return refuse(place, "0".to_owned(), "at least 1");
            }
        }
        match self.lr0 {
            Some(rate) if !(rate.is_finite() && rate > 0.0) => {
                refuse("the learning rate", rate.to_string(), "more than 0")
            }
            _ => Ok(()),
        }
    }

    fn optimizer(
        &self,
        freeze: &FreezePlan,
        architecture: &Architecture,
        batches: usize,
        nominal: usize,
    ) -> (OptimizerKind, Hyp) {
        let mut hyp = Hyp::default();
        let steps = self.epochs * batches * self.batch / nominal;
        let choice = OptimizerChoice::of(freeze, architecture, steps);
        if let (None, None, Some(choice)) = (self.lr0, self.optimizer, choice) {
            choice.apply(&mut hyp);
            return (choice.kind, hyp);
        }
        hyp.lr0 = self.lr0.unwrap_or(hyp.lr0);
        (self.optimizer.unwrap_or_default(), hyp)
    }
}

impl RunPlan {
    fn choose_views(
        &mut self,
        asked: Option<usize>,
        architecture: &Architecture,
        train: &dyn Source,
        most_bytes: u64,
    ) -> Result<()> {
        let leads = self.freeze.stages.iter().any(|stage| stage.cut.prefix > 0);
        if !leads || asked == Some(0) {
            return Ok(());
        }
        let count = asked.unwrap_or_else(|| choice::views(&self.freeze, architecture));
        let views = Views {
            count,
            precision: FeaturePrecision::default(),
        };
        let room = FeatureRoom::of(train, count, views.precision);
        let mut bytes = 0;
        for stage in &self.freeze.stages {
            bytes = bytes.max(room.of_stage(stage, architecture, self.config.imgsz)?);
        }
        let against = reason_against_keeping(&self.freeze, self.config.epochs, count).is_some();
        if asked.is_some() || (!against && bytes <= most_bytes) {
            self.views = Some(views);
            self.feature_bytes = bytes;
        }
        Ok(())
    }

    fn count(&mut self, architecture: &Architecture, pictures: usize) -> Result<()> {
        let config = &self.config;
        for (number, stage) in self.freeze.stages.iter().enumerate() {
            let next = self.freeze.stages.get(number + 1);
            let to = next.map_or(config.epochs, |next| next.from_epoch.min(config.epochs));
            let steps = (to.saturating_sub(stage.from_epoch) * config.batches) as u64;
            let costs = stage.costs(architecture, config.imgsz, config.imgsz, config.batch)?;
            self.activation_bytes = self.activation_bytes.max(costs.activation_bytes);
            let work = match self.views {
                None => steps.saturating_mul(costs.step()),
                Some(views) => {
                    let per_picture = costs.forward_prefix / config.batch as u64;
                    let once = per_picture.saturating_mul((views.count * pictures) as u64);
                    steps
                        .saturating_mul(costs.cached_step())
                        .saturating_add(once)
                }
            };
            self.flops = self.flops.saturating_add(work);
        }
        Ok(())
    }
}
