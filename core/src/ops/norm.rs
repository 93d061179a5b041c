//! BatchNorm and SiLU in one pass over `[B, C, H, W]`, forward and backward, on slices.
//!
//! With `u = scale·x + shift` and `y = u·σ(u)`, only `x` is kept for the backward pass; the logistic
//! function is computed again there.

use super::lanes::{self, Kernel, LANES, mul_add, sum, total};
use super::parallel;
use super::silu::sigmoid;

/// Elements whose sums are taken in f32 before they join an f64.
const BLOCK: usize = 1024;
/// Operations per element, for the division of labour.
const COST: usize = 8;

/// The planes of a `[B, C, H, W]` tensor.
#[derive(Debug, Clone, Copy)]
pub struct Planes {
    /// Pictures `B`.
    pub batch: usize,
    /// Channels `C`.
    pub channels: usize,
    /// Elements `H·W` of a plane.
    pub size: usize,
}

impl Planes {
    fn channel<'a>(&self, x: &'a [f32], c: usize) -> impl Iterator<Item = &'a [f32]> + use<'a> {
        let (size, step) = (self.size, self.channels * self.size);
        (0..self.batch).map(move |b| &x[b * step + c * size..][..size])
    }

    /// The planes of every channel, to write to.
    fn by_channel<'a>(&self, x: &'a mut [f32]) -> Vec<(usize, Vec<&'a mut [f32]>)> {
        let mut channels: Vec<_> = (0..self.channels)
            .map(|c| (c, Vec::with_capacity(self.batch)))
            .collect();
        for (i, plane) in x.chunks_exact_mut(self.size.max(1)).enumerate() {
            channels[i % self.channels].1.push(plane);
        }
        channels
    }

    fn count(&self) -> f64 {
        (self.batch * self.size) as f64
    }

    fn cost(&self) -> usize {
        COST * self.batch * self.size
    }
}

/// Mean and biased variance of a channel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moments {
    /// Mean.
    pub mean: f32,
    /// Biased variance.
    pub variance: f32,
}

/// `u = scale·x + shift`, and what takes `x` to its normalised value `(x − mean)·inverse`.
#[derive(Debug, Clone, Copy)]
struct Affine {
    scale: f32,
    shift: f32,
    mean: f32,
    inverse: f32,
}

impl Affine {
    fn new(moments: Moments, weight: f32, bias: f32, epsilon: f64) -> Self {
        let inverse = (1.0 / (f64::from(moments.variance) + epsilon).sqrt()) as f32;
        let scale = weight * inverse;
        Self {
            scale,
            shift: bias - moments.mean * scale,
            mean: moments.mean,
            inverse,
        }
    }
}

/// The parameters of a norm; each slice holds `C` values.
#[derive(Debug, Clone, Copy)]
pub struct Norm<'a> {
    /// Scale.
    pub weight: &'a [f32],
    /// Shift.
    pub bias: &'a [f32],
    /// Added to the variance.
    pub epsilon: f64,
}

impl Norm<'_> {
    fn affine(&self, c: usize, moments: Moments) -> Affine {
        Affine::new(moments, self.weight[c], self.bias[c], self.epsilon)
    }
}

/// Normalises with the batch; returns its moments.
pub fn forward_train(x: &[f32], out: &mut [f32], planes: Planes, norm: Norm) -> Vec<Moments> {
    parallel::map(planes.by_channel(out), planes.cost(), |(c, mut out)| {
        let mean = planes
            .channel(x, c)
            .map(|x| lanes::run(Sum { x }))
            .sum::<f64>()
            / planes.count();
        let mean = mean as f32;
        let squares = planes
            .channel(x, c)
            .map(|x| lanes::run(Squares { x, mean }))
            .sum::<f64>();
        let moments = Moments {
            mean,
            variance: (squares / planes.count()) as f32,
        };
        let affine = norm.affine(c, moments);
        for (x, out) in planes.channel(x, c).zip(&mut out) {
            lanes::run(Activate { x, out, affine });
        }
        moments
    })
}

/// Normalises with given moments.
pub fn forward_fixed(x: &[f32], out: &mut [f32], planes: Planes, norm: Norm, moments: &[Moments]) {
    parallel::for_each(planes.by_channel(out), planes.cost(), |(c, mut out)| {
        let affine = norm.affine(c, moments[c]);
        for (x, out) in planes.channel(x, c).zip(&mut out) {
            lanes::run(Activate { x, out, affine });
        }
    });
}

/// Gradients of weight and bias; `grad` (of the output) becomes the gradient of `x` when `input` asks
/// for it. `fixed`: the moments are constants and not the batch's own.
pub fn backward(
    x: &[f32],
    grad: &mut [f32],
    planes: Planes,
    norm: Norm,
    moments: &[Moments],
    fixed: bool,
    input: bool,
) -> (Vec<f32>, Vec<f32>) {
    let pairs = parallel::map(
        planes.by_channel(grad),
        2 * planes.cost(),
        |(c, mut grad)| {
            let affine = norm.affine(c, moments[c]);
            let (mut plain, mut centred) = (0f64, 0f64);
            for (x, grad) in planes.channel(x, c).zip(&mut grad) {
                let (a, b) = lanes::run(Deactivate { x, grad, affine });
                plain += a;
                centred += b;
            }
            if input {
                let inverse = f64::from(affine.inverse);
                let (slope, offset) = if fixed {
                    (0.0, 0.0)
                } else {
                    let scale = -f64::from(affine.scale) / planes.count();
                    (scale * inverse * inverse * centred, scale * plain)
                };
                for (x, grad) in planes.channel(x, c).zip(&mut grad) {
                    lanes::run(Spread {
                        x,
                        grad,
                        affine,
                        slope: slope as f32,
                        offset: offset as f32,
                    });
                }
            }
            ((centred * f64::from(affine.inverse)) as f32, plain as f32)
        },
    );
    pairs.into_iter().unzip()
}

struct Sum<'a> {
    x: &'a [f32],
}

impl Kernel for Sum<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> f64 {
        self.x.chunks(BLOCK).map(sum).sum()
    }
}

/// Sum of squared distances from the mean.
struct Squares<'a> {
    x: &'a [f32],
    mean: f32,
}

impl Kernel for Squares<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> f64 {
        let mut squares = 0f64;
        for block in self.x.chunks(BLOCK) {
            let mut strands = [0f32; LANES];
            let (chunks, rest) = block.as_chunks::<LANES>();
            for chunk in chunks {
                for (strand, x) in strands.iter_mut().zip(chunk) {
                    let d = x - self.mean;
                    *strand = mul_add::<FMA>(d, d, *strand);
                }
            }
            for (strand, x) in strands.iter_mut().zip(rest) {
                let d = x - self.mean;
                *strand = mul_add::<FMA>(d, d, *strand);
            }
            squares += total(strands);
        }
        squares
    }
}

/// `out = silu(scale·x + shift)`.
struct Activate<'a> {
    x: &'a [f32],
    out: &'a mut [f32],
    affine: Affine,
}

impl Kernel for Activate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Affine { scale, shift, .. } = self.affine;
        for (out, x) in self.out.iter_mut().zip(self.x) {
            let u = mul_add::<FMA>(scale, *x, shift);
            *out = u * sigmoid::<FMA>(u);
        }
    }
}

/// The gradient of `y` becomes that of `u`; returns its sum and its sum weighted by `x − mean`.
struct Deactivate<'a> {
    x: &'a [f32],
    grad: &'a mut [f32],
    affine: Affine,
}

impl Kernel for Deactivate<'_> {
    type Output = (f64, f64);

    #[inline(always)]
    fn run<const FMA: bool>(self) -> (f64, f64) {
        let Affine {
            scale, shift, mean, ..
        } = self.affine;
        let (mut plain, mut centred) = (0f64, 0f64);
        for (x, grad) in self.x.chunks(BLOCK).zip(self.grad.chunks_mut(BLOCK)) {
            for (grad, x) in grad.iter_mut().zip(x) {
                let u = mul_add::<FMA>(scale, *x, shift);
                let s = sigmoid::<FMA>(u);
                *grad *= s * mul_add::<FMA>(u, 1.0 - s, 1.0);
            }
            plain += sum(grad);
            let mut strands = [0f32; LANES];
            let (chunks, rest) = x.as_chunks::<LANES>();
            let (grads, grad_rest) = grad.as_chunks::<LANES>();
            for (chunk, grads) in chunks.iter().zip(grads) {
                for i in 0..LANES {
                    strands[i] = mul_add::<FMA>(grads[i], chunk[i] - mean, strands[i]);
                }
            }
            for i in 0..rest.len() {
                strands[i] = mul_add::<FMA>(grad_rest[i], rest[i] - mean, strands[i]);
            }
            centred += total(strands);
        }
        (plain, centred)
    }
}

/// The gradient of `u` becomes that of `x`: `scale·g + slope·(x − mean) + offset`.
struct Spread<'a> {
    x: &'a [f32],
    grad: &'a mut [f32],
    affine: Affine,
    slope: f32,
    offset: f32,
}

impl Kernel for Spread<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Affine { scale, mean, .. } = self.affine;
        for (grad, x) in self.grad.iter_mut().zip(self.x) {
            *grad = mul_add::<FMA>(
                scale,
                *grad,
                mul_add::<FMA>(self.slope, x - mean, self.offset),
            );
        }
    }
}
