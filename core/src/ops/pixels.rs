//! Bytes to numbers.

use super::lanes::{self, Kernel};
use super::parallel;

/// Elements of one task.
const PIECE: usize = 1 << 16;

/// Bytes `0..=255` as `0..=1`.
pub fn unit_range(pixels: &[u8]) -> Vec<f32> {
    let mut values = vec![0f32; pixels.len()];
    let pieces = values
        .chunks_mut(PIECE)
        .zip(pixels.chunks(PIECE))
        .map(|(values, pixels)| UnitRange { values, pixels })
        .collect();
    parallel::for_each(pieces, PIECE, lanes::run);
    values
}

struct UnitRange<'a> {
    values: &'a mut [f32],
    pixels: &'a [u8],
}

impl Kernel for UnitRange<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (value, &pixel) in self.values.iter_mut().zip(self.pixels) {
            *value = f32::from(pixel) / 255.0;
        }
    }
}
