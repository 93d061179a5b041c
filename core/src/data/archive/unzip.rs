//! A zip in memory, read entry by entry. Names are only looked up; how much comes out of it is counted, not believed.

use std::collections::HashSet;
use std::io::{Cursor, Read};

use zip::ZipArchive;

use super::tidy;
use crate::{Error, Result};

/// All archives together unpack to so much at most.
pub(super) const MAX_UNPACKED_BYTES: u64 = 1 << 30;
/// An archive has so many entries at most.
const MAX_ENTRIES: usize = 100_000;

const NEXT: &str = "Pack the files anew, as an ordinary zip";

/// An opened zip.
pub(super) struct Zip<'a> {
    archive: ZipArchive<Cursor<Vec<u8>>>,
    place: String,
    unpack_left: &'a mut u64,
    /// Path and index of each file in it.
    pub(super) files: Vec<(String, usize)>,
    /// Entries that were left out, and why.
    pub(super) refused: Vec<Error>,
}

impl<'a> Zip<'a> {
    /// Lists the zip called `place`. `unpack_left` bytes may come out of it.
    ///
    /// # Errors
    /// Bytes that are no zip, or one with far too many entries.
    pub(super) fn open(bytes: Vec<u8>, place: &str, unpack_left: &'a mut u64) -> Result<Self> {
        let archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| {
            Error::input(
                place,
                format!("a zip that cannot be read ({error})"),
                "a whole zip",
                NEXT,
            )
        })?;
        if archive.len() > MAX_ENTRIES {
            return Err(Error::input(
                place,
                format!("{} entries", archive.len()),
                format!("at most {MAX_ENTRIES}"),
                "Divide the set",
            ));
        }
        let mut zip = Self {
            archive,
            place: place.to_owned(),
            unpack_left,
            files: Vec::new(),
            refused: Vec::new(),
        };
        zip.list();
        Ok(zip)
    }

    fn list(&mut self) {
        let mut seen = HashSet::new();
        for index in 0..self.archive.len() {
            let entry = self.archive.by_index_data(index);
            let entry = entry.and_then(|entry| {
                let file = !entry.is_dir() && !entry.is_symlink();
                Ok((entry.name()?.into_owned(), file, entry.encrypted()))
            });
            let (name, is_file, encrypted) = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    let found = format!("an entry that cannot be read ({error})");
                    self.refuse(&format!("entry {index}"), &found, "a whole entry");
                    continue;
                }
            };
            if !is_file {
                continue;
            }
            match tidy(&name) {
                Ok(Some(path)) => {
                    if encrypted {
                        self.refuse(
                            &path,
                            "an encrypted entry",
                            "one that opens without a password",
                        );
                    } else if seen.insert(path.clone()) {
                        self.files.push((path, index));
                    } else {
                        self.refuse(&path, "a second entry of this name", "each name once");
                    }
                }
                Ok(None) => {}
                Err(_) => self.refuse(
                    &name.escape_debug().to_string(),
                    "a path that leads out of its folder",
                    "a path within it",
                ),
            }
        }
    }

    fn refuse(&mut self, path: &str, found: &str, expected: &str) {
        let place = format!("{}, {path}", self.place);
        self.refused
            .push(Error::input(place, found, expected, NEXT));
    }

    /// Unpacks the entry of this index.
    ///
    /// # Errors
    /// An entry that is damaged, or one that is larger than what may still be unpacked.
    pub(super) fn read(&mut self, index: usize) -> Result<Vec<u8>> {
        let wrong = |error: &dyn std::fmt::Display| {
            Error::input(
                &self.place,
                format!("an entry that cannot be read ({error})"),
                "a whole entry",
                NEXT,
            )
        };
        let entry = self
            .archive
            .by_index(index)
            .map_err(|error| wrong(&error))?;
        let mut bytes = Vec::new();
        let read = entry.take(*self.unpack_left + 1).read_to_end(&mut bytes);
        read.map_err(|error| wrong(&error))?;
        match self.unpack_left.checked_sub(bytes.len() as u64) {
            Some(left) => *self.unpack_left = left,
            None => {
                *self.unpack_left = 0;
                return Err(Error::input(
                    &self.place,
                    "more to unpack",
                    format!(
                        "at most {} MiB unpacked at a time",
                        MAX_UNPACKED_BYTES >> 20
                    ),
                    "Divide the set",
                ));
            }
        }
        Ok(bytes)
    }
}
