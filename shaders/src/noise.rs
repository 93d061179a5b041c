//! Numbers that look random and are the same on every machine.

/// Noise in `-2..2`.
pub(crate) fn floats(seed: u32, count: usize) -> Vec<f32> {
    words(seed, count)
        .into_iter()
        .map(|word| (word >> 8) as f32 * (4.0 / 16_777_216.0) - 2.0)
        .collect()
}

/// Noise of all bits.
pub(crate) fn words(seed: u32, count: usize) -> Vec<u32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    // The first few of a small seed are alike.
    (0..8).for_each(|_| {
        next();
    });
    (0..count).map(|_| next()).collect()
}
