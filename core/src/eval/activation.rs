//! What a module makes of a picture, as pictures.

use std::path::Path;

use burn::tensor::Device;
use image::RgbImage;

use crate::data::letterbox::{Letterbox, LetterboxOptions};
use crate::data::transform::batch;
use crate::data::{Placement, Sample};
use crate::error::{Error, Result};
use crate::model::{Features, Folded};
use crate::ops;
use crate::train::session::image_tensor;

/// The activations of a module.
#[derive(Debug, Clone)]
pub struct Activation {
    /// RGBA pixels, plane after plane, each between its own least and greatest value.
    pub rgba: Vec<u8>,
    /// Channels.
    pub planes: usize,
    /// Of a plane `[w, h]`.
    pub size: [usize; 2],
    /// The part of a plane `[left, top, width, height]`, in its pixels, that shows the picture; the rest is padding.
    pub content: [f64; 4],
}

/// The output of `module` for `image`, fitted into `imgsz` as detection does.
///
/// # Errors
/// Names a module that has no map; when the device fails.
pub async fn activation(
    model: &mut Folded,
    image: &RgbImage,
    imgsz: usize,
    module: usize,
    device: &Device,
) -> Result<Activation> {
    // Detect, the last one, gives boxes.
    let maps = model.modules().saturating_sub(1);
    if module >= maps {
        return Err(Error::input(
            "module",
            module,
            format!("one of the {maps} modules before Detect"),
            "Detect gives boxes, not a map",
        ));
    }
    let size = [image.width() as usize, image.height() as usize];
    let options = LetterboxOptions {
        auto: true,
        ..LetterboxOptions::default()
    };
    let letterbox = Letterbox::new(size, [imgsz; 2], options);
    let sample = Sample {
        image: letterbox.apply(image),
        labels: Vec::new(),
        placement: Placement {
            path: Path::new("").to_path_buf(),
            original: size,
            ratio: letterbox.ratio,
            pad: letterbox.pad,
        },
    };
    let input = image_tensor(&batch(vec![sample])?, device);
    let [_, _, input_height, input_width] = input.dims();
    let features = model.run(0..module + 1, Features::image(input));
    let Some(map) = features.outputs.get(&module).cloned() else {
        return Err(Error::input(
            "module",
            module,
            "a module with an output",
            "",
        ));
    };
    let [_, planes, height, width] = map.dims();
    let rgba = ops::colour_map(map.reshape([planes, height, width])).await?;
    let across = width as f64 / input_width as f64;
    let down = height as f64 / input_height as f64;
    Ok(Activation {
        rgba,
        planes,
        size: [width, height],
        content: [
            letterbox.before[0] as f64 * across,
            letterbox.before[1] as f64 * down,
            letterbox.resized[0] as f64 * across,
            letterbox.resized[1] as f64 * down,
        ],
    })
}

#[cfg(test)]
mod tests {
    use burn::tensor::read_sync;

    use super::*;
    use crate::model::{Architecture, Size, Yolov5};

    #[test]
    fn a_module_shows_one_picture_per_channel() {
        let device = Device::flex();
        let mut model = Yolov5::new(Architecture::yolov5(Size::N, 3), 0, &device).fold();
        let image = RgbImage::from_fn(96, 64, |x, y| image::Rgb([x as u8, y as u8, 90]));
        let seen = read_sync(activation(&mut model, &image, 96, 2, &device)).unwrap();
        assert_eq!((seen.planes, seen.size), (32, [24, 16]));
        assert_eq!(seen.content, [0.0, 0.0, 24.0, 16.0]);
        assert_eq!(seen.rgba.len(), 32 * 24 * 16 * 4);
        assert!(seen.rgba.chunks_exact(4).all(|pixel| pixel[3] == 255));
        let refused = read_sync(activation(&mut model, &image, 96, 24, &device));
        let message = refused.unwrap_err().to_string();
        assert!(message.contains("before Detect"), "{message}");
    }
}
