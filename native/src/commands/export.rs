//! `export`: trained weights in other programs' files.

use std::path::Path;

use burn::tensor::{Device, read_sync};
use frostline::Error;
use frostline::onnx;
use frostline::weights::{Checkpoint, Precision, write_atomically};

use crate::args::{ExportSettings, Format};
use crate::progress::say;
use crate::training::start::trained;

/// Writes every format that was asked for.
///
/// # Errors
/// When the weights cannot be read or written, or do not fit into what was asked for.
pub fn run(settings: &ExportSettings) -> anyhow::Result<()> {
    // Nothing is computed but the folding of weights.
    let device = Device::flex();
    let (mut model, names) = trained(&settings.weights, &device)?;
    let stem = settings
        .weights
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy();
    if !settings.output.as_os_str().is_empty() {
        std::fs::create_dir_all(&settings.output).map_err(Error::io(&settings.output))?;
    }
    for format in &settings.include {
        match format {
            Format::Onnx => {
                let bytes = read_sync(onnx::write(&model.fold(), &names, &settings.onnx))?;
                let path = settings.output.join(format!("{stem}.onnx"));
                write_atomically(&path, &bytes)?;
                said(&path, &bytes, &describe(settings, names.len()));
            }
            Format::Safetensors => {
                let checkpoint = Checkpoint {
                    tensors: read_sync(model.state_dict())?,
                    names: Some(names.clone()),
                    architecture: Some(model.architecture().clone()),
                    ..Checkpoint::default()
                };
                // The weights themselves may be a .safetensors of this name.
                let (name, precision) = match settings.precision {
                    Precision::Half => ("fp16", "half precision"),
                    Precision::Full => ("fp32", "single precision"),
                };
                let bytes = checkpoint.to_safetensors(settings.precision)?;
                let path = settings.output.join(format!("{stem}-{name}.safetensors"));
                write_atomically(&path, &bytes)?;
                said(&path, &bytes, precision);
            }
        }
    }
    Ok(())
}

fn said(path: &Path, bytes: &[u8], what: &str) {
    let megabytes = bytes.len() as f64 / 1e6;
    say(&format!("{}: {megabytes:.1} MB, {what}", path.display()));
}

/// `opset 17, images 1×3×640×640 to output0, rows of 85 numbers`.
fn describe(settings: &ExportSettings, classes: usize) -> String {
    let onnx = &settings.onnx;
    let [height, width] = onnx.imgsz;
    let input = match onnx.dynamic {
        true => "images batch×3×height×width".to_owned(),
        false => format!("images {}×3×{height}×{width}", onnx.batch),
    };
    let output = match &onnx.nms {
        Some(nms) => format!("up to {} detections of 6 numbers", nms.max_det),
        None => format!("rows of {} numbers", 5 + classes),
    };
    let half = if onnx.half { ", half precision" } else { "" };
    format!("opset {}, {input} to output0, {output}{half}", onnx.opset)
}
