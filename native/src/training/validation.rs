//! Validation with a progress bar, and the table that is printed of it.

use burn::tensor::{Device, read_sync};
use frostline::Result;
use frostline::data::{Batch, Placement};
use frostline::eval::{Detection, KeptValidation, Metrics, ValidateOptions, Validation, Validator};
use frostline::freeze::Cut;
use frostline::freeze::prefix::Crossing;
use frostline::loss::DetectionLoss;
use frostline::model::{Architecture, Folded};

use super::data::ValData;
use crate::interrupt;
use crate::progress::{Progress, say};

/// Validates `model`; `see` gets every batch with what was found in it.
///
/// # Errors
/// When a picture cannot be read, the device fails or the person interrupts.
pub fn validate(
    model: &mut Folded,
    data: &ValData,
    loss: Option<&DetectionLoss>,
    options: ValidateOptions,
    device: &Device,
    see: &mut dyn FnMut(usize, &Batch, &[Vec<Detection>]) -> anyhow::Result<()>,
) -> anyhow::Result<Validation> {
    let mut validator = Validator::new(model.architecture().nc, options);
    let progress = Progress::new("validate", data.batches());
    for (number, batch) in data.load(0)?.enumerate() {
        let batch = batch?;
        let found = read_sync(validator.batch(model, loss, &batch, device))?;
        see(number, &batch, &found)?;
        progress.inc(1);
        interrupt::check()?;
    }
    progress.clear();
    Ok(validator.finish())
}

/// Bytes that the features of `data` take behind `cut`, when validation keeps them.
///
/// # Errors
/// A shape that does not fit the network.
pub fn features_bytes(data: &ValData, cut: &Cut, architecture: &Architecture) -> Result<u64> {
    let mut bytes = 0;
    for (pictures, [height, width]) in data.shapes() {
        let maps = cut.maps(architecture, height, width)?;
        let values: usize = maps.iter().map(Crossing::len).sum();
        bytes += (pictures * values * size_of::<f32>()) as u64;
    }
    Ok(bytes)
}

/// As [`validate`], with the frozen modules computed in the first validation only.
///
/// # Errors
/// As [`validate`].
pub fn validate_kept(
    model: &mut Folded,
    data: &ValData,
    loss: Option<&DetectionLoss>,
    device: &Device,
    kept: &mut KeptValidation,
) -> anyhow::Result<Validation> {
    let mut validator = Validator::new(model.architecture().nc, ValidateOptions::default());
    let progress = Progress::new("validate", data.batches());
    // An earlier validation may have been interrupted.
    let mut loader = (kept.len() < data.batches())
        .then(|| data.load(kept.len()))
        .transpose()?;
    for number in 0..data.batches() {
        let make = || match loader.as_mut().and_then(Iterator::next) {
            Some(batch) => batch,
            None => data.batch(number),
        };
        read_sync(kept.batch(number, &mut validator, model, loss, make, device))?;
        progress.inc(1);
        interrupt::check()?;
    }
    progress.clear();
    Ok(validator.finish())
}

/// Prints the table of a validation; per class when asked or when there are few.
pub fn print_table(metrics: &Metrics, names: &[String], verbose: bool) {
    say(&format!(
        "{:>22} {:>8} {:>8} {:>8} {:>8} {:>8} {:>9}",
        "class", "pictures", "labels", "P", "R", "mAP50", "mAP50-95"
    ));
    say(&format!(
        "{:>22} {:>8} {:>8} {:>8.3} {:>8.3} {:>8.3} {:>9.3}",
        "all",
        metrics.seen,
        metrics.labels,
        metrics.precision,
        metrics.recall,
        metrics.map50,
        metrics.map
    ));
    if !verbose && names.len() > 30 {
        return;
    }
    for class in &metrics.per_class {
        let name = names.get(class.class).map_or("?", String::as_str);
        say(&format!(
            "{name:>22} {:>8} {:>8} {:>8.3} {:>8.3} {:>8.3} {:>9.3}",
            class.pictures, class.labels, class.p, class.r, class.ap50, class.ap
        ));
    }
}

/// The placement-free name of a picture, for result files.
pub fn stem(placement: &Placement) -> String {
    placement.path.file_stem().map_or_else(
        || "picture".to_owned(),
        |stem| stem.to_string_lossy().into_owned(),
    )
}
