//! Randomness that gives the same numbers on every platform: integer mixing, and floats made with
//! nothing but `+ − × ÷ √`, which IEEE 754 defines to the last bit. (`sin`, `exp` and friends differ
//! between maths libraries.)

/// SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

/// Whole part (towards −∞) and rest of a number of moderate size. `f32::floor` is a call into the
/// maths library on plain x86-64; this is two instructions, and the renderer does little else.
pub(super) fn split(x: f32) -> (i32, f32) {
    let towards_zero = x as i32;
    let whole = towards_zero - i32::from(towards_zero as f32 > x);
    (whole, x - whole as f32)
}

/// Cosine and sine of an angle.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    pub cos: f32,
    pub sin: f32,
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Random {
    /// One stream per list of numbers.
    pub fn new(parts: &[u64]) -> Self {
        Self(parts.iter().fold(0x6672_6f73_746c_696e, |state, part| {
            mix(state ^ mix(part.wrapping_add(0x9e37_79b9_7f4a_7c15)))
        }))
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A stream of its own, so that what one part draws does not shift the others.
    pub fn branch(&mut self) -> Self {
        Self::new(&[self.bits()])
    }

    /// Uniform in `[0, 1)`, in steps of 2⁻²⁴.
    pub fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1u32 << 24) as f32
    }

    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// Uniform in `0..n`; 0 when `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    pub fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// An angle up to `±max`, given as `tan(max / 2)`; near uniform for small angles.
    pub fn turn(&mut self, tan_half_max: f32) -> Turn {
        let t = self.range(-tan_half_max, tan_half_max);
        let norm = 1.0 / (1.0 + t * t);
        Turn {
            cos: (1.0 - t * t) * norm,
            sin: 2.0 * t * norm,
        }
    }

    /// A direction of the full circle.
    pub fn direction(&mut self) -> Turn {
        // Rejection from the disc; the fallback is reached with probability 4⁻²⁰ or so.
        for _ in 0..20 {
            let (x, y) = (self.range(-1.0, 1.0), self.range(-1.0, 1.0));
            let square = x * x + y * y;
            if (0.01..=1.0).contains(&square) {
                let length = square.sqrt();
                return Turn {
                    cos: x / length,
                    sin: y / length,
                };
            }
        }
        Turn { cos: 1.0, sin: 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_by_every_part_and_repeat_for_equal_parts() {
        let first = |parts: &[u64]| Random::new(parts).bits();
        assert_eq!(first(&[1, 2, 3]), first(&[1, 2, 3]));
        for other in [[0, 2, 3], [1, 0, 3], [1, 2, 0], [2, 1, 3]] {
            assert_ne!(first(&[1, 2, 3]), first(&other));
        }
    }

    #[test]
    fn the_stream_is_pinned_because_shipped_pictures_depend_on_it() {
        let mut random = Random::new(&[7]);
        let drawn: Vec<u64> = (0..3).map(|_| random.bits()).collect();
        assert_eq!(drawn, PINNED);
    }

    #[test]
    fn turns_lie_on_the_unit_circle_within_their_limit() {
        let mut random = Random::new(&[1]);
        for _ in 0..1000 {
            let turn = random.turn(0.25);
            // Two roundings of an f32.
            assert!((turn.cos * turn.cos + turn.sin * turn.sin - 1.0).abs() < 1e-6);
            assert!(turn.sin.abs() <= 0.4706 && turn.cos > 0.88);
            assert!(random.below(3) < 3);
        }
    }

    #[test]
    fn split_rounds_down_like_floor() {
        for x in [-2.0, -1.25, -0.0, 0.0, 0.75, 3.0, 100.5f32] {
            let (whole, rest) = split(x);
            assert_eq!(whole as f32, x.floor());
            assert_eq!(rest, x - x.floor());
        }
    }

    const PINNED: [u64; 3] = [
        16_614_158_694_341_008_613,
        6_191_352_918_603_456_390,
        16_519_640_853_555_313_994,
    ];
}
