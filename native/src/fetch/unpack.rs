//! A zip that somebody else made: its names are checked before anything of it is read, and nothing of it becomes a path.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::{Component, Path};

use anyhow::Result;
use frostline::Error;
use zip::ZipArchive;

/// The largest picture, label file or list.
const LARGEST_ENTRY: u64 = 64 << 20;
/// VOC 2012 has some 90 000.
const MOST_ENTRIES: usize = 300_000;

/// An archive whose names are all harmless.
#[derive(Debug)]
pub struct Unpacker {
    zip: ZipArchive<BufReader<File>>,
    place: String,
    /// Files by their names in the archive.
    entries: HashMap<String, usize>,
}

impl Unpacker {
    /// Opens a zip and looks at every name and size.
    ///
    /// # Errors
    /// It is no zip, a name leads out of it, an entry is a link, or it unpacks to more than `largest` bytes.
    pub fn open(path: &Path, largest: u64) -> Result<Self> {
        let place = path.display().to_string();
        let refused = |found: String, expected: &str| {
            Error::input(
                &place,
                found,
                expected,
                "Remove the file and fetch it again; do not unpack it by hand",
            )
        };
        let file = File::open(path).map_err(Error::io(path))?;
        let mut zip = ZipArchive::new(BufReader::new(file))
            .map_err(|error| refused(format!("no zip ({error})"), "a zip"))?;
        if zip.len() > MOST_ENTRIES {
            return Err(refused(format!("{} entries", zip.len()), "a data set").into());
        }
        let mut entries = HashMap::new();
        let mut total = 0_u64;
        for index in 0..zip.len() {
            let entry = zip
                .by_index_raw(index)
                .map_err(|error| refused(format!("a broken entry ({error})"), "a whole zip"))?;
            let name = entry
                .name()
                .map_err(|error| refused(format!("a broken name ({error})"), "a whole zip"))?
                .into_owned();
            let inside = Path::new(&name)
                .components()
                .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
            if !inside || name.contains(['\\', '\0', ':']) || entry.is_symlink() {
                return Err(refused(
                    format!("an entry {name:?}"),
                    "names that stay inside the archive",
                )
                .into());
            }
            total = total.saturating_add(entry.size());
            if total > largest || entry.size() > LARGEST_ENTRY {
                return Err(refused(
                    format!("more than {largest} bytes, or an entry of {}", entry.size()),
                    "a data set of its usual size",
                )
                .into());
            }
            if entry.is_file() {
                entries.insert(name, index);
            }
        }
        Ok(Self {
            zip,
            place,
            entries,
        })
    }

    /// Names of the files in a folder, sorted, without the folder.
    pub fn files_in(&self, folder: &str) -> Vec<String> {
        let mut found: Vec<String> = self
            .entries
            .keys()
            .filter_map(|name| name.rsplit_once('/'))
            .filter(|(parent, _)| *parent == folder)
            .map(|(_, file)| file.to_owned())
            .collect();
        found.sort();
        found
    }

    /// Reads a file; `None` without one.
    ///
    /// # Errors
    /// The entry is damaged.
    pub fn read(&mut self, name: &str) -> Result<Option<Vec<u8>>> {
        let Some(index) = self.entries.get(name).copied() else {
            return Ok(None);
        };
        let damaged = |found: String| {
            let place = format!("{}, {name}", self.place);
            Error::input(
                place,
                found,
                "a whole entry",
                "Remove the archive and fetch it again",
            )
        };
        let entry = self
            .zip
            .by_index(index)
            .map_err(|error| damaged(error.to_string()))?;
        let size = entry.size();
        let mut bytes = Vec::new();
        entry
            .take(size + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| damaged(error.to_string()))?;
        if bytes.len() as u64 != size {
            return Err(damaged(format!("{} bytes instead of {size}", bytes.len())).into());
        }
        Ok(Some(bytes))
    }

    /// What stands before `folder` in the archive, with its slash; the shortest, if there are several.
    pub fn root_of(&self, folder: &str) -> Option<String> {
        let mut roots: Vec<&str> = self
            .entries
            .keys()
            .filter_map(|name| {
                let at = name.find(&format!("{folder}/"))?;
                (at == 0 || name.as_bytes()[at - 1] == b'/').then(|| &name[..at])
            })
            .collect();
        roots.sort_by_key(|root| root.len());
        roots.first().map(|root| (*root).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn archive(names: &[&str]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.zip");
        let mut zip = ZipWriter::new(File::create(&path).unwrap());
        for name in names {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(name.as_bytes()).unwrap();
        }
        zip.finish().unwrap();
        (folder, path)
    }

    #[test]
    fn files_are_found_by_their_folder() {
        let (_folder, path) = archive(&[
            "x-master/BCCD/a/2.jpg",
            "x-master/BCCD/a/1.jpg",
            "x-master/a/3.jpg",
        ]);
        let mut archive = Unpacker::open(&path, 1000).unwrap();
        let root = archive.root_of("BCCD").unwrap();
        assert_eq!(root, "x-master/");
        assert_eq!(
            archive.files_in(&format!("{root}BCCD/a")),
            ["1.jpg", "2.jpg"]
        );
        assert_eq!(archive.root_of("CD"), None);
        let name = "x-master/a/3.jpg";
        assert_eq!(archive.read(name).unwrap().unwrap(), name.as_bytes());
        assert!(archive.read("a/3.jpg").unwrap().is_none());
    }

    #[test]
    fn names_that_lead_out_and_sizes_beyond_the_limit_are_refused() {
        for name in [
            "../a.jpg",
            "b/../../a.jpg",
            "/a.jpg",
            "c:/a.jpg",
            "b\\..\\a.jpg",
        ] {
            let (_folder, path) = archive(&["fine.jpg", name]);
            let message = Unpacker::open(&path, 1000).unwrap_err().to_string();
            assert!(message.contains("stay inside"), "{name}: {message}");
        }
        let (_folder, path) = archive(&["0123456789.jpg"]);
        assert!(Unpacker::open(&path, 13).is_err());
        let text = path.with_file_name("text.zip");
        std::fs::write(&text, "no archive").unwrap();
        assert!(Unpacker::open(&text, 1000).is_err());
    }
}
