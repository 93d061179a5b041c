//! A band's positions in strips, each of which is computed together.

use super::padded::{Band, Field};
use super::tile::COLUMNS;

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

/// A band's positions in strips, each of which is computed together.
#[derive(Debug, Default)]
pub struct Strips {
    spans: Vec<Span>,
    /// Where the spans of each strip end.
    ends: Vec<usize>,
}

impl Strips {
    /// The positions of a band in strips of `width`, one after the other. With `joined`, rows of a
    /// pointwise field, which follow each other in memory, count as one.
    pub fn compact(field: &Field, band: Band, width: usize, joined: bool) -> Self {
        let (rows, columns) = if joined && field.is_pointwise() {
            (1, band.rows * field.columns)
        } else {
            (band.rows, field.columns)
        };
        let mut strips = Self::default();
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
    pub fn straight(field: &Field, band: Band, width: usize) -> Self {
        let columns = field.columns;
        let by_row = columns.is_multiple_of(COLUMNS);
        let width = if by_row {
            columns
                .div_ceil(columns.div_ceil(width))
                .next_multiple_of(COLUMNS)
        } else {
            width
        };
        let mut strips = Self::default();
        let mut from = 0;
        for (image, row) in (0..band.images).flat_map(|i| (0..band.rows).map(move |r| (i, r))) {
            let start = field.start(band, image, row);
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

    /// The spans of each strip.
    pub fn iter(&self) -> impl Iterator<Item = &[Span]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(from, to)| &self.spans[from..*to])
    }
}
