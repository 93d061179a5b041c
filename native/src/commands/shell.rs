//! `completions` and `manual`: what shells and `man` read, made from the one definition of the flags.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::Result;
use clap_complete::Shell;
use frostline::Error;

use crate::args::definition;

/// Prints the completions of `shell`.
///
/// # Errors
/// The output cannot be written.
pub fn completions(shell: Shell, out: &mut impl Write) -> Result<()> {
    // Into memory first: the generator panics where a pipe is closed early.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut definition(), "frostline", &mut script);
    out.write_all(&script)?;
    Ok(())
}

/// Writes `frostline.1` and a page per command into `folder`, which is made where it lacks.
///
/// # Errors
/// The folder or a page cannot be written.
pub fn manual(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(definition(), folder))
        .map_err(Error::io(folder))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every command with the words that lead to it, the program itself first.
    fn commands(command: &clap::Command, path: &[&str], found: &mut Vec<(String, clap::Command)>) {
        let path = [path, &[command.get_name()]].concat();
        found.push((path.join("-"), command.clone()));
        for inner in command.get_subcommands() {
            commands(inner, &path, found);
        }
    }

    fn all() -> Vec<(String, clap::Command)> {
        let mut found = Vec::new();
        commands(&definition(), &[], &mut found);
        found
    }

    fn flags(command: &clap::Command) -> impl Iterator<Item = &str> {
        let shown = command.get_arguments().filter(|flag| !flag.is_hide_set());
        shown.filter_map(clap::Arg::get_long)
    }

    #[test]
    fn completions_name_every_command_and_flag() {
        for shell in <Shell as clap::ValueEnum>::value_variants() {
            let mut script = Vec::new();
            completions(*shell, &mut script).unwrap();
            let script = String::from_utf8(script).unwrap();
            for (path, command) in all() {
                assert!(script.contains(command.get_name()), "{shell}: {path}");
                for flag in flags(&command) {
                    assert!(script.contains(flag), "{shell}: {path} --{flag}");
                }
            }
        }
    }

    #[test]
    fn the_manual_has_a_page_per_command_that_names_its_flags() {
        let folder = tempfile::tempdir().unwrap();
        let pages = folder.path().join("man1");
        manual(&pages).unwrap();
        assert_eq!(fs::read_dir(&pages).unwrap().count(), all().len());
        for (path, command) in all() {
            let page = fs::read_to_string(pages.join(format!("{path}.1"))).unwrap();
            assert!(page.starts_with(".ie") && page.contains(".TH"), "{path}");
            let page = page.replace(r"\-", "-");
            for flag in flags(&command) {
                assert!(page.contains(&format!("--{flag}")), "{path} --{flag}");
            }
        }
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = manual(&file.path().join("man1")).unwrap_err().to_string();
        assert!(error.contains("man1"), "{error}");
    }
}
