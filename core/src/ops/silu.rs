//! The logistic function without a call per element.

use super::lanes::mul_add;

/// Beyond this the exponential leaves f32.
const LIMIT: f32 = 87.0;
/// Added to a small number, leaves its nearest integer in the low bits of the mantissa.
const ROUND: f32 = 12_582_912.0;
/// ln 2 in two parts, the first exact in few bits, so that `n · ln 2` loses nothing.
const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;
/// Minimax polynomial of `(eʳ − 1 − r) / r²` for `|r| ≤ ln 2 / 2` (Cephes).
const POLYNOMIAL: [f32; 6] = [
    1.987_569_1e-4,
    1.398_2e-3,
    8.333_452e-3,
    4.166_579_6e-2,
    1.666_666_5e-1,
    5e-1,
];

/// `eˣ` for `|x| ≤ 87`, beyond that `e^±87`; relative error below 2e-7.
#[inline(always)]
pub fn exp<const FMA: bool>(x: f32) -> f32 {
    let x = if x > LIMIT { LIMIT } else { x };
    let x = if x < -LIMIT { -LIMIT } else { x };
    let shifted = mul_add::<FMA>(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = mul_add::<FMA>(n, -LN2_LOW, mul_add::<FMA>(n, -LN2_HIGH, x));
    let mut p = POLYNOMIAL[0];
    for &coefficient in &POLYNOMIAL[1..] {
        p = mul_add::<FMA>(p, r, coefficient);
    }
    let mantissa = mul_add::<FMA>(p, r * r, r) + 1.0;
    mantissa * f32::from_bits((shifted.to_bits() << 23).wrapping_add(1f32.to_bits()))
}

/// `1 / (1 + e⁻ˣ)`.
#[inline(always)]
pub fn sigmoid<const FMA: bool>(x: f32) -> f32 {
    1.0 / (1.0 + exp::<FMA>(-x))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A last place is 1.2e-7 wide.
    const RELATIVE: f64 = 2e-7;

    #[test]
    fn the_exponential_is_exact_to_two_parts_in_ten_million() {
        let mut worst = 0f64;
        for i in -870_000..=870_000 {
            let x = i as f32 * 1e-4;
            let want = f64::from(x).exp();
            for got in [exp::<true>(x), exp::<false>(x)] {
                worst = worst.max((f64::from(got) / want - 1.0).abs());
            }
        }
        assert!(worst < RELATIVE, "{worst:e}");
    }

    #[test]
    fn the_logistic_function_saturates_and_keeps_nan() {
        assert_eq!(sigmoid::<false>(200.0), 1.0);
        assert!(sigmoid::<false>(-200.0) < 1e-37);
        assert_eq!(sigmoid::<false>(0.0), 0.5);
        assert!(sigmoid::<false>(f32::NAN).is_nan());
    }
}
