//! Random affine and perspective maps of a picture and its boxes (FACTS 6).

use image::RgbImage;
use rand_chacha::ChaCha8Rng;

use super::augment::{PixelBox, uniform};
use super::warp::{IDENTITY, Matrix, product, warp};
use crate::train::hyp::Hyp;

/// A box must be wider and higher than this after the map, in pixels.
const MIN_SIDE_PX: f64 = 2.0;
/// A box must keep more than this part of its (scaled) area inside the picture.
const MIN_AREA_RATIO: f64 = 0.1;
/// A box must be less elongated than this.
const MAX_ASPECT: f64 = 100.0;
/// Keeps divisions away from zero.
const EPSILON: f64 = 1e-16;

/// One draw of the map: about the picture's centre, then placed in the output.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AffineDraw {
    /// Perspective terms `[x, y]` per pixel.
    pub perspective: [f64; 2],
    /// Counter-clockwise rotation in degrees.
    pub angle_degrees: f64,
    /// Growth.
    pub scale: f64,
    /// Shear `[x, y]` in degrees.
    pub shear_degrees: [f64; 2],
    /// Where the centre lands `[x, y]`, as fractions of the output.
    pub centre: [f64; 2],
}

impl AffineDraw {
    /// Leaves a picture where it is.
    pub const IDENTITY: Self = Self {
        perspective: [0.0; 2],
        angle_degrees: 0.0,
        scale: 1.0,
        shear_degrees: [0.0; 2],
        centre: [0.5; 2],
    };

    /// Draws within the hyperparameters' limits.
    pub fn draw(hyp: &Hyp, rng: &mut ChaCha8Rng) -> Self {
        let mut around = |middle: f64, reach: f64| uniform(rng, middle - reach, middle + reach);
        Self {
            perspective: [around(0.0, hyp.perspective), around(0.0, hyp.perspective)],
            angle_degrees: around(0.0, hyp.degrees),
            scale: around(1.0, hyp.scale),
            shear_degrees: [around(0.0, hyp.shear), around(0.0, hyp.shear)],
            centre: [around(0.5, hyp.translate), around(0.5, hyp.translate)],
        }
    }

    /// The map from pixels of a picture of `from` `[w, h]` to pixels of an output of `to` `[w, h]`:
    /// centre to the origin, perspective, rotation and growth, shear, centre to its place.
    pub fn matrix(&self, from: [usize; 2], to: [usize; 2]) -> [[f64; 3]; 3] {
        let mut to_origin = IDENTITY;
        to_origin[0][2] = -(from[0] as f64) / 2.0;
        to_origin[1][2] = -(from[1] as f64) / 2.0;
        let mut perspective = IDENTITY;
        perspective[2][..2].copy_from_slice(&self.perspective);
        let (sine, cosine) = self.angle_degrees.to_radians().sin_cos();
        let mut rotation = IDENTITY;
        rotation[0][..2].copy_from_slice(&[self.scale * cosine, self.scale * sine]);
        rotation[1][..2].copy_from_slice(&[-self.scale * sine, self.scale * cosine]);
        let mut shear = IDENTITY;
        shear[0][1] = self.shear_degrees[0].to_radians().tan();
        shear[1][0] = self.shear_degrees[1].to_radians().tan();
        let mut placed = IDENTITY;
        placed[0][2] = self.centre[0] * to[0] as f64;
        placed[1][2] = self.centre[1] * to[1] as f64;
        [shear, rotation, perspective, to_origin]
            .iter()
            .fold(placed, |left, right| product(&left, right))
    }

    /// Maps a picture and its boxes into an output of `to` `[w, h]` pixels. Boxes are clipped to the
    /// output; those that become too small, too thin or too little of themselves are dropped.
    pub fn apply(
        &self,
        image: &RgbImage,
        boxes: &[PixelBox],
        to: [usize; 2],
    ) -> (RgbImage, Vec<PixelBox>) {
        let from = [image.width() as usize, image.height() as usize];
        let matrix = self.matrix(from, to);
        let image = if from == to && matrix == IDENTITY {
            image.clone()
        } else {
            warp(image, &matrix, to)
        };
        (image, self.boxes(&matrix, boxes, to))
    }

    fn boxes(&self, matrix: &Matrix, boxes: &[PixelBox], to: [usize; 2]) -> Vec<PixelBox> {
        let mapped = boxes.iter().map(|old| {
            let new = mapped_box(matrix, old.xyxy.map(f64::from), to);
            let old_scaled = old.xyxy.map(|side| f64::from(side) * self.scale);
            (old.class, old_scaled, new)
        });
        mapped
            .filter(|(_, old, new)| is_candidate(*old, *new))
            .map(|(class, _, new)| PixelBox {
                class,
                xyxy: new.map(|side| side as f32),
            })
            .collect()
    }
}

/// The upright box around the four mapped corners, clipped to the output.
fn mapped_box(matrix: &Matrix, [x1, y1, x2, y2]: [f64; 4], to: [usize; 2]) -> [f64; 4] {
    let corners = [[x1, y1], [x2, y2], [x1, y2], [x2, y1]].map(|[x, y]| {
        let [u, v, depth] = matrix.map(|row| row[0] * x + row[1] * y + row[2]);
        [u / depth, v / depth]
    });
    let reach = |axis: usize| {
        let limit = to[axis] as f64;
        let side = corners.map(|corner| corner[axis]);
        let low = side.iter().copied().fold(f64::INFINITY, f64::min);
        let high = side.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        [low.clamp(0.0, limit), high.clamp(0.0, limit)]
    };
    let ([left, right], [top, bottom]) = (reach(0), reach(1));
    [left, top, right, bottom]
}

/// Whether a box is still worth learning from: `new` against `old` `[x1, y1, x2, y2]`, both in
/// pixels of the same scale (FACTS 6).
pub fn is_candidate(old: [f64; 4], new: [f64; 4]) -> bool {
    let [old_w, old_h] = [old[2] - old[0], old[3] - old[1]];
    let [w, h] = [new[2] - new[0], new[3] - new[1]];
    let aspect = (w / (h + EPSILON)).max(h / (w + EPSILON));
    w > MIN_SIDE_PX
        && h > MIN_SIDE_PX
        && w * h / (old_w * old_h + EPSILON) > MIN_AREA_RATIO
        && aspect < MAX_ASPECT
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::golden;
    use rand::SeedableRng;

    fn recorded(case: &serde_json::Value) -> AffineDraw {
        let draws = &case["uniform_draws_in_order_p1_p2_angle_scale_shx_shy_tx_ty"];
        let draws: Vec<f64> = golden::rows(draws).iter().map(|draw| draw[2]).collect();
        AffineDraw {
            perspective: [draws[0], draws[1]],
            angle_degrees: draws[2],
            scale: draws[3],
            shear_degrees: [draws[4], draws[5]],
            centre: [draws[6], draws[7]],
        }
    }

    #[test]
    fn recorded_draws_give_the_reference_matrix_pixels_and_boxes() {
        // Rounding of sums of products near 100, in double precision.
        const MATRIX: f64 = 1e-12;
        // One rounding of a 32-bit coordinate below 64.
        const BOX_PX: f64 = 4e-6;
        let golden = golden::json("aug/aug.json");
        let pictures = golden::pictures("aug/pixels.safetensors");
        let image = &pictures["img_bgr"];
        for (index, case) in golden["perspective_cases"]
            .as_array()
            .unwrap()
            .iter()
            .enumerate()
        {
            let draw = recorded(case);
            let [height, width] = golden::pair(&case["out_hw"]);
            let matrix = draw.matrix([64, 48], [width, height]);
            for (row, expected) in matrix.iter().zip(golden::rows(&case["M"])) {
                for (a, b) in row.iter().zip(expected) {
                    assert!((a - b).abs() < MATRIX, "case {index}: {a} {b}");
                }
            }
            let boxes: Vec<PixelBox> = golden::rows(&case["targets"])
                .iter()
                .map(|row| PixelBox {
                    class: row[0] as usize,
                    xyxy: [1, 2, 3, 4].map(|i| row[i] as f32),
                })
                .collect();
            let (pixels, boxes) = draw.apply(image, &boxes, [width, height]);
            let name = format!("persp_{index}");
            assert_eq!(
                golden::difference(&pixels, &pictures[&name]),
                (0, 0),
                "{name}"
            );
            let expected = golden::rows(&case["targets_out"]);
            assert_eq!(boxes.len(), expected.len(), "case {index}");
            for (found, expected) in boxes.iter().zip(expected) {
                assert_eq!(found.class, expected[0] as usize);
                for (a, b) in found.xyxy.iter().zip(&expected[1..]) {
                    assert!((f64::from(*a) - b).abs() < BOX_PX, "case {index}: {a} {b}");
                }
            }
        }
    }

    #[test]
    fn box_candidates_equal_the_reference() {
        let golden = &golden::json("aug/aug.json")["box_candidates"];
        let corners = |name: &str| golden::rows(&golden[name]);
        let expected = golden["out_area_thr_0_10"].as_array().unwrap();
        let pairs = corners("box1").into_iter().zip(corners("box2"));
        for ((old, new), expected) in pairs.zip(expected) {
            let [old, new] = [old, new].map(|b| [0, 1, 2, 3].map(|i| b[i]));
            assert_eq!(
                is_candidate(old, new),
                expected.as_bool().unwrap(),
                "{old:?} {new:?}"
            );
        }
    }

    #[test]
    fn no_limits_draw_the_identity() {
        let still = Hyp {
            degrees: 0.0,
            translate: 0.0,
            scale: 0.0,
            shear: 0.0,
            perspective: 0.0,
            ..Hyp::default()
        };
        let draw = AffineDraw::draw(&still, &mut ChaCha8Rng::seed_from_u64(1));
        assert_eq!(draw, AffineDraw::IDENTITY);
        assert_eq!(draw.matrix([33, 20], [33, 20]), IDENTITY);
    }
}
