//! Binary cross-entropy of many logits that want the same, with its derivative, in one pass.

use super::lanes::{self, Kernel, mul_add, sum};
use super::parallel;
use super::silu::exp;

/// Elements of one task.
const PIECE: usize = 1 << 14;
/// Elements whose sums are taken in f32 before they join an f64.
const BLOCK: usize = 256;
/// Operations per element, for the division of labour.
const COST: usize = 32;

/// Sum over `logits` of `(1 − wanted)·z + weight·ln(1 + e⁻ᶻ)`; the logits become the sum's derivatives
/// times `scale`.
pub fn cross_entropy(logits: &mut [f32], wanted: f32, weight: f32, scale: f32) -> f64 {
    let pieces = logits
        .chunks_mut(PIECE)
        .map(|logits| CrossEntropy {
            logits,
            unwanted: 1.0 - wanted,
            weight,
            scale,
        })
        .collect();
    parallel::map(pieces, COST * PIECE, lanes::run)
        .into_iter()
        .sum()
}

struct CrossEntropy<'a> {
    logits: &'a mut [f32],
    unwanted: f32,
    weight: f32,
    scale: f32,
}

impl Kernel for CrossEntropy<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> f64 {
        let mut losses = [0f32; BLOCK];
        let mut total = 0.0;
        for logits in self.logits.chunks_mut(BLOCK) {
            for (z, loss) in logits.iter_mut().zip(&mut losses) {
                let small = exp::<FMA>(-z.abs()); // e^−|z|
                let larger = 1.0 / (1.0 + small); // σ(|z|)
                let (below, surplus) = if *z < 0.0 {
                    (larger, -*z)
                } else {
                    (small * larger, 0.0)
                };
                let softplus = surplus + ln_1p::<FMA>(small);
                *loss = mul_add::<FMA>(self.unwanted, *z, self.weight * softplus);
                *z = self.scale * (self.unwanted - self.weight * below);
            }
            total += sum(&losses[..logits.len()]);
        }
        total
    }
}

/// `ln(1 + x)` for `x` in `0..=1`, by the series of the inverse hyperbolic tangent.
#[inline(always)]
fn ln_1p<const FMA: bool>(x: f32) -> f32 {
    let s = x / (2.0 + x);
    let q = s * s;
    let mut p = 1.0 / 15.0;
    for divisor in [13.0f32, 11.0, 9.0, 7.0, 5.0, 3.0] {
        p = mul_add::<FMA>(p, q, 1.0 / divisor);
    }
    let twice = s + s;
    mul_add::<FMA>(twice * q, p, twice)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A few last places of f32.
    const RELATIVE: f64 = 4e-7;

    #[test]
    fn the_logarithm_is_exact_to_a_few_last_places() {
        for i in 0..=100_000 {
            let x = i as f32 / 1e5;
            let want = f64::from(x).ln_1p();
            for got in [ln_1p::<true>(x), ln_1p::<false>(x)] {
                assert!(
                    (f64::from(got) - want).abs() <= RELATIVE * want,
                    "{x}: {got} {want}"
                );
            }
        }
    }

    #[test]
    fn losses_and_derivatives_are_those_of_double_precision() {
        let logits: Vec<f32> = (-4000..4000).map(|i| i as f32 * 0.02).collect();
        for (wanted, weight) in [(0.0f32, 1.0f32), (1.0, 1.0), (0.3, 1.6)] {
            let mut derivatives = logits.clone();
            let total = cross_entropy(&mut derivatives, wanted, weight, 0.5);
            let (wanted, weight) = (f64::from(wanted), f64::from(weight));
            let mut want = 0.0;
            for (z, got) in logits.iter().zip(&derivatives) {
                let z = f64::from(*z);
                want += (1.0 - wanted) * z + weight * (-z).exp().ln_1p();
                let derivative = 0.5 * (1.0 - wanted - weight / (1.0 + z.exp()));
                assert!(
                    (f64::from(*got) - derivative).abs() < RELATIVE,
                    "{z}: {got} {derivative}"
                );
            }
            assert!((total / want - 1.0).abs() < RELATIVE, "{total} {want}");
        }
    }
}
