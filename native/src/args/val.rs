//! `val`: raw flags and the settings they settle into.

use std::path::PathBuf;

use clap::Args;
use frostline::device::DeviceChoice;
use frostline::{Error, Result};
use serde::Serialize;

use super::trained;
use super::values::{self, Task};

/// What is typed after `val`.
#[derive(Debug, Clone, Args)]
pub struct RawVal {
    /// Data set yaml [default: the run's own, otherwise the shipped target world]
    #[arg(long, value_name = "YAML")]
    data: Option<PathBuf>,
    /// Weights [default: the best of the newest run, otherwise the shipped ones]
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Pictures per batch
    #[arg(long, alias = "batch", default_value = "32", value_parser = values::batch_size, value_name = "N")]
    batch_size: usize,
    /// Side of the network's input in pixels; of a study the largest [default: 640; 1536 in a study]
    #[arg(long, num_args = 1..=2, aliases = ["img", "img-size", "image-size"], value_name = "PX")]
    imgsz: Option<Vec<usize>>,
    /// Lowest confidence of a detection [default: 0.001; 0.25 for speed]
    #[arg(long, alias = "conf", value_parser = values::fraction)]
    conf_thres: Option<f64>,
    /// Overlap above which the weaker box of a class is dropped [default: 0.6; 0.45 for speed]
    #[arg(long, alias = "iou", value_parser = values::fraction)]
    iou_thres: Option<f64>,
    /// Detections per picture
    #[arg(long, default_value = "300", value_parser = values::positive, value_name = "N")]
    max_det: usize,
    /// Which part of the data set; or speed, or a study over sides of the input, both of val
    #[arg(long, value_enum, default_value_t, ignore_case = true)]
    task: Task,
    /// Where to compute: auto, cpu, gpu, gpu:N
    #[arg(long, default_value = "auto")]
    device: String,
    /// Loader threads, at most one per core
    #[arg(long, default_value_t = 8, value_name = "N")]
    workers: usize,
    /// Treat all classes as one
    #[arg(long)]
    single_cls: bool,
    /// Also look at scaled and mirrored copies of each picture
    #[arg(long)]
    augment: bool,
    /// Figures per class
    #[arg(long)]
    verbose: bool,
    /// Save detections as label files
    #[arg(long)]
    save_txt: bool,
    /// Add confidences to the label files
    #[arg(long)]
    save_conf: bool,
    /// Save detections and labels as json in COCO's form
    #[arg(long)]
    save_json: bool,
    /// Folder that holds runs
    #[arg(long, default_value = "runs/val", value_name = "FOLDER")]
    project: PathBuf,
    /// Name of this run's folder
    #[arg(long, default_value = "exp")]
    name: String,
    /// Write into an existing folder instead of counting its name up
    #[arg(long)]
    exist_ok: bool,
}

/// Everything `val` needs to know, checked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ValSettings {
    pub data: PathBuf,
    pub weights: PathBuf,
    pub batch_size: usize,
    /// Side of the input in pixels, a multiple of 32.
    pub imgsz: usize,
    pub conf_thres: f64,
    pub iou_thres: f64,
    pub max_det: usize,
    pub task: Task,
    pub device: DeviceChoice,
    pub workers: usize,
    pub single_cls: bool,
    pub augment: bool,
    pub verbose: bool,
    pub save_txt: bool,
    pub save_conf: bool,
    pub save_json: bool,
    pub project: PathBuf,
    pub name: String,
    pub exist_ok: bool,
}

impl RawVal {
    /// Checks the flags and settles them; lines for the log go to `notes`.
    ///
    /// # Errors
    /// The first flag whose value does not mean anything, with what would.
    pub fn settle(self, notes: &mut Vec<String>) -> Result<ValSettings> {
        let (side, conf, iou) = match self.task {
            Task::Speed => (640, 0.25, 0.45),
            Task::Study => (1536, 0.001, 0.6),
            Task::Train | Task::Val | Task::Test => (640, 0.001, 0.6),
        };
        if self.task == Task::Study
            && let Some(flag) = [
                ("--save-json", self.save_json),
                ("--save-txt", self.save_txt),
            ]
            .iter()
            .find_map(|(flag, given)| given.then_some(flag))
        {
            return Err(Error::input(
                *flag,
                "a study, which sees every picture at many sides",
                "one side",
                "Use it with --task val",
            ));
        }
        let weights = trained::weights(self.weights, notes)?;
        Ok(ValSettings {
            data: trained::data(self.data, &weights, notes),
            weights,
            batch_size: self.batch_size,
            imgsz: values::imgsz(self.imgsz.as_deref().unwrap_or(&[side]), notes)?,
            conf_thres: self.conf_thres.unwrap_or(conf),
            iou_thres: self.iou_thres.unwrap_or(iou),
            max_det: self.max_det,
            task: self.task,
            device: self.device.parse()?,
            workers: values::workers(self.workers),
            single_cls: self.single_cls,
            augment: self.augment,
            verbose: self.verbose,
            save_txt: self.save_txt,
            save_conf: self.save_conf,
            save_json: self.save_json,
            project: self.project,
            name: self.name,
            exist_ok: self.exist_ok,
        })
    }
}
