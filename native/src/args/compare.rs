//! `compare`: train's flags, with `--freeze` naming one plan per value, and how often each is trained.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgMatches, Args, CommandFactory as _};
use frostline::freeze::FreezeSpec;
use frostline::{Error, Result};

use super::Cli;
use super::train::RawTrain;
use super::values;

/// Where comparisons lie unless told otherwise; train's own default is another folder.
const PROJECT: &str = "runs/compare";
/// Flags of train that a comparison sets itself, run by run.
const OWN: [&str; 6] = ["freeze", "seeds", "seed", "project", "name", "exist_ok"];

/// What is typed after `compare`.
#[derive(Debug, Clone, Args)]
pub struct RawCompare {
    /// Train each plan with so many seeds, from --seed on
    #[arg(long, default_value = "1", value_parser = values::positive, value_name = "N")]
    seeds: usize,
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
            folder: project.join(name),
            flags: typed_flags("compare", &OWN, given, matches),
        })
    }
}

/// The flags of a subcommand that were typed, spelled out, without `own`: those that it sets itself.
pub(super) fn typed_flags(
    subcommand: &str,
    own: &[&str],
    given: &[String],
    matches: &ArgMatches,
) -> Vec<OsString> {
    let cli = Cli::command();
    let Some(command) = cli.find_subcommand(subcommand) else {
        return vec![];
    };
    let mut flags = vec![];
    for argument in command.get_arguments() {
        let id = argument.get_id().as_str();
        let (Some(long), true) = (argument.get_long(), given.iter().any(|given| given == id))
        else {
            continue;
        };
        if own.contains(&id) {
            continue;
        }
        let takes = argument.get_action().takes_values();
        if !takes {
            flags.push(format!("--{long}").into());
            continue;
        }
        // A flag that may be repeated is repeated; one with several values has them side by side.
        for occurrence in matches.get_raw_occurrences(id).into_iter().flatten() {
            flags.push(format!("--{long}").into());
            flags.extend(occurrence.map(OsString::from));
        }
    }
    flags
}
