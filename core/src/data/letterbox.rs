//! Fitting a picture of any size into the network's shape, and boxes back out of it (FACTS 5).

use image::{Rgb, RgbImage};

use super::Placement;
use super::resize::resize_linear;

/// The grey that fills what no picture covers.
pub const FILL: u8 = 114;

/// How a picture may be fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LetterboxOptions {
    /// Pad only up to the next multiple of `stride`, not to the full shape.
    pub auto: bool,
    /// Stretch to the full shape instead of padding; `auto` wins.
    pub scale_fill: bool,
    /// Grow pictures that are smaller than the shape.
    pub scale_up: bool,
    /// The network's largest stride in pixels.
    pub stride: usize,
}

impl Default for LetterboxOptions {
    fn default() -> Self {
        Self {
            auto: true,
            scale_fill: false,
            scale_up: true,
            stride: 32,
        }
    }
}

/// Where a picture goes: resized, then padded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Letterbox {
    /// Size `[w, h]` of the picture inside the padding.
    pub resized: [usize; 2],
    /// Growth `[x, y]`.
    pub ratio: [f64; 2],
    /// Half of the total padding `[x, y]`; halves stay halves, as the reference reports them.
    pub pad: [f64; 2],
    /// Whole pixels of padding on the left and at the top.
    pub before: [usize; 2],
    /// Whole pixels of padding on the right and at the bottom.
    pub after: [usize; 2],
}

impl Letterbox {
    /// Fits a picture of `size` `[w, h]` into `shape` `[h, w]`. Rounds halves to even.
    pub fn new(size: [usize; 2], shape: [usize; 2], options: LetterboxOptions) -> Self {
        let size = size.map(|side| side.max(1));
        let to = [shape[1].max(1), shape[0].max(1)];
        let growth = [0, 1].map(|axis| to[axis] as f64 / size[axis] as f64);
        let mut ratio = growth[0].min(growth[1]);
        if !options.scale_up {
            ratio = ratio.min(1.0);
        }
        let mut ratio = [ratio; 2];
        // A side of a very long picture may round to nothing; one pixel of it is kept.
        let mut resized = [0, 1].map(|axis| {
            let side = (size[axis] as f64 * ratio[axis]).round_ties_even() as usize;
            side.clamp(1, to[axis])
        });
        let mut padding = [0, 1].map(|axis| to[axis] - resized[axis]);
        if options.auto {
            padding = padding.map(|pixels| pixels % options.stride.max(1));
        } else if options.scale_fill {
            resized = to;
            ratio = growth;
            padding = [0; 2];
        }
        let pad = padding.map(|pixels| pixels as f64 / 2.0);
        Self {
            resized,
            ratio,
            pad,
            before: pad.map(|half| (half - 0.1).round_ties_even() as usize),
            after: pad.map(|half| (half + 0.1).round_ties_even() as usize),
        }
    }

    /// The shape `[h, w]` that comes out.
    pub fn shape(&self) -> [usize; 2] {
        [1, 0].map(|axis| self.before[axis] + self.resized[axis] + self.after[axis])
    }

    /// Resizes (bilinear) and pads a picture.
    pub fn apply(&self, image: &RgbImage) -> RgbImage {
        let [height, width] = self.shape();
        let resized;
        let image = if [image.width() as usize, image.height() as usize] == self.resized {
            image
        } else {
            resized = resize_linear(image, self.resized);
            &resized
        };
        let mut out = RgbImage::from_pixel(width as u32, height as u32, Rgb([FILL; 3]));
        let row_bytes = self.resized[0] * 3;
        let rows = out.chunks_exact_mut(width * 3).skip(self.before[1]);
        for (line, row) in rows.zip(image.chunks_exact(row_bytes)) {
            line[self.before[0] * 3..][..row_bytes].copy_from_slice(row);
        }
        out
    }
}

/// Ratio `[x, y]` and padding `[x, y]` of a picture of `original` size `[w, h]` that was centred in
/// `shape` `[h, w]`, when nothing else is known about how it got there.
pub fn centred(shape: [usize; 2], original: [usize; 2]) -> ([f64; 2], [f64; 2]) {
    let original = original.map(|side| side.max(1) as f64);
    let to = [shape[1] as f64, shape[0] as f64];
    let ratio = (to[0] / original[0]).min(to[1] / original[1]);
    let pad = [0, 1].map(|axis| (to[axis] - original[axis] * ratio) / 2.0);
    ([ratio; 2], pad)
}

/// Moves boxes `[x1, y1, x2, y2]` from network pixels to pixels of the original picture and clips
/// them to it.
pub fn scale_boxes(boxes: &mut [[f32; 4]], placement: &Placement) {
    for xyxy in boxes {
        for (corner, value) in xyxy.iter_mut().enumerate() {
            let axis = corner % 2;
            let moved = (*value - placement.pad[axis] as f32) / placement.ratio[axis] as f32;
            *value = moved.clamp(0.0, placement.original[axis] as f32);
        }
    }
}

/// The smallest multiple of `stride` that is at least `imgsz` and `floor` pixels.
pub fn round_up_to_stride(imgsz: usize, stride: usize, floor: usize) -> usize {
    let stride = stride.max(1);
    (imgsz.div_ceil(stride) * stride).max(floor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::golden;
    use serde_json::Value;

    fn flag(options: &Value, name: &str, default: bool) -> bool {
        options.get(name).map_or(default, |v| v.as_bool().unwrap())
    }

    #[test]
    fn letterbox_geometry_equals_the_reference() {
        // The last bit of a number read from text.
        const RATIO: f64 = 4e-16;
        let golden = golden::json("nms/letterbox_scale.json");
        let cases = golden["letterbox"].as_array().unwrap();
        for case in cases {
            let kw = &case["kw"];
            let options = LetterboxOptions {
                auto: flag(kw, "auto", true),
                scale_fill: flag(kw, "scaleFill", false),
                scale_up: flag(kw, "scaleup", true),
                stride: kw
                    .get("stride")
                    .map_or(32, |s| s.as_u64().unwrap() as usize),
            };
            let [height, width] = golden::pair(&case["hw"]);
            let shape = match case["new_shape"].as_u64() {
                Some(side) => [side as usize; 2],
                None => golden::pair(&case["new_shape"]),
            };
            let found = Letterbox::new([width, height], shape, options);
            let whole = |name: &str| case[name].as_u64().unwrap() as usize;
            assert_eq!(found.shape(), golden::pair(&case["out_hw"]), "{case}");
            for (a, b) in found.ratio.iter().zip(golden::numbers(&case["ratio"])) {
                assert!((a - b).abs() <= RATIO * b, "{case}");
            }
            assert_eq!(
                found.pad.to_vec(),
                golden::numbers(&case["dw_dh"]),
                "{case}"
            );
            assert_eq!(found.before, [whole("left"), whole("top")], "{case}");
            assert_eq!(found.after, [whole("right"), whole("bottom")], "{case}");
        }
        assert_eq!(cases.len(), 300);
    }

    #[test]
    fn boxes_scale_back_as_in_the_reference() {
        // One rounding of a 32-bit number near 1000 px.
        const TOLERANCE_PX: f64 = 1e-4;
        let golden = golden::json("nms/letterbox_scale.json");
        for case in golden["scale_boxes"].as_array().unwrap() {
            let [height, width] = golden::pair(&case["img0_hw"]);
            let original = [width, height];
            let given = golden::rows(&case["ratio_pad"]);
            let given = ([given[0][0], given[0][1]], [given[1][0], given[1][1]]);
            let known = centred(golden::pair(&case["img1_hw"]), original);
            for ((ratio, pad), expected) in [(known, "out"), (given, "out_ratio_pad")] {
                let placement = Placement {
                    path: "picture".into(),
                    original,
                    ratio,
                    pad,
                };
                let boxes = golden::rows(&case["boxes"]);
                let mut boxes: Vec<[f32; 4]> = boxes
                    .iter()
                    .map(|b| [0, 1, 2, 3].map(|i| b[i] as f32))
                    .collect();
                scale_boxes(&mut boxes, &placement);
                for (found, expected) in boxes.iter().zip(golden::rows(&case[expected])) {
                    for (a, b) in found.iter().zip(expected) {
                        assert!((f64::from(*a) - b).abs() < TOLERANCE_PX, "{a} {b}");
                    }
                }
            }
        }
    }

    #[test]
    fn image_sizes_round_up_to_the_stride() {
        let golden = golden::json("nms/letterbox_scale.json");
        for case in golden["check_img_size"].as_array().unwrap() {
            let number = |name: &str| case[name].as_u64().unwrap() as usize;
            let found = round_up_to_stride(number("imgsz"), number("s"), number("floor"));
            assert_eq!(found, number("out"), "{case}");
        }
    }

    #[test]
    fn the_picture_lies_inside_its_padding() {
        let image = RgbImage::from_pixel(10, 5, Rgb([1, 2, 3]));
        let options = LetterboxOptions {
            auto: false,
            ..Default::default()
        };
        let out = Letterbox::new([10, 5], [21, 20], options).apply(&image);
        assert_eq!(out.dimensions(), (20, 21));
        for (_, y, pixel) in out.enumerate_pixels() {
            let inside = (5..15).contains(&y);
            assert_eq!(
                pixel.0,
                if inside { [1, 2, 3] } else { [FILL; 3] },
                "row {y}"
            );
        }
    }

    #[test]
    fn a_sliver_keeps_one_pixel() {
        let letterbox = Letterbox::new([5000, 1], [640, 640], LetterboxOptions::default());
        assert_eq!(letterbox.resized, [640, 1]);
    }
}
