//! Where the files that come with the program lie.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use frostline::data::synth::{self, SynthOptions, World};
use frostline::{Error, Result};

use crate::progress;

/// The weights that `train` starts from when none are named: YOLOv5n trained on the source world.
pub const WEIGHTS: &str = "weights/yolov5n-source.safetensors";
/// The data that `train` learns when none are named: the target world.
pub const DATA: &str = "data/target/target.yaml";

/// The weights within the program, for one that was installed without the source tree.
static WEIGHTS_BYTES: &[u8] = include_bytes!("../../weights/yolov5n-source.safetensors");

/// Finds a shipped file from anywhere: in the current folder, in a folder above the executable,
/// in the source tree that the program was built from, or in the user's cache, where it is put when it is
/// nowhere else. Without any it is returned as it is, so that the error of whoever opens it names it.
pub fn find(relative: &str) -> PathBuf {
    roots()
        .map(|root| root.join(relative))
        .find(|path| path.exists())
        .map(|path| shortest(&path))
        .or_else(|| from_the_cache(relative))
        .unwrap_or_else(|| PathBuf::from(relative))
}

/// A file that a person named: where they said, and otherwise among the shipped ones.
pub fn find_named(path: &Path) -> PathBuf {
    match path.to_str() {
        Some(text) if path.is_relative() && !path.exists() => find(text),
        _ => path.to_path_buf(),
    }
}

fn roots() -> impl Iterator<Item = PathBuf> {
    let executable = std::env::current_exe().unwrap_or_default();
    let above: Vec<PathBuf> = executable
        .ancestors()
        .skip(1)
        .map(Path::to_path_buf)
        .collect();
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = package.ancestors().take(2).map(Path::to_path_buf);
    std::iter::once(PathBuf::new()).chain(above).chain(source)
}

/// Relative to the current folder when it lies inside, which reads better in a log.
fn shortest(path: &Path) -> PathBuf {
    std::env::current_dir()
        .ok()
        .and_then(|here| path.strip_prefix(here).ok().map(Path::to_path_buf))
        .unwrap_or_else(|| path.to_path_buf())
}

/// A shipped file in the user's cache, by version; `None` for any other, and where there is no cache.
fn from_the_cache(relative: &str) -> Option<PathBuf> {
    let cache = dirs::cache_dir()?
        .join("frostline")
        .join(env!("CARGO_PKG_VERSION"));
    unpack(relative, &cache).unwrap_or_else(|error| {
        progress::say(&format!("the shipped {relative} is not unpacked: {error}"));
        None
    })
}

/// Puts a shipped file below `folder` where it is missing, whole or not at all: the weights out of the program, the data
/// drawn anew, which gives the same bytes.
fn unpack(relative: &str, folder: &Path) -> Result<Option<PathBuf>> {
    let path = folder.join(relative);
    if path.exists() {
        return Ok(Some(path));
    }
    let Some(parent) = path
        .parent()
        .filter(|_| [WEIGHTS, DATA].contains(&relative))
    else {
        return Ok(None);
    };
    if relative == WEIGHTS {
        fs::create_dir_all(parent).map_err(Error::io(parent))?;
        let mut file = tempfile::NamedTempFile::new_in(parent).map_err(Error::io(parent))?;
        file.write_all(WEIGHTS_BYTES).map_err(Error::io(&path))?;
        file.persist(&path)
            .map_err(|error| Error::io(&path)(error.error))?;
        return Ok(Some(path));
    }
    let above = parent.parent().unwrap_or(folder);
    fs::create_dir_all(above).map_err(Error::io(above))?;
    let drawn = tempfile::tempdir_in(above).map_err(Error::io(above))?;
    let world = drawn.path().join("target");
    synth::write(&SynthOptions::new(World::Target), &world, |_, _| {})?;
    // Another process may have been quicker, with the same bytes.
    match fs::rename(&world, parent) {
        Err(error) if !path.exists() => Err(Error::io(parent)(error)),
        _ => Ok(Some(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unpacked_is_what_lies_in_the_source_tree() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache");
        for relative in [WEIGHTS, DATA] {
            let unpacked = unpack(relative, &cache).unwrap().unwrap();
            let written = fs::metadata(&unpacked).unwrap().modified().unwrap();
            assert_eq!(
                fs::read(&unpacked).unwrap(),
                fs::read(find(relative)).unwrap()
            );
            assert_eq!(unpack(relative, &cache).unwrap(), Some(unpacked.clone()));
            let again = fs::metadata(&unpacked).unwrap().modified().unwrap();
            assert_eq!(again, written, "it is put there once");
        }
        for picture in ["train/target_00063", "val/target_00031"] {
            let picture = format!("data/target/images/{picture}.jpg");
            assert_eq!(
                fs::read(cache.join(&picture)).unwrap(),
                fs::read(find(&picture)).unwrap()
            );
        }
        assert_eq!(unpack("no/such/file.yaml", &cache).unwrap(), None);
        assert_eq!(
            fs::read_dir(cache.join("data")).unwrap().count(),
            1,
            "nothing half drawn is left"
        );
    }

    #[test]
    fn a_cache_that_cannot_be_written_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for relative in [WEIGHTS, DATA] {
            let error = unpack(relative, file.path()).unwrap_err().to_string();
            assert!(
                error.contains(&file.path().display().to_string()),
                "{error}"
            );
        }
    }

    #[test]
    fn a_file_of_the_source_tree_is_found_from_any_folder() {
        assert!(find("native/Cargo.toml").is_file());
        assert!(find_named(Path::new("native/Cargo.toml")).is_file());
    }

    #[test]
    fn a_file_that_is_nowhere_keeps_its_name() {
        let path = Path::new("no/such/file.yaml");
        assert_eq!(find_named(path), path);
    }
}
