//! What `detect --source` names: pictures and videos.

use std::path::{Path, PathBuf};

use anyhow::Context;
use frostline::Error;
use frostline::data::picture::has_picture_suffix;

use super::video::has_video_suffix;

/// The pictures and videos that a source names, in order: a file, a folder, a pattern or a list (`.txt`, a path a
/// line).
///
/// # Errors
/// There is nothing, or nothing that could be looked at.
pub fn files(source: &str) -> anyhow::Result<Vec<PathBuf>> {
    let path = Path::new(source);
    let mut found = Vec::new();
    if path.is_dir() {
        for entry in std::fs::read_dir(path).with_context(|| source.to_owned())? {
            found.push(entry?.path());
        }
        found.retain(|path| path.is_file() && is_seen(path));
    } else if has_suffix(path, "txt") && path.is_file() {
        found = listed(path)?;
    } else if path.is_file() {
        found.push(path.to_path_buf());
    } else if source.contains(['*', '?', '[']) {
        let matches = glob::glob(source).with_context(|| format!("--source {source}"))?;
        found.extend(matches.filter_map(Result::ok));
        found.retain(|path| path.is_file() && is_seen(path));
    } else {
        let next = if source.contains("://") {
            "Save what is there to a file first: nothing is fetched, and no stream is read"
        } else if source.chars().all(|c| c.is_ascii_digit()) {
            "Cameras are not read: record a video first"
        } else {
            ""
        };
        let expected =
            "a picture, a video, a folder, a pattern like \"photos/*.jpg\" or a .txt list of paths";
        let found = format!("nothing at {source:?}");
        return Err(Error::input("--source", found, expected, next).into());
    }
    found.sort();
    if found.is_empty() {
        let expected = "files ending in bmp, jpg, jpeg, png, tif, tiff or webp, or in a video's suffix such as mp4";
        return Err(Error::input(format!("--source {source}"), "no picture", expected, "").into());
    }
    Ok(found)
}

fn is_seen(path: &Path) -> bool {
    has_picture_suffix(path) || has_video_suffix(path)
}

fn has_suffix(path: &Path, suffix: &str) -> bool {
    path.extension()
        .is_some_and(|found| found.eq_ignore_ascii_case(suffix))
}

/// The paths of a list, which may start where the list lies.
fn listed(list: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let text = std::fs::read_to_string(list).with_context(|| list.display().to_string())?;
    let base = list.parent().unwrap_or(Path::new("."));
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(lines
        .map(Path::new)
        .map(|named| match named.exists() {
            true => named.to_path_buf(),
            false => base.join(named),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_patterns_lists_and_files_are_found() {
        let root = tempfile::tempdir().unwrap();
        let file = |name: &str| root.path().join(name);
        for name in ["b.jpg", "a.PNG", "clip.mp4", "notes.md", "odd[1].jpg"] {
            std::fs::write(file(name), "").unwrap();
        }
        std::fs::write(file("list.txt"), "a.PNG\n\nclip.mp4\n").unwrap();
        let names = |source: &str| -> Vec<String> {
            let found = files(&file(source).display().to_string()).unwrap();
            let names = found
                .iter()
                .map(|path| path.file_name().unwrap().to_string_lossy().into_owned());
            names.collect()
        };
        assert_eq!(names(""), ["a.PNG", "b.jpg", "clip.mp4", "odd[1].jpg"]);
        assert_eq!(names("*.jpg"), ["b.jpg", "odd[1].jpg"]);
        assert_eq!(names("list.txt"), ["a.PNG", "clip.mp4"]);
        // A file of that name is no pattern.
        assert_eq!(names("odd[1].jpg"), ["odd[1].jpg"]);
    }

    #[test]
    fn sources_that_are_not_read_say_what_to_do() {
        for (source, words) in [
            ("rtsp://host/1", "no stream is read"),
            ("0", "record a video"),
            ("gone.jpg", "nothing at \"gone.jpg\""),
        ] {
            let message = files(source).unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
        }
    }
}
