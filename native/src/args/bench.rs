//! `bench`: raw flags and the settings they settle into.

use std::path::PathBuf;

use clap::Args;
use frostline::Result;
use frostline::device::DeviceChoice;
use frostline::freeze::FreezeSpec;
use frostline::train::{FreezeNorms, OptimizerKind};

use super::shipped;
use super::values::{self, ArchitectureSource};

/// What is typed after `bench`.
#[derive(Debug, Clone, Args)]
pub struct RawBench {
    /// Architecture: yolov5n, s, m, l, x or a yaml [default: the weights' own, otherwise yolov5n]
    #[arg(long)]
    cfg: Option<String>,
    /// Weights to run with (.pt or .safetensors) [default: seeded ones; time does not depend on them]
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Number of classes, where the weights do not say it
    #[arg(long, default_value = "80", value_parser = values::positive, value_name = "N")]
    nc: usize,
    /// What to freeze, as in train [default: none]
    #[arg(long, num_args = 1.., allow_negative_numbers = true, value_name = "WHAT", conflicts_with = "infer")]
    freeze: Vec<String>,
    /// Take what is frozen from memory, as train does with --cache-features ram once every view was seen
    #[arg(long, requires = "freeze")]
    cache_features: bool,
    /// BatchNorm statistics of frozen modules: fixed, or drift as in the reference
    #[arg(long, default_value = "fixed", value_parser = values::freeze_norms)]
    freeze_bn: FreezeNorms,
    /// SGD, Adam or AdamW
    #[arg(long, default_value_t)]
    optimizer: OptimizerKind,
    /// Measure inference instead of a training step
    #[arg(long)]
    infer: bool,
    /// Side of the network's input in pixels
    #[arg(long, num_args = 1..=2, default_value = "640", aliases = ["img", "img-size", "image-size"], value_name = "PX")]
    imgsz: Vec<usize>,
    /// Pictures per step
    #[arg(long, alias = "batch", default_value = "16", value_parser = values::batch_size, allow_negative_numbers = true, value_name = "N")]
    batch_size: usize,
    /// Steps that are measured
    #[arg(long, default_value = "20", value_parser = values::positive, value_name = "N")]
    steps: usize,
    /// Steps before them
    #[arg(long, default_value = "3", value_parser = values::positive, value_name = "N")]
    warmup: usize,
    /// Where to compute: auto, cpu, gpu, gpu:N
    #[arg(long, default_value = "auto")]
    device: String,
    /// Print json
    #[arg(long)]
    json: bool,
}

/// What is measured.
#[derive(Debug, Clone, PartialEq)]
pub enum BenchCase {
    /// A training step under a freeze: forward, loss, backward, optimizer, average.
    Train(FreezeSpec),
    /// The same from features at the cut that are kept in memory.
    TrainCached(FreezeSpec),
    /// Pictures in, decoded boxes out.
    Infer,
}

/// Everything `bench` needs to know, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct BenchSettings {
    pub cfg: Option<ArchitectureSource>,
    pub weights: Option<PathBuf>,
    /// Number of classes, where the weights do not say it.
    pub nc: usize,
    pub case: BenchCase,
    /// Side of the input in pixels, a multiple of 32.
    pub imgsz: usize,
    pub batch_size: usize,
    pub steps: usize,
    pub warmup: usize,
    pub device: DeviceChoice,
    pub freeze_bn: FreezeNorms,
    pub optimizer: OptimizerKind,
    pub json: bool,
}

impl RawBench {
    /// Checks the flags and settles them; lines for the log go to `notes`.
    ///
    /// # Errors
    /// The first flag whose value does not mean anything, with what would.
    pub fn settle(self, notes: &mut Vec<String>) -> Result<BenchSettings> {
        let case = match &self.freeze[..] {
            _ if self.infer => BenchCase::Infer,
            [] => BenchCase::Train(FreezeSpec::none()),
            values if self.cache_features => {
                BenchCase::TrainCached(FreezeSpec::from_values(values)?)
            }
            values => BenchCase::Train(FreezeSpec::from_values(values)?),
        };
        Ok(BenchSettings {
            cfg: self.cfg.as_deref().map(str::parse).transpose()?,
            weights: self.weights.as_deref().map(shipped::find_named),
            nc: self.nc,
            case,
            imgsz: values::imgsz(&self.imgsz, notes)?,
            batch_size: self.batch_size,
            steps: self.steps,
            warmup: self.warmup,
            device: self.device.parse()?,
            freeze_bn: self.freeze_bn,
            optimizer: self.optimizer,
            json: self.json,
        })
    }
}
