//! The outputs of Detect that the loss reads, and their gradients, on slices.

use super::lanes::{self, Kernel, LANES, mul_add, sum, total};
use super::{parallel, room};

/// Where a row holds its objectness.
const OBJECTNESS: usize = 4;
/// Cells whose sums stay in registers.
const CELLS: usize = 64;
/// Elements whose products are summed in f32 before they join an f64.
const BLOCK: usize = 1024;
/// Rows of one task.
const ROWS: usize = 16;

/// A row of Detect: an anchor in a cell of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Picture within the batch.
    pub picture: usize,
    /// Anchor within the scale.
    pub anchor: usize,
    /// Cell in row-major order.
    pub cell: usize,
}

/// The sizes of one scale.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Pictures `B`.
    pub batch: usize,
    /// Channels read.
    pub channels: usize,
    /// Cells `H·W`.
    pub plane: usize,
    /// Anchors `A`.
    pub anchors: usize,
    /// Outputs `5+C` of an anchor.
    pub outputs: usize,
}

/// One scale of Detect: features `[B, C_in, H·W]` and weights `[A, 5+C, C_in]`.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// Features.
    pub x: &'a [f32],
    /// Weights.
    pub weight: &'a [f32],
    /// Sizes.
    pub sizes: Sizes,
}

impl<'a> Head<'a> {
    /// The weights of one output.
    fn weights(&self, anchor: usize, output: usize) -> &'a [f32] {
        let Sizes {
            channels, outputs, ..
        } = self.sizes;
        &self.weight[(anchor * outputs + output) * channels..][..channels]
    }

    /// The features of a picture.
    fn picture(&self, picture: usize) -> &'a [f32] {
        let step = self.sizes.channels * self.sizes.plane;
        &self.x[picture * step..][..step]
    }

    /// The features under a row.
    fn under(&self, row: Row) -> impl Iterator<Item = f32> + use<'a> {
        let planes = self.picture(row.picture).chunks_exact(self.sizes.plane);
        planes.map(move |plane| plane[row.cell])
    }

    /// Objectness logits `[B, A, H·W]`.
    pub fn objectness(&self, bias: &[f32]) -> Vec<f32> {
        let Sizes {
            batch,
            channels,
            plane,
            anchors,
            outputs,
        } = self.sizes;
        let mut logits = vec![0f32; batch * anchors * plane];
        let tasks = logits.chunks_exact_mut(anchors * plane).enumerate();
        parallel::for_each(
            tasks.collect(),
            anchors * plane * channels,
            |(picture, logits)| {
                for (anchor, out) in logits.chunks_exact_mut(plane).enumerate() {
                    lanes::run(Combine {
                        planes: self.picture(picture),
                        weights: self.weights(anchor, OBJECTNESS),
                        bias: bias[anchor * outputs + OBJECTNESS],
                        out,
                    });
                }
            },
        );
        logits
    }

    /// All logits of the rows, `[N, 5+C]`.
    pub fn rows(&self, rows: &[Row], bias: &[f32]) -> Vec<f32> {
        let Sizes {
            channels, outputs, ..
        } = self.sizes;
        let mut logits = vec![0f32; rows.len() * outputs];
        let tasks = rows
            .chunks(ROWS)
            .zip(logits.chunks_mut(ROWS * outputs))
            .collect();
        parallel::for_each(
            tasks,
            ROWS * outputs * channels,
            |(rows, logits): (&[Row], &mut [f32])| {
                for (&row, logits) in rows.iter().zip(logits.chunks_exact_mut(outputs)) {
                    let under: Vec<f32> = self.under(row).collect();
                    for (output, logit) in logits.iter_mut().enumerate() {
                        let product = lanes::run(Dot {
                            a: self.weights(row.anchor, output),
                            b: &under,
                        });
                        *logit = product as f32 + bias[row.anchor * outputs + output];
                    }
                }
            },
        );
        logits
    }

    /// The gradient of the features from those of the objectness and of the rows.
    pub fn input_gradient(
        &self,
        objectness: &[f32],
        rows: &[Row],
        derivatives: &[f32],
    ) -> Vec<f32> {
        let Sizes {
            batch,
            channels,
            plane,
            anchors,
            outputs,
        } = self.sizes;
        // By channel, what its objectness weights are: [C_in, A].
        let weights: Vec<f32> = (0..channels)
            .flat_map(|c| (0..anchors).map(move |a| self.weights(a, OBJECTNESS)[c]))
            .collect();
        let mut grad = room::take(batch * channels * plane);
        let tasks = grad
            .chunks_exact_mut(channels * plane)
            .zip(objectness.chunks_exact(anchors * plane))
            .enumerate()
            .collect();
        parallel::for_each(
            tasks,
            anchors * channels * plane,
            |(picture, (grad, objectness)): (usize, (&mut [f32], &[f32]))| {
                for (out, weights) in grad
                    .chunks_exact_mut(plane)
                    .zip(weights.chunks_exact(anchors))
                {
                    lanes::run(Combine {
                        planes: objectness,
                        weights,
                        bias: 0.0,
                        out,
                    });
                }
                let rows = rows.iter().zip(derivatives.chunks_exact(outputs));
                let mut under = vec![0f32; channels];
                for (row, derivatives) in rows.filter(|(row, _)| row.picture == picture) {
                    under.fill(0.0);
                    for (output, &derivative) in derivatives.iter().enumerate() {
                        lanes::run(Add {
                            to: &mut under,
                            x: self.weights(row.anchor, output),
                            times: derivative,
                        });
                    }
                    for (plane, under) in grad.chunks_exact_mut(plane).zip(&under) {
                        plane[row.cell] += under;
                    }
                }
            },
        );
        grad
    }

    /// The gradient of the weights `[A, 5+C, C_in]`.
    pub fn weight_gradient(
        &self,
        objectness: &[f32],
        rows: &[Row],
        derivatives: &[f32],
    ) -> Vec<f32> {
        let Sizes {
            batch,
            channels,
            plane,
            anchors,
            outputs,
        } = self.sizes;
        let mut grad = vec![0f32; anchors * outputs * channels];
        let tasks = grad.chunks_exact_mut(outputs * channels).enumerate();
        parallel::for_each(
            tasks.collect(),
            rows.len() * outputs * channels / anchors,
            |(anchor, grad)| {
                let rows = rows.iter().zip(derivatives.chunks_exact(outputs));
                for (&row, derivatives) in rows.filter(|(row, _)| row.anchor == anchor) {
                    let under: Vec<f32> = self.under(row).collect();
                    for (grad, &derivative) in grad.chunks_exact_mut(channels).zip(derivatives) {
                        lanes::run(Add {
                            to: grad,
                            x: &under,
                            times: derivative,
                        });
                    }
                }
            },
        );
        let of_objectness = parallel::map(
            (0..channels).collect(),
            batch * anchors * plane,
            |channel| {
                let mut sums = vec![0f64; anchors];
                for (picture, objectness) in objectness.chunks_exact(anchors * plane).enumerate() {
                    let x = &self.picture(picture)[channel * plane..][..plane];
                    for (sum, objectness) in sums.iter_mut().zip(objectness.chunks_exact(plane)) {
                        *sum += lanes::run(Dot {
                            a: x,
                            b: objectness,
                        });
                    }
                }
                sums
            },
        );
        for (channel, sums) in of_objectness.into_iter().enumerate() {
            for (anchor, sum) in sums.into_iter().enumerate() {
                grad[(anchor * outputs + OBJECTNESS) * channels + channel] += sum as f32;
            }
        }
        grad
    }

    /// The gradient of the bias `[A, 5+C]`.
    pub fn bias_gradient(&self, objectness: &[f32], rows: &[Row], derivatives: &[f32]) -> Vec<f32> {
        let Sizes {
            plane,
            anchors,
            outputs,
            ..
        } = self.sizes;
        let mut sums = vec![0f64; anchors * outputs];
        for (row, derivatives) in rows.iter().zip(derivatives.chunks_exact(outputs)) {
            let sums = sums[row.anchor * outputs..].iter_mut();
            for (sum, derivative) in sums.zip(derivatives) {
                *sum += f64::from(*derivative);
            }
        }
        for (i, plane) in objectness.chunks_exact(plane).enumerate() {
            sums[i % anchors * outputs + OBJECTNESS] += plane.chunks(BLOCK).map(sum).sum::<f64>();
        }
        sums.into_iter().map(|sum| sum as f32).collect()
    }
}

/// `out = bias + Σ weights[i] · planes[i]`.
struct Combine<'a> {
    planes: &'a [f32],
    weights: &'a [f32],
    bias: f32,
    out: &'a mut [f32],
}

impl Kernel for Combine<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let plane = self.out.len();
        let (blocks, rest) = self.out.as_chunks_mut::<CELLS>();
        let done = blocks.len() * CELLS;
        for (i, out) in blocks.iter_mut().enumerate() {
            let mut sums = [self.bias; CELLS];
            for (plane, &weight) in self.planes.chunks_exact(plane).zip(self.weights) {
                for (sum, x) in sums.iter_mut().zip(&plane[i * CELLS..][..CELLS]) {
                    *sum = mul_add::<FMA>(weight, *x, *sum);
                }
            }
            *out = sums;
        }
        rest.fill(self.bias);
        for (plane, &weight) in self.planes.chunks_exact(plane).zip(self.weights) {
            for (sum, x) in rest.iter_mut().zip(&plane[done..]) {
                *sum = mul_add::<FMA>(weight, *x, *sum);
            }
        }
    }
}

/// `to += times · x`.
struct Add<'a> {
    to: &'a mut [f32],
    x: &'a [f32],
    times: f32,
}

impl Kernel for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (to, x) in self.to.iter_mut().zip(self.x) {
            *to = mul_add::<FMA>(self.times, *x, *to);
        }
    }
}

/// `Σ a[i] · b[i]`.
struct Dot<'a> {
    a: &'a [f32],
    b: &'a [f32],
}

impl Kernel for Dot<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> f64 {
        let mut product = 0f64;
        for (a, b) in self.a.chunks(BLOCK).zip(self.b.chunks(BLOCK)) {
            let mut strands = [0f32; LANES];
            let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
            for (a, b) in a.iter().zip(b) {
                for i in 0..LANES {
                    strands[i] = mul_add::<FMA>(a[i], b[i], strands[i]);
                }
            }
            for (i, (a, b)) in a_rest.iter().zip(b_rest).enumerate() {
                strands[i] = mul_add::<FMA>(*a, *b, strands[i]);
            }
            product += total(strands);
        }
        product
    }
}
