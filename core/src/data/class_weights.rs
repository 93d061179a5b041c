//! Weights of classes and pictures, so that rare or badly learnt classes are seen more often.

use rand_chacha::ChaCha8Rng;

use super::Label;
use super::augment::uniform;

/// Weight of each class: the inverse of its number of boxes (at least one), summing to 1. Labels of
/// classes beyond `nc` are ignored.
pub fn class_weights<'a>(labels: impl IntoIterator<Item = &'a Label>, nc: usize) -> Vec<f64> {
    let counts = class_counts(labels, nc);
    let weights: Vec<f64> = counts
        .iter()
        .map(|&count| 1.0 / count.max(1) as f64)
        .collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / sum).collect()
}

/// Weight of each class after validation: the class weight (mean 1) times the square of what its
/// mAP lacks to 1, over the number of classes. `maps` holds one mAP per class.
pub fn class_weights_by_map(class_weights: &[f64], maps: &[f64]) -> Vec<f64> {
    // `class_weights` sums to 1: its mean-1 form divided by the number of classes is itself.
    class_weights
        .iter()
        .zip(maps)
        .map(|(weight, map)| weight * (1.0 - map).powi(2))
        .collect()
}

/// Weight of one picture: the sum of the weights of its boxes' classes.
pub fn image_weight(labels: &[Label], class_weights: &[f64]) -> f64 {
    let weights = labels
        .iter()
        .filter_map(|label| class_weights.get(label.class));
    weights.sum()
}

/// Draws as many picture indices as there are weights, each in proportion to its weight, with
/// repetition. Pictures are drawn evenly when no weight is positive.
pub fn weighted_order(weights: &[f64], rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut total = 0.0;
    let mut cumulative: Vec<f64> = Vec::with_capacity(weights.len());
    for &weight in weights {
        total += if weight > 0.0 && weight.is_finite() {
            weight
        } else {
            0.0
        };
        cumulative.push(total);
    }
    if total == 0.0 {
        cumulative = (1..=weights.len()).map(|rank| rank as f64).collect();
        total = weights.len() as f64;
    }
    let draw = |_| {
        let at = uniform(rng, 0.0, total);
        let index = cumulative.partition_point(|&reached| reached <= at);
        index.min(weights.len() - 1)
    };
    (0..weights.len()).map(draw).collect()
}

fn class_counts<'a>(labels: impl IntoIterator<Item = &'a Label>, nc: usize) -> Vec<usize> {
    let mut counts = vec![0; nc];
    for label in labels {
        if let Some(count) = counts.get_mut(label.class) {
            *count += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::golden;
    use rand::SeedableRng;

    /// The reference counts in 32-bit numbers.
    const RELATIVE: f64 = 3e-7;

    fn assert_close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (a, b) in found.iter().zip(expected) {
            assert!(
                (a - b).abs() <= RELATIVE * b.abs(),
                "{found:?} {expected:?}"
            );
        }
    }

    #[test]
    fn weights_equal_the_reference() {
        let golden = &golden::json("extra/extra.json")["class_weights"];
        let numbers = |name: &str| golden::numbers(&golden[name]);
        let nc = golden["nc"].as_u64().unwrap() as usize;
        let pictures = golden::label_lists(&golden["labels"]);
        let weights = class_weights(pictures.iter().flatten(), nc);
        assert_close(&weights, &numbers("weights"));
        let by_map = class_weights_by_map(&weights, &numbers("maps"));
        assert_close(&by_map, &numbers("image_weight_class_weights"));
        let found: Vec<f64> = pictures
            .iter()
            .map(|labels| image_weight(labels, &by_map))
            .collect();
        assert_close(&found, &numbers("image_weights"));
    }

    #[test]
    fn pictures_are_drawn_in_proportion_to_their_weight() {
        let mut weights = vec![0.0; 10_000];
        weights[7] = 3.0;
        weights[9_000] = 1.0;
        let order = weighted_order(&weights, &mut ChaCha8Rng::seed_from_u64(2));
        let sevens = order.iter().filter(|&&index| index == 7).count();
        assert!(order.iter().all(|&index| index == 7 || index == 9_000));
        // Expected 7500 with a standard deviation of 43.
        assert!((7_300..7_700).contains(&sevens), "{sevens}");
    }

    #[test]
    fn without_weights_every_picture_may_be_drawn() {
        let order = weighted_order(&[0.0; 4], &mut ChaCha8Rng::seed_from_u64(2));
        assert_eq!(order.len(), 4);
        assert!(order.iter().all(|&index| index < 4));
        assert!(weighted_order(&[], &mut ChaCha8Rng::seed_from_u64(2)).is_empty());
    }
}
