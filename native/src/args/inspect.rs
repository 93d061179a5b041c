//! `inspect`: raw flags and the settings they settle into.

use std::path::PathBuf;

use clap::Args;
use frostline::device::DeviceChoice;
use frostline::freeze::FreezeSpec;
use frostline::train::RateFactors;
use frostline::{Error, Result};

use super::values::{self, ArchitectureSource};
use super::{shipped, trained};

/// What is typed after `inspect`.
#[derive(Debug, Clone, Args)]
pub struct RawInspect {
    /// Architecture: yolov5n, s, m, l, x or a yaml
    #[arg(long, conflicts_with = "weights")]
    cfg: Option<String>,
    /// Weights whose architecture is shown [default: the best of the newest run, otherwise the
    /// shipped ones]
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Show what this would freeze: 10, 0 1 2, backbone, 'model.2.cv1.*', '24; 10@5'
    #[arg(long, num_args = 1.., allow_negative_numbers = true, value_name = "WHAT")]
    freeze: Vec<String>,
    /// Show what the learning rate of each parameter would be multiplied by, as in train
    #[arg(long, value_name = "GROUP=FACTOR,…")]
    lr_factor: Option<RateFactors>,
    /// Side of the input in pixels, for shapes and costs
    #[arg(long, num_args = 1..=2, default_value = "640", aliases = ["img", "img-size", "image-size"], value_name = "PX")]
    imgsz: Vec<usize>,
    /// Pictures per step, for costs
    #[arg(long, alias = "batch", default_value = "16", value_parser = values::batch_size, value_name = "N")]
    batch_size: usize,
    /// Number of classes [default: the architecture's own]
    #[arg(long, value_parser = values::positive, value_name = "N")]
    nc: Option<usize>,
    /// List parameters by name, all or those that match a pattern such as 'model.2.*'
    #[arg(long, num_args = 0..=1, default_missing_value = "*", value_name = "PATTERN")]
    parameters: Option<String>,
    /// Foretell time and memory of a training step on this machine from short probes
    #[arg(long)]
    forecast: bool,
    /// Device of the forecast: auto, cpu, gpu, gpu:N
    #[arg(long, default_value = "auto", requires = "forecast")]
    device: String,
    /// Print json
    #[arg(long)]
    json: bool,
}

/// Where the architecture comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    Cfg(ArchitectureSource),
    Weights(PathBuf),
}

/// Everything `inspect` needs to know, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct InspectSettings {
    pub subject: Subject,
    pub freeze: Option<FreezeSpec>,
    /// Factors on the learning rate by group of modules.
    pub lr_factor: RateFactors,
    /// Side of the input in pixels, a multiple of 32.
    pub imgsz: usize,
    pub batch_size: usize,
    /// Number of classes instead of the architecture's own.
    pub nc: Option<usize>,
    /// Pattern over names of the parameters to list.
    pub parameters: Option<String>,
    /// Where to foretell a step, if anywhere.
    pub forecast: Option<DeviceChoice>,
    pub json: bool,
}

impl RawInspect {
    /// Checks the flags and settles them; lines for the log go to `notes`.
    ///
    /// # Errors
    /// The first flag whose value does not mean anything, with what would.
    pub fn settle(self, notes: &mut Vec<String>) -> Result<InspectSettings> {
        let subject = match (&self.cfg, self.weights) {
            (Some(cfg), _) => Subject::Cfg(cfg.parse()?),
            (None, Some(path)) => Subject::Weights(shipped::find_named(&path)),
            (None, None) => Subject::Weights(trained::weights(None, notes)?),
        };
        if self.nc.is_some() && matches!(subject, Subject::Weights(_)) {
            return Err(Error::input(
                "--nc",
                "weights, which know their number of classes",
                "an architecture",
                "Use it with --cfg",
            ));
        }
        Ok(InspectSettings {
            subject,
            freeze: match &self.freeze[..] {
                [] => None,
                values => Some(FreezeSpec::from_values(values)?),
            },
            // Factors are seen in the list of parameters.
            parameters: match self.lr_factor {
                Some(_) => self.parameters.or_else(|| Some("*".to_owned())),
                None => self.parameters,
            },
            lr_factor: self.lr_factor.unwrap_or_default(),
            imgsz: values::imgsz(&self.imgsz, notes)?,
            batch_size: self.batch_size,
            nc: self.nc,
            forecast: match self.forecast {
                true => Some(self.device.parse()?),
                false => None,
            },
            json: self.json,
        })
    }
}
