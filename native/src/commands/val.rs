//! `val`: figures of trained weights on a labelled set.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use frostline::Error;
use frostline::data::cache::CacheMode;
use frostline::data::dataset::{DataConfig, Split};
use frostline::data::{Batch, Placement};
use frostline::eval::validate::to_original;
use frostline::eval::{Detection, ValidateOptions};

use crate::args::{Task, ValSettings};
use crate::plots;
use crate::progress::say;
use crate::run_folder::RunFolder;
use crate::training::data::{ValData, open};
use crate::training::start::trained;
use crate::training::validation::{print_table, stem, validate};

/// Validation batches that are drawn.
const DRAWN_BATCHES: usize = 3;

/// Validates.
///
/// # Errors
/// When weights or data cannot be read or do not fit together, or the device fails.
pub fn run(settings: ValSettings) -> anyhow::Result<()> {
    crate::interrupt::install()?;
    let chosen = frostline::device::choose(settings.device)?;
    say(&format!(
        "device: {} ({}), {}",
        chosen.info.id, chosen.info.name, chosen.why
    ));
    let device = chosen.info.device;
    let (model, names) = trained(&settings.weights, &device)?;
    let mut model = model.fold();
    let config = DataConfig::read(&settings.data)?;
    let split = match settings.task {
        Task::Train => Split::Train,
        Task::Val => Split::Val,
        Task::Test => Split::Test,
    };
    let dataset = Arc::new(open(
        &config,
        split,
        settings.imgsz,
        settings.single_cls,
        CacheMode::Off,
        None,
        false,
    )?);
    // A network that keeps the classes of older weights has those that the data does not name at the end.
    let grown = names.len() > dataset.names.len() && names.starts_with(&dataset.names);
    if !settings.single_cls && !grown && dataset.names.len() != names.len() {
        return Err(Error::input(
            settings.data.display(),
            format!("{} classes", dataset.names.len()),
            format!("the {} of {}", names.len(), settings.weights.display()),
            "Validate on the data that the weights were trained on, or fine-tune them first",
        )
        .into());
    }
    let names = if grown && !settings.single_cls {
        names
    } else {
        dataset.names.clone()
    };
    let data = ValData::new(
        dataset,
        settings.imgsz,
        settings.batch_size,
        settings.workers,
    );
    let folder = RunFolder::create(&settings.project, &settings.name, settings.exist_ok)?;
    let options = ValidateOptions {
        conf: settings.conf_thres as f32,
        iou: settings.iou_thres as f32,
        max_det: settings.max_det,
        augment: settings.augment,
    };
    if settings.save_txt {
        std::fs::create_dir_all(folder.file("labels")).context("the labels folder")?;
    }
    let mut json = Vec::new();
    let started = Instant::now();
    let mut see = |number: usize, batch: &Batch, found: &[Vec<Detection>]| {
        if number < DRAWN_BATCHES {
            plots::plot_batch_labels(
                &folder.file(&format!("val_batch{number}_labels.jpg")),
                batch,
                &names,
            )?;
            plots::plot_batch_detections(
                &folder.file(&format!("val_batch{number}_pred.jpg")),
                batch,
                found,
                &names,
            )?;
        }
        for (detections, placement) in found.iter().zip(&batch.placements) {
            let original = to_original(detections, placement);
            if settings.save_txt {
                save_txt(
                    &folder.file("labels"),
                    placement,
                    &original,
                    settings.save_conf,
                )?;
            }
            if settings.save_json {
                json.extend(
                    original
                        .iter()
                        .map(|detection| coco_row(placement, detection)),
                );
            }
        }
        Ok(())
    };
    let validation = validate(&mut model, &data, None, options, &device, &mut see)?;
    let per_picture = started.elapsed().as_secs_f64() * 1e3 / data.len().max(1) as f64;
    print_table(&validation.metrics, &names, settings.verbose);
    say(&format!(
        "{per_picture:.1} ms a picture, loading and NMS included"
    ));
    plots::plot_curves(folder.path(), &validation.metrics, &names)?;
    plots::plot_confusion_matrix(
        &folder.file("confusion_matrix.png"),
        &validation.confusion,
        &names,
    )?;
    let metrics = folder.file("metrics.json");
    std::fs::write(&metrics, serde_json::to_string_pretty(&validation.metrics)?)
        .with_context(|| metrics.display().to_string())?;
    if settings.save_json {
        let to = folder.file("predictions.json");
        std::fs::write(&to, serde_json::to_string(&json)?)
            .with_context(|| to.display().to_string())?;
    }
    say(&format!("results in {}", folder.path().display()));
    Ok(())
}

/// Appends `class cx cy w h [conf]`, relative to the picture.
///
/// # Errors
/// When the file cannot be written.
pub fn save_txt(
    folder: &Path,
    placement: &Placement,
    detections: &[Detection],
    with_confidence: bool,
) -> anyhow::Result<()> {
    let [width, height] = placement.original.map(|side| side as f32);
    let mut text = String::new();
    for detection in detections {
        let [x1, y1, x2, y2] = detection.xyxy;
        let (cx, cy) = ((x1 + x2) / 2.0 / width, (y1 + y2) / 2.0 / height);
        let (w, h) = ((x2 - x1) / width, (y2 - y1) / height);
        write!(text, "{} {cx:.6} {cy:.6} {w:.6} {h:.6}", detection.class)?;
        if with_confidence {
            write!(text, " {:.6}", detection.confidence)?;
        }
        text.push('\n');
    }
    let to = folder.join(format!("{}.txt", stem(placement)));
    std::fs::write(&to, text).with_context(|| to.display().to_string())
}

/// A detection in COCO's results format; the picture's id is its number when its name is one.
fn coco_row(placement: &Placement, detection: &Detection) -> serde_json::Value {
    let name = stem(placement);
    let id = name
        .parse::<u64>()
        .map_or_else(|_| serde_json::Value::from(name), serde_json::Value::from);
    let [x1, y1, x2, y2] = detection.xyxy.map(f64::from);
    let round = |value: f64, places: f64| (value * places).round() / places;
    serde_json::json!({
        "image_id": id,
        "category_id": detection.class,
        "bbox": [round(x1, 1e3), round(y1, 1e3), round(x2 - x1, 1e3), round(y2 - y1, 1e3)],
        "score": round(f64::from(detection.confidence), 1e5),
    })
}
