//! Files that are either the old one or the new one, whatever happens while they are written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{Error, Result};

const SUFFIX: &str = ".partial";

/// Replaces `path` by `bytes`: a temporary file in the same folder, flushed to the disk, then
/// renamed. A crash or a power cut leaves the old file or the new one, never a part. What a killed
/// process left behind is swept away by the next write of the same file.
///
/// # Errors
/// [`Error::Io`] with the path; the old file is then untouched and the temporary one removed.
pub fn write_atomically(path: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
    let path = path.as_ref();
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return Err(Error::input(
            path.display(),
            "no file name",
            "a file name in Unicode",
            "Name the file to write",
        ));
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    sweep(folder, name);
    let (temporary, file) = create(folder, name).map_err(Error::io(path))?;
    let written = fill(file, bytes)
        .and_then(|()| fs::rename(&temporary, path))
        .and_then(|()| flush_folder(folder));
    if written.is_err() {
        // Already renamed or already gone is as good as removed.
        let _ = fs::remove_file(&temporary);
    }
    written.map_err(Error::io(path))
}

/// A new file that no other writer of this or another process has.
fn create(folder: &Path, name: &str) -> io::Result<(PathBuf, File)> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    loop {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let temporary = folder.join(format!(".{name}.{}.{count}{SUFFIX}", process()));
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&temporary)
        {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            opened => return opened.map(|file| (temporary, file)),
        }
    }
}

fn fill(mut file: File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the rename itself outlive a power cut.
#[cfg(unix)]
fn flush_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Elsewhere a folder cannot be flushed.
#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps)]
fn flush_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// Removes what killed processes left of this file. Two processes that write the same file at once
/// get an error here, never a mixture.
fn sweep(folder: &Path, name: &str) {
    let (prefix, own) = (format!(".{name}."), format!("{}.", process()));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let file = entry.file_name();
        let stale = file
            .to_str()
            .and_then(|file| file.strip_prefix(&prefix)?.strip_suffix(SUFFIX))
            .is_some_and(|middle| {
                !middle.starts_with(&own)
                    && middle
                        .bytes()
                        .all(|byte| byte.is_ascii_digit() || byte == b'.')
            });
        if stale {
            // Sweeping is a courtesy: the write itself does not depend on it.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The process, where there are processes.
fn process() -> u32 {
    if cfg!(target_arch = "wasm32") {
        0
    } else {
        std::process::id()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_remains() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last.safetensors");
        write_atomically(&path, b"old").unwrap();
        write_atomically(&path, b"new and longer").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new and longer");
        assert_eq!(files(folder.path()), ["last.safetensors"]);
    }

    #[test]
    fn leftovers_of_a_killed_process_are_swept_and_other_files_stay() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            ".last.4000000000.3.partial",
            ".best.4000000000.3.partial",
            ".last.mine.partial",
        ] {
            fs::write(folder.path().join(name), b"half").unwrap();
        }
        write_atomically(folder.path().join("last"), b"whole").unwrap();
        assert_eq!(
            files(folder.path()),
            [".best.4000000000.3.partial", ".last.mine.partial", "last"]
        );
    }

    #[test]
    fn a_failed_write_names_the_path_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing").join("last");
        let error = write_atomically(&missing, b"x").unwrap_err().to_string();
        assert!(error.contains("missing"), "{error}");
        // A folder of that name cannot be replaced by a file.
        let taken = folder.path().join("taken");
        fs::create_dir(&taken).unwrap();
        assert!(write_atomically(&taken, b"x").is_err());
        assert_eq!(files(folder.path()), ["taken"]);
        assert!(write_atomically("..", b"x").is_err());
    }

    #[test]
    fn many_threads_leave_one_of_their_files_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last");
        std::thread::scope(|scope| {
            for thread in 0..4u8 {
                let path = &path;
                scope.spawn(move || {
                    for _ in 0..10 {
                        write_atomically(path, &vec![thread; 10_000]).unwrap();
                    }
                });
            }
        });
        let bytes = fs::read(&path).unwrap();
        assert!(bytes.len() == 10_000 && bytes.iter().all(|byte| *byte == bytes[0]));
        assert_eq!(files(folder.path()), ["last"]);
    }
}
