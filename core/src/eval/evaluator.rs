//! Precision, recall and average precision of a whole data set.

use serde::Serialize;

use super::Detection;
use super::average_precision::{
    argmax, average_precision, envelope, interpolate, smooth, unit_grid,
};
use super::matching::{IOU_THRESHOLDS, match_detections};

/// Points of confidence (and of recall) at which the curves are read.
const CURVE_POINTS: usize = 1000;
/// The part of the F1 curve over which it is smoothed before its maximum is taken.
const F1_SMOOTHING: f64 = 0.1;
/// Keeps divisions by empty counts at 0, as in the reference.
const EPSILON: f64 = 1e-16;

/// What a detector reached on a data set. Every number is in `0..=1` and none is NaN: without labels or
/// without detections they are 0.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Metrics {
    /// Mean precision over the classes, at the confidence where the smoothed mean F1 is greatest.
    pub precision: f64,
    /// Mean recall there.
    pub recall: f64,
    /// Mean average precision at IoU 0.5.
    pub map50: f64,
    /// Mean average precision over IoU 0.5 … 0.95.
    pub map: f64,
    /// `0.1 · map50 + 0.9 · map`, what the best weights are chosen by.
    pub fitness: f64,
    /// The confidence at which precision and recall are given.
    pub confidence: f64,
    /// One entry for each class that has labels, by class index.
    pub per_class: Vec<ClassMetrics>,
    /// For the plots.
    pub curves: Curves,
    /// Pictures.
    pub seen: usize,
    /// Labelled boxes.
    pub labels: usize,
}

/// What a detector reached on one class.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ClassMetrics {
    /// Class index.
    pub class: usize,
    /// Labelled boxes of this class.
    pub labels: usize,
    /// Pictures with such a box.
    pub pictures: usize,
    /// Precision at [`Metrics::confidence`].
    pub p: f64,
    /// Recall there.
    pub r: f64,
    /// F1 there.
    pub f1: f64,
    /// Detections there that found a box at IoU 0.5.
    pub true_positives: usize,
    /// Detections there that found none.
    pub false_positives: usize,
    /// Average precision at IoU 0.5.
    pub ap50: f64,
    /// Average precision over IoU 0.5 … 0.95.
    pub ap: f64,
}

/// Curves at IoU 0.5: for each class of [`Metrics::per_class`], in that order, a value for each entry
/// of `grid`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Curves {
    /// 1000 even steps from 0 to 1: the confidence, or for `precision_of_recall` the recall.
    pub grid: Vec<f64>,
    /// Precision envelope over recall.
    pub precision_of_recall: Vec<Vec<f64>>,
    /// F1 over confidence.
    pub f1: Vec<Vec<f64>>,
    /// Precision over confidence.
    pub precision: Vec<Vec<f64>>,
    /// Recall over confidence.
    pub recall: Vec<Vec<f64>>,
}

/// Collects the pictures of a data set one by one and sums them up at the end.
///
/// ```
/// use frostline::eval::{Detection, Evaluator};
///
/// let mut evaluator = Evaluator::new(2);
/// let found = Detection { xyxy: [10.0, 10.0, 50.0, 40.0], confidence: 0.9, class: 1 };
/// evaluator.push(&[found], &[(1, [11.0, 10.0, 50.0, 41.0])]);
/// let metrics = evaluator.finish();
/// assert_eq!((metrics.seen, metrics.labels), (1, 1));
/// assert!(metrics.map50 > 0.99);
/// ```
#[derive(Debug, Clone)]
pub struct Evaluator {
    /// Confidence and correctness bits of every detection, per class, in the order they came.
    ranked: Vec<Vec<(f32, u16)>>,
    labels: Vec<usize>,
    pictures: Vec<usize>,
    seen: usize,
}

impl Evaluator {
    /// For `nc` classes. Boxes of a class beyond that make room for themselves.
    pub fn new(nc: usize) -> Self {
        Self {
            ranked: vec![Vec::new(); nc],
            labels: vec![0; nc],
            pictures: vec![0; nc],
            seen: 0,
        }
    }

    /// Adds a picture: its detections, most confident first, and its labels (class and corners
    /// `[x1, y1, x2, y2]`), both in pixels of the original picture.
    pub fn push(&mut self, detections: &[Detection], labels: &[(usize, [f32; 4])]) {
        self.seen += 1;
        let mut in_this_picture = vec![false; self.labels.len()];
        for &(class, _) in labels {
            self.make_room(class);
            if in_this_picture.len() <= class {
                in_this_picture.resize(class + 1, false);
            }
            self.labels[class] += 1;
            if !std::mem::replace(&mut in_this_picture[class], true) {
                self.pictures[class] += 1;
            }
        }
        let correct = match_detections(detections, labels);
        for (detection, correct) in detections.iter().zip(correct) {
            self.make_room(detection.class);
            self.ranked[detection.class].push((detection.confidence, correct));
        }
    }

    fn make_room(&mut self, class: usize) {
        if class >= self.labels.len() {
            self.ranked.resize(class + 1, Vec::new());
            self.labels.resize(class + 1, 0);
            self.pictures.resize(class + 1, 0);
        }
    }

    /// Sums up. Equally confident detections rank in the order they came, where the reference's order
    /// is left to its sort.
    pub fn finish(mut self) -> Metrics {
        let grid = unit_grid(CURVE_POINTS);
        let present: Vec<usize> = (0..self.labels.len())
            .filter(|&class| self.labels[class] > 0)
            .collect();
        let classes: Vec<RankedClass> = present
            .iter()
            .map(|&class| {
                let mut ranked = std::mem::take(&mut self.ranked[class]);
                ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
                RankedClass::new(&ranked, self.labels[class], &grid)
            })
            .collect();

        let mean_f1: Vec<f64> = (0..grid.len())
            .map(|i| mean(classes.iter().map(|class| class.f1[i])))
            .collect();
        let at = argmax(&smooth(&mean_f1, F1_SMOOTHING));
        let per_class: Vec<ClassMetrics> = present
            .iter()
            .zip(&classes)
            .map(|(&class, ranked)| ranked.at(at, class, self.labels[class], self.pictures[class]))
            .collect();

        let map50 = mean(per_class.iter().map(|class| class.ap50));
        let map = mean(per_class.iter().map(|class| class.ap));
        let mut curves = Curves {
            grid,
            ..Curves::default()
        };
        let confidence = if classes.is_empty() {
            0.0
        } else {
            curves.grid[at]
        };
        for class in classes {
            curves.precision_of_recall.push(class.precision_of_recall);
            curves.f1.push(class.f1);
            curves.precision.push(class.precision);
            curves.recall.push(class.recall);
        }
        Metrics {
            precision: mean(per_class.iter().map(|class| class.p)),
            recall: mean(per_class.iter().map(|class| class.r)),
            map50,
            map,
            fitness: 0.1 * map50 + 0.9 * map,
            confidence,
            seen: self.seen,
            labels: self.labels.iter().sum(),
            per_class,
            curves,
        }
    }
}

/// A class's ranked detections, read at the points of the grid.
struct RankedClass {
    ap: [f64; IOU_THRESHOLDS.len()],
    precision_of_recall: Vec<f64>,
    f1: Vec<f64>,
    precision: Vec<f64>,
    recall: Vec<f64>,
}

impl RankedClass {
    fn new(ranked: &[(f32, u16)], labels: usize, grid: &[f64]) -> Self {
        let mut ap = [0.0; IOU_THRESHOLDS.len()];
        if ranked.is_empty() {
            let zeros = vec![0.0; grid.len()];
            return Self {
                ap,
                precision_of_recall: zeros.clone(),
                f1: zeros.clone(),
                precision: zeros.clone(),
                recall: zeros,
            };
        }
        for (threshold, ap) in ap.iter_mut().enumerate().skip(1) {
            let (recall, precision) = cumulate(ranked, labels, threshold);
            *ap = average_precision(&recall, &precision);
        }
        let (recall, precision) = cumulate(ranked, labels, 0);
        ap[0] = average_precision(&recall, &precision);
        let (envelope_r, envelope_p) = envelope(&recall, &precision);
        let precision_of_recall = grid
            .iter()
            .map(|&x| interpolate(x, &envelope_r, &envelope_p, 1.0))
            .collect();

        // Confidence falls along the ranks, so it is read backwards, negated.
        let ranks: Vec<f64> = ranked.iter().map(|(c, _)| -f64::from(*c)).collect();
        let read = |values: &[f64], beyond: f64| -> Vec<f64> {
            grid.iter()
                .map(|&confidence| interpolate(-confidence, &ranks, values, beyond))
                .collect()
        };
        let recall = read(&recall, 0.0);
        let precision = read(&precision, 1.0);
        let f1 = recall
            .iter()
            .zip(&precision)
            .map(|(r, p)| 2.0 * p * r / (p + r + EPSILON))
            .collect();
        Self {
            ap,
            precision_of_recall,
            f1,
            precision,
            recall,
        }
    }

    fn at(&self, index: usize, class: usize, labels: usize, pictures: usize) -> ClassMetrics {
        let (p, r) = (self.precision[index], self.recall[index]);
        let true_positives = (r * labels as f64).round_ties_even();
        let false_positives = (true_positives / (p + EPSILON) - true_positives).round_ties_even();
        ClassMetrics {
            class,
            labels,
            pictures,
            p,
            r,
            f1: self.f1[index],
            true_positives: true_positives as usize,
            false_positives: false_positives as usize,
            ap50: self.ap[0],
            ap: mean(self.ap.iter().copied()),
        }
    }
}

/// Recall and precision of the ranked list cut after its first, second, … detection.
fn cumulate(ranked: &[(f32, u16)], labels: usize, threshold: usize) -> (Vec<f64>, Vec<f64>) {
    let mut found = 0.0;
    ranked
        .iter()
        .enumerate()
        .map(|(rank, (_, correct))| {
            found += f64::from((correct >> threshold) & 1);
            (found / (labels as f64 + EPSILON), found / (rank + 1) as f64)
        })
        .unzip()
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len();
    if n == 0 {
        0.0
    } else {
        values.sum::<f64>() / n as f64
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::Value;

    /// Sums of f64 in another order than the reference's.
    const TOLERANCE: f64 = 1e-9;

    pub(in crate::eval) fn golden(file: &str) -> Value {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/");
        let path = if file.contains('/') {
            format!("{folder}{file}")
        } else {
            format!("{folder}map/{file}")
        };
        let text = std::fs::read_to_string(path).expect("golden file");
        serde_json::from_str(&text).expect("json")
    }

    pub(in crate::eval) fn numbers(value: &Value) -> Vec<f64> {
        let number = |v: &Value| v.as_f64().expect("number");
        value.as_array().expect("list").iter().map(number).collect()
    }

    type Picture = (Vec<Detection>, Vec<(usize, [f32; 4])>);

    pub(in crate::eval) struct Case {
        pub json: Value,
        pub nc: usize,
        pub pictures: Vec<Picture>,
    }

    impl Case {
        pub(in crate::eval) fn read(name: &str) -> Self {
            let json = golden(&format!("case_{name}.json"));
            let list = |key: &str| json[key].as_array().expect("list").clone();
            let pictures = list("detections_xyxy_conf_cls")
                .iter()
                .zip(list("labels_cls_xyxy"))
                .map(|(detections, labels)| {
                    let rows = |v: &Value| -> Vec<Vec<f64>> {
                        v.as_array().expect("rows").iter().map(numbers).collect()
                    };
                    let detections = rows(detections)
                        .iter()
                        .map(|row| Detection {
                            xyxy: std::array::from_fn(|i| row[i] as f32),
                            confidence: row[4] as f32,
                            class: row[5] as usize,
                        })
                        .collect();
                    let labels = rows(&labels)
                        .iter()
                        .map(|row| (row[0] as usize, std::array::from_fn(|i| row[i + 1] as f32)))
                        .collect();
                    (detections, labels)
                })
                .collect();
            let nc = json["nc"].as_u64().expect("nc") as usize;
            Self { json, nc, pictures }
        }

        fn metrics(&self) -> Metrics {
            let mut evaluator = Evaluator::new(self.nc);
            for (detections, labels) in &self.pictures {
                evaluator.push(detections, labels);
            }
            evaluator.finish()
        }
    }

    fn assert_close(found: impl Iterator<Item = f64>, expected: &Value, what: &str) {
        let found: Vec<f64> = found.collect();
        let expected = numbers(expected);
        assert_eq!(found.len(), expected.len(), "{what}");
        for (found, expected) in found.iter().zip(&expected) {
            assert!(
                (found - expected).abs() < TOLERANCE,
                "{what}: {found}, golden {expected}"
            );
        }
    }

    fn assert_number(found: f64, expected: &Value, what: &str) {
        let expected = Value::from(vec![expected.as_f64().expect("number")]);
        assert_close(std::iter::once(found), &expected, what);
    }

    #[test]
    fn precision_recall_and_counts_are_the_golden_ones() {
        for name in ["normal", "perfect"] {
            let case = Case::read(name);
            let (found, json) = (case.metrics(), &case.json);
            let classes = || found.per_class.iter();
            assert_close(classes().map(|c| c.class as f64), &json["classes"], "class");
            assert_close(classes().map(|c| c.p), &json["P"], "P");
            assert_close(classes().map(|c| c.r), &json["R"], "R");
            assert_close(classes().map(|c| c.f1), &json["F1"], "F1");
            assert_close(
                classes().map(|c| c.true_positives as f64),
                &json["tp"],
                "tp",
            );
            assert_close(
                classes().map(|c| c.false_positives as f64),
                &json["fp"],
                "fp",
            );
            assert_number(found.precision, &json["mp"], "mp");
            assert_number(found.recall, &json["mr"], "mr");
        }
    }

    #[test]
    fn a_perfect_detector_has_the_golden_average_precision() {
        let case = Case::read("perfect");
        let (found, json) = (case.metrics(), &case.json);
        assert_close(
            found.per_class.iter().map(|c| c.ap50),
            &json["ap50"],
            "ap50",
        );
        assert_close(found.per_class.iter().map(|c| c.ap), &json["ap5095"], "ap");
        assert_number(found.map50, &json["map50"], "map50");
        assert_number(found.map, &json["map"], "map");
        assert_number(found.fitness, &json["fitness"], "fitness");
    }

    #[test]
    fn golden_average_precision_lies_between_the_extreme_orders_of_ties() {
        // The golden numbers come from an unstable sort, and this case has a few equal confidences.
        let case = Case::read("normal");
        let mut ranked = vec![Vec::new(); case.nc];
        let mut labels = vec![0; case.nc];
        for (detections, boxes) in &case.pictures {
            boxes.iter().for_each(|(class, _)| labels[*class] += 1);
            for (d, bits) in detections.iter().zip(match_detections(detections, boxes)) {
                ranked[d.class].push((d.confidence, bits));
            }
        }
        let mut exact = 0;
        for (class, expected) in case.json["ap"].as_array().expect("ap").iter().enumerate() {
            for (threshold, expected) in numbers(expected).into_iter().enumerate() {
                let mut ap_when = |correct_first: bool| {
                    let ranked = &mut ranked[class];
                    ranked.sort_by_key(|(_, bits)| ((bits >> threshold) & 1 == 1) != correct_first);
                    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
                    let (recall, precision) = cumulate(ranked, labels[class], threshold);
                    average_precision(&recall, &precision)
                };
                let (least, most) = (ap_when(false), ap_when(true));
                assert!(
                    (least - TOLERANCE..=most + TOLERANCE).contains(&expected),
                    "class {class}, threshold {threshold}: {least}..={most}, golden {expected}"
                );
                exact += usize::from(most - least < TOLERANCE);
            }
        }
        assert!(
            exact > 5,
            "ties leave only {exact} of 30 values to compare exactly"
        );
    }

    #[test]
    fn ties_rank_in_the_order_they_came() {
        let expected = &golden("extra/extra.json")["ap_ties_stable_sort"];
        let found = Case::read("ties").metrics();
        let classes = || found.per_class.iter();
        assert_close(classes().map(|c| c.ap50), &expected["ap50_stable"], "ap50");
        assert_close(classes().map(|c| c.ap), &expected["ap_stable"], "ap");
        assert_close(classes().map(|c| c.p), &expected["P"], "P");
        assert_close(classes().map(|c| c.r), &expected["R"], "R");
    }

    #[test]
    fn nothing_labelled_and_nothing_detected_are_zeros_and_never_nan() {
        for (case, labels) in [
            (Case::read("no_labels"), false),
            (Case::read("no_dets"), true),
        ] {
            let found = case.metrics();
            assert_eq!(found.seen, case.pictures.len());
            assert_eq!(found.labels > 0, labels);
            for value in [found.precision, found.recall, found.map50, found.map] {
                assert_eq!(value, 0.0);
            }
            assert_eq!(found.per_class.is_empty(), !labels);
            assert_eq!(found.curves.f1.len(), found.per_class.len());
            for class in &found.per_class {
                assert_eq!((class.true_positives, class.false_positives), (0, 0));
            }
        }
        assert_eq!(Evaluator::new(0).finish().fitness, 0.0);
    }

    #[test]
    fn only_wrong_detections_have_zero_precision() {
        let mut evaluator = Evaluator::new(1);
        let wrong = Detection {
            xyxy: [100.0, 100.0, 120.0, 120.0],
            confidence: 0.7,
            class: 0,
        };
        evaluator.push(&[wrong], &[(0, [0.0, 0.0, 20.0, 20.0])]);
        let found = evaluator.finish();
        assert_eq!(
            (found.precision, found.recall, found.map50),
            (0.0, 0.0, 0.0)
        );
    }

    #[test]
    fn a_class_beyond_the_names_is_counted_and_no_panic() {
        let mut evaluator = Evaluator::new(1);
        let detection = Detection {
            xyxy: [0.0, 0.0, 9.0, 9.0],
            confidence: 0.7,
            class: 4,
        };
        evaluator.push(&[detection], &[(3, [0.0, 0.0, 9.0, 9.0])]);
        assert_eq!(evaluator.finish().per_class[0].class, 3);
    }

    #[test]
    fn the_curves_have_a_value_for_every_point() {
        let found = Case::read("normal").metrics();
        assert_eq!(found.curves.grid.len(), CURVE_POINTS);
        for curves in [
            &found.curves.precision_of_recall,
            &found.curves.f1,
            &found.curves.precision,
            &found.curves.recall,
        ] {
            assert_eq!(curves.len(), found.per_class.len());
            for value in curves.iter().flatten() {
                assert!((0.0..=1.0).contains(value));
            }
        }
        let falls = |curve: &Vec<f64>| curve.windows(2).all(|pair| pair[1] <= pair[0] + 1e-12);
        assert!(found.curves.precision_of_recall.iter().all(falls));
        assert!(found.curves.recall.iter().all(falls));
    }
}
