//! A freeze plan in question: how it would train, and what a run of it takes.

use frostline::freeze::{FreezePlan, FreezeSpec};
use frostline::model::Architecture;
use frostline::train::choice::{self, FeatureRoom, NOMINAL, OptimizerChoice};
use frostline::train::record::Views;
use frostline::train::{FreezeNorms, Hyp, OptimizerKind};

use crate::args::{BATCH_SIZE, FeatureMode, TrainSettings};
use crate::forecast::Forecast;

/// Part of a validation that stays when its features are kept: boxes are sorted out all the same.
const LEAST_VALIDATION: f64 = 0.2;
/// More epochs than these nobody means.
const MOST_EPOCHS: usize = 1000;

/// A plan that may be advised.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// What it freezes, as typed.
    pub text: String,
    pub plan: FreezePlan,
    /// Share of a forward pass that lies before the cut.
    pub prefix_share: f64,
    /// The views whose features are kept; none with fresh augmentation.
    pub views: Option<Views>,
    /// Bytes that they take.
    pub kept_bytes: u64,
    /// Time and memory of a step.
    pub forecast: Forecast,
    pub epochs: usize,
    pub optimizer: OptimizerKind,
    pub hyp: Hyp,
}

/// What all candidates share.
#[derive(Debug, Clone, Copy)]
pub struct Common<'a> {
    pub settings: &'a TrainSettings,
    pub architecture: &'a Architecture,
    /// Batches per epoch.
    pub batches: usize,
    /// Seconds of a validation.
    pub validation_s: f64,
}

impl Common<'_> {
    /// The views that a plan would keep: those that were asked for, or else where keeping costs nothing in what is
    /// learnt (only Detect trains), and with `free` wherever it saves time.
    pub fn views(&self, plan: &FreezePlan, given: bool, free: bool) -> Option<Views> {
        let settings = self.settings;
        let possible = plan.stages.len() == 1
            && plan.stages[0].cut.prefix > 0
            && settings.freeze_bn == FreezeNorms::Fixed
            && !settings.rect
            && !settings.multi_scale;
        let wanted = match settings.cache_features {
            FeatureMode::Off if given => false,
            FeatureMode::Off => free || choice::only_detect_trains(plan, self.architecture),
            _ => true,
        };
        (possible && wanted).then(|| Views {
            count: (settings.views).unwrap_or_else(|| choice::views(plan, self.architecture)),
            precision: settings.cache_precision,
        })
    }

    /// Seconds of a run of `epochs`.
    pub fn seconds(&self, candidate: &Candidate, epochs: usize) -> f64 {
        let steps = candidate.steps_ms(epochs * self.batches, self.batches) / 1e3;
        // Kept features are computed in the first validation only.
        let later = match candidate.views {
            Some(_) => (1.0 - candidate.prefix_share).max(LEAST_VALIDATION),
            None => 1.0,
        };
        steps + self.validation_s * (1.0 + epochs.saturating_sub(1) as f64 * later)
    }

    /// The most epochs that fit into `seconds`; at least one.
    pub fn epochs_within(&self, candidate: &Candidate, seconds: f64) -> usize {
        let fits = |epochs: &usize| self.seconds(candidate, *epochs) <= seconds;
        (1..=MOST_EPOCHS).take_while(fits).last().unwrap_or(1)
    }
}

impl Candidate {
    /// Milliseconds of the first `steps` steps; `batches` make an epoch.
    pub fn steps_ms(&self, steps: usize, batches: usize) -> f64 {
        let computed = match self.views {
            Some(views) => steps.min(views.count * batches),
            None => steps,
        };
        let kept_ms = self.forecast.kept_step_ms.unwrap_or(self.forecast.step_ms);
        computed as f64 * self.forecast.step_ms + (steps - computed) as f64 * kept_ms
    }

    /// Settles `epochs`, and what the program chooses for as many.
    pub fn settle(&mut self, epochs: usize, common: &Common) {
        let settings = common.settings;
        self.epochs = epochs;
        let nominal = match settings.nominal_batch {
            Some(nominal) => nominal,
            None if settings.reference_schedule => NOMINAL,
            None => choice::nominal_batch(
                epochs,
                common.batches,
                settings.batch_size.unwrap_or(BATCH_SIZE),
            ),
        };
        let pictures = epochs * common.batches * settings.batch_size.unwrap_or(BATCH_SIZE);
        let steps = pictures / nominal;
        (self.optimizer, self.hyp) = (settings.optimizer, settings.hyp.clone());
        let decided = settings.lr0_given || settings.optimizer_given || settings.reference_schedule;
        if let (false, Some(choice)) = (
            decided,
            OptimizerChoice::of(&self.plan, common.architecture, steps),
        ) {
            choice.apply(&mut self.hyp);
            self.optimizer = choice.kind;
        }
    }
}

/// Share of a forward pass that lies before the cut of `plan`.
///
/// # Errors
/// A size that does not fit the network.
pub fn prefix_share(
    plan: &FreezePlan,
    architecture: &Architecture,
    imgsz: usize,
) -> frostline::Result<f64> {
    let costs = architecture.module_costs(imgsz, imgsz)?;
    let sum =
        |count: usize| -> f64 { costs.iter().take(count).map(|cost| cost.flops as f64).sum() };
    Ok(sum(plan.stages[0].cut.prefix) / sum(costs.len()).max(1.0))
}

/// The plan of `text`.
///
/// # Errors
/// What does not fit the architecture.
pub fn plan(text: &str, architecture: &Architecture) -> frostline::Result<FreezePlan> {
    FreezePlan::resolve(&text.parse::<FreezeSpec>()?, architecture)
}

/// Bytes that kept features take.
///
/// # Errors
/// A size that does not fit the network.
pub fn kept_bytes(
    plan: &FreezePlan,
    views: Option<Views>,
    source: &dyn frostline::data::Source,
    architecture: &Architecture,
    imgsz: usize,
) -> frostline::Result<u64> {
    match views {
        None => Ok(0),
        Some(views) => FeatureRoom::of(source, views.count, views.precision).of_stage(
            &plan.stages[0],
            architecture,
            imgsz,
        ),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use frostline::freeze::FeaturePrecision;
    use frostline::model::Size;

    pub fn candidate(text: &str, views: Option<usize>, step_ms: f64, kept: f64) -> Candidate {
        let architecture = Architecture::yolov5(Size::N, 3);
        Candidate {
            text: text.to_owned(),
            plan: plan(text, &architecture).unwrap(),
            prefix_share: 0.0,
            views: views.map(|count| Views {
                count,
                precision: FeaturePrecision::default(),
            }),
            kept_bytes: 0,
            forecast: Forecast::of_figures(step_ms, views.map(|_| kept), 500.0),
            epochs: 15,
            optimizer: OptimizerKind::default(),
            hyp: Hyp::default(),
        }
    }

    /// Ten batches an epoch: a view of each is computed once, and later steps take a tenth.
    #[test]
    fn kept_features_make_later_epochs_cheap() {
        let fresh = candidate("0", None, 100.0, 0.0);
        assert_eq!(fresh.steps_ms(50, 10), 5000.0);
        let kept = candidate("24", Some(1), 100.0, 10.0);
        assert_eq!(kept.steps_ms(5, 10), 500.0);
        assert_eq!(kept.steps_ms(50, 10), 1000.0 + 400.0);
    }
}
