//! Convolution and its gradients.

use super::correlate::{After, Phase, Target, correlate};
use super::padded::Field;
use super::parallel;
use super::transpose::transpose;

/// Channels whose weights change places together: a cache line of neighbouring 1×1 kernels.
const GROUP: usize = 16;

/// A square convolution over `[B, C_in, H, W]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Pictures.
    pub batch: usize,
    /// Channels read.
    pub c_in: usize,
    /// Channels written.
    pub c_out: usize,
    /// Rows read.
    pub height: usize,
    /// Columns read.
    pub width: usize,
    /// Side of the kernel.
    pub kernel: usize,
    /// Step between outputs.
    pub stride: usize,
    /// Zeros around the picture, fewer than the kernel's side.
    pub padding: usize,
}

impl Geometry {
    /// Whether there is anything to compute and the kernels can do it.
    pub fn is_served(&self) -> bool {
        let least = self.height.min(self.width) + 2 * self.padding;
        let sizes = [
            self.batch,
            self.c_in,
            self.c_out,
            self.height,
            self.width,
            self.kernel,
            self.stride,
        ];
        sizes.iter().all(|&size| size > 0) && self.padding < self.kernel && self.kernel <= least
    }

    /// Rows written.
    pub fn out_height(&self) -> usize {
        (self.height + 2 * self.padding - self.kernel) / self.stride + 1
    }

    /// Columns written.
    pub fn out_width(&self) -> usize {
        (self.width + 2 * self.padding - self.kernel) / self.stride + 1
    }

    /// Elements of an output plane.
    pub fn out_plane(&self) -> usize {
        self.out_height() * self.out_width()
    }

    /// Weights of one output channel.
    pub fn taps(&self) -> usize {
        self.c_in * self.kernel * self.kernel
    }

    /// What the outputs read.
    pub fn field(&self) -> Field {
        Field {
            batch: self.batch,
            channels: self.c_in,
            height: self.height,
            width: self.width,
            padding: self.padding,
            stride: self.stride,
            reach: (self.kernel - 1) / self.stride,
            rows: self.out_height(),
            columns: self.out_width(),
        }
    }
}

/// Fills `y` with `x ⋆ weight` and what becomes of it: `[B, C_in, H, W]` and `[C_out, C_in, K, K]` to
/// `[B, C_out, H', W']`.
pub fn forward(x: &[f32], weight: &[f32], after: After, g: Geometry, y: &mut [f32]) {
    let k = g.kernel;
    let phase = Phase {
        cells: (0..k * k).map(|cell| (cell / k, cell % k)).collect(),
        weights: weight,
        first: 0,
    };
    let target = Target {
        channels: g.c_out,
        height: g.out_height(),
        width: g.out_width(),
        stride: 1,
        after,
    };
    correlate(x, g.field(), &[phase], &target, y);
}

/// Fills `out` with the gradient of `x` from that of `y`.
///
/// Pixel `s·m + a` of the input meets the kernel's rows `r, r + s, …` with `r = (a + padding) mod s` at the
/// output rows `m + d, m + d − 1, …` with `d = (a + padding) div s`. That is one sum of shifted lines for each
/// of `s²` classes of pixels.
pub fn input_gradient(grad: &[f32], weight: &[f32], g: Geometry, out: &mut [f32]) {
    let (k, s, p) = (g.kernel, g.stride, g.padding);
    // Kernel row (or column) and shift against `m` (or `n`) of every tap of a class.
    let cells = |a: usize| -> Vec<(usize, isize)> {
        let rows = ((a + p) % s..k).step_by(s);
        rows.enumerate()
            .map(|(j, row)| (row, ((a + p) / s) as isize - j as isize))
            .collect()
    };
    let shifts = || (0..s).flat_map(cells).map(|(_, shift)| shift);
    let least = shifts().min().unwrap_or(0).min(0);
    let most = shifts().max().unwrap_or(0).max(0);
    let field = Field {
        batch: g.batch,
        channels: g.c_out,
        height: g.out_height(),
        width: g.out_width(),
        padding: least.unsigned_abs(),
        stride: 1,
        reach: (most - least) as usize,
        rows: g.height.div_ceil(s),
        columns: g.width.div_ceil(s),
    };
    // Per class its cells: place in the kernel, and shift.
    let classes: Vec<Vec<(usize, (usize, usize))>> = (0..s * s)
        .map(|class| {
            let (rows, columns) = (cells(class / s), cells(class % s));
            let pairs = rows
                .iter()
                .flat_map(|y| columns.iter().map(move |x| (y, x)));
            pairs
                .map(|((y, down), (x, right))| {
                    let shift = ((down - least) as usize, (right - least) as usize);
                    (y * k + x, shift)
                })
                .collect()
        })
        .collect();
    let weights = swapped(weight, &classes, g);
    let mut first = 0;
    let phases: Vec<Phase> = classes
        .iter()
        .map(|cells| {
            let phase = Phase {
                cells: cells.iter().map(|(_, shift)| *shift).collect(),
                weights: &weights,
                first,
            };
            first += g.c_out * cells.len();
            phase
        })
        .collect();
    let target = Target {
        channels: g.c_in,
        height: g.height,
        width: g.width,
        stride: s,
        after: After::default(),
    };
    correlate(grad, field, &phases, &target, out);
}

/// Weights `[C_out, C_in, K, K]` as `[C_in, C_out·K·K]`: class after class, each `[C_out, cells]`.
fn swapped(weight: &[f32], classes: &[Vec<(usize, (usize, usize))>], g: Geometry) -> Vec<f32> {
    let area = g.kernel * g.kernel;
    let taps = g.c_out * area;
    let mut swapped = vec![0f32; g.c_in * taps];
    let rows = swapped.chunks_mut(GROUP * taps).enumerate().collect();
    if area == 1 {
        parallel::for_each(rows, GROUP * taps, |(group, rows): (usize, &mut [f32])| {
            transpose(&weight[group * GROUP..], g.c_in, g.c_out, rows, taps);
        });
        return swapped;
    }
    // Where the first output channel's weights go in a row, and their step from one to the next.
    let mut places = vec![(0, 0); area];
    let mut first = 0;
    for cells in classes {
        for (i, (place, _)) in cells.iter().enumerate() {
            places[*place] = (first + i, cells.len());
        }
        first += g.c_out * cells.len();
    }
    parallel::for_each(rows, GROUP * taps, |(group, rows): (usize, &mut [f32])| {
        let weight = &weight[group * GROUP * area..];
        match places.as_array::<9>() {
            Some(places) => spread(weight, places, rows, g),
            None => spread(weight, &places, rows, g),
        }
    });
    swapped
}

/// Takes the kernels of some input channels to their rows; known at compile time, the number of
/// `places` unrolls the loop over them.
#[inline(always)]
fn spread(weight: &[f32], places: &[(usize, usize)], rows: &mut [f32], g: Geometry) {
    let taps = g.c_out * places.len();
    for o in 0..g.c_out {
        let kernels = weight[o * g.c_in * places.len()..].chunks_exact(places.len());
        for (row, kernel) in rows.chunks_exact_mut(taps).zip(kernels) {
            for (value, (first, step)) in kernel.iter().zip(places) {
                row[first + o * step] = *value;
            }
        }
    }
}

/// The gradient of the bias from that of `y`: `[C_out]`.
pub fn bias_gradient(grad: &[f32], g: Geometry) -> Vec<f32> {
    let mut sums = vec![0f64; g.c_out];
    for (i, plane) in grad.chunks_exact(g.out_plane()).enumerate() {
        sums[i % g.c_out] += plane.chunks(1024).map(super::lanes::sum).sum::<f64>();
    }
    sums.into_iter().map(|sum| sum as f32).collect()
}
