//! RGBA bytes to the network's input, in one pass.

use crate::{Kernel, Misfit};

/// Fraction bits of a bilinear coefficient, as a factor.
const COEFFICIENT_ONE: f32 = 2048.0;
/// Longest side in pixels. Keeps every index of the kernel within 32 bits.
const LONGEST: u32 = 16_384;
/// Channels of the network's input.
const CHANNELS: usize = 3;

/// Where one picture goes in a batch `[B, 3, H, W]`: resized (bilinear), padded with grey, `0..=1`.
///
/// The arithmetic is the field's fixed point (FACTS 5): before the division by 255 the bytes equal
/// those of the library's own letterbox on an RGB picture, padding included. Alpha is not looked at.
///
/// Bindings of group 0:
///
/// | binding | kind | content |
/// |---|---|---|
/// | 0 | storage | the picture, 4 bytes a pixel, row after row without gaps |
/// | 1 | storage | [`Letterbox::taps`]; depends on the sizes alone, so that a video needs it once |
/// | 2 | storage | the batch, single precision |
/// | 3 | uniform | [`Letterbox::uniforms`] |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Letterbox {
    source: [u32; 2],
    resized: [u32; 2],
    before: [u32; 2],
    out: [u32; 2],
    fill: u8,
    picture: u32,
}

impl Letterbox {
    /// The kernel.
    pub const KERNEL: Kernel = Kernel {
        name: "letterbox",
        wgsl: include_str!("letterbox.wgsl"),
        entry: "main",
        workgroup: [8, 8, 1],
    };

    /// The grey that the network was trained with around its pictures.
    pub const FILL: u8 = 114;

    /// Resizes a picture of `source` to `resized` and puts it `before` pixels from the left and the
    /// top of the first picture of the batch, whose pictures are `out`. All are `[w, h]` in pixels.
    ///
    /// # Errors
    /// When a size is zero or above 16384 pixels, or the resized picture does not lie within `out`.
    pub fn new(
        source: [u32; 2],
        resized: [u32; 2],
        before: [u32; 2],
        out: [u32; 2],
    ) -> Result<Self, Misfit> {
        for size in [source, resized, out] {
            if size.iter().any(|side| !(1..=LONGEST).contains(side)) {
                return Err(Misfit {
                    kernel: Self::KERNEL.name,
                    found: format!("{} x {} pixels", size[0], size[1]),
                    expected: "sides from 1 to 16384 pixels",
                });
            }
        }
        if (0..2).any(|axis| {
            before[axis]
                .checked_add(resized[axis])
                .is_none_or(|end| end > out[axis])
        }) {
            return Err(Misfit {
                kernel: Self::KERNEL.name,
                found: format!(
                    "a picture of {} x {} at ({}, {}) in {} x {} pixels",
                    resized[0], resized[1], before[0], before[1], out[0], out[1]
                ),
                expected: "the resized picture within the output",
            });
        }
        Ok(Self {
            source,
            resized,
            before,
            out,
            fill: Self::FILL,
            picture: 0,
        })
    }

    /// The same, for another picture of the batch.
    pub fn at(self, picture: u32) -> Self {
        Self { picture, ..self }
    }

    /// The same, padded with another grey.
    pub fn filled(self, fill: u8) -> Self {
        Self { fill, ..self }
    }

    /// Content of the uniform.
    pub fn uniforms(&self) -> [u32; 10] {
        let [source, resized, before, out] = [self.source, self.resized, self.before, self.out];
        [
            source[0],
            source[1],
            resized[0],
            resized[1],
            before[0],
            before[1],
            out[0],
            out[1],
            u32::from(self.fill),
            self.picture,
        ]
    }

    /// Content of binding 1: 4 words for every column of the resized picture, then for every row.
    pub fn taps(&self) -> Vec<i32> {
        let axes = [0, 1].map(|axis| taps(self.source[axis], self.resized[axis]));
        axes.into_iter().flatten().flatten().collect()
    }

    /// How many workgroups to dispatch.
    pub fn workgroups(&self) -> [u32; 3] {
        Self::KERNEL.workgroups([self.out[0], self.out[1], 1])
    }

    /// Size `[w, h]` of the pictures of the batch.
    pub fn size(&self) -> [u32; 2] {
        self.out
    }

    /// Bytes of the picture.
    pub fn picture_bytes(&self) -> usize {
        4 * self.source[0] as usize * self.source[1] as usize
    }

    /// Values of one picture in the batch.
    pub fn picture_values(&self) -> usize {
        CHANNELS * self.out[0] as usize * self.out[1] as usize
    }

    /// The kernel's twin on the CPU: what the kernel writes, and nothing else of `batch`.
    ///
    /// # Errors
    /// When `rgba` is not a picture of the source's size or `batch` ends before the picture does.
    pub fn run(&self, rgba: &[u8], batch: &mut [f32]) -> Result<(), Misfit> {
        let wrong = |what, found: usize, expected| Misfit {
            kernel: Self::KERNEL.name,
            found: format!("{found} {what}"),
            expected,
        };
        if rgba.len() != self.picture_bytes() {
            return Err(wrong(
                "bytes",
                rgba.len(),
                "4 bytes for every pixel of the source",
            ));
        }
        let values = self.picture_values();
        let first = (self.picture as usize).checked_mul(values);
        let Some(planes) = first.and_then(|first| batch.get_mut(first..)?.get_mut(..values)) else {
            return Err(wrong(
                "values",
                batch.len(),
                "a batch that holds the picture",
            ));
        };
        let [width, height] = self.out.map(|side| side as usize);
        let [columns, rows] = [0, 1].map(|axis| taps(self.source[axis], self.resized[axis]));
        let pixel = |x: i32, y: i32| {
            &rgba[4 * (y as usize * self.source[0] as usize + x as usize)..][..CHANNELS]
        };
        let plane = width * height;
        planes.fill(f32::from(self.fill) / 255.0);
        for (y, row) in rows.iter().enumerate() {
            let line = (y + self.before[1] as usize) * width + self.before[0] as usize;
            for (x, column) in columns.iter().enumerate() {
                for channel in 0..CHANNELS {
                    let across = |y: i32| {
                        let [a, b] =
                            [column[0], column[1]].map(|x| i32::from(pixel(x, y)[channel]));
                        a * column[2] + b * column[3]
                    };
                    let upper = ((across(row[0]) >> 4) * row[2]) >> 16;
                    let lower = ((across(row[1]) >> 4) * row[3]) >> 16;
                    planes[channel * plane + line + x] = ((upper + lower + 2) >> 2) as f32 / 255.0;
                }
            }
        }
        Ok(())
    }
}

/// Two source positions and their weights (of 2048) for every output position of one axis: pixel
/// centres align. In double precision, as the kernel's adapter could not.
fn taps(from: u32, to: u32) -> Vec<[i32; 4]> {
    let scale = 1.0 / (f64::from(to) / f64::from(from));
    let last = from as i32 - 1;
    (0..to)
        .map(|index| {
            let position = ((f64::from(index) + 0.5) * scale - 0.5) as f32;
            let whole = position.floor();
            let fraction = position - whole;
            let weight = [1.0 - fraction, fraction]
                .map(|weight| (weight * COEFFICIENT_ONE).round_ties_even() as i32);
            let first = whole as i32;
            [
                first.clamp(0, last),
                (first + 1).clamp(0, last),
                weight[0],
                weight[1],
            ]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        assert!(Letterbox::new([10, 10], [64, 32], [0, 16], [64, 64]).is_ok());
        for (source, resized, before, out) in [
            ([0, 10], [64, 32], [0, 0], [64, 64]),
            ([10, 20_000], [64, 32], [0, 0], [64, 64]),
            ([10, 10], [64, 32], [1, 0], [64, 64]),
            ([10, 10], [64, 32], [0, u32::MAX], [64, 64]),
        ] {
            let refused = Letterbox::new(source, resized, before, out).unwrap_err();
            assert!(refused.to_string().contains("expected"), "{refused}");
        }
    }

    #[test]
    fn buffers_of_another_size_are_refused() {
        let letterbox = Letterbox::new([2, 2], [2, 2], [0, 0], [2, 2]).unwrap();
        let mut batch = [0.0; 12];
        assert!(letterbox.run(&[0; 15], &mut batch).is_err());
        assert!(letterbox.at(1).run(&[0; 16], &mut batch).is_err());
        assert!(letterbox.at(u32::MAX).run(&[0; 16], &mut batch).is_err());
        assert!(letterbox.run(&[0; 16], &mut batch).is_ok());
    }

    #[test]
    fn a_picture_of_the_right_size_is_copied_and_alpha_is_not_looked_at() {
        let letterbox = Letterbox::new([2, 1], [2, 1], [0, 1], [2, 3])
            .unwrap()
            .at(1);
        let mut batch = [-1.0; 36];
        letterbox
            .run(&[255, 51, 0, 7, 0, 102, 255, 200], &mut batch)
            .unwrap();
        let grey = 114.0 / 255.0;
        assert!(
            batch[..18].iter().all(|value| *value == -1.0),
            "the first picture is left alone"
        );
        let red = [grey, grey, 1.0, 0.0, grey, grey];
        let green = [grey, grey, 0.2, 0.4, grey, grey];
        let blue = [grey, grey, 0.0, 1.0, grey, grey];
        assert_eq!(batch[18..], [red, green, blue].concat());
    }

    /// Worked by hand: centres at 0.25 and 0.75 of a pixel, the ends clamped.
    #[test]
    fn growing_blends_neighbours_by_their_distance() {
        assert_eq!(
            taps(2, 4),
            [
                [0, 0, 512, 1536],
                [0, 1, 1536, 512],
                [0, 1, 512, 1536],
                [1, 1, 1536, 512]
            ]
        );
    }
}
