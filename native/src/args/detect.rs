//! `detect`: raw flags and the settings they settle into.

use std::path::PathBuf;

use clap::Args;
use frostline::Result;
use frostline::device::DeviceChoice;
use serde::Serialize;

use super::{shipped, trained, values};

/// What is typed after `detect`.
#[derive(Debug, Clone, Args)]
pub struct RawDetect {
    /// Weights [default: the best of the newest run, otherwise the shipped ones]
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// A picture, a video (needs ffmpeg), a folder of them, a pattern such as 'shots/*.jpg', or a .txt list
    #[arg(long, value_name = "WHAT")]
    source: String,
    /// Data set yaml to take class names from when the weights carry none
    #[arg(long, value_name = "YAML")]
    data: Option<PathBuf>,
    /// Side of the network's input in pixels
    #[arg(long, num_args = 1..=2, default_value = "640", aliases = ["img", "img-size", "image-size"], value_name = "PX")]
    imgsz: Vec<usize>,
    /// Lowest confidence of a detection
    #[arg(long, alias = "conf", default_value = "0.25", value_parser = values::fraction)]
    conf_thres: f64,
    /// Overlap above which the weaker box of a class is dropped
    #[arg(long, alias = "iou", default_value = "0.45", value_parser = values::fraction)]
    iou_thres: f64,
    /// Detections per picture
    #[arg(long, default_value = "1000", value_parser = values::positive, value_name = "N")]
    max_det: usize,
    /// Where to compute: auto, cpu, gpu, gpu:N
    #[arg(long, default_value = "auto")]
    device: String,
    /// Keep only these classes, such as 0 2 3
    #[arg(long, num_args = 1.., value_name = "N")]
    classes: Option<Vec<usize>>,
    /// Let boxes of different classes suppress each other
    #[arg(long)]
    agnostic_nms: bool,
    /// Also look at scaled and mirrored copies of each picture
    #[arg(long)]
    augment: bool,
    /// Save detections as label files
    #[arg(long)]
    save_txt: bool,
    /// Save all detections in one predictions.csv
    #[arg(long)]
    save_csv: bool,
    /// Add confidences to the label files
    #[arg(long)]
    save_conf: bool,
    /// Save a picture of each detected object
    #[arg(long)]
    save_crop: bool,
    /// Save no pictures
    #[arg(long, alias = "no-save")]
    nosave: bool,
    /// Folder that holds runs
    #[arg(long, default_value = "runs/detect", value_name = "FOLDER")]
    project: PathBuf,
    /// Name of this run's folder
    #[arg(long, default_value = "exp")]
    name: String,
    /// Write into an existing folder instead of counting its name up
    #[arg(long)]
    exist_ok: bool,
    /// Width of the boxes' lines in pixels
    #[arg(long, default_value = "3", value_parser = values::positive, value_name = "PX")]
    line_thickness: usize,
    /// Look at every Nth frame of a video
    #[arg(long, default_value = "1", value_parser = values::positive, value_name = "N")]
    vid_stride: usize,
    /// Draw no class names
    #[arg(long)]
    hide_labels: bool,
    /// Draw no confidences
    #[arg(long)]
    hide_conf: bool,
}

/// Everything `detect` needs to know, checked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DetectSettings {
    pub weights: PathBuf,
    /// A picture, a video, a folder, a pattern or a `.txt` list.
    pub source: String,
    pub data: Option<PathBuf>,
    /// Side of the input in pixels, a multiple of 32.
    pub imgsz: usize,
    pub conf_thres: f64,
    pub iou_thres: f64,
    pub max_det: usize,
    pub device: DeviceChoice,
    /// Classes to keep; `None` keeps all.
    pub classes: Option<Vec<usize>>,
    pub agnostic_nms: bool,
    pub augment: bool,
    pub save_txt: bool,
    pub save_csv: bool,
    pub save_conf: bool,
    pub save_crop: bool,
    pub nosave: bool,
    pub project: PathBuf,
    pub name: String,
    pub exist_ok: bool,
    pub line_thickness: usize,
    /// Every so many frames of a video are looked at.
    pub vid_stride: usize,
    pub hide_labels: bool,
    pub hide_conf: bool,
}

impl RawDetect {
    /// Checks the flags and settles them; lines for the log go to `notes`.
    ///
    /// # Errors
    /// The first flag whose value does not mean anything, with what would.
    pub fn settle(self, notes: &mut Vec<String>) -> Result<DetectSettings> {
        Ok(DetectSettings {
            weights: trained::weights(self.weights, notes)?,
            source: self.source,
            data: self.data.as_deref().map(shipped::find_named),
            imgsz: values::imgsz(&self.imgsz, notes)?,
            conf_thres: self.conf_thres,
            iou_thres: self.iou_thres,
            max_det: self.max_det,
            device: self.device.parse()?,
            classes: self.classes,
            agnostic_nms: self.agnostic_nms,
            augment: self.augment,
            save_txt: self.save_txt,
            save_csv: self.save_csv,
            save_conf: self.save_conf,
            save_crop: self.save_crop,
            nosave: self.nosave,
            project: self.project,
            name: self.name,
            exist_ok: self.exist_ok,
            line_thickness: self.line_thickness,
            vid_stride: self.vid_stride,
            hide_labels: self.hide_labels,
            hide_conf: self.hide_conf,
        })
    }
}
