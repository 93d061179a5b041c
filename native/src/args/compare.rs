//! `compare`: train's flags, with `--freeze` naming one plan per value, and how often each is trained.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgMatches, Args};
use frostline::freeze::FreezeSpec;
use frostline::{Error, Result};

use super::train::RawTrain;
use super::typed::typed_flags;
use super::values;

/// Where comparisons lie unless told otherwise; train's own default is another folder.
const PROJECT: &str = "runs/compare";
/// Flags of train that a comparison sets itself, run by run.
const OWN: [&str; 7] = [
    "freeze", "seeds", "seed", "reach", "project", "name", "exist_ok",
];

/// What is typed after `compare`.
#[derive(Debug, Clone, Args)]
pub struct RawCompare {
    /// Train each plan with so many seeds, from --seed on
    #[arg(long, default_value = "1", value_parser = values::positive, value_name = "N")]
    seeds: usize,
    /// Tell how long each plan trains until its mAP50 is this, such as 0.6
    #[arg(long, value_parser = values::fraction, value_name = "MAP50")]
    reach: Option<f64>,
    #[command(flatten)]
    train: RawTrain,
}

/// Everything `compare` needs to know, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct CompareSettings {
    /// What each plan freezes, as typed.
    pub plans: Vec<String>,
    /// The seeds of each plan.
    pub seeds: Vec<u64>,
    /// The mAP50 that all are to reach.
    pub reach: Option<f64>,
    /// Where runs and report lie.
    pub folder: PathBuf,
    /// The rest of train's flags, with their values.
    pub flags: Vec<OsString>,
}

impl RawCompare {
    /// Checks the flags and settles them. `matches` are those of the subcommand, `given` the ids of what was
    /// typed.
    ///
    /// # Errors
    /// The first flag whose value does not mean anything, with what would.
    pub fn settle(self, given: &[String], matches: &ArgMatches) -> Result<CompareSettings> {
        if given.iter().any(|id| id == "resume") {
            return Err(Error::input(
                "--resume",
                "a single run's flag",
                "the same command again: a comparison goes on where it was",
                "Leave it out",
            ));
        }
        if given.iter().any(|id| id == "evolve") {
            return Err(Error::input(
                "--evolve",
                "a search, which is no plan to compare",
                "a flag of compare",
                "Search first with `frostline train --evolve`, then compare with --hyp hyp_evolve.yaml",
            ));
        }
        let plans = self.train.plans();
        if plans.len() < 2 {
            return Err(Error::input(
                "--freeze",
                format!("{} plan", plans.len()),
                "two or more to compare",
                "Such as --freeze 0 10 24, or --freeze backbone '24; 10@5'",
            ));
        }
        for plan in &plans {
            plan.parse::<FreezeSpec>()?;
        }
        let was_given = |id: &str| given.iter().any(|given| given == id);
        let (project, name, seed) = self.train.place_and_seed();
        let project = if was_given("project") {
            project
        } else {
            PathBuf::from(PROJECT)
        };
        Ok(CompareSettings {
            plans,
            seeds: (seed..).take(self.seeds).collect(),
            reach: self.reach,
            folder: project.join(name),
            flags: typed_flags("compare", &OWN, given, matches),
        })
    }
}
