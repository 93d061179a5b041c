//! Average precision, and the small pieces of arithmetic under it (FACTS 5).

/// Points of recall at which the precision envelope is read.
const RECALL_POINTS: usize = 101;

/// `n` evenly spaced numbers from 0 to 1, both included.
pub fn unit_grid(n: usize) -> Vec<f64> {
    let step = 1.0 / (n.max(2) - 1) as f64;
    let mut grid: Vec<f64> = (0..n).map(|i| i as f64 * step).collect();
    // The rounded product need not be 1 exactly.
    if let (true, Some(last)) = (n > 1, grid.last_mut()) {
        *last = 1.0;
    }
    grid
}

/// Linear interpolation of `(xs, ys)` at `x`. `xs` never falls; of equal `xs` the last counts.
/// Before the first point the value is `left`, after the last it is the last `y`; 0 without points.
pub fn interpolate(x: f64, xs: &[f64], ys: &[f64], left: f64) -> f64 {
    let after = xs.partition_point(|&known| known <= x);
    if xs.is_empty() {
        0.0
    } else if after == 0 {
        left
    } else if after == xs.len() {
        ys[after - 1]
    } else {
        let (x0, x1) = (xs[after - 1], xs[after]);
        let (y0, y1) = (ys[after - 1], ys[after]);
        y0 + (y1 - y0) / (x1 - x0) * (x - x0)
    }
}

/// The precision envelope of a ranked list: `(recall, precision)` from recall 0 to 1, precision never
/// rising. It starts at precision 1 and ends at 0.
///
/// `recall` and `precision` are those of the list cut after its first, second, … detection.
pub fn envelope(recall: &[f64], precision: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let mut r = Vec::with_capacity(recall.len() + 2);
    r.push(0.0);
    r.extend_from_slice(recall);
    r.push(1.0);
    let mut p = Vec::with_capacity(precision.len() + 2);
    p.push(1.0);
    p.extend_from_slice(precision);
    p.push(0.0);
    let mut highest = 0.0_f64;
    for value in p.iter_mut().rev() {
        highest = highest.max(*value);
        *value = highest;
    }
    (r, p)
}

/// Area under the precision envelope, read at 101 points of recall and summed as trapezia.
///
/// A perfect list has 0.995 by this rule, since the envelope falls to 0 at recall 1; an empty one has 0.
pub fn average_precision(recall: &[f64], precision: &[f64]) -> f64 {
    if recall.is_empty() {
        return 0.0;
    }
    let (r, p) = envelope(recall, precision);
    let grid = unit_grid(RECALL_POINTS);
    let heights: Vec<f64> = grid.iter().map(|&x| interpolate(x, &r, &p, 1.0)).collect();
    grid.windows(2)
        .zip(heights.windows(2))
        .map(|(x, y)| (x[1] - x[0]) * (y[0] + y[1]) / 2.0)
        .sum()
}

/// Moving average over a window of `fraction` of the length (made odd), the ends held.
pub fn smooth(y: &[f64], fraction: f64) -> Vec<f64> {
    let (Some(&first), Some(&last)) = (y.first(), y.last()) else {
        return Vec::new();
    };
    let window = ((y.len() as f64 * fraction * 2.0).round_ties_even() as usize / 2 + 1) | 1;
    let half = window / 2;
    let mut padded = vec![first; half];
    padded.extend_from_slice(y);
    padded.extend(std::iter::repeat_n(last, half));
    padded
        .windows(window)
        .map(|values| values.iter().sum::<f64>() / window as f64)
        .collect()
}

/// Index of the greatest value, the first of equals; 0 for an empty list.
pub fn argmax(y: &[f64]) -> usize {
    let mut best = 0;
    for (index, value) in y.iter().enumerate() {
        if *value > y[best] {
            best = index;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::super::evaluator::tests::{golden, numbers};
    use super::*;

    /// Sums of up to a thousand f64 in another order.
    const TOLERANCE: f64 = 1e-12;

    #[test]
    fn average_precision_of_the_golden_lists_is_equal() {
        for case in golden("units.json")["compute_ap"]
            .as_array()
            .expect("cases")
        {
            let found = average_precision(&numbers(&case["recall"]), &numbers(&case["precision"]));
            let expected = case["ap"].as_f64().expect("ap");
            assert!((found - expected).abs() < TOLERANCE, "{found} {expected}");
        }
    }

    #[test]
    fn smoothing_gives_the_golden_curve() {
        let golden = &golden("units.json")["smooth_0_1"];
        let found = smooth(&numbers(&golden["y"]), 0.1);
        let expected = numbers(&golden["out"]);
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < TOLERANCE);
        }
        assert_eq!(Some(argmax(&found) as u64), golden["argmax"].as_u64());
    }

    #[test]
    fn interpolation_takes_the_last_of_equal_points() {
        let (xs, ys) = ([0.0, 1.0, 1.0, 2.0], [0.0, 5.0, 7.0, 9.0]);
        assert_eq!(interpolate(1.0, &xs, &ys, -1.0), 7.0);
        assert_eq!(interpolate(0.5, &xs, &ys, -1.0), 2.5);
        assert_eq!(interpolate(-0.1, &xs, &ys, -1.0), -1.0);
        assert_eq!(interpolate(3.0, &xs, &ys, -1.0), 9.0);
    }

    #[test]
    fn empty_lists_are_safe() {
        assert_eq!(average_precision(&[], &[]), 0.0);
        assert!(smooth(&[], 0.1).is_empty());
        assert_eq!(argmax(&[]), 0);
        assert_eq!(interpolate(0.5, &[], &[], 1.0), 0.0);
        assert_eq!(unit_grid(1), [0.0]);
    }
}
