//! The two inner loops of convolution, over vector registers.
//!
//! Both keep twelve sums in registers: four channels by three vectors, or four channels by three taps.

/// Output channels handled together.
pub const ROWS: usize = 4;
/// Vectors, or taps, handled together.
const COLUMNS: usize = 3;
/// Products added up one after the other before the sum joins the others: long sums of f32 lose digits.
const BLOCK: usize = 64;
/// Lengths are rounded up to this many elements; a multiple of every vector length in use.
pub const STEP: usize = 8;

/// Vectors of f32 and what is done with them.
trait Lanes: Copy {
    type V: Copy;
    const LEN: usize;

    fn splat(self, value: f32) -> Self::V;
    /// The vectors that `values` begins with.
    fn load(self, values: &[f32]) -> &[Self::V];
    fn store(self, values: &mut [f32]) -> &mut [Self::V];
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    fn sum(self, v: Self::V) -> f32;
}

/// The machine's registers.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
impl<S: pulp::Simd> Lanes for S {
    type V = S::f32s;
    const LEN: usize = S::F32_LANES;

    #[inline(always)]
    fn splat(self, value: f32) -> S::f32s {
        self.splat_f32s(value)
    }

    #[inline(always)]
    fn load(self, values: &[f32]) -> &[S::f32s] {
        S::as_simd_f32s(values).0
    }

    #[inline(always)]
    fn store(self, values: &mut [f32]) -> &mut [S::f32s] {
        S::as_mut_simd_f32s(values).0
    }

    #[inline(always)]
    fn mul_add(self, a: S::f32s, b: S::f32s, c: S::f32s) -> S::f32s {
        self.mul_add_f32s(a, b, c)
    }

    #[inline(always)]
    fn sum(self, v: S::f32s) -> f32 {
        self.reduce_sum_f32s(v)
    }
}

/// Four floats that the compiler may put into a register.
#[derive(Clone, Copy)]
struct Plain;

impl Lanes for Plain {
    type V = [f32; 4];
    const LEN: usize = 4;

    #[inline(always)]
    fn splat(self, value: f32) -> [f32; 4] {
        [value; 4]
    }

    #[inline(always)]
    fn load(self, values: &[f32]) -> &[[f32; 4]] {
        values.as_chunks().0
    }

    #[inline(always)]
    fn store(self, values: &mut [f32]) -> &mut [[f32; 4]] {
        values.as_chunks_mut().0
    }

    #[inline(always)]
    fn mul_add(self, a: [f32; 4], b: [f32; 4], c: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|i| a[i] * b[i] + c[i])
    }

    #[inline(always)]
    fn sum(self, v: [f32; 4]) -> f32 {
        (v[0] + v[1]) + (v[2] + v[3])
    }
}

trait Loop {
    fn run<L: Lanes>(self, lanes: L);
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn dispatch<K: Loop>(kernel: K) {
    struct Wide<K>(K);

    impl<K: Loop> pulp::WithSimd for Wide<K> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: pulp::Simd>(self, simd: S) {
            self.0.run(simd);
        }
    }

    #[cfg(target_arch = "x86_64")]
    let machine = pulp::x86::V3::try_new();
    #[cfg(target_arch = "aarch64")]
    let machine = pulp::aarch64::Neon::try_new();
    match machine {
        Some(simd) => pulp::Simd::vectorize(simd, Wide(kernel)),
        None => kernel.run(Plain),
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn dispatch<K: Loop>(kernel: K) {
    kernel.run(Plain);
}

/// `out[r][p] = Σₜ weights[t][r] · source[offsets[t] + p]` for `p < length`, a multiple of [`STEP`];
/// the rows of `out` begin `stride` apart. `source` reaches `length` beyond every offset.
pub fn correlate(
    source: &[f32],
    offsets: &[usize],
    weights: &[[f32; ROWS]],
    out: &mut [f32],
    stride: usize,
    length: usize,
) {
    assert!(
        out.len() >= (ROWS - 1) * stride + length
            && length <= stride
            && length.is_multiple_of(STEP)
    );
    dispatch(Correlate {
        source,
        offsets,
        weights,
        out,
        stride,
        length,
    });
}

struct Correlate<'a> {
    source: &'a [f32],
    offsets: &'a [usize],
    weights: &'a [[f32; ROWS]],
    out: &'a mut [f32],
    stride: usize,
    length: usize,
}

impl Loop for Correlate<'_> {
    #[inline(always)]
    fn run<L: Lanes>(mut self, lanes: L) {
        let full = self.length - self.length % (COLUMNS * L::LEN);
        for p in (0..full).step_by(COLUMNS * L::LEN) {
            self.tile::<L, COLUMNS>(lanes, p);
        }
        match (self.length - full) / L::LEN {
            2 => self.tile::<L, 2>(lanes, full),
            1 => self.tile::<L, 1>(lanes, full),
            _ => {}
        }
    }
}

impl Correlate<'_> {
    #[inline(always)]
    fn tile<L: Lanes, const N: usize>(&mut self, lanes: L, p: usize) {
        let one = lanes.splat(1.0);
        let blocks = self.offsets.chunks(BLOCK).zip(self.weights.chunks(BLOCK));
        for (block, (offsets, weights)) in blocks.enumerate() {
            let mut sums = [[lanes.splat(0.0); N]; ROWS];
            for (&offset, weights) in offsets.iter().zip(weights) {
                let source = lanes.load(&self.source[offset + p..][..N * L::LEN]);
                for r in 0..ROWS {
                    let weight = lanes.splat(weights[r]);
                    for i in 0..N {
                        sums[r][i] = lanes.mul_add(weight, source[i], sums[r][i]);
                    }
                }
            }
            for (r, sums) in sums.into_iter().enumerate() {
                let out = lanes.store(&mut self.out[r * self.stride + p..][..N * L::LEN]);
                for (out, sum) in out.iter_mut().zip(sums) {
                    *out = if block == 0 {
                        sum
                    } else {
                        lanes.mul_add(one, *out, sum)
                    };
                }
            }
        }
    }
}

/// `sums[r][t] += Σₚ rows[r][p] · source[offsets[t] + p]` over `p` in `from..to`, multiples of
/// [`STEP`]; `rows` holds [`ROWS`] rows of `length`, `sums` as many of `offsets.len()`.
pub fn dots(
    rows: &[f32],
    length: usize,
    span: (usize, usize),
    source: &[f32],
    offsets: &[usize],
    sums: &mut [f32],
) {
    assert!(rows.len() == ROWS * length && sums.len() == ROWS * offsets.len());
    assert!(span.0.is_multiple_of(STEP) && span.1.is_multiple_of(STEP) && span.1 <= length);
    dispatch(Dots {
        rows,
        length,
        span,
        source,
        offsets,
        sums,
    });
}

struct Dots<'a> {
    rows: &'a [f32],
    length: usize,
    span: (usize, usize),
    source: &'a [f32],
    offsets: &'a [usize],
    sums: &'a mut [f32],
}

impl Loop for Dots<'_> {
    #[inline(always)]
    fn run<L: Lanes>(mut self, lanes: L) {
        let taps = self.offsets.len();
        let full = taps - taps % COLUMNS;
        for t in (0..full).step_by(COLUMNS) {
            self.tile::<L, COLUMNS>(lanes, t);
        }
        for t in full..taps {
            self.tile::<L, 1>(lanes, t);
        }
    }
}

impl Dots<'_> {
    #[inline(always)]
    fn tile<L: Lanes, const N: usize>(&mut self, lanes: L, t: usize) {
        let (from, to) = self.span;
        let rows: [&[L::V]; ROWS] =
            std::array::from_fn(|r| lanes.load(&self.rows[r * self.length..][from..to]));
        let sources: [&[L::V]; N] =
            std::array::from_fn(|i| lanes.load(&self.source[self.offsets[t + i]..][from..to]));
        let count = (to - from) / L::LEN;
        let rows = rows.map(|row| &row[..count]);
        let sources = sources.map(|source| &source[..count]);
        let mut sums = [[lanes.splat(0.0); N]; ROWS];
        for p in 0..count {
            for r in 0..ROWS {
                for i in 0..N {
                    sums[r][i] = lanes.mul_add(rows[r][p], sources[i][p], sums[r][i]);
                }
            }
        }
        let taps = self.offsets.len();
        for (r, sums) in sums.into_iter().enumerate() {
            for (i, sum) in sums.into_iter().enumerate() {
                self.sums[r * taps + t + i] += lanes.sum(sum);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_and_wide_loops_agree() {
        let source: Vec<f32> = (0..400).map(|i| ((i * 37) % 11) as f32 - 5.0).collect();
        let offsets = [0, 1, 2, 40, 41, 42, 300];
        let weights: Vec<[f32; ROWS]> = (0..7).map(|t| [1.0, -(t as f32), 0.5, 2.0]).collect();
        for length in [8, 16, 24, 40, 96] {
            let mut wide = vec![0f32; ROWS * length];
            correlate(&source, &offsets, &weights, &mut wide, length, length);
            let mut plain = vec![0f32; ROWS * length];
            Correlate {
                source: &source,
                offsets: &offsets,
                weights: &weights,
                out: &mut plain,
                stride: length,
                length,
            }
            .run(Plain);
            assert_eq!(wide, plain);
            for p in 0..length {
                let want: f32 = offsets
                    .iter()
                    .zip(&weights)
                    .map(|(o, w)| w[1] * source[o + p])
                    .sum();
                assert_eq!(wide[length + p], want);
            }

            let rows: Vec<f32> = (0..ROWS * length)
                .map(|i| ((i * 53) % 7) as f32 - 3.0)
                .collect();
            let mut wide = vec![1f32; ROWS * 7];
            dots(&rows, length, (8, length), &source, &offsets, &mut wide);
            let mut plain = vec![1f32; ROWS * 7];
            Dots {
                rows: &rows,
                length,
                span: (8, length),
                source: &source,
                offsets: &offsets,
                sums: &mut plain,
            }
            .run(Plain);
            assert_eq!(wide, plain);
            let want: f32 = (8..length)
                .map(|p| rows[2 * length + p] * source[42 + p])
                .sum();
            assert_eq!(wide[2 * 7 + 5], 1.0 + want);
        }
    }
}
