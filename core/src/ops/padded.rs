//! Pictures laid out so that a convolution becomes sums of shifted lines.
//!
//! A padded plane is one long line of rows. Position `p = row·pitch + column` reads its tap
//! `(down, right)` at `p + down·pitch + right`, for all positions alike. With stride `s` the padded plane
//! falls apart into `s²` lines (every `s`-th row and column), on which the stride is 1. Where the padding
//! right of a row is as wide as the padding left of the next one, the two are the same zeros.

use super::lanes::{self, Kernel};
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

/// Neighbouring positions of one row, and the columns of a strip that hold them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First column in the strip.
    pub column: usize,
    /// Picture within the band.
    pub image: usize,
    /// Row within the band.
    pub row: usize,
    /// First position in the row.
    pub first: usize,
    /// Positions.
    pub length: usize,
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
    fn start(&self, band: Band, image: usize, row: usize) -> usize {
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

    /// The positions of a band in strips of `width`, one after the other. With `joined`, rows of a
    /// pointwise field, which follow each other in memory, count as one.
    pub fn strips(&self, band: Band, width: usize, joined: bool) -> Strips {
        let (rows, columns) = if joined && self.field.is_pointwise() {
            (1, band.rows * self.field.columns)
        } else {
            (band.rows, self.field.columns)
        };
        let mut strips = Strips::default();
        let mut column = 0;
        for (image, row) in (0..band.images).flat_map(|i| (0..rows).map(move |r| (i, r))) {
            let mut first = 0;
            while first < columns {
                let length = (columns - first).min(width - column);
                strips.spans.push(Span {
                    column,
                    image,
                    row,
                    first,
                    length,
                });
                first += length;
                column += length;
                if column == width {
                    strips.ends.push(strips.spans.len());
                    column = 0;
                }
            }
        }
        if column > 0 {
            strips.ends.push(strips.spans.len());
        }
        strips
    }

    /// The positions of a band in strips that follow its lines: parts of rows, or gaps between the rows
    /// included.
    pub fn straight_strips(&self, band: Band, width: usize) -> Strips {
        let columns = self.field.columns;
        let by_row = columns.is_multiple_of(COLUMNS);
        let width = if by_row {
            columns
                .div_ceil(columns.div_ceil(width))
                .next_multiple_of(COLUMNS)
        } else {
            width
        };
        let mut strips = Strips::default();
        let mut from = 0;
        for (image, row) in (0..band.images).flat_map(|i| (0..band.rows).map(move |r| (i, r))) {
            let start = self.field.start(band, image, row);
            let mut first = 0;
            while first < columns {
                let place = start + first;
                if strips.spans.is_empty() {
                    from = place;
                } else if place >= from + width || by_row {
                    strips.ends.push(strips.spans.len());
                    from = place;
                }
                let column = place - from;
                let length = (columns - first).min(width - column);
                strips.spans.push(Span {
                    column,
                    image,
                    row,
                    first,
                    length,
                });
                first += length;
            }
        }
        strips.ends.push(strips.spans.len());
        strips
    }
}

/// A band's positions in strips, each of which is computed together.
#[derive(Debug, Default)]
pub struct Strips {
    spans: Vec<Span>,
    /// Where the spans of each strip end.
    ends: Vec<usize>,
}

impl Strips {
    /// The spans of each strip.
    pub fn iter(&self) -> impl Iterator<Item = &[Span]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(from, to)| &self.spans[from..*to])
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
