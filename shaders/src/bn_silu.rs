//! BatchNorm and SiLU in one operation, forward and backward.

use crate::{Kernel, Misfit};

/// Threads of a workgroup.
const THREADS: u32 = 256;
/// Quads of a row that a workgroup takes at most: 256 bytes side by side, the rest of its threads go down.
const LANES: u32 = 16;
/// Workgroups down a column at most: enough to fill a large GPU together with the columns.
const CHUNKS: u32 = 256;
/// Rows of a chunk for every chunk of its column, at least. In the second pass every workgroup reads what
/// all of its column left, two values a chunk, which stays below what it reads of its own.
const ROWS_PER_CHUNK: u32 = 4;
/// Values at most, so that every index of the kernels stays within 32 bits.
const VALUES: u64 = 1 << 31;

macro_rules! kernel {
    ($name:literal, $($part:literal),+) => {
        Kernel {
            name: $name,
            wgsl: concat!(include_str!("bn_silu/common.wgsl"), $(include_str!($part)),+),
            entry: "main",
            workgroup: [THREADS, 1, 1],
        }
    };
}

/// `silu(batch_norm(x))` over `[rows, channels]`, channels last, as convolutions on a GPU leave their
/// output: `rows` are the pixels of all pictures.
///
/// With `u = (x − mean)·scale + bias` and `y = u·σ(u)`. Two passes over `x` forward, two over `x` and the
/// gradient backward; only `x` and four numbers per channel are kept between them.
///
/// Bindings of group 0, after which comes the uniform of [`BnSilu::uniforms`]; all are single precision:
///
/// | kernel | reads | writes |
/// |---|---|---|
/// | [`MOMENTS`](Self::MOMENTS) | x | sums `[chunks, 2, channels]` |
/// | [`NORMALISE`](Self::NORMALISE) | x, sums, weight, bias | y, mean, variance, kept `[4, channels]` |
/// | [`ACTIVATE`](Self::ACTIVATE) | x, weight, bias, mean, variance | y, kept |
/// | [`SLOPES`](Self::SLOPES) | x, kept, gradient of y | sums |
/// | [`SPREAD`](Self::SPREAD) | x, kept, gradient of y, sums | gradients of x, weight, bias |
/// | [`PASS`](Self::PASS) | x, kept, gradient of y | gradient of x, for constant moments |
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BnSilu {
    rows: u32,
    channels: u32,
    epsilon: f32,
}

/// What [`BnSilu::forward`] finds.
#[derive(Debug, Clone, PartialEq)]
pub struct Forward {
    /// Output `[rows, channels]`.
    pub y: Vec<f32>,
    /// Mean per channel.
    pub mean: Vec<f32>,
    /// Biased variance per channel.
    pub variance: Vec<f32>,
    /// What the backward pass needs beside `x`: `[4, channels]`.
    pub kept: Vec<f32>,
}

/// What [`BnSilu::backward`] finds.
#[derive(Debug, Clone, PartialEq)]
pub struct Backward {
    /// Gradient of the input `[rows, channels]`.
    pub x: Vec<f32>,
    /// Gradient of the scale per channel.
    pub weight: Vec<f32>,
    /// Gradient of the shift per channel.
    pub bias: Vec<f32>,
}

impl BnSilu {
    /// Sums of a batch, per chunk.
    pub const MOMENTS: Kernel = kernel!(
        "bn_silu_moments",
        "bn_silu/sums.wgsl",
        "bn_silu/moments.wgsl"
    );
    /// The batch's moments from the sums, and the output with them.
    pub const NORMALISE: Kernel = kernel!(
        "bn_silu_normalise",
        "bn_silu/sums.wgsl",
        "bn_silu/gathered.wgsl",
        "bn_silu/normalise.wgsl"
    );
    /// The output with given moments.
    pub const ACTIVATE: Kernel = kernel!("bn_silu_activate", "bn_silu/activate.wgsl");
    /// Sums of a gradient, per chunk.
    pub const SLOPES: Kernel = kernel!(
        "bn_silu_slopes",
        "bn_silu/sums.wgsl",
        "bn_silu/kept.wgsl",
        "bn_silu/slopes.wgsl"
    );
    /// The gradients from the sums.
    pub const SPREAD: Kernel = kernel!(
        "bn_silu_spread",
        "bn_silu/sums.wgsl",
        "bn_silu/gathered.wgsl",
        "bn_silu/kept.wgsl",
        "bn_silu/spread.wgsl"
    );
    /// The input's gradient with constant moments.
    pub const PASS: Kernel = kernel!("bn_silu_pass", "bn_silu/kept.wgsl", "bn_silu/pass.wgsl");

    /// For `rows` pixels of `channels` each.
    ///
    /// # Errors
    /// When there is nothing, too much, or the channels do not come in fours.
    pub fn new(rows: usize, channels: usize, epsilon: f32) -> Result<Self, Misfit> {
        let values = (rows as u64).saturating_mul(channels as u64);
        if values == 0 || values > VALUES || !channels.is_multiple_of(4) {
            return Err(Misfit {
                kernel: "bn_silu",
                found: format!("{rows} rows of {channels} channels"),
                expected: "channels in fours, and up to 2^31 values",
            });
        }
        Ok(Self {
            rows: rows as u32,
            channels: channels as u32,
            epsilon,
        })
    }

    /// Channels in fours, and how many of these a workgroup takes: columns as equal as can be.
    fn quads(&self) -> (u32, u32) {
        let quads = self.channels / 4;
        (quads, quads.div_ceil(quads.div_ceil(LANES)))
    }

    /// Rows of a workgroup, and workgroups down a column.
    fn chunks(&self) -> (u32, u32) {
        let step = THREADS / self.quads().1;
        let chunks = (self.rows / ROWS_PER_CHUNK).isqrt().clamp(1, CHUNKS);
        let chunk = self.rows.div_ceil(chunks).next_multiple_of(step);
        (chunk, self.rows.div_ceil(chunk))
    }

    /// Values of the sums between two passes.
    pub fn sums(&self) -> usize {
        2 * self.chunks().1 as usize * self.channels as usize
    }

    /// Content of the uniform; `constant` is read by [`SPREAD`](Self::SPREAD) alone and says that the moments were
    /// given.
    pub fn uniforms(&self, constant: bool) -> [u32; 7] {
        let ((quads, lanes), (chunk, chunks)) = (self.quads(), self.chunks());
        [
            self.rows,
            quads,
            lanes,
            chunk,
            chunks,
            u32::from(constant),
            self.epsilon.to_bits(),
        ]
    }

    /// How many workgroups to dispatch, for every kernel.
    pub fn workgroups(&self) -> [u32; 3] {
        let (quads, lanes) = self.quads();
        [self.chunks().1, quads.div_ceil(lanes), 1]
    }

    fn channel<'a>(&self, x: &'a [f32], channel: usize) -> impl Iterator<Item = f64> + 'a {
        let step = self.channels as usize;
        x[channel..].iter().step_by(step).map(|&x| f64::from(x))
    }

    /// Twin of the forward kernels. `given` are mean and variance; without them the batch's are taken.
    ///
    /// # Panics
    /// When a slice has another length than the sizes say.
    pub fn forward(
        &self,
        x: &[f32],
        weight: &[f32],
        bias: &[f32],
        given: Option<(&[f32], &[f32])>,
    ) -> Forward {
        let (rows, channels) = (self.rows as usize, self.channels as usize);
        assert_eq!(x.len(), rows * channels, "x");
        let mut found = Forward {
            y: vec![0.0; x.len()],
            mean: vec![0.0; channels],
            variance: vec![0.0; channels],
            kept: vec![0.0; 4 * channels],
        };
        for c in 0..channels {
            let (mean, variance) = match given {
                Some((mean, variance)) => (f64::from(mean[c]), f64::from(variance[c])),
                None => {
                    let mean = self.channel(x, c).sum::<f64>() / rows as f64;
                    let squares: f64 = self.channel(x, c).map(|x| (x - mean).powi(2)).sum();
                    (mean, squares / rows as f64)
                }
            };
            let inverse = 1.0 / (variance + f64::from(self.epsilon)).sqrt();
            let scale = f64::from(weight[c]) * inverse;
            found.mean[c] = mean as f32;
            found.variance[c] = variance as f32;
            for (part, value) in [mean, inverse, scale, f64::from(bias[c])]
                .into_iter()
                .enumerate()
            {
                found.kept[part * channels + c] = value as f32;
            }
            for (row, x) in self.channel(x, c).enumerate() {
                let u = (x - mean) * scale + f64::from(bias[c]);
                found.y[row * channels + c] = (u * sigmoid(u)) as f32;
            }
        }
        found
    }

    /// Twin of the backward kernels. `kept` is the forward pass's, whose moments were `constant` or the batch's.
    ///
    /// # Panics
    /// When a slice has another length than the sizes say.
    pub fn backward(&self, x: &[f32], kept: &[f32], gradient: &[f32], constant: bool) -> Backward {
        let (rows, channels) = (self.rows as usize, self.channels as usize);
        assert_eq!(x.len(), rows * channels, "x");
        assert_eq!(gradient.len(), x.len(), "gradient");
        let mut found = Backward {
            x: vec![0.0; x.len()],
            weight: vec![0.0; channels],
            bias: vec![0.0; channels],
        };
        for c in 0..channels {
            let [mean, inverse, scale, bias] =
                [0, 1, 2, 3].map(|part| f64::from(kept[part * channels + c]));
            let (mut plain, mut weighted) = (0.0, 0.0);
            let before: Vec<f64> = self
                .channel(x, c)
                .zip(self.channel(gradient, c))
                .map(|(x, gradient)| {
                    let u = (x - mean) * scale + bias;
                    let before = gradient * sigmoid(u) * (1.0 + u * (1.0 - sigmoid(u)));
                    plain += before;
                    weighted += before * (x - mean);
                    before
                })
                .collect();
            let share = if constant { 0.0 } else { -scale / rows as f64 };
            for (row, (x, before)) in self.channel(x, c).zip(before).enumerate() {
                let moved = plain + weighted * inverse * inverse * (x - mean);
                found.x[row * channels + c] = (scale * before + share * moved) as f32;
            }
            found.weight[c] = (weighted * inverse) as f32;
            found.bias[c] = plain as f32;
        }
        found
    }
}

fn sigmoid(u: f64) -> f64 {
    1.0 / (1.0 + (-u).exp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::floats;

    /// Moving a value by a hundredth leaves a term of second order, and single precision rounds the rest.
    const DIFFERENCE: f64 = 2e-3;
    const STEP: f32 = 1e-2;

    #[test]
    fn sizes_that_the_kernels_cannot_take_are_refused() {
        assert!(BnSilu::new(1, 4, 1e-3).is_ok());
        for (rows, channels) in [(0, 4), (4, 0), (4, 6), (1 << 30, 8)] {
            assert!(
                BnSilu::new(rows, channels, 1e-3).is_err(),
                "{rows} {channels}"
            );
        }
    }

    #[test]
    fn every_row_and_every_channel_belongs_to_one_workgroup() {
        for (rows, channels) in [
            (1, 4),
            (16 * 320 * 320, 16),
            (6400, 256),
            (400, 1280),
            (37, 80),
            (8, 1028),
        ] {
            let plan = BnSilu::new(rows, channels, 1e-3).expect("sizes");
            let ((quads, lanes), (chunk, chunks)) = (plan.quads(), plan.chunks());
            assert!(lanes <= LANES && chunks <= CHUNKS);
            assert!((chunks - 1) * chunk < plan.rows && plan.rows <= chunks * chunk);
            let columns = plan.workgroups()[1];
            assert!((columns - 1) * lanes < quads && quads <= columns * lanes);
        }
    }

    /// Worked by hand: values 1 and 3 have mean 2 and variance 1.
    #[test]
    fn the_twin_normalises_with_the_biased_variance() {
        let plan = BnSilu::new(2, 4, 0.0).expect("sizes");
        let x = [1.0, 1.0, 1.0, 1.0, 3.0, 3.0, 3.0, 3.0];
        let found = plan.forward(&x, &[1.0, 2.0, 1.0, 1.0], &[0.0, 0.0, 1.0, 5.0], None);
        assert_eq!(found.mean, [2.0; 4]);
        assert_eq!(found.variance, [1.0; 4]);
        let silu = |u: f64| (u * sigmoid(u)) as f32;
        let wanted = [-1.0, -2.0, 0.0, 4.0, 1.0, 2.0, 2.0, 6.0].map(silu);
        assert_eq!(found.y, wanted);
        let given = plan.forward(&x, &[1.0; 4], &[0.0; 4], Some((&[1.0; 4], &[4.0; 4])));
        assert_eq!(given.y[4], silu(1.0));
    }

    #[test]
    fn the_twins_gradients_are_finite_differences_of_its_output() {
        let (rows, channels) = (5, 4);
        let plan = BnSilu::new(rows, channels, 1e-3).expect("sizes");
        let parts = [
            floats(1, rows * channels),
            floats(2, channels),
            floats(3, channels),
        ];
        let pull = floats(4, rows * channels);
        let (mean, variance) = (floats(5, channels), vec![1.5; channels]);
        for constant in [false, true] {
            let given = constant.then_some((&mean[..], &variance[..]));
            let loss = |parts: &[Vec<f32>; 3]| -> f64 {
                let y = plan.forward(&parts[0], &parts[1], &parts[2], given).y;
                let products = y
                    .iter()
                    .zip(&pull)
                    .map(|(y, p)| f64::from(*y) * f64::from(*p));
                products.sum()
            };
            let kept = plan.forward(&parts[0], &parts[1], &parts[2], given).kept;
            let found = plan.backward(&parts[0], &kept, &pull, constant);
            for (part, found) in [found.x, found.weight, found.bias].iter().enumerate() {
                for (i, found) in found.iter().enumerate() {
                    let at = |step: f32| {
                        let mut moved = parts.clone();
                        moved[part][i] += step;
                        loss(&moved)
                    };
                    let wanted = (at(STEP) - at(-STEP)) / f64::from(2.0 * STEP);
                    assert!(
                        (f64::from(*found) - wanted).abs() < DIFFERENCE * (1.0 + wanted.abs()),
                        "constant {constant}, part {part}, {i}: {found} {wanted}"
                    );
                }
            }
        }
    }
}
