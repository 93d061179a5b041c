//! The loss of one scale on the host, with its derivatives by hand: what [`super::detection`] composes of
//! operations on other devices.

use std::f64::consts::PI;

use super::ciou::EPSILON;
use super::detection::FOCAL_ALPHA;
use crate::ops::cross_entropy;

/// Binary cross-entropy of a logit, positives weighted, focal when asked.
#[derive(Debug, Clone, Copy)]
pub struct Entropy {
    /// Weight of positives.
    pub positive: f64,
    /// Exponent of the focal loss; plain up to zero.
    pub focal_gamma: f64,
}

impl Entropy {
    /// Loss and derivative of logit `z` that wants `w`.
    fn one(self, z: f32, w: f64) -> (f64, f64) {
        let z = f64::from(z);
        let p = sigmoid(z);
        let weight = 1.0 + (self.positive - 1.0) * w;
        let softplus = (-z).max(0.0) + (-z.abs()).exp().ln_1p(); // ln(1 + e⁻ᶻ)
        let loss = (1.0 - w) * z + weight * softplus;
        let slope = 1.0 - w - weight * sigmoid(-z);
        let gamma = self.focal_gamma;
        if gamma <= 0.0 {
            return (loss, slope);
        }
        let alpha = w * FOCAL_ALPHA + (1.0 - w) * (1.0 - FOCAL_ALPHA);
        let miss = 1.0 - (w * p + (1.0 - w) * (1.0 - p));
        let focus = miss.powf(gamma);
        let focus_slope = if miss > 0.0 {
            gamma * focus / miss * (1.0 - 2.0 * w) * p * (1.0 - p)
        } else {
            0.0
        };
        (
            alpha * loss * focus,
            alpha * (slope * focus + loss * focus_slope),
        )
    }

    /// Sum of the losses of `logits` that all want `w`, except those in `others`, which want something
    /// else; the logits become the sum's derivatives times `scale`.
    fn sum(self, logits: &mut [f32], w: f64, others: &[(usize, f64)], scale: f64) -> f64 {
        let replaced: Vec<f32> = others.iter().map(|&(i, _)| logits[i]).collect();
        let mut total = if self.focal_gamma <= 0.0 {
            let weight = 1.0 + (self.positive - 1.0) * w;
            cross_entropy(logits, w as f32, weight as f32, scale as f32)
        } else {
            let slopes = logits.iter_mut().map(|logit| {
                let (loss, slope) = self.one(*logit, w);
                *logit = (slope * scale) as f32;
                loss
            });
            slopes.sum()
        };
        for (&(i, wanted), z) in others.iter().zip(replaced) {
            let (loss, slope) = self.one(z, wanted);
            total += loss - self.one(z, w).0;
            logits[i] = (slope * scale) as f32;
        }
        total
    }
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

/// What a matched row must find.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wanted {
    /// `[dx, dy, w, h]` in cells.
    pub target: [f32; 4],
    /// `[w, h]` in cells.
    pub anchor: [f32; 2],
    /// Class.
    pub class: usize,
}

/// The loss of one scale for given matches.
#[derive(Debug, Clone)]
pub struct ScaleLoss {
    /// By matched row.
    pub wanted: Vec<Wanted>,
    /// Rows that decide their cell's objectness, with the cell among all `[B, A, H·W]`.
    pub winners: Vec<(usize, usize)>,
    /// Of box, objectness and class loss.
    pub gains: [f64; 3],
    /// Of objectness.
    pub objectness: Entropy,
    /// Of classes.
    pub class: Entropy,
    /// What the right class and the others want.
    pub positive: f32,
    /// What the other classes want.
    pub negative: f32,
}

impl ScaleLoss {
    /// Box, objectness and class loss of objectness logits `[B, A, H·W]` and the rows' logits
    /// `[N, 5+C]`, which become the derivatives of the losses' sum.
    pub fn judge(&self, objectness: &mut [f32], rows: &mut [f32]) -> [f32; 3] {
        let n = self.wanted.len();
        let outputs = rows.len().checked_div(n).unwrap_or(5);
        let classes = outputs - 5;
        let [gain_box, gain_objectness, gain_class] = self.gains;
        let per_row = 1.0 / n.max(1) as f64;
        let per_class = per_row / classes.max(1) as f64;
        let mut quality = Vec::with_capacity(n);
        let (mut boxes, mut class) = (0.0, 0.0);
        for (row, wanted) in rows.chunks_exact_mut(outputs).zip(&self.wanted) {
            let (iou, slopes) = ciou_of_logits([row[0], row[1], row[2], row[3]], wanted);
            boxes += 1.0 - iou;
            for (logit, slope) in row.iter_mut().zip(slopes) {
                *logit = (-slope * gain_box * per_row) as f32;
            }
            quality.push(f64::from((iou as f32).max(0.0)));
            row[4] = 0.0;
            if classes > 1 {
                class += self.class.sum(
                    &mut row[5..],
                    f64::from(self.negative),
                    &[(wanted.class, f64::from(self.positive))],
                    gain_class * per_class,
                );
            } else {
                row[5..].fill(0.0);
            }
        }
        let cells = 1.0 / objectness.len() as f64;
        let found: Vec<_> = self
            .winners
            .iter()
            .map(|&(row, cell)| (cell, quality[row]))
            .collect();
        let object = self
            .objectness
            .sum(objectness, 0.0, &found, gain_objectness * cells);
        [
            (boxes * per_row * gain_box) as f32,
            (object * cells * gain_objectness) as f32,
            (class * per_class * gain_class) as f32,
        ]
    }
}

/// CIoU of the box that four logits stand for, and its derivatives by them. As in [`super::ciou`], the
/// trade-off factor is a constant.
fn ciou_of_logits(logits: [f32; 4], wanted: &Wanted) -> (f64, [f64; 4]) {
    let p = logits.map(|z| sigmoid(f64::from(z)));
    let [aw, ah] = wanted.anchor.map(f64::from);
    let predicted = [
        2.0 * p[0] - 0.5,
        2.0 * p[1] - 0.5,
        (2.0 * p[2]).powi(2) * aw,
        (2.0 * p[3]).powi(2) * ah,
    ];
    let (iou, [dx, dy, dw, dh]) = ciou(predicted, wanted.target.map(f64::from));
    let slope = |i: usize| p[i] * (1.0 - p[i]);
    (
        iou,
        [
            dx * 2.0 * slope(0),
            dy * 2.0 * slope(1),
            dw * 8.0 * p[2] * aw * slope(2),
            dh * 8.0 * p[3] * ah * slope(3),
        ],
    )
}

/// One axis of two boxes: overlap, enclosing length and the distance of the centres, each with its
/// derivatives by the predicted centre and size.
struct Axis {
    overlap: (f64, [f64; 2]),
    enclosing: (f64, [f64; 2]),
    distance: f64,
}

impl Axis {
    fn new(centre: f64, size: f64, target_centre: f64, target_size: f64) -> Self {
        let (from, to) = (centre - 0.5 * size, centre + 0.5 * size);
        let (target_from, target_to) = (
            target_centre - 0.5 * target_size,
            target_centre + 0.5 * target_size,
        );
        // An edge moves with the centre, and with half the size outwards.
        let edges = |from: f64, to: f64| [to - from, 0.5 * (to + from)];
        let flag = |condition: bool| f64::from(u8::from(condition));
        let overlap = to.min(target_to) - from.max(target_from);
        let inner = edges(flag(from > target_from), flag(to < target_to));
        let outer = edges(flag(from < target_from), flag(to > target_to));
        Self {
            overlap: if overlap > 0.0 {
                (overlap, inner)
            } else {
                (0.0, [0.0; 2])
            },
            enclosing: (to.max(target_to) - from.min(target_from), outer),
            distance: centre - target_centre,
        }
    }
}

/// CIoU of two boxes `cx, cy, w, h`, and its derivatives by the first.
fn ciou(predicted: [f64; 4], target: [f64; 4]) -> (f64, [f64; 4]) {
    let ([px, py, pw, ph], [tx, ty, tw, th]) = (predicted, target);
    let (x, y) = (Axis::new(px, pw, tx, tw), Axis::new(py, ph, ty, th));
    let (ph, th) = (ph + EPSILON, th + EPSILON);

    let intersection = x.overlap.0 * y.overlap.0;
    let union = pw * ph + tw * th - intersection + EPSILON;
    let iou = intersection / union;
    let by_intersection = (1.0 + iou) / union;
    let by_area = -iou / union;

    let diagonal = x.enclosing.0.powi(2) + y.enclosing.0.powi(2) + EPSILON;
    let distance = (x.distance.powi(2) + y.distance.powi(2)) / diagonal;
    let by_enclosing = |axis: &Axis| -2.0 * distance * axis.enclosing.0 / diagonal;

    let angle = (tw / th).atan() - (pw / ph).atan();
    let shape = 4.0 / PI.powi(2) * angle.powi(2);
    let alpha = shape / (shape - iou + 1.0 + EPSILON);
    let by_angle = 8.0 / PI.powi(2) * angle * alpha / (pw * pw + ph * ph);

    // By the centre and the size of one axis, but for the terms of area and shape.
    let along = |axis: &Axis, other: &Axis| {
        let by_overlap = by_intersection * other.overlap.0;
        let by_enclosing = by_enclosing(axis);
        [0, 1].map(|i| by_overlap * axis.overlap.1[i] - by_enclosing * axis.enclosing.1[i])
    };
    let ([dx, dw], [dy, dh]) = (along(&x, &y), along(&y, &x));
    (
        iou - distance - shape * alpha,
        [
            dx - 2.0 * x.distance / diagonal,
            dy - 2.0 * y.distance / diagonal,
            dw + by_area * ph + by_angle * ph,
            dh + by_area * pw - by_angle * pw,
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: f64 = 1e-6;
    /// Central differences in double precision.
    const TOLERANCE: f64 = 1e-6;

    fn near(got: f64, want: f64, what: &str) {
        assert!(
            (got - want).abs() < TOLERANCE * (1.0 + want.abs()),
            "{what}: {got} {want}"
        );
    }

    #[test]
    fn the_derivatives_of_ciou_match_finite_differences() {
        let target = [0.4, 0.6, 2.0, 3.0];
        for predicted in [
            [0.5, 0.5, 2.5, 2.5],  // overlaps
            [0.5, 0.5, 0.5, 0.7],  // lies within
            [0.3, 0.7, 6.0, 5.0],  // encloses
            [4.0, 5.0, 1.0, 1.0],  // apart
            [0.45, 4.0, 1.0, 1.5], // apart on one axis
        ] {
            // The trade-off factor is a constant: differences are taken with it held.
            let at = |boxes: [f64; 4]| {
                let value = ciou(boxes, target).0;
                let shape = |b: [f64; 4]| {
                    let angle = (target[2] / (target[3] + EPSILON)).atan()
                        - (b[2] / (b[3] + EPSILON)).atan();
                    4.0 / PI.powi(2) * angle.powi(2)
                };
                let alpha = |b: [f64; 4]| {
                    let (x, y) = (
                        Axis::new(b[0], b[2], target[0], target[2]),
                        Axis::new(b[1], b[3], target[1], target[3]),
                    );
                    let i = x.overlap.0 * y.overlap.0;
                    let u =
                        b[2] * (b[3] + EPSILON) + target[2] * (target[3] + EPSILON) - i + EPSILON;
                    shape(b) / (shape(b) - i / u + 1.0 + EPSILON)
                };
                value + shape(boxes) * (alpha(boxes) - alpha(predicted))
            };
            let (_, slopes) = ciou(predicted, target);
            for (i, slope) in slopes.into_iter().enumerate() {
                let moved = |by: f64| {
                    let mut boxes = predicted;
                    boxes[i] += by;
                    at(boxes)
                };
                let want = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
                near(slope, want, &format!("{predicted:?} {i}"));
            }
        }
    }

    #[test]
    fn the_derivatives_of_cross_entropy_match_finite_differences() {
        for focal_gamma in [0.0, 0.7, 1.5] {
            let entropy = Entropy {
                positive: 1.4,
                focal_gamma,
            };
            for z in [-9.0f32, -1.25, 0.0, 0.5, 7.0] {
                for w in [0.0, 0.3, 1.0] {
                    let step = 1.0 / 512.0;
                    let loss = |by: f32| entropy.one(z + by, w).0;
                    let want = (loss(step) - loss(-step)) / (2.0 * f64::from(step));
                    assert!((entropy.one(z, w).1 - want).abs() < 1e-5, "{z} {w} {want}");
                }
            }
        }
    }
}
