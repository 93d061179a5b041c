//! A labelled set of pictures in memory, as a browser has it.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::cache::{CacheMode, CacheOptions, PictureCache};
use super::resize::{Purpose, fit_longer_side, fitted_size};
use super::{Label, Picture, Source, picture};
use crate::{Error, Result};

/// Decoded pictures may take this much; beyond it each is decoded every time.
const DECODED_BYTES: u64 = 256 << 20;

/// A picture file with its boxes.
#[derive(Debug, Clone)]
pub struct MemoryItem {
    /// Its name; the set is sorted by it.
    name: PathBuf,
    bytes: Arc<[u8]>,
    labels: Vec<Label>,
    /// Its upright size `[w, h]` in pixels.
    size: [usize; 2],
}

impl MemoryItem {
    /// A picture whose file is `bytes`, with boxes of `classes` classes. The pixels are not decoded yet.
    ///
    /// # Errors
    /// Bytes that are no whole picture; a box of an unknown class, or one that is none.
    pub fn new(
        name: impl Into<PathBuf>,
        bytes: Arc<[u8]>,
        labels: Vec<Label>,
        classes: usize,
    ) -> Result<Self> {
        let name = name.into();
        let size = picture::inspect(&bytes, name.display())?;
        for (number, label) in labels.iter().enumerate() {
            let place = || format!("{}, box {}", name.display(), number + 1);
            if label.class >= classes {
                return Err(Error::input(
                    place(),
                    format!("class {}", label.class),
                    format!("one of {classes} classes, counted from 0"),
                    "Give the box a class of the set",
                ));
            }
            let [cx, cy, w, h] = label.cxcywh;
            let inside = [cx, cy, w, h].iter().all(|side| (0.0..=1.0).contains(side));
            if !inside || w <= 0.0 || h <= 0.0 {
                return Err(Error::input(
                    place(),
                    format!("{cx} {cy} {w} {h}"),
                    "centre and size as fractions of the picture",
                    "Draw the box again",
                ));
            }
        }
        Ok(Self {
            name,
            bytes,
            labels,
            size,
        })
    }

    /// Its boxes.
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// Its upright size `[w, h]` in pixels.
    pub fn size(&self) -> [usize; 2] {
        self.size
    }
}

/// A labelled set of pictures in memory.
#[derive(Debug)]
pub struct MemorySet {
    items: Vec<MemoryItem>,
    imgsz: usize,
    purpose: Purpose,
    cache: PictureCache,
}

impl MemorySet {
    /// A set whose pictures are resized to `imgsz` for `purpose`. It is sorted by name and repeated boxes are left
    /// out, as in a folder.
    ///
    /// # Errors
    /// When there is no picture.
    pub fn new(mut items: Vec<MemoryItem>, imgsz: usize, purpose: Purpose) -> Result<Self> {
        if items.is_empty() {
            return Err(Error::input(
                "the data",
                "no picture",
                match purpose {
                    Purpose::Train => "pictures to learn from",
                    Purpose::Val => "pictures to validate on",
                },
                "Add some",
            ));
        }
        items.sort_by(|a, b| a.name.cmp(&b.name));
        for item in &mut items {
            let mut seen = HashSet::new();
            item.labels
                .retain(|label| seen.insert((label.class, label.cxcywh.map(f32::to_bits))));
        }
        let options = CacheOptions {
            mode: CacheMode::Ram,
            folder: None,
            ram_budget_bytes: Some(DECODED_BYTES),
        };
        let sizes = items.iter().map(|item| fitted_size(item.size, imgsz));
        let cache = PictureCache::new(&options, sizes)?;
        Ok(Self {
            items,
            imgsz,
            purpose,
            cache,
        })
    }

    /// The pictures, sorted by name.
    pub fn items(&self) -> &[MemoryItem] {
        &self.items
    }
}

impl Source for MemorySet {
    fn len(&self) -> usize {
        self.items.len()
    }

    fn picture(&self, index: usize) -> Result<Arc<Picture>> {
        let item = self.items.get(index).ok_or_else(|| {
            Error::input(
                format!("picture {index}"),
                format!("a set of {} pictures", self.items.len()),
                "an index within the set",
                "",
            )
        })?;
        let decode = || {
            let image = picture::decode(&item.bytes, item.name.display())?;
            let original = [image.width() as usize, image.height() as usize];
            let image = fit_longer_side(&image, self.imgsz, self.purpose);
            Ok(Picture { image, original })
        };
        self.cache
            .get(index, &item.name, (self.imgsz, "memory"), decode)
    }

    fn labels(&self, index: usize) -> &[Label] {
        self.items.get(index).map_or(&[], |item| &item.labels)
    }

    fn path(&self, index: usize) -> &Path {
        self.items
            .get(index)
            .map_or(Path::new(""), |item| &item.name)
    }

    fn original_size(&self, index: usize) -> [usize; 2] {
        self.items.get(index).map_or([0, 0], |item| item.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::picture::tests::{jpeg, quadrants};

    fn label(class: usize, width: f32) -> Label {
        Label {
            class,
            cxcywh: [0.5, 0.5, width, 0.25],
        }
    }

    #[test]
    fn pictures_lie_sorted_by_name_and_resized() {
        let bytes: Arc<[u8]> = jpeg(&quadrants()).into();
        let item = |name: &str, labels| MemoryItem::new(name, bytes.clone(), labels, 2).unwrap();
        let twice = vec![label(1, 0.5), label(1, 0.5), label(0, 0.5)];
        let items = vec![item("b.jpg", twice), item("a.jpg", Vec::new())];
        let set = MemorySet::new(items, 40, Purpose::Train).unwrap();
        assert_eq!(set.path(0), Path::new("a.jpg"));
        assert_eq!(set.labels(1), [label(1, 0.5), label(0, 0.5)]);
        let picture = set.picture(1).unwrap();
        assert_eq!(picture.image.dimensions(), (40, 30));
        assert_eq!(picture.original, [80, 60]);
        assert_eq!(set.original_size(0), [80, 60]);
        assert!(set.picture(2).is_err());
    }

    #[test]
    fn what_is_no_picture_or_no_box_is_refused_by_name() {
        let bytes: Arc<[u8]> = jpeg(&quadrants()).into();
        let refused = |bytes: &Arc<[u8]>, label| {
            let item = MemoryItem::new("a.jpg", bytes.clone(), vec![label], 2);
            item.unwrap_err().to_string()
        };
        assert!(refused(&bytes[..9].into(), label(0, 0.5)).starts_with("a.jpg"));
        let message = refused(&bytes, label(2, 0.5));
        assert!(message.contains("box 1: found class 2"), "{message}");
        for width in [0.0, -0.5, 1.5, f32::NAN] {
            let message = refused(&bytes, label(0, width));
            assert!(message.contains("centre and size"), "{message}");
        }
        assert!(MemorySet::new(Vec::new(), 32, Purpose::Val).is_err());
    }
}
