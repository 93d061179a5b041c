//! Which class was taken for which.

use super::Detection;
use super::matching::pair_across_classes;

/// Counts of predicted against true classes; the last row and column stand for the background.
///
/// A detection above [`ConfusionMatrix::CONFIDENCE`] belongs to the box that it overlaps by more than
/// [`ConfusionMatrix::IOU`], whatever their classes. A box that no detection found counts as predicted
/// background, a detection that found no box as true background.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfusionMatrix {
    nc: usize,
    /// `[nc + 1, nc + 1]`, predicted × true.
    counts: Vec<u64>,
    like_reference: bool,
}

impl ConfusionMatrix {
    /// Detections must be more confident than this.
    pub const CONFIDENCE: f32 = 0.25;
    /// A pair must overlap by more than this.
    pub const IOU: f32 = 0.45;

    /// For `nc` classes. Every false detection counts.
    pub fn new(nc: usize) -> Self {
        Self {
            nc,
            counts: vec![0; (nc + 1) * (nc + 1)],
            like_reference: false,
        }
    }

    /// As [`ConfusionMatrix::new`], but false detections count only in pictures in which at least one
    /// detection found a box. The reference counts so, and with it a detector that sees things in empty
    /// pictures looks better than it is; for comparison with its numbers only.
    pub fn like_reference(nc: usize) -> Self {
        Self {
            like_reference: true,
            ..Self::new(nc)
        }
    }

    /// Adds a picture: its detections, and its labels as class and corners in the same pixels. Boxes of
    /// classes beyond `nc` are left out.
    pub fn push(&mut self, detections: &[Detection], labels: &[(usize, [f32; 4])]) {
        let detections: Vec<Detection> = detections
            .iter()
            .filter(|d| d.confidence > Self::CONFIDENCE && d.class < self.nc)
            .copied()
            .collect();
        let labels: Vec<(usize, [f32; 4])> = labels
            .iter()
            .filter(|(class, _)| *class < self.nc)
            .copied()
            .collect();
        let background = self.nc;
        let mut found = vec![background; labels.len()];
        let mut is_false = vec![true; detections.len()];
        let pairs = pair_across_classes(&detections, &labels, Self::IOU);
        for &(label, detection) in &pairs {
            found[label] = detections[detection].class;
            is_false[detection] = false;
        }
        for (predicted, (class, _)) in found.into_iter().zip(labels) {
            self.count(predicted, class);
        }
        if self.like_reference && pairs.is_empty() {
            return;
        }
        for (detection, _) in detections.iter().zip(is_false).filter(|(_, f)| *f) {
            self.count(detection.class, background);
        }
    }

    fn count(&mut self, predicted: usize, actual: usize) {
        self.counts[predicted * (self.nc + 1) + actual] += 1;
    }

    /// Number of classes; index `nc` is the background.
    pub fn nc(&self) -> usize {
        self.nc
    }

    /// How often a box of class `actual` was taken for `predicted`; 0 beyond the matrix.
    pub fn get(&self, predicted: usize, actual: usize) -> u64 {
        if predicted > self.nc || actual > self.nc {
            return 0;
        }
        self.counts[predicted * (self.nc + 1) + actual]
    }

    /// `[nc + 1, nc + 1]`, predicted × true, row-major: the part of each true class that was taken for
    /// each predicted one. A column without boxes is 0.
    pub fn normalized(&self) -> Vec<f64> {
        let n = self.nc + 1;
        let totals: Vec<u64> = (0..n)
            .map(|actual| (0..n).map(|predicted| self.get(predicted, actual)).sum())
            .collect();
        self.counts
            .iter()
            .zip(totals.iter().cycle())
            .map(|(&count, &total)| count as f64 / total.max(1) as f64)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::evaluator::tests::{Case, numbers};
    use super::*;

    fn rows(matrix: &ConfusionMatrix) -> Vec<Vec<f64>> {
        let n = matrix.nc() + 1;
        let row = |p| (0..n).map(|a| matrix.get(p, a) as f64).collect();
        (0..n).map(row).collect()
    }

    fn filled(mut matrix: ConfusionMatrix, case: &Case) -> ConfusionMatrix {
        for (detections, labels) in &case.pictures {
            matrix.push(detections, labels);
        }
        matrix
    }

    #[test]
    fn counting_like_the_reference_gives_the_golden_matrices() {
        for name in ["normal", "perfect", "ties", "no_labels", "no_dets"] {
            let case = Case::read(name);
            let found = filled(ConfusionMatrix::like_reference(case.nc), &case);
            let golden = case.json["confusion_matrix"].as_array().expect("rows");
            let expected: Vec<Vec<f64>> = golden.iter().map(numbers).collect();
            assert_eq!(rows(&found), expected, "{name}");
        }
    }

    #[test]
    fn every_confident_detection_counts_once_by_default() {
        for name in ["normal", "ties", "no_labels"] {
            let case = Case::read(name);
            let matrix = filled(ConfusionMatrix::new(case.nc), &case);
            let counted: u64 = (0..case.nc)
                .flat_map(|p| (0..=case.nc).map(move |a| (p, a)))
                .map(|(p, a)| matrix.get(p, a))
                .sum();
            let confident = case
                .pictures
                .iter()
                .flat_map(|(detections, _)| detections)
                .filter(|d| d.confidence > ConfusionMatrix::CONFIDENCE)
                .count();
            assert_eq!(counted, confident as u64, "{name}");
        }
    }

    #[test]
    fn columns_with_boxes_sum_to_one_and_empty_ones_to_zero() {
        let case = Case::read("normal");
        let matrix = filled(ConfusionMatrix::new(case.nc), &case);
        let n = case.nc + 1;
        let normalized = matrix.normalized();
        for actual in 0..n {
            let sum: f64 = (0..n).map(|p| normalized[p * n + actual]).sum();
            // Class 3 has detections but no labels.
            let expected = if actual == 3 { 0.0 } else { 1.0 };
            assert!(
                (sum - expected).abs() < 1e-12,
                "column {actual} sums to {sum}"
            );
        }
    }

    #[test]
    fn classes_beyond_the_matrix_are_left_out() {
        let mut matrix = ConfusionMatrix::new(1);
        matrix.push(&[], &[(7, [0.0, 0.0, 4.0, 4.0])]);
        assert_eq!(matrix.get(1, 0), 0);
        assert_eq!(matrix.get(9, 9), 0);
    }
}
