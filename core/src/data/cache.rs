//! Keeps decoded, resized pictures: in memory, or in a folder that the caller names (never beside
//! the user's pictures). A cache that cannot be kept costs time, not the run: it goes without.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use image::RgbImage;
use sha2::{Digest, Sha256};

use super::Picture;
use crate::{Error, Result};

/// Opens every cached file; the number is the version of the format.
const MAGIC: &[u8; 8] = b"frostpx1";
/// Magic, sizes `w h` of the pixels and of the original, checksum.
const HEADER_BYTES: usize = 8 + 4 * 4 + 8;
/// What may be taken of memory when nobody can tell how much is free.
const UNKNOWN_MEMORY_BYTES: u64 = 2 << 30;

/// What is kept of decoded pictures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CacheMode {
    /// Nothing: every picture is decoded each time.
    #[default]
    Off,
    /// All of them in memory.
    Ram,
    /// All of them as raw pixels in a folder.
    Disk,
}

impl std::str::FromStr for CacheMode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "off" => Ok(Self::Off),
            "ram" => Ok(Self::Ram),
            "disk" => Ok(Self::Disk),
            _ => Err(Error::input(
                "cache",
                format!("\"{text}\""),
                "one of ram, disk, off",
                "",
            )),
        }
    }
}

/// What to keep, where, and how much of it.
#[derive(Debug, Clone, Default)]
pub struct CacheOptions {
    /// What is kept.
    pub mode: CacheMode,
    /// The folder for [`CacheMode::Disk`]; made when it is not there.
    pub folder: Option<PathBuf>,
    /// The most that [`CacheMode::Ram`] may take; without it half of the memory that is free.
    pub ram_budget_bytes: Option<u64>,
}

/// Decoded pictures of one set.
#[derive(Debug)]
pub struct PictureCache {
    store: Store,
    message: Mutex<Option<String>>,
}

#[derive(Debug)]
enum Store {
    Off,
    Ram(Vec<OnceLock<Arc<Picture>>>),
    Disk(PathBuf),
}

impl PictureCache {
    /// A cache for pictures of the sizes `[w, h]`. A set that does not fit into the memory that it
    /// may take is not cached, and [`Self::message`] says so.
    ///
    /// # Errors
    /// When [`CacheMode::Disk`] is asked for without a folder, or the folder cannot be made.
    pub fn new(
        options: &CacheOptions,
        sizes: impl ExactSizeIterator<Item = [usize; 2]>,
    ) -> Result<Self> {
        let mut message = None;
        let store = match options.mode {
            CacheMode::Off => Store::Off,
            CacheMode::Ram => {
                let budget = options
                    .ram_budget_bytes
                    .unwrap_or_else(default_budget_bytes);
                let pictures = sizes.len();
                let need: u64 = sizes.map(|[w, h]| w as u64 * h as u64 * 3).sum();
                if need > budget {
                    message = Some(format!(
                        "{pictures} pictures need {} MiB of memory and may take {} MiB: \
                         not cached; --cache disk would keep them on the disk",
                        need.div_ceil(1 << 20),
                        budget >> 20
                    ));
                    Store::Off
                } else {
                    Store::Ram((0..pictures).map(|_| OnceLock::new()).collect())
                }
            }
            CacheMode::Disk => {
                let Some(folder) = &options.folder else {
                    return Err(Error::input(
                        "cache",
                        "disk without a folder",
                        "a folder to keep decoded pictures in",
                        "",
                    ));
                };
                std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
                Store::Disk(folder.clone())
            }
        };
        Ok(Self {
            store,
            message: Mutex::new(message),
        })
    }

    /// What is kept, in effect.
    #[must_use]
    pub fn mode(&self) -> CacheMode {
        match self.store {
            Store::Off => CacheMode::Off,
            Store::Ram(_) => CacheMode::Ram,
            Store::Disk(_) => CacheMode::Disk,
        }
    }

    /// Why less is kept than was asked for; `None` when all is well so far.
    #[must_use]
    pub fn message(&self) -> Option<String> {
        let message = self.message.lock().unwrap_or_else(PoisonError::into_inner);
        message.clone()
    }

    /// The picture `index`, whose file is `path`: the kept one, or what `decode` makes. `variant`
    /// is everything else that the pixels depend on: the image size, and what it is for.
    ///
    /// # Errors
    /// Those of `decode`.
    pub fn get(
        &self,
        index: usize,
        path: &Path,
        variant: (usize, &str),
        decode: impl FnOnce() -> Result<Picture>,
    ) -> Result<Arc<Picture>> {
        match &self.store {
            Store::Off => decode().map(Arc::new),
            Store::Ram(slots) => {
                let Some(slot) = slots.get(index) else {
                    return decode().map(Arc::new);
                };
                if let Some(picture) = slot.get() {
                    return Ok(picture.clone());
                }
                // Two threads may decode the same picture; the first one's stays.
                let picture = Arc::new(decode()?);
                Ok(slot.get_or_init(|| picture).clone())
            }
            Store::Disk(folder) => {
                // A file that is gone is for `decode` to complain about.
                let Some(name) = file_name(path, variant) else {
                    return decode().map(Arc::new);
                };
                let file = folder.join(name);
                if let Some(picture) = std::fs::read(&file).ok().and_then(from_bytes) {
                    return Ok(Arc::new(picture));
                }
                let picture = decode()?;
                if let Err(error) = write(&file, &picture) {
                    let mut message = self.message.lock().unwrap_or_else(PoisonError::into_inner);
                    message
                        .get_or_insert_with(|| format!("{}: not cached: {error}", file.display()));
                }
                Ok(Arc::new(picture))
            }
        }
    }
}

/// The name of the cached file: what its pixels depend on, hashed. `None` when `path` is gone.
fn file_name(path: &Path, variant: (usize, &str)) -> Option<String> {
    let real = path.canonicalize().ok()?;
    let metadata = std::fs::metadata(&real).ok()?;
    let modified_ns = metadata
        .modified()
        .ok()
        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
        .map_or(0, |time| time.as_nanos());
    let mut hash = Sha256::new();
    hash.update(MAGIC);
    hash.update(modified_ns.to_le_bytes());
    hash.update(metadata.len().to_le_bytes());
    hash.update((variant.0 as u64).to_le_bytes());
    hash.update(variant.1.as_bytes());
    hash.update([0]);
    hash.update(real.as_os_str().as_encoded_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    let name: String = digest[..16].iter().map(|b| format!("{b:02x}")).collect();
    Some(name + ".rgb")
}

/// Writes aside and renames, so that no reader ever sees half a file.
fn write(file: &Path, picture: &Picture) -> std::io::Result<()> {
    static WRITES: AtomicU64 = AtomicU64::new(0);
    let unique = WRITES.fetch_add(1, Ordering::Relaxed);
    let aside = file.with_extension(format!("{}-{unique}.tmp", std::process::id()));
    let written = std::fs::File::create(&aside)
        .and_then(|mut out| {
            out.write_all(&header(picture)?)?;
            out.write_all(picture.image.as_raw())
        })
        .and_then(|()| std::fs::rename(&aside, file));
    if written.is_err() {
        // Nothing more can be done when the disk does not even allow this.
        let _ = std::fs::remove_file(&aside);
    }
    written
}

fn header(picture: &Picture) -> std::io::Result<Vec<u8>> {
    let mut header = MAGIC.to_vec();
    let (w, h) = picture.image.dimensions();
    header.extend(w.to_le_bytes());
    header.extend(h.to_le_bytes());
    for side in picture.original {
        let side = u32::try_from(side).map_err(std::io::Error::other)?;
        header.extend(side.to_le_bytes());
    }
    let sum = checksum(&[&header[MAGIC.len()..], picture.image.as_raw()]);
    header.extend(sum.to_le_bytes());
    Ok(header)
}

/// The picture in a cached file, unless the file is damaged.
fn from_bytes(mut bytes: Vec<u8>) -> Option<Picture> {
    let header = bytes.first_chunk::<HEADER_BYTES>()?;
    let (magic, rest) = header.split_at(MAGIC.len());
    let (sides, sum) = rest.split_at(16);
    let mut numbers = sides.chunks_exact(4).map(|b| {
        let b: [u8; 4] = b.try_into().unwrap_or_default();
        u32::from_le_bytes(b)
    });
    let (w, h) = (numbers.next()?, numbers.next()?);
    let original = [numbers.next()? as usize, numbers.next()? as usize];
    let pixels = &bytes[HEADER_BYTES..];
    let intact = magic == MAGIC
        && pixels.len() as u64 == u64::from(w) * u64::from(h) * 3
        && sum == checksum(&[sides, pixels]).to_le_bytes();
    if !intact {
        return None;
    }
    bytes.drain(..HEADER_BYTES);
    let image = RgbImage::from_raw(w, h, bytes)?;
    Some(Picture { image, original })
}

/// Tells damage, not malice: eight bytes a step, so that it costs nothing beside the reading.
pub(crate) fn checksum(parts: &[&[u8]]) -> u64 {
    // The odd constant of the golden ratio, as in Fibonacci hashing.
    const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut sum = parts.last().map_or(0, |part| part.len()) as u64;
    for bytes in parts {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            sum = (sum.rotate_left(5) ^ u64::from_le_bytes(*word)).wrapping_mul(MIX);
        }
        for &byte in rest {
            sum = (sum.rotate_left(5) ^ u64::from(byte)).wrapping_mul(MIX);
        }
    }
    sum
}

/// Half of what is free.
fn default_budget_bytes() -> u64 {
    free_memory_bytes() / 2
}

/// Memory that is free: what Linux says is available, within the limit of the container; elsewhere an
/// assumption of 2 GiB.
pub fn free_memory_bytes() -> u64 {
    available_bytes().unwrap_or(UNKNOWN_MEMORY_BYTES)
}

fn available_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let row = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    let kib: u64 = row.trim().trim_end_matches("kB").trim().parse().ok()?;
    let limit = std::fs::read_to_string("/sys/fs/cgroup/memory.max")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(u64::MAX);
    Some(kib.saturating_mul(1024).min(limit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::fs;

    const VARIANT: (usize, &str) = (32, "train");

    fn picture(level: u8) -> Picture {
        Picture {
            image: RgbImage::from_fn(32, 24, |x, y| image::Rgb([level, x as u8, y as u8])),
            original: [320, 240],
        }
    }

    fn cache(mode: CacheMode, folder: &Path, budget: Option<u64>) -> PictureCache {
        let options = CacheOptions {
            mode,
            folder: Some(folder.to_path_buf()),
            ram_budget_bytes: budget,
        };
        PictureCache::new(&options, [[32, 24]; 2].into_iter()).unwrap()
    }

    /// A file to be cached, and its cache, in different folders.
    fn files() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.jpg");
        fs::write(&file, b"first").unwrap();
        let kept = folder.path().join("kept");
        (folder, file, kept)
    }

    fn cached_files(folder: &Path) -> Vec<PathBuf> {
        let items = fs::read_dir(folder).unwrap();
        items.map(|item| item.unwrap().path()).collect()
    }

    #[test]
    fn a_kept_picture_is_decoded_once_and_comes_back_the_same() {
        for (mode, decodes) in [
            (CacheMode::Off, 3),
            (CacheMode::Ram, 1),
            (CacheMode::Disk, 1),
        ] {
            let (_folder, file, kept) = files();
            let cache = cache(mode, &kept, None);
            assert_eq!(cache.mode(), mode);
            let calls = Cell::new(0);
            for _ in 0..3 {
                let got = cache.get(0, &file, VARIANT, || {
                    calls.set(calls.get() + 1);
                    Ok(picture(7))
                });
                assert_eq!(*got.unwrap(), picture(7));
            }
            assert_eq!(calls.get(), decodes, "{mode:?}");
            assert_eq!(cache.message(), None);
        }
    }

    #[test]
    fn a_set_beyond_the_budget_is_not_kept_and_the_message_tells() {
        let (_folder, _, kept) = files();
        let need = 2 * 32 * 24 * 3;
        assert_eq!(
            cache(CacheMode::Ram, &kept, Some(need)).mode(),
            CacheMode::Ram
        );
        let small = cache(CacheMode::Ram, &kept, Some(need - 1));
        assert_eq!(small.mode(), CacheMode::Off);
        assert!(small.message().unwrap().contains("not cached"));
    }

    #[test]
    fn damaged_files_are_decoded_again_and_mended() {
        let (_folder, file, kept) = files();
        let cache = cache(CacheMode::Disk, &kept, None);
        let get = |level| {
            *cache
                .get(0, &file, VARIANT, || Ok(picture(level)))
                .unwrap()
                .image
                .get_pixel(0, 0)
        };
        assert_eq!(get(1)[0], 1);
        let damages: [fn(&mut Vec<u8>); 5] = [
            |bytes| bytes.truncate(100),
            |bytes| bytes.clear(),
            |bytes| bytes[200] ^= 1,
            |bytes| bytes[8] ^= 0xff,
            |bytes| bytes.extend([0; 3]),
        ];
        for (level, damage) in (2..).zip(damages) {
            let [kept_file] = &cached_files(&kept)[..] else {
                panic!("one file per picture");
            };
            let mut bytes = fs::read(kept_file).unwrap();
            damage(&mut bytes);
            fs::write(kept_file, bytes).unwrap();
            assert_eq!(get(level)[0], level, "decoded again");
            assert_eq!(get(99)[0], level, "and kept");
        }
    }

    #[test]
    fn a_changed_file_another_size_and_another_purpose_are_other_pictures() {
        let (_folder, file, kept) = files();
        let cache = cache(CacheMode::Disk, &kept, None);
        let get = |variant, level| cache.get(0, &file, variant, || Ok(picture(level))).unwrap();
        assert_eq!(*get(VARIANT, 1), picture(1));
        assert_eq!(*get((64, "train"), 2), picture(2));
        assert_eq!(*get((32, "val"), 3), picture(3));
        fs::write(&file, b"second, longer").unwrap();
        assert_eq!(*get(VARIANT, 4), picture(4));
        assert_eq!(cached_files(&kept).len(), 4);
    }

    #[test]
    fn a_folder_that_cannot_be_written_costs_the_cache_and_not_the_picture() {
        let (_folder, file, kept) = files();
        let cache = cache(CacheMode::Disk, &kept, None);
        fs::remove_dir(&kept).unwrap();
        let got = cache.get(0, &file, VARIANT, || Ok(picture(5))).unwrap();
        assert_eq!(*got, picture(5));
        assert!(cache.message().unwrap().contains("not cached"));
    }

    #[test]
    fn a_disk_cache_needs_a_folder() {
        let options = CacheOptions {
            mode: CacheMode::Disk,
            ..CacheOptions::default()
        };
        assert!(PictureCache::new(&options, [].into_iter()).is_err());
        assert!("memory".parse::<CacheMode>().is_err());
    }

    #[test]
    fn errors_of_decoding_are_handed_on_and_nothing_is_kept() {
        let (_folder, file, kept) = files();
        for mode in [CacheMode::Off, CacheMode::Ram, CacheMode::Disk] {
            let cache = cache(mode, &kept, None);
            let broken = || Err(Error::input("a.jpg", "a hole", "a picture", ""));
            assert!(cache.get(0, &file, VARIANT, broken).is_err());
            assert!(cache.get(0, &file, VARIANT, || Ok(picture(1))).is_ok());
        }
    }
}
