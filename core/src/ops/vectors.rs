//! Vector registers: a loop written once over [`Lanes`], run with the widest ones that the machine has.

#[cfg(target_arch = "aarch64")]
use pulp::aarch64::Neon as Machine;
#[cfg(target_arch = "wasm32")]
use pulp::wasm::Simd128 as Machine;
#[cfg(target_arch = "x86_64")]
use pulp::x86::V3 as Machine;

/// Eight rows of eight floats.
pub type Square = [[f32; 8]; 8];

/// Vectors of f32 and what is done with them.
pub trait Lanes: Copy {
    /// A register.
    type V: Copy;
    /// Floats in a register.
    const LEN: usize;

    /// The same value in every lane.
    fn splat(self, value: f32) -> Self::V;
    /// The vectors that `values` begins with.
    fn load(self, values: &[f32]) -> &[Self::V];
    /// The same, to write to.
    fn store(self, values: &mut [f32]) -> &mut [Self::V];
    /// `a + b`.
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a · b + c`.
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;

    /// Rows become columns.
    #[inline(always)]
    fn transpose(self, rows: Square) -> Square {
        let mut columns = [[0.0; 8]; 8];
        for (i, row) in rows.iter().enumerate() {
            for (column, value) in columns.iter_mut().zip(row) {
                column[i] = *value;
            }
        }
        columns
    }
}

/// The machine's registers.
#[cfg(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    target_arch = "wasm32"
))]
impl Lanes for Machine {
    type V = <Self as pulp::Simd>::f32s;
    const LEN: usize = <Self as pulp::Simd>::F32_LANES;

    #[inline(always)]
    fn splat(self, value: f32) -> Self::V {
        pulp::Simd::splat_f32s(self, value)
    }

    #[inline(always)]
    fn load(self, values: &[f32]) -> &[Self::V] {
        <Self as pulp::Simd>::as_simd_f32s(values).0
    }

    #[inline(always)]
    fn store(self, values: &mut [f32]) -> &mut [Self::V] {
        <Self as pulp::Simd>::as_mut_simd_f32s(values).0
    }

    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        pulp::Simd::add_f32s(self, a, b)
    }

    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        pulp::Simd::mul_add_e_f32s(self, a, b, c)
    }

    /// Pairs, then fours, then halves change places.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn transpose(self, rows: Square) -> Square {
        let avx = self.avx;
        let [a, b, c, d, e, f, g, h] = rows.map(pulp::cast);
        let pairs = |a, b| (avx._mm256_unpacklo_ps(a, b), avx._mm256_unpackhi_ps(a, b));
        let fours = |(a, b), (c, d)| {
            [
                avx._mm256_shuffle_ps::<0x44>(a, c),
                avx._mm256_shuffle_ps::<0xEE>(a, c),
                avx._mm256_shuffle_ps::<0x44>(b, d),
                avx._mm256_shuffle_ps::<0xEE>(b, d),
            ]
        };
        let top = fours(pairs(a, b), pairs(c, d));
        let bottom = fours(pairs(e, f), pairs(g, h));
        let low = |i: usize| avx._mm256_permute2f128_ps::<0x20>(top[i], bottom[i]);
        let high = |i: usize| avx._mm256_permute2f128_ps::<0x31>(top[i], bottom[i]);
        [
            low(0),
            low(1),
            low(2),
            low(3),
            high(0),
            high(1),
            high(2),
            high(3),
        ]
        .map(pulp::cast)
    }
}

/// Four floats that the compiler may put into a register.
#[derive(Debug, Clone, Copy)]
pub struct Plain;

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
    fn add(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|i| a[i] + b[i])
    }

    #[inline(always)]
    fn mul_add(self, a: [f32; 4], b: [f32; 4], c: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|i| a[i] * b[i] + c[i])
    }
}

/// A loop over vectors. `run` and everything below it is `#[inline(always)]`: only what is inlined gets
/// the wide registers. It should be short: what the compiler sees at once competes for registers.
pub trait Loop {
    /// The loop.
    fn run<L: Lanes>(self, lanes: L);
}

/// Runs a loop with the machine's best registers.
#[cfg(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    target_arch = "wasm32"
))]
pub fn dispatch<K: Loop>(kernel: K) {
    struct Wide<K>(Machine, K);

    impl<K: Loop> pulp::NullaryFnOnce for Wide<K> {
        type Output = ();

        #[inline(always)]
        fn call(self) {
            self.1.run(self.0);
        }
    }

    match Machine::try_new() {
        Some(machine) => machine.vectorize(Wide(machine, kernel)),
        None => kernel.run(Plain),
    }
}

/// Runs a loop with the machine's best registers.
#[cfg(not(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    target_arch = "wasm32"
)))]
pub fn dispatch<K: Loop>(kernel: K) {
    kernel.run(Plain);
}
