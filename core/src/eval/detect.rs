//! Detection on one picture of any size.

use std::path::Path;

use burn::tensor::{Device, Tensor};
use frostline_shaders::Letterbox as Kernel;
use image::RgbImage;

#[cfg(feature = "gpu")]
use super::nms::{corners, suppress};
use super::validate::to_original;
use super::{Detection, NmsOptions, nms};
use crate::data::letterbox::{Letterbox, LetterboxOptions};
use crate::data::transform::batch;
use crate::data::{Placement, Sample};
use crate::error::{Error, Result};
use crate::model::Folded;
use crate::ops;
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
    let size = [image.width() as usize, image.height() as usize];
    let letterbox = fitted(size, imgsz);
    let placement = placement(path, size, &letterbox);
    let sample = Sample {
        image: letterbox.apply(image),
        labels: Vec::new(),
        placement: placement.clone(),
    };
    let input = image_tensor(&batch(vec![sample])?, device);
    let detections = find(model, input, options, augment).await?;
    Ok((to_original(&detections, &placement), placement))
}

/// [`detect`] on a picture of `size` `[w, h]` as a canvas or a video frame gives it: RGBA bytes, row after row.
/// On a GPU the picture is fitted there.
///
/// # Errors
/// When the bytes are not a picture of that size, a side has more than 16384 pixels, or the device fails.
pub async fn detect_rgba(
    model: &mut Folded,
    rgba: &[u8],
    size: [usize; 2],
    imgsz: usize,
    options: &NmsOptions,
    augment: bool,
    device: &Device,
) -> Result<Vec<Detection>> {
    let letterbox = fitted(size, imgsz);
    let [height, width] = letterbox.shape();
    let words = |pair: [usize; 2]| pair.map(|side| u32::try_from(side).unwrap_or(u32::MAX));
    let input = Kernel::new(
        words(size),
        words(letterbox.resized),
        words(letterbox.before),
        words([width, height]),
    )
    .and_then(|plan| ops::letterbox(rgba, plan, device))
    .map_err(|misfit| {
        Error::input(
            "the picture",
            misfit,
            "four bytes for each of its pixels",
            "Give the picture's own size, width first",
        )
    })?;
    let detections = find(model, input, options, augment).await?;
    let placement = placement(Path::new(""), size, &letterbox);
    Ok(to_original(&detections, &placement))
}

fn fitted(size: [usize; 2], imgsz: usize) -> Letterbox {
    let options = LetterboxOptions {
        auto: true,
        ..LetterboxOptions::default()
    };
    Letterbox::new(size, [imgsz; 2], options)
}

fn placement(path: &Path, original: [usize; 2], letterbox: &Letterbox) -> Placement {
    Placement {
        path: path.to_path_buf(),
        original,
        ratio: letterbox.ratio,
        pad: letterbox.pad,
    }
}

/// The objects in an input of one picture, in its pixels.
async fn find(
    model: &mut Folded,
    input: Tensor<4>,
    options: &NmsOptions,
    augment: bool,
) -> Result<Vec<Detection>> {
    if augment {
        let rows = super::augment::predict(model, input);
        return from_rows(rows, model.architecture().nc, options).await;
    }
    let heads = model.forward(input);
    from_heads(model, heads, options).await
}

/// The objects in the raw heads of one picture, in pixels of the network's input. From a GPU come only the
/// boxes that can become detections, not every row.
///
/// # Errors
/// When the device fails.
pub async fn from_heads(
    model: &Folded,
    heads: Vec<Tensor<4>>,
    options: &NmsOptions,
) -> Result<Vec<Detection>> {
    #[cfg(feature = "gpu")]
    if let Some(detections) = from_candidates(model, &heads, options).await? {
        return Ok(detections);
    }
    from_rows(model.decode(heads), model.architecture().nc, options).await
}

async fn from_rows(rows: Tensor<3>, nc: usize, options: &NmsOptions) -> Result<Vec<Detection>> {
    let rows = rows
        .into_data_async()
        .await
        .map_err(crate::device::failed)?;
    let rows: Vec<f32> = rows.iter::<f32>().collect();
    Ok(nms(&rows, nc, options))
}

/// `None` where all rows are wanted after all: on another device, for several classes of a box, or when there
/// are more boxes than there is room for.
#[cfg(feature = "gpu")]
async fn from_candidates(
    model: &Folded,
    heads: &[Tensor<4>],
    options: &NmsOptions,
) -> Result<Option<Vec<Detection>>> {
    let architecture = model.architecture();
    let nc = architecture.nc;
    if options.multi_label && nc > 1 {
        return Ok(None);
    }
    let (anchors, strides) = (&architecture.anchors, architecture.strides());
    let Some(found) = ops::candidates(heads, anchors, &strides, nc, options.conf) else {
        return Ok(None);
    };
    let Some(candidates) = found.read().await?.into_iter().next().flatten() else {
        return Ok(None);
    };
    let wanted = |class: &usize| {
        let classes = options.classes.as_ref();
        classes.is_none_or(|classes| classes.contains(class))
    };
    let detections = candidates
        .into_iter()
        .map(|candidate| Detection {
            xyxy: corners(candidate.cxcywh),
            confidence: candidate.confidence,
            class: candidate.class as usize,
        })
        .filter(|detection| wanted(&detection.class))
        .collect();
    Ok(Some(suppress(detections, nc, options)))
}

#[cfg(test)]
mod tests {
    use burn::tensor::read_sync;

    use super::*;
    use crate::model::{Architecture, Size, Yolov5};

    /// The kernel's twin rounds as the letterbox of the library does, so that nothing may differ.
    #[test]
    fn a_frame_gives_what_its_picture_gives() {
        let device = Device::flex();
        let mut model = Yolov5::new(Architecture::yolov5(Size::N, 3), 0, &device).fold();
        let image = RgbImage::from_fn(50, 30, |x, y| image::Rgb([x, y, x ^ y].map(|v| v as u8)));
        let pixels = image.pixels();
        let rgba: Vec<u8> = pixels.flat_map(|p| [p[0], p[1], p[2], 9]).collect();
        let options = NmsOptions {
            conf: 0.0,
            ..NmsOptions::default()
        };
        let path = Path::new("picture");
        let picture = detect(&mut model, &image, path, 64, &options, false, &device);
        let (wanted, _) = read_sync(picture).expect("detections");
        let frame = detect_rgba(&mut model, &rgba, [50, 30], 64, &options, false, &device);
        let found = read_sync(frame).expect("detections");
        assert!(!found.is_empty());
        assert_eq!(found, wanted);

        let short = detect_rgba(
            &mut model,
            &rgba[1..],
            [50, 30],
            64,
            &options,
            false,
            &device,
        );
        let message = read_sync(short).expect_err("too few bytes").to_string();
        assert!(message.contains("5999 bytes"), "{message}");
    }
}
