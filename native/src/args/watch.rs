//! `watch`: raw flags and the settings they settle into.

use std::path::{Path, PathBuf};

use clap::Args;
use frostline::{Error, Result};

use super::trained::RUNS;
use crate::run_folder;

/// What is typed after `watch`.
#[derive(Debug, Args)]
pub struct RawWatch {
    /// Folder of the run [default: the newest under runs/train]
    #[arg(value_name = "RUN")]
    run: Option<PathBuf>,
    /// Print the view once, as text; so it is done too where the output is not a terminal
    #[arg(long)]
    once: bool,
}

/// Everything `watch` needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchSettings {
    pub run: PathBuf,
    pub once: bool,
}

impl RawWatch {
    /// Settles the flags.
    ///
    /// # Errors
    /// There is no run.
    pub fn settle(self) -> Result<WatchSettings> {
        let run = match self.run {
            Some(run) => run,
            None => run_folder::find_last_run(Path::new(RUNS))?.ok_or_else(|| {
                Error::input(
                    "watch",
                    format!("no run under {RUNS}"),
                    "a run to watch",
                    "Start one with `frostline train`, or name the folder of a run",
                )
            })?,
        };
        Ok(WatchSettings {
            run,
            once: self.once,
        })
    }
}
