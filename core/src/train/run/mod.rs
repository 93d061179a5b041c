//! A whole run over pictures in memory, piece by piece: whoever drives it may look away between two pieces, as a
//! browser must. It learns what the native program learns from the same pictures, settings and seed.

mod plan;
mod snapshot;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use burn::tensor::Device;

use super::drift::NormStatistics;
use super::record::Views;
use super::session::{Session, StepReport};
use super::start::{Start, StartOptions, architecture_of, start, trained};
use crate::data::rect::RectBatches;
use crate::data::transform::{TrainTransform, batch, order, rng_for, val_sample};
use crate::data::{Batch, Source};
use crate::error::{Error, Result};
use crate::eval::{KeptValidation, Metrics, ValidateOptions, Validation, Validator};
use crate::freeze::FeatureCache;
use crate::freeze::cache::FeatureStore;
use crate::loss::DetectionLoss;
use crate::model::Folded;
use crate::train::Receipt;
use crate::weights::{Checkpoint, Precision};

pub use plan::{RunPlan, RunSettings};
pub use snapshot::Snapshot;

/// Strides that a validation batch is padded by.
const VAL_PAD: f64 = 0.5;
/// The network's largest stride in pixels.
const STRIDE: usize = 32;

/// The pictures of a run.
#[derive(Clone)]
pub struct RunData {
    /// Class names.
    pub names: Vec<String>,
    /// Learnt from, resized for training.
    pub train: Arc<dyn Source>,
    /// Validated on, resized for validation.
    pub val: Arc<dyn Source>,
}

impl std::fmt::Debug for RunData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunData")
            .field("names", &self.names)
            .field("train", &self.train.len())
            .field("val", &self.val.len())
            .finish()
    }
}

/// What became of the weights at the start.
#[derive(Debug, Clone, Default)]
pub struct Begun {
    /// Items taken from the checkpoint.
    pub transferred: usize,
    /// Items of the network.
    pub items: usize,
    /// Why the others were not taken.
    pub explanation: Vec<String>,
    /// Whether anchors were fitted to the boxes.
    pub new_anchors: bool,
}

/// Where features are kept: asked once per freeze stage, with the bytes that they will take.
pub type MakeStore = Box<dyn FnMut(u64) -> Box<dyn FeatureStore>>;

/// A piece of a run that was done.
#[derive(Debug)]
pub enum Piece {
    /// A step.
    Step(Step),
    /// A batch of validation.
    Validated,
    /// An epoch, validation included.
    Epoch(Box<EpochReport>),
    /// All of it. Nothing follows.
    End(Box<RunReport>),
}

/// A step.
#[derive(Debug)]
pub struct Step {
    /// Counted from 0.
    pub epoch: usize,
    /// Within the epoch, counted from 0.
    pub step: usize,
    /// Box, objectness and class loss.
    pub losses: [f64; 3],
    /// What else the session says.
    pub report: StepReport,
    /// Pictures of the epoch's view whose features are kept, and how many there are; none where none are kept.
    pub features: Option<[usize; 2]>,
}

/// An epoch.
#[derive(Debug, Clone)]
pub struct EpochReport {
    /// Counted from 0.
    pub epoch: usize,
    /// Means over its steps.
    pub losses: [f64; 3],
    /// What validation found.
    pub validation: Validation,
    /// Whether it is the best so far.
    pub best: bool,
    /// Per module, how far its statistics have moved since the run began.
    pub drift: Vec<(usize, f64)>,
}

/// A run that has ended.
#[derive(Debug, Clone)]
pub struct RunReport {
    /// Epochs that were done.
    pub epochs: usize,
    /// The best one; none when none was finished.
    pub best_epoch: Option<usize>,
    /// What its weights reach, as they are saved.
    pub best: Option<Metrics>,
    /// Per freeze stage.
    pub receipts: Vec<Receipt>,
}

/// A run.
pub struct Run {
    settings: RunSettings,
    plan: RunPlan,
    session: Session,
    data: RunData,
    transform: TrainTransform,
    rect: RectBatches,
    loss: DetectionLoss,
    make_store: MakeStore,
    /// The freeze stage that `cache` and `kept` are of.
    stage: Option<usize>,
    cache: Option<FeatureCache>,
    kept: KeptValidation,
    statistics: NormStatistics,
    begun: Begun,
    at: At,
    best: Option<Best>,
    device: Device,
}

/// Where a run stands.
#[derive(Debug)]
struct At {
    epoch: usize,
    batch: usize,
    loss_sums: [f64; 3],
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Begin,
    Steps,
    Validation(Validating),
    /// The best weights, validated once more as they are saved.
    Last(Validating),
    End,
}

#[derive(Debug)]
struct Validating {
    model: Folded,
    validator: Validator,
    batch: usize,
}

/// The best weights so far.
#[derive(Debug, Clone)]
struct Best {
    epoch: usize,
    fitness: f64,
    /// In half precision, a `.safetensors` file.
    file: Vec<u8>,
}

impl Run {
    /// A run that fine-tunes `checkpoint`; `place` names it in errors. Features may take `most_bytes`.
    ///
    /// # Errors
    /// When weights, settings and pictures do not fit together.
    pub async fn new(
        settings: RunSettings,
        checkpoint: &Checkpoint,
        place: &str,
        data: RunData,
        most_bytes: u64,
        make_store: MakeStore,
        device: &Device,
    ) -> Result<Self> {
        let architecture = architecture_of(checkpoint, place, data.names.len())?;
        let plan = settings.settle(&architecture, &*data.train, most_bytes)?;
        let options = StartOptions {
            freeze: &settings.freeze,
            seed: settings.seed,
            own_anchors: false,
            keep: None,
            allow_untransferred: false,
            autoanchor: Some((settings.imgsz, plan.config.hyp.anchor_t)),
        };
        let Start {
            model,
            plan: freeze,
            transfer,
            anchors,
        } = start(
            architecture,
            Some(checkpoint),
            &*data.train,
            options,
            device,
        )
        .await?;
        let transfer = transfer.as_ref();
        let begun = Begun {
            transferred: transfer.map_or(0, |transfer| transfer.taken.len()),
            items: transfer.map_or(0, |transfer| transfer.total),
            explanation: transfer.map_or_else(Vec::new, |transfer| transfer.explanation()),
            new_anchors: anchors.is_some_and(|report| report.replaced),
        };
        let session = Session::new(model, freeze, plan.config.clone(), device);
        Self::over(settings, plan, session, data, begun, make_store, device).await
    }

    async fn over(
        settings: RunSettings,
        plan: RunPlan,
        mut session: Session,
        data: RunData,
        begun: Begun,
        make_store: MakeStore,
        device: &Device,
    ) -> Result<Self> {
        let sizes: Vec<[usize; 2]> = (0..data.val.len())
            .map(|index| data.val.original_size(index))
            .collect();
        let config = &plan.config;
        let transform = TrainTransform {
            imgsz: config.imgsz,
            hyp: config.hyp.clone(),
            // A single fixed view is the picture as it is.
            augment: plan.views.is_none_or(|views| views.count > 1),
            mosaic: true,
            rect: None,
            pool: None,
        };
        let loss = DetectionLoss::new(session.model.architecture(), &config.hyp, config.imgsz);
        Ok(Self {
            transform,
            rect: RectBatches::new(&sizes, config.imgsz, config.batch * 2, STRIDE, VAL_PAD),
            loss,
            make_store,
            stage: None,
            cache: None,
            kept: KeptValidation::new(0),
            statistics: NormStatistics::read(&mut session.model).await?,
            begun,
            at: At {
                epoch: 0,
                batch: 0,
                loss_sums: [0.0; 3],
                phase: Phase::Begin,
            },
            best: None,
            device: device.clone().without_autodiff(),
            settings,
            plan,
            session,
            data,
        })
    }

    /// What it was told.
    pub fn settings(&self) -> &RunSettings {
        &self.settings
    }

    /// What it does.
    pub fn plan(&self) -> &RunPlan {
        &self.plan
    }

    /// What became of the weights at the start.
    pub fn begun(&self) -> &Begun {
        &self.begun
    }

    /// The epoch under way, counted from 0.
    pub fn epoch(&self) -> usize {
        self.at.epoch
    }

    /// Steps that are left of the whole run.
    pub fn steps_left(&self) -> usize {
        let epochs = self.settings.epochs.saturating_sub(self.at.epoch);
        (epochs * self.plan.config.batches).saturating_sub(self.at.batch)
    }

    /// The best weights so far, as a `.safetensors` file in half precision.
    pub fn best(&self) -> Option<&[u8]> {
        self.best.as_ref().map(|best| &best.file[..])
    }

    /// The network as it is now, for inference: the moving average.
    pub fn network(&self) -> Folded {
        self.session.ema.model.fold()
    }

    /// No further steps: what follows is the end.
    pub fn stop(&mut self) -> Result<()> {
        if !matches!(self.at.phase, Phase::Last(_) | Phase::End) {
            self.at.phase = self.last()?;
        }
        Ok(())
    }

    /// Does the next piece.
    ///
    /// # Errors
    /// When a picture cannot be read, the device fails, or the loss is no number any more.
    pub async fn advance(&mut self) -> Result<Piece> {
        loop {
            match &mut self.at.phase {
                Phase::Begin if self.at.epoch >= self.settings.epochs => {
                    self.at.phase = self.last()?;
                }
                Phase::Begin => {
                    self.session.begin_epoch(self.at.epoch).await?;
                    self.enter_stage()?;
                    self.at.phase = Phase::Steps;
                }
                Phase::Steps if self.at.batch < self.plan.config.batches => {
                    return self.step().await.map(Piece::Step);
                }
                Phase::Steps => {
                    let model = self.session.ema.model.fold();
                    self.at.phase = Phase::Validation(Validating::new(model));
                }
                Phase::Validation(validating) | Phase::Last(validating)
                    if validating.batch < self.rect.batches().len() =>
                {
                    let with_loss = !matches!(self.at.phase, Phase::Last(_));
                    self.validate(with_loss).await?;
                    return Ok(Piece::Validated);
                }
                Phase::Validation(_) => {
                    let phase = std::mem::replace(&mut self.at.phase, Phase::Begin);
                    let Phase::Validation(validating) = phase else {
                        continue;
                    };
                    let report = self.end_epoch(validating.validator.finish()).await?;
                    return Ok(Piece::Epoch(Box::new(report)));
                }
                Phase::Last(_) | Phase::End => {
                    let phase = std::mem::replace(&mut self.at.phase, Phase::End);
                    let best = match phase {
                        Phase::Last(validating) => Some(validating.validator.finish().metrics),
                        _ => None,
                    };
                    return Ok(Piece::End(Box::new(RunReport {
                        epochs: self.at.epoch,
                        best_epoch: self.best.as_ref().map(|best| best.epoch),
                        best,
                        receipts: self.session.receipts().await?,
                    })));
                }
            }
        }
    }

    /// The phase after the last step.
    fn last(&self) -> Result<Phase> {
        let Some(best) = &self.best else {
            return Ok(Phase::End);
        };
        let checkpoint = Checkpoint::from_bytes(&best.file, "the best weights")?;
        let (model, _) = trained(&checkpoint, "the best weights", &self.device)?;
        Ok(Phase::Last(Validating::new(model.fold())))
    }

    fn enter_stage(&mut self) -> Result<()> {
        let stage = self.session.stage();
        if self.stage == Some(stage.from_epoch) {
            return Ok(());
        }
        self.stage = Some(stage.from_epoch);
        // The old one's room is free before the new one asks for some.
        self.cache = None;
        self.kept = KeptValidation::new(stage.cut.prefix);
        let Some(Views { count, precision }) = self.plan.views else {
            return Ok(());
        };
        if stage.cut.prefix == 0 {
            return Ok(());
        }
        let side = self.plan.config.imgsz;
        let maps = stage
            .cut
            .maps(self.session.model.architecture(), side, side)?;
        let store = (self.make_store)(self.plan.feature_bytes);
        let pictures = self.data.train.len();
        self.cache = Some(FeatureCache::new(maps, precision, pictures, count, store));
        Ok(())
    }

    async fn step(&mut self) -> Result<Step> {
        let (seed, size) = (self.settings.seed, self.plan.config.batch);
        let (epoch, number) = (self.at.epoch, self.at.batch);
        let order = order(seed, epoch, self.data.train.len());
        let from = number * size;
        let pictures = &order[from..(from + size).min(order.len())];
        let (train, transform) = (&*self.data.train, &self.transform);
        let mut features = None;
        let report = match &mut self.cache {
            None => {
                let samples = pictures.iter().enumerate().map(|(place, &picture)| {
                    let mut rng = rng_for(seed, epoch, from + place);
                    transform.sample(train, picture, &mut rng)
                });
                self.session.step(&batch(samples.collect::<Result<_>>()?)?)
            }
            Some(cache) => {
                let view = cache.view(epoch);
                let make = |missing: &[usize]| transform.view_batch(train, seed, view, missing);
                let at_cut = self
                    .session
                    .cached_features(cache, view, pictures, make)
                    .await?;
                let kept = cache.kept(view);
                features = Some([kept.iter().filter(|kept| **kept).count(), kept.len()]);
                self.session.step_features(&at_cut)
            }
        };
        let items = report.items.clone().into_data_async().await;
        let items: Vec<f64> = items.map_err(crate::device::failed)?.iter().collect();
        let losses = [0, 1, 2].map(|part| items.get(part).copied().unwrap_or(f64::NAN));
        if losses.iter().any(|loss| !loss.is_finite()) {
            return Err(Error::input(
                format!("epoch {}, batch {}", epoch + 1, number + 1),
                format!("a loss of {losses:?}"),
                "finite numbers",
                format!(
                    "Take a lower learning rate than {}",
                    self.plan.config.hyp.lr0
                ),
            ));
        }
        for (sum, loss) in self.at.loss_sums.iter_mut().zip(losses) {
            *sum += loss;
        }
        self.at.batch += 1;
        Ok(Step {
            epoch,
            step: number,
            losses,
            report,
            features,
        })
    }

    async fn validate(&mut self, with_loss: bool) -> Result<()> {
        let (Phase::Validation(validating) | Phase::Last(validating)) = &mut self.at.phase else {
            return Ok(());
        };
        let number = validating.batch;
        let (rect, val) = (&self.rect, &*self.data.val);
        let make = || val_batch(rect, val, number);
        let loss = with_loss.then_some(&self.loss);
        let Validating {
            model, validator, ..
        } = validating;
        self.kept
            .batch(number, validator, model, loss, make, &self.device)
            .await?;
        validating.batch += 1;
        Ok(())
    }

    async fn end_epoch(&mut self, validation: Validation) -> Result<EpochReport> {
        let epoch = self.at.epoch;
        let batches = self.plan.config.batches.max(1) as f64;
        let losses = self.at.loss_sums.map(|sum| sum / batches);
        let fitness = validation.metrics.fitness;
        let best = self.best.as_ref().is_none_or(|best| fitness > best.fitness);
        if best {
            let checkpoint = Checkpoint {
                tensors: self.session.ema.model.state_dict().await?,
                names: Some(self.data.names.clone()),
                architecture: Some(self.session.model.architecture().clone()),
                epoch: Some(epoch as i64),
                best_fitness: Some(fitness),
                ..Checkpoint::default()
            };
            self.best = Some(Best {
                epoch,
                fitness,
                file: checkpoint.to_safetensors(Precision::Half)?,
            });
        }
        let now = NormStatistics::read(&mut self.session.model).await?;
        self.at.epoch += 1;
        self.at.batch = 0;
        self.at.loss_sums = [0.0; 3];
        Ok(EpochReport {
            epoch,
            losses,
            validation,
            best,
            drift: now.drift_since(&self.statistics),
        })
    }
}

impl Validating {
    fn new(model: Folded) -> Self {
        let classes = model.architecture().nc;
        Self {
            validator: Validator::new(classes, ValidateOptions::default()),
            model,
            batch: 0,
        }
    }
}

fn val_batch(rect: &RectBatches, val: &dyn Source, number: usize) -> Result<Batch> {
    let Some((pictures, shape)) = rect.batches().nth(number) else {
        return Err(Error::input(
            "validation",
            format!("batch {number}"),
            "a batch of the set",
            "",
        ));
    };
    let samples = pictures.iter().map(|&index| val_sample(val, index, shape));
    batch(samples.collect::<Result<_>>()?)
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run")
            .field("settings", &self.settings)
            .field("data", &self.data)
            .field("epoch", &self.at.epoch)
            .field("batch", &self.at.batch)
            .finish_non_exhaustive()
    }
}
