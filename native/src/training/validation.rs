//! Validation with a progress bar, and the table that is printed of it.

use burn::tensor::{Device, Tensor, TensorData, read_sync};
use frostline::Result;
use frostline::data::{Batch, Placement};
use frostline::eval::{Detection, Metrics, ValidateOptions, Validation, Validator};
use frostline::freeze::Cut;
use frostline::freeze::prefix::Crossing;
use frostline::loss::DetectionLoss;
use frostline::model::{Architecture, Features, Folded};
use frostline::train::session::image_tensor;

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
    for (number, batch) in data.load()?.enumerate() {
        let batch = batch?;
        let found = read_sync(validator.batch(model, loss, &batch, device))?;
        see(number, &batch, &found)?;
        progress.inc(1);
        interrupt::check()?;
    }
    progress.clear();
    Ok(validator.finish())
}

/// What validation keeps from epoch to epoch: the batches without their pixels, and their features at the
/// cut, in single precision. A picture is validated in one view, so this changes no figure.
#[derive(Debug, Default)]
pub struct ValidationFeatures {
    batches: Vec<(Batch, Vec<KeptMap>)>,
    complete: bool,
}

/// The output of a module for a batch.
#[derive(Debug)]
struct KeptMap {
    module: usize,
    data: TensorData,
}

impl ValidationFeatures {
    /// Bytes that the features of `data` take behind `cut`.
    ///
    /// # Errors
    /// A shape that does not fit the network.
    pub fn bytes(data: &ValData, cut: &Cut, architecture: &Architecture) -> Result<u64> {
        let mut bytes = 0;
        for (pictures, [height, width]) in data.shapes() {
            let maps = cut.maps(architecture, height, width)?;
            let values: usize = maps.iter().map(Crossing::len).sum();
            bytes += (pictures * values * size_of::<f32>()) as u64;
        }
        Ok(bytes)
    }
}

/// As [`validate`], with the first `prefix` modules computed in the first validation only: they must stay
/// what they are.
///
/// # Errors
/// As [`validate`].
pub fn validate_kept(
    model: &mut Folded,
    prefix: usize,
    data: &ValData,
    loss: Option<&DetectionLoss>,
    device: &Device,
    kept: &mut ValidationFeatures,
) -> anyhow::Result<Validation> {
    let mut validator = Validator::new(model.architecture().nc, ValidateOptions::default());
    let progress = Progress::new("validate", data.batches());
    if !kept.complete {
        // An earlier validation may have been interrupted.
        kept.batches.clear();
        for batch in data.load()? {
            let batch = batch?;
            let image = Features::image(image_tensor(&batch, device));
            let features = model.run(0..prefix, image);
            let mut maps = Vec::with_capacity(features.outputs.len());
            for (&module, map) in &features.outputs {
                let data = map.to_data();
                maps.push(KeptMap { module, data });
            }
            read_sync(validator.batch_from(prefix, features, model, loss, &batch))?;
            let batch = Batch {
                pixels: Vec::new(),
                ..batch
            };
            kept.batches.push((batch, maps));
            progress.inc(1);
            interrupt::check()?;
        }
        kept.complete = true;
    } else {
        for (batch, maps) in &kept.batches {
            let outputs = maps.iter().map(|KeptMap { module, data }| {
                let device = device.clone().without_autodiff();
                (*module, Tensor::from_data(data.clone(), &device))
            });
            let features = Features {
                outputs: outputs.collect(),
                ..Features::default()
            };
            read_sync(validator.batch_from(prefix, features, model, loss, batch))?;
            progress.inc(1);
            interrupt::check()?;
        }
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
