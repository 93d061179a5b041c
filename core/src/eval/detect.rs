//! Detection on one picture of any size.

use std::path::Path;

use burn::tensor::Device;
use image::RgbImage;

use super::validate::to_original;
use super::{Detection, NmsOptions, nms};
use crate::data::letterbox::{Letterbox, LetterboxOptions};
use crate::data::transform::batch;
use crate::data::{Placement, Sample};
use crate::error::Result;
use crate::model::Folded;
use crate::train::session::image_tensor;

/// The objects on `image`, in its own pixels. The picture is fitted into `imgsz` with as little padding
/// as the strides allow; `augment` looks at several views.
///
/// # Errors
/// When the device fails.
pub async fn detect(
    model: &mut Folded,
    image: &RgbImage,
    path: &Path,
    imgsz: usize,
    options: &NmsOptions,
    augment: bool,
    device: &Device,
) -> Result<(Vec<Detection>, Placement)> {
    let original = [image.width() as usize, image.height() as usize];
    let letterbox = Letterbox::new(
        original,
        [imgsz; 2],
        LetterboxOptions {
            auto: true,
            ..LetterboxOptions::default()
        },
    );
    let placement = Placement {
        path: path.to_path_buf(),
        original,
        ratio: letterbox.ratio,
        pad: letterbox.pad,
    };
    let sample = Sample {
        image: letterbox.apply(image),
        labels: Vec::new(),
        placement: placement.clone(),
    };
    let input = image_tensor(&batch(vec![sample])?, device);
    let rows = if augment {
        super::augment::predict(model, input)
    } else {
        model.predict(input)
    };
    let rows = rows
        .into_data_async()
        .await
        .map_err(crate::device::failed)?;
    let rows: Vec<f32> = rows.iter::<f32>().collect();
    let detections = nms(&rows, model.architecture().nc, options);
    Ok((to_original(&detections, &placement), placement))
}
