//! `val`: figures of trained weights on a labelled set.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use burn::tensor::Device;
use frostline::Error;
use frostline::data::cache::CacheMode;
use frostline::data::dataset::{DataConfig, Split};
use frostline::data::{Batch, Placement};
use frostline::eval::validate::to_original;
use frostline::eval::{Detection, ValidateOptions, Validation};
use frostline::model::Folded;

use super::coco;
use crate::args::{Task, ValSettings};
use crate::plots;
use crate::progress::say;
use crate::run_folder::RunFolder;
use crate::training::data::{ValData, open};
use crate::training::start::trained;
use crate::training::validation::{print_table, stem, validate};

/// Validation batches that are drawn.
const DRAWN_BATCHES: usize = 3;
/// The smallest side of a study, and how much larger the next is.
const STUDY: (usize, usize) = (256, 128);

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
    let mut subject = Subject {
        model: model.fold(),
        names,
        config: DataConfig::read(&settings.data)?,
        device,
    };
    if settings.task == Task::Study {
        return study(&mut subject, &settings);
    }
    let data = subject.data(&settings, settings.imgsz)?;
    let names = subject.names(&settings, &data);
    let folder = RunFolder::create(&settings.project, &settings.name, settings.exist_ok)?;
    if settings.save_txt {
        std::fs::create_dir_all(folder.file("labels")).context("the labels folder")?;
    }
    let draws = settings.task != Task::Speed;
    let mut json = Vec::new();
    let mut see = |number: usize, batch: &Batch, found: &[Vec<Detection>]| {
        if draws && number < DRAWN_BATCHES {
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
                let rows = original.iter();
                json.extend(rows.map(|detection| coco::result(&placement.path, detection)));
            }
        }
        Ok(())
    };
    let (validation, per_picture_ms) = subject.validate(&settings, &data, &mut see)?;
    print_table(&validation.metrics, &names, settings.verbose);
    say(&format!(
        "{per_picture_ms:.1} ms a picture, loading and NMS included"
    ));
    if draws {
        plots::plot_curves(folder.path(), &validation.metrics, &names)?;
        plots::plot_confusion_matrix(
            &folder.file("confusion_matrix.png"),
            &validation.confusion,
            &names,
        )?;
    }
    let write = |name: &str, text: String| {
        let to = folder.file(name);
        std::fs::write(&to, text).with_context(|| to.display().to_string())
    };
    let mut metrics = serde_json::to_value(&validation.metrics)?;
    metrics["ms_per_picture"] = per_picture_ms.into();
    write("metrics.json", serde_json::to_string_pretty(&metrics)?)?;
    if settings.save_json {
        write("predictions.json", serde_json::to_string(&json)?)?;
        let labels = coco::annotations(&data.dataset);
        write("annotations.json", serde_json::to_string(&labels)?)?;
    }
    say(&format!("results in {}", folder.path().display()));
    Ok(())
}

/// What is validated, and where.
struct Subject {
    model: Folded,
    /// Names of the network's classes.
    names: Vec<String>,
    config: DataConfig,
    device: Device,
}

impl Subject {
    /// The pictures, for a side of `imgsz` pixels.
    fn data(&self, settings: &ValSettings, imgsz: usize) -> anyhow::Result<ValData> {
        let split = match settings.task {
            Task::Train => Split::Train,
            Task::Val | Task::Speed | Task::Study => Split::Val,
            Task::Test => Split::Test,
        };
        let single = settings.single_cls;
        let dataset = open(
            &self.config,
            split,
            imgsz,
            single,
            CacheMode::Off,
            None,
            false,
        )?;
        if !single && !self.grown(&dataset.names) && dataset.names.len() != self.names.len() {
            return Err(Error::input(
                settings.data.display(),
                format!("{} classes", dataset.names.len()),
                format!("the {} of {}", self.names.len(), settings.weights.display()),
                "Validate on the data that the weights were trained on, or fine-tune them first",
            )
            .into());
        }
        let dataset = Arc::new(dataset);
        Ok(ValData::new(
            dataset,
            imgsz,
            settings.batch_size,
            settings.workers,
        ))
    }

    /// Whether the network kept the classes of older weights: it has those that the data does not name at the end.
    fn grown(&self, named: &[String]) -> bool {
        self.names.len() > named.len() && self.names.starts_with(named)
    }

    /// Names of the classes that figures are given for.
    fn names(&self, settings: &ValSettings, data: &ValData) -> Vec<String> {
        let named = &data.dataset.names;
        if self.grown(named) && !settings.single_cls {
            self.names.clone()
        } else {
            named.clone()
        }
    }

    /// The figures, and the milliseconds that a picture took.
    fn validate(
        &mut self,
        settings: &ValSettings,
        data: &ValData,
        see: &mut dyn FnMut(usize, &Batch, &[Vec<Detection>]) -> anyhow::Result<()>,
    ) -> anyhow::Result<(Validation, f64)> {
        let options = ValidateOptions {
            conf: settings.conf_thres as f32,
            iou: settings.iou_thres as f32,
            max_det: settings.max_det,
            augment: settings.augment,
        };
        let started = Instant::now();
        let validation = validate(&mut self.model, data, None, options, &self.device, see)?;
        let per_picture_ms = started.elapsed().as_secs_f64() * 1e3 / data.len().max(1) as f64;
        Ok((validation, per_picture_ms))
    }
}

/// Accuracy and time by the side of the input, into `study.csv`.
fn study(subject: &mut Subject, settings: &ValSettings) -> anyhow::Result<()> {
    // Data that does not fit leaves no folder.
    subject.data(settings, settings.imgsz)?;
    let folder = RunFolder::create(&settings.project, &settings.name, settings.exist_ok)?;
    let to = folder.file("study.csv");
    let mut text = "imgsz,precision,recall,mAP_0.5,mAP_0.5:0.95,ms_per_picture\n".to_owned();
    for imgsz in study_sides(settings.imgsz) {
        let data = subject.data(settings, imgsz)?;
        let (validation, ms) = subject.validate(settings, &data, &mut |_, _, _| Ok(()))?;
        let metrics = &validation.metrics;
        let (map50, map) = (metrics.map50, metrics.map);
        say(&format!(
            "{imgsz} px: mAP50 {map50:.3} mAP50-95 {map:.3}, {ms:.1} ms a picture"
        ));
        let (p, r) = (metrics.precision, metrics.recall);
        writeln!(text, "{imgsz},{p:.5},{r:.5},{map50:.5},{map:.5},{ms:.3}")?;
        // After every side, so that one who interrupts keeps what there is.
        std::fs::write(&to, &text).with_context(|| to.display().to_string())?;
    }
    say(&format!("results in {}", to.display()));
    Ok(())
}

/// The sides of a study up to `largest` pixels, which is one of them.
fn study_sides(largest: usize) -> Vec<usize> {
    let (first, apart) = STUDY;
    let mut sides: Vec<usize> = (first..largest).step_by(apart).collect();
    sides.push(largest);
    sides
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_study_ends_with_the_side_that_was_asked_for() {
        assert_eq!(study_sides(640), [256, 384, 512, 640]);
        assert_eq!(study_sides(512), [256, 384, 512]);
        assert_eq!(study_sides(416), [256, 384, 416]);
        assert_eq!(study_sides(64), [64]);
    }
}
