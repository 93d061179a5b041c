//! One training session, the same natively and in the browser.

use std::collections::{BTreeMap, HashMap};

use burn::tensor::{Device, Gradients, Tensor};

use super::ema::Ema;
use super::hyp::Hyp;
use super::optimizer::{Optimizer, OptimizerKind};
use super::receipt::{FrozenHash, Receipt, hash_frozen};
use super::schedule::{Rates, Schedule, scaled_weight_decay};
use crate::data::{Batch, Label};
use crate::error::Result;
use crate::freeze::{FreezePlan, Prefix, Stage};
use crate::loss::DetectionLoss;
use crate::model::architecture::ParameterKind;
use crate::model::state::{Held, take};
use crate::model::{BatchNorm, Features, Mode, Visitor, Yolov5};
use crate::ops::{self, is_served, square_sum};
use crate::weights::names::module_index;

/// Gradients are scaled down to this total norm.
const CLIP_NORM: f64 = 10.0;
/// Pixels that the frozen prefix takes at once on the CPU.
pub const GROUP_PIXELS: usize = 1 << 18;

/// What happens to the statistics of frozen BatchNorms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FreezeNorms {
    /// They stay: frozen modules are a fixed function.
    #[default]
    Fixed,
    /// They normalise with the batch and keep moving, as the reference does.
    Drift,
}

/// How a session trains.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// Hyperparameters.
    pub hyp: Hyp,
    /// Epochs of the whole run.
    pub epochs: usize,
    /// Batches per epoch.
    pub batches: usize,
    /// Pictures per batch.
    pub batch: usize,
    /// Pictures per optimizer step after warm-up.
    pub nominal: usize,
    /// Side of the training pictures in pixels.
    pub imgsz: usize,
    /// Update rule.
    pub optimizer: OptimizerKind,
    /// Cosine instead of linear decay of the rate.
    pub cosine: bool,
    /// Frozen statistics.
    pub freeze_norms: FreezeNorms,
    /// What the learning rate of a parameter is multiplied by, at every step; 1 for those that are not in it.
    pub rate_factors: BTreeMap<String, f64>,
    /// The reference's rules: gradients are dropped at each epoch's start, warm-up lasts at least 100 iterations.
    pub reference_schedule: bool,
}

/// What one step did. Tensors stay on the device until somebody reads them.
#[derive(Debug, Clone)]
pub struct StepReport {
    /// `[3]`: box, objectness and class loss.
    pub items: Tensor<1>,
    /// `[1]`: total loss times batch.
    pub total: Tensor<1>,
    /// `[1]`: norm of the gradients before clipping, when the optimizer stepped.
    pub gradient_norm: Option<Tensor<1>>,
    /// The gradients before clipping, parameter by parameter, when the optimizer stepped.
    pub gradients: Option<GradientSquares>,
    /// The rates in force.
    pub rates: Rates,
}

/// Squared norms of gradients.
#[derive(Debug, Clone)]
pub struct GradientSquares {
    /// The module of each parameter.
    modules: Vec<usize>,
    /// `[P]`, one per parameter.
    squares: Tensor<1>,
}

impl GradientSquares {
    /// The norm of the gradient of each module that learns.
    ///
    /// # Errors
    /// When the device fails.
    pub async fn by_module(self) -> Result<Vec<(usize, f64)>> {
        let squares = self.squares.into_data_async().await;
        let squares = squares.map_err(crate::device::failed)?;
        let mut sums = BTreeMap::new();
        for (module, square) in self.modules.into_iter().zip(squares.iter::<f64>()) {
            *sums.entry(module).or_insert(0.0) += square;
        }
        let modules = sums.into_iter();
        Ok(modules.map(|(module, sum)| (module, sum.sqrt())).collect())
    }
}

/// Model, freeze plan, optimizer, schedule and EMA.
#[derive(Debug)]
pub struct Session {
    /// The network in training; frozen tensors are plain, training ones record gradients. The frozen
    /// prefix runs as a folded copy: who changes frozen weights here makes a new session of it.
    pub model: Yolov5,
    /// Its moving average.
    pub ema: Ema,
    pub(super) optimizer: Optimizer,
    pub(super) pending: HashMap<String, Tensor<1>>,
    pub(super) iteration: usize,
    pub(super) stepped_at: i64,
    plan: FreezePlan,
    pub(super) stage: usize,
    schedule: Schedule,
    config: SessionConfig,
    loss: DetectionLoss,
    device: Device,
    /// The frozen prefix of the stage, folded; none where nothing leads or statistics drift.
    prefix: Option<Prefix>,
    /// Of the first feature map of the last step.
    shape: Option<[usize; 4]>,
    frozen_hash: Option<FrozenHash>,
    /// Of the stages that have ended.
    pub(super) receipts: Vec<Receipt>,
}

impl Session {
    /// A session that trains `model` by `plan` on `device`. The weights are taken as they are.
    pub fn new(model: Yolov5, plan: FreezePlan, config: SessionConfig, device: &Device) -> Self {
        let schedule = Schedule::new(
            &config.hyp,
            config.epochs,
            config.batches,
            config.batch,
            config.nominal,
            config.cosine,
            config.reference_schedule,
        );
        let decay = scaled_weight_decay(config.hyp.weight_decay, config.batch, config.nominal);
        let loss = DetectionLoss::new(model.architecture(), &config.hyp, config.imgsz);
        let mut session = Self {
            ema: Ema::new(&model),
            model,
            optimizer: Optimizer::new(config.optimizer, decay),
            pending: HashMap::new(),
            iteration: 0,
            stepped_at: -1,
            plan,
            stage: 0,
            schedule,
            config,
            loss,
            device: device.clone().without_autodiff(),
            prefix: None,
            shape: None,
            frozen_hash: None,
            receipts: Vec::new(),
        };
        session.apply_stage(0);
        session
    }

    /// How this session trains.
    pub fn config(&self) -> &SessionConfig {
        &self.config
    }

    /// The freeze plan.
    pub fn plan(&self) -> &FreezePlan {
        &self.plan
    }

    /// The rates by iteration.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Iterations done so far.
    pub fn iteration(&self) -> usize {
        self.iteration
    }

    /// The device, without autodiff.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The freeze stage in force.
    pub fn stage(&self) -> &Stage {
        &self.plan.stages[self.stage]
    }

    /// Starts `epoch`: applies its freeze stage and notes the hash of what is frozen. A stage that ends
    /// here gets its receipt. What is frozen from now on stops moving in the average too: there it
    /// becomes what it is in the network, for what learns behind it learns from that.
    ///
    /// # Errors
    /// When the device fails.
    pub async fn begin_epoch(&mut self, epoch: usize) -> Result<()> {
        let stage = self
            .plan
            .stages
            .iter()
            .rposition(|stage| stage.from_epoch <= epoch)
            .unwrap_or(0);
        if stage != self.stage {
            if self.frozen_hash.is_some() {
                let receipt = self.receipt().await?;
                self.receipts.push(receipt);
                self.frozen_hash = None;
            }
            self.apply_stage(stage);
            self.ema.settle(&mut self.model);
        }
        if self.frozen_hash.is_none() {
            self.frozen_hash = Some(self.hash().await?);
        }
        // A run that resumes within an epoch has gradients of that very epoch.
        if self.config.reference_schedule && self.iteration.is_multiple_of(self.config.batches) {
            self.pending.clear();
        }
        Ok(())
    }

    /// What was frozen when this stage began against what it is now.
    ///
    /// # Errors
    /// When the device fails.
    pub async fn receipt(&mut self) -> Result<Receipt> {
        let after = self.hash().await?;
        let before = self.frozen_hash.clone().unwrap_or_else(|| after.clone());
        Ok(Receipt {
            from_epoch: self.plan.stages[self.stage].from_epoch,
            before,
            after,
        })
    }

    /// The receipts of all stages so far, the one under way included.
    ///
    /// # Errors
    /// When the device fails.
    pub async fn receipts(&mut self) -> Result<Vec<Receipt>> {
        let mut receipts = self.receipts.clone();
        receipts.push(self.receipt().await?);
        Ok(receipts)
    }

    /// Sets the hash that the freeze began with, when a run resumes.
    pub(super) fn set_frozen_hash(&mut self, hash: FrozenHash) {
        self.frozen_hash = Some(hash);
    }

    /// The hash that the freeze began with.
    pub fn frozen_hash(&self) -> Option<&FrozenHash> {
        self.frozen_hash.as_ref()
    }

    async fn hash(&mut self) -> Result<FrozenHash> {
        hash_frozen(&mut self.model, &self.plan.stages[self.stage]).await
    }

    /// One batch: forward, loss, backward, and an optimizer step when enough pictures have been seen.
    pub fn step(&mut self, batch: &Batch) -> StepReport {
        let rates = self.schedule.at(self.iteration);
        self.step_with(batch, rates)
    }

    /// As [`Session::step`], at given rates.
    pub fn step_with(&mut self, batch: &Batch, rates: Rates) -> StepReport {
        let features = self.run_prefix(batch);
        self.advance(features, &batch.targets, rates)
    }

    /// The frozen modules before the cut. Their tensors are plain, so nothing is recorded. A fixed
    /// function takes the pictures one after the other as well as together: on the CPU in groups that
    /// need little memory at once.
    pub(super) fn run_prefix(&mut self, batch: &Batch) -> Features {
        let Some(prefix) = &mut self.prefix else {
            let modules = 0..self.plan.stages[self.stage].cut.prefix;
            let image = image_tensor(batch, &self.device);
            return self.model.run(modules, Features::image(image), Mode::Train);
        };
        let [pictures, channels, height, width] = batch.shape;
        let group = if is_served(&self.device) {
            (GROUP_PIXELS / (height * width).max(1)).clamp(1, pictures.max(1))
        } else {
            pictures.max(1)
        };
        let pixels = (group * channels * height * width).max(1);
        let groups = batch.pixels.chunks(pixels).map(|pixels| {
            let pictures = pixels.len() / (channels * height * width).max(1);
            let shape = [pictures, channels, height, width];
            prefix.run(ops::image(pixels, shape, &self.device))
        });
        Features::cat(groups.collect())
    }

    /// What learns, from the cut on: forward, loss, backward, and maybe an optimizer step.
    pub(super) fn advance(
        &mut self,
        features: Features,
        targets: &[(usize, Label)],
        rates: Rates,
    ) -> StepReport {
        let shape = features.shape();
        if self.shape != shape {
            self.shape = shape;
            ops::release();
        }
        let first = self.plan.stages[self.stage].cut.prefix;
        let detect = self.model.architecture().modules.len() - 1;
        let features = self.model.run(first..detect, features, Mode::Train);
        let inputs = self.model.detect_inputs(&features);
        drop(features);
        let output = self.loss.of_features(self.model.detect(), inputs, targets);
        let mut found = output.total.backward();
        self.model.visit(&mut Collect {
            gradients: &mut found,
            pending: &mut self.pending,
        });

        let (mut gradient_norm, mut gradients) = (None, None);
        if self.iteration as i64 - self.stepped_at >= rates.accumulate as i64 {
            let (norm, squares) = self.update(&rates);
            gradient_norm = Some(norm);
            gradients = squares;
            self.stepped_at = self.iteration as i64;
        }
        self.iteration += 1;
        StepReport {
            items: output.items.without_autodiff(),
            total: output.total.without_autodiff(),
            gradient_norm,
            gradients,
            rates,
        }
    }

    fn update(&mut self, rates: &Rates) -> (Tensor<1>, Option<GradientSquares>) {
        let Clip {
            norm,
            factor,
            squares,
        } = clip(&self.pending, &self.device);
        self.model.visit(&mut Update {
            pending: &mut self.pending,
            optimizer: &mut self.optimizer,
            factor,
            rates,
            rate_factors: &self.config.rate_factors,
        });
        self.pending.clear();
        self.ema.update(&mut self.model);
        (norm, squares)
    }

    /// Re-applies the stage: frozen tensors become plain, training ones record gradients.
    pub(super) fn apply_stage(&mut self, stage: usize) {
        self.stage = stage;
        let frozen = self
            .model
            .architecture()
            .parameters()
            .into_iter()
            .zip(&self.plan.stages[stage].frozen)
            .map(|(parameter, &frozen)| (parameter.name, frozen))
            .collect();
        let fixed = match self.config.freeze_norms {
            FreezeNorms::Fixed => Some(&self.plan.stages[stage].fixed_norms),
            FreezeNorms::Drift => None,
        };
        self.model.visit(&mut Apply { frozen, fixed });
        self.prefix = match self.config.freeze_norms {
            FreezeNorms::Fixed => Prefix::new(&self.model, &self.plan.stages[stage]),
            FreezeNorms::Drift => None,
        };
        let trains: std::collections::HashSet<String> = self
            .model
            .architecture()
            .parameters()
            .into_iter()
            .zip(&self.plan.stages[stage].frozen)
            .filter_map(|(parameter, &frozen)| (!frozen).then_some(parameter.name))
            .collect();
        self.pending.retain(|name, _| trains.contains(name));
        self.optimizer
            .memory
            .retain(|name, _| trains.contains(name));
    }
}

/// Pixels `[B, 3, H, W]` of a batch as `0..=1` on `device`.
pub fn image_tensor(batch: &Batch, device: &Device) -> Tensor<4> {
    ops::image(&batch.pixels, batch.shape, device)
}

/// What scales the gradients of a step.
struct Clip {
    /// `[1]`, the total norm.
    norm: Tensor<1>,
    /// `[1]`, what brings it to at most [`CLIP_NORM`].
    factor: Tensor<1>,
    /// Its parts; none without gradients.
    squares: Option<GradientSquares>,
}

fn clip(pending: &HashMap<String, Tensor<1>>, device: &Device) -> Clip {
    // Sorted, so that the sum does not depend on the map's order.
    let mut names: Vec<&String> = pending.keys().collect();
    names.sort();
    let squares: Vec<Tensor<1>> = names
        .iter()
        .map(|name| square_sum(pending[*name].clone()))
        .collect();
    let squares = (!squares.is_empty()).then(|| GradientSquares {
        modules: names
            .iter()
            .map(|name| module_index(name).unwrap_or_default())
            .collect(),
        squares: Tensor::cat(squares, 0),
    });
    let norm = match &squares {
        None => Tensor::zeros([1], device),
        Some(GradientSquares { squares, .. }) => squares.clone().sum().sqrt(),
    };
    let factor = norm
        .clone()
        .add_scalar(1e-6)
        .recip()
        .mul_scalar(CLIP_NORM)
        .clamp_max(1.0);
    Clip {
        norm,
        factor,
        squares,
    }
}

struct Apply<'a> {
    frozen: HashMap<String, bool>,
    fixed: Option<&'a std::collections::BTreeSet<String>>,
}

impl Visitor for Apply<'_> {
    fn parameter<const D: usize>(&mut self, name: &str, _: ParameterKind, tensor: &mut Tensor<D>) {
        let plain = tensor.clone().without_autodiff();
        let frozen = self.frozen.get(name).copied().unwrap_or(false);
        *tensor = if frozen {
            plain
        } else {
            plain.autodiff().require_grad()
        };
    }

    fn norm(&mut self, path: &str, norm: &mut BatchNorm) {
        norm.fixed = self.fixed.is_some_and(|fixed| fixed.contains(path));
        norm.visit_parts(path, self);
    }
}

struct Collect<'a> {
    gradients: &'a mut Gradients,
    pending: &'a mut HashMap<String, Tensor<1>>,
}

impl Visitor for Collect<'_> {
    fn parameter<const D: usize>(&mut self, name: &str, _: ParameterKind, tensor: &mut Tensor<D>) {
        let Some(gradient) = tensor.grad_remove(self.gradients) else {
            return;
        };
        let Held::Float { flat, .. } = Held::float(&gradient) else {
            return;
        };
        let sum = match self.pending.remove(name) {
            Some(before) => before + flat,
            None => flat,
        };
        self.pending.insert(name.to_owned(), sum);
    }
}

struct Update<'a> {
    pending: &'a mut HashMap<String, Tensor<1>>,
    optimizer: &'a mut Optimizer,
    factor: Tensor<1>,
    rates: &'a Rates,
    rate_factors: &'a BTreeMap<String, f64>,
}

impl Visitor for Update<'_> {
    fn parameter<const D: usize>(
        &mut self,
        name: &str,
        kind: ParameterKind,
        tensor: &mut Tensor<D>,
    ) {
        let Some(gradient) = self.pending.remove(name) else {
            return;
        };
        let shape = tensor.dims();
        let count = [shape.iter().product::<usize>()];
        let plain = take(tensor).without_autodiff().reshape(count);
        let factor = self.factor.clone();
        let rates = match self.rate_factors.get(name) {
            Some(&of_rate) => self.rates.times(of_rate),
            None => *self.rates,
        };
        let moved = self
            .optimizer
            .step(name, kind, plain, gradient, factor, &rates);
        *tensor = moved.reshape(shape).autodiff().require_grad();
    }
}
