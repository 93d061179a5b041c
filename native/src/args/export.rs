//! `export`: raw flags and the settings they settle into.

use std::path::{Path, PathBuf};

use clap::Args;
use frostline::onnx::{OPSET, OPSETS, OnnxNms, OnnxOptions};
use frostline::weights::Precision;
use frostline::{Error, Result};

use super::{trained, values};

/// What is typed after `export`.
#[derive(Debug, Clone, Args)]
pub struct RawExport {
    /// Weights; best and last are those of the newest run [default: the best of the newest run, otherwise the
    /// shipped ones]
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// What to write: onnx, safetensors
    #[arg(long, num_args = 1.., default_value = "onnx", value_parser = format, value_name = "FORMAT")]
    include: Vec<Format>,
    /// Side of the network's input in pixels, or height and width
    #[arg(long, num_args = 1..=2, default_value = "640", aliases = ["img", "img-size", "image-size"], value_name = "PX")]
    imgsz: Vec<usize>,
    /// Pictures per batch
    #[arg(long, alias = "batch", default_value = "1", value_parser = values::positive, value_name = "N")]
    batch_size: usize,
    /// Half precision: weights, input and output
    #[arg(long)]
    half: bool,
    /// ONNX: batch, height and width may change from call to call
    #[arg(long)]
    dynamic: bool,
    /// ONNX: version of the operators
    #[arg(long, default_value_t = OPSET, value_name = "N")]
    opset: usize,
    /// ONNX: non-maximum suppression in the graph
    #[arg(long)]
    nms: bool,
    /// Let boxes of different classes suppress each other
    #[arg(long, requires = "nms")]
    agnostic_nms: bool,
    /// Lowest confidence of a detection [default: 0.25]
    #[arg(long, alias = "conf", requires = "nms", value_parser = values::fraction)]
    conf_thres: Option<f64>,
    /// Overlap above which the weaker box of a class is dropped [default: 0.45]
    #[arg(long, alias = "iou", requires = "nms", value_parser = values::fraction)]
    iou_thres: Option<f64>,
    /// Detections per picture [default: 300]
    #[arg(long, requires = "nms", value_parser = values::positive, value_name = "N")]
    max_det: Option<usize>,
    /// Folder to write into [default: beside the weights; for weights that were not named, the current folder]
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
}

/// What can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Onnx,
    Safetensors,
}

/// Everything `export` needs to know, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportSettings {
    pub weights: PathBuf,
    /// Each format once.
    pub include: Vec<Format>,
    pub onnx: OnnxOptions,
    pub precision: Precision,
    /// Folder to write into.
    pub output: PathBuf,
}

fn format(text: &str) -> Result<Format, String> {
    match text.to_ascii_lowercase().as_str() {
        "onnx" => Ok(Format::Onnx),
        "safetensors" => Ok(Format::Safetensors),
        _ => Err("expected onnx or safetensors; other programs convert from ONNX".to_owned()),
    }
}

impl RawExport {
    /// Checks the flags and settles them; lines for the log go to `notes`.
    ///
    /// # Errors
    /// The first flag whose value does not mean anything, with what would.
    pub fn settle(self, notes: &mut Vec<String>) -> Result<ExportSettings> {
        if !OPSETS.contains(&self.opset) {
            return Err(Error::input(
                "--opset",
                self.opset,
                format!("{} to {}", OPSETS.start(), OPSETS.end()),
                format!("{OPSET} suits most programs"),
            ));
        }
        let named = self.weights.clone();
        let weights = trained::weights(self.weights, notes)?;
        let output = self
            .output
            .unwrap_or_else(|| folder(named.as_deref(), &weights));
        let mut include = self.include;
        include.sort_by_key(|format| *format as usize);
        include.dedup();
        let nms = self.nms.then(|| OnnxNms {
            conf: self.conf_thres.unwrap_or(0.25) as f32,
            iou: self.iou_thres.unwrap_or(0.45) as f32,
            agnostic: self.agnostic_nms,
            max_det: self.max_det.unwrap_or(300),
        });
        Ok(ExportSettings {
            weights,
            include,
            onnx: OnnxOptions {
                imgsz: values::height_width(&self.imgsz, notes)?,
                batch: self.batch_size,
                dynamic: self.dynamic,
                half: self.half,
                nms,
                opset: self.opset,
            },
            precision: if self.half {
                Precision::Half
            } else {
                Precision::Full
            },
            output,
        })
    }
}

/// Beside the weights where they are a person's own: a run's, or a file that was named and is there. Shipped ones
/// are left in peace.
fn folder(named: Option<&Path>, weights: &Path) -> PathBuf {
    let own = crate::run_folder::RunFolder::of_checkpoint(weights).is_ok()
        || named.is_some_and(|path| path == weights);
    match weights.parent() {
        Some(parent) if own => parent.to_path_buf(),
        _ => PathBuf::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_weights_are_written_beside_nothing_of_theirs() {
        let shipped = Path::new("/somewhere/shipped.safetensors");
        assert_eq!(folder(None, shipped), Path::new(""));
        assert_eq!(
            folder(Some(Path::new("shipped.safetensors")), shipped),
            Path::new("")
        );
        assert_eq!(folder(Some(shipped), shipped), Path::new("/somewhere"));
    }

    #[test]
    fn other_formats_are_refused_with_where_they_come_from() {
        assert_eq!(format("ONNX"), Ok(Format::Onnx));
        assert!(format("engine").is_err_and(|message| message.contains("convert from ONNX")));
    }
}
