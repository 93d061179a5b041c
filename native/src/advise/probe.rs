//! Short runs of candidates: a whole schedule squeezed into few steps, validated at its end.

use std::time::Instant;

use burn::tensor::{Device, read_sync};
use frostline::data::Batch;
use frostline::eval::{ValidateOptions, Validator};
use frostline::freeze::FeatureCache;
use frostline::freeze::cache::RamStore;
use frostline::model::{Folded, Yolov5};
use frostline::train::drift::NormStatistics;
use frostline::train::{FreezeNorms, Session, SessionConfig, StepReport};

use super::candidate::{self, Candidate};
use super::verdict::{Reached, Seen};
use crate::args::TrainSettings;
use crate::interrupt;
use crate::progress::Progress;
use crate::training::data::{TrainData, ValData};

/// Steps of a run whose gradients are read: a read waits for the device.
const READ_STEPS: usize = 8;
/// Batches that statistics are compared on.
const SHIFT_BATCHES: usize = 8;

/// What short runs are made of.
#[derive(Debug)]
pub struct Probes<'a> {
    pub settings: &'a TrainSettings,
    /// The network before its first step.
    pub model: Yolov5,
    /// In batches of `batch_size`.
    pub train: TrainData,
    pub batch_size: usize,
    pub val: ValData,
    /// Batches that are validated.
    pub val_batches: Vec<usize>,
    pub device: Device,
    /// Nothing goes on beyond it.
    pub deadline: Instant,
}

/// A short run.
#[derive(Debug, Clone)]
pub struct ShortRun {
    pub reached: Reached,
    /// Seconds of its steps.
    pub steps_s: f64,
    /// Of its first steps: the squared norm of the gradient of each module.
    pub gradients: Vec<(usize, f64)>,
}

impl Probes<'_> {
    /// Runs `candidate` for `steps` batches on the schedule of its whole run. `cache` holds its features from run to
    /// run. None when the time is over.
    ///
    /// # Errors
    /// When a picture cannot be read, the device fails or the person interrupts.
    pub fn run(
        &self,
        candidate: &Candidate,
        steps: usize,
        cache: &mut Option<FeatureCache>,
    ) -> anyhow::Result<Option<ShortRun>> {
        let settings = self.settings;
        let mut session = Session::new(
            self.model.clone(),
            candidate.plan.clone(),
            SessionConfig {
                hyp: candidate.hyp.clone(),
                // The rate falls with every step, as it does with every epoch of the whole run.
                epochs: steps,
                batches: 1,
                batch: self.batch_size,
                // A step per batch, however many pictures the whole run gathers.
                nominal: self.batch_size,
                imgsz: settings.imgsz,
                optimizer: candidate.optimizer,
                cosine: settings.cos_lr,
                freeze_norms: settings.freeze_bn,
                rate_factors: settings
                    .lr_factor
                    .resolve(self.model.architecture(), &candidate.plan)?,
                reference_schedule: false,
            },
            &self.device,
        );
        let label = format!("freeze {}, {steps} steps", candidate.text);
        let progress = Progress::new(label, steps);
        let started = Instant::now();
        let mut gradients = Vec::new();
        let (mut done, mut epoch) = (0, 0);
        while done < steps {
            // Stages of a plan come when they would come in the whole run.
            read_sync(session.begin_epoch(done * candidate.epochs / steps))?;
            let first = done;
            let mut after = |report: StepReport| {
                if let Some(norms) = report.gradients.filter(|_| done < READ_STEPS) {
                    gradients.extend(read_sync(norms.by_module())?);
                }
                done += 1;
                progress.inc(1);
                interrupt::check()?;
                let over = Instant::now() > self.deadline;
                anyhow::Ok(done < steps && !over)
            };
            match (candidate.views, cache.as_mut()) {
                (Some(views), Some(cache)) => {
                    let views = self.train.in_views(views.count);
                    let view = cache.view(epoch);
                    let kept = cache.kept(view);
                    for batch in views.epoch(epoch, view, 0, None, kept, 0)? {
                        let mut batch = batch?;
                        let pictures = std::mem::take(&mut batch.pictures);
                        let make = |missing: &[usize]| batch.pixels(&views, view, missing);
                        let features =
                            read_sync(session.cached_features(cache, view, &pictures, make))?;
                        let report = session.step_features(&features);
                        if !after(report)? {
                            break;
                        }
                    }
                }
                _ => {
                    for batch in self.train.epoch(epoch, 0, None)? {
                        let report = session.step(&batch?);
                        if !after(report)? {
                            break;
                        }
                    }
                }
            }
            epoch += 1;
            if Instant::now() > self.deadline || done == first {
                break;
            }
        }
        progress.clear();
        self.device.sync()?;
        let steps_s = started.elapsed().as_secs_f64();
        if done < steps {
            return Ok(None);
        }
        let mut model = session.ema.model.fold();
        let reached = Reached::new(steps, model.architecture().nc, &self.validate(&mut model)?);
        Ok(Some(ShortRun {
            reached,
            steps_s,
            gradients: squares(gradients),
        }))
    }

    /// A cache for what `candidate` keeps.
    ///
    /// # Errors
    /// A size that does not fit the network.
    pub fn cache(&self, candidate: &Candidate) -> frostline::Result<Option<FeatureCache>> {
        let Some(views) = candidate.views else {
            return Ok(None);
        };
        let side = self.settings.imgsz;
        let cut = &candidate.plan.stages[0].cut;
        let maps = cut.maps(self.model.architecture(), side, side)?;
        let store = Box::new(RamStore::new(candidate.kept_bytes));
        let pictures = self.train.dataset.items.len();
        let cache = FeatureCache::new(maps, views.precision, pictures, views.count, store);
        Ok(Some(cache))
    }

    /// What `model` finds in the validation pictures.
    fn validate(&self, model: &mut Folded) -> anyhow::Result<Vec<Seen>> {
        let mut validator = Validator::new(model.architecture().nc, ValidateOptions::default());
        let progress = Progress::new("validate", self.val_batches.len());
        let mut seen = Vec::new();
        for &number in &self.val_batches {
            let batch = self.val.batch(number)?;
            let found = read_sync(validator.batch(model, None, &batch, &self.device))?;
            let pictures = found.into_iter().enumerate();
            seen.extend(pictures.map(|(picture, found)| Seen {
                found,
                labels: labels(&batch, picture),
            }));
            progress.inc(1);
            interrupt::check()?;
        }
        progress.clear();
        Ok(seen)
    }

    /// Seconds that the validation of a batch takes.
    ///
    /// # Errors
    /// As for a run.
    pub fn seconds_per_validation_batch(&self) -> anyhow::Result<f64> {
        let mut model = self.model.fold();
        let started = Instant::now();
        let mut validator = Validator::new(model.architecture().nc, ValidateOptions::default());
        let batch = self.val.batch(0)?;
        read_sync(validator.batch(&mut model, None, &batch, &self.device))?;
        Ok(started.elapsed().as_secs_f64())
    }

    /// Per module with a BatchNorm, how far the statistics of this data's features are from those that the weights
    /// learnt with: the norm of the difference over the norm. None where the network has nothing before Detect.
    ///
    /// # Errors
    /// As for a run.
    pub fn shift(&self, candidate: &Candidate) -> anyhow::Result<Vec<(usize, f64)>> {
        let modules = self.model.architecture().modules.len();
        let plan = candidate::plan(
            &modules.saturating_sub(1).to_string(),
            self.model.architecture(),
        )?;
        let mut session = Session::new(
            self.model.clone(),
            plan,
            SessionConfig {
                hyp: candidate.hyp.clone(),
                epochs: 1,
                batches: SHIFT_BATCHES,
                batch: self.batch_size,
                nominal: self.batch_size,
                imgsz: self.settings.imgsz,
                optimizer: candidate.optimizer,
                cosine: false,
                freeze_norms: FreezeNorms::Drift,
                rate_factors: std::collections::BTreeMap::new(),
                reference_schedule: false,
            },
            &self.device,
        );
        let before = read_sync(NormStatistics::read(&mut session.model))?;
        let mut batches = 0;
        // As they are: augmentation is not what is asked about.
        let views = self.train.in_views(1);
        let none = vec![false; self.train.dataset.items.len()];
        for batch in views.epoch(0, 0, 0, None, none, 0)?.take(SHIFT_BATCHES) {
            let mut batch = batch?;
            let pictures = std::mem::take(&mut batch.pictures);
            session.features(&batch.pixels(&views, 0, &pictures)?);
            batches += 1;
            interrupt::check()?;
        }
        let after = read_sync(NormStatistics::read(&mut session.model))?;
        // Running statistics go a part of the way with each batch.
        let way = 1.0 - (1.0 - frostline::model::norm::MOMENTUM).powi(batches);
        let drift = after.drift_since(&before).into_iter();
        Ok(drift.map(|(module, drift)| (module, drift / way)).collect())
    }
}

/// Means by module of squared norms.
fn squares(gradients: Vec<(usize, f64)>) -> Vec<(usize, f64)> {
    let mut sums = std::collections::BTreeMap::new();
    for (module, norm) in gradients {
        let (sum, count) = sums.entry(module).or_insert((0.0, 0));
        *sum += norm * norm;
        *count += 1;
    }
    sums.into_iter()
        .map(|(module, (sum, count))| (module, sum / f64::from(count)))
        .collect()
}

/// The labels of a batch's picture as class and corners in its pixels.
fn labels(batch: &Batch, picture: usize) -> Vec<(usize, [f32; 4])> {
    let [_, _, height, width] = batch.shape;
    let (width, height) = (width as f32, height as f32);
    let own = batch.targets.iter().filter(|(of, _)| *of == picture);
    own.map(|(_, label)| {
        let [cx, cy, w, h] = label.cxcywh;
        let corners = [
            (cx - w / 2.0) * width,
            (cy - h / 2.0) * height,
            (cx + w / 2.0) * width,
            (cy + h / 2.0) * height,
        ];
        (label.class, corners)
    })
    .collect()
}
