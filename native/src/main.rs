//! The `frostline` program: parses the command line, runs one command, and turns what became of it
//! into an exit code.

mod advise;
mod args;
mod commands;
mod compare;
mod evolve;
mod fetch;
mod forecast;
mod interrupt;
mod loader;
mod memory;
mod plots;
mod progress;
mod results;
mod run_folder;
mod training;
mod usage;
mod watch;

use std::io::{self, ErrorKind};
use std::process::ExitCode;

use args::{Command, Parsed, Refusal};
use interrupt::Interrupted;

/// Something failed while running.
const FAILED: u8 = 1;
/// A flag, a file or another input is wrong.
const WRONG_INPUT: u8 = 2;

/// Makes this thread one of those that tasks are divided among. Else every operation of a network would
/// wake the others and wait for them. A pool of one thread stays its own: whoever waits for it must
/// not be it.
fn join_the_pool() {
    if std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1) {
        // Fails only when there is a pool already, which then serves as well.
        let _ = rayon::ThreadPoolBuilder::new()
            .use_current_thread()
            .build_global();
    }
}

fn main() -> ExitCode {
    join_the_pool();
    let parsed = match args::parse(std::env::args_os()) {
        Ok(parsed) => parsed,
        // Prints help to standard output with code 0, errors to standard error with code 2.
        Err(Refusal::Usage(usage)) => usage.exit(),
        Err(Refusal::Input(error)) => {
            progress::say(&format!("error: {error}"));
            return ExitCode::from(exit_code(&error.into()));
        }
    };
    match run(parsed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            progress::say(&format!("error: {}", in_one_line(&error)));
            ExitCode::from(exit_code(&error))
        }
    }
}

fn run(mut parsed: Parsed) -> anyhow::Result<()> {
    for note in &parsed.notes {
        progress::say(note);
    }
    fetch::bring(&mut parsed.command)?;
    match parsed.command {
        Command::Inspect(settings) => commands::inspect::run(&settings, &mut io::stdout().lock()),
        Command::Watch(settings) => watch::run(&settings, &mut io::stdout().lock()),
        Command::Devices { json } => commands::devices::run(json, &mut io::stdout().lock()),
        Command::DataCheck(settings) => commands::data::check(&settings, &mut io::stdout().lock()),
        Command::DataSynth(settings) => commands::data::synth(&settings),
        Command::Compare(settings) => compare::run(&settings),
        Command::Advise(settings) => advise::run(&settings, &mut io::stdout().lock()),
        Command::Bench(settings) => commands::bench::run(&settings, &mut io::stdout().lock()),
        Command::Completions(shell) => {
            commands::shell::completions(shell, &mut io::stdout().lock())
        }
        Command::Manual { folder } => commands::shell::manual(&folder),
        Command::Evolve(settings) => evolve::run(&settings),
        Command::Train(settings) => commands::train::run(*settings),
        Command::Val(settings) => commands::val::run(settings),
        Command::Export(settings) => commands::export::run(&settings),
        Command::Detect(settings) => commands::detect::run(settings),
    }
}

/// `frostline inspect | head` closes the pipe early, which is no failure.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

/// The error and its causes, without those whose words already stand there.
fn in_one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !line.contains(&cause) {
            if !line.is_empty() {
                line.push_str(": ");
            }
            line.push_str(&cause);
        }
    }
    line
}

fn exit_code(error: &anyhow::Error) -> u8 {
    for cause in error.chain() {
        if cause.is::<Interrupted>() {
            return interrupt::EXIT_CODE;
        }
        match cause.downcast_ref() {
            Some(frostline::Error::Input(_)) => return WRONG_INPUT,
            Some(frostline::Error::Io { source, .. })
                if matches!(
                    source.kind(),
                    ErrorKind::NotFound | ErrorKind::IsADirectory | ErrorKind::NotADirectory
                ) =>
            {
                return WRONG_INPUT;
            }
            _ => {}
        }
    }
    FAILED
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;
    use frostline::Error;

    use super::*;

    #[test]
    fn exit_codes_tell_bad_input_from_failure() {
        let input = Error::input("a.yaml:1", "this", "that", "");
        let missing = Error::io("a.yaml")(ErrorKind::NotFound.into());
        let full = Error::io("a.yaml")(ErrorKind::StorageFull.into());
        assert_eq!(exit_code(&input.into()), 2);
        assert_eq!(exit_code(&missing.into()), 2);
        assert_eq!(exit_code(&full.into()), 1);
        assert_eq!(exit_code(&anyhow::anyhow!("lost the device")), 1);
        let interrupted: anyhow::Result<()> = Err(Interrupted).context("while training");
        assert_eq!(exit_code(&interrupted.unwrap_err()), 130);
    }

    #[test]
    fn a_cause_is_told_once() {
        let missing = Error::io("a.yaml")(io::Error::other("no such file"));
        let error = anyhow::Error::from(missing).context("reading the data");
        assert_eq!(
            in_one_line(&error),
            "reading the data: a.yaml: no such file"
        );
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        let pipe = io::Error::from(ErrorKind::BrokenPipe);
        assert!(is_closed_pipe(&pipe.into()));
    }
}
