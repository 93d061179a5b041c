//! Published weights and data sets by name: fetched once, when a person names them and no file of that name is there.

mod catalogue;
mod data_set;
mod download;
mod unpack;
mod voc;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use frostline::Error;

use crate::args::{Command, Subject};
use crate::progress::say;
use download::Download;

/// Names the folder to keep what was fetched in, instead of the platform's.
const CACHE: &str = "FROSTLINE_CACHE";
/// An address that stands before every other one, for networks that reach a mirror alone:
/// `https://github.com/a` becomes `MIRROR/github.com/a`.
const MIRROR: &str = "FROSTLINE_MIRROR";

/// Fetches what a command names by a published name, and puts the files' paths in its place.
///
/// # Errors
/// A published name that is not supported, a network that fails, or a cache that cannot be written.
pub fn bring(command: &mut Command) -> Result<()> {
    let (weights, data) = match command {
        Command::Train(settings) if settings.resume.is_none() => {
            (settings.weights.as_mut(), Some(&mut settings.data))
        }
        Command::Advise(settings) => (
            settings.train.weights.as_mut(),
            Some(&mut settings.train.data),
        ),
        Command::Val(settings) => (Some(&mut settings.weights), Some(&mut settings.data)),
        Command::Detect(settings) => (Some(&mut settings.weights), settings.data.as_mut()),
        Command::Export(settings) => (Some(&mut settings.weights), None),
        Command::Bench(settings) => (settings.weights.as_mut(), None),
        Command::DataCheck(settings) => (None, Some(&mut settings.data)),
        Command::Inspect(settings) => match &mut settings.subject {
            Subject::Weights(path) => (Some(path), None),
            Subject::Cfg(_) => (None, None),
        },
        _ => (None, None),
    };
    if let Some(path) = weights {
        replace(path, weights_of)?;
    }
    if let Some(path) = data {
        replace(path, data_of)?;
    }
    Ok(())
}

/// Only a bare name that no file has can be a published one.
fn replace(path: &mut PathBuf, bring: fn(&str) -> Result<Option<PathBuf>>) -> Result<()> {
    let bare = path
        .parent()
        .is_some_and(|parent| parent.as_os_str().is_empty());
    if let Some(name) = path.to_str().filter(|_| bare && !path.exists())
        && let Some(fetched) = bring(name)?
    {
        *path = fetched;
    }
    Ok(())
}

fn weights_of(name: &str) -> Result<Option<PathBuf>> {
    let name = name.to_ascii_lowercase();
    if catalogue::UNSUPPORTED.contains(&name.as_str()) {
        return Err(Error::input(
            "--weights",
            format!("{name}, a network with four scales for 1280 px"),
            "one of the networks with three scales",
            "Name yolov5n.pt, yolov5s.pt, yolov5m.pt, yolov5l.pt or yolov5x.pt",
        )
        .into());
    }
    let Some(name) = catalogue::WEIGHTS.iter().find(|known| **known == name) else {
        return Ok(None);
    };
    let path = cache()?.join("weights").join(name);
    let download = Download {
        address: address(&catalogue::weights_address(name)),
        largest: catalogue::LARGEST_WEIGHTS,
        stable: true,
    };
    download.to(&path, "--weights")?;
    say(&format!("{name}: {}", path.display()));
    Ok(Some(path))
}

fn data_of(name: &str) -> Result<Option<PathBuf>> {
    let name = name.to_ascii_lowercase();
    let Some(set) = catalogue::DATA
        .iter()
        .find(|set| format!("{}.yaml", set.name) == name)
    else {
        return Ok(None);
    };
    let cache = cache()?;
    let yaml = data_set::bring(set, &cache)?;
    say(&format!("{name}: {}", yaml.display()));
    Ok(Some(yaml))
}

/// Where what was fetched is kept.
fn cache() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os(CACHE).filter(|folder| !folder.is_empty()) {
        return std::path::absolute(folder).context(CACHE);
    }
    let cache = dirs::cache_dir()
        .with_context(|| format!("there is no home folder; name one to fetch into with {CACHE}"))?;
    Ok(cache.join("frostline"))
}

/// The address itself, or its place on the mirror.
fn address(public: &str) -> String {
    match std::env::var(MIRROR) {
        Ok(mirror) if !mirror.is_empty() => mirrored(&mirror, public),
        _ => public.to_owned(),
    }
}

fn mirrored(mirror: &str, public: &str) -> String {
    let rest = public.split_once("://").map_or(public, |(_, rest)| rest);
    format!("{}/{rest}", mirror.trim_end_matches('/'))
}

/// The last part of an address.
fn file_name(address: &str) -> &str {
    address.rsplit('/').next().unwrap_or(address)
}

/// A path beside `path`: `a.zip` and `.part` make `a.zip.part`.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_holds_every_address_below_it() {
        let public = "https://github.com/a/b.pt";
        for mirror in ["http://127.0.0.1:8/m", "http://127.0.0.1:8/m/"] {
            assert_eq!(
                mirrored(mirror, public),
                "http://127.0.0.1:8/m/github.com/a/b.pt"
            );
        }
    }

    #[test]
    fn only_bare_names_of_the_catalogue_are_asked_for() {
        for known in ["somewhere/yolov5n.pt", "/yolov5n.pt", "./yolov5n.pt"] {
            let mut path = PathBuf::from(known);
            replace(&mut path, |_| panic!("a path is no name")).unwrap();
            assert_eq!(path, Path::new(known));
        }
        for unknown in ["mine.pt", "yolov5.pt", "coco128.yml"] {
            assert!(weights_of(unknown).unwrap().is_none(), "{unknown}");
            assert!(data_of(unknown).unwrap().is_none(), "{unknown}");
        }
        for size in ["yolov5n6.pt", "YOLOv5x6.pt"] {
            let message = weights_of(size).unwrap_err().to_string();
            assert!(message.contains("four scales"), "{message}");
        }
    }
}
