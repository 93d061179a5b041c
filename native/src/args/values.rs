//! Values that flags carry, parsed once at the edge.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use frostline::model::Size;
use frostline::train::FreezeNorms;
use frostline::{Error, Result};
use serde::{Deserialize, Serialize};

/// `--cache`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheMode {
    Ram,
    Disk,
}

/// `--cache-features`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FeatureMode {
    /// Features are computed in every step, of freshly augmented pictures.
    #[default]
    Off,
    /// They are kept in memory.
    Ram,
    /// They are kept in the project's cache folder.
    Disk,
    /// In memory, where that can be done and pays.
    Auto,
}

/// `--log`: where a run is told, as lines of JSON or for TensorBoard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum LogTo {
    Stdout,
    File(PathBuf),
    TensorBoard,
}

impl FromStr for LogTo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let path = Path::new(text);
        match path.extension().and_then(|suffix| suffix.to_str()) {
            Some("json" | "jsonl" | "ndjson") => Ok(Self::File(path.to_path_buf())),
            None if text.eq_ignore_ascii_case("json") => Ok(Self::Stdout),
            None if text.eq_ignore_ascii_case("tensorboard") => Ok(Self::TensorBoard),
            _ => Err(
                "expected json, for standard output, a file such as run.jsonl, or tensorboard"
                    .to_owned(),
            ),
        }
    }
}

impl TryFrom<String> for LogTo {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<LogTo> for String {
    fn from(to: LogTo) -> Self {
        match to {
            LogTo::Stdout => "json".to_owned(),
            LogTo::TensorBoard => "tensorboard".to_owned(),
            LogTo::File(path) => path.display().to_string(),
        }
    }
}

/// `--task` of `val`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    Train,
    #[default]
    Val,
    Test,
    /// How long a picture takes; nothing is drawn.
    Speed,
    /// Accuracy and time by the side of the input.
    Study,
}

/// `--cfg`: a built-in architecture or the reference's yaml.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArchitectureSource {
    Builtin(Size),
    File(PathBuf),
}

impl FromStr for ArchitectureSource {
    type Err = Error;

    /// A file that exists wins; otherwise `yolov5s`, `yolov5s.yaml` and `models/yolov5s.yaml` mean
    /// the built-in architecture.
    fn from_str(text: &str) -> Result<Self> {
        let path = Path::new(text);
        if path.is_file() {
            return Ok(Self::File(path.to_path_buf()));
        }
        let size = text.parse().map_err(|_| {
            Error::input(
                "--cfg",
                format!("`{text}`, which is no file"),
                "yolov5n, yolov5s, yolov5m, yolov5l, yolov5x or an architecture yaml",
                "",
            )
        })?;
        Ok(Self::Builtin(size))
    }
}

impl fmt::Display for ArchitectureSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Builtin(size) => write!(f, "yolov5{size}"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

impl Serialize for ArchitectureSource {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ArchitectureSource {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// `--freeze-bn`.
pub fn freeze_norms(text: &str) -> Result<FreezeNorms, String> {
    match text.to_ascii_lowercase().as_str() {
        "fixed" => Ok(FreezeNorms::Fixed),
        "drift" => Ok(FreezeNorms::Drift),
        _ => Err("expected fixed or drift".to_owned()),
    }
}

/// A whole number of at least 1.
pub fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("expected a whole number of 1 or more".to_owned()),
        Ok(number) => Ok(number),
    }
}

/// `--batch-size` of other commands: a whole number of at least 1; -1 gets its own answer.
pub fn batch_size(text: &str) -> Result<usize, String> {
    if text == "-1" {
        return Err(
            "choosing the batch size automatically is not supported: name a number, such as 16"
                .to_owned(),
        );
    }
    positive(text)
}

/// `--batch-size` of train: -1 takes as many as fit.
pub fn train_batch_size(text: &str) -> Result<Option<usize>, String> {
    match text {
        "-1" => Ok(None),
        _ => positive(text).map(Some).map_err(|_| {
            "expected a whole number of 1 or more, or -1 for as many as fit".to_owned()
        }),
    }
}

/// A fraction, `0..=1`.
pub fn fraction(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if (0.0..=1.0).contains(&number) => Ok(number),
        _ => Err("expected a number from 0 to 1".to_owned()),
    }
}

/// `--save-period`: epochs between checkpoints that are kept; -1 and 0 keep none.
pub fn save_period(text: &str) -> Result<Option<usize>, String> {
    match text.parse::<i64>() {
        Ok(-1 | 0) => Ok(None),
        Ok(epochs) if epochs > 0 => Ok(usize::try_from(epochs).ok()),
        _ => Err("expected a number of epochs, or -1 for off".to_owned()),
    }
}

/// `--nominal-batch`: `auto` or a whole number of at least 1.
pub fn nominal_batch(text: &str) -> Result<Option<usize>, String> {
    if text.eq_ignore_ascii_case("auto") {
        return Ok(None);
    }
    positive(text)
        .map(Some)
        .map_err(|_| "expected auto or a whole number of 1 or more".to_owned())
}

/// `--probe`: what advice may take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ProbeBudget {
    /// Seconds.
    Seconds(f64),
    /// A share of the longest run.
    Share(f64),
}

/// Seconds of `90`, `90s`, `10m` or `1h30m`.
pub fn seconds(text: &str) -> Result<f64, String> {
    const EXPECTED: &str = "expected a time such as 90s, 10m or 1h30m";
    let mut sum = 0.0;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c.is_ascii_alphabetic());
        let (number, after) = rest.split_at(end.unwrap_or(rest.len()));
        let unit = after.chars().next();
        let factor = match unit.map(|unit| unit.to_ascii_lowercase()) {
            None | Some('s') => 1.0,
            Some('m') => 60.0,
            Some('h') => 3600.0,
            Some(_) => return Err(EXPECTED.to_owned()),
        };
        let number: f64 = number.parse().map_err(|_| EXPECTED.to_owned())?;
        sum += number * factor;
        rest = &after[unit.map_or(0, char::len_utf8)..];
    }
    if sum.is_finite() && sum > 0.0 {
        Ok(sum)
    } else {
        Err(EXPECTED.to_owned())
    }
}

/// Bytes of `4GB`, `800MB`, `4GiB` or a plain number.
pub fn bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let end = text.find(|c: char| c.is_ascii_alphabetic());
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let factor: f64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "mib" => f64::from(1 << 20),
        "gib" => f64::from(1 << 30),
        _ => f64::NAN,
    };
    match number.trim().parse::<f64>() {
        Ok(number) if number * factor >= 1.0 => Ok((number * factor) as u64),
        _ => Err("expected a size such as 4GB, 800MB or 4GiB".to_owned()),
    }
}

/// `--probe`: a time, or a share of the longest run such as `25%`.
pub fn probe_budget(text: &str) -> Result<ProbeBudget, String> {
    match text.trim().strip_suffix('%') {
        None => seconds(text).map(ProbeBudget::Seconds),
        Some(share) => match share.trim().parse::<f64>() {
            Ok(share) if share > 0.0 && share <= 1000.0 => Ok(ProbeBudget::Share(share / 100.0)),
            _ => Err("expected a share such as 25%".to_owned()),
        },
    }
}

/// Largest stride of YOLOv5 v6.0: both sides of the network's input are multiples of it.
const STRIDE: usize = 32;
/// Beyond this one picture's activations need more memory than any machine has.
const LARGEST_IMGSZ: usize = 16_384;

/// The side length that the network sees, rounded up to the stride as in the reference, with a
/// line for the log when that changed it.
///
/// # Errors
/// Two different sides, or a size out of range.
pub fn imgsz(given: &[usize], notes: &mut Vec<String>) -> Result<usize> {
    match given {
        [side] => stride_multiple(*side, notes),
        [a, b] if a == b => stride_multiple(*a, notes),
        _ => Err(Error::input(
            "--imgsz",
            format!("{given:?}"),
            "one side length in pixels; pictures of any shape are fitted into it",
            "Give one number, such as --imgsz 640",
        )),
    }
}

/// As [`imgsz`] where two sides may differ: height and width.
///
/// # Errors
/// A size out of range.
pub fn height_width(given: &[usize], notes: &mut Vec<String>) -> Result<[usize; 2]> {
    match given {
        [height, width] if height != width => Ok([
            stride_multiple(*height, notes)?,
            stride_multiple(*width, notes)?,
        ]),
        _ => Ok([imgsz(given, notes)?; 2]),
    }
}

fn stride_multiple(side: usize, notes: &mut Vec<String>) -> Result<usize> {
    if side == 0 || side > LARGEST_IMGSZ {
        return Err(Error::input(
            "--imgsz",
            side,
            format!("pixels from {STRIDE} to {LARGEST_IMGSZ}"),
            "",
        ));
    }
    let rounded = side.div_ceil(STRIDE) * STRIDE;
    if rounded != side {
        notes.push(format!(
            "--imgsz {side} is no multiple of the stride {STRIDE}: using {rounded}"
        ));
    }
    Ok(rounded)
}

/// Worker threads: what was asked for, at most one per core.
pub fn workers(asked: usize) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    asked.min(cores)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_architectures_answer_to_their_file_names() {
        for text in ["yolov5s", "yolov5s.yaml", "models/yolov5s.yaml", "S"] {
            let cfg: ArchitectureSource = text.parse().unwrap();
            assert_eq!(cfg, ArchitectureSource::Builtin(Size::S), "{text}");
            assert_eq!(cfg.to_string(), "yolov5s");
        }
        let message = "yolov9.yaml".parse::<ArchitectureSource>().unwrap_err();
        assert!(message.to_string().contains("which is no file"));
    }

    #[test]
    fn imgsz_is_rounded_up_to_the_stride_and_says_so() {
        let mut notes = Vec::new();
        assert_eq!(imgsz(&[640], &mut notes).unwrap(), 640);
        assert_eq!(imgsz(&[512, 512], &mut notes).unwrap(), 512);
        assert!(notes.is_empty());
        assert_eq!(imgsz(&[500], &mut notes).unwrap(), 512);
        assert!(notes[0].contains("512"));
        assert_eq!(height_width(&[480, 600], &mut notes).unwrap(), [480, 608]);
        assert_eq!(height_width(&[320], &mut notes).unwrap(), [320, 320]);
        for bad in [&[0][..], &[640, 480], &[1_000_000]] {
            assert!(imgsz(bad, &mut notes).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn times_sizes_and_shares_have_units() {
        for (text, expected) in [
            ("90", 90.0),
            ("90s", 90.0),
            ("10m", 600.0),
            ("1h30m", 5400.0),
            ("0.5h", 1800.0),
        ] {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
        for bad in ["", "0", "m", "10x", "-5m", "1h m"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
        assert_eq!(bytes("4GB"), Ok(4_000_000_000));
        assert_eq!(bytes("1.5 GiB"), Ok(3 << 29));
        for bad in ["", "0", "GB", "4TB", "-1MB"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
        assert_eq!(probe_budget("25%"), Ok(ProbeBudget::Share(0.25)));
        assert_eq!(probe_budget("2m"), Ok(ProbeBudget::Seconds(120.0)));
        assert!(probe_budget("0%").is_err());
    }

    #[test]
    fn off_has_the_reference_spelling() {
        assert_eq!(save_period("-1"), Ok(None));
        assert_eq!(save_period("5"), Ok(Some(5)));
        assert!(save_period("often").is_err());
        assert!(batch_size("-1").unwrap_err().contains("not supported"));
        assert!(batch_size("0").is_err());
        assert_eq!(nominal_batch("auto"), Ok(None));
        assert_eq!(nominal_batch("64"), Ok(Some(64)));
    }
}
