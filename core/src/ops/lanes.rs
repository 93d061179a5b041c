//! One loop, compiled for the instructions that the machine has.
//!
//! A [`Kernel`] is plain Rust over fixed-size arrays, which the compiler turns into vector
//! instructions. On x86-64 it exists twice, with AVX2 and FMA and without; which one runs is decided
//! once the machine is known.

/// Elements that the kernels handle side by side.
pub const LANES: usize = 16;

/// A loop worth compiling for wider registers. Implementations mark `run` and everything below it
/// `#[inline(always)]`: only what is inlined gets the wider registers.
pub trait Kernel {
    /// What the loop leaves behind.
    type Output;

    /// The loop; `FMA` tells whether a fused multiply-add is one instruction here.
    fn run<const FMA: bool>(self) -> Self::Output;
}

/// Runs a kernel with the best instructions of this machine.
#[cfg(target_arch = "x86_64")]
pub fn run<K: Kernel>(kernel: K) -> K::Output {
    struct Wide<K>(K);

    impl<K: Kernel> pulp::WithSimd for Wide<K> {
        type Output = K::Output;

        #[inline(always)]
        fn with_simd<S: pulp::Simd>(self, _: S) -> K::Output {
            self.0.run::<true>()
        }
    }

    match pulp::x86::V3::try_new() {
        Some(v3) => pulp::Simd::vectorize(v3, Wide(kernel)),
        None => kernel.run::<false>(),
    }
}

/// Runs a kernel with the best instructions of this machine.
#[cfg(not(target_arch = "x86_64"))]
pub fn run<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<{ cfg!(target_arch = "aarch64") }>()
}

/// `a · b + c`.
#[inline(always)]
pub fn mul_add<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// Sum in [`LANES`] strands. `values` should be short (a block): strands add up in f32.
#[inline(always)]
pub fn sum(values: &[f32]) -> f64 {
    let mut strands = [0f32; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for (strand, value) in strands.iter_mut().zip(chunk) {
            *strand += value;
        }
    }
    for (strand, value) in strands.iter_mut().zip(rest) {
        *strand += value;
    }
    total(strands)
}

/// The strands of a sum brought together.
#[inline(always)]
pub fn total(strands: [f32; LANES]) -> f64 {
    strands.into_iter().map(f64::from).sum()
}
