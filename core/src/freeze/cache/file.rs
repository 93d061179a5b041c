//! Entries in a file that outlives the run: appended, never changed, read through a memory map.
//!
//! The file is named by its key. It opens with a magic number, the key and their checksum; then come
//! records of index, length, the entry's checksum and the checksum of those three, and the entry itself.
//! A process may die at any moment: a record that is not whole is cut off when the file is opened, and
//! an entry whose bytes do not have its checksum was never there.

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use memmap2::Mmap;

use super::FeatureStore;
use crate::data::cache::checksum;
use crate::error::{Error, Result};

/// Opens every file; the number is the version of the format.
const MAGIC: &[u8; 8] = b"frostft1";
/// Length of a key in hexadecimal digits.
const KEY_DIGITS: usize = 64;
/// Magic, key, checksum.
const OPENING_BYTES: usize = 8 + KEY_DIGITS + 8;
/// Index, length, the entry's checksum, the checksum of those.
const RECORD_BYTES: usize = 4 * 8;
/// How the files end.
const SUFFIX: &str = "features";
/// Runs that may keep the same features at the same time, each in a file of its own.
const MOST_RUNS: usize = 16;
/// Share of the free disk space that may be taken.
const SHARE: u64 = 2;

#[derive(Debug, Clone, Copy)]
struct Record {
    start: u64,
    length: u64,
    sum: u64,
    /// The bytes have been checked by this process.
    checked: bool,
}

/// Entries in a file. No other run writes to it or reads it meanwhile.
#[derive(Debug)]
pub struct FileStore {
    path: PathBuf,
    file: File,
    records: HashMap<usize, Record>,
    /// Where the next record goes.
    end: u64,
    map: Option<Mmap>,
    budget_bytes: u64,
    message: Option<String>,
}

impl FileStore {
    /// Opens the file of `key` (hexadecimal) in `folder`, or makes it. It may take `need_bytes`; when
    /// the disk lacks room for them, files of other keys go, the longest unused first.
    ///
    /// # Errors
    /// When the folder or file cannot be made or read, or there is no room.
    pub fn open(folder: &Path, key: &str, need_bytes: u64) -> Result<Self> {
        fs::create_dir_all(folder).map_err(Error::io(folder))?;
        for number in 1..=MOST_RUNS {
            let stem = key.get(..32).unwrap_or(key);
            let name = match number {
                1 => format!("{stem}.{SUFFIX}"),
                _ => format!("{stem}-{number}.{SUFFIX}"),
            };
            let path = folder.join(name);
            let mut options = File::options();
            options.read(true).write(true).create(true).truncate(false);
            let file = options.open(&path).map_err(Error::io(&path))?;
            match file.try_lock() {
                Ok(()) => {
                    let length = file.metadata().map_err(Error::io(&path))?.len();
                    make_room(folder, &path, need_bytes.saturating_sub(length))?;
                    let mut store = Self {
                        path,
                        file,
                        records: HashMap::new(),
                        end: 0,
                        map: None,
                        budget_bytes: need_bytes.max(length),
                        message: None,
                    };
                    store.read(key).map_err(Error::io(&store.path))?;
                    return Ok(store);
                }
                // Another run has it.
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(Error::io(&path)(error)),
            }
        }
        Err(Error::input(
            folder.display(),
            format!("{MOST_RUNS} runs that keep the same features"),
            "fewer",
            "Take --cache-features ram",
        ))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Entries found or kept so far.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Finds the whole records, and cuts off what follows them.
    fn read(&mut self, key: &str) -> std::io::Result<()> {
        // Used now: the last to go.
        self.file.set_modified(SystemTime::now())?;
        let length = self.file.metadata()?.len();
        let mut opening = MAGIC.to_vec();
        opening.extend(key.bytes().chain(std::iter::repeat(b' ')).take(KEY_DIGITS));
        opening.extend(checksum(&[&opening]).to_le_bytes());
        debug_assert_eq!(opening.len(), OPENING_BYTES);
        let mut found = vec![0; OPENING_BYTES];
        if length < OPENING_BYTES as u64 || !fill(&mut self.file, &mut found)? || found != opening {
            self.file.set_len(0)?;
            self.file.rewind()?;
            self.file.write_all(&opening)?;
            self.end = OPENING_BYTES as u64;
            return Ok(());
        }
        self.end = OPENING_BYTES as u64;
        let mut header = [0; RECORD_BYTES];
        loop {
            self.file.seek(SeekFrom::Start(self.end))?;
            if !fill(&mut self.file, &mut header)? {
                break;
            }
            let (words, _) = header.as_chunks::<8>();
            let [index, entry, sum, own] = [0, 1, 2, 3].map(|i| u64::from_le_bytes(words[i]));
            let start = self.end + RECORD_BYTES as u64;
            let next = start.checked_add(entry).filter(|&next| next <= length);
            let (Some(next), true) = (next, checksum(&[&header[..24]]) == own) else {
                break;
            };
            let record = Record {
                start,
                length: entry,
                sum,
                checked: false,
            };
            self.records.insert(index as usize, record);
            self.end = next;
        }
        self.file.set_len(self.end)
    }

    /// The file as memory, at least up to `end`.
    fn mapped(&mut self, end: u64) -> Option<&Mmap> {
        if self.map.as_ref().is_none_or(|map| (map.len() as u64) < end) {
            self.map = None;
            self.map = map(&self.file).ok();
        }
        self.map.as_ref().filter(|map| map.len() as u64 >= end)
    }

    fn append(&mut self, index: usize, entry: &[u8], sum: u64) -> std::io::Result<()> {
        let words = [index as u64, entry.len() as u64, sum];
        let mut header: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        header.extend(checksum(&[&header]).to_le_bytes());
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(&header)?;
        self.file.write_all(entry)
    }
}

/// Maps `file` for reading.
#[expect(unsafe_code, reason = "a memory map cannot be had otherwise")]
fn map(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: this process holds the file's lock, only appends to it while it is mapped, and cuts it
    // only when it is opened, before it is mapped. Whoever else writes into it against the lock can
    // change numbers that are read, or end the process when the file is cut; the bytes are checked
    // against their checksum and are only ever read as integers and floats, for which all bits are valid.
    unsafe { Mmap::map(file) }
}

/// Fills `buffer`; false when the file ends before.
fn fill(file: &mut File, buffer: &mut [u8]) -> std::io::Result<bool> {
    match file.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

impl FeatureStore for FileStore {
    fn has(&self, index: usize) -> bool {
        self.records.contains_key(&index)
    }

    fn get(&mut self, index: usize) -> Option<&[u8]> {
        let record = *self.records.get(&index)?;
        let (start, end) = (record.start, record.start + record.length);
        if !record.checked {
            let intact = self.mapped(end).is_some_and(|map| {
                let entry = &map[start as usize..end as usize];
                checksum(&[&(index as u64).to_le_bytes(), entry]) == record.sum
            });
            if !intact {
                self.records.remove(&index);
                return None;
            }
            self.records.insert(
                index,
                Record {
                    checked: true,
                    ..record
                },
            );
        }
        let map = self.mapped(end)?;
        Some(&map[start as usize..end as usize])
    }

    fn put(&mut self, index: usize, entry: Vec<u8>) {
        if self.message.is_some() {
            return;
        }
        let next = self.end + (RECORD_BYTES + entry.len()) as u64;
        if next > self.budget_bytes {
            self.message = Some(format!(
                "{}: the features take more than the {} MiB that they may; \
                 those beyond are computed each time",
                self.path.display(),
                self.budget_bytes >> 20
            ));
            return;
        }
        let sum = checksum(&[&(index as u64).to_le_bytes(), &entry]);
        if let Err(error) = self.append(index, &entry, sum) {
            self.message = Some(format!(
                "{}: {error}; features that are not kept yet are computed each time",
                self.path.display()
            ));
            // What was begun ends here; when even that fails, opening cuts it off.
            let _ = self.file.set_len(self.end);
            return;
        }
        let record = Record {
            start: self.end + RECORD_BYTES as u64,
            length: entry.len() as u64,
            sum,
            checked: false,
        };
        self.records.insert(index, record);
        self.end = next;
    }

    fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }
}

/// Sees to it that `need_bytes` more fit beside what is on the disk of `folder`: removes feature files
/// other than `own` that no run has open, the longest unused first, as far as needed.
fn make_room(folder: &Path, own: &Path, need_bytes: u64) -> Result<()> {
    let fits = || free_disk_bytes(folder).is_none_or(|free| need_bytes <= free / SHARE);
    if fits() {
        return Ok(());
    }
    let mut others: Vec<(SystemTime, PathBuf)> = Vec::new();
    for item in fs::read_dir(folder).map_err(Error::io(folder))? {
        let path = item.map_err(Error::io(folder))?.path();
        if path != own && path.extension().is_some_and(|suffix| suffix == SUFFIX) {
            let used = path.metadata().and_then(|metadata| metadata.modified());
            others.push((used.unwrap_or(SystemTime::UNIX_EPOCH), path));
        }
    }
    others.sort();
    for (_, path) in others {
        let unused = File::open(&path).is_ok_and(|file| file.try_lock().is_ok());
        // One that cannot be removed leaves the room as it is, which is asked next.
        if unused && fs::remove_file(&path).is_ok() && fits() {
            return Ok(());
        }
    }
    let free = free_disk_bytes(folder).unwrap_or(0);
    Err(Error::input(
        "--cache-features disk",
        format!(
            "{} MiB of features and {} MiB free in {}, of which half may be taken",
            need_bytes.div_ceil(1 << 20),
            free >> 20,
            folder.display()
        ),
        "room for all of them",
        "Fewer --views, --cache-precision half, a smaller --imgsz or a --project on a larger disk need less; \
         --cache-features off needs none",
    ))
}

/// Free bytes on the disk of `folder`; none where nobody can tell.
#[cfg(unix)]
fn free_disk_bytes(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Free bytes on the disk of `folder`; none where nobody can tell.
#[cfg(not(unix))]
fn free_disk_bytes(_: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
