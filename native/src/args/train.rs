//! `train`: raw flags and how they settle.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;
use frostline::freeze::{FeaturePrecision, FreezeSpec};
use frostline::train::{FreezeNorms, Hyp, OptimizerKind, RateFactors};
use frostline::{Error, Result};

use super::shipped;
use super::train_settings::{ResumeFrom, TrainSettings, read_text};
use super::values::{self, CacheMode, FeatureMode, LogTo};
use crate::run_folder::{self, RunFolder};

/// What is typed after `train`. Everything is optional, so that what was given can be told from
/// what was not.
#[derive(Debug, Clone, Args)]
pub struct RawTrain {
    /// Weights to start from (.pt or .safetensors); '' trains from scratch [default: shipped]
    #[arg(long, value_name = "FILE", help_heading = "Model")]
    weights: Option<OsString>, // an empty one is no path to clap
    /// Architecture: yolov5n, s, m, l, x or a yaml [default: the weights' own]
    #[arg(long, help_heading = "Model")]
    cfg: Option<String>,
    /// What to freeze: 10 (modules 0-9), 0 1 2, 0-9, backbone, all-but-detect, 'model.2.cv1.*',
    /// 'backbone,!9', '24; 10@5' [default: none]
    #[arg(long, num_args = 1.., allow_negative_numbers = true, value_name = "WHAT", help_heading = "Model")]
    freeze: Vec<String>,
    /// BatchNorm statistics of frozen modules: fixed, or drift as in the reference
    #[arg(long, default_value = "fixed", value_parser = values::freeze_norms, help_heading = "Model")]
    freeze_bn: FreezeNorms,
    /// Allow frozen modules whose weights were not transferred
    #[arg(long, alias = "freeze-untransferred", help_heading = "Model")]
    allow_untransferred: bool,

    /// Compute what is frozen once per picture and view: keep its features in ram, on disk, where it pays
    /// (auto), or not at all (off)
    #[arg(
        long,
        value_enum,
        default_value = "off",
        ignore_case = true,
        value_name = "WHERE",
        help_heading = "Model"
    )]
    cache_features: FeatureMode,
    /// Fixed views per picture whose features are kept; 1 is the picture without augmentation
    /// [default: 4; 1 when only Detect trains]
    #[arg(long, value_parser = values::positive, value_name = "K", help_heading = "Model")]
    views: Option<usize>,
    /// Precision of kept features: half or single
    #[arg(
        long,
        default_value_t,
        value_name = "PRECISION",
        help_heading = "Model"
    )]
    cache_precision: FeaturePrecision,

    /// Data set yaml [default: the shipped target world]
    #[arg(long, value_name = "YAML", help_heading = "Data")]
    data: Option<PathBuf>,
    /// Side of the network's input in pixels [default: 640]
    #[arg(long, num_args = 1..=2, aliases = ["img", "img-size", "image-size"], value_name = "PX", help_heading = "Data")]
    imgsz: Option<Vec<usize>>,
    /// Pictures per step; -1 for as many as fit into memory [default: 16]
    #[arg(long, alias = "batch", value_parser = values::train_batch_size, allow_negative_numbers = true, value_name = "N", help_heading = "Data")]
    batch_size: Option<std::option::Option<usize>>,
    /// Keep decoded pictures in ram or on disk
    #[arg(long, value_enum, num_args = 0..=1, default_missing_value = "ram", ignore_case = true, value_name = "WHERE", help_heading = "Data")]
    cache: Option<CacheMode>,
    /// Batches of similar aspect ratio instead of mosaics
    #[arg(long, help_heading = "Data")]
    rect: bool,
    /// Show pictures of weak classes more often
    #[arg(long, help_heading = "Data")]
    image_weights: bool,
    /// Vary the input size by half in either direction
    #[arg(long, help_heading = "Data")]
    multi_scale: bool,
    /// Treat all classes as one
    #[arg(long, help_heading = "Data")]
    single_cls: bool,
    /// Keep the classes of the weights: Detect grows by those that only the data has
    #[arg(long, conflicts_with = "single_cls", help_heading = "Data")]
    keep_classes: bool,
    /// Loader threads, at most one per core
    #[arg(long, default_value_t = 8, value_name = "N", help_heading = "Data")]
    workers: usize,
    /// Keep the model's anchors even when they fit the data badly
    #[arg(long, alias = "no-autoanchor", help_heading = "Data")]
    noautoanchor: bool,

    /// Epochs [default: 300]
    #[arg(long, value_parser = values::positive, value_name = "N", help_heading = "Training")]
    epochs: Option<usize>,
    /// Hyperparameters: low, med, high, no-aug, voc, objects365 or a yaml [default: low]
    #[arg(long, value_name = "SET", help_heading = "Training")]
    hyp: Option<String>,
    /// Change one hyperparameter, such as lr0=0.002; may be repeated
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Training")]
    hyp_set: Vec<String>,
    /// Search hyperparameters: train so many times, each time with changes to what was best so far [default: 300]
    #[arg(long, num_args = 0..=1, default_missing_value = "300", value_parser = values::positive, value_name = "N", help_heading = "Training")]
    evolve: Option<usize>,
    /// SGD, Adam or AdamW
    #[arg(long, default_value_t, help_heading = "Training")]
    optimizer: OptimizerKind,
    /// Learning rate of groups of modules as a factor on the usual one: backbone=0.1,neck=0.5, 0-4=0.01,
    /// 'model.24.m.*=2'; groups as in --freeze, a number is one module
    #[arg(long, value_name = "GROUP=FACTOR,…", help_heading = "Training")]
    lr_factor: Option<RateFactors>,
    /// Cosine instead of linear learning rate
    #[arg(long, help_heading = "Training")]
    cos_lr: bool,
    /// Label smoothing
    #[arg(long, value_parser = values::fraction, value_name = "EPS", help_heading = "Training")]
    label_smoothing: Option<f64>,
    /// Epochs without improvement before stopping; 0 never stops
    #[arg(
        long,
        default_value_t = 100,
        value_name = "N",
        help_heading = "Training"
    )]
    patience: usize,
    /// Seed of everything random
    #[arg(long, default_value_t = 0, value_name = "N", help_heading = "Training")]
    seed: u64,
    /// Pictures per optimizer step, gathered over several batches: auto or a number
    #[arg(long, default_value = "auto", value_parser = values::nominal_batch, value_name = "N", help_heading = "Training")]
    nominal_batch: std::option::Option<usize>,
    /// The reference's schedule to the letter: full warm-up however short the run, gradients
    /// dropped at epoch boundaries
    #[arg(long, help_heading = "Training")]
    reference_schedule: bool,
    /// Where to compute: auto, cpu, gpu, gpu:N
    #[arg(long, default_value = "auto", help_heading = "Training")]
    device: String,

    /// Go on with the newest run, or with this checkpoint or run folder
    #[arg(long, num_args = 0..=1, default_missing_value = "", value_name = "PATH", help_heading = "Run")]
    resume: Option<OsString>,
    /// Folder that holds runs
    #[arg(
        long,
        default_value = "runs/train",
        value_name = "FOLDER",
        help_heading = "Run"
    )]
    project: PathBuf,
    /// Name of this run's folder
    #[arg(long, default_value = "exp", help_heading = "Run")]
    name: String,
    /// Write into an existing folder instead of counting its name up
    #[arg(long, help_heading = "Run")]
    exist_ok: bool,
    /// Save only the last checkpoint
    #[arg(long, alias = "no-save", help_heading = "Run")]
    nosave: bool,
    /// Validate only after the last epoch
    #[arg(long, alias = "no-val", help_heading = "Run")]
    noval: bool,
    /// Draw no plots
    #[arg(long, alias = "no-plots", help_heading = "Run")]
    noplots: bool,
    /// Foretell no time and no memory before training
    #[arg(long, alias = "no-forecast", help_heading = "Run")]
    noforecast: bool,
    /// Tell every step as a line of JSON (json for standard output, or a file such as run.jsonl), and every epoch to TensorBoard (tensorboard)
    #[arg(long, num_args = 1.., value_name = "WHERE", help_heading = "Run")]
    log: Vec<LogTo>,
    /// Keep a checkpoint every so many epochs; -1 for off
    #[arg(long, default_value = "-1", value_parser = values::save_period, allow_negative_numbers = true, value_name = "N", help_heading = "Run")]
    save_period: std::option::Option<usize>,
}

/// Flags that a resumed run may change: none of them changes what is learnt, but the pictures per batch, which change
/// the noise of BatchNorm's statistics; optimizer steps take as many pictures as before.
const ALLOWED_ON_RESUME: &[&str] = &[
    "resume",
    "project",
    "batch_size",
    "device",
    "workers",
    "cache",
    "cache_features",
    "noplots",
    "noforecast",
    "log",
];

/// Freezing, epochs and size of the run without `--weights`, `--data` and `--cfg`.
const DEMO: (&str, usize, usize) = ("10", 15, 320);
/// Its pictures per batch: with 64 pictures, steps are what is scarce.
const DEMO_BATCH_SIZE: usize = 8;
/// The reference's defaults.
const EPOCHS: usize = 300;
pub const BATCH_SIZE: usize = 16;
const IMGSZ: usize = 640;

impl RawTrain {
    /// What is frozen, a plan per value.
    pub(super) fn plans(&self) -> Vec<String> {
        self.freeze.clone()
    }

    /// Runs of a search for hyperparameters, when one was asked for.
    pub(super) fn generations(&self) -> Option<usize> {
        self.evolve
    }

    /// Project, name and seed.
    pub(super) fn place_and_seed(&self) -> (PathBuf, String, u64) {
        (self.project.clone(), self.name.clone(), self.seed)
    }

    /// As [`RawTrain::settle`] for candidates of which none is chosen yet, and whether shipped weights learn shipped
    /// data, as in the demonstration.
    pub(super) fn settle_candidates(
        self,
        given: &[String],
        notes: &mut Vec<String>,
    ) -> Result<(TrainSettings, bool)> {
        let demo = self.weights.is_none() && self.data.is_none() && self.cfg.is_none();
        let raw = Self {
            freeze: Vec::new(),
            ..self
        };
        if !demo {
            return Ok((raw.settle(given, notes)?, false));
        }
        let settings = raw.settle(given, &mut Vec::new())?;
        notes.push(format!(
            "none of --weights, --data and --cfg given: the shipped ones, {} epochs, {} px, batches of {}",
            settings.epochs,
            settings.imgsz,
            settings.batch_size.unwrap_or(BATCH_SIZE)
        ));
        Ok((settings, true))
    }

    /// Checks the flags and settles them. `given` holds the ids of the flags that were typed;
    /// lines for the log go to `notes`.
    ///
    /// # Errors
    /// The first flag whose value does not mean anything, with what would.
    pub fn settle(self, given: &[String], notes: &mut Vec<String>) -> Result<TrainSettings> {
        if self.resume.is_some() {
            return self.settle_resume(given);
        }
        let demo = self.weights.is_none() && self.data.is_none() && self.cfg.is_none();
        let weights = match &self.weights {
            Some(path) if path.is_empty() => None,
            Some(path) => Some(shipped::find_named(Path::new(path))),
            None if self.cfg.is_some() => None,
            None => Some(shipped::find(shipped::WEIGHTS)),
        };
        if weights.is_none() && self.cfg.is_none() {
            return Err(Error::input(
                "--weights",
                "no weights and no --cfg",
                "an architecture to train from scratch",
                "Add --cfg yolov5n, or name weights",
            ));
        }
        if self.keep_classes && weights.is_none() {
            return Err(Error::input(
                "--keep-classes",
                "no weights",
                "weights whose classes are kept",
                "Name them with --weights",
            ));
        }
        let data = match &self.data {
            Some(path) => shipped::find_named(path),
            None => shipped::find(shipped::DATA),
        };
        let freeze = match (&self.freeze[..], demo) {
            ([], true) => DEMO.0.parse()?,
            ([], false) => FreezeSpec::none(),
            (values, _) => FreezeSpec::from_values(values)?,
        };
        let epochs = self.epochs.unwrap_or(if demo { DEMO.1 } else { EPOCHS });
        let side = if demo { DEMO.2 } else { IMGSZ };
        let imgsz = values::imgsz(self.imgsz.as_deref().unwrap_or(&[side]), notes)?;
        let usual = if demo { DEMO_BATCH_SIZE } else { BATCH_SIZE };
        let batch_size = self.batch_size.unwrap_or(Some(usual));
        if batch_size.is_none() && self.noforecast {
            return Err(Error::input(
                "--batch-size -1",
                "--noforecast beside it",
                "a forecast, which says how many pictures fit into memory",
                "Leave --noforecast out, or name a number, such as --batch-size 16",
            ));
        }
        if demo {
            notes.push(format!(
                "none of --weights, --data and --cfg given, so this is the demonstration: \
                 --weights {} --data {} --freeze {freeze} --epochs {epochs} --imgsz {imgsz} \
                 --batch-size {}",
                weights.as_deref().unwrap_or(Path::new("''")).display(),
                data.display(),
                batch_size.map_or("-1".to_owned(), |pictures| pictures.to_string()),
            ));
        } else {
            match (&self.weights, &weights) {
                (None, Some(weights)) => notes.push(format!(
                    "no --weights given: starting from {}",
                    weights.display()
                )),
                (None, None) => {
                    notes.push("--cfg without --weights: training from scratch".to_owned());
                }
                (Some(_), _) => {}
            }
            if self.data.is_none() {
                notes.push(format!("no --data given: learning {}", data.display()));
            }
        }
        if self.cache_features == FeatureMode::Off
            && let Some(flag) = ["views", "cache_precision"]
                .into_iter()
                .find(|flag| given.iter().any(|id| id == flag))
        {
            return Err(Error::input(
                format!("--{}", flag.replace('_', "-")),
                "no kept features",
                "--cache-features beside it",
                "Add --cache-features ram, disk or auto",
            ));
        }
        let (hyp, hyp_source) = self.hyp()?;
        Ok(TrainSettings {
            optimizer_given: given.iter().any(|id| id == "optimizer"),
            lr0_given: self.hyp.is_some() || self.hyp_set.iter().any(|s| s.starts_with("lr0=")),
            hyp,
            hyp_source,
            weights,
            cfg: self.cfg.as_deref().map(str::parse).transpose()?,
            data,
            epochs,
            batch_size,
            imgsz,
            rect: self.rect,
            resume: None,
            nosave: self.nosave,
            noval: self.noval,
            noautoanchor: self.noautoanchor,
            noplots: self.noplots,
            noforecast: self.noforecast,
            log: self.log,
            cache: self.cache,
            image_weights: self.image_weights,
            device: self.device.parse()?,
            multi_scale: self.multi_scale,
            single_cls: self.single_cls,
            keep_classes: self.keep_classes,
            optimizer: self.optimizer,
            workers: values::workers(self.workers),
            project: self.project,
            name: self.name,
            exist_ok: self.exist_ok,
            lr_factor: self.lr_factor.unwrap_or_default(),
            cos_lr: self.cos_lr,
            patience: self.patience,
            freeze,
            freeze_bn: self.freeze_bn,
            allow_untransferred: self.allow_untransferred,
            cache_features: self.cache_features,
            views: self.views,
            cache_precision: self.cache_precision,
            save_period: self.save_period,
            seed: self.seed,
            nominal_batch: self.nominal_batch,
            reference_schedule: self.reference_schedule,
        })
    }

    /// A resumed run keeps the settings it was started with.
    fn settle_resume(self, given: &[String]) -> Result<TrainSettings> {
        if let Some(flag) = given
            .iter()
            .find(|flag| !ALLOWED_ON_RESUME.contains(&flag.as_str()))
        {
            return Err(Error::input(
                "--resume",
                format!("--{} beside it", flag.replace('_', "-")),
                "no flag that changes what is learnt: a resumed run keeps the settings of its opt.yaml",
                format!(
                    "Leave it out; only --{} may go with --resume",
                    ALLOWED_ON_RESUME[1..].join(", --").replace('_', "-")
                ),
            ));
        }
        let path = PathBuf::from(self.resume.unwrap_or_default());
        let batch_size = self.batch_size.flatten();
        let from = if path.as_os_str().is_empty() {
            let run = run_folder::find_last_run(&self.project)?.ok_or_else(|| {
                Error::input(
                    "--resume",
                    format!("no run with a checkpoint under {}", self.project.display()),
                    "a run that was interrupted",
                    "Name its folder: --resume runs/train/exp",
                )
            })?;
            ResumeFrom {
                run,
                checkpoint: None,
                batch_size,
            }
        } else {
            let checkpoint = path.is_file().then(|| path.clone());
            let run = RunFolder::of_checkpoint(&path)?.path().to_path_buf();
            ResumeFrom {
                run,
                checkpoint,
                batch_size,
            }
        };
        let mut settings = TrainSettings::read(&from.run)?;
        let was_given = |flag: &str| given.iter().any(|id| id == flag);
        if was_given("device") {
            settings.device = self.device.parse()?;
        }
        if was_given("workers") {
            settings.workers = values::workers(self.workers);
        }
        if was_given("cache") {
            settings.cache = self.cache;
        }
        if was_given("cache_features") {
            settings.cache_features = self.cache_features;
        }
        if was_given("log") {
            settings.log = self.log;
        }
        settings.noplots |= self.noplots;
        settings.noforecast |= self.noforecast;
        settings.resume = Some(from);
        Ok(settings)
    }

    fn hyp(&self) -> Result<(Hyp, String)> {
        let source = self.hyp.clone().unwrap_or_else(|| "low".to_owned());
        let path = Path::new(&source);
        // A file that exists wins over a built-in set of the same name.
        let mut hyp = match Hyp::named(&source) {
            Some(hyp) if !path.is_file() => hyp,
            _ if path.is_file() => Hyp::from_yaml(&read_text(path)?, &source)?,
            _ => {
                return Err(Error::input(
                    "--hyp",
                    format!("`{source}`, which is no file"),
                    format!("{} or a yaml", Hyp::SETS.join(", ")),
                    "",
                ));
            }
        };
        for pair in &self.hyp_set {
            let number = pair
                .split_once('=')
                .and_then(|(key, value)| Some((key.trim(), value.trim().parse().ok()?)));
            let Some((key, value)) = number else {
                return Err(Error::input(
                    "--hyp-set",
                    format!("`{pair}`"),
                    "KEY=NUMBER, such as lr0=0.002",
                    "",
                ));
            };
            hyp.set(key, value, "--hyp-set")?;
        }
        if let Some(smoothing) = self.label_smoothing {
            hyp.set("label_smoothing", smoothing, "--label-smoothing")?;
        }
        Ok((hyp, source))
    }
}
