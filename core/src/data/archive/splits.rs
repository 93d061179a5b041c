//! What a picture is for, as far as its folder says so: by the entries of a data yaml, by lists of pictures, or by the
//! names of folders.

use super::has_suffix;
use crate::data::config::{DataConfig, Split};
use crate::data::picture::SUFFIXES;

/// What a folder says of its splits.
#[derive(Default)]
pub(super) struct Splits {
    /// Parts of a path, or of a single picture, and what lies there is for.
    said: Vec<(Vec<String>, Split)>,
}

impl Splits {
    /// Takes the entries of a data yaml. `lists` are the text files of the folder that list pictures.
    pub(super) fn take_yaml(&mut self, config: &DataConfig, lists: &[(&str, &str)]) {
        for split in Split::ALL {
            for said in config.said(split) {
                let list = lists.iter().find(|(path, _)| ends_with(path, &parts(said)));
                match list {
                    Some((_, text)) if has_suffix(said, &["txt"]) => self.take_list(text, split),
                    _ => self.said.push((parts(said), split)),
                }
            }
        }
    }

    /// Takes a list called as a split, when no data yaml tells.
    pub(super) fn take_named_lists(&mut self, lists: &[(&str, &str)]) {
        for (path, text) in lists {
            let stem = path
                .rsplit('/')
                .next()
                .and_then(|name| name.split('.').next());
            if let Some(split) = stem.and_then(split_called) {
                self.take_list(text, split);
            }
        }
    }

    fn take_list(&mut self, text: &str, split: Split) {
        let rows = text.lines().map(parts).filter(|parts| !parts.is_empty());
        self.said.extend(rows.map(|parts| (parts, split)));
    }

    /// What the picture at `path` is for: what is said most precisely counts; when that is said for two splits, nothing
    /// is.
    pub(super) fn of(&self, path: &str) -> Option<Split> {
        let here = parts(path);
        let fits = self
            .said
            .iter()
            .map(|(said, split)| (fit(&here, said), *split));
        let fits: Vec<_> = fits.filter(|(fit, _)| *fit > 0).collect();
        let Some(best) = fits.iter().map(|(fit, _)| *fit).max() else {
            return by_folder(&here);
        };
        let mut best = fits
            .iter()
            .filter(|(fit, _)| *fit == best)
            .map(|(_, split)| *split);
        let first = best.next()?;
        best.all(|other| other == first).then_some(first)
    }
}

/// By the last folder on the way that is called as a split.
fn by_folder(parts: &[String]) -> Option<Split> {
    let folders = &parts[..parts.len().saturating_sub(1)];
    folders.iter().rev().find_map(|folder| split_called(folder))
}

fn split_called(name: &str) -> Option<Split> {
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit());
    match name.to_ascii_lowercase().as_str() {
        "train" | "training" => Some(Split::Train),
        "val" | "valid" | "validation" => Some(Split::Val),
        "test" | "testing" => Some(Split::Test),
        _ => None,
    }
}

/// How many of the last parts of `said` lie on the way to a picture, one after the other; for a picture, up to its name.
fn fit(here: &[String], said: &[String]) -> usize {
    let picture = said.last().is_some_and(|last| has_suffix(last, &SUFFIXES));
    (1..=said.len())
        .rev()
        .find(|&count| {
            let tail = &said[said.len() - count..];
            if picture {
                here.ends_with(tail)
            } else {
                here[..here.len().saturating_sub(1)]
                    .windows(count)
                    .any(|way| way == tail)
            }
        })
        // A picture that is named is told more precisely than any folder.
        .map_or(0, |count| if picture { count + here.len() } else { count })
}

fn ends_with(path: &str, tail: &[String]) -> bool {
    !tail.is_empty() && parts(path).ends_with(&tail[tail.len().saturating_sub(1)..])
}

/// The parts of a path that name something.
fn parts(path: &str) -> Vec<String> {
    let path = path.trim().replace('\\', "/");
    let parts = path
        .split('/')
        .filter(|part| !matches!(*part, "" | "." | ".."));
    parts.map(str::to_owned).collect()
}
