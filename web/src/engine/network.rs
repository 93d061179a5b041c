//! Networks that look at pictures: before a run, and after it.

use std::path::Path;

use burn::tensor::Device;
use frostline::data::picture::decode;
use frostline::eval::{Activation, Detection, NmsOptions, activation, detect, detect_rgba};
use frostline::model::{Architecture, Folded, Size};
use frostline::onnx::{self, OPSET, OnnxOptions};
use frostline::train::start::trained;
use frostline::weights::Checkpoint;
use frostline::{Error, Result};
use image::RgbImage;

use crate::messages::{FoundBox, PictureForm, WeightsSaid};

/// The sizes by their names.
const SIZES: [(&str, Size); 5] = [
    ("n", Size::N),
    ("s", Size::S),
    ("m", Size::M),
    ("l", Size::L),
    ("x", Size::X),
];

/// Weights as they were loaded or learnt, and the network of them once it is wanted.
#[derive(Debug)]
pub struct Weights {
    /// What the file holds.
    pub checkpoint: Checkpoint,
    /// Its name.
    pub name: String,
    network: Option<(Folded, Vec<String>)>,
}

impl Weights {
    /// Reads a file of weights.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(bytes: &[u8], name: String) -> Result<Self> {
        Ok(Self {
            checkpoint: Checkpoint::from_bytes(bytes, &name)?,
            name,
            network: None,
        })
    }

    /// The network on a device is another's on the next.
    pub fn forget_network(&mut self) {
        self.network = None;
    }

    /// The network and its class names.
    ///
    /// # Errors
    /// When the weights are not a whole network.
    pub fn network(&mut self, device: &Device) -> Result<&mut (Folded, Vec<String>)> {
        let network = match self.network.take() {
            Some(network) => network,
            None => {
                let (model, names) = trained(&self.checkpoint, &self.name, device)?;
                (model.fold(), names)
            }
        };
        Ok(self.network.insert(network))
    }

    /// What is said of them.
    pub fn said(&self) -> WeightsSaid {
        let architecture = self.checkpoint.architecture.as_ref();
        let tensors = self.checkpoint.tensors.len();
        WeightsSaid {
            size: architecture.and_then(size_of),
            classes: self.checkpoint.names.clone(),
            tensors,
            wanted: architecture.map_or(tensors, |architecture| architecture.state().len()),
        }
    }
}

/// A file of weights as an ONNX graph for one square picture of `imgsz` pixels.
///
/// # Errors
/// When the file is not a whole network.
pub async fn onnx_of(file: &[u8], imgsz: usize) -> Result<Vec<u8>> {
    let mut weights = Weights::read(file, "the fine-tuned weights".to_owned())?;
    let (model, names) = weights.network(&Device::flex())?;
    let options = OnnxOptions {
        imgsz: [imgsz; 2],
        batch: 1,
        dynamic: false,
        half: false,
        nms: None,
        opset: OPSET,
    };
    onnx::write(model, names, &options).await
}

fn size_of(architecture: &Architecture) -> Option<String> {
    let is = |size| Architecture::yolov5(size, architecture.nc).modules == architecture.modules;
    let found = SIZES.into_iter().find(|(_, size)| is(*size));
    found.map(|(name, _)| name.to_owned())
}

/// A picture as it came.
#[derive(Debug)]
pub enum Pixels {
    /// Decoded from a file.
    Rgb(RgbImage),
    /// From a canvas, with its size `[w, h]`.
    Rgba(Vec<u8>, [usize; 2]),
}

impl Pixels {
    /// Reads what came.
    ///
    /// # Errors
    /// When it is no picture, or not one of the size that was named.
    pub fn read(bytes: Vec<u8>, form: PictureForm) -> Result<Self> {
        match form {
            PictureForm::File => Ok(Self::Rgb(decode(&bytes, "the picture")?)),
            PictureForm::Rgba { width, height } => {
                if width == 0 || height == 0 || bytes.len() / 4 != width.saturating_mul(height) {
                    return Err(Error::input(
                        "the picture",
                        format!("{} bytes", bytes.len()),
                        format!("four for each of {width} × {height} pixels"),
                        "Give the picture's own size, width first",
                    ));
                }
                Ok(Self::Rgba(bytes, [width, height]))
            }
        }
    }

    fn into_rgb(self) -> Result<RgbImage> {
        match self {
            Self::Rgb(image) => Ok(image),
            Self::Rgba(bytes, [width, height]) => {
                let rgb = bytes
                    .chunks_exact(4)
                    .flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]);
                RgbImage::from_raw(width as u32, height as u32, rgb.collect()).ok_or_else(|| {
                    Error::input("the picture", "too few bytes", "all of its pixels", "")
                })
            }
        }
    }
}

/// The objects on a picture, in its pixels.
///
/// # Errors
/// When the device fails.
pub async fn find(
    model: &mut Folded,
    pixels: &Pixels,
    imgsz: usize,
    options: &NmsOptions,
    device: &Device,
) -> Result<Vec<FoundBox>> {
    let found = match pixels {
        Pixels::Rgb(image) => {
            detect(model, image, Path::new(""), imgsz, options, false, device)
                .await?
                .0
        }
        Pixels::Rgba(bytes, size) => {
            detect_rgba(model, bytes, *size, imgsz, options, false, device).await?
        }
    };
    let found = found.into_iter();
    Ok(found
        .map(
            |Detection {
                 xyxy,
                 confidence,
                 class,
             }| FoundBox {
                xyxy,
                confidence,
                class,
            },
        )
        .collect())
}

/// What a module makes of a picture.
///
/// # Errors
/// When there is no such map, or the device fails.
pub async fn xray(
    model: &mut Folded,
    pixels: Pixels,
    imgsz: usize,
    module: usize,
    device: &Device,
) -> Result<Activation> {
    activation(model, &pixels.into_rgb()?, imgsz, module, device).await
}
