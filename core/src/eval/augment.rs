//! Test-time augmentation: the picture at three sizes, the middle one mirrored; all rows together go
//! to NMS. Golden: `extra/tta`.

use burn::tensor::module::interpolate;
use burn::tensor::ops::{InterpolateMode, InterpolateOptions, PadMode};
use burn::tensor::{Tensor, s};

use crate::model::Folded;

/// Growth and mirroring of each view.
const VIEWS: [(f64, bool); 3] = [(1.0, false), (0.83, true), (0.67, false)];
/// What the border of a shrunk picture is filled with.
const FILL: f64 = 0.447;

/// Rows `[B, N, 5+C]` in pixels of `image` `[B, 3, H, W]`. The largest view leaves out its rows on the
/// coarsest scale, the smallest view its rows on the finest: there each is least sure.
pub fn predict(model: &mut Folded, image: Tensor<4>) -> Tensor<3> {
    let [batch, _, height, width] = image.dims();
    let strides = model.architecture().strides();
    let stride = strides.iter().copied().max().unwrap_or(32);
    let anchors = model.architecture().anchors_per_scale();
    let mut rows = Vec::with_capacity(VIEWS.len());
    for (view, (growth, mirrored)) in VIEWS.into_iter().enumerate() {
        let picture = if mirrored {
            image.clone().flip([3])
        } else {
            image.clone()
        };
        let picture = scaled(picture, growth, stride);
        let [_, _, view_height, view_width] = picture.dims();
        let decoded = model.predict(picture); // [B, N, 5+C]
        let cells = |stride: usize| anchors * (view_height / stride) * (view_width / stride);
        let [_, count, _] = decoded.dims();
        let kept = match view {
            0 => 0..count - strides.last().map_or(0, |&stride| cells(stride)),
            _ if view == VIEWS.len() - 1 => {
                strides.first().map_or(0, |&stride| cells(stride))..count
            }
            _ => 0..count,
        };
        let decoded = decoded.slice(s![0..batch, kept, ..]);
        let scores = decoded.clone().slice(s![.., .., 4..]);
        let boxes = decoded.slice(s![.., .., 0..4]).div_scalar(growth);
        let boxes = if mirrored {
            let x = boxes
                .clone()
                .slice(s![.., .., 0..1])
                .neg()
                .add_scalar(width as f64);
            Tensor::cat(vec![x, boxes.slice(s![.., .., 1..4])], 2)
        } else {
            boxes
        };
        rows.push(Tensor::cat(vec![boxes, scores], 2));
    }
    debug_assert!(height > 0);
    Tensor::cat(rows, 1)
}

/// The picture resized by `growth` and padded at the right and bottom to whole strides.
fn scaled(picture: Tensor<4>, growth: f64, stride: usize) -> Tensor<4> {
    if growth == 1.0 {
        return picture;
    }
    let [_, _, height, width] = picture.dims();
    let size = [height, width].map(|side| (side as f64 * growth) as usize);
    let padded =
        [height, width].map(|side| (side as f64 * growth / stride as f64).ceil() as usize * stride);
    let options = InterpolateOptions::new(InterpolateMode::Bilinear)
        .with_align_corners(false)
        .with_output_size(size);
    interpolate(picture, options).pad(
        (0, padded[1] - size[1], 0, padded[0] - size[0]),
        PadMode::Constant(FILL as f32),
    )
}
