//! `advise`: train's flags, with `--freeze` naming one candidate per value, and the budget that candidates share.

use std::ffi::OsString;

use clap::{ArgMatches, Args};
use frostline::freeze::FreezeSpec;
use frostline::{Error, Result};

use super::train::RawTrain;
use super::train_settings::TrainSettings;
use super::typed::typed_flags;
use super::values::{self, ProbeBudget};

/// Epochs that candidates are compared at when neither epochs nor a time are given.
const EPOCHS: usize = 30;
/// Flags that the advice itself decides or that belong to the asking.
const OWN: [&str; 7] = [
    "freeze",
    "epochs",
    "time",
    "memory",
    "probe",
    "json",
    "cache_features",
];

/// What is typed after `advise`.
#[derive(Debug, Clone, Args)]
pub struct RawAdvise {
    /// Time that a run may take, such as 10m or 1h30m: each candidate gets as many epochs as fit
    #[arg(long, value_parser = values::seconds, conflicts_with = "epochs", value_name = "TIME")]
    time: Option<f64>,
    /// Memory that training may ask for, such as 4GB: candidates that need more are left out
    #[arg(long, value_parser = values::bytes, value_name = "SIZE")]
    memory: Option<u64>,
    /// Time that the advice itself may take, such as 2m, or a share of the longest candidate's run, such as 25%
    #[arg(long, default_value = "2m", value_parser = values::probe_budget, value_name = "TIME")]
    probe: ProbeBudget,
    /// Print json
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    train: RawTrain,
}

/// Everything `advise` needs to know, checked.
#[derive(Debug)]
pub struct AdviseSettings {
    /// What each candidate freezes, as typed; none for the usual ones.
    pub plans: Vec<String>,
    /// What all candidates share; its epochs count where no time is given.
    pub train: TrainSettings,
    /// Seconds that a run may take.
    pub time_s: Option<f64>,
    /// Bytes that training may ask for.
    pub memory: Option<u64>,
    /// What the advice may take.
    pub probe: ProbeBudget,
    /// The person says where features are kept.
    pub keeping_given: bool,
    pub json: bool,
    /// The flags of `train` that were typed, for the command that is advised.
    pub flags: Vec<OsString>,
}

impl RawAdvise {
    /// Checks the flags and settles them. `matches` are those of the subcommand, `given` the ids of what was typed;
    /// lines for the log go to `notes`.
    ///
    /// # Errors
    /// The first flag whose value does not mean anything, with what would.
    pub fn settle(
        self,
        given: &[String],
        matches: &ArgMatches,
        notes: &mut Vec<String>,
    ) -> Result<AdviseSettings> {
        let was_given = |id: &str| given.iter().any(|given| given == id);
        if was_given("resume") {
            return Err(Error::input(
                "--resume",
                "a run that has its plan",
                "data and weights of a run to come",
                "Leave it out",
            ));
        }
        let plans = self.train.plans();
        if plans.len() == 1 {
            return Err(Error::input(
                "--freeze",
                "1 candidate",
                "two or more to choose from",
                "Such as --freeze 0 10 24, or leave it out",
            ));
        }
        for plan in &plans {
            plan.parse::<FreezeSpec>()?;
        }
        let (mut train, shipped) = self.train.settle_candidates(given, notes)?;
        if !was_given("epochs") && !shipped {
            train.epochs = EPOCHS;
            if self.time.is_none() {
                notes.push(format!(
                    "neither --epochs nor --time given: comparing runs of {EPOCHS} epochs"
                ));
            }
        }
        Ok(AdviseSettings {
            plans,
            train,
            time_s: self.time,
            memory: self.memory,
            probe: self.probe,
            keeping_given: was_given("cache_features"),
            json: self.json,
            flags: typed_flags("advise", &OWN, given, matches),
        })
    }
}
