//! Pictures laid out so that a convolution becomes sums of shifted lines.
//!
//! A padded plane is one long line of rows. Output position `p = row·pitch + column` then reads its tap
//! `(kh, kw)` at `p + kh·pitch + kw`, for all positions alike; the few positions between the end of
//! one output row and the start of the next compute something that nobody reads. With stride `s` the
//! padded plane falls apart into `s²` lines (every `s`-th row and column), on which the stride is 1.
//! With stride 1 the padding right of a row is at once the padding left of the next one.

use std::borrow::Cow;
use std::ops::Range;

use super::tile::STEP;

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

    /// Elements of an input plane.
    pub fn in_plane(&self) -> usize {
        self.height * self.width
    }

    /// Elements of an output plane.
    pub fn out_plane(&self) -> usize {
        self.out_height() * self.out_width()
    }

    /// Weights of one output channel.
    pub fn taps(&self) -> usize {
        self.c_in * self.kernel * self.kernel
    }

    /// Farthest tap in units of the stride.
    pub fn reach(&self) -> usize {
        (self.kernel - 1) / self.stride
    }

    fn shared(&self) -> usize {
        if self.stride == 1 { self.padding } else { 0 }
    }

    /// Length of a row in a line.
    pub fn pitch(&self) -> usize {
        self.out_width() + self.reach() - self.shared()
    }
}

/// Some output rows of one picture, or all rows of some: what one task computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Band {
    /// First picture.
    pub image: usize,
    /// Pictures.
    pub images: usize,
    /// First output row.
    pub row: usize,
    /// Output rows of each picture.
    pub rows: usize,
}

/// Elements of a band's lines: they should stay in a core's second cache.
pub const BUDGET: usize = 48 << 10;
/// Rows below which a band mostly copies padding.
const LEAST_ROWS: usize = 4;

impl Geometry {
    fn bands(&self, tasks: usize) -> Vec<Band> {
        let lines = self.c_in * self.stride * self.stride * self.pitch();
        let (height, reach) = (self.out_height(), self.reach());
        let image = lines * (height + reach);
        let per_image = tasks.div_ceil(self.batch).max(image.div_ceil(BUDGET));
        if per_image == 1 {
            let images = (BUDGET / image).min(self.batch / tasks).max(1);
            let starts = (0..self.batch).step_by(images);
            return starts
                .map(|image| Band {
                    image,
                    images: images.min(self.batch - image),
                    row: 0,
                    rows: height,
                })
                .collect();
        }
        let rows = height.div_ceil(per_image).max(LEAST_ROWS).min(height);
        let pairs = (0..self.batch)
            .flat_map(|image| (0..height).step_by(rows).map(move |row| (image, row)));
        pairs
            .map(|(image, row)| Band {
                image,
                images: 1,
                row,
                rows: rows.min(height - row),
            })
            .collect()
    }

    /// Rows from one picture's start to the next one's in a band's lines.
    pub fn image_rows(&self, band: Band) -> usize {
        band.rows + self.reach() - self.shared()
    }

    /// Output positions of a band, gaps included, rounded up to [`STEP`].
    pub fn positions(&self, band: Band) -> usize {
        let rows = (band.images - 1) * self.image_rows(band) + band.rows;
        (rows * self.pitch()).next_multiple_of(STEP)
    }
}

/// A convolution divided into bands whose lines are equally long.
#[derive(Debug)]
pub struct Plan {
    /// The sizes.
    pub g: Geometry,
    /// The outputs, divided.
    pub bands: Vec<Band>,
    /// Length of one line.
    pub line: usize,
    /// Where a band's lines hold the tap of every weight `[C_in, K, K]` for position 0.
    pub offsets: Vec<usize>,
    /// A 1×1 convolution of whole pictures: they are their own lines.
    pub direct: bool,
}

impl Plan {
    /// Divides the outputs among `tasks` or more, where they are large enough; the division depends on
    /// the sizes alone.
    pub fn new(g: Geometry, tasks: usize) -> Self {
        let direct = g.kernel == 1
            && g.stride == 1
            && g.in_plane().is_multiple_of(STEP)
            && 2 * g.batch >= tasks;
        let bands = if direct {
            (0..g.batch)
                .map(|image| Band {
                    image,
                    images: 1,
                    row: 0,
                    rows: g.height,
                })
                .collect()
        } else {
            g.bands(tasks)
        };
        // The first band is the largest.
        let line = g.positions(bands[0]) + g.reach() * (g.pitch() + 1);
        let (s, k) = (g.stride, g.kernel);
        let mut offsets = Vec::with_capacity(g.taps());
        for c in 0..g.c_in {
            for y in 0..k {
                for x in 0..k {
                    offsets
                        .push(((c * s + y % s) * s + x % s) * line + (y / s) * g.pitch() + x / s);
                }
            }
        }
        Self {
            g,
            bands,
            line,
            offsets,
            direct,
        }
    }

    /// The lines `[C_in, s, s, line]` of a band of `x`.
    pub fn lines<'a>(&self, x: &'a [f32], band: Band) -> Cow<'a, [f32]> {
        let g = &self.g;
        if self.direct {
            let size = g.c_in * g.in_plane();
            return Cow::Borrowed(&x[band.image * size..][..size]);
        }
        let (s, line, pitch) = (g.stride, self.line, g.pitch());
        let mut lines = vec![0f32; g.c_in * s * s * line];
        for (phase, target) in lines.chunks_exact_mut(line).enumerate() {
            let (c, a, b) = (phase / (s * s), phase / s % s, phase % s);
            // Columns of the line that lie within the picture.
            let first = g.padding.saturating_sub(b).div_ceil(s);
            let last = (g.width + g.padding)
                .saturating_sub(b)
                .div_ceil(s)
                .min(g.out_width() + g.reach());
            for i in 0..band.images {
                let plane = &x[((band.image + i) * g.c_in + c) * g.in_plane()..][..g.in_plane()];
                for row in 0..band.rows + g.reach() {
                    let y = (band.row + row) * s + a;
                    if y < g.padding || y >= g.height + g.padding || first >= last {
                        continue;
                    }
                    let source =
                        &plane[(y - g.padding) * g.width..][..g.width][first * s + b - g.padding..];
                    let target = &mut target[(i * g.image_rows(band) + row) * pitch..][first..last];
                    match s {
                        1 => target.copy_from_slice(&source[..target.len()]),
                        2 => every_second(target, source),
                        _ => {
                            for (target, source) in target.iter_mut().zip(source.iter().step_by(s))
                            {
                                *target = *source;
                            }
                        }
                    }
                }
            }
        }
        Cow::Owned(lines)
    }

    /// Output channels `channels` of `y` on a band's positions `[rows, positions]`, zero in the gaps and
    /// beyond the last channel.
    pub fn spread<'a>(
        &self,
        y: &'a [f32],
        band: Band,
        channels: Range<usize>,
        rows: usize,
    ) -> Cow<'a, [f32]> {
        let g = &self.g;
        let (positions, width, plane) = (g.positions(band), g.out_width(), g.out_plane());
        if self.direct && rows == channels.len() {
            return Cow::Borrowed(
                &y[(band.image * g.c_out + channels.start) * plane..][..rows * plane],
            );
        }
        let mut lines = vec![0f32; rows * positions];
        for (c, target) in channels.zip(lines.chunks_exact_mut(positions)) {
            for i in 0..band.images {
                let plane = &y[((band.image + i) * g.c_out + c) * plane..][band.row * width..];
                for (row, source) in plane.chunks_exact(width).take(band.rows).enumerate() {
                    target[(i * g.image_rows(band) + row) * g.pitch()..][..width]
                        .copy_from_slice(source);
                }
            }
        }
        Cow::Owned(lines)
    }
}

/// `target[i] = source[2i]`, in steps that the compiler can turn into shuffles.
fn every_second(target: &mut [f32], source: &[f32]) {
    let (pairs, rest) = source.as_chunks::<2>();
    let count = target.len().min(pairs.len());
    for (target, pair) in target.iter_mut().zip(pairs) {
        *target = pair[0];
    }
    if let (Some(target), Some(source)) = (target.get_mut(count), rest.first()) {
        *target = *source;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_cover_every_output_once() {
        for (batch, height) in [(1, 80), (16, 5), (3, 17), (40, 3), (2, 320)] {
            let g = Geometry {
                batch,
                c_in: 16,
                c_out: 8,
                height,
                width: height,
                kernel: 3,
                stride: 1,
                padding: 1,
            };
            let mut seen = vec![0; batch * height];
            for band in g.bands(16) {
                for image in band.image..band.image + band.images {
                    for row in band.row..band.row + band.rows {
                        seen[image * height + row] += 1;
                    }
                }
            }
            assert!(seen.iter().all(|&n| n == 1), "{batch} {height}");
        }
    }

    #[test]
    fn bands_do_not_overflow_the_cache_budget_by_much() {
        let g = Geometry {
            batch: 2,
            c_in: 16,
            c_out: 8,
            height: 320,
            width: 320,
            kernel: 3,
            stride: 1,
            padding: 1,
        };
        let plan = Plan::new(g, 4);
        assert!(plan.bands.len() > 2 && g.c_in * plan.line < 2 * BUDGET);
    }
}
