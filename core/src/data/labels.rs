//! Label files: a row per box, `class cx cy w h` in fractions of the picture, or
//! `class x1 y1 x2 y2 x3 y3 …` for a polygon (fact sheet, section 6).
//!
//! A bad row is reported with its file, line and reason, and skipped; the rest of the picture's
//! boxes stay. (The reference drops the whole picture for one bad row, and reads a box row in a
//! file of polygons as a wrong box.)

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::Label;
use super::problem::{Problem, ProblemKind};
use crate::{Error, Result};

/// A label file past this size is not one; refused before it is read.
const MAX_LABEL_FILE_BYTES: u64 = 64 << 20;
/// At most this much of a wrong field is quoted.
const MAX_QUOTE_CHARS: usize = 24;

/// The outline of a polygon label in fractions of the picture.
pub type Segment = Vec<[f32; 2]>;

/// What a label file says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LabelFile {
    /// The boxes, in the order of the file, duplicates removed.
    pub labels: Vec<Label>,
    /// The polygon that each label came from, where it came from one.
    pub segments: Vec<Option<Segment>>,
    /// The line of each label, counted from 1.
    pub lines: Vec<usize>,
    /// Rows that were skipped, and duplicates.
    pub problems: Vec<Problem>,
    /// How many rows were dropped because they repeat an earlier one.
    pub duplicates: usize,
    /// Whether there is a file at all; a picture without one is background.
    pub found: bool,
}

/// Where the labels of `image` are: the last folder `images` in its path becomes `labels`, and the
/// suffix `txt`. A picture outside any folder `images` has its labels beside it.
///
/// ```
/// # use std::path::Path;
/// let labels = frostline::data::labels::label_path(Path::new("set/images/train/a.jpg"));
/// assert_eq!(labels, Path::new("set/labels/train/a.txt"));
/// ```
#[must_use]
pub fn label_path(image: &Path) -> PathBuf {
    swap_folder(image, "images", "labels").with_extension("txt")
}

/// Replaces the last folder called `from` on the way to `path`; never its last component.
pub(crate) fn swap_folder(path: &Path, from: &str, to: &str) -> PathBuf {
    let parts: Vec<_> = path.components().collect();
    let folders = parts.len().saturating_sub(1);
    let last = parts[..folders]
        .iter()
        .rposition(|part| part.as_os_str() == from);
    parts
        .iter()
        .enumerate()
        .map(|(i, part)| {
            if Some(i) == last {
                OsStr::new(to)
            } else {
                part.as_os_str()
            }
        })
        .collect()
}

/// Reads the label file at `path`; class indices must be under `nc`. No file means no boxes.
///
/// # Errors
/// When the file is there but cannot be read, or is far too large for a label file. What is wrong
/// with single rows is in [`LabelFile::problems`].
pub fn read(path: &Path, nc: usize) -> Result<LabelFile> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(LabelFile::default()),
        Err(e) => return Err(Error::io(path)(e)),
    };
    let mut bytes = Vec::new();
    file.take(MAX_LABEL_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(Error::io(path))?;
    if bytes.len() as u64 > MAX_LABEL_FILE_BYTES {
        return Err(Error::input(
            path.display(),
            format!("more than {} MiB", MAX_LABEL_FILE_BYTES >> 20),
            "a label file with a row per box",
            "Remove the file, or write its labels anew",
        ));
    }
    Ok(parse(&bytes, path, nc))
}

/// Reads the bytes of a label file; `path` only names it in [`LabelFile::problems`].
#[must_use]
pub fn parse(bytes: &[u8], path: &Path, nc: usize) -> LabelFile {
    let mut file = LabelFile {
        found: true,
        ..LabelFile::default()
    };
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        file.problems.push(Problem::new(
            path,
            Some(1),
            ProblemKind::UnreadableLabels,
            "the file is UTF-16 text, expected UTF-8; save it again as UTF-8",
        ));
        return file;
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut seen = HashSet::new();
    for (line, row) in (1..).zip(lines(bytes)) {
        let row = match parse_row(row, nc) {
            Ok(Some(row)) => row,
            Ok(None) => continue,
            Err((kind, reason)) => {
                file.problems
                    .push(Problem::new(path, Some(line), kind, reason));
                continue;
            }
        };
        // Adding 0 makes -0 and 0 one key.
        let key = (row.0.class, row.0.cxcywh.map(|v| (v + 0.0).to_bits()));
        if seen.insert(key) {
            file.labels.push(row.0);
            file.segments.push(row.1);
            file.lines.push(line);
        } else {
            file.duplicates += 1;
            file.problems.push(Problem::new(
                path,
                Some(line),
                ProblemKind::DuplicateRow,
                "the same box as in an earlier row, dropped",
            ));
        }
    }
    file
}

/// Lines that end in `\n`, `\r\n` or `\r`.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes
        .split(|&b| b == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .flat_map(|line| line.split(|&b| b == b'\r'))
}

type Row = (Label, Option<Segment>);

/// One row: `None` when it is blank.
fn parse_row(row: &[u8], nc: usize) -> Result<Option<Row>, (ProblemKind, String)> {
    let bad = |reason: String| (ProblemKind::BadRow, reason);
    let text = std::str::from_utf8(row)
        .map_err(|_| bad("bytes that are not UTF-8 text, expected numbers".to_owned()))?;
    let fields: Vec<&str> = text.split_whitespace().collect();
    let Some((class, numbers)) = fields.split_first() else {
        return Ok(None);
    };
    if text.contains(',') {
        return Err(bad(format!(
            "found {}, expected numbers with spaces between them and no commas",
            quote(text.trim())
        )));
    }
    // A box has 4 numbers; a polygon has 3 points or more.
    let is_box = numbers.len() == 4;
    if !is_box && (numbers.len() < 6 || !numbers.len().is_multiple_of(2)) {
        return Err(bad(format!(
            "found {} columns, expected 5 (class cx cy w h), or a class and 3 or more points",
            fields.len()
        )));
    }
    let mut values = Vec::with_capacity(numbers.len());
    for (i, field) in numbers.iter().enumerate() {
        let value: f32 = field.parse().map_err(|_| {
            bad(format!(
                "found {} in column {}, expected a number",
                quote(field),
                i + 2
            ))
        })?;
        if !value.is_finite() || !(0.0..=1.0).contains(&value) {
            return Err(bad(format!(
                "found {} in column {}, expected a fraction of the picture in 0..1",
                quote(field),
                i + 2
            )));
        }
        values.push(value);
    }
    let class = parse_class(class, nc)?;
    let (cxcywh, segment) = if let (true, &[cx, cy, w, h]) = (is_box, values.as_slice()) {
        ([cx, cy, w, h], None)
    } else {
        let points: Segment = values.chunks_exact(2).map(|p| [p[0], p[1]]).collect();
        (bounding_box(&points), Some(points))
    };
    if cxcywh[2] <= 0.0 || cxcywh[3] <= 0.0 {
        return Err(bad(format!(
            "found a box of width {} and height {}, expected both above 0",
            cxcywh[2], cxcywh[3]
        )));
    }
    Ok(Some((Label { class, cxcywh }, segment)))
}

fn parse_class(field: &str, nc: usize) -> Result<usize, (ProblemKind, String)> {
    let expected = if nc == usize::MAX {
        "a class index (0 or more)".to_owned()
    } else {
        format!("a class index in 0..{} of {nc}", nc.saturating_sub(1))
    };
    // Some tools write the class as 1.0.
    let value: f64 = field.parse().map_err(|_| {
        let reason = format!("found {} in column 1, expected {expected}", quote(field));
        (ProblemKind::BadRow, reason)
    })?;
    // Above 2^53 a float no longer tells neighbours apart, and no data set has as many classes.
    let limit = (nc as u64).min(1 << 53) as f64;
    if value.fract() == 0.0 && (0.0..limit).contains(&value) {
        return Ok(value as usize);
    }
    let kind = if value.fract() == 0.0 && value >= limit {
        ProblemKind::UnknownClass
    } else {
        ProblemKind::BadRow
    };
    let reason = format!("found class {}, expected {expected}", quote(field));
    Err((kind, reason))
}

/// The box around `points`, `[cx, cy, w, h]`.
pub(crate) fn bounding_box(points: &[[f32; 2]]) -> [f32; 4] {
    let mut low = [f32::INFINITY; 2];
    let mut high = [f32::NEG_INFINITY; 2];
    for point in points {
        for axis in 0..2 {
            low[axis] = low[axis].min(point[axis]);
            high[axis] = high[axis].max(point[axis]);
        }
    }
    [
        (low[0] + high[0]) / 2.0,
        (low[1] + high[1]) / 2.0,
        high[0] - low[0],
        high[1] - low[1],
    ]
}

fn quote(text: &str) -> String {
    let mut short: String = text.chars().take(MAX_QUOTE_CHARS).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("\"{}\"", short.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// One unit in the last place near 1: the golden numbers were computed in the same f32 steps.
    const TOLERANCE: f32 = f32::EPSILON;

    fn parse_text(text: &str) -> LabelFile {
        parse(text.as_bytes(), Path::new("a.txt"), 3)
    }

    fn reasons(file: &LabelFile) -> Vec<(Option<usize>, &str)> {
        file.problems
            .iter()
            .map(|p| (p.line, p.reason.as_str()))
            .collect()
    }

    #[test]
    fn labels_lie_where_the_last_images_folder_becomes_labels() {
        for (image, labels) in [
            ("/d/images/train/a.jpg", "/d/labels/train/a.txt"),
            ("images/a.b.PNG", "labels/a.b.txt"),
            ("/images/x/images/a.jpg", "/images/x/labels/a.txt"),
            ("/d/myimages/a.jpg", "/d/myimages/a.txt"),
            ("images", "images.txt"),
            ("../images/a.jpg", "../labels/a.txt"),
        ] {
            assert_eq!(label_path(Path::new(image)), Path::new(labels));
        }
    }

    #[test]
    fn label_files_agree_with_the_golden_cases() {
        // FACTS 6: here the reference drops the whole picture or keeps what cannot be learnt;
        // the tests below say what this program does instead.
        const OURS_DIFFERS: [&str; 2] = ["mix_seg_box", "zero_wh"];
        let golden: serde_json::Value = serde_json::from_str(
            &std::fs::read_to_string(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../tests/golden/data/label_and_image_checks.json"
            ))
            .unwrap(),
        )
        .unwrap();
        let mut compared = 0;
        for (name, case) in golden["cases"].as_object().unwrap() {
            let Some(text) = case.get("label_file").and_then(|t| t.as_str()) else {
                continue;
            };
            if OURS_DIFFERS.contains(&name.as_str()) {
                continue;
            }
            compared += 1;
            let file = parse_text(text);
            if !case["kept"].as_bool().unwrap() {
                let refused = file
                    .problems
                    .iter()
                    .filter(|p| p.kind != ProblemKind::DuplicateRow);
                assert_eq!(refused.count(), 1, "{name}: {:?}", file.problems);
                continue;
            }
            let expected: Vec<Vec<f32>> = serde_json::from_value(case["labels"].clone()).unwrap();
            assert_eq!(file.labels.len(), expected.len(), "{name}");
            for (label, row) in file.labels.iter().zip(&expected) {
                assert_eq!(label.class, row[0] as usize, "{name}");
                for (ours, theirs) in label.cxcywh.iter().zip(&row[1..]) {
                    assert!((ours - theirs).abs() <= TOLERANCE, "{name}: {label:?}");
                }
            }
            if !case["segments"].is_null() {
                let expected: Vec<Segment> =
                    serde_json::from_value(case["segments"].clone()).unwrap();
                let ours: Vec<Segment> = file.segments.into_iter().flatten().collect();
                assert_eq!(ours, expected, "{name}");
            }
        }
        assert!(compared >= 18, "only {compared} golden cases were found");
    }

    #[test]
    fn a_box_row_among_polygons_stays_a_box() {
        let file = parse_text("0 0.1 0.1 0.5 0.1 0.5 0.6 0.1 0.6\n1 0.5 0.5 0.2 0.2\n");
        assert!(file.problems.is_empty());
        assert_eq!(file.labels[1].cxcywh, [0.5, 0.5, 0.2, 0.2]);
        assert!(file.segments[0].is_some() && file.segments[1].is_none());
    }

    #[test]
    fn a_bad_row_is_skipped_with_its_line_and_the_others_stay() {
        for (row, word) in [
            ("0 -0.1 0.5 0.2 0.3", "\"-0.1\" in column 2"),
            ("0 0.5 1.2 0.2 0.3", "\"1.2\" in column 3"),
            ("0 0.5 0.5 0.2", "4 columns"),
            ("0 0.5 0.5 0.2 0.3 0.9", "6 columns"),
            ("0 .1 .1 .2 .2 .3 .3 .4", "8 columns"),
            ("cat 0.5 0.5 0.2 0.3", "\"cat\""),
            ("0 0.5 half 0.2 0.3", "\"half\" in column 3"),
            ("0 nan 0.5 0.2 0.3", "\"nan\""),
            ("0 0.5 0.5 inf 0.3", "\"inf\""),
            ("1.5 0.5 0.5 0.2 0.3", "class \"1.5\""),
            ("-1 0.5 0.5 0.2 0.3", "class \"-1\""),
            ("nan 0.5 0.5 0.2 0.3", "class \"nan\""),
            ("0 0.5 0.5 0 0.3", "width 0"),
            ("0 .2 .2 .2 .3 .2 .4", "width 0"),
            ("0,0.5,0.5,0.2,0.3", "no commas"),
        ] {
            let file = parse_text(&format!("1 .1 .1 .1 .1\n\n{row}\n2 .2 .2 .1 .1\n"));
            assert_eq!(file.labels.len(), 2, "{row}");
            assert_eq!(file.lines, [1, 4], "{row}");
            assert_eq!(file.problems.len(), 1, "{row}");
            let problem = &file.problems[0];
            assert_eq!(problem.line, Some(3), "{row}");
            assert_eq!(problem.kind, ProblemKind::BadRow, "{row}");
            assert!(problem.reason.contains(word), "{row}: {}", problem.reason);
        }
    }

    #[test]
    fn a_class_without_a_name_is_reported_as_such() {
        let file = parse_text("3 0.5 0.5 0.2 0.3\n1e300 0.5 0.5 0.2 0.3\n");
        assert!(file.labels.is_empty());
        let kinds: Vec<_> = file.problems.iter().map(|p| p.kind).collect();
        assert_eq!(kinds, [ProblemKind::UnknownClass; 2]);
        assert_eq!(
            file.problems[0].to_string(),
            "a.txt:1: found class \"3\", expected a class index in 0..2 of 3"
        );
    }

    #[test]
    fn line_ends_marks_and_blanks_of_every_kind_are_read() {
        for text in [
            "\u{feff}0 0.5 0.5 0.2 0.3\r\n1\t.2 .2  .1 .1\r\n \t\r\n\r\n",
            "0 0.5 0.5 0.2 0.3\r1 .2 .2 .1 .1",
            "\n  0 0.5 0.5 0.2 0.3  \n\n1 .2 .2 .1 .1\n\n\n",
        ] {
            let file = parse_text(text);
            assert_eq!(file.labels.len(), 2, "{text:?}: {:?}", reasons(&file));
            assert!(file.problems.is_empty(), "{text:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_cost_only_their_row() {
        let file = parse(
            b"0 .5 .5 .2 .3\n\xff\xfe\x00\n1 .5 .5 .2 .3\n",
            Path::new("a.txt"),
            3,
        );
        assert_eq!(file.labels.len(), 2);
        assert_eq!(file.problems[0].line, Some(2));
        let utf16 = parse(b"\xff\xfe0\x00 \x00", Path::new("a.txt"), 3);
        assert!(utf16.problems[0].reason.contains("UTF-16"));
    }

    #[test]
    fn duplicates_are_dropped_and_counted_and_the_first_stays_in_place() {
        let file = parse_text("1 .5 .5 .2 .3\n0 .1 .1 .1 .1\n1.0 0.50 .5 .2 .3\n");
        assert_eq!(file.duplicates, 1);
        assert_eq!(file.labels[0].class, 1);
        assert_eq!(file.lines, [1, 2]);
        assert_eq!(file.problems[0].line, Some(3));
    }

    #[test]
    fn a_missing_file_is_background_and_a_folder_in_its_place_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = read(&folder.path().join("none.txt"), 3).unwrap();
        assert!(!file.found && file.labels.is_empty());
        assert!(read(folder.path(), 3).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic_and_what_it_keeps_is_sound(
            bytes in proptest::collection::vec(prop_oneof![
                proptest::sample::select(b"0123456789.eE-+ \t\r\n\n\n    nai,".to_vec()),
                any::<u8>(),
            ], 0..400),
            nc in 0usize..5,
        ) {
            let file = parse(&bytes, Path::new("a.txt"), nc);
            prop_assert_eq!(file.labels.len(), file.segments.len());
            prop_assert_eq!(file.labels.len(), file.lines.len());
            for label in &file.labels {
                prop_assert!(label.class < nc);
                prop_assert!(label.cxcywh.iter().all(|v| (0.0..=1.0).contains(v)));
            }
        }
    }
}
