//! Flags as they were typed, for commands that run others.

use std::ffi::OsString;

use clap::{ArgMatches, CommandFactory as _};

use super::Cli;

/// The flags of `command` that were typed, spelled out, without those whose ids stand in `own`. `given` holds the ids of
/// what was typed, `matches` are those of the subcommand.
pub fn typed_flags(
    command: &str,
    own: &[&str],
    given: &[String],
    matches: &ArgMatches,
) -> Vec<OsString> {
    let cli = Cli::command();
    let Some(command) = cli.find_subcommand(command) else {
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
