//! The run itself: epochs of steps, validation, checkpoints, and what is said about them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use burn::tensor::{Device, Tensor, read_sync};
use frostline::data::Label;
use frostline::data::dataset::{DataConfig, Split};
use frostline::eval::{Metrics, ValidateOptions};
use frostline::freeze::FreezePlan;
use frostline::loss::DetectionLoss;
use frostline::model::{Architecture, Yolov5};
use frostline::train::choice::{self, NOMINAL, OptimizerChoice};
use frostline::train::record::RunRecord;
use frostline::train::snapshot::SessionRecord;
use frostline::train::start::Start;
use frostline::train::{FreezeNorms, Hyp, OptimizerKind, Receipt, Session, SessionConfig};

use super::checkpoints::{Checkpoints, read_last};
use super::data::{TrainData, ValData, open};
use super::epoch::StageCache;
use super::features::{Keeping, Subject};
use super::foretold::{Foretold, Truth};
use super::kept_classes;
use super::log::StepLog;
use super::recovery::{Trouble, caught};
use super::start::start;
use super::validation::{print_table, validate, validate_kept};
use crate::args::{BATCH_SIZE, FeatureMode, TrainSettings};
use crate::forecast;
use crate::interrupt::{self, Interrupted};
use crate::memory::PeakGrowth;
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
    nominal: usize,
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
    started: Instant,
    foretold: Option<Foretold>,
    pub(super) log: StepLog,
}

/// Trains by `settings`.
///
/// # Errors
/// When an input does not say what it should, the device or the disk fails, or the person interrupts.
pub fn train(settings: &TrainSettings) -> anyhow::Result<()> {
    interrupt::install()?;
    let chosen = frostline::device::choose(settings.device)?;
    say(&format!(
        "device: {} ({}), {}",
        chosen.info.id, chosen.info.name, chosen.why
    ));
    let computed_by = format!(
        "{} {} on {}",
        env!("CARGO_PKG_VERSION"),
        chosen.info.name,
        std::env::consts::ARCH
    );
    let device_id = chosen.info.id.to_string();
    let device = chosen.info.device;

    let resumed = match &settings.resume {
        Some(from) => {
            let folder = RunFolder::existing(&from.run);
            let path = match &from.checkpoint {
                Some(path) => path.clone(),
                None => Checkpoints::new(folder.weights()?, Vec::new()).last(),
            };
            Some((folder, path.clone(), read_last(&path)?))
        }
        None => None,
    };

    let config = DataConfig::read(&settings.data)?;
    let cache = settings.cache_mode();
    // Features on the disk are found by what the pictures are.
    let hash_contents = settings.cache_features != FeatureMode::Off;
    let cache_folder = Some(settings.project.join("cache"));
    let train_set = Arc::new(open(
        &config,
        Split::Train,
        settings.imgsz,
        settings.single_cls,
        cache,
        cache_folder.clone(),
        hash_contents,
    )?);
    let val_set = Arc::new(open(
        &config,
        Split::Val,
        settings.imgsz,
        settings.single_cls,
        cache,
        cache_folder,
        false,
    )?);
    let memory = PeakGrowth::start();
    let (model, plan, names, keep) = match &resumed {
        None => {
            let begun = start(settings, &train_set.names, &*train_set, &device)?;
            let Start { model, plan, .. } = begun.start;
            (model, plan, begun.names, begun.keep)
        }
        Some((_, path, (checkpoint, _))) => {
            let names = match &checkpoint.names {
                Some(names) if settings.keep_classes => names.clone(),
                _ => train_set.names.clone(),
            };
            let architecture = super::start::architecture_of(checkpoint, path, names.len())?;
            let plan = FreezePlan::resolve(&settings.freeze, &architecture)?;
            let model = Yolov5::new(architecture, settings.seed, &device);
            (model, plan, names, None)
        }
    };
    let subject = Subject {
        settings,
        plan: &plan,
        architecture: model.architecture(),
        dataset: &train_set,
    };
    let rate_factors = settings.lr_factor.resolve(model.architecture(), &plan)?;
    let keeping = match &resumed {
        None => subject.decide()?,
        Some((_, _, (_, record))) => subject.decide_again(record.views)?,
    };
    // Of the first epoch, which is when memory is compared.
    let kept_bytes = match keeping {
        Some(keeping) => subject.first_bytes(keeping)?,
        None => 0,
    };
    let in_force = resumed.as_ref().and_then(|(.., (_, record))| record.batch);
    let asked_now = settings.resume.as_ref().and_then(|from| from.batch_size);
    let asked = asked_now
        .or(in_force)
        .or(settings.batch_size)
        .unwrap_or_else(|| most_pictures(settings, train_set.items.len()));
    // Only now, so that a run which cannot start leaves no folder.
    let folder = match &resumed {
        Some((folder, ..)) => folder.clone(),
        None => RunFolder::create(&settings.project, &settings.name, settings.exist_ok)?,
    };
    let mut train = TrainData::new(
        Arc::clone(&train_set),
        &settings.hyp,
        settings.imgsz,
        settings.rect,
        asked,
        settings.seed,
        settings.workers,
    );
    let mut val = ValData::new(val_set, settings.imgsz, asked * 2, settings.workers);

    let kept_classes = match &keep {
        Some(keep) => Some(kept_classes::before(keep, &model, &val, &device)?),
        None => None,
    };
    let (optimizer, hyp, nominal) = match &resumed {
        // hyp.yaml of the run holds what was chosen then.
        Some((_, _, (_, record))) => (
            record.optimizer,
            Hyp {
                lr0: record.lr0,
                warmup_bias_lr: settings.hyp.warmup_bias_lr * (record.lr0 / settings.hyp.lr0),
                ..settings.hyp.clone()
            },
            record.nominal,
        ),
        None => {
            let nominal = nominal_batch(settings, train.batches(), asked);
            let pictures = settings.epochs * train.batches() * asked;
            let (optimizer, hyp) =
                choose_optimizer(settings, &plan, model.architecture(), pictures / nominal);
            (optimizer, hyp, nominal)
        }
    };
    let mut session_config = SessionConfig {
        hyp: hyp.clone(),
        epochs: settings.epochs,
        batches: train.batches(),
        batch: asked,
        nominal,
        imgsz: settings.imgsz,
        optimizer,
        cosine: settings.cos_lr,
        freeze_norms: settings.freeze_bn,
        rate_factors,
        reference_schedule: settings.reference_schedule,
    };
    say_plan(&plan, &model, &session_config);
    let foretold = if settings.noforecast {
        None
    } else {
        Foretold::new(
            &forecast::Subject {
                architecture: model.architecture(),
                plan: &plan,
                freeze_norms: settings.freeze_bn,
                optimizer,
                imgsz: settings.imgsz,
                batch_size: asked,
                device: &device_id,
                kept: keeping.is_some(),
            },
            &keeping.map_or_else(
                || train.clone(),
                |keeping| train.in_views(keeping.views.count).data,
            ),
            kept_bytes,
            memory,
            settings.batch_size.is_none() && resumed.is_none(),
        )?
    };
    let batch_size = (foretold.as_ref()).map_or(asked, |foretold| foretold.batch_size);
    if batch_size != asked {
        train = train.in_batches_of(batch_size);
        val = val.in_batches_of(2 * batch_size);
        session_config.batch = batch_size;
        session_config.batches = train.batches();
    }
    let mut session = Session::new(model, plan, session_config, &device);

    let files = Checkpoints::new(folder.weights()?, names.clone());
    let mut run = Run {
        settings,
        hyp,
        nominal,
        batch_size,
        tries: 0,
        names,
        folder,
        files,
        train,
        val,
        keeping,
        device,
        computed_by,
        started: Instant::now(),
        foretold,
        log: StepLog::open(settings.log.as_ref())?,
    };
    let mut at = Progression::new(run.names.len());
    let mut results = match resumed {
        Some((_, path, (checkpoint, record))) => {
            at = run.restore(&mut session, &checkpoint, record)?;
            say(&format!(
                "resuming {} at epoch {}, batch {}",
                path.display(),
                at.epoch + 1,
                at.batch + 1
            ));
            Results::resume(run.folder.file("results.csv"), at.epoch)?
        }
        None => {
            run.write_settings()?;
            if let Some(kept) = &kept_classes {
                kept_classes::write(&run.folder, kept)?;
            }
            Results::create(run.folder.file("results.csv"))?
        }
    };
    say(&format!("writing to {}", run.folder.path().display()));
    loop {
        match caught(|| run.epochs(&mut session, &mut at, &mut results)) {
            Ok(()) => return Ok(()),
            Err(error) => {
                let trouble = Trouble::of(error)?;
                (session, at) = run.recover(session, &trouble, &at)?;
                results = Results::resume(run.folder.file("results.csv"), at.epoch)?;
            }
        }
    }
}

/// Pictures per batch when memory alone sets a limit: no more than an optimizer step takes, for more would only mean
/// fewer steps, and no more than there are.
fn most_pictures(settings: &TrainSettings, pictures: usize) -> usize {
    let usual = pictures.div_ceil(BATCH_SIZE);
    let step = match settings.nominal_batch {
        Some(nominal) => nominal,
        None if settings.reference_schedule => NOMINAL,
        None => choice::nominal_batch(settings.epochs, usual, BATCH_SIZE),
    };
    step.min(pictures).max(1)
}

/// Optimizer and hyperparameters: a person's, or what gets furthest when nobody chose.
fn choose_optimizer(
    settings: &TrainSettings,
    plan: &FreezePlan,
    architecture: &Architecture,
    steps: usize,
) -> (OptimizerKind, Hyp) {
    let mut hyp = settings.hyp.clone();
    if settings.lr0_given || settings.optimizer_given || settings.reference_schedule {
        return (settings.optimizer, hyp);
    }
    let Some(choice) = OptimizerChoice::of(plan, architecture, steps) else {
        return (settings.optimizer, hyp);
    };
    choice.apply(&mut hyp);
    let OptimizerChoice { kind, rate, why } = choice;
    say(&format!(
        "{why}: {kind} with lr0 {rate} (--optimizer or --hyp-set lr0=… decide otherwise)"
    ));
    (kind, hyp)
}

/// Pictures per optimizer step: a person's, the reference's 64, or one batch in a short run.
fn nominal_batch(settings: &TrainSettings, batches: usize, batch_size: usize) -> usize {
    if let Some(nominal) = settings.nominal_batch {
        return nominal;
    }
    if settings.reference_schedule {
        return NOMINAL;
    }
    let nominal = choice::nominal_batch(settings.epochs, batches, batch_size);
    if nominal < NOMINAL {
        say(&format!(
            "short run: an optimizer step per batch of {nominal} instead of per {NOMINAL} pictures"
        ));
    }
    nominal
}

fn say_plan(plan: &FreezePlan, model: &Yolov5, config: &SessionConfig) {
    for line in plan.describe(model.architecture()) {
        say(&line);
    }
    let leads = plan.stages.iter().any(|stage| stage.cut.prefix > 0);
    if leads && config.freeze_norms == FreezeNorms::Drift {
        say("statistics drift: frozen modules run as in training, with nothing folded");
    }
    for line in factor_lines(&config.rate_factors) {
        say(&line);
    }
    say(&format!(
        "{} · {} epochs of {} batches of {} · {} px · lr0 {} · step per {} pictures",
        config.optimizer,
        config.epochs,
        config.batches,
        config.batch,
        config.imgsz,
        config.hyp.lr0,
        config.nominal
    ));
}

/// How many parameter tensors learn at which part of the rate.
fn factor_lines(factors: &BTreeMap<String, f64>) -> Vec<String> {
    let mut values: Vec<f64> = factors.values().copied().collect();
    values.sort_by(f64::total_cmp);
    let of_one = values.chunk_by(|a, b| a == b);
    of_one
        .map(|same| format!("{} tensors learn at {} times the rate", same.len(), same[0]))
        .collect()
}

impl Run<'_> {
    /// Writes what the run was told, and draws what it learns from.
    fn write_settings(&self) -> anyhow::Result<()> {
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

    fn epochs(
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

    /// Validates the best weights, draws the plots, prints the receipt, and strips `last` at the very end: until then
    /// the run can be resumed.
    fn finish(&self, session: &mut Session, at: &Progression) -> anyhow::Result<()> {
        let receipts = read_sync(session.receipts())?;
        let epochs = at.epoch;
        let mut best_epoch = at.best_epoch;
        if self.settings.nosave {
            // Nothing was kept on the way: what there is now is the best there is.
            best_epoch = epochs.saturating_sub(1);
            self.files.save_weights(
                &mut session.ema.model,
                best_epoch,
                at.best_fitness.unwrap_or(0.0),
                &self.files.best(),
            )?;
        }
        let (best, _) = super::start::trained(&self.files.best(), &self.device)?;
        let mut draw = |number: usize,
                        batch: &frostline::data::Batch,
                        found: &[Vec<frostline::eval::Detection>]| {
            if self.settings.noplots || number >= DRAWN_BATCHES {
                return Ok(());
            }
            plots::plot_batch_labels(
                &self.folder.file(&format!("val_batch{number}_labels.jpg")),
                batch,
                &self.names,
            )?;
            let to = self.folder.file(&format!("val_batch{number}_pred.jpg"));
            plots::plot_batch_detections(&to, batch, found, &self.names)
        };
        let validation = validate(
            &mut best.fold(),
            &self.val,
            None,
            ValidateOptions::default(),
            &self.device,
            &mut draw,
        )?;
        say(&format!("best weights, epoch {}:", best_epoch + 1));
        print_table(&validation.metrics, &self.names, false);
        if self.settings.keep_classes {
            kept_classes::after(&self.folder, &validation.metrics)?;
        }
        if !self.settings.noplots {
            plots::plot_results(
                &self.folder.file("results.csv"),
                &self.folder.file("results.png"),
            )?;
            plots::plot_curves(self.folder.path(), &validation.metrics, &self.names)?;
            plots::plot_confusion_matrix(
                &self.folder.file("confusion_matrix.png"),
                &validation.confusion,
                &self.names,
            )?;
        }
        let fitness = at.best_fitness.unwrap_or(0.0);
        self.files.save_weights(
            &mut session.ema.model,
            epochs.saturating_sub(1),
            fitness,
            &self.files.last(),
        )?;
        self.log.event(
            "end",
            serde_json::json!({ "epochs": epochs, "best_epoch": best_epoch, "fitness": fitness }),
        )?;
        let hours = self.started.elapsed().as_secs_f64() / 3600.0;
        say(&format!(
            "{epochs} epochs in {hours:.3} h; weights in {}",
            self.files.best().display()
        ));
        self.check_receipts(&receipts)
    }

    /// Writes and prints the receipts.
    ///
    /// # Errors
    /// When something moved that must not.
    fn check_receipts(&self, receipts: &[Receipt]) -> anyhow::Result<()> {
        let to = self.folder.file("receipt.json");
        std::fs::write(&to, serde_json::to_string_pretty(receipts)?)
            .with_context(|| to.display().to_string())?;
        let drifts = self.settings.freeze_bn == FreezeNorms::Drift;
        for receipt in receipts.iter().filter(|receipt| !receipt.is_empty()) {
            let from = if receipts.len() > 1 {
                format!(" from epoch {}", receipt.from_epoch + 1)
            } else {
                String::new()
            };
            say(&format!("freeze receipt{from}: {receipt}"));
            anyhow::ensure!(
                receipt.parameters_held() && (drifts || receipt.statistics_held()),
                "something frozen moved, which is a defect of this program: please report it with {}",
                to.display()
            );
        }
        Ok(())
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
