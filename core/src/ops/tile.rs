//! The inner loop of all convolutions: a tile of six rows by sixteen columns kept in registers.
//!
//! `out[r][c] += Σₖ rows[r][k] · source[offsets[k] + c]`. On AVX2 that is six rows by two vectors: twelve
//! sums, two vectors of the source and one weight leave one of the sixteen registers free, and eight
//! loads feed twelve multiply-adds. Four rows by three vectors would need one load less, and fill the
//! registers so tightly that the compiler spills a sum.

use super::vectors::{Lanes, Loop, dispatch};

/// Columns of a tile.
pub const COLUMNS: usize = 16;
/// Lengths are rounded up to this many columns, a multiple of every vector length in use.
pub const STEP: usize = 8;
/// Most products added up one after the other before the sum joins the others: long sums of f32 lose
/// digits. Eight 3×3 kernels.
pub const BLOCK: usize = 72;
/// Rows of a tile.
const ROWS: usize = 6;
/// Rows of the tiles that six do not divide.
const FEW: usize = 4;
/// Vectors of a row.
const VECTORS: usize = 2;

/// Rows of factors.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// The first row, and all after it.
    pub values: &'a [f32],
    /// From one row's start to the next one's.
    pub stride: usize,
    /// Rows.
    pub count: usize,
}

/// Where factors of neighbouring columns lie.
#[derive(Debug, Clone, Copy)]
pub struct Columns<'a> {
    /// Factors.
    pub values: &'a [f32],
    /// Where the columns of every product begin.
    pub offsets: &'a [usize],
    /// Columns wanted; up to [`STEP`] − 1 more are read and written.
    pub width: usize,
}

/// Rows of sums.
#[derive(Debug)]
pub struct Sums<'a, 'b> {
    /// As many rows as there are rows of factors.
    pub rows: &'a mut [&'b mut [f32]],
    /// Where the columns begin in every row.
    pub first: usize,
    /// Whether products join what is there or replace it.
    pub add: bool,
}

/// Products of a block when there are `count` in all: blocks are about equally long.
pub fn block(count: usize) -> usize {
    count.div_ceil(count.div_ceil(BLOCK).max(1)).max(1)
}

/// Computes all rows of some columns.
pub fn multiply(rows: Rows, columns: Columns, sums: Sums) {
    dispatch(Multiply {
        rows,
        columns,
        sums,
    });
}

struct Multiply<'a, 'b> {
    rows: Rows<'a>,
    columns: Columns<'a>,
    sums: Sums<'a, 'b>,
}

impl Loop for Multiply<'_, '_> {
    #[inline(always)]
    fn run<L: Lanes>(mut self, lanes: L) {
        let mut row = 0;
        while row < self.rows.count {
            // One or two rows more than sixes make are two fours together with the last six.
            let left = self.rows.count - row;
            if left > ROWS + 2 || left == ROWS || left == ROWS - 1 {
                self.tile::<L, ROWS>(lanes, row);
                row += ROWS;
            } else {
                self.tile::<L, FEW>(lanes, row);
                row += FEW;
            }
        }
    }
}

impl Multiply<'_, '_> {
    #[inline(always)]
    fn tile<L: Lanes, const R: usize>(&mut self, lanes: L, row: usize) {
        let length = block(self.columns.offsets.len());
        for (block, offsets) in self.columns.offsets.chunks(length).enumerate() {
            let mut rows = [&self.rows.values[..0]; R];
            for (r, factors) in rows.iter_mut().enumerate() {
                let row = (row + r).min(self.rows.count - 1) * self.rows.stride;
                *factors = &self.rows.values[row + block * length..][..offsets.len()];
            }
            let add = self.sums.add || block > 0;
            let mut column = 0;
            while column < self.columns.width {
                if self.columns.width - column > (VECTORS - 1) * L::LEN {
                    self.strip::<L, R, VECTORS>(lanes, rows, offsets, row, column, add);
                    column += VECTORS * L::LEN;
                } else {
                    self.strip::<L, R, 1>(lanes, rows, offsets, row, column, add);
                    column += L::LEN;
                }
            }
        }
    }

    #[inline(always)]
    fn strip<L: Lanes, const R: usize, const N: usize>(
        &mut self,
        lanes: L,
        rows: [&[f32]; R],
        offsets: &[usize],
        row: usize,
        column: usize,
        add: bool,
    ) {
        let values = &self.columns.values[column..];
        let mut sums = [[lanes.splat(0.0); N]; R];
        for (k, &offset) in offsets.iter().enumerate() {
            let values = lanes.load(&values[offset..][..N * L::LEN]);
            for r in 0..R {
                let factor = lanes.splat(rows[r][k]);
                for i in 0..N {
                    sums[r][i] = lanes.mul_add(factor, values[i], sums[r][i]);
                }
            }
        }
        let out = &mut self.sums.rows[row..];
        for r in 0..R {
            // The last tile may have fewer rows than its registers.
            let Some(values) = out.get_mut(r) else {
                break;
            };
            let start = self.sums.first + column;
            let values = lanes.store(&mut values[start..][..N * L::LEN]);
            for i in 0..N {
                values[i] = if add {
                    lanes.add(values[i], sums[r][i])
                } else {
                    sums[r][i]
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::vectors::Plain;
    use super::*;

    /// Small whole numbers, whose sums are exact.
    fn numbers(count: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 37) % 11) as f32 - 5.0).collect()
    }

    #[test]
    fn wide_and_plain_tiles_are_the_sums_of_products() {
        for count in 1..=20 {
            for (taps, width) in [(1, 8), (5, 16), (BLOCK, 24), (BLOCK + 1, 40), (300, 21)] {
                let stride = taps + 3;
                let factors = numbers(count * stride);
                let values = numbers(taps * 7 + width + STEP);
                let offsets: Vec<usize> = (0..taps).map(|k| (k * 5) % (taps * 7)).collect();
                let rows = Rows {
                    values: &factors,
                    stride,
                    count,
                };
                let columns = Columns {
                    values: &values,
                    offsets: &offsets,
                    width,
                };
                let compute = |add: bool, wide: bool| -> Vec<Vec<f32>> {
                    let mut out = vec![vec![1.0; 2 + width.next_multiple_of(STEP)]; count];
                    let mut lent: Vec<&mut [f32]> =
                        out.iter_mut().map(|row| &mut row[..]).collect();
                    let sums = Sums {
                        rows: &mut lent,
                        first: 2,
                        add,
                    };
                    let kernel = Multiply {
                        rows,
                        columns,
                        sums,
                    };
                    if wide {
                        dispatch(kernel);
                    } else {
                        kernel.run(Plain);
                    }
                    out
                };
                for add in [false, true] {
                    let wide = compute(add, true);
                    assert_eq!(wide, compute(add, false), "{count} rows, {taps} taps");
                    for (r, row) in wide.iter().enumerate() {
                        assert_eq!(row[..2], [1.0, 1.0], "what lies before stays");
                        for c in 0..width {
                            let products = offsets
                                .iter()
                                .enumerate()
                                .map(|(k, offset)| factors[r * stride + k] * values[offset + c]);
                            let want = products.sum::<f32>() + f32::from(u8::from(add));
                            assert_eq!(row[2 + c], want, "{count} rows, {taps} taps, {r} {c}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn blocks_are_about_equally_long() {
        assert_eq!([block(1), block(BLOCK), block(BLOCK + 1)], [1, BLOCK, 37]);
        assert_eq!((block(0), block(144)), (1, 72));
    }
}
