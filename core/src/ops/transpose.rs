//! Rows that become columns, eight by eight in registers.

use super::vectors::{Lanes, Loop, dispatch};

/// `target[p·stride + c] = source[c·pitch + p]` for `c < count` and as many `p` as `target` has rows.
pub fn transpose(source: &[f32], pitch: usize, count: usize, target: &mut [f32], stride: usize) {
    dispatch(Transpose {
        source,
        pitch,
        count,
        target,
        stride,
    });
}

struct Transpose<'a> {
    source: &'a [f32],
    pitch: usize,
    count: usize,
    target: &'a mut [f32],
    stride: usize,
}

impl Loop for Transpose<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let width = self.target.len() / self.stride;
        let row = |c: usize| &self.source[c * self.pitch..][..width];
        let whole = self.count - self.count % 8;
        for c in (0..whole).step_by(8) {
            let mut rows = [row(c); 8];
            for i in 1..8 {
                rows[i] = row(c + i);
            }
            for p in (0..width - width % 8).step_by(8) {
                let mut square = [[0f32; 8]; 8];
                for i in 0..8 {
                    square[i].copy_from_slice(&rows[i][p..p + 8]);
                }
                let square = lanes.transpose(square);
                for j in 0..8 {
                    let place = (p + j) * self.stride + c;
                    self.target[place..place + 8].copy_from_slice(&square[j]);
                }
            }
            for p in width - width % 8..width {
                let column = &mut self.target[p * self.stride + c..][..8];
                for i in 0..8 {
                    column[i] = rows[i][p];
                }
            }
        }
        for c in whole..self.count {
            for (target, value) in self.target[c..].iter_mut().step_by(self.stride).zip(row(c)) {
                *target = *value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_columns_and_what_lies_between_stays() {
        for (count, width, pitch, stride) in [(1, 1, 1, 1), (8, 8, 8, 8), (19, 21, 30, 24)] {
            let source: Vec<f32> = (0..count * pitch).map(|i| i as f32).collect();
            let mut target = vec![-1.0; width * stride];
            transpose(&source, pitch, count, &mut target, stride);
            for (p, row) in target.chunks_exact(stride).enumerate() {
                for (c, value) in row.iter().enumerate() {
                    let want = if c < count {
                        source[c * pitch + p]
                    } else {
                        -1.0
                    };
                    assert_eq!(*value, want, "{c} {p}");
                }
            }
        }
    }
}
