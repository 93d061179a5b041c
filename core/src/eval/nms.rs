//! Non-maximum suppression: of boxes that cover the same object, the most confident one stays.

use super::Detection;
use super::matching::box_iou;

/// What NMS keeps (FACTS 5). The default is what detection on pictures uses.
#[derive(Debug, Clone, PartialEq)]
pub struct NmsOptions {
    /// Objectness and confidence must each be above this, strictly.
    pub conf: f32,
    /// A box is suppressed when its IoU with a more confident one is above this; an equal IoU is kept.
    pub iou: f32,
    /// Every class above `conf` makes a detection of its own, instead of the best class only.
    /// Without effect for one class.
    pub multi_label: bool,
    /// Boxes of different classes suppress each other too.
    pub agnostic: bool,
    /// Only these classes are kept; `None` keeps all.
    pub classes: Option<Vec<usize>>,
    /// Detections per picture.
    pub max_det: usize,
    /// Candidates per picture that enter suppression, the most confident ones.
    pub max_candidates: usize,
}

impl Default for NmsOptions {
    fn default() -> Self {
        Self {
            conf: 0.25,
            iou: 0.45,
            multi_label: false,
            agnostic: false,
            classes: None,
            max_det: 1000,
            max_candidates: 30_000,
        }
    }
}

/// Detections of one picture, most confident first; of equally confident ones the earlier row
/// (then the lower class) goes first.
///
/// `rows` is the decoded output `[N, 5 + nc]`: `cx, cy, w, h` in pixels, objectness, then class
/// probabilities (sigmoids already taken). An incomplete last row is ignored, and so is every row
/// whose scores are not numbers. Where the reference moves each class by 7680 px and lets f32 round
/// the boxes, classes are kept apart exactly here, and no time limit drops pictures.
pub fn nms(rows: &[f32], nc: usize, options: &NmsOptions) -> Vec<Detection> {
    suppress(candidates(rows, nc, options), nc, options)
}

/// [`nms`] from candidates in the order of their rows.
pub(super) fn suppress(
    mut candidates: Vec<Detection>,
    nc: usize,
    options: &NmsOptions,
) -> Vec<Detection> {
    // Stable, so that ties keep the order of the rows on every device.
    candidates.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    candidates.truncate(options.max_candidates);

    let mut kept: Vec<Detection> = Vec::new();
    let groups = if options.agnostic { 1 } else { nc };
    let mut kept_of_group: Vec<Vec<[f32; 4]>> = vec![Vec::new(); groups];
    for candidate in candidates {
        if kept.len() == options.max_det {
            break;
        }
        let group = if options.agnostic { 0 } else { candidate.class };
        let survivors = &mut kept_of_group[group];
        if survivors
            .iter()
            .all(|kept| box_iou(kept, &candidate.xyxy) <= options.iou)
        {
            survivors.push(candidate.xyxy);
            kept.push(candidate);
        }
    }
    kept
}

fn candidates(rows: &[f32], nc: usize, options: &NmsOptions) -> Vec<Detection> {
    let wanted: Vec<bool> = (0..nc)
        .map(|class| {
            options
                .classes
                .as_ref()
                .is_none_or(|classes| classes.contains(&class))
        })
        .collect();
    let multi_label = options.multi_label && nc > 1;
    let mut candidates = Vec::new();
    for row in rows.chunks_exact(5 + nc) {
        let objectness = row[4];
        if objectness.is_nan() || objectness <= options.conf {
            continue;
        }
        let xyxy = corners([row[0], row[1], row[2], row[3]]);
        let mut push = |class: usize, confidence: f32| {
            if confidence > options.conf && wanted[class] {
                candidates.push(Detection {
                    xyxy,
                    confidence,
                    class,
                });
            }
        };
        let confidences = row[5..].iter().map(|&probability| probability * objectness);
        if multi_label {
            for (class, confidence) in confidences.enumerate() {
                push(class, confidence);
            }
        } else {
            let mut best: Option<(usize, f32)> = None;
            for (class, confidence) in confidences.enumerate() {
                if best.is_none_or(|(_, highest)| confidence > highest) {
                    best = Some((class, confidence));
                }
            }
            if let Some((class, confidence)) = best {
                push(class, confidence);
            }
        }
    }
    candidates
}

pub(super) fn corners([cx, cy, w, h]: [f32; 4]) -> [f32; 4] {
    [cx - w / 2.0, cy - h / 2.0, cx + w / 2.0, cy + h / 2.0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/nms/");
    /// The golden boxes are rounded to 5 decimals, and the reference's class offset of up to
    /// 4 · 7680 leaves its IoUs, not its boxes, rounded: the boxes agree within that rounding.
    const BOX_TOLERANCE_PX: f32 = 6e-5;
    const CONFIDENCE_TOLERANCE: f32 = 6e-6;

    fn golden() -> Value {
        let text = std::fs::read_to_string(format!("{GOLDEN}nms.json")).expect("golden file");
        serde_json::from_str(&text).expect("json")
    }

    fn predictions() -> (Vec<f32>, [usize; 3]) {
        let bytes = std::fs::read(format!("{GOLDEN}pred_3x500x10.safetensors")).expect("golden");
        let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
        let (_, view) = tensors.iter().next().expect("one tensor");
        let values = view
            .data()
            .as_chunks::<4>()
            .0
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect();
        (values, view.shape().try_into().expect("three dimensions"))
    }

    fn options(case: &Value) -> NmsOptions {
        let kw = &case["kw"];
        let flag = |name: &str| kw[name].as_bool().unwrap_or(false);
        NmsOptions {
            conf: case["conf"].as_f64().expect("conf") as f32,
            iou: case["iou"].as_f64().expect("iou") as f32,
            multi_label: flag("multi_label"),
            agnostic: flag("agnostic"),
            classes: kw["classes"].as_array().map(|classes| {
                let class = |c: &Value| c.as_u64().expect("class") as usize;
                classes.iter().map(class).collect()
            }),
            max_det: kw["max_det"].as_u64().expect("max_det") as usize,
            ..NmsOptions::default()
        }
    }

    fn numbers(value: &Value) -> Vec<f32> {
        let number = |v: &Value| v.as_f64().expect("number") as f32;
        value.as_array().expect("list").iter().map(number).collect()
    }

    fn assert_equal(found: &[Detection], expected: &Value, case: &str) {
        let expected = expected.as_array().expect("detections");
        assert_eq!(found.len(), expected.len(), "{case}");
        for (found, expected) in found.iter().zip(expected) {
            let expected = numbers(expected);
            for (a, b) in found.xyxy.iter().zip(&expected) {
                assert!((a - b).abs() <= BOX_TOLERANCE_PX, "{case}: {found:?}");
            }
            assert!((found.confidence - expected[4]).abs() <= CONFIDENCE_TOLERANCE);
            assert_eq!(found.class as f32, expected[5], "{case}");
        }
    }

    #[test]
    fn random_predictions_give_the_golden_detections() {
        let (values, [pictures, n, width]) = predictions();
        let golden = golden();
        let mut checked = 0;
        for (index, case) in golden["cases"]
            .as_array()
            .expect("cases")
            .iter()
            .enumerate()
        {
            // Labels as extra candidates and hand-made rows are no random predictions.
            if case["kw"].get("special").is_some() || case["kw"].get("labels_cls_xywh").is_some() {
                continue;
            }
            let one_class = case["kw"].get("note").is_some();
            for picture in 0..pictures {
                let rows = &values[picture * n * width..][..n * width];
                let found = if one_class {
                    let narrow: Vec<f32> = rows
                        .chunks_exact(width)
                        .flat_map(|row| row[..6].to_vec())
                        .collect();
                    nms(&narrow, 1, &options(case))
                } else {
                    nms(rows, width - 5, &options(case))
                };
                assert_equal(&found, &case["dets"][picture], &format!("case {index}"));
                checked += found.len();
            }
        }
        assert!(checked > 1000, "only {checked} detections were compared");
    }

    #[test]
    fn hand_made_ties_give_the_golden_detections_and_keep_the_order_of_the_rows() {
        for case in golden()["cases"].as_array().expect("cases") {
            if case["kw"].get("special").is_none() {
                continue;
            }
            let rows: Vec<f32> = case["input"][0]
                .as_array()
                .expect("rows")
                .iter()
                .flat_map(numbers)
                .collect();
            let found = nms(&rows, 2, &options(case));
            // Among equals ours is row order, then class order, which the golden happens to show.
            assert_equal(&found, &case["dets"][0], "ties");
        }
    }

    #[test]
    fn an_equal_iou_is_kept_and_a_greater_one_is_suppressed() {
        // Two 2×1 boxes that share a 1×1 square: IoU 1/3 exactly as f32 divides it.
        let rows = [1.0, 0.5, 2.0, 1.0, 0.9, 1.0, 2.0, 0.5, 2.0, 1.0, 0.8, 1.0];
        let at = |iou: f32| {
            let options = NmsOptions {
                iou,
                ..NmsOptions::default()
            };
            nms(&rows, 1, &options).len()
        };
        assert_eq!(at(1.0 / 3.0), 2);
        assert_eq!(at(0.333), 1);
    }

    #[test]
    fn scores_equal_to_the_threshold_are_dropped() {
        let row = |objectness: f32, class: f32| [10.0, 10.0, 4.0, 4.0, objectness, class];
        let options = NmsOptions::default();
        assert!(nms(&row(0.25, 1.0), 1, &options).is_empty());
        assert!(nms(&row(0.5, 0.5), 1, &options).is_empty());
        assert_eq!(nms(&row(0.5, 0.51), 1, &options).len(), 1);
    }

    #[test]
    fn broken_rows_are_ignored() {
        let nan = f32::NAN;
        let rows = [1.0, 1.0, 2.0, 2.0, nan, 1.0, 1.0, 1.0, 2.0, 2.0, 0.9, nan];
        assert!(nms(&rows, 1, &NmsOptions::default()).is_empty());
        assert!(nms(&rows[..3], 1, &NmsOptions::default()).is_empty());
        assert!(nms(&[], 80, &NmsOptions::default()).is_empty());
        assert!(nms(&[0.0; 10], 0, &NmsOptions::default()).is_empty());
        let endless = [f32::INFINITY, 1.0, f32::INFINITY, 2.0, 0.9, 0.9];
        assert!(nms(&endless, 1, &NmsOptions::default()).len() <= 1);
    }

    #[test]
    fn only_the_most_confident_candidates_enter() {
        let rows: Vec<f32> = (0..10_u8)
            .flat_map(|i| {
                let x = f32::from(i) * 20.0;
                [x, 5.0, 4.0, 4.0, 0.3 + f32::from(i) * 0.05, 1.0]
            })
            .collect();
        let options = NmsOptions {
            max_candidates: 3,
            ..NmsOptions::default()
        };
        let found = nms(&rows, 1, &options);
        assert_eq!(found.len(), 3);
        assert_eq!(found[0].xyxy[0], 178.0);
    }
}
