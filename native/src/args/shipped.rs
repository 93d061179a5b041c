//! Where the files that come with the program lie.

use std::path::{Path, PathBuf};

/// The weights that `train` starts from when none are named: YOLOv5n trained on the source world.
pub const WEIGHTS: &str = "weights/yolov5n-source.safetensors";
/// The data that `train` learns when none are named: the target world.
pub const DATA: &str = "data/target/target.yaml";

/// Finds a shipped file from anywhere: in the current folder, in a folder above the executable,
/// or in the source tree that the program was built from. Without any it is returned as it is, so
/// that the error of whoever opens it names it.
pub fn find(relative: &str) -> PathBuf {
    roots()
        .map(|root| root.join(relative))
        .find(|path| path.exists())
        .map_or_else(|| PathBuf::from(relative), |path| shortest(&path))
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
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    std::iter::once(PathBuf::new())
        .chain(above)
        .chain(source.map(Path::to_path_buf))
}

/// Relative to the current folder when it lies inside, which reads better in a log.
fn shortest(path: &Path) -> PathBuf {
    std::env::current_dir()
        .ok()
        .and_then(|here| path.strip_prefix(here).ok().map(Path::to_path_buf))
        .unwrap_or_else(|| path.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

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
