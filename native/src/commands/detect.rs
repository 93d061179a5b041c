//! `detect`: boxes on pictures.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use burn::tensor::{Device, read_sync};
use frostline::data::{Placement, picture};
use frostline::eval::{Detection, NmsOptions, detect};
use frostline::model::Folded;
use image::RgbImage;

use super::source;
use super::val::save_txt;
use super::video::{Reader, Writer, has_video_suffix};
use crate::args::DetectSettings;
use crate::plots::{self, DetectionStyle};
use crate::progress::{Progress, say};
use crate::run_folder::RunFolder;
use crate::training::start::trained;

/// Detects on every picture and video of the source.
///
/// # Errors
/// When the weights cannot be read, the source holds nothing to look at, or the device fails. A picture or video that
/// cannot be read is named and left out.
pub fn run(settings: DetectSettings) -> anyhow::Result<()> {
    crate::interrupt::install()?;
    let files = source::files(&settings.source)?;
    let chosen = frostline::device::choose(settings.device)?;
    say(&format!(
        "device: {} ({}), {}",
        chosen.info.id, chosen.info.name, chosen.why
    ));
    let device = chosen.info.device;
    let (model, mut names) = trained(&settings.weights, &device)?;
    if let Some(data) = &settings.data {
        names = frostline::data::dataset::DataConfig::read(data)?.names;
    }
    let folder = RunFolder::create(&settings.project, &settings.name, settings.exist_ok)?;
    if settings.save_txt {
        std::fs::create_dir_all(folder.file("labels")).context("the labels folder")?;
    }
    let mut looking = Looking {
        model: model.fold(),
        names,
        device,
        folder,
        rows: String::from("picture,class,confidence,x1,y1,x2,y2\n"),
        settings: &settings,
    };
    let mut failed = 0;
    let progress = Progress::new("detect", files.len());
    for path in &files {
        crate::interrupt::check()?;
        let done = if has_video_suffix(path) {
            looking.at_video(path, &progress)
        } else {
            looking.at_picture(path, &progress)
        };
        match done {
            Err(error) if error.is::<LeftOut>() => {
                failed += 1;
                progress.println(format!("left out: {error}"));
            }
            done => done?,
        }
        progress.inc(1);
    }
    progress.clear();
    let folder = looking.folder;
    if settings.save_csv {
        let to = folder.file("predictions.csv");
        std::fs::write(&to, looking.rows).with_context(|| to.display().to_string())?;
    }
    let what = if files.iter().any(|path| has_video_suffix(path)) {
        "files"
    } else {
        "pictures"
    };
    say(&format!(
        "{} {what}, {failed} left out; results in {}",
        files.len(),
        folder.path().display()
    ));
    anyhow::ensure!(
        failed < files.len(),
        "none of the {failed} {what} could be read"
    );
    Ok(())
}

/// A file that cannot be read, which is no reason not to look at the others.
#[derive(Debug)]
struct LeftOut(String);

impl std::fmt::Display for LeftOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LeftOut {}

/// A network that looks at pictures, and where it writes what it finds.
struct Looking<'a> {
    settings: &'a DetectSettings,
    model: Folded,
    names: Vec<String>,
    device: Device,
    folder: RunFolder,
    /// Of `predictions.csv`.
    rows: String,
}

impl Looking<'_> {
    fn at_picture(&mut self, path: &Path, progress: &Progress) -> anyhow::Result<()> {
        let started = Instant::now();
        let image = picture::read(path).map_err(|error| LeftOut(error.to_string()))?;
        let name = file_name(path);
        let (drawn, found) = self.at(image, path, &name)?;
        let milliseconds = started.elapsed().as_secs_f64() * 1e3;
        progress.println(format!(
            "{}: {}, {milliseconds:.0} ms",
            path.display(),
            counts(&found, &self.names)
        ));
        match drawn {
            Some(drawn) => plots::save(&drawn, &free_path(&self.folder.file(&name))),
            None => Ok(()),
        }
    }

    fn at_video(&mut self, path: &Path, progress: &Progress) -> anyhow::Result<()> {
        let started = Instant::now();
        let mut reader =
            Reader::open(path).map_err(|error| match source_is_video(self.settings) {
                // A folder may hold other things to look at.
                false => LeftOut(error.to_string()).into(),
                true => error,
            })?;
        let (name, stride) = (file_name(path), self.settings.vid_stride);
        let stem = Path::new(&name).with_extension("");
        let stem = stem.display();
        let to = free_path(&self.folder.file(&format!("{stem}.mp4")));
        let mut writer = (!self.settings.nosave)
            .then(|| Writer::create(&to, &reader.form.every(stride)))
            .transpose()?;
        let (mut read, mut frames, mut objects) = (0, 0, 0);
        while let Some(frame) = reader.frame()? {
            crate::interrupt::check()?;
            read += 1;
            if (read - 1) % stride != 0 {
                continue;
            }
            // Frames are counted from 1, as in the names of the label files.
            frames += 1;
            let as_picture = format!("{stem}_{read}.jpg");
            let (drawn, found) = self.at(frame, Path::new(&as_picture), &as_picture)?;
            objects += found.len();
            if let (Some(writer), Some(drawn)) = (&mut writer, drawn) {
                writer.add(&drawn)?;
            }
            progress.set_message(format!("frame {frames}"));
        }
        if let Some(writer) = writer {
            writer.finish()?;
        }
        let milliseconds = started.elapsed().as_secs_f64() * 1e3 / f64::from(frames.max(1));
        progress.println(format!(
            "{}: {objects} objects in {frames} frames, {milliseconds:.0} ms each",
            path.display()
        ));
        Ok(())
    }

    /// Looks at one picture, notes what is there, and draws it unless nothing is saved. `name` stands in the table.
    fn at(
        &mut self,
        image: RgbImage,
        path: &Path,
        name: &str,
    ) -> anyhow::Result<(Option<RgbImage>, Vec<Detection>)> {
        let settings = self.settings;
        let options = NmsOptions {
            conf: settings.conf_thres as f32,
            iou: settings.iou_thres as f32,
            agnostic: settings.agnostic_nms,
            classes: settings.classes.clone(),
            max_det: settings.max_det,
            ..NmsOptions::default()
        };
        let found = detect(
            &mut self.model,
            &image,
            path,
            settings.imgsz,
            &options,
            settings.augment,
            &self.device,
        );
        let (detections, placement) = read_sync(found)?;
        for detection in &detections {
            let [x1, y1, x2, y2] = detection.xyxy;
            let class = plots::class_name(&self.names, detection.class);
            self.rows.push_str(&format!(
                "{},{},{:.5},{x1:.1},{y1:.1},{x2:.1},{y2:.1}\n",
                quoted(name),
                quoted(&class),
                detection.confidence
            ));
        }
        if settings.save_txt {
            save_txt(
                &self.folder.file("labels"),
                &placement,
                &detections,
                settings.save_conf,
            )?;
        }
        if settings.save_crop {
            save_crops(&self.folder, &image, &placement, &detections, &self.names)?;
        }
        if settings.nosave {
            return Ok((None, detections));
        }
        let style = DetectionStyle {
            line_thickness: u32::try_from(settings.line_thickness).ok(),
            hide_labels: settings.hide_labels,
            hide_conf: settings.hide_conf,
        };
        let mut drawn = image;
        plots::draw_detections(&mut drawn, &detections, &self.names, &style);
        Ok((Some(drawn), detections))
    }
}

fn source_is_video(settings: &DetectSettings) -> bool {
    has_video_suffix(Path::new(&settings.source))
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy());
    name.map_or_else(|| "picture".to_owned(), Into::into)
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
