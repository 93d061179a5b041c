//! Which weights and data `val` and `detect` mean when none are named: those of the newest run.

use std::path::{Path, PathBuf};

use frostline::{Error, Result};

use super::TrainSettings;
use super::shipped;
use crate::run_folder::{self, RunFolder};

/// Where `train` puts its runs unless told otherwise.
pub(super) const RUNS: &str = "runs/train";

/// The weights that were named (`best` and `last` are the newest run's), the best of the newest run, or the shipped ones; says which.
///
/// # Errors
/// The run folder cannot be listed.
pub fn weights(named: Option<PathBuf>, notes: &mut Vec<String>) -> Result<PathBuf> {
    let newest = || run_folder::find_last_run(Path::new(RUNS));
    if let Some(path) = named {
        let word = path.to_str().filter(|_| !path.exists());
        return match word {
            Some(word @ ("best" | "last")) => of_run(newest()?, word),
            _ => Ok(shipped::find_named(&path)),
        };
    }
    let best = match newest()? {
        Some(run) => RunFolder::existing(run).best()?,
        None => None,
    };
    let weights = best.unwrap_or_else(|| shipped::find(shipped::WEIGHTS));
    notes.push(format!("no --weights given: using {}", weights.display()));
    Ok(weights)
}

/// `best` or `last` of the newest run.
fn of_run(run: Option<PathBuf>, word: &str) -> Result<PathBuf> {
    let run = run.map(RunFolder::existing);
    let checkpoint = match &run {
        Some(run) if word == "best" => run.best()?,
        Some(run) => run.last()?,
        None => None,
    };
    checkpoint.ok_or_else(|| {
        Error::input(
            "--weights",
            format!("`{word}`, and no run under {RUNS} that has it"),
            "a file, or a run to take it from",
            "Name the file, such as runs/train/exp/weights/best.safetensors",
        )
    })
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
