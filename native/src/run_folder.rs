//! The folder that a run writes into: `runs/train/exp`, `exp2`, `exp3`, …

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use frostline::{Error, Result};

/// How deep under a project folder a run may lie.
const DEEPEST_RUN: usize = 4;

/// One run's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Creates `project/name`, or the first of `name2`, `name3`, … that is free. Two runs that start
    /// at the same moment get different folders. With `exist_ok` an existing folder is taken.
    ///
    /// # Errors
    /// The folder cannot be created, or its name is no name.
    pub fn create(project: &Path, name: &str, exist_ok: bool) -> Result<Self> {
        if name.is_empty() || matches!(name, "." | "..") || name.contains(['/', '\\']) {
            return Err(Error::input(
                "--name",
                format!("`{name}`"),
                "the name of a folder",
                "Folders above it belong in --project",
            ));
        }
        fs::create_dir_all(project).map_err(Error::io(project))?;
        let mut path = project.join(name);
        if exist_ok {
            fs::create_dir_all(&path).map_err(Error::io(&path))?;
            return Ok(Self { path });
        }
        let mut number = 1_usize;
        loop {
            // Only one of two racing runs can create a folder; the other goes on counting.
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    number += 1;
                    path = project.join(format!("{name}{number}"));
                }
                Err(error) => return Err(Error::io(&path)(error)),
            }
        }
    }

    /// A run folder that exists.
    pub fn existing(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The run that a checkpoint belongs to: `run/weights/last.safetensors`, or the run itself.
    ///
    /// # Errors
    /// There is no such file or folder, or it lies in no run.
    pub fn of_checkpoint(path: &Path) -> Result<Self> {
        let run = if path.is_dir() {
            Some(path)
        } else {
            fs::metadata(path).map_err(Error::io(path))?;
            path.parent()
                .filter(|folder| folder.file_name().is_some_and(|name| name == "weights"))
                .and_then(Path::parent)
        };
        match run {
            Some(run) if run.join("opt.yaml").is_file() => Ok(Self::existing(run)),
            _ => Err(Error::input(
                path.display(),
                "no opt.yaml of a run above it",
                "a run folder, or a checkpoint in its weights folder",
                "Such as runs/train/exp/weights/last.safetensors",
            )),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The folder for checkpoints, created when missing.
    ///
    /// # Errors
    /// It cannot be created.
    pub fn weights(&self) -> Result<PathBuf> {
        let path = self.path.join("weights");
        fs::create_dir_all(&path).map_err(Error::io(&path))?;
        Ok(path)
    }

    /// The checkpoint that training goes on from, if the run has one.
    ///
    /// # Errors
    /// The folder cannot be listed.
    pub fn last(&self) -> Result<Option<PathBuf>> {
        self.checkpoint("last")
    }

    /// The best weights of the run, if it has some.
    ///
    /// # Errors
    /// The folder cannot be listed.
    pub fn best(&self) -> Result<Option<PathBuf>> {
        self.checkpoint("best")
    }

    fn checkpoint(&self, stem: &str) -> Result<Option<PathBuf>> {
        let folder = self.path.join("weights");
        Ok(entries(&folder)?
            .into_iter()
            .filter(|path| path.file_stem().is_some_and(|name| name == stem))
            // Temporary files of a write that was cut off have other endings.
            .filter(|path| {
                path.extension()
                    .is_some_and(|end| end == "safetensors" || end == "pt")
            })
            .max_by_key(|path| modified(path)))
    }
}

/// The run under `project` whose last checkpoint is the newest.
///
/// # Errors
/// A folder cannot be listed.
pub fn find_last_run(project: &Path) -> Result<Option<PathBuf>> {
    let mut newest: Option<(SystemTime, PathBuf)> = None;
    let mut folders = vec![(project.to_path_buf(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let run = RunFolder::existing(&folder);
        if let Some(last) = run.last()? {
            let time = modified(&last);
            if newest.as_ref().is_none_or(|(other, _)| time > *other) {
                newest = Some((time, folder));
            }
        } else if depth < DEEPEST_RUN {
            let below = entries(&folder)?.into_iter().filter(|path| path.is_dir());
            folders.extend(below.map(|path| (path, depth + 1)));
        }
    }
    Ok(newest.map(|(_, run)| run))
}

/// What lies in a folder; nothing when there is none.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let listed = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed.map_err(Error::io(folder))?,
    };
    listed
        .map(|entry| entry.map(|entry| entry.path()).map_err(Error::io(folder)))
        .collect()
}

fn modified(path: &Path) -> SystemTime {
    fs::metadata(path)
        .and_then(|metadata| metadata.modified())
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;

    fn touch(run: &Path, name: &str, age_s: u64) {
        let folder = run.join("weights");
        fs::create_dir_all(&folder).unwrap();
        let file = fs::File::create(folder.join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(age_s))
            .unwrap();
    }

    #[test]
    fn names_count_up_and_exist_ok_takes_the_first() {
        let root = tempfile::tempdir().unwrap();
        let project = root.path().join("runs/train");
        for name in ["exp", "exp2", "exp3"] {
            let run = RunFolder::create(&project, "exp", false).unwrap();
            assert_eq!(run.path(), project.join(name));
        }
        let run = RunFolder::create(&project, "exp", true).unwrap();
        assert_eq!(run.path(), project.join("exp"));
        for bad in ["", "..", "a/b"] {
            assert!(RunFolder::create(&project, bad, false).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn runs_that_start_together_get_different_folders() {
        let root = tempfile::tempdir().unwrap();
        let folders: BTreeSet<PathBuf> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| RunFolder::create(root.path(), "exp", false).unwrap().path))
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert_eq!(folders.len(), 8);
    }

    #[test]
    fn the_last_run_is_the_one_with_the_newest_checkpoint() {
        let root = tempfile::tempdir().unwrap();
        let runs = root.path().join("runs");
        assert_eq!(find_last_run(&runs).unwrap(), None);
        for (run, name, age_s) in [
            ("train/exp", "last.safetensors", 50),
            ("train/exp2", "last.safetensors", 10),
            ("train/exp3", "last.safetensors.tmp", 1),
            ("other/deep/exp", "last.pt", 30),
        ] {
            touch(&runs.join(run), name, age_s);
        }
        let found = find_last_run(&runs).unwrap().unwrap();
        assert_eq!(found, runs.join("train/exp2"));
        let found = find_last_run(&runs.join("other")).unwrap().unwrap();
        assert_eq!(found, runs.join("other/deep/exp"));
        assert_eq!(RunFolder::existing(found).best().unwrap(), None);
    }

    #[test]
    fn a_checkpoint_leads_to_its_run() {
        let root = tempfile::tempdir().unwrap();
        let run = root.path().join("exp");
        touch(&run, "last.safetensors", 0);
        let checkpoint = run.join("weights/last.safetensors");
        assert!(RunFolder::of_checkpoint(&checkpoint).is_err());
        fs::write(run.join("opt.yaml"), "").unwrap();
        for path in [&checkpoint, &run] {
            assert_eq!(RunFolder::of_checkpoint(path).unwrap().path(), run);
        }
        assert!(RunFolder::of_checkpoint(&run.join("weights/none.pt")).is_err());
    }
}
