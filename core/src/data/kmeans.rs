//! K-means over box sizes: k-means++ starts, Lloyd's iterations, the best of several runs.

use rand_chacha::ChaCha8Rng;

use super::augment::{index_below, uniform};

/// Starts from different centres; the run with the least distortion wins.
const RUNS: usize = 10;
/// Lloyd's iterations of a run; most settle long before.
const ITERATIONS: usize = 60;

/// `k` centres of the points, each axis measured in its standard deviations. `None` when there are
/// fewer points than centres or all points are equal along an axis.
pub fn kmeans(points: &[[f32; 2]], k: usize, rng: &mut ChaCha8Rng) -> Option<Vec<[f32; 2]>> {
    let spread = [0, 1].map(|axis| standard_deviation(points, axis));
    if k == 0 || points.len() < k || spread.iter().any(|&s| s <= 0.0 || !s.is_finite()) {
        return None;
    }
    let scaled: Vec<[f32; 2]> = points
        .iter()
        .map(|point| [0, 1].map(|axis| point[axis] / spread[axis]))
        .collect();
    let mut best: Option<(f64, Vec<[f32; 2]>)> = None;
    for _ in 0..RUNS {
        let run = lloyd(&scaled, starts(&scaled, k, rng));
        if best
            .as_ref()
            .is_none_or(|(distortion, _)| run.0 < *distortion)
        {
            best = Some(run);
        }
    }
    let (_, centres) = best?;
    let restored = centres
        .iter()
        .map(|centre| [0, 1].map(|axis| centre[axis] * spread[axis]));
    Some(restored.collect())
}

fn standard_deviation(points: &[[f32; 2]], axis: usize) -> f32 {
    let count = points.len().max(1) as f64;
    let mean = points.iter().map(|p| f64::from(p[axis])).sum::<f64>() / count;
    let squares = points.iter().map(|p| (f64::from(p[axis]) - mean).powi(2));
    (squares.sum::<f64>() / count).sqrt() as f32
}

fn squared_distance(a: [f32; 2], b: [f32; 2]) -> f32 {
    (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2)
}

/// Each next centre is a point drawn in proportion to its squared distance from those chosen.
fn starts(points: &[[f32; 2]], k: usize, rng: &mut ChaCha8Rng) -> Vec<[f32; 2]> {
    let mut centres = vec![points[index_below(rng, points.len())]];
    let mut distances = vec![f32::INFINITY; points.len()];
    while centres.len() < k {
        let newest = centres[centres.len() - 1];
        for (distance, point) in distances.iter_mut().zip(points) {
            *distance = distance.min(squared_distance(*point, newest));
        }
        let total: f64 = distances.iter().map(|&d| f64::from(d)).sum();
        let mut left = uniform(rng, 0.0, total);
        let chosen = distances.iter().position(|&distance| {
            left -= f64::from(distance);
            left < 0.0
        });
        // Without any distance left all points are centres already: any will do.
        centres.push(points[chosen.unwrap_or_else(|| index_below(rng, points.len()))]);
    }
    centres
}

/// The distortion reached and the centres.
fn lloyd(points: &[[f32; 2]], mut centres: Vec<[f32; 2]>) -> (f64, Vec<[f32; 2]>) {
    let mut distortion = f64::INFINITY;
    for _ in 0..ITERATIONS {
        let mut sums = vec![([0f64; 2], 0u32); centres.len()];
        let mut now = 0.0;
        for &point in points {
            let mut nearest = (0, f32::INFINITY);
            for (index, &centre) in centres.iter().enumerate() {
                let distance = squared_distance(point, centre);
                if distance < nearest.1 {
                    nearest = (index, distance);
                }
            }
            let (sum, count) = &mut sums[nearest.0];
            sum[0] += f64::from(point[0]);
            sum[1] += f64::from(point[1]);
            *count += 1;
            now += f64::from(nearest.1);
        }
        for (centre, (sum, count)) in centres.iter_mut().zip(sums) {
            if count > 0 {
                *centre = sum.map(|side| (side / f64::from(count)) as f32);
            }
        }
        if now >= distortion {
            break;
        }
        distortion = now;
    }
    (distortion, centres)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn centres_find_separate_clusters() {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        let expected = [[10.0, 200.0], [50.0, 20.0], [300.0, 310.0]];
        let points: Vec<[f32; 2]> = (0..300)
            .map(|index| {
                expected[index % 3].map(|side| (side + uniform(&mut rng, -2.0, 2.0)) as f32)
            })
            .collect();
        let mut found = kmeans(&points, 3, &mut rng).expect("three clusters");
        found.sort_by(|a, b| a[0].total_cmp(&b[0]));
        for (centre, expected) in found.iter().zip(expected) {
            for (a, b) in centre.iter().zip(expected) {
                assert!((f64::from(*a) - b).abs() < 0.5, "{found:?}");
            }
        }
    }

    #[test]
    fn too_few_or_equal_points_have_no_centres() {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        assert_eq!(kmeans(&[[1.0, 2.0]; 3], 9, &mut rng), None);
        assert_eq!(kmeans(&[[1.0, 2.0]; 30], 9, &mut rng), None);
        assert_eq!(kmeans(&[], 9, &mut rng), None);
    }
}
