//! Which weights and data `val` and `detect` mean when none are named: those of the newest run.

use std::path::{Path, PathBuf};

use frostline::Result;

use super::TrainSettings;
use super::shipped;
use crate::run_folder::{self, RunFolder};

/// Where `train` puts its runs unless told otherwise.
const RUNS: &str = "runs/train";

/// The weights that were named, the best of the newest run, or the shipped ones; says which.
///
/// # Errors
/// The run folder cannot be listed.
pub fn weights(named: Option<PathBuf>, notes: &mut Vec<String>) -> Result<PathBuf> {
    if let Some(path) = named {
        return Ok(shipped::find_named(&path));
    }
    let best = match run_folder::find_last_run(Path::new(RUNS))? {
        Some(run) => RunFolder::existing(run).best()?,
        None => None,
    };
    let weights = best.unwrap_or_else(|| shipped::find(shipped::WEIGHTS));
    notes.push(format!("no --weights given: using {}", weights.display()));
    Ok(weights)
}

/// The data that was named, that of the run which the weights belong to, or the shipped one; says
/// which.
pub fn data(named: Option<PathBuf>, weights: &Path, notes: &mut Vec<String>) -> PathBuf {
    if let Some(path) = named {
        return shipped::find_named(&path);
    }
    let data = RunFolder::of_checkpoint(weights)
        .and_then(|run| TrainSettings::read(run.path()))
        .map_or_else(|_| shipped::find(shipped::DATA), |settings| settings.data);
    notes.push(format!("no --data given: using {}", data.display()));
    data
}
