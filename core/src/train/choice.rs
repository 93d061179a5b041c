//! What the program chooses when a person does not: what got furthest in short runs on few pictures.

use super::hyp::Hyp;
use super::optimizer::OptimizerKind;
use crate::data::Source;
use crate::error::Result;
use crate::freeze::cache::{FeaturePrecision, entry_bytes};
use crate::freeze::prefix::Crossing;
use crate::freeze::{FreezePlan, Stage};
use crate::model::Architecture;

/// A run with fewer optimizer steps than this at the reference's 64 pictures per step takes a step per batch.
const FEW_STEPS: usize = 1000;
/// The reference's pictures per optimizer step.
pub const NOMINAL: usize = 64;
/// The rate with which Adam trains when only Detect does. Its gradients are small and of very unequal size: with SGD
/// at the usual rate it hardly moves, at a twentyfold rate its objectness bias swings.
const DETECT_ONLY_RATE: f64 = 0.01;
/// Below this many optimizer steps AdamW gets further than SGD at the usual rate (docs/results.md).
const ADAM_STEPS: usize = 1000;
/// The rate with which AdamW trains then.
const ADAM_RATE: f64 = 0.003;
/// Views per picture: four learn what fresh augmentation does; where only Detect trains, pictures as they are teach
/// more than augmented ones.
const VIEWS: usize = 4;
const VIEWS_FOR_DETECT: usize = 1;
/// Boxes of a view for each labelled box of a picture: mosaics show four pictures, some twice.
const BOXES_PER_LABEL: usize = 8;
/// A file of features notes where each begins.
const NOTE_BYTES: u64 = 64;

/// Whether nothing but Detect trains in any stage.
pub fn only_detect_trains(plan: &FreezePlan, architecture: &Architecture) -> bool {
    let modules = architecture.modules.len();
    let mut stages = plan.stages.iter();
    stages.all(|stage| stage.cut.prefix + 1 == modules)
}

/// Pictures per optimizer step for a run of `epochs` of `batches` batches of `batch` pictures: the
/// reference's 64, or one batch in a short run.
pub fn nominal_batch(epochs: usize, batches: usize, batch: usize) -> usize {
    let pictures = epochs * batches * batch;
    if batch >= NOMINAL || pictures / NOMINAL >= FEW_STEPS {
        NOMINAL
    } else {
        batch
    }
}

/// Another optimizer than SGD at the usual rate.
#[derive(Debug, Clone, PartialEq)]
pub struct OptimizerChoice {
    /// The update rule.
    pub kind: OptimizerKind,
    /// The learning rate, of the biases in warm-up too.
    pub rate: f64,
    /// Why, in some words.
    pub why: String,
}

impl OptimizerChoice {
    /// What gets furthest when only Detect trains or in a short run; `None` where the
    /// usual does.
    pub fn of(plan: &FreezePlan, architecture: &Architecture, steps: usize) -> Option<Self> {
        if only_detect_trains(plan, architecture) {
            Some(Self {
                kind: OptimizerKind::Adam,
                rate: DETECT_ONLY_RATE,
                why: "only Detect trains".to_owned(),
            })
        } else if steps < ADAM_STEPS {
            Some(Self {
                kind: OptimizerKind::AdamW,
                rate: ADAM_RATE,
                why: format!("only {steps} optimizer steps"),
            })
        } else {
            None
        }
    }

    /// Puts the rate into the hyperparameters.
    pub fn apply(&self, hyp: &mut Hyp) {
        hyp.lr0 = self.rate;
        hyp.warmup_bias_lr = self.rate;
    }
}

/// Views per picture, where features at the cut are kept.
pub fn views(plan: &FreezePlan, architecture: &Architecture) -> usize {
    if only_detect_trains(plan, architecture) {
        VIEWS_FOR_DETECT
    } else {
        VIEWS
    }
}

/// Why features of `views` views are rather not kept in a run of `epochs`, when nobody asked for them; none
/// where keeping them pays. A plan that freezes no leading module has none to keep.
pub fn reason_against_keeping(plan: &FreezePlan, epochs: usize, views: usize) -> Option<String> {
    if plan.stages.len() > 1 {
        let reason = "a plan of several stages (--cache-features ram keeps them stage by stage)";
        return Some(reason.to_owned());
    }
    (epochs <= views).then(|| format!("{epochs} epochs would see none of {views} views twice"))
}

/// Bytes that features at the cut take, with room for their boxes.
#[derive(Debug, Clone, Copy)]
pub struct FeatureRoom {
    /// Pictures.
    pub pictures: usize,
    /// Their boxes.
    pub boxes: usize,
    /// Views per picture.
    pub views: usize,
    /// How they are kept.
    pub precision: FeaturePrecision,
}

impl FeatureRoom {
    /// For the pictures of `source`.
    pub fn of(source: &dyn Source, views: usize, precision: FeaturePrecision) -> Self {
        let pictures = source.len();
        Self {
            pictures,
            boxes: (0..pictures).map(|index| source.labels(index).len()).sum(),
            views,
            precision,
        }
    }

    /// When `maps` cross.
    pub fn bytes(&self, maps: &[Crossing]) -> u64 {
        let values = maps.iter().map(Crossing::len).sum();
        let boxes = self.boxes * BOXES_PER_LABEL;
        let empty = entry_bytes(0, values, self.precision) as u64;
        let labels = entry_bytes(boxes, 0, self.precision) as u64;
        (self.views as u64).saturating_mul(
            (self.pictures as u64)
                .saturating_mul(empty + NOTE_BYTES)
                .saturating_add(labels),
        )
    }

    /// Behind the cut of `stage`, for square pictures of `imgsz`.
    ///
    /// # Errors
    /// A size that does not fit the network.
    pub fn of_stage(
        &self,
        stage: &Stage,
        architecture: &Architecture,
        imgsz: usize,
    ) -> Result<u64> {
        Ok(self.bytes(&stage.cut.maps(architecture, imgsz, imgsz)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::freeze::FreezeSpec;
    use crate::model::Size;

    fn plan(freeze: &str) -> (FreezePlan, Architecture) {
        let architecture = Architecture::yolov5(Size::N, 3);
        let spec: FreezeSpec = freeze.parse().unwrap();
        let plan = FreezePlan::resolve(&spec, &architecture).unwrap();
        (plan, architecture)
    }

    #[test]
    fn adam_trains_detect_alone_and_adamw_short_runs() {
        let (only, architecture) = plan("24");
        let chosen = OptimizerChoice::of(&only, &architecture, 10_000).unwrap();
        assert_eq!((chosen.kind, chosen.rate), (OptimizerKind::Adam, 0.01));
        let (backbone, _) = plan("10");
        let chosen = OptimizerChoice::of(&backbone, &architecture, ADAM_STEPS - 1).unwrap();
        assert_eq!((chosen.kind, chosen.rate), (OptimizerKind::AdamW, 0.003));
        assert_eq!(
            OptimizerChoice::of(&backbone, &architecture, ADAM_STEPS),
            None
        );
    }

    #[test]
    fn a_short_run_steps_with_every_batch() {
        assert_eq!(nominal_batch(30, 8, 8), 8);
        assert_eq!(nominal_batch(300, 100, 8), NOMINAL);
        assert_eq!(nominal_batch(1, 1, 128), NOMINAL);
    }

    #[test]
    fn views_are_kept_where_some_are_seen_twice() {
        let (only, architecture) = plan("24");
        assert_eq!(views(&only, &architecture), 1);
        let (backbone, _) = plan("10");
        assert_eq!(views(&backbone, &architecture), 4);
        assert_eq!(reason_against_keeping(&backbone, 5, 4), None);
        assert!(reason_against_keeping(&backbone, 4, 4).is_some());
        let (stages, _) = plan("24; 10@5");
        assert!(reason_against_keeping(&stages, 30, 4).is_some());
    }
}
