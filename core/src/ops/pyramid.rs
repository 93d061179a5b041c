//! The max pools of SPPF in one operation: three in a row, stride 1, the size kept, concatenated with
//! their input.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::Tensor;
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;

use super::backend::{Flat, dense, tensor, values};
use super::lanes::{self, Kernel};
use super::{parallel, room, served};

/// Pools in a row.
const POOLS: usize = 3;
/// The largest kernel whose cells fit into a byte.
const LARGEST_KERNEL: usize = 15;

#[backend_extension(Flex, Autodiff)]
pub(super) trait Pyramid: Backend {
    fn pool_pyramid(x: FloatTensor<Self>, kernel: usize) -> FloatTensor<Self>;
}

/// `cat(x, p(x), p(p(x)), p(p(p(x))))` over channels, `[B, C, H, W]` to `[B, 4·C, H, W]`, with `p` the
/// maximum of `kernel × kernel` (odd) around every pixel.
pub fn pool_pyramid(x: Tensor<4>, kernel: usize) -> Tensor<4> {
    if served(&x) && kernel % 2 == 1 && kernel <= LARGEST_KERNEL {
        return Tensor::from_dispatch(<Dispatch as Pyramid>::pool_pyramid(
            x.into_dispatch(),
            kernel,
        ));
    }
    let options = MaxPoolOptions::new([kernel; 2])
        .with_stride([1, 1])
        .with_padding([kernel / 2; 2]);
    let mut steps = vec![x];
    for _ in 0..POOLS {
        let pooled = max_pool2d(steps[steps.len() - 1].clone(), options.clone());
        steps.push(pooled);
    }
    Tensor::cat(steps, 1)
}

impl Pyramid for Flex {
    fn pool_pyramid(x: Flat, kernel: usize) -> Flat {
        pool(&dense(x), kernel).0
    }
}

/// The output, and by plane and pool which cell of its window every pixel took.
fn pool(x: &Flat, kernel: usize) -> (Flat, Vec<Vec<u8>>) {
    let [batch, channels, height, width] = x.shape().dims();
    let plane = height * width;
    let mut out = vec![0f32; (POOLS + 1) * batch * channels * plane];
    let cells = parallel::map(
        targets(&mut out, channels, plane)
            .into_iter()
            .zip(values(x).chunks_exact(plane))
            .collect(),
        4 * POOLS * kernel * plane,
        |(mut steps, x): (Vec<&mut [f32]>, &[f32])| {
            let mut cells = vec![0u8; POOLS * plane];
            steps[0].copy_from_slice(x);
            for (pool, cells) in cells.chunks_exact_mut(plane).enumerate() {
                let (from, to) = steps.split_at_mut(pool + 1);
                lanes::run(MaxPool {
                    x: from[pool],
                    out: to[0],
                    cells,
                    width,
                    kernel,
                });
            }
            cells
        },
    );
    let shape = [batch, (POOLS + 1) * channels, height, width];
    (tensor(out, shape), cells)
}

/// Of `[B, 4·C, H·W]`, by input plane the four planes that come of it.
fn targets(out: &mut [f32], channels: usize, plane: usize) -> Vec<Vec<&mut [f32]>> {
    let mut targets = Vec::with_capacity(out.len() / plane / (POOLS + 1));
    for image in out.chunks_exact_mut((POOLS + 1) * channels * plane) {
        let first = targets.len();
        targets.extend((0..channels).map(|_| Vec::with_capacity(POOLS + 1)));
        for (i, plane) in image.chunks_exact_mut(plane).enumerate() {
            targets[first + i % channels].push(plane);
        }
    }
    targets
}

/// The maximum around every pixel, and which cell of the window holds it: the first in row-major order.
struct MaxPool<'a> {
    x: &'a [f32],
    out: &'a mut [f32],
    cells: &'a mut [u8],
    width: usize,
    kernel: usize,
}

impl Kernel for MaxPool<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let (width, kernel, reach) = (self.width, self.kernel, self.kernel / 2);
        let height = self.x.len() / width;
        // Along the rows first; what lies outside never wins.
        let mut best = vec![f32::NEG_INFINITY; height * width];
        let mut columns = vec![0u8; height * width];
        let mut padded = vec![f32::NEG_INFINITY; width + 2 * reach];
        let rows = best
            .chunks_exact_mut(width)
            .zip(columns.chunks_exact_mut(width))
            .zip(self.x.chunks_exact(width));
        for ((best, columns), x) in rows {
            padded[reach..][..width].copy_from_slice(x);
            for (x, column) in columns.iter_mut().enumerate() {
                *column = reach.saturating_sub(x) as u8;
            }
            for d in 0..kernel {
                let taps = best.iter_mut().zip(&mut *columns).zip(&padded[d..]);
                for ((best, column), x) in taps {
                    let better = beats(*x, *best);
                    *best = if better { *x } else { *best };
                    *column = if better { d as u8 } else { *column };
                }
            }
        }
        for y in 0..height {
            let out = &mut self.out[y * width..][..width];
            let cells = &mut self.cells[y * width..][..width];
            let first = y.saturating_sub(reach);
            let cell = |row: usize| ((row + reach - y) * kernel) as u8;
            out.copy_from_slice(&best[first * width..][..width]);
            for (to, column) in cells.iter_mut().zip(&columns[first * width..][..width]) {
                *to = cell(first) + column;
            }
            for row in first + 1..(y + reach + 1).min(height) {
                let taps = best[row * width..][..width]
                    .iter()
                    .zip(&columns[row * width..][..width]);
                for ((out, to), (x, column)) in out.iter_mut().zip(&mut *cells).zip(taps) {
                    let better = beats(*x, *out);
                    *out = if better { *x } else { *out };
                    *to = if better { cell(row) + column } else { *to };
                }
            }
        }
    }
}

/// Whether a later value replaces an earlier one; what is not a number stays visible.
#[inline(always)]
fn beats(later: f32, earlier: f32) -> bool {
    later > earlier || later.is_nan()
}

/// Gives every gradient to the pixel that its window took.
fn scatter(grad: &[f32], cells: &[u8], to: &mut [f32], width: usize, kernel: usize) {
    for (i, (grad, &cell)) in grad.iter().zip(cells).enumerate() {
        let (row, column) = (usize::from(cell) / kernel, usize::from(cell) % kernel);
        to[i + row * width + column - kernel / 2 * (width + 1)] += grad;
    }
}

#[derive(Debug, Clone)]
struct State {
    cells: Vec<Vec<u8>>,
    kernel: usize,
}

#[derive(Debug)]
struct PyramidBackward;

impl Backward<Flex, 1> for PyramidBackward {
    type State = State;

    fn backward(self, ops: Ops<State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = dense(grads.consume::<Flex>(&ops.node));
        let State { cells, kernel } = ops.state;
        let [Some(node)] = ops.parents else {
            return;
        };
        let [batch, channels, height, width] = grad.shape().dims();
        let (channels, plane) = (channels / (POOLS + 1), height * width);
        let mut out = room::take(batch * channels * plane);
        let steps = values(&grad);
        let tasks = out.chunks_exact_mut(plane).zip(&cells).enumerate();
        parallel::for_each(
            tasks.collect(),
            4 * POOLS * plane,
            |(i, (out, cells)): (usize, (&mut [f32], &Vec<u8>))| {
                let (image, channel) = (i / channels, i % channels);
                let step = |pool: usize| {
                    let at = (image * (POOLS + 1) + pool) * channels + channel;
                    &steps[at * plane..][..plane]
                };
                // From the last pool to the first, each adds to what reached its input otherwise.
                let mut above = step(POOLS).to_vec();
                for (pool, cells) in cells.chunks_exact(plane).enumerate().rev() {
                    out.copy_from_slice(step(pool));
                    scatter(&above, cells, out, width, kernel);
                    above.copy_from_slice(out);
                }
            },
        );
        room::give(grad);
        grads.register::<Flex>(node.id, tensor(out, [batch, channels, height, width]));
    }
}

type Recorded<C> = FloatTensor<Autodiff<Flex, C>>;

impl<C: CheckpointStrategy> Pyramid for Autodiff<Flex, C> {
    fn pool_pyramid(x: Recorded<C>, kernel: usize) -> Recorded<C> {
        let (x, guard) = x.into_parts();
        let (out, cells) = pool(&dense(x), kernel);
        let prep = PyramidBackward.prepare::<C>([guard]);
        match prep.compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(State { cells, kernel }, out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }
}
