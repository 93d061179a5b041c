//! Augmentation: what is drawn is kept apart from what is done with it, so that a recorded draw can
//! be replayed (FACTS 6). Maps live in [`super::affine`], colours in [`super::hsv`], four pictures in
//! one in [`super::mosaic`]; here are the boxes they speak of, flips and mixup.

use image::RgbImage;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::Label;
pub use super::affine::{AffineDraw, is_candidate};
pub use super::hsv::HsvDraw;
pub use super::mosaic::MosaicDraw;

/// A labelled box in pixels of the picture at hand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PixelBox {
    /// Class index.
    pub class: usize,
    /// Corners `[x1, y1, x2, y2]` in pixels.
    pub xyxy: [f32; 4],
}

impl PixelBox {
    /// A label of a picture of `size` `[w, h]` that was moved by `pad` `[x, y]` pixels.
    pub fn from_label(label: &Label, size: [f32; 2], pad: [f32; 2]) -> Self {
        let [cx, cy, w, h] = label.cxcywh;
        Self {
            class: label.class,
            xyxy: [
                size[0] * (cx - w / 2.0) + pad[0],
                size[1] * (cy - h / 2.0) + pad[1],
                size[0] * (cx + w / 2.0) + pad[0],
                size[1] * (cy + h / 2.0) + pad[1],
            ],
        }
    }

    /// The label relative to a picture of `size` `[w, h]`, clipped to it.
    pub fn to_label(&self, size: [usize; 2]) -> Label {
        let [width, height] = size.map(|side| side.max(1) as f32);
        let clipped = self.clipped([width, height]);
        let [x1, y1, x2, y2] = clipped.xyxy;
        Label {
            class: self.class,
            cxcywh: [
                (x1 + x2) / 2.0 / width,
                (y1 + y2) / 2.0 / height,
                (x2 - x1) / width,
                (y2 - y1) / height,
            ],
        }
    }

    /// The part inside a picture of `size` `[w, h]`.
    pub fn clipped(&self, size: [f32; 2]) -> Self {
        let mut xyxy = self.xyxy;
        for (corner, value) in xyxy.iter_mut().enumerate() {
            *value = value.clamp(0.0, size[corner % 2]);
        }
        Self { xyxy, ..*self }
    }
}

/// A number in `low..high`; `low` when both are equal.
pub(crate) fn uniform(rng: &mut ChaCha8Rng, low: f64, high: f64) -> f64 {
    low + (high - low) * rng.random::<f64>()
}

/// Whether an event of this probability happens.
pub(crate) fn happens(rng: &mut ChaCha8Rng, probability: f64) -> bool {
    rng.random::<f64>() < probability
}

/// An index in `0..count`, equal on machines of any word size; 0 when `count` is 0.
pub(crate) fn index_below(rng: &mut ChaCha8Rng, count: usize) -> usize {
    rng.random_range(0..count.max(1) as u64) as usize
}

/// Mirrors a picture left to right.
pub fn flip_left_right(image: &mut RgbImage, labels: &mut [Label]) {
    let row_bytes = image.width() as usize * 3;
    if row_bytes == 0 {
        return;
    }
    for row in image.chunks_exact_mut(row_bytes) {
        let middle = row_bytes / 6 * 3;
        let (left, right) = row.split_at_mut(middle);
        for (a, b) in left.chunks_exact_mut(3).zip(right.rchunks_exact_mut(3)) {
            a.swap_with_slice(b);
        }
    }
    for label in labels {
        label.cxcywh[0] = 1.0 - label.cxcywh[0];
    }
}

/// Mirrors a picture top to bottom.
pub fn flip_up_down(image: &mut RgbImage, labels: &mut [Label]) {
    let row_bytes = image.width() as usize * 3;
    if row_bytes == 0 {
        return;
    }
    let middle = image.height() as usize / 2 * row_bytes;
    let (upper, lower) = image.split_at_mut(middle);
    let rows = upper.chunks_exact_mut(row_bytes);
    for (a, b) in rows.zip(lower.rchunks_exact_mut(row_bytes)) {
        a.swap_with_slice(b);
    }
    for label in labels {
        label.cxcywh[1] = 1.0 - label.cxcywh[1];
    }
}

/// The weight of the first picture in a mixup, from Beta(32, 32): the median of 63 uniform numbers
/// has exactly this distribution.
pub fn mixup_ratio(rng: &mut ChaCha8Rng) -> f64 {
    let mut draws: [f64; 63] = std::array::from_fn(|_| rng.random());
    *draws.select_nth_unstable_by(31, f64::total_cmp).1
}

/// Blends `other` into `image`: `ratio` of the first and the rest of the second, truncated. The
/// boxes of both remain. Pictures must have one size; bytes beyond the shorter stay as they are.
pub fn mixup(image: &mut RgbImage, other: &RgbImage, ratio: f64) {
    for (a, &b) in image.iter_mut().zip(other.iter()) {
        *a = (f64::from(*a) * ratio + f64::from(b) * (1.0 - ratio)) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::golden;
    use image::Rgb;
    use rand::SeedableRng;

    fn label(cxcywh: [f32; 4]) -> Label {
        Label { class: 0, cxcywh }
    }

    #[test]
    fn flips_mirror_pixels_and_boxes() {
        for (width, height) in [(5, 4), (4, 5), (1, 1)] {
            let image = RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, y as u8, 7]));
            let mut labels = [label([0.25, 0.125, 0.5, 0.25])];
            let mut flipped = image.clone();
            flip_left_right(&mut flipped, &mut labels);
            assert_eq!(flipped, image::imageops::flip_horizontal(&image));
            assert_eq!(labels[0].cxcywh, [0.75, 0.125, 0.5, 0.25]);
            let mut flipped = image.clone();
            flip_up_down(&mut flipped, &mut labels);
            assert_eq!(flipped, image::imageops::flip_vertical(&image));
            assert_eq!(labels[0].cxcywh, [0.75, 0.875, 0.5, 0.25]);
        }
    }

    #[test]
    fn mixup_equals_the_reference() {
        let pictures = golden::pictures("aug/mosaic.safetensors");
        let ratio = golden::json("aug/mosaic.json")["mixup"]["r"]
            .as_f64()
            .unwrap();
        let mut image = pictures["mosaic_0"].clone();
        mixup(&mut image, &pictures["mosaic_1"], ratio);
        let expected = &pictures["mixup_0_1_r0.4375"];
        assert_eq!(golden::difference(&image, expected), (0, 0));
    }

    #[test]
    fn mixup_ratios_have_the_moments_of_beta_32_32() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let draws: Vec<f64> = (0..20_000).map(|_| mixup_ratio(&mut rng)).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        // Four standard errors of 20 000 draws.
        assert!((mean - 0.5).abs() < 0.0018, "{mean}");
        let expected = 1.0 / (4.0 * 65.0);
        assert!((variance / expected - 1.0).abs() < 0.04, "{variance}");
    }

    #[test]
    fn labels_and_pixel_boxes_are_inverse_inside_the_picture() {
        let given = label([0.4, 0.6, 0.25, 0.5]);
        let there = PixelBox::from_label(&given, [320.0, 200.0], [0.0; 2]);
        let back = there.to_label([320, 200]);
        for (a, b) in given.cxcywh.iter().zip(back.cxcywh) {
            assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
        let outside = PixelBox {
            class: 0,
            xyxy: [-10.0, 5.0, 20.0, 500.0],
        };
        assert_eq!(
            outside.to_label([40, 40]).cxcywh,
            [0.25, 0.5625, 0.5, 0.875]
        );
    }
}
