//! Which detection found which labelled box.

use super::Detection;

/// The ten IoU thresholds 0.5, 0.55 … 0.95.
pub const IOU_THRESHOLDS: [f32; 10] = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95];

/// Intersection over union of two boxes `[x1, y1, x2, y2]`; 0 for boxes without area.
pub fn box_iou(a: &[f32; 4], b: &[f32; 4]) -> f32 {
    let width = (a[2].min(b[2]) - a[0].max(b[0])).max(0.0);
    let height = (a[3].min(b[3]) - a[1].max(b[1])).max(0.0);
    let intersection = width * height;
    let area = |r: &[f32; 4]| (r[2] - r[0]) * (r[3] - r[1]);
    let union = area(a) + area(b) - intersection;
    if union > 0.0 {
        intersection / union
    } else {
        0.0
    }
}

/// For each detection of a picture, at which of [`IOU_THRESHOLDS`] it is correct: bit `i` for
/// threshold `i`.
///
/// `detections` stand most confident first, as NMS gives them; `labels` are class and corners in the
/// same pixels. A detection belongs to the box of its class that it overlaps most. At each threshold, of a
/// box's detections that reach it the most confident one is correct. A detection never falls back to its
/// second-best box, as COCO's rule would let it (FACTS 5).
pub fn match_detections(detections: &[Detection], labels: &[(usize, [f32; 4])]) -> Vec<u16> {
    let mut found_at = vec![0_u16; labels.len()];
    detections
        .iter()
        .map(|detection| {
            let Some((label, iou)) = best_label(detection, labels, IOU_THRESHOLDS[0]) else {
                return 0;
            };
            let reached = IOU_THRESHOLDS.iter().filter(|&&t| iou >= t).count();
            let correct = ((1 << reached) - 1) & !found_at[label];
            found_at[label] |= correct;
            correct
        })
        .collect()
}

/// The label of the detection's class that it overlaps most, the first of equals.
fn best_label(
    detection: &Detection,
    labels: &[(usize, [f32; 4])],
    at_least: f32,
) -> Option<(usize, f32)> {
    let mut best: Option<(usize, f32)> = None;
    for (index, (class, xyxy)) in labels.iter().enumerate() {
        if *class != detection.class {
            continue;
        }
        let iou = box_iou(xyxy, &detection.xyxy);
        if iou >= at_least && best.is_none_or(|(_, highest)| iou > highest) {
            best = Some((index, iou));
        }
    }
    best
}

/// Pairs boxes regardless of class, greatest IoU first: `(label, detection)`. Each box is in at most
/// one pair, its IoU is above `above`, and a detection pairs with its best box or with none.
pub(super) fn pair_across_classes(
    detections: &[Detection],
    labels: &[(usize, [f32; 4])],
    above: f32,
) -> Vec<(usize, usize)> {
    let mut pairs: Vec<(f32, usize, usize)> = Vec::new();
    for (d, detection) in detections.iter().enumerate() {
        let mut best: Option<(f32, usize)> = None;
        for (l, (_, xyxy)) in labels.iter().enumerate() {
            let iou = box_iou(xyxy, &detection.xyxy);
            if iou > above && best.is_none_or(|(highest, _)| iou > highest) {
                best = Some((iou, l));
            }
        }
        if let Some((iou, label)) = best {
            pairs.push((iou, label, d));
        }
    }
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut taken = vec![false; labels.len()];
    pairs.retain(|&(_, label, _)| !std::mem::replace(&mut taken[label], true));
    pairs
        .into_iter()
        .map(|(_, label, detection)| (label, detection))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::evaluator::tests::{Case, golden};
    use super::*;

    /// f32 arithmetic in another order than the reference's.
    const IOU_TOLERANCE: f32 = 1e-6;

    fn corners(value: &serde_json::Value) -> [f32; 4] {
        std::array::from_fn(|i| value[i].as_f64().expect("number") as f32)
    }

    #[test]
    fn ious_are_the_golden_ones() {
        let golden = &golden("units.json")["box_iou"];
        for (i, a) in golden["a"].as_array().expect("a").iter().enumerate() {
            for (j, b) in golden["b"].as_array().expect("b").iter().enumerate() {
                let expected = golden["out"][i][j].as_f64().expect("iou") as f32;
                assert!((box_iou(&corners(a), &corners(b)) - expected).abs() < IOU_TOLERANCE);
            }
        }
    }

    #[test]
    fn thresholds_are_the_golden_ones() {
        let golden = golden("units.json");
        for (i, threshold) in IOU_THRESHOLDS.iter().enumerate() {
            let expected = golden["iouv"][i].as_f64().expect("threshold") as f32;
            assert!((threshold - expected).abs() <= f32::EPSILON);
        }
    }

    #[test]
    fn detections_are_correct_at_the_golden_thresholds() {
        for name in ["normal", "perfect", "ties", "no_labels", "no_dets"] {
            let case = Case::read(name);
            for (picture, (detections, labels)) in case.pictures.iter().enumerate() {
                // The golden's most significant of ten bits is IoU 0.5; ours is the least.
                let found: Vec<u64> = match_detections(detections, labels)
                    .iter()
                    .map(|bits| u64::from(bits.reverse_bits() >> 6))
                    .collect();
                let expected = &case.json["correct_bits_msb_is_iou50"][picture];
                let expected: Vec<u64> = expected
                    .as_array()
                    .expect("bits")
                    .iter()
                    .map(|bits| bits.as_u64().expect("bits"))
                    .collect();
                assert_eq!(found, expected, "{name}, picture {picture}");
            }
        }
    }

    #[test]
    fn at_each_threshold_a_box_belongs_to_its_most_confident_detection() {
        let detection = |x1: f32, confidence: f32| Detection {
            xyxy: [x1, 0.0, x1 + 10.0, 10.0],
            confidence,
            class: 0,
        };
        let labels = [(0, [0.0, 0.0, 10.0, 10.0]), (1, [0.0, 0.0, 10.0, 10.0])];
        let found = match_detections(&[detection(1.0, 0.9), detection(0.0, 0.8)], &labels);
        assert_eq!(found[0], 0b00_0111_1111, "IoU 9/11 reaches 0.5 … 0.8");
        assert_eq!(found[1], 0b11_1000_0000, "the closer box is left the rest");
    }

    #[test]
    fn boxes_without_area_overlap_nothing() {
        let empty = [5.0, 5.0, 5.0, 5.0];
        assert_eq!(box_iou(&empty, &empty), 0.0);
        assert_eq!(box_iou(&empty, &[0.0, 0.0, 10.0, 10.0]), 0.0);
    }
}
