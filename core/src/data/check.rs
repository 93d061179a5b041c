//! `frostline data check`: everything that is wrong with a data set, with file and line.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};

use super::config::{DataConfig, Split};
use super::labels::swap_folder;
use super::listing::walk_files;
use super::picture::SUFFIXES;
use super::problem::{Problem, ProblemKind, Severity};
use super::scan::{Scan, Scanned};

/// The image size that [`ProblemKind::TinyBox`] is about, in pixels.
pub const TINY_AT_PX: f32 = 640.0;
/// A box with a side below this many pixels at [`TINY_AT_PX`] is dropped by augmentation.
pub const TINY_PX: f32 = 2.0;
/// Rounding in label tools: a box may reach this many of the picture's pixels beyond its edge.
const EDGE_PX: f32 = 1.0;
/// Label tools leave the class names beside the labels under this name.
const CLASS_LIST: &str = "classes.txt";

/// What was found in a data set.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// The data yaml.
    pub file: PathBuf,
    /// The class names.
    pub names: Vec<String>,
    /// The sets that the yaml names.
    pub splits: Vec<SplitReport>,
    /// Every finding, by kind, then file, then line.
    pub problems: Vec<Problem>,
}

/// What was counted in one set.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SplitReport {
    /// Which set.
    pub split: Split,
    /// Pictures that are listed.
    pub pictures: usize,
    /// Of these the ones that cannot be read.
    pub unreadable: usize,
    /// Readable pictures with at least one box.
    pub labelled: usize,
    /// Readable pictures without a box.
    pub backgrounds: usize,
    /// Boxes in readable pictures.
    pub boxes: usize,
    /// Boxes of each class.
    pub boxes_per_class: Vec<usize>,
    /// Boxes that were given as polygons.
    pub polygons: usize,
    /// Boxes under [`TINY_PX`] at [`TINY_AT_PX`].
    pub tiny_boxes: usize,
}

impl Report {
    /// How many findings matter that much.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        let alike = self.problems.iter().filter(|p| p.severity == severity);
        alike.count()
    }

    /// Whether nothing would be left out of training.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.count(Severity::Error) == 0
    }
}

/// Looks at every picture and label of every set that `config` names; pictures are decoded.
/// Nothing is written. `progress` is called per set with its name, how many pictures are done, and
/// of how many.
pub fn check(config: &DataConfig, progress: &mut dyn FnMut(Split, usize, usize)) -> Report {
    let mut report = Report {
        file: config.file.clone(),
        names: config.names.clone(),
        splits: Vec::new(),
        problems: Vec::new(),
    };
    let problems = &mut report.problems;
    check_names(config, problems);

    let mut seen_content: HashMap<[u8; 32], (Split, PathBuf)> = HashMap::new();
    let mut wanted_labels: HashSet<PathBuf> = HashSet::new();
    for split in Split::ALL {
        if !config.has(split) {
            // A test set is a luxury; the others are not.
            if split != Split::Test {
                let reason = format!("no {split}: in the data yaml, expected a folder or a list");
                problems.push(Problem::new(
                    &config.file,
                    None,
                    ProblemKind::EmptySplit,
                    reason,
                ));
            }
            continue;
        }
        let images = match config.images(split) {
            Ok(images) => images,
            Err(error) => {
                let kind = ProblemKind::EmptySplit;
                problems.push(Problem::from_error(&config.file, kind, &error));
                continue;
            }
        };
        let scan = Scan {
            nc: config.nc(),
            decode: true,
            hash: true,
        };
        let scanned = scan.run(&images, &mut |done, total| progress(split, done, total));
        let mut counts = SplitReport {
            split,
            pictures: images.len(),
            unreadable: 0,
            labelled: 0,
            backgrounds: 0,
            boxes: 0,
            boxes_per_class: vec![0; config.nc()],
            polygons: 0,
            tiny_boxes: 0,
        };
        for (image, seen) in images.iter().zip(scanned) {
            wanted_labels.insert(seen.label_path.clone());
            if let Some(hash) = seen.hash {
                check_content(split, image, hash, &mut seen_content, problems);
            }
            count_picture(image, seen, &mut counts, problems);
        }
        for (class, name) in config.names.iter().enumerate() {
            if counts.boxes_per_class[class] == 0 {
                let reason = format!("no box of class {class} \"{name}\" in {split}");
                problems.push(Problem::new(
                    &config.file,
                    None,
                    ProblemKind::EmptyClass,
                    reason,
                ));
            }
        }
        report.splits.push(counts);
    }
    check_stray_labels(config, &wanted_labels, &mut report.problems);
    // A label file that two lists share is read twice.
    report.problems.sort_by(|a, b| {
        (a.kind, &a.path, a.line, &a.reason).cmp(&(b.kind, &b.path, b.line, &b.reason))
    });
    report.problems.dedup();
    report
}

fn check_names(config: &DataConfig, problems: &mut Vec<Problem>) {
    let mut first = HashMap::new();
    for (class, name) in config.names.iter().enumerate() {
        if let Some(earlier) = first.insert(name, class) {
            problems.push(Problem::new(
                &config.file,
                None,
                ProblemKind::DuplicateName,
                format!("classes {earlier} and {class} are both called \"{name}\""),
            ));
        }
    }
}

/// Whether the same file was seen before, in this set or another.
fn check_content(
    split: Split,
    image: &Path,
    hash: [u8; 32],
    seen: &mut HashMap<[u8; 32], (Split, PathBuf)>,
    problems: &mut Vec<Problem>,
) {
    let Some((other_split, other)) = seen.get(&hash) else {
        seen.insert(hash, (split, image.to_path_buf()));
        return;
    };
    let (kind, reason) = if *other_split == split {
        let reason = format!("the same picture as {} in {split}", other.display());
        (ProblemKind::DuplicatePicture, reason)
    } else {
        let reason = format!(
            "in {split}, and the same picture as {} in {other_split}",
            other.display()
        );
        (ProblemKind::Overlap, reason)
    };
    problems.push(Problem::new(image, None, kind, reason));
}

fn count_picture(
    image: &Path,
    seen: Scanned,
    counts: &mut SplitReport,
    problems: &mut Vec<Problem>,
) {
    let file = seen.labels;
    if !file.found {
        problems.push(Problem::new(
            image,
            None,
            ProblemKind::PictureWithoutLabel,
            format!(
                "no label file {}; the picture counts as background",
                seen.label_path.display()
            ),
        ));
    }
    problems.extend(file.problems);
    let [w, h] = match seen.size {
        Ok(size) => size.map(|side| side as f32),
        Err(problem) => {
            counts.unreadable += 1;
            problems.push(problem);
            return;
        }
    };
    if file.labels.is_empty() {
        counts.backgrounds += 1;
    } else {
        counts.labelled += 1;
    }
    counts.boxes += file.labels.len();
    counts.polygons += file.segments.iter().flatten().count();
    let scale = TINY_AT_PX / w.max(h);
    for (label, &line) in file.labels.iter().zip(&file.lines) {
        if let Some(count) = counts.boxes_per_class.get_mut(label.class) {
            *count += 1;
        }
        let [cx, cy, bw, bh] = label.cxcywh;
        let (bw_px, bh_px) = (bw * w * scale, bh * h * scale);
        if bw_px < TINY_PX || bh_px < TINY_PX {
            counts.tiny_boxes += 1;
            problems.push(Problem::new(
                &seen.label_path,
                Some(line),
                ProblemKind::TinyBox,
                format!(
                    "a box of {bw_px:.1} × {bh_px:.1} px at {TINY_AT_PX} px; \
                     under {TINY_PX} px it is not learnt"
                ),
            ));
        }
        let beyond_px = [
            (bw / 2.0 - cx) * w,
            (cx + bw / 2.0 - 1.0) * w,
            (bh / 2.0 - cy) * h,
            (cy + bh / 2.0 - 1.0) * h,
        ]
        .into_iter()
        .fold(0.0, f32::max);
        if beyond_px > EDGE_PX {
            problems.push(Problem::new(
                &seen.label_path,
                Some(line),
                ProblemKind::BeyondEdge,
                format!("the box reaches {beyond_px:.1} px beyond the picture"),
            ));
        }
    }
}

/// Label files that no picture has, below the label folders of the sets and beside known labels.
fn check_stray_labels(config: &DataConfig, wanted: &HashSet<PathBuf>, problems: &mut Vec<Problem>) {
    let mut folders: HashSet<PathBuf> = wanted
        .iter()
        .filter_map(|path| path.parent().map(Path::to_path_buf))
        .collect();
    for source in Split::ALL.iter().flat_map(|&s| config.sources(s)) {
        if source.is_dir() {
            // With a name behind it, so that the folder itself may be the one called `images`.
            let below = swap_folder(&source.join("x"), "images", "labels");
            folders.extend(below.parent().map(Path::to_path_buf));
        }
    }
    let mut stray = HashSet::new();
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
        let walked = walk_files(folder, &mut |path| {
            let is_text = path
                .extension()
                .is_some_and(|suffix| suffix.eq_ignore_ascii_case("txt"));
            let is_label = path
                .file_name()
                .and_then(|name| name.to_str())
                .is_none_or(|name| name != CLASS_LIST);
            // Without a folder `labels` on the way, a text may be anything.
            let image = swap_folder(&path, "labels", "images");
            if is_text
                && is_label
                && image != path
                && !wanted.contains(&path)
                && !has_picture(&image)
            {
                stray.insert(path);
            }
        });
        if let Err(error) = walked {
            problems.push(Problem::from_error(
                folder,
                ProblemKind::UnreadableLabels,
                &error,
            ));
        }
    }
    problems.extend(stray.into_iter().map(|path| {
        let image = swap_folder(&path, "labels", "images").with_extension("");
        let reason = format!("no picture {}.jpg, .png, …", image.display());
        Problem::new(&path, None, ProblemKind::LabelWithoutPicture, reason)
    }));
}

/// Whether a picture of any suffix stands at `path`: a list may leave it out on purpose.
fn has_picture(path: &Path) -> bool {
    SUFFIXES.iter().any(|suffix| {
        path.with_extension(suffix).exists()
            || path.with_extension(suffix.to_ascii_uppercase()).exists()
    })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {} classes", self.file.display(), self.names.len())?;
        if !self.splits.is_empty() {
            writeln!(
                f,
                "\n{:<6} {:>9} {:>10} {:>9} {:>12} {:>8} {:>9} {:>6}",
                "set",
                "pictures",
                "unreadable",
                "labelled",
                "backgrounds",
                "boxes",
                "polygons",
                "tiny"
            )?;
            for s in &self.splits {
                writeln!(
                    f,
                    "{:<6} {:>9} {:>10} {:>9} {:>12} {:>8} {:>9} {:>6}",
                    s.split.name(),
                    s.pictures,
                    s.unreadable,
                    s.labelled,
                    s.backgrounds,
                    s.boxes,
                    s.polygons,
                    s.tiny_boxes
                )?;
            }
            let width = self.names.iter().map(|n| n.chars().count()).max();
            let width = width.unwrap_or(0).clamp(5, 40);
            write!(f, "\n{:>5} {:<width$}", "class", "name")?;
            for s in &self.splits {
                write!(f, " {:>8}", s.split.name())?;
            }
            writeln!(f)?;
            for (class, name) in self.names.iter().enumerate() {
                write!(f, "{class:>5} {name:<width$}")?;
                for s in &self.splits {
                    write!(f, " {:>8}", s.boxes_per_class[class])?;
                }
                writeln!(f)?;
            }
        }
        for group in self.problems.chunk_by(|a, b| a.kind == b.kind) {
            writeln!(f, "\n{} ({})", group[0].kind.title(), group.len())?;
            for problem in group {
                writeln!(f, "  {problem}")?;
            }
        }
        write!(
            f,
            "\n{} errors, {} warnings, {} notes",
            self.count(Severity::Error),
            self.count(Severity::Warning),
            self.count(Severity::Info)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::dataset::tests::folder;
    use super::super::picture::tests::{jpeg, quadrants};
    use super::*;

    fn kinds(report: &Report) -> Vec<(ProblemKind, &str, Option<usize>)> {
        let found = report.problems.iter();
        found
            .map(|p| {
                let name = p.path.file_name().and_then(|name| name.to_str());
                (p.kind, name.unwrap_or(""), p.line)
            })
            .collect()
    }

    #[test]
    fn every_kind_of_problem_is_found_with_its_file_and_line() {
        use ProblemKind::*;
        let pictures: Vec<Vec<u8>> = (0..4u8)
            .map(|i| {
                let mut image = quadrants();
                image.put_pixel(0, 0, image::Rgb([i * 60, 0, 0]));
                // Behind the end marker: the files differ for certain.
                let mut bytes = jpeg(&image);
                bytes.push(i);
                bytes
            })
            .collect();
        let (_folder, config) = folder(&[
            ("images/train/a.jpg", &pictures[0]),
            (
                "labels/train/a.txt",
                b"0 .5 .5 .2 .2\n0 .5 .5 .2\n5 .5 .5 .2 .2\n0 .5 .5 .2 .2\n0 .5 .5 .001 .2\n0 .95 .5 .3 .3\n",
            ),
            ("images/train/again.jpg", &pictures[0]),
            ("images/train/bare.jpg", &pictures[1]),
            ("images/train/broken.jpg", b"\xff\xd8\xff"),
            ("labels/train/broken.txt", b"0 .5 .5 .2 .2\n"),
            ("labels/train/again.txt", b"0 .2 .2 .2 .2 .3 .3 .1 .1\n"),
            ("labels/train/lost.txt", b""),
            ("labels/train/classes.txt", b"cat\ndog\n"),
            ("images/val/leak.jpg", &pictures[1]),
            ("labels/val/leak.txt", b"0 .5 .5 .2 .2\n1 .2 .2 .2 .2\n"),
        ]);
        let mut calls = Vec::new();
        let report = check(&config, &mut |split, done, total| {
            calls.push((split, done, total))
        });
        assert_eq!(
            kinds(&report),
            [
                (UnreadablePicture, "broken.jpg", None),
                (BadRow, "a.txt", Some(2)),
                (UnknownClass, "a.txt", Some(3)),
                (DuplicateRow, "a.txt", Some(4)),
                (DuplicatePicture, "again.jpg", None),
                (Overlap, "leak.jpg", None),
                (LabelWithoutPicture, "lost.txt", None),
                (PictureWithoutLabel, "bare.jpg", None),
                (EmptyClass, "data.yaml", None),
                (TinyBox, "a.txt", Some(5)),
                (BeyondEdge, "a.txt", Some(6)),
            ]
        );
        assert_eq!(calls.last(), Some(&(Split::Val, 1, 1)));
        let train = &report.splits[0];
        assert_eq!((train.pictures, train.unreadable), (4, 1));
        assert_eq!((train.labelled, train.backgrounds), (2, 1));
        assert_eq!((train.boxes, train.polygons, train.tiny_boxes), (4, 1, 1));
        assert_eq!(report.splits[1].boxes_per_class, [1, 1]);
        assert!(!report.is_clean());
        assert_eq!(report.count(Severity::Error), 3);

        let text = report.to_string();
        assert!(text.contains("bad label rows (1)"), "{text}");
        assert!(text.contains("a.txt:2: found 4 columns"), "{text}");
        assert!(text.ends_with("3 errors, 6 warnings, 2 notes"), "{text}");
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["splits"][0]["split"], "train");
        assert_eq!(json["problems"][1]["kind"], "bad_row");
        assert_eq!(json["problems"][1]["line"], 2);
        assert_eq!(json["problems"][1]["severity"], "error");
    }

    #[test]
    fn missing_sets_and_missing_pictures_are_problems_and_no_failure() {
        let (folder, config) = folder(&[("images/train", b"./gone.jpg\n")]);
        let report = check(&config, &mut |_, _, _| {});
        assert_eq!(report.count(Severity::Error), 2);
        assert!(report.splits[0].pictures == 1 && report.splits[0].unreadable == 1);
        let missing = &report.problems[1];
        assert_eq!(missing.kind, ProblemKind::MissingPicture);
        assert_eq!(missing.path, folder.path().join("images/gone.jpg"));
        let empty = &report.problems[0];
        assert!(empty.reason.contains("images/val"), "{empty}");
    }

    #[test]
    fn bccd_has_no_errors() {
        let Some(fixtures) = std::env::var_os("FROSTLINE_FIXTURES") else {
            eprintln!("skipped: FROSTLINE_FIXTURES does not name the folder of fixtures");
            return;
        };
        let config = DataConfig::read(&Path::new(&fixtures).join("bccd/bccd.yaml")).unwrap();
        let report = check(&config, &mut |_, _, _| {});
        assert!(report.is_clean(), "{report}");
        let pictures: usize = report.splits.iter().map(|s| s.pictures).sum();
        assert_eq!(pictures, 364);
        println!("{report}");
    }
}
