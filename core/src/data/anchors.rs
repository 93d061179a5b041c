//! Do the anchors fit the boxes, and if not, which would (FACTS 6: autoanchor).

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::augment::uniform;
use super::kmeans::kmeans;
use super::{Label, Source};

/// Anchors are kept when more than this part of the boxes can be recalled.
const GOOD_RECALL: f64 = 0.98;
/// Generations of the genetic search.
pub const GENERATIONS: usize = 1000;
/// No anchor is smaller than this, in pixels.
const MIN_SIDE_PX: f32 = 2.0;
/// The search looks at this many boxes at most; more do not move the result.
const SEARCHED_BOXES: usize = 50_000;

/// How well anchors fit boxes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AnchorFit {
    /// Best possible recall: the part of boxes with an anchor within the threshold.
    pub bpr: f64,
    /// Anchors above the threshold per box.
    pub aat: f64,
    /// Mean over the boxes of the best anchor's ratio, counting only recalled boxes.
    pub fitness: f64,
}

/// What [`autoanchor`] found.
#[derive(Debug, Clone, PartialEq)]
pub struct AnchorReport {
    /// Boxes looked at.
    pub boxes: usize,
    /// Fit of the given anchors.
    pub before: AnchorFit,
    /// Fit of the anchors found, when a search took place.
    pub after: Option<AnchorFit>,
    /// The anchors to use, `[scale][anchor] = [w, h]` in pixels.
    pub anchors: Vec<Vec<[f32; 2]>>,
    /// Whether they are new.
    pub replaced: bool,
}

/// Sizes `[w, h]` of all boxes in pixels of pictures whose longer side is `imgsz`. `growth` is asked
/// once per picture for a factor; the reference draws it from 0.9–1.1, as training will.
pub fn box_sizes<'a>(
    pictures: impl IntoIterator<Item = ([usize; 2], &'a [Label])>,
    imgsz: usize,
    mut growth: impl FnMut() -> f64,
) -> Vec<[f32; 2]> {
    let mut sizes = Vec::new();
    for (size, labels) in pictures {
        let longer = size[0].max(size[1]).max(1) as f64;
        let factor = imgsz as f64 / longer * growth();
        let scaled = size.map(|side| side as f64 * factor);
        sizes.extend(labels.iter().map(|label| {
            let [_, _, w, h] = label.cxcywh.map(f64::from);
            [(w * scaled[0]) as f32, (h * scaled[1]) as f32]
        }));
    }
    sizes
}

/// The worse of the two sides' ratios between a box and an anchor, at most 1.
#[inline]
fn side_ratio(size: [f32; 2], anchor: [f32; 2]) -> f32 {
    let ratio = [size[0] / anchor[0], size[1] / anchor[1]];
    let worse = ratio.map(|r| r.min(1.0 / r));
    worse[0].min(worse[1])
}

/// How well anchors (in pixels) fit boxes (in pixels); `threshold` is the hyperparameter `anchor_t`.
/// Without boxes everything is 0.
pub fn anchor_fit(sizes: &[[f32; 2]], anchors: &[[f32; 2]], threshold: f64) -> AnchorFit {
    let least = (1.0 / threshold) as f32;
    let (mut recalled, mut above, mut fitness) = (0usize, 0usize, 0f64);
    for &size in sizes {
        let mut best = 0f32;
        for &anchor in anchors {
            let ratio = side_ratio(size, anchor);
            above += usize::from(ratio > least);
            best = best.max(ratio);
        }
        if best > least {
            recalled += 1;
            fitness += f64::from(best);
        }
    }
    let count = sizes.len().max(1) as f64;
    AnchorFit {
        bpr: recalled as f64 / count,
        aat: above as f64 / count,
        fitness: fitness / count,
    }
}

/// The mean best ratio over recalled boxes; what the search maximises.
fn fitness(sizes: &[[f32; 2]], anchors: &[[f32; 2]], least: f32) -> f64 {
    let best = sizes.iter().map(|&size| {
        anchors
            .iter()
            .fold(0f32, |best, &anchor| best.max(side_ratio(size, anchor)))
    });
    let recalled = best.filter(|&best| best > least).map(f64::from);
    recalled.sum::<f64>() / sizes.len().max(1) as f64
}

/// Finds `count` anchors for the boxes: k-means, then a genetic search over `generations`
/// mutations. Sorted by area. `None` when there are too few different boxes.
pub fn search_anchors(
    sizes: &[[f32; 2]],
    count: usize,
    threshold: f64,
    generations: usize,
    rng: &mut ChaCha8Rng,
) -> Option<Vec<[f32; 2]>> {
    let step = sizes.len().div_ceil(SEARCHED_BOXES).max(1);
    let usable = |size: &[f32; 2]| size.iter().any(|&side| side >= MIN_SIDE_PX);
    let positive = |size: &[f32; 2]| size.iter().all(|&side| side > 0.0 && side.is_finite());
    let sizes: Vec<[f32; 2]> = sizes
        .iter()
        .step_by(step)
        .filter(|size| usable(size) && positive(size))
        .copied()
        .collect();
    let least = (1.0 / threshold) as f32;
    let mut anchors = kmeans(&sizes, count, rng)?;
    sort_by_area(&mut anchors);
    let mut best = fitness(&sizes, &anchors, least);
    for _ in 0..generations {
        let mutated = mutate(&anchors, rng);
        let now = fitness(&sizes, &mutated, least);
        if now > best {
            best = now;
            anchors = mutated;
        }
    }
    sort_by_area(&mut anchors);
    Some(anchors)
}

fn sort_by_area(anchors: &mut [[f32; 2]]) {
    anchors.sort_by(|a, b| (a[0] * a[1]).total_cmp(&(b[0] * b[1])));
}

/// Changes most sides by some per cent, all by a common strength.
fn mutate(anchors: &[[f32; 2]], rng: &mut ChaCha8Rng) -> Vec<[f32; 2]> {
    const PROBABILITY: f64 = 0.9;
    const SIGMA: f64 = 0.1;
    let strength = rng.random::<f64>() * SIGMA;
    let mut side = |side: f32| {
        let changes = rng.random::<f64>() < PROBABILITY;
        let change = (1.0 + strength * normal(rng)).clamp(0.3, 3.0);
        let factor = if changes { change } else { 1.0 };
        (side * factor as f32).max(MIN_SIDE_PX)
    };
    anchors.iter().map(|&[w, h]| [side(w), side(h)]).collect()
}

/// A standard normal number (Box and Muller).
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    // 1 − u lies in (0, 1], so that the logarithm is finite.
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

/// Checks the anchors against a data set's boxes; when too few boxes can be recalled, searches for
/// better ones and takes them only if they recall more. `anchors` are `[scale][anchor] = [w, h]` in
/// pixels, small scales first; `threshold` is the hyperparameter `anchor_t`.
pub fn autoanchor(
    source: &dyn Source,
    imgsz: usize,
    anchors: &[Vec<[f32; 2]>],
    threshold: f64,
    rng: &mut ChaCha8Rng,
) -> AnchorReport {
    let pictures = |index| (source.original_size(index), source.labels(index));
    let sizes = box_sizes((0..source.len()).map(pictures), imgsz, || {
        uniform(rng, 0.9, 1.1)
    });
    let given: Vec<[f32; 2]> = anchors.iter().flatten().copied().collect();
    let before = anchor_fit(&sizes, &given, threshold);
    let mut report = AnchorReport {
        boxes: sizes.len(),
        before,
        after: None,
        anchors: anchors.to_vec(),
        replaced: false,
    };
    if before.bpr > GOOD_RECALL {
        return report;
    }
    // The search sees the boxes as they are; both fits are measured with the check's growth.
    let plain = box_sizes((0..source.len()).map(pictures), imgsz, || 1.0);
    let found = search_anchors(&plain, given.len(), threshold, GENERATIONS, rng);
    let Some(found) = found else {
        return report;
    };
    let after = anchor_fit(&sizes, &found, threshold);
    report.after = Some(after);
    if after.bpr > before.bpr {
        let mut found = found.into_iter();
        for scale in &mut report.anchors {
            for (anchor, new) in scale.iter_mut().zip(&mut found) {
                *anchor = new;
            }
        }
        report.replaced = true;
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::golden;
    use rand::SeedableRng;
    use serde_json::Value;

    /// Counts over some hundred boxes, kept by the reference in 32 bits.
    const TOLERANCE: f64 = 1e-6;

    fn sizes_of(shapes: &Value) -> Vec<[usize; 2]> {
        golden::rows(shapes)
            .iter()
            .map(|size| [size[0] as usize, size[1] as usize])
            .collect()
    }

    fn boxes(case: &Value, labels: &Value, growth: Option<&Value>) -> Vec<[f32; 2]> {
        let labels = golden::label_lists(labels);
        let sizes = sizes_of(&case["shapes_wh"]);
        let pictures = sizes.into_iter().zip(labels.iter().map(Vec::as_slice));
        let growth = growth.map(golden::rows).unwrap_or_default();
        let mut growth = growth.iter().map(|row| row[0]);
        box_sizes(pictures, 640, || growth.next().unwrap_or(1.0))
    }

    fn anchors_of(value: &Value) -> Vec<[f32; 2]> {
        golden::rows(value)
            .iter()
            .map(|anchor| [anchor[0] as f32, anchor[1] as f32])
            .collect()
    }

    #[test]
    fn recall_and_anchors_above_threshold_equal_the_reference() {
        let golden = golden::json("extra/extra.json");
        let case = &golden["autoanchor"];
        let labels = &golden["class_weights"]["labels"];
        let sizes = boxes(case, labels, Some(&case["scale"]));
        let anchors = anchors_of(&case["anchors_px"]);
        for result in case["results"].as_array().unwrap() {
            let number = |name: &str| result[name].as_f64().unwrap();
            let multiplier = number("wh_multiplier") as f32;
            let sizes: Vec<_> = sizes
                .iter()
                .map(|s| s.map(|side| side * multiplier))
                .collect();
            let found = anchor_fit(&sizes, &anchors, number("thr"));
            assert!(
                (found.bpr - number("bpr")).abs() < TOLERANCE,
                "{found:?} {result}"
            );
            assert!(
                (found.aat - number("aat")).abs() < TOLERANCE,
                "{found:?} {result}"
            );
        }
    }

    #[test]
    fn fit_equals_the_reference_and_the_search_is_as_good() {
        let golden = golden::json("extra/extra.json");
        let case = &golden["kmean_anchors"];
        let sizes = boxes(case, &case["labels"], None);
        let yolov5 = anchors_of(&golden["autoanchor"]["anchors_px"]);
        let reference = anchors_of(&case["result"]);
        for (anchors, name) in [
            (yolov5, "quality_default_anchors"),
            (reference, "quality_result"),
        ] {
            let found = anchor_fit(&sizes, &anchors, 4.0);
            let number = |field: &str| case[name][field].as_f64().unwrap();
            assert!(
                (found.bpr - number("bpr")).abs() < TOLERANCE,
                "{name} {found:?}"
            );
            assert!(
                (found.aat - number("aat")).abs() < TOLERANCE,
                "{name} {found:?}"
            );
            assert!(
                (found.fitness - number("fitness")).abs() < TOLERANCE,
                "{name} {found:?}"
            );
        }
        // The search is random: its end depends on the start that k-means finds.
        const SLACK: f64 = 0.005;
        let least = case["quality_result"]["fitness"].as_f64().unwrap() - SLACK;
        for seed in 0..3 {
            let rng = &mut ChaCha8Rng::seed_from_u64(seed);
            let found = search_anchors(&sizes, 9, 4.0, GENERATIONS, rng).expect("anchors");
            let fit = anchor_fit(&sizes, &found, 4.0);
            assert!(fit.fitness > least, "seed {seed}: {fit:?}");
            assert!(found.is_sorted_by(|a, b| a[0] * a[1] <= b[0] * b[1]));
        }
    }

    #[test]
    fn few_equal_or_no_boxes_have_no_better_anchors() {
        let rng = &mut ChaCha8Rng::seed_from_u64(0);
        assert_eq!(search_anchors(&[], 9, 4.0, 10, rng), None);
        assert_eq!(search_anchors(&[[10.0, 0.0]; 50], 9, 4.0, 10, rng), None);
        let fit = anchor_fit(&[], &[[10.0, 13.0]], 4.0);
        assert_eq!((fit.bpr, fit.aat, fit.fitness), (0.0, 0.0, 0.0));
    }

    struct Tiny(Vec<Label>);

    impl Source for Tiny {
        fn len(&self) -> usize {
            40
        }
        fn picture(&self, _: usize) -> crate::Result<std::sync::Arc<crate::data::Picture>> {
            unreachable!("anchors need no pixels")
        }
        fn labels(&self, index: usize) -> &[Label] {
            &self.0[index * 5..][..5]
        }
        fn path(&self, _: usize) -> &std::path::Path {
            std::path::Path::new("tiny")
        }
        fn original_size(&self, _: usize) -> [usize; 2] {
            [640, 480]
        }
    }

    /// 200 boxes whose sides are fractions of the picture from `low` to `2 · low`.
    fn tiny(low: f64) -> Tiny {
        let rng = &mut ChaCha8Rng::seed_from_u64(9);
        let mut side = || uniform(rng, low, 2.0 * low) as f32;
        let label = |_| Label {
            class: 0,
            cxcywh: [0.5, 0.5, side(), side()],
        };
        Tiny((0..200).map(label).collect())
    }

    #[test]
    fn anchors_that_fit_are_kept_and_others_replaced_in_their_scales() {
        let golden = golden::json("extra/extra.json");
        let yolov5 = anchors_of(&golden["autoanchor"]["anchors_px"]);
        let scales: Vec<Vec<[f32; 2]>> = yolov5.chunks(3).map(<[_]>::to_vec).collect();
        let rng = &mut ChaCha8Rng::seed_from_u64(1);
        let kept = autoanchor(&tiny(0.1), 640, &scales, 4.0, rng);
        assert!(
            !kept.replaced && kept.after.is_none() && kept.anchors == scales,
            "{kept:?}"
        );
        // Boxes of about 3 px lie beyond a quarter of the smallest anchor.
        let found = autoanchor(&tiny(0.0035), 640, &scales, 4.0, rng);
        let after = found.after.expect("a search");
        assert!(found.before.bpr < 0.5 && after.bpr > 0.95, "{found:?}");
        assert!(found.replaced);
        assert_eq!(
            found.anchors.iter().map(Vec::len).collect::<Vec<_>>(),
            [3, 3, 3]
        );
        assert!(found.anchors[2][2][0] < 10.0, "{found:?}");
    }
}
