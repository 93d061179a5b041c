//! What `train` needs to know, settled, and how a run keeps it.

use std::path::{Path, PathBuf};

use anyhow::Context;
use frostline::device::DeviceChoice;
use frostline::freeze::{FeaturePrecision, FreezeSpec};
use frostline::train::{FreezeNorms, Hyp, OptimizerKind, RateFactors};
use frostline::{Error, Result};
use serde::{Deserialize, Serialize};

use super::values::{ArchitectureSource, CacheMode, FeatureMode, LogTo};

/// Everything `train` needs to know, checked. Written to `opt.yaml` in the run folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainSettings {
    /// Weights to start from; `None` trains from scratch.
    pub weights: Option<PathBuf>,
    /// Architecture; `None` takes the weights' own.
    pub cfg: Option<ArchitectureSource>,
    pub data: PathBuf,
    /// The settled hyperparameters, label smoothing among them; written to `hyp.yaml`.
    #[serde(skip)]
    pub hyp: Hyp,
    /// Name or file that `hyp` came from, for the log.
    #[serde(rename = "hyp")]
    pub hyp_source: String,
    /// The learning rate was chosen by a person (`--hyp` or `--hyp-set lr0`), so that the program
    /// does not choose one.
    pub lr0_given: bool,
    /// The optimizer was chosen by a person.
    #[serde(default)]
    pub optimizer_given: bool,
    pub epochs: usize,
    /// Pictures per batch; `None` takes as many as fit into memory. Of the start: what is in
    /// force stands in the checkpoint.
    pub batch_size: Option<usize>,
    /// Side of the input in pixels, a multiple of 32.
    pub imgsz: usize,
    pub rect: bool,
    /// The run to go on with.
    #[serde(skip)]
    pub resume: Option<ResumeFrom>,
    pub nosave: bool,
    pub noval: bool,
    pub noautoanchor: bool,
    pub noplots: bool,
    /// Foretell no time and no memory.
    #[serde(default)]
    pub noforecast: bool,
    /// Where steps and epochs are told.
    #[serde(default, deserialize_with = "none_is_empty")]
    pub log: Vec<LogTo>,
    pub cache: Option<CacheMode>,
    pub image_weights: bool,
    pub device: DeviceChoice,
    pub multi_scale: bool,
    pub single_cls: bool,
    /// Keep the classes of the weights beside those of the data.
    #[serde(default)]
    pub keep_classes: bool,
    pub optimizer: OptimizerKind,
    /// Loader threads; 0 loads on the training thread.
    pub workers: usize,
    pub project: PathBuf,
    pub name: String,
    pub exist_ok: bool,
    /// Factors on the learning rate by group of modules.
    #[serde(default, skip_serializing_if = "RateFactors::is_empty")]
    pub lr_factor: RateFactors,
    pub cos_lr: bool,
    /// Epochs without improvement before stopping; 0 never stops.
    pub patience: usize,
    pub freeze: FreezeSpec,
    pub freeze_bn: FreezeNorms,
    pub allow_untransferred: bool,
    /// Where features at the cut are kept.
    #[serde(default)]
    pub cache_features: FeatureMode,
    /// Fixed views per picture whose features are kept; `None` lets the program choose.
    #[serde(default)]
    pub views: Option<usize>,
    /// How they are kept.
    #[serde(default)]
    pub cache_precision: FeaturePrecision,
    /// Epochs between checkpoints that are kept; `None` keeps none.
    pub save_period: Option<usize>,
    pub seed: u64,
    /// Pictures per optimizer step; `None` lets the schedule choose.
    pub nominal_batch: Option<usize>,
    /// Turns both departures from the reference's schedule off.
    pub reference_schedule: bool,
}

/// Where a resumed run lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResumeFrom {
    /// The run folder, which the run goes on writing into.
    pub run: PathBuf,
    /// The checkpoint file that was named, if one was; otherwise the run's last.
    pub checkpoint: Option<PathBuf>,
    /// Pictures per batch from now on; `None` takes what was in force.
    pub batch_size: Option<usize>,
}

impl TrainSettings {
    /// Reads the settings of a run from its `opt.yaml` and `hyp.yaml`.
    ///
    /// # Errors
    /// A file that is missing or that cannot be read, with its line.
    pub fn read(run: &Path) -> Result<Self> {
        let path = run.join("opt.yaml");
        let mut settings: Self = serde_saphyr::from_str(&read_text(&path)?).map_err(|error| {
            let line = error.location().map_or(1, |location| location.line());
            Error::input(
                format!("{}:{line}", path.display()),
                error.without_snippet(),
                "the settings that a run wrote when it started",
                "Start a new run if the file was changed",
            )
        })?;
        let path = run.join("hyp.yaml");
        settings.hyp = Hyp::from_yaml(&read_text(&path)?, &path.display().to_string())?;
        Ok(settings)
    }

    /// The `opt.yaml` of a run. Input paths are made absolute, so that the run can be resumed from
    /// any folder.
    ///
    /// # Errors
    /// A path that is no text.
    pub fn to_yaml(&self) -> anyhow::Result<String> {
        let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
        let mut settings = self.clone();
        settings.data = absolute(&self.data);
        settings.weights = self.weights.as_ref().map(absolute);
        for to in &mut settings.log {
            if let LogTo::File(path) = to {
                *path = absolute(path);
            }
        }
        if let Some(ArchitectureSource::File(path)) = &self.cfg {
            settings.cfg = Some(ArchitectureSource::File(absolute(path)));
        }
        serde_saphyr::to_string(&settings).context("the settings cannot be written as yaml")
    }

    /// What the data set keeps of decoded pictures.
    pub fn cache_mode(&self) -> frostline::data::cache::CacheMode {
        use frostline::data::cache::CacheMode as Kept;
        match self.cache {
            None => Kept::Off,
            Some(CacheMode::Ram) => Kept::Ram,
            Some(CacheMode::Disk) => Kept::Disk,
        }
    }
}

/// `null`, as runs of earlier days have it, is nothing.
fn none_is_empty<'de, D>(from: D) -> std::result::Result<Vec<LogTo>, D::Error>
where
    D: serde::Deserializer<'de>,
{
    Option::deserialize(from).map(Option::unwrap_or_default)
}

pub(super) fn read_text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(Error::io(path))
}
