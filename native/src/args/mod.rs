//! The command line: raw flags are parsed first, then checked and settled into one struct per
//! command, which the rest of the program trusts.

mod advise;
mod bench;
mod compare;
mod data;
mod detect;
mod evolve;
mod export;
mod inspect;
mod shipped;
mod spelling;
mod train;
mod train_settings;
mod trained;
mod typed;
mod val;
mod values;
mod watch;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use clap_complete::Shell;

pub use advise::AdviseSettings;
pub use bench::{BenchCase, BenchSettings};
pub use compare::CompareSettings;
pub use data::{CheckSettings, SynthSettings};
pub use detect::DetectSettings;
pub use evolve::EvolveSettings;
pub use export::{ExportSettings, Format};
pub use inspect::{InspectSettings, Subject};
pub use train::BATCH_SIZE;
pub use train_settings::TrainSettings;
pub use val::ValSettings;
pub use values::{ArchitectureSource, FeatureMode, LogTo, ProbeBudget, Task};
pub use watch::WatchSettings;

const EXIT_CODES: &str = "Exit codes:
  0    done
  1    failed while running
  2    a flag, a file or another input is wrong
  130  interrupted; a checkpoint was saved if training had begun

NO_COLOR turns colours off. Flags may be shortened as long as they are clear, and may be written
with _ for -.";

/// Fine-tune YOLOv5 with frozen layers, on Vulkan, Metal, DX12 or the CPU.
#[derive(Debug, Parser)]
#[command(name = "frostline", version, after_help = EXIT_CODES, infer_long_args = true)]
struct Cli {
    #[command(subcommand)]
    command: Raw,
}

#[derive(Debug, Subcommand)]
enum Raw {
    /// Fine-tune a detector; with no flags at all, a demonstration on shipped data
    #[command(after_help = EXIT_CODES, infer_long_args = true)]
    Train(Box<train::RawTrain>),
    /// Measure how good weights are on a data set
    #[command(after_help = EXIT_CODES, infer_long_args = true)]
    Val(val::RawVal),
    /// Find objects in pictures
    #[command(after_help = EXIT_CODES, infer_long_args = true)]
    Detect(detect::RawDetect),
    /// Write trained weights for other programs: ONNX, safetensors
    #[command(after_help = EXIT_CODES, infer_long_args = true)]
    Export(export::RawExport),
    /// Show an architecture, its parameters, and what freezing would do
    #[command(after_help = EXIT_CODES, infer_long_args = true)]
    Inspect(inspect::RawInspect),
    /// Measure the time and memory of a training step or of inference on this machine
    #[command(after_help = EXIT_CODES, infer_long_args = true)]
    Bench(bench::RawBench),
    /// Train several freeze plans on the same data and report what each gains and costs
    #[command(after_help = EXIT_CODES, infer_long_args = true)]
    Compare(Box<compare::RawCompare>),
    /// Say from short probes which freeze depth suits data, weights and a budget
    #[command(after_help = EXIT_CODES, infer_long_args = true)]
    Advise(Box<advise::RawAdvise>),
    /// Show the curves of a run in the terminal, while it goes on or afterwards
    #[command(infer_long_args = true)]
    Watch(watch::RawWatch),
    /// List the devices that --device can name
    #[command(infer_long_args = true)]
    Devices(RawDevices),
    /// Check or make data sets
    #[command(subcommand)]
    Data(data::RawData),
    /// Print the completions of a shell, for the file that it reads them from
    #[command(infer_long_args = true)]
    Completions(RawCompletions),
    /// Write the manual, a page per command
    #[command(infer_long_args = true)]
    Manual(RawManual),
}

#[derive(Debug, Args)]
struct RawDevices {
    /// Print json
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct RawCompletions {
    /// The shell
    shell: Shell,
}

#[derive(Debug, Args)]
struct RawManual {
    /// Folder for the pages, such as ~/.local/share/man/man1
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

/// A command with everything it needs to know.
#[derive(Debug)]
pub enum Command {
    Train(Box<TrainSettings>),
    Evolve(EvolveSettings),
    Val(ValSettings),
    Detect(DetectSettings),
    Export(ExportSettings),
    Inspect(InspectSettings),
    Bench(BenchSettings),
    Compare(CompareSettings),
    Advise(Box<AdviseSettings>),
    Watch(WatchSettings),
    Devices { json: bool },
    DataCheck(CheckSettings),
    DataSynth(SynthSettings),
    Completions(Shell),
    Manual { folder: PathBuf },
}

/// A settled command line.
#[derive(Debug)]
pub struct Parsed {
    pub command: Command,
    /// What was assumed or rounded, one line each, for the log.
    pub notes: Vec<String>,
}

/// Why a command line is not understood, or need not be.
#[derive(Debug)]
pub enum Refusal {
    /// clap's own answer: an error, the help or the version.
    Usage(clap::Error),
    /// A value that means nothing.
    Input(frostline::Error),
}

impl From<clap::Error> for Refusal {
    fn from(error: clap::Error) -> Self {
        Self::Usage(error)
    }
}

impl From<frostline::Error> for Refusal {
    fn from(error: frostline::Error) -> Self {
        Self::Input(error)
    }
}

/// Parses and settles a command line, the program's name included.
///
/// # Errors
/// Help or version was asked for, or a flag is unknown or its value means nothing.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Parsed, Refusal> {
    let args = spelling::normalize(args)?;
    let matches = Cli::command().try_get_matches_from(args)?;
    let given = given(&matches);
    let mut notes = Vec::new();
    let command = match Cli::from_arg_matches(&matches)?.command {
        Raw::Train(raw) => match raw.generations() {
            Some(generations) => {
                let inner = matches.subcommand_matches("train").unwrap_or(&matches);
                let settings = evolve::settle(*raw, generations, &given, inner, &mut notes)?;
                Command::Evolve(settings)
            }
            None => Command::Train(Box::new(raw.settle(&given, &mut notes)?)),
        },
        Raw::Val(raw) => Command::Val(raw.settle(&mut notes)?),
        Raw::Detect(raw) => Command::Detect(raw.settle(&mut notes)?),
        Raw::Export(raw) => Command::Export(raw.settle(&mut notes)?),
        Raw::Watch(raw) => Command::Watch(raw.settle()?),
        Raw::Inspect(raw) => Command::Inspect(raw.settle(&mut notes)?),
        Raw::Bench(raw) => Command::Bench(raw.settle(&mut notes)?),
        Raw::Compare(raw) => {
            let inner = matches.subcommand_matches("compare").unwrap_or(&matches);
            Command::Compare(raw.settle(&given, inner)?)
        }
        Raw::Advise(raw) => {
            let inner = matches.subcommand_matches("advise").unwrap_or(&matches);
            Command::Advise(Box::new(raw.settle(&given, inner, &mut notes)?))
        }
        Raw::Devices(raw) => Command::Devices { json: raw.json },
        Raw::Data(data::RawData::Check(raw)) => Command::DataCheck(raw.settle()),
        Raw::Data(data::RawData::Synth(raw)) => Command::DataSynth(raw.settle()?),
        Raw::Completions(raw) => Command::Completions(raw.shell),
        Raw::Manual(raw) => Command::Manual { folder: raw.folder },
    };
    Ok(Parsed { command, notes })
}

/// The definition of every command and flag.
pub fn definition() -> clap::Command {
    Cli::command()
}

/// Ids of the subcommand's flags that were typed, as opposed to filled in.
fn given(matches: &clap::ArgMatches) -> Vec<String> {
    let Some((name, matches)) = matches.subcommand() else {
        return Vec::new();
    };
    // The ids of matches would name groups too, which were not typed.
    let command = Cli::command();
    let flags = command
        .find_subcommand(name)
        .map(clap::Command::get_arguments);
    flags
        .into_iter()
        .flatten()
        .map(|flag| flag.get_id().as_str())
        .filter(|id| matches.value_source(id) == Some(ValueSource::CommandLine))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests;
