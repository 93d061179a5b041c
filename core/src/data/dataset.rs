//! A labelled set of pictures on a disk.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use super::config::{DataConfig, Split};

use super::cache::{CacheMode, CacheOptions, PictureCache};
use super::labels::{Segment, label_path};
use super::problem::{Problem, ProblemKind};
use super::resize::{Purpose, fit_longer_side, fitted_size};
use super::scan::Scan;
use super::{Label, Picture, Source, picture};
use crate::{Error, Result};

/// How to open a set.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Treat every box as the one class `item`.
    pub single_cls: bool,
    /// The longer side of [`Source::picture`] in pixels.
    pub imgsz: usize,
    /// What pictures are resized for: it decides how.
    pub purpose: Purpose,
    /// A set without a single box is an error.
    pub require_labels: bool,
    /// Decode every picture once, so that a corrupt one is left out now and does not end training
    /// later. Without it only headers and file ends are looked at, which is faster on large sets.
    pub verify_pixels: bool,
    /// Hash the content of every picture into [`Item::content`].
    pub hash_contents: bool,
    /// Whether and where to keep decoded pictures.
    pub cache: CacheOptions,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            single_cls: false,
            imgsz: 640,
            purpose: Purpose::Train,
            require_labels: true,
            verify_pixels: true,
            hash_contents: false,
            cache: CacheOptions::default(),
        }
    }
}

/// One picture of a set.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Its file.
    pub path: PathBuf,
    /// Its upright size `[w, h]` in pixels.
    pub size: [usize; 2],
    /// Its boxes; none for a background.
    pub labels: Vec<Label>,
    /// The outline of each label, where it was given as a polygon; empty when there is none.
    pub segments: Vec<Option<Segment>>,
    /// SHA-256 of its file, when [`OpenOptions::hash_contents`] asked for it.
    pub content: Option<[u8; 32]>,
}

/// What was counted while opening a set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Pictures with at least one box.
    pub labelled: usize,
    /// Pictures without a box.
    pub backgrounds: usize,
    /// Backgrounds that have no label file at all.
    pub without_label_file: usize,
    /// Boxes.
    pub boxes: usize,
    /// Pictures left out: missing, corrupt or too small.
    pub corrupt: usize,
    /// Label rows left out because they are wrong.
    pub bad_rows: usize,
    /// Label rows left out because they repeat another.
    pub duplicates: usize,
}

/// A labelled set of pictures on a disk.
#[derive(Debug)]
pub struct Dataset {
    /// Which set of the data yaml this is.
    pub split: Split,
    /// The class names; the one name `item` with `single_cls`.
    pub names: Vec<String>,
    /// The pictures, sorted by path, without those that cannot be read.
    pub items: Vec<Item>,
    /// Everything that was left out, with file, line and reason.
    pub problems: Vec<Problem>,
    /// What was counted.
    pub counts: Counts,
    imgsz: usize,
    purpose: Purpose,
    cache: PictureCache,
}

impl Dataset {
    /// Opens `split`: lists its pictures, looks at each, reads its labels. What is wrong with
    /// single pictures and rows is collected in [`Self::problems`], not an error.
    ///
    /// `progress` is called with how many pictures are done, and of how many.
    ///
    /// # Errors
    /// When the set cannot be listed ([`DataConfig::images`]), no picture in it can be read, or
    /// there is not one box in it although [`OpenOptions::require_labels`] asks for them.
    pub fn open(
        config: &DataConfig,
        split: Split,
        options: &OpenOptions,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Self> {
        if options.imgsz == 0 {
            return Err(Error::input(
                "imgsz",
                "0",
                "the longer side of a picture in pixels",
                "",
            ));
        }
        let paths = config.images(split)?;
        let scan = Scan {
            // With a single class the index does not matter.
            nc: if options.single_cls {
                usize::MAX
            } else {
                config.nc()
            },
            decode: options.verify_pixels,
            hash: options.hash_contents,
        };
        let scanned = scan.run(&paths, progress);

        let mut items = Vec::with_capacity(paths.len());
        let mut problems = Vec::new();
        let mut counts = Counts::default();
        let first_path = paths.first().cloned();
        for (path, seen) in paths.into_iter().zip(scanned) {
            let size = match seen.size {
                Ok(size) => size,
                Err(problem) => {
                    counts.corrupt += 1;
                    problems.push(problem);
                    continue;
                }
            };
            let mut file = seen.labels;
            counts.duplicates += file.duplicates;
            counts.bad_rows += file.problems.len() - file.duplicates;
            problems.append(&mut file.problems);
            counts.boxes += file.labels.len();
            if file.labels.is_empty() {
                counts.backgrounds += 1;
                counts.without_label_file += usize::from(!file.found);
            } else {
                counts.labelled += 1;
            }
            if options.single_cls {
                for label in &mut file.labels {
                    label.class = 0;
                }
            }
            if file.segments.iter().all(Option::is_none) {
                file.segments = Vec::new();
            }
            items.push(Item {
                path,
                size,
                labels: file.labels,
                segments: file.segments,
                content: seen.hash,
            });
        }

        if items.is_empty() {
            let reason = problems.first().map(ToString::to_string);
            return Err(Error::input(
                config.file.display(),
                format!(
                    "{split}: {} pictures, none of which can be read",
                    counts.corrupt
                ),
                "pictures",
                reason.map_or_else(String::new, |reason| format!("The first one is {reason}")),
            ));
        }
        if options.require_labels && counts.boxes == 0 {
            return Err(no_labels(config, split, &items, first_path, &problems));
        }
        let cache = PictureCache::new(
            &options.cache,
            items
                .iter()
                .map(|item| fitted_size(item.size, options.imgsz)),
        )?;
        let names = if options.single_cls && config.nc() != 1 {
            vec!["item".to_owned()]
        } else {
            config.names.clone()
        };
        Ok(Self {
            split,
            names,
            items,
            problems,
            counts,
            imgsz: options.imgsz,
            purpose: options.purpose,
            cache,
        })
    }

    /// How many boxes each class has.
    #[must_use]
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.names.len()];
        for label in self.items.iter().flat_map(|item| &item.labels) {
            if let Some(count) = counts.get_mut(label.class) {
                *count += 1;
            }
        }
        counts
    }

    /// One line for the log: what is in the set, and what was left out.
    #[must_use]
    pub fn summary(&self) -> String {
        let Counts {
            boxes,
            backgrounds,
            corrupt,
            bad_rows,
            duplicates,
            ..
        } = self.counts;
        let mut text = format!(
            "{}: {} pictures, {boxes} boxes, {} classes, {backgrounds} backgrounds",
            self.split,
            self.items.len(),
            self.names.len(),
        );
        for (count, what) in [
            (corrupt, "unreadable pictures left out"),
            (bad_rows, "bad label rows skipped"),
            (duplicates, "duplicate label rows dropped"),
        ] {
            if count > 0 {
                // Writing to a String cannot fail.
                let _ = write!(text, ", {count} {what}");
            }
        }
        text
    }

    /// What is kept of decoded pictures, in effect.
    #[must_use]
    pub fn cache_mode(&self) -> CacheMode {
        self.cache.mode()
    }

    /// What the user should know about the cache: that it is off although asked for, and why.
    #[must_use]
    pub fn cache_message(&self) -> Option<String> {
        self.cache.message()
    }

    fn item(&self, index: usize) -> Option<&Item> {
        self.items.get(index)
    }
}

impl Source for Dataset {
    fn len(&self) -> usize {
        self.items.len()
    }

    fn picture(&self, index: usize) -> Result<Arc<Picture>> {
        let item = self.item(index).ok_or_else(|| {
            Error::input(
                format!("picture {index} of {}", self.split),
                format!("a set of {} pictures", self.items.len()),
                "an index within the set",
                "",
            )
        })?;
        let decode = || {
            let image = picture::read(&item.path)?;
            let original = [image.width() as usize, image.height() as usize];
            let image = fit_longer_side(&image, self.imgsz, self.purpose);
            Ok(Picture { image, original })
        };
        let purpose = match self.purpose {
            Purpose::Train => "train",
            Purpose::Val => "val",
        };
        self.cache
            .get(index, &item.path, (self.imgsz, purpose), decode)
    }

    fn labels(&self, index: usize) -> &[Label] {
        self.item(index).map_or(&[], |item| &item.labels)
    }

    fn segments(&self, index: usize) -> &[Option<Segment>] {
        self.item(index).map_or(&[], |item| &item.segments)
    }

    fn path(&self, index: usize) -> &Path {
        self.item(index).map_or(Path::new(""), |item| &item.path)
    }

    fn original_size(&self, index: usize) -> [usize; 2] {
        self.item(index).map_or([0, 0], |item| item.size)
    }
}

fn no_labels(
    config: &DataConfig,
    split: Split,
    items: &[Item],
    first: Option<PathBuf>,
    problems: &[Problem],
) -> Error {
    let first = first.unwrap_or_default();
    let bad_row = problems.iter().find(|p| {
        p.kind != ProblemKind::UnreadablePicture && p.kind != ProblemKind::MissingPicture
    });
    let next = bad_row.map_or_else(
        || "A folder images in a picture's path becomes labels, its suffix .txt".to_owned(),
        |problem| format!("The first row that was skipped is {problem}"),
    );
    Error::input(
        config.file.display(),
        format!("{split}: not one label for {} pictures", items.len()),
        format!(
            "label files such as {} for {}",
            label_path(&first).display(),
            first.display()
        ),
        next,
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::picture::tests::{jpeg, quadrants, with_orientation};
    use super::*;
    use std::fs;

    /// Writes pictures and labels below a fresh folder, and a yaml of two classes.
    pub(crate) fn folder(files: &[(&str, &[u8])]) -> (tempfile::TempDir, DataConfig) {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        let yaml = folder.path().join("data.yaml");
        let text = "path: .\ntrain: images/train\nval: images/val\nnames: [cat, dog]\n";
        fs::write(&yaml, text).unwrap();
        let config = DataConfig::read(&yaml).unwrap();
        (folder, config)
    }

    fn open(config: &DataConfig, options: &OpenOptions) -> Result<Dataset> {
        Dataset::open(config, Split::Train, options, &mut |_, _| {})
    }

    #[test]
    fn a_set_is_opened_with_what_is_good_and_a_report_of_what_is_not() {
        let good = jpeg(&quadrants());
        let turned = with_orientation(&good, 6, false);
        let (_folder, config) = folder(&[
            ("images/train/a.jpg", &good),
            (
                "labels/train/a.txt",
                b"0 .5 .5 .2 .2\n1 .5 .5 2 .2\n1 .2 .2 .1 .1\n",
            ),
            ("images/train/b.jpg", &turned),
            ("labels/train/b.txt", b"1 .5 .5 .2 .2\n1 .5 .5 .2 .2\n"),
            ("images/train/c.jpg", &good[..good.len() / 2]),
            ("labels/train/c.txt", b"0 .5 .5 .2 .2\n"),
            ("images/train/d.jpg", &good),
            ("images/train/e.jpg", &good),
            ("labels/train/e.txt", b"\n"),
            ("images/train/f.png", b"no picture"),
        ]);
        let mut calls = Vec::new();
        let set = Dataset::open(
            &config,
            Split::Train,
            &OpenOptions::default(),
            &mut |done, total| calls.push((done, total)),
        )
        .unwrap();
        assert_eq!(calls.last(), Some(&(6, 6)));
        assert_eq!(
            set.counts,
            Counts {
                labelled: 2,
                backgrounds: 2,
                without_label_file: 1,
                boxes: 3,
                corrupt: 2,
                bad_rows: 1,
                duplicates: 1,
            }
        );
        assert_eq!(set.class_counts(), [1, 2]);
        assert_eq!(set.len(), 4);
        assert_eq!(set.original_size(1), [60, 80], "EXIF orientation counts");
        assert!(set.path(1).ends_with("b.jpg"));
        assert_eq!(
            set.summary(),
            "train: 4 pictures, 3 boxes, 2 classes, 2 backgrounds, 2 unreadable pictures left out, \
             1 bad label rows skipped, 1 duplicate label rows dropped"
        );
        let bad_row = &set.problems[0];
        assert_eq!((bad_row.kind, bad_row.line), (ProblemKind::BadRow, Some(2)));
    }

    #[test]
    fn pictures_come_with_the_longer_side_at_the_image_size() {
        let good = jpeg(&quadrants());
        let (_folder, config) = folder(&[
            ("images/train/a.jpg", &with_orientation(&good, 8, true)),
            ("labels/train/a.txt", b"0 .5 .5 .2 .2\n"),
        ]);
        for purpose in [Purpose::Train, Purpose::Val] {
            for (imgsz, width) in [(40, 30), (160, 120)] {
                let options = OpenOptions {
                    imgsz,
                    purpose,
                    ..OpenOptions::default()
                };
                let set = open(&config, &options).unwrap();
                let picture = set.picture(0).unwrap();
                assert_eq!(picture.image.dimensions(), (width, imgsz as u32));
                assert_eq!(picture.original, [60, 80]);
                assert!(set.picture(1).is_err());
                assert!(set.labels(1).is_empty());
            }
        }
    }

    #[test]
    fn a_single_class_takes_boxes_of_any_class() {
        let good = jpeg(&quadrants());
        let (_folder, config) = folder(&[
            ("images/train/a.jpg", &good),
            ("labels/train/a.txt", b"7 .5 .5 .2 .2\n1 .2 .5 .2 .2\n"),
        ]);
        let options = OpenOptions {
            single_cls: true,
            ..OpenOptions::default()
        };
        let set = open(&config, &options).unwrap();
        assert_eq!(set.names, ["item"]);
        assert_eq!(set.class_counts(), [2]);
        assert!(set.problems.is_empty());
        assert_eq!(
            open(&config, &OpenOptions::default())
                .unwrap()
                .counts
                .bad_rows,
            1
        );
    }

    #[test]
    fn a_set_without_labels_is_an_error_that_tells_where_they_were_looked_for() {
        let good = jpeg(&quadrants());
        let (folder, config) = folder(&[("images/train/a.jpg", &good)]);
        let message = open(&config, &OpenOptions::default())
            .unwrap_err()
            .to_string();
        let label = Path::new("labels").join("train").join("a.txt");
        assert!(message.contains(&label.display().to_string()), "{message}");
        let unlabelled = OpenOptions {
            require_labels: false,
            ..OpenOptions::default()
        };
        assert_eq!(open(&config, &unlabelled).unwrap().counts.backgrounds, 1);

        fs::create_dir_all(folder.path().join("labels/train")).unwrap();
        fs::write(folder.path().join("labels/train/a.txt"), "9 .5 .5 .1 .1\n").unwrap();
        let message = open(&config, &OpenOptions::default())
            .unwrap_err()
            .to_string();
        assert!(message.contains("a.txt:1"), "{message}");
    }

    #[test]
    fn a_set_of_nothing_but_broken_pictures_is_an_error_with_the_first_reason() {
        let (_folder, config) = folder(&[("images/train/a.jpg", b"broken")]);
        let message = open(&config, &OpenOptions::default())
            .unwrap_err()
            .to_string();
        assert!(message.contains("a.jpg"), "{message}");
        assert!(message.contains("none of which can be read"), "{message}");
    }

    #[test]
    fn polygons_keep_their_outline_for_copy_paste() {
        let good = jpeg(&quadrants());
        let (_folder, config) = folder(&[
            ("images/train/a.jpg", &good),
            (
                "labels/train/a.txt",
                b"0 .1 .1 .5 .1 .5 .6\n1 .5 .5 .2 .2\n",
            ),
            ("images/train/b.jpg", &good),
            ("labels/train/b.txt", b"1 .5 .5 .2 .2\n"),
        ]);
        let set = open(&config, &OpenOptions::default()).unwrap();
        assert_eq!(
            set.segments(0),
            [Some(vec![[0.1, 0.1], [0.5, 0.1], [0.5, 0.6]]), None]
        );
        assert!(set.segments(1).is_empty());
    }

    #[test]
    fn bccd_opens_without_a_problem() {
        let Some(fixtures) = std::env::var_os("FROSTLINE_FIXTURES") else {
            eprintln!("skipped: FROSTLINE_FIXTURES does not name the folder of fixtures");
            return;
        };
        let config = DataConfig::read(&Path::new(&fixtures).join("bccd/bccd.yaml")).unwrap();
        let mut pictures = 0;
        for split in Split::ALL {
            let set = Dataset::open(&config, split, &OpenOptions::default(), &mut |_, _| {});
            let set = set.unwrap();
            assert_eq!(set.counts.corrupt, 0, "{:?}", set.problems);
            assert_eq!(set.counts.bad_rows, 0, "{:?}", set.problems);
            assert!(set.class_counts().iter().all(|&count| count > 0));
            assert!(set.items.iter().all(|item| item.size == [640, 480]));
            pictures += set.len();
        }
        assert_eq!(pictures, 364);
    }
}
