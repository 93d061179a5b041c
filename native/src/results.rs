//! `results.csv` in the reference's columns (FACTS 5), one row per epoch.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use frostline::{Error, Result};

/// The reference's header.
pub const HEADER: &str = "epoch,train/box_loss,train/obj_loss,train/cls_loss,\
metrics/precision,metrics/recall,metrics/mAP_0.5,metrics/mAP_0.5:0.95,\
val/box_loss,val/obj_loss,val/cls_loss,x/lr0,x/lr1,x/lr2";

/// Columns after the epoch.
const COLUMNS: usize = 13;

/// One epoch's figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EpochRow {
    /// Epoch, from 0.
    pub epoch: usize,
    /// Mean box, objectness and class loss of training.
    pub train: [f64; 3],
    /// Precision, recall, mAP50, mAP50-95; `None` when the epoch was not validated.
    pub metrics: Option<[f64; 4]>,
    /// Mean box, objectness and class loss of validation; `None` when it was not validated.
    pub val: Option<[f64; 3]>,
    /// Learning rates in the reference's order: biases, weights, BatchNorm weights.
    pub lr: [f64; 3],
}

impl EpochRow {
    /// The figures that there are, under the names of their columns.
    pub fn figures(&self) -> Vec<(&'static str, f64)> {
        let columns = HEADER.split(',').skip(1).zip(self.cells());
        columns
            .filter_map(|(name, cell)| Some((name, cell?)))
            .collect()
    }

    fn cells(&self) -> impl Iterator<Item = Option<f64>> {
        let metrics = self.metrics.map_or([None; 4], |values| values.map(Some));
        let val = self.val.map_or([None; 3], |values| values.map(Some));
        let cells = self.train.map(Some).into_iter();
        cells.chain(metrics).chain(val).chain(self.lr.map(Some))
    }

    fn line(&self) -> String {
        let mut line = self.epoch.to_string();
        for cell in self.cells() {
            line.push(',');
            // Readers of the table expect a number in each cell.
            line.push_str(&cell.map_or_else(|| "nan".to_owned(), five_digits));
        }
        line
    }

    fn parse(line: &str) -> Option<Self> {
        let mut cells = line.split(',').map(str::trim);
        let epoch = cells.next()?.parse().ok()?;
        let mut values = [None; COLUMNS];
        for value in &mut values {
            *value = match cells.next()? {
                "" => None,
                text => Some(text.parse::<f64>().ok()?),
            };
        }
        if cells.next().is_some() {
            return None;
        }
        let [t0, t1, t2, m0, m1, m2, m3, v0, v1, v2, l0, l1, l2] = values;
        Some(Self {
            epoch,
            train: [t0?, t1?, t2?],
            metrics: known([m0, m1, m2, m3]),
            val: known([v0, v1, v2]),
            lr: [l0?, l1?, l2?],
        })
    }
}

/// The cells of an epoch that was validated.
fn known<const N: usize>(cells: [Option<f64>; N]) -> Option<[f64; N]> {
    let known = |cell: &Option<f64>| cell.is_some_and(|value| !value.is_nan());
    cells
        .iter()
        .all(known)
        .then(|| cells.map(Option::unwrap_or_default))
}

/// The table of a run on disk.
#[derive(Debug)]
pub struct Results {
    path: PathBuf,
}

impl Results {
    /// Starts an empty table, replacing what stood there.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        replace(&path, &[])?;
        Ok(Self { path })
    }

    /// Goes on with a run at `epoch`: rows of that epoch and later are dropped, a row that was cut
    /// off while it was written too.
    ///
    /// # Errors
    /// The file cannot be read or written, or a row is no row.
    pub fn resume(path: impl Into<PathBuf>, epoch: usize) -> Result<Self> {
        let path = path.into();
        let mut rows = if path.exists() {
            read(&path)?
        } else {
            Vec::new()
        };
        rows.retain(|row| row.epoch < epoch);
        replace(&path, &rows)?;
        Ok(Self { path })
    }

    /// Adds an epoch.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn append(&mut self, row: EpochRow) -> Result<()> {
        let mut file = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(&self.path)
            .map_err(Error::io(&self.path))?;
        // One write per row: a reader never sees half of one.
        file.write_all(format!("{}\n", row.line()).as_bytes())
            .map_err(Error::io(&self.path))
    }
}

/// Writes a table beside the file and then puts it in its place, so that the old one survives a
/// crash.
fn replace(path: &Path, rows: &[EpochRow]) -> Result<()> {
    let mut text = format!("{HEADER}\n");
    for row in rows {
        text.push_str(&row.line());
        text.push('\n');
    }
    let beside = path.with_extension("csv.tmp");
    fs::write(&beside, text).map_err(Error::io(&beside))?;
    fs::rename(&beside, path).map_err(Error::io(path))
}

/// Reads a table; also the reference's, whose cells are padded with blanks. A last line without its
/// line break was cut off and is left out.
///
/// # Errors
/// The file cannot be read, or a row is no row, with its line.
pub fn read(path: &Path) -> Result<Vec<EpochRow>> {
    let text = fs::read_to_string(path).map_err(Error::io(path))?;
    let mut lines: Vec<&str> = text.lines().collect();
    if !text.ends_with('\n')
        && lines
            .last()
            .is_some_and(|line| EpochRow::parse(line).is_none())
    {
        lines.pop();
    }
    let mut rows = Vec::new();
    for (number, line) in lines.into_iter().enumerate().skip(1) {
        if line.trim().is_empty() {
            continue;
        }
        rows.push(EpochRow::parse(line).ok_or_else(|| {
            Error::input(
                format!("{}:{}", path.display(), number + 1),
                format!("`{}`", line.chars().take(60).collect::<String>()),
                format!("an epoch and {COLUMNS} numbers"),
                "",
            )
        })?);
    }
    Ok(rows)
}

/// A number with five significant digits, as the reference prints it (`%.5g`).
fn five_digits(value: f64) -> String {
    const DIGITS: i32 = 5;
    if value == 0.0 || !value.is_finite() {
        return if value.is_nan() {
            "nan".to_owned()
        } else {
            value.to_string()
        };
    }
    // Rounding first: 0.0999996 has one digit more before the point than its logarithm says.
    let scientific = format!("{value:.*e}", DIGITS as usize - 1);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..DIGITS).contains(&exponent) {
        let decimals = usize::try_from(DIGITS - 1 - exponent).unwrap_or(0);
        return trimmed(&format!("{value:.decimals$}")).to_owned();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trimmed(mantissa), exponent.abs())
}

fn trimmed(number: &str) -> &str {
    if number.contains('.') {
        number.trim_end_matches('0').trim_end_matches('.')
    } else {
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/golden/bccd/reference_freeze10.csv"
    );

    fn row(epoch: usize) -> EpochRow {
        EpochRow {
            epoch,
            train: [0.125_49, 0.109_56, 0.045_525],
            metrics: Some([0.006_021_4, 0.270_98, 0.004_703_1, 0.001_111]),
            val: Some([0.124_11, 0.068_671, 0.048_69]),
            lr: [0.0892, 0.0012, 0.0012],
        }
    }

    #[test]
    fn a_reference_file_is_read_and_written_again_byte_for_byte() {
        let rows = read(Path::new(GOLDEN)).unwrap();
        assert!(!rows.is_empty());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.csv");
        let mut results = Results::create(&path).unwrap();
        for row in rows {
            results.append(row).unwrap();
        }
        assert_eq!(
            fs::read_to_string(path).unwrap(),
            fs::read_to_string(GOLDEN).unwrap()
        );
    }

    #[test]
    fn numbers_have_five_significant_digits_as_in_the_reference() {
        for (value, text) in [
            (0.0, "0"),
            (0.125_494, "0.12549"),
            (0.099_999_6, "0.1"),
            (0.0012, "0.0012"),
            (0.000_04, "4e-05"),
            (123_456.0, "1.2346e+05"),
            (99_999.0, "99999"),
            (-1.5, "-1.5"),
            (1.0, "1"),
        ] {
            assert_eq!(five_digits(value), text);
        }
    }

    #[test]
    fn resuming_drops_the_epochs_that_will_be_run_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.csv");
        let mut results = Results::create(&path).unwrap();
        for epoch in 0..5 {
            results.append(row(epoch)).unwrap();
        }
        let mut results = Results::resume(&path, 3).unwrap();
        assert_eq!(read(&path).unwrap(), [row(0), row(1), row(2)]);
        results.append(row(3)).unwrap();
        assert_eq!(read(&path).unwrap().len(), 4);
        let new = folder.path().join("new.csv");
        Results::resume(&new, 3).unwrap();
        assert_eq!(read(&new).unwrap(), []);
    }

    #[test]
    fn a_row_that_was_cut_off_is_left_out_and_a_bad_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.csv");
        let mut results = Results::create(&path).unwrap();
        results.append(row(0)).unwrap();
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{whole}1,0.12,0.1")).unwrap();
        assert_eq!(read(&path).unwrap(), [row(0)]);
        fs::write(&path, format!("{whole}1,0.12,0.1\n")).unwrap();
        let message = read(&path).unwrap_err().to_string();
        assert!(
            message.contains("results.csv:3: found `1,0.12,0.1`"),
            "{message}"
        );
    }

    #[test]
    fn an_epoch_without_validation_says_nan_and_empty_cells_mean_the_same() {
        let bare = EpochRow {
            metrics: None,
            val: None,
            ..row(7)
        };
        let line = bare.line();
        assert!(
            line.contains(",0.045525,nan,nan,nan,nan,nan,nan,nan,0.0892,"),
            "{line}"
        );
        assert_eq!(EpochRow::parse(&line), Some(bare));
        assert_eq!(EpochRow::parse(&line.replace("nan", "")), Some(bare));
    }
}
