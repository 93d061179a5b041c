//! Pictures laid out so that a convolution becomes sums of shifted lines.
//!
//! A padded plane is one long line of rows. Position `p = row·pitch + column` reads its tap
//! `(down, right)` at `p + down·pitch + right`, for all positions alike. With stride `s` the padded plane
//! falls apart into `s²` lines (every `s`-th row and column), on which the stride is 1. Where the padding
//! right of a row is as wide as the padding left of the next one, the two are the same zeros.

use super::lanes::{self, Kernel};
use super::strips::Span;
use super::tile::{COLUMNS, STEP};

/// Planes `[B, C, H, W]` that are read, and the grid of positions at which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Pictures.
    pub batch: usize,
    /// Channels read.
    pub channels: usize,
    /// Rows read.
    pub height: usize,
    /// Columns read.
    pub width: usize,
    /// Zeros above and left of the picture.
    pub padding: usize,
    /// Step between the places that neighbouring positions read.
    pub stride: usize,
    /// Farthest tap, in units of the stride.
    pub reach: usize,
    /// Rows of positions.
    pub rows: usize,
    /// Columns of positions.
    pub columns: usize,
}

/// Some rows of positions of one picture, or all rows of some: what one task computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Band {
    /// First picture.
    pub image: usize,
    /// Pictures.
    pub images: usize,
    /// First row.
    pub row: usize,
    /// Rows of each picture.
    pub rows: usize,
}

/// Elements of a band's lines: they should stay in a core's second cache.
pub const BUDGET: usize = 48 << 10;
/// Rows below which a band mostly copies padding.
const LEAST_ROWS: usize = 4;
/// Positions below which a band is mostly a tile's end.
const LEAST_POSITIONS: usize = 4 * COLUMNS;

impl Field {
    /// One tap that every position reads at its own place: the planes are their own lines.
    pub fn is_pointwise(&self) -> bool {
        self.reach == 0
            && self.padding == 0
            && self.stride == 1
            && (self.rows, self.columns) == (self.height, self.width)
    }

    /// Elements of a plane that is read.
    pub fn plane(&self) -> usize {
        self.height * self.width
    }

    /// A pointwise field with as few rows as make `parts` or more of equal length.
    pub fn folded(self, parts: usize) -> Self {
        let least = parts.div_ceil(self.batch).min(self.height);
        let rows = (least..=self.height)
            .find(|rows| self.height.is_multiple_of(*rows))
            .unwrap_or(self.height);
        let columns = self.plane() / rows;
        Self {
            height: rows,
            width: columns,
            rows,
            columns,
            ..self
        }
    }

    /// Zeros that the end of one row and the start of the next have in common.
    fn shared(&self) -> usize {
        let right = (self.columns + self.reach).saturating_sub(self.padding + self.width);
        if self.stride == 1 {
            self.padding.min(right)
        } else {
            0
        }
    }

    /// Length of a row in a line.
    pub fn pitch(&self) -> usize {
        self.columns + self.reach - self.shared()
    }

    /// Rows from one picture's start to the next one's in a band's lines.
    fn image_rows(&self, band: Band) -> usize {
        let bottom = (self.rows + self.reach).saturating_sub(self.padding + self.height);
        let shared = if self.stride == 1 {
            self.padding.min(bottom)
        } else {
            0
        };
        band.rows + self.reach - shared
    }

    /// Elements of the lines for one row of positions.
    pub fn held(&self) -> usize {
        if self.is_pointwise() {
            return 0;
        }
        self.channels * self.stride.pow(2) * self.pitch()
    }

    /// Length of one line of a band, with room for a tile that reads beyond.
    fn line(&self, band: Band) -> usize {
        let rows = (band.images - 1) * self.image_rows(band) + band.rows + self.reach;
        (rows * self.pitch() + self.reach + COLUMNS).next_multiple_of(STEP)
    }

    /// Where the lines hold position 0 of a row.
    pub fn start(&self, band: Band, image: usize, row: usize) -> usize {
        (image * self.image_rows(band) + row) * self.pitch()
    }

    /// Divides the positions among `tasks` or more, where there are enough of them. A task holds
    /// `held` elements for every row of positions, which should not exceed [`BUDGET`].
    pub fn bands(&self, tasks: usize, held: usize) -> Vec<Band> {
        let positions = self.rows * self.columns;
        let tasks = tasks.min(self.batch * positions / LEAST_POSITIONS).max(1);
        let image = (held * (self.rows + self.reach)).max(1);
        let per_image = tasks.div_ceil(self.batch).max(image.div_ceil(BUDGET));
        if per_image == 1 {
            let images = (BUDGET / image).min(self.batch / tasks).max(1);
            let starts = (0..self.batch).step_by(images);
            return starts
                .map(|image| Band {
                    image,
                    images: images.min(self.batch - image),
                    row: 0,
                    rows: self.rows,
                })
                .collect();
        }
        let least = if self.is_pointwise() { 1 } else { LEAST_ROWS };
        let rows = self.rows.div_ceil(per_image).max(least).min(self.rows);
        let pairs = (0..self.batch)
            .flat_map(|image| (0..self.rows).step_by(rows).map(move |row| (image, row)));
        pairs
            .map(|(image, row)| Band {
                image,
                images: 1,
                row,
                rows: rows.min(self.rows - row),
            })
            .collect()
    }
}

/// A field with the length of its bands' lines.
#[derive(Debug, Clone, Copy)]
pub struct Lines {
    /// The field.
    pub field: Field,
    /// Length of one line; all bands have the same.
    length: usize,
}

impl Lines {
    /// Lines for bands of a field, of which the first is the largest.
    pub fn new(field: Field, bands: &[Band]) -> Self {
        let length = if field.is_pointwise() {
            field.plane()
        } else {
            field.line(bands[0])
        };
        Self { field, length }
    }

    /// Where position 0 finds the taps: in every channel, some cells `(down, right)`.
    pub fn taps(&self, cells: &[(usize, usize)]) -> Vec<usize> {
        let (s, pitch) = (self.field.stride, self.field.pitch());
        let cells: Vec<usize> = cells
            .iter()
            .map(|(down, right)| {
                (down % s * s + right % s) * self.length + down / s * pitch + right / s
            })
            .collect();
        let channels = (0..self.field.channels).map(|c| c * s * s * self.length);
        channels
            .flat_map(|channel| cells.iter().map(move |cell| channel + cell))
            .collect()
    }

    /// Where the lines of a band hold the first position of a span.
    pub fn place(&self, band: Band, span: Span) -> usize {
        let f = &self.field;
        if f.is_pointwise() {
            let image = (band.image + span.image) * f.channels * f.plane();
            return image + (band.row + span.row) * f.width + span.first;
        }
        f.start(band, span.image, span.row) + span.first
    }

    /// Floats of a band's lines `[C, s, s, length]`; none of a pointwise field, which is its own.
    pub fn size(&self) -> usize {
        if self.field.is_pointwise() {
            return 0;
        }
        self.field.channels * self.field.stride.pow(2) * self.length
    }

    /// The lines of a band of `x`: `lines` filled, or `x` itself.
    pub fn lay<'a>(&self, x: &'a [f32], band: Band, lines: &'a mut [f32]) -> &'a [f32] {
        if self.field.is_pointwise() {
            return x;
        }
        lines.fill(0.0);
        lanes::run(Lay {
            of: self,
            x: &x[band.image * self.field.channels * self.field.plane()..],
            parts: &self.parts(band),
            lines,
        });
        lines
    }

    /// What of each row of a channel lies where in its lines `[s, s, length]`.
    fn parts(&self, band: Band) -> Vec<Part> {
        let f = &self.field;
        let s = f.stride;
        let mut parts = vec![];
        for (image, row) in
            (0..band.images).flat_map(|i| (0..band.rows + f.reach).map(move |r| (i, r)))
        {
            for (a, b) in (0..s).flat_map(|a| (0..s).map(move |b| (a, b))) {
                let y = (band.row + row) * s + a;
                if y < f.padding || y >= f.padding + f.height {
                    continue;
                }
                // Columns of the line that lie within the picture.
                let first = f.padding.saturating_sub(b).div_ceil(s);
                let last = (f.width + f.padding).saturating_sub(b).div_ceil(s);
                let last = last.min(f.columns + f.reach);
                if first >= last {
                    continue;
                }
                let start = (y - f.padding) * f.width + first * s + b - f.padding;
                parts.push(Part {
                    from: image * f.channels * f.plane() + start,
                    to: (a * s + b) * self.length + f.start(band, image, row) + first,
                    length: last - first,
                });
            }
        }
        parts
    }
}

/// A part of a row in the picture and in the lines.
#[derive(Debug, Clone, Copy)]
struct Part {
    from: usize,
    to: usize,
    length: usize,
}

/// Fills a band's lines, which are zero before, from the pictures from its first one on.
struct Lay<'a> {
    of: &'a Lines,
    x: &'a [f32],
    parts: &'a [Part],
    lines: &'a mut [f32],
}

impl Kernel for Lay<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let (s, plane) = (self.of.field.stride, self.of.field.plane());
        let lines = self.lines.chunks_exact_mut(s * s * self.of.length);
        for (c, lines) in lines.enumerate() {
            let x = &self.x[c * plane..];
            for part in self.parts {
                let source = &x[part.from..];
                let target = &mut lines[part.to..][..part.length];
                match s {
                    1 => target.copy_from_slice(&source[..part.length]),
                    2 => every_second(target, source),
                    _ => {
                        for (target, source) in target.iter_mut().zip(source.iter().step_by(s)) {
                            *target = *source;
                        }
                    }
                }
            }
        }
    }
}

/// `target[i] = source[2i]`, in steps that the compiler can turn into shuffles.
#[inline(always)]
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
    use super::super::strips::Strips;
    use super::*;

    /// Batch, channels, height, width, padding, stride, reach, rows, columns.
    const FIELDS: [[usize; 9]; 7] = [
        [2, 3, 7, 5, 1, 1, 2, 7, 5],
        [5, 2, 4, 4, 1, 1, 2, 4, 4],
        [1, 2, 32, 20, 2, 2, 2, 16, 10],
        [3, 1, 9, 11, 1, 2, 1, 5, 6],
        [2, 2, 5, 6, 0, 1, 1, 6, 6],
        [2, 1, 10, 11, 2, 3, 1, 4, 4],
        [3, 2, 6, 7, 0, 1, 0, 6, 7],
    ];

    fn field(sizes: [usize; 9]) -> Field {
        let [
            batch,
            channels,
            height,
            width,
            padding,
            stride,
            reach,
            rows,
            columns,
        ] = sizes;
        Field {
            batch,
            channels,
            height,
            width,
            padding,
            stride,
            reach,
            rows,
            columns,
        }
    }

    #[test]
    fn bands_cover_every_position_once_and_the_first_is_the_largest() {
        for field in FIELDS.map(field) {
            for (tasks, held) in [(1, 0), (3, field.held()), (8, BUDGET / 3), (64, 1)] {
                let bands = field.bands(tasks, held);
                let mut seen = vec![0; field.batch * field.rows];
                for band in &bands {
                    assert!(band.images <= bands[0].images && band.rows <= bands[0].rows);
                    for image in band.image..band.image + band.images {
                        for row in band.row..band.row + band.rows {
                            seen[image * field.rows + row] += 1;
                        }
                    }
                }
                assert!(seen.iter().all(|&n| n == 1), "{field:?} {tasks} {held}");
            }
        }
    }

    #[test]
    fn what_a_band_holds_does_not_exceed_the_budget_by_much() {
        let field = field([2, 16, 320, 320, 1, 1, 2, 320, 320]);
        let bands = field.bands(4, field.held());
        assert!(bands.len() > 4 && Lines::new(field, &bands).size() < 2 * BUDGET);
    }

    #[test]
    fn strips_cover_a_band_once_and_lines_hold_what_every_tap_reads() {
        for f in FIELDS.map(field) {
            let count = f.batch * f.channels * f.plane();
            let x: Vec<f32> = (0..count).map(|i| i as f32 + 1.0).collect();
            // The padded picture.
            let pixel = |image: usize, channel: usize, y: usize, x_: usize| {
                let inside = |i: usize, size| i.checked_sub(f.padding).filter(|&i| i < size);
                let (Some(y), Some(x_)) = (inside(y, f.height), inside(x_, f.width)) else {
                    return 0.0;
                };
                x[((image * f.channels + channel) * f.height + y) * f.width + x_]
            };
            let side = (f.reach + 1) * f.stride;
            let cells: Vec<_> = (0..side * side).map(|i| (i / side, i % side)).collect();
            let bands = f.bands(4, f.held());
            let lines = Lines::new(f, &bands);
            let taps = lines.taps(&cells);
            let mut room = vec![f32::NAN; lines.size()];
            for &band in &bands {
                let values = lines.lay(&x, band, &mut room);
                let straight = Strips::straight(&f, band, 32);
                for strips in [Strips::compact(&f, band, 32, false), straight] {
                    let mut seen = 0;
                    for span in strips.iter().flatten() {
                        for first in span.first..span.first + span.length {
                            seen += 1;
                            let place = lines.place(band, Span { first, ..*span });
                            for (tap, &offset) in taps.iter().enumerate() {
                                let (down, right) = cells[tap % cells.len()];
                                let want = pixel(
                                    band.image + span.image,
                                    tap / cells.len(),
                                    (band.row + span.row) * f.stride + down,
                                    first * f.stride + right,
                                );
                                assert_eq!(values[place + offset], want, "{f:?} {span:?} {tap}");
                            }
                        }
                    }
                    assert_eq!(seen, band.images * band.rows * f.columns);
                }
            }
        }
    }
}
