//! The gradient of a convolution's weights: for every output channel and tap, the sum over all
//! positions of the output's gradient times what the tap read there.
//!
//! The input is turned round first, so that the channels of a pixel lie side by side (`[H, W, C]` with its
//! padding). What a kernel's row reads at a position is then one run of `K·C` floats, whatever the stride,
//! and the tile of [`super::tile`] applies: its rows are output channels, its columns taps, and it
//! adds up over positions.

use std::borrow::Cow;

use super::conv::Geometry;
use super::padded::Band;
use super::parallel;
use super::tile::{COLUMNS, Columns, Rows, STEP, Sums, multiply};
use super::transpose::transpose;

/// Positions that are worked on together: what sixteen channels read there should fit the first cache.
const POSITIONS: usize = 256;
/// Input channels of a task.
const CHANNELS: usize = 48;
/// Tasks worth having, for as many cores.
const TASKS: usize = 16;
/// Partial sums that may be held at once.
const PARTIALS: usize = 1 << 20;

/// The gradient of the weights `[C_out, C_in, K, K]` from `x` and the gradient of `y`.
pub fn weight_gradient(x: &[f32], grad: &[f32], g: Geometry) -> Vec<f32> {
    let slices = g.c_in.div_ceil(CHANNELS);
    let share = g.c_in.div_ceil(slices);
    let share = if slices == 1 {
        share
    } else {
        share.next_multiple_of(STEP)
    };
    let slices = g.c_in.div_ceil(share);
    let turned = Turned::new(g, share);
    let held = g.c_out * turned.stride();
    let groups = (PARTIALS / (held * slices)).clamp(1, TASKS.div_ceil(slices));
    let field = g.field();
    let bands = field.bands(groups, turned.pitch * g.stride / turned.fold);
    let per_group = bands.len().div_ceil(groups);
    let tasks: Vec<_> = (0..slices)
        .flat_map(|slice| bands.chunks(per_group).map(move |bands| (slice, bands)))
        .collect();
    let groups = tasks.len() / slices;
    let cost = per_group * bands[0].images * bands[0].rows * field.columns * held / 8;
    let run = |slice: usize, bands: &[Band], sums: Vec<&mut [f32]>| {
        let first = slice * share;
        let task = Task {
            x,
            grad,
            turned: &turned,
            bands,
            channels: (first, share.min(g.c_in - first)),
            sums,
        };
        task.run();
    };
    let mut total = vec![0f32; g.c_out * g.taps()];
    if g.kernel == 1 && groups == 1 && g.c_in.is_multiple_of(STEP) {
        // The sums already are what is wanted.
        let mut rows: Vec<Vec<&mut [f32]>> = vec![];
        rows.resize_with(slices, || Vec::with_capacity(g.c_out));
        for row in total.chunks_exact_mut(g.c_in) {
            for (rows, part) in rows.iter_mut().zip(row.chunks_mut(share)) {
                rows.push(part);
            }
        }
        let tasks = tasks.into_iter().zip(rows).collect();
        parallel::for_each(tasks, cost, |((slice, bands), rows)| {
            run(slice, bands, rows)
        });
        return total;
    }
    let partials = parallel::map(tasks, cost, |(slice, bands)| {
        let mut sums = vec![0f32; held];
        run(
            slice,
            bands,
            sums.chunks_exact_mut(turned.stride()).collect(),
        );
        sums
    });
    let area = g.kernel * g.kernel;
    let rows = total.chunks_exact_mut(g.taps()).enumerate().collect();
    parallel::for_each(rows, g.taps() * groups, |(o, row): (usize, &mut [f32])| {
        for (partials, row) in partials.chunks(groups).zip(row.chunks_mut(share * area)) {
            let mut parts = partials.iter().map(|sums| &sums[o * turned.stride()..]);
            let first = parts.next().unwrap_or_default();
            let sums = parts.fold(
                Cow::Borrowed(&first[..turned.stride()]),
                |mut sums, part| {
                    for (sum, part) in sums.to_mut().iter_mut().zip(part) {
                        *sum += part;
                    }
                    sums
                },
            );
            if turned.run == g.kernel * share && turned.fold == 1 {
                // Taps beside channels become channels beside taps.
                transpose(&sums, share, area, row, area);
                continue;
            }
            for (tap, total) in row.iter_mut().enumerate() {
                let (c, y, x) = (tap / area, tap / g.kernel % g.kernel, tap % g.kernel);
                *total = sums[turned.sum(c, y, x)];
            }
        }
    });
    total
}

/// Padded pictures with `share` channels side by side, and of `fold` rows of pixels those that lie one
/// below the other.
#[derive(Debug, Clone, Copy)]
struct Turned {
    g: Geometry,
    share: usize,
    /// The stride, where it divides the kernel: then as many of its rows make one run.
    fold: usize,
    /// Floats of `fold` rows of pixels.
    pitch: usize,
    /// Floats that `fold` rows of the kernel read, rounded up to [`STEP`].
    run: usize,
}

impl Turned {
    fn new(g: Geometry, share: usize) -> Self {
        let columns = (g.out_width() - 1) * g.stride + g.kernel;
        let fold = if g.kernel.is_multiple_of(g.stride) {
            g.stride
        } else {
            1
        };
        Self {
            g,
            share,
            fold,
            pitch: columns * fold * share,
            run: (g.kernel * fold * share).next_multiple_of(STEP),
        }
    }

    /// Sums of one output channel.
    fn stride(&self) -> usize {
        self.g.kernel / self.fold * self.run
    }

    /// Where the sum of a tap lies among those of one output channel.
    fn sum(&self, c: usize, y: usize, x: usize) -> usize {
        y / self.fold * self.run + (x * self.fold + y % self.fold) * self.share + c
    }

    /// Rows of pixels that a picture of a band needs.
    fn rows(&self, band: Band) -> usize {
        (band.rows - 1) * self.g.stride + self.g.kernel
    }

    /// Where the pixels of each position of a band begin.
    fn places(&self, band: Band) -> Vec<usize> {
        let (g, rows) = (&self.g, self.rows(band));
        let mut places = Vec::with_capacity(band.images * band.rows * g.out_width());
        for (image, row) in (0..band.images).flat_map(|i| (0..band.rows).map(move |r| (i, r))) {
            let start = (image * rows + row * g.stride) / self.fold * self.pitch;
            let pixel = self.fold * self.share;
            places.extend((0..g.out_width()).map(|n| start + n * g.stride * pixel));
        }
        places
    }

    /// Turns a band of `x` round: channels `first..first + count` of each pixel side by side.
    fn turn(&self, x: &[f32], band: Band, (first, count): (usize, usize)) -> Vec<f32> {
        let (g, rows) = (&self.g, self.rows(band));
        let plane = g.height * g.width;
        let pixel = self.fold * self.share;
        let size = band.images * rows / self.fold * self.pitch;
        let mut turned = vec![0f32; size + COLUMNS.max(pixel)];
        // Columns of the picture that anyone reads.
        let width = g.width.min(self.pitch / pixel - g.padding);
        for (image, row) in (0..band.images).flat_map(|i| (0..rows).map(move |r| (i, r))) {
            let y = band.row * g.stride + row;
            if y < g.padding || y >= g.padding + g.height {
                continue;
            }
            let start = ((band.image + image) * g.c_in + first) * plane + (y - g.padding) * g.width;
            let target = (image * rows + row) / self.fold * self.pitch + g.padding * pixel;
            // The last pixel's other rows lie behind what is written.
            let target = &mut turned[target + row % self.fold * self.share..][..width * pixel];
            transpose(&x[start..], plane, count, target, pixel);
        }
        turned
    }
}

/// Some bands and some input channels.
struct Task<'a> {
    x: &'a [f32],
    grad: &'a [f32],
    turned: &'a Turned,
    bands: &'a [Band],
    /// First input channel and their number.
    channels: (usize, usize),
    /// `[C_out]` rows of runs.
    sums: Vec<&'a mut [f32]>,
}

impl Task<'_> {
    fn run(mut self) {
        let g = self.turned.g;
        let plane = g.out_plane();
        for &band in self.bands {
            let turned = self.turned.turn(self.x, band, self.channels);
            let places = self.turned.places(band);
            let size = band.rows * g.out_width();
            if band.images > 1 && size < POSITIONS / 2 {
                let rows = self.together(band);
                self.positions(&rows, places.len(), &turned, &places);
            } else {
                for (image, places) in places.chunks_exact(size).enumerate() {
                    let start = (band.image + image) * g.c_out * plane + band.row * g.out_width();
                    let grad = &self.grad[start..];
                    self.positions(grad, plane, &turned, places);
                }
            }
        }
    }

    /// The output's gradient of whole pictures, with the pictures' planes of a channel side by side.
    fn together(&self, band: Band) -> Vec<f32> {
        let (c_out, plane) = (self.turned.g.c_out, self.turned.g.out_plane());
        let pictures = &self.grad[band.image * c_out * plane..][..band.images * c_out * plane];
        let mut rows = Vec::with_capacity(pictures.len());
        for c in 0..c_out {
            for picture in pictures.chunks_exact(c_out * plane) {
                rows.extend_from_slice(&picture[c * plane..][..plane]);
            }
        }
        rows
    }

    /// Adds what some positions contribute; `rows` of the output's gradient begin `stride` apart.
    fn positions(&mut self, rows: &[f32], stride: usize, turned: &[f32], places: &[usize]) {
        let g = self.turned.g;
        // The last channels may be fewer.
        let run = if g.kernel == 1 {
            self.channels.1.next_multiple_of(STEP)
        } else {
            self.turned.run
        };
        let blocks = places.len().div_ceil(POSITIONS);
        let length = places.len().div_ceil(blocks);
        for (block, places) in places.chunks(length).enumerate() {
            let rows = Rows {
                values: &rows[block * length..],
                stride,
                count: g.c_out,
            };
            for row in 0..g.kernel / self.turned.fold {
                let columns = Columns {
                    values: &turned[row * self.turned.pitch..],
                    offsets: places,
                    width: run,
                };
                let sums = Sums {
                    rows: &mut self.sums,
                    first: row * self.turned.run,
                    add: true,
                };
                multiply(rows, columns, sums);
            }
        }
    }
}
