//! Files of a data set: walking folders, reading lists, writing paths the short way.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use super::picture::has_picture_suffix;
use crate::{Error, Result};

/// A yaml or a list past this size is refused before it is read.
const MAX_TEXT_BYTES: u64 = 256 << 20;

/// `path` without `.` and, where that is certain to mean the same, without `..`: links stay as the
/// user wrote them.
pub(crate) fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(clean.components().next_back(), Some(Component::Normal(_)))
                    && !clean.is_symlink() =>
            {
                clean.pop();
            }
            part => clean.push(part),
        }
    }
    clean
}

/// Every picture below `folder`. Hidden files and folders are left out, as in the reference; links
/// are followed, once each.
pub(crate) fn pictures_below(folder: &Path, images: &mut Vec<PathBuf>) -> Result<()> {
    walk_files(folder, &mut |path| {
        if has_picture_suffix(&path) {
            images.push(path);
        }
    })
}

/// Calls `visit` for every file below `folder` that is not hidden.
pub(crate) fn walk_files(folder: &Path, visit: &mut dyn FnMut(PathBuf)) -> Result<()> {
    let mut todo = vec![folder.to_path_buf()];
    let mut seen = HashSet::new();
    while let Some(folder) = todo.pop() {
        let real = folder.canonicalize().map_err(Error::io(&folder))?;
        if !seen.insert(real) {
            continue;
        }
        let mut folders = Vec::new();
        for item in std::fs::read_dir(&folder).map_err(Error::io(&folder))? {
            let item = item.map_err(Error::io(&folder))?;
            if item.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let path = item.path();
            // A link that leads nowhere is handed on as a file, so that reading it says so.
            if path.is_dir() {
                folders.push(path);
            } else {
                visit(path);
            }
        }
        // In order, so that of two ways to a folder it is always the same one that counts.
        folders.sort_unstable_by(|a, b| b.cmp(a));
        todo.append(&mut folders);
    }
    Ok(())
}

/// The text of a yaml or a list.
pub(crate) fn read_text(path: &Path) -> Result<String> {
    let length = std::fs::metadata(path).map_err(Error::io(path))?.len();
    if length > MAX_TEXT_BYTES {
        return Err(Error::input(
            path.display(),
            format!("a file of {} MiB", length >> 20),
            "a text file",
            "",
        ));
    }
    let bytes = std::fs::read(path).map_err(Error::io(path))?;
    match String::from_utf8(bytes) {
        Ok(mut text) => {
            if text.starts_with('\u{feff}') {
                text.drain(..'\u{feff}'.len_utf8());
            }
            Ok(text)
        }
        Err(e) => {
            let valid = &e.as_bytes()[..e.utf8_error().valid_up_to()];
            let line = 1 + valid.iter().filter(|&&b| b == b'\n').count();
            Err(Error::input(
                place(path, Some(line)),
                "bytes that are not UTF-8",
                "UTF-8 text",
                "Save the file as UTF-8",
            ))
        }
    }
}

/// `file` with its line, for errors.
pub(crate) fn place(file: &Path, line: Option<usize>) -> String {
    match line {
        Some(line) => format!("{}:{line}", file.display()),
        None => file.display().to_string(),
    }
}
