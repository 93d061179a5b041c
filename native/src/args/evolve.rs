//! `train --evolve`: what is searched, settled.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::ArgMatches;
use frostline::train::Hyp;
use frostline::{Error, Result};

use super::train::RawTrain;
use super::typed::typed_flags;

/// Where searches lie unless told otherwise.
const PROJECT: &str = "runs/evolve";
/// Flags of train that a search sets itself, run by run.
const OWN: [&str; 8] = [
    "evolve",
    "hyp",
    "hyp_set",
    "label_smoothing",
    "project",
    "name",
    "exist_ok",
    "noforecast",
];

/// Everything a search for hyperparameters needs to know, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct EvolveSettings {
    /// Runs in all.
    pub generations: usize,
    /// Hyperparameters of the first.
    pub base: Hyp,
    pub seed: u64,
    /// Where the table and the best hyperparameters lie.
    pub folder: PathBuf,
    /// The rest of train's flags, with their values.
    pub flags: Vec<OsString>,
}

/// Checks the flags of `raw` and settles them into a search of `generations`.
///
/// # Errors
/// The first flag whose value does not mean anything, with what would.
pub fn settle(
    raw: RawTrain,
    generations: usize,
    given: &[String],
    matches: &ArgMatches,
    notes: &mut Vec<String>,
) -> Result<EvolveSettings> {
    let was_given = |id: &str| given.iter().any(|given| given == id);
    if was_given("resume") {
        return Err(Error::input(
            "--resume",
            "a single run's flag",
            "the same command again: a search goes on where it was",
            "Leave it out",
        ));
    }
    let settings = raw.settle(given, notes)?;
    let project = if was_given("project") {
        settings.project
    } else {
        PathBuf::from(PROJECT)
    };
    let mut flags = typed_flags("train", &OWN, given, matches);
    // An automatic batch needs a forecast; any other run is shorter without.
    if settings.batch_size.is_some() {
        flags.push("--noforecast".into());
    }
    Ok(EvolveSettings {
        generations,
        base: settings.hyp,
        seed: settings.seed,
        folder: project.join(settings.name),
        flags,
    })
}
