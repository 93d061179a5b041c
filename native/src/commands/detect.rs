//! `detect`: boxes on pictures.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use burn::tensor::read_sync;
use frostline::Error;
use frostline::data::{Placement, picture};
use frostline::eval::{Detection, NmsOptions, detect};

use super::val::save_txt;
use crate::args::DetectSettings;
use crate::plots::{self, DetectionStyle};
use crate::progress::{Progress, say};
use crate::run_folder::RunFolder;
use crate::training::start::trained;

/// Detects on every picture of the source.
///
/// # Errors
/// When the weights cannot be read, the source holds no picture, or the device fails. A picture that
/// cannot be read is named and left out.
pub fn run(settings: DetectSettings) -> anyhow::Result<()> {
    crate::interrupt::install()?;
    let pictures = pictures(&settings.source)?;
    let chosen = frostline::device::choose(settings.device)?;
    say(&format!(
        "device: {} ({}), {}",
        chosen.info.id, chosen.info.name, chosen.why
    ));
    let device = chosen.info.device;
    let (model, mut names) = trained(&settings.weights, &device)?;
    let mut model = model.fold();
    if let Some(data) = &settings.data {
        names = frostline::data::dataset::DataConfig::read(data)?.names;
    }
    let folder = RunFolder::create(&settings.project, &settings.name, settings.exist_ok)?;
    if settings.save_txt {
        std::fs::create_dir_all(folder.file("labels")).context("the labels folder")?;
    }
    let style = DetectionStyle {
        line_thickness: u32::try_from(settings.line_thickness).ok(),
        hide_labels: settings.hide_labels,
        hide_conf: settings.hide_conf,
    };
    let options = NmsOptions {
        conf: settings.conf_thres as f32,
        iou: settings.iou_thres as f32,
        agnostic: settings.agnostic_nms,
        classes: settings.classes.clone(),
        max_det: settings.max_det,
        ..NmsOptions::default()
    };
    let mut rows = String::from("picture,class,confidence,x1,y1,x2,y2\n");
    let mut failed = 0;
    let progress = Progress::new("detect", pictures.len());
    for path in &pictures {
        crate::interrupt::check()?;
        let started = Instant::now();
        let image = match picture::read(path) {
            Ok(image) => image,
            Err(error) => {
                failed += 1;
                progress.println(format!("left out: {error}"));
                progress.inc(1);
                continue;
            }
        };
        let found = detect(
            &mut model,
            &image,
            path,
            settings.imgsz,
            &options,
            settings.augment,
            &device,
        );
        let (detections, placement) = read_sync(found)?;
        let milliseconds = started.elapsed().as_secs_f64() * 1e3;
        progress.println(format!(
            "{}: {}, {milliseconds:.0} ms",
            path.display(),
            counts(&detections, &names)
        ));
        let name = path.file_name().map_or_else(
            || "picture".into(),
            |name| name.to_string_lossy().into_owned(),
        );
        for detection in &detections {
            let [x1, y1, x2, y2] = detection.xyxy;
            let class = plots::class_name(&names, detection.class);
            rows.push_str(&format!(
                "{},{},{:.5},{x1:.1},{y1:.1},{x2:.1},{y2:.1}\n",
                quoted(&name),
                quoted(&class),
                detection.confidence
            ));
        }
        if settings.save_txt {
            save_txt(
                &folder.file("labels"),
                &placement,
                &detections,
                settings.save_conf,
            )?;
        }
        if settings.save_crop {
            save_crops(&folder, &image, &placement, &detections, &names)?;
        }
        if !settings.nosave {
            let mut drawn = image;
            plots::draw_detections(&mut drawn, &detections, &names, &style);
            plots::save(&drawn, &free_path(&folder.file(&name)))?;
        }
        progress.inc(1);
    }
    progress.clear();
    if settings.save_csv {
        let to = folder.file("predictions.csv");
        std::fs::write(&to, rows).with_context(|| to.display().to_string())?;
    }
    say(&format!(
        "{} pictures, {failed} left out; results in {}",
        pictures.len(),
        folder.path().display()
    ));
    anyhow::ensure!(
        failed < pictures.len(),
        "none of the {failed} pictures could be read"
    );
    Ok(())
}

/// The pictures that a source names: a file, a folder, a pattern or a list (`.txt`, a path a line).
fn pictures(source: &str) -> anyhow::Result<Vec<PathBuf>> {
    let path = Path::new(source);
    let mut found = Vec::new();
    if path.is_dir() {
        collect(path, &mut found)?;
    } else if path
        .extension()
        .is_some_and(|suffix| suffix.eq_ignore_ascii_case("txt"))
        && path.is_file()
    {
        let text = std::fs::read_to_string(path).with_context(|| source.to_owned())?;
        let base = path.parent().unwrap_or(Path::new("."));
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let named = Path::new(line);
            found.push(if named.exists() {
                named.to_path_buf()
            } else {
                base.join(named)
            });
        }
    } else if source.contains(['*', '?', '[']) {
        found.extend(
            glob::glob(source)
                .with_context(|| format!("--source {source}"))?
                .filter_map(Result::ok),
        );
        found.retain(|path| picture::has_picture_suffix(path));
    } else if path.is_file() {
        found.push(path.to_path_buf());
    } else {
        let expected =
            "a picture, a folder, a pattern like \"photos/*.jpg\" or a .txt list of paths";
        return Err(
            Error::input("--source", format!("nothing at {source:?}"), expected, "").into(),
        );
    }
    found.sort();
    if found.is_empty() {
        let expected = "files ending in bmp, jpg, jpeg, png, tif, tiff or webp";
        return Err(Error::input(format!("--source {source}"), "no picture", expected, "").into());
    }
    Ok(found)
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_file() && picture::has_picture_suffix(&path) {
            found.push(path);
        }
    }
    Ok(())
}

/// `4 persons, 1 bus` in words that need no plural: `person ×4, bus ×1`.
fn counts(detections: &[Detection], names: &[String]) -> String {
    let mut by_class = BTreeMap::new();
    for detection in detections {
        *by_class.entry(detection.class).or_insert(0) += 1;
    }
    if by_class.is_empty() {
        return "nothing found".to_owned();
    }
    let parts: Vec<String> = by_class
        .iter()
        .map(|(&class, count)| format!("{} ×{count}", plots::class_name(names, class)))
        .collect();
    parts.join(", ")
}

fn save_crops(
    folder: &RunFolder,
    image: &image::RgbImage,
    placement: &Placement,
    detections: &[Detection],
    names: &[String],
) -> anyhow::Result<()> {
    for (number, detection) in detections.iter().enumerate() {
        let class = plots::class_name(names, detection.class).replace(['/', '\\'], "_");
        let into = folder.file("crops").join(class);
        std::fs::create_dir_all(&into).with_context(|| into.display().to_string())?;
        let [x1, y1, x2, y2] = detection.xyxy.map(|side| side.max(0.0).round() as u32);
        let (width, height) = (x2.saturating_sub(x1).max(1), y2.saturating_sub(y1).max(1));
        let crop = image::imageops::crop_imm(image, x1, y1, width, height).to_image();
        plots::save(
            &crop,
            &into.join(format!(
                "{}_{number}.jpg",
                crate::training::validation::stem(placement)
            )),
        )?;
    }
    Ok(())
}

/// A path that does not exist yet, so that pictures of one name from two folders are both kept.
fn free_path(path: &Path) -> PathBuf {
    if !path.exists() {
        return path.to_path_buf();
    }
    let stem = path
        .file_stem()
        .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let suffix = path.extension().map_or_else(
        || "jpg".to_owned(),
        |suffix| suffix.to_string_lossy().into_owned(),
    );
    (2..)
        .map(|number| path.with_file_name(format!("{stem}_{number}.{suffix}")))
        .find(|candidate| !candidate.exists())
        .unwrap_or_else(|| path.to_path_buf())
}

/// A CSV field.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
