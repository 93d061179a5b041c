//! The run itself: epochs of steps, validation, checkpoints, and what is said about them.

use std::time::Instant;

use burn::tensor::{Device, Tensor, read_sync};
use frostline::data::Label;
use frostline::eval::{Metrics, ValidateOptions};
use frostline::loss::DetectionLoss;
use frostline::train::record::RunRecord;
use frostline::train::snapshot::SessionRecord;
use frostline::train::{Hyp, Session};

use super::checkpoints::Checkpoints;
use super::data::{TrainData, ValData};
use super::epoch::StageCache;
use super::features::Keeping;
use super::foretold::{Foretold, Truth};
use super::log::StepLog;
use super::validation::{validate, validate_kept};
use crate::args::TrainSettings;
use crate::interrupt::Interrupted;
use crate::plots;
use crate::progress::say;
use crate::results::{EpochRow, Results};
use crate::run_folder::RunFolder;
use crate::usage::{Meter, UsageLog};

/// Training batches and validation batches that are drawn.
pub(super) const DRAWN_BATCHES: usize = 3;
/// Where a run stands; what of it must survive an interruption goes into [`RunRecord`].
pub(super) struct Progression {
    pub(super) epoch: usize,
    pub(super) batch: usize,
    pub(super) loss_sums: [f64; 3],
    pub(super) best_fitness: Option<f64>,
    pub(super) best_epoch: usize,
    pub(super) class_map: Vec<f64>,
    /// Losses of steps that nobody has read yet: a read waits for the device.
    pub(super) unread: Vec<Tensor<1>>,
    pub(super) read_at: Instant,
    pub(super) meter: Meter,
}

impl Progression {
    /// At the start, with `classes` classes.
    pub(super) fn new(classes: usize) -> Self {
        Self {
            epoch: 0,
            batch: 0,
            loss_sums: [0.0; 3],
            best_fitness: None,
            best_epoch: 0,
            class_map: vec![0.0; classes],
            unread: vec![],
            read_at: Instant::now(),
            meter: Meter::start(),
        }
    }
}

pub(super) struct Run<'a> {
    pub(super) settings: &'a TrainSettings,
    pub(super) hyp: Hyp,
    pub(super) nominal: usize,
    /// Pictures per batch in force.
    pub(super) batch_size: usize,
    /// How often the rate was lowered.
    pub(super) tries: usize,
    pub(super) names: Vec<String>,
    pub(super) folder: RunFolder,
    pub(super) files: Checkpoints,
    pub(super) train: TrainData,
    pub(super) val: ValData,
    pub(super) keeping: Option<Keeping>,
    pub(super) device: Device,
    /// What computes, for those who keep what was computed.
    pub(super) computed_by: String,
    pub(super) started: Instant,
    pub(super) foretold: Option<Foretold>,
    pub(super) log: StepLog,
}

impl Run<'_> {
    /// Writes what the run was told, and draws what it learns from.
    pub(super) fn write_settings(&self) -> anyhow::Result<()> {
        std::fs::write(self.folder.file("hyp.yaml"), self.hyp.to_yaml())?;
        std::fs::write(self.folder.file("opt.yaml"), self.settings.to_yaml()?)?;
        if self.settings.noplots {
            return Ok(());
        }
        let items = self.train.dataset.items.iter();
        let labels: Vec<Label> = items.flat_map(|item| item.labels.iter().copied()).collect();
        plots::plot_labels(&self.folder.file("labels.jpg"), &labels, &self.names)?;
        Ok(())
    }

    pub(super) fn epochs(
        &self,
        session: &mut Session,
        at: &mut Progression,
        results: &mut Results,
    ) -> anyhow::Result<()> {
        let loss = DetectionLoss::new(session.model.architecture(), &self.hyp, self.settings.imgsz);
        if at.epoch == 0 && at.batch == 0 && !self.settings.nosave {
            self.save(session, at)?;
        }
        let mut cache = StageCache::default();
        let usage = UsageLog::open(self.folder.file("usage.csv"))?;
        let mut truth = Truth::default();
        while at.epoch < self.settings.epochs && !self.waited_enough(at) {
            let epoch = at.epoch;
            read_sync(session.begin_epoch(epoch))?;
            cache.enter_stage(self, session)?;
            let first = at.batch;
            at.meter = Meter::start();
            let computed = cache.computed();
            self.epoch(session, at, cache.features.as_mut())?;
            let used = at.meter.read(epoch, at.batch - first, &self.device);
            usage.append(&used)?;
            let found_kept = computed.is_some() && computed == cache.computed();
            truth.add(&used, found_kept, self.foretold.as_ref());
            let last = epoch + 1 == self.settings.epochs;
            let rates = session.schedule().at(session.iteration().saturating_sub(1));
            let batches = self.train.batches() as f64;
            let mut row = EpochRow {
                epoch,
                train: at.loss_sums.map(|sum| sum / batches),
                metrics: None,
                val: None,
                lr: [rates.bias, rates.weight, rates.norm],
            };
            let mut fitness = None;
            if !self.settings.noval || last {
                let mut model = session.ema.model.fold();
                let validation = match cache.validation() {
                    Some(kept) => {
                        let (val, device) = (&self.val, &self.device);
                        validate_kept(&mut model, val, Some(&loss), device, kept)
                    }
                    None => validate(
                        &mut model,
                        &self.val,
                        Some(&loss),
                        ValidateOptions::default(),
                        &self.device,
                        &mut |_, _, _| Ok(()),
                    ),
                };
                let validation = match validation {
                    Err(error) if error.is::<Interrupted>() => return self.stop(session, at),
                    validation => validation?,
                };
                let metrics = &validation.metrics;
                row.metrics = Some([
                    metrics.precision,
                    metrics.recall,
                    metrics.map50,
                    metrics.map,
                ]);
                row.val = Some(validation.loss);
                fitness = Some(metrics.fitness);
                at.class_map = class_map(metrics, self.names.len());
            }
            say(&epoch_line(
                &row,
                self.settings.epochs,
                self.started.elapsed().as_secs_f64(),
            ));
            self.log.epoch(&row)?;
            results.append(row)?;
            at.epoch += 1;
            at.batch = 0;
            at.loss_sums = [0.0; 3];
            if let Some(fitness) =
                fitness.filter(|&fitness| at.best_fitness.is_none_or(|best| fitness > best))
            {
                at.best_fitness = Some(fitness);
                at.best_epoch = epoch;
                if !self.settings.nosave {
                    self.files.save_weights(
                        &mut session.ema.model,
                        epoch,
                        fitness,
                        &self.files.best(),
                    )?;
                }
            }
            if !self.settings.nosave || last {
                self.save(session, at)?;
            }
            if self
                .settings
                .save_period
                .is_some_and(|period| (epoch + 1).is_multiple_of(period))
            {
                self.files
                    .save_epoch(&mut session.ema.model, epoch, fitness.unwrap_or(0.0))?;
            }
        }
        cache.say_counts();
        truth.say(self.foretold.as_ref());
        self.finish(session, at)
    }

    /// Whether the fitness has not grown for as long as a person wants to wait. Asked before an epoch, so that a run
    /// which is interrupted here does not go on for one more.
    fn waited_enough(&self, at: &Progression) -> bool {
        let waited = at.epoch.saturating_sub(at.best_epoch + 1);
        let enough = self.settings.patience > 0
            && at.best_fitness.is_some()
            && waited >= self.settings.patience;
        if enough {
            say(&format!(
                "stopping early: no better fitness in {waited} epochs, the best was epoch {}",
                at.best_epoch + 1
            ));
        }
        enough
    }

    /// Saves where the run stands and ends it.
    pub(super) fn stop(&self, session: &mut Session, at: &Progression) -> anyhow::Result<()> {
        self.save(session, at)?;
        say(&format!(
            "stopped after this step; `frostline train --resume {}` goes on",
            self.files.last().display()
        ));
        Err(Interrupted.into())
    }

    pub(super) fn save(&self, session: &mut Session, at: &Progression) -> anyhow::Result<()> {
        let optimizer = session.config().optimizer;
        let record = |part: SessionRecord| RunRecord {
            session: part,
            next_batch: at.batch,
            loss_sums: at.loss_sums,
            best_fitness: at.best_fitness,
            best_epoch: at.best_epoch,
            class_map: at.class_map.clone(),
            lr0: self.hyp.lr0,
            optimizer,
            nominal: self.nominal,
            batch: Some(self.batch_size),
            views: self.keeping.map(|keeping| keeping.views),
        };
        self.files.save_last(session, at.epoch, record)
    }
}

fn class_map(metrics: &Metrics, classes: usize) -> Vec<f64> {
    let mut map = vec![metrics.map; classes];
    for class in &metrics.per_class {
        if let Some(slot) = map.get_mut(class.class) {
            *slot = class.ap;
        }
    }
    map
}

fn epoch_line(row: &EpochRow, epochs: usize, seconds: f64) -> String {
    let [lbox, lobj, lcls] = row.train;
    let mut line = format!(
        "epoch {}/{epochs}  box {lbox:.4} obj {lobj:.4} cls {lcls:.4}",
        row.epoch + 1
    );
    if let Some([p, r, map50, map]) = row.metrics {
        line.push_str(&format!(
            "  P {p:.3} R {r:.3} mAP50 {map50:.3} mAP50-95 {map:.3}"
        ));
    }
    line.push_str(&format!("  {seconds:.0} s"));
    line
}
