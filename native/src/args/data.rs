//! `data check` and `data synth`: raw flags and the settings they settle into.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use frostline::Result;
use frostline::data::synth::{SynthOptions, World};

use super::{shipped, values};

/// What is typed after `data`.
#[derive(Debug, Subcommand)]
pub enum RawData {
    /// List every problem of a data set with its file and line
    #[command(infer_long_args = true)]
    Check(RawCheck),
    /// Draw a synthetic data set with exact boxes
    #[command(infer_long_args = true)]
    Synth(RawSynth),
}

/// What is typed after `data check`.
#[derive(Debug, Args)]
pub struct RawCheck {
    /// Data set yaml
    #[arg(value_name = "DATA.yaml")]
    data: PathBuf,
    /// Print json
    #[arg(long)]
    json: bool,
}

/// Everything `data check` needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckSettings {
    pub data: PathBuf,
    pub json: bool,
}

impl RawCheck {
    /// Settles the flags.
    pub fn settle(self) -> CheckSettings {
        CheckSettings {
            data: shipped::find_named(&self.data),
            json: self.json,
        }
    }
}

/// What is typed after `data synth`.
#[derive(Debug, Args)]
pub struct RawSynth {
    /// New or empty folder to write into
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// source (24 classes, to train on first) or target (4 others, to fine-tune for)
    #[arg(long, default_value = "source")]
    world: String,
    /// Pictures to learn from [default: 3000 source, 64 target]
    #[arg(long, value_parser = values::positive, value_name = "N")]
    train: Option<usize>,
    /// Pictures to validate on [default: 300 source, 32 target]
    #[arg(long, value_parser = values::positive, value_name = "N")]
    val: Option<usize>,
    /// Side of the pictures in pixels [default: 160 source, 320 target]
    #[arg(long, aliases = ["img", "img-size", "image-size"], value_name = "PX")]
    imgsz: Option<usize>,
    /// Seed; different seeds have no picture in common
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
}

/// Everything `data synth` needs to know, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct SynthSettings {
    pub folder: PathBuf,
    pub options: SynthOptions,
}

impl RawSynth {
    /// Checks the flags and settles them.
    ///
    /// # Errors
    /// An unknown world or an option out of range.
    pub fn settle(self) -> Result<SynthSettings> {
        let world: World = self.world.to_ascii_lowercase().parse()?;
        let mut options = SynthOptions::new(world);
        options.seed = self.seed;
        options.train = self.train.unwrap_or(options.train);
        options.val = self.val.unwrap_or(options.val);
        options.imgsz = self.imgsz.unwrap_or(options.imgsz);
        options.validate()?;
        Ok(SynthSettings {
            folder: self.folder,
            options,
        })
    }
}
