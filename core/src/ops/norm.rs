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

    /// Moments of a channel in one pass: with distances from a value close to the mean, the squares
    /// lose no digits.
    fn moments(&self, x: &[f32], c: usize) -> Moments {
        let first = self.channel(x, c).next().unwrap_or_default();
        let near = &first[..first.len().min(BLOCK)];
        let centre = (lanes::run(Sum { x: near }) / near.len().max(1) as f64) as f32;
        let (mut plain, mut squares) = (0f64, 0f64);
        for x in self.channel(x, c) {
            let (a, b) = lanes::run(Distances { x, centre });
            plain += a;
            squares += b;
        }
        let offset = plain / self.count();
        Moments {
            mean: (f64::from(centre) + offset) as f32,
            variance: (squares / self.count() - offset * offset).max(0.0) as f32,
        }
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
        let moments = planes.moments(x, c);
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

/// What a backward pass is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// The gradient of `x`.
    pub input: bool,
    /// The gradients of weight and bias.
    pub parameters: bool,
    /// The moments are constants and not the batch's own.
    pub fixed: bool,
}

/// Planes `[B, C, H·W]` within a larger tensor: channels follow each other, pictures lie `step` apart.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// From the first plane on.
    pub values: &'a [f32],
    /// From picture to picture.
    pub step: usize,
}

/// Gradients of weight and bias; `grad` (of the output) becomes the gradient of `x`. With a `view`, the
/// output's gradient is read from there and `grad` is only written.
pub fn backward(
    x: &[f32],
    grad: &mut [f32],
    view: Option<View>,
    planes: Planes,
    norm: Norm,
    moments: &[Moments],
    wanted: Wanted,
) -> (Vec<f32>, Vec<f32>) {
    let pairs = parallel::map(
        planes.by_channel(grad),
        2 * planes.cost(),
        |(c, mut grad)| {
            if let Some(View { values, step }) = view {
                for (b, grad) in grad.iter_mut().enumerate() {
                    grad.copy_from_slice(&values[b * step + c * planes.size..][..planes.size]);
                }
            }
            let affine = norm.affine(c, moments[c]);
            let (mut plain, mut centred) = (0f64, 0f64);
            for (x, grad) in planes.channel(x, c).zip(&mut grad) {
                let (a, b) = lanes::run(Deactivate {
                    x,
                    grad,
                    affine,
                    sums: wanted.parameters || !wanted.fixed,
                    scaled: wanted.fixed,
                });
                plain += a;
                centred += b;
            }
            let inverse = f64::from(affine.inverse);
            if wanted.input && !wanted.fixed {
                let scale = -f64::from(affine.scale) / planes.count();
                let slope = (scale * inverse * inverse * centred) as f32;
                let offset = (scale * plain) as f32;
                for (x, grad) in planes.channel(x, c).zip(&mut grad) {
                    lanes::run(Spread {
                        x,
                        grad,
                        affine,
                        slope,
                        offset,
                    });
                }
            }
            ((centred * inverse) as f32, plain as f32)
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

/// Sums of the distances from `centre` and of their squares.
struct Distances<'a> {
    x: &'a [f32],
    centre: f32,
}

impl Kernel for Distances<'_> {
    type Output = (f64, f64);

    #[inline(always)]
    fn run<const FMA: bool>(self) -> (f64, f64) {
        let (mut plain, mut squares) = (0f64, 0f64);
        for block in self.x.chunks(BLOCK) {
            let (mut a, mut b) = ([0f32; LANES], [0f32; LANES]);
            let (chunks, rest) = block.as_chunks::<LANES>();
            for chunk in chunks {
                for i in 0..LANES {
                    let d = chunk[i] - self.centre;
                    a[i] += d;
                    b[i] = mul_add::<FMA>(d, d, b[i]);
                }
            }
            for (i, x) in rest.iter().enumerate() {
                let d = x - self.centre;
                a[i] += d;
                b[i] = mul_add::<FMA>(d, d, b[i]);
            }
            plain += total(a);
            squares += total(b);
        }
        (plain, squares)
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

/// The gradient of `y` becomes that of `u`, or, `scaled`, that of `x` for constant moments. Returns the
/// sum of `u`'s gradient and its sum weighted by `x − mean`, when `sums` asks for them.
struct Deactivate<'a> {
    x: &'a [f32],
    grad: &'a mut [f32],
    affine: Affine,
    sums: bool,
    scaled: bool,
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
            if self.sums {
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
            if self.scaled {
                grad.iter_mut().for_each(|grad| *grad *= scale);
            }
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
