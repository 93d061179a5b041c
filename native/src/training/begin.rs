//! How a run begins: device, data, network and plan out of the flags, or out of what a run left.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use frostline::data::dataset::{DataConfig, Split};
use frostline::freeze::FreezePlan;
use frostline::model::{Architecture, Yolov5};
use frostline::train::choice::{self, NOMINAL, OptimizerChoice};
use frostline::train::start::Start;
use frostline::train::{FreezeNorms, Hyp, OptimizerKind, Session, SessionConfig};

use super::checkpoints::{Checkpoints, read_last};
use super::data::{TrainData, ValData, open};
use super::features::Subject;
use super::foretold::Foretold;
use super::kept_classes;
use super::log::StepLog;
use super::recovery::{Trouble, caught};
use super::run::{Progression, Run};
use super::start::start;
use crate::args::{BATCH_SIZE, FeatureMode, TrainSettings};
use crate::forecast;
use crate::interrupt;
use crate::memory::PeakGrowth;
use crate::progress::say;
use crate::results::Results;
use crate::run_folder::RunFolder;

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
    let log = StepLog::open(&settings.log, folder.path())?;
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
        log,
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
