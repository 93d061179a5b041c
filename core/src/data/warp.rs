//! Pixels of a picture under an affine or perspective map: bilinear, in single precision, with the
//! order of operations of the field's usual picture library.

use image::RgbImage;

use super::letterbox::FILL;

/// A map of homogeneous pixel coordinates, row by row.
pub(crate) type Matrix = [[f64; 3]; 3];

/// The identity.
pub(crate) const IDENTITY: Matrix = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

/// `a · b`.
pub(crate) fn product(a: &Matrix, b: &Matrix) -> Matrix {
    [0, 1, 2].map(|row| [0, 1, 2].map(|column| (0..3).map(|k| a[row][k] * b[k][column]).sum()))
}

fn is_affine(matrix: &Matrix) -> bool {
    matrix[2] == IDENTITY[2]
}

/// The inverse, or `None` when the map flattens the picture.
fn inverse(m: &Matrix) -> Option<Matrix> {
    let cofactor = |r: usize, c: usize| {
        let (r1, r2, c1, c2) = ((r + 1) % 3, (r + 2) % 3, (c + 1) % 3, (c + 2) % 3);
        m[r1][c1] * m[r2][c2] - m[r1][c2] * m[r2][c1]
    };
    let determinant: f64 = (0..3)
        .map(|column| m[0][column] * cofactor(0, column))
        .sum();
    let reciprocal = 1.0 / determinant;
    (determinant != 0.0 && reciprocal.is_finite())
        .then(|| [0, 1, 2].map(|row| [0, 1, 2].map(|column| cofactor(column, row) * reciprocal)))
}

/// Moves the picture by `matrix` (source to output) into an output of `to` `[w, h]` pixels. What no
/// picture covers is [`FILL`].
pub(crate) fn warp(image: &RgbImage, matrix: &Matrix, to: [usize; 2]) -> RgbImage {
    let mut out = RgbImage::new(to[0] as u32, to[1] as u32);
    let back = inverse(matrix);
    let (Some(back), false) = (back, image.is_empty() || to.contains(&0)) else {
        out.fill(FILL);
        return out;
    };
    let back = back.map(|row| row.map(|value| value as f32));
    let source = Source::new(image);
    let lines = out.chunks_exact_mut(to[0] * 3).enumerate();
    if is_affine(matrix) && back[0][1] == 0.0 && back[1][0] == 0.0 {
        // No rotation: every row reads the same columns.
        let columns: Vec<Tap> = (0..to[0])
            .map(|x| Tap::new(multiply_add(x, back[0][0], back[0][2])))
            .collect();
        for (y, line) in lines {
            let row = Tap::new(y as f32 * back[1][1] + back[1][2]);
            for (pixel, &column) in line.chunks_exact_mut(3).zip(&columns) {
                source.read(column, row, pixel);
            }
        }
    } else if is_affine(matrix) {
        for (y, line) in lines {
            let start = [0, 1].map(|axis| y as f32 * back[axis][1] + back[axis][2]);
            for (x, pixel) in line.chunks_exact_mut(3).enumerate() {
                let [x, y] = [0, 1].map(|axis| multiply_add(x, back[axis][0], start[axis]));
                source.read(Tap::new(x), Tap::new(y), pixel);
            }
        }
    } else {
        for (y, line) in lines {
            let start = [0, 1, 2].map(|axis| y as f32 * back[axis][1] + back[axis][2]);
            for (x, pixel) in line.chunks_exact_mut(3).enumerate() {
                let [x, y, depth] =
                    [0, 1, 2].map(|axis| multiply_add(x, back[axis][0], start[axis]));
                source.read(Tap::new(x / depth), Tap::new(y / depth), pixel);
            }
        }
    }
    out
}

/// `x · slope + start` rounded once, as a fused instruction does; double precision holds the product
/// exactly and is fast on machines without that instruction.
fn multiply_add(x: usize, slope: f32, start: f32) -> f32 {
    (x as f64 * f64::from(slope) + f64::from(start)) as f32
}

/// A position along one axis: the pixel at or before it, and how far beyond.
#[derive(Clone, Copy)]
struct Tap {
    whole: i32,
    fraction: f32,
}

impl Tap {
    fn new(position: f32) -> Self {
        // `floor` is a library call on the oldest x86-64; a truncation and a comparison are not.
        let truncated = position as i32;
        let whole = truncated.saturating_sub(i32::from(position < truncated as f32));
        Self {
            whole,
            fraction: position - whole as f32,
        }
    }
}

struct Source<'a> {
    bytes: &'a [u8],
    width: i32,
    height: i32,
}

impl<'a> Source<'a> {
    fn new(image: &'a RgbImage) -> Self {
        Self {
            bytes: image,
            width: image.width() as i32,
            height: image.height() as i32,
        }
    }

    #[inline(always)]
    fn read(&self, x: Tap, y: Tap, out: &mut [u8]) {
        let inside =
            x.whole >= 0 && y.whole >= 0 && x.whole < self.width - 1 && y.whole < self.height - 1;
        if inside {
            let stride = self.width as usize * 3;
            let start = y.whole as usize * stride + x.whole as usize * 3;
            let upper = &self.bytes[start..][..6];
            let lower = &self.bytes[start + stride..][..6];
            for channel in 0..3 {
                let upper = lerp(upper[channel], upper[channel + 3], x.fraction);
                let lower = lerp(lower[channel], lower[channel + 3], x.fraction);
                out[channel] = rounded(upper + y.fraction * (lower - upper));
            }
        } else {
            self.read_at_border(x, y, out);
        }
    }

    #[cold]
    fn read_at_border(&self, x: Tap, y: Tap, out: &mut [u8]) {
        let beyond =
            x.whole < -1 || y.whole < -1 || x.whole >= self.width || y.whole >= self.height;
        if beyond {
            out.fill(FILL);
            return;
        }
        let [upper, lower] = [y.whole, y.whole + 1]
            .map(|row| [x.whole, x.whole + 1].map(|column| self.pixel(column, row)));
        for channel in 0..3 {
            let upper = lerp(upper[0][channel], upper[1][channel], x.fraction);
            let lower = lerp(lower[0][channel], lower[1][channel], x.fraction);
            out[channel] = rounded(upper + y.fraction * (lower - upper));
        }
    }

    fn pixel(&self, x: i32, y: i32) -> [u8; 3] {
        if x < 0 || y < 0 || x >= self.width || y >= self.height {
            return [FILL; 3];
        }
        let start = (y as usize * self.width as usize + x as usize) * 3;
        [0, 1, 2].map(|channel| self.bytes[start + channel])
    }
}

#[inline(always)]
fn lerp(a: u8, b: u8, fraction: f32) -> f32 {
    f32::from(a) + fraction * (f32::from(b) - f32::from(a))
}

/// Nearest whole number of a value in `0..=255`, halves to even: adding 2²³ leaves no room for
/// fractions, so the addition itself rounds.
#[inline(always)]
fn rounded(value: f32) -> u8 {
    (value + 8_388_608.0).to_bits() as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    fn picture() -> RgbImage {
        RgbImage::from_fn(31, 17, |x, y| {
            Rgb([(x * 53 + y) as u8, (y * 29) as u8, (x * y * 7) as u8])
        })
    }

    #[test]
    fn the_identity_changes_nothing() {
        assert_eq!(warp(&picture(), &IDENTITY, [31, 17]), picture());
    }

    #[test]
    fn whole_steps_move_pixels_and_leave_grey_behind() {
        let matrix = [[1.0, 0.0, 4.0], [0.0, 1.0, -3.0], IDENTITY[2]];
        let out = warp(&picture(), &matrix, [40, 20]);
        for (x, y, pixel) in out.enumerate_pixels() {
            let inside = (4..35).contains(&x) && y + 3 < 17;
            let expected = if inside {
                *picture().get_pixel(x - 4, y + 3)
            } else {
                Rgb([FILL; 3])
            };
            assert_eq!(*pixel, expected, "{x} {y}");
        }
    }

    #[test]
    fn turning_a_little_takes_the_general_path_to_the_same_pixels() {
        let straight = [[1.3, 0.0, -2.7], [0.0, 0.8, 1.1], IDENTITY[2]];
        let mut turned = straight;
        turned[0][1] = 1e-12;
        let mut tilted = straight;
        tilted[2][0] = 1e-14;
        let expected = warp(&picture(), &straight, [33, 20]);
        assert_eq!(warp(&picture(), &turned, [33, 20]), expected);
        assert_eq!(warp(&picture(), &tilted, [33, 20]), expected);
    }

    #[test]
    fn a_flattening_map_gives_grey() {
        let matrix = [[0.0; 3], [0.0, 1.0, 0.0], IDENTITY[2]];
        let out = warp(&picture(), &matrix, [5, 4]);
        assert!(out.iter().all(|&byte| byte == FILL));
        let endless = [[f64::NAN; 3]; 3];
        assert!(
            warp(&picture(), &endless, [5, 4])
                .iter()
                .all(|&byte| byte == FILL)
        );
    }

    #[test]
    fn rounding_goes_to_the_nearest_and_halves_to_even() {
        for (value, expected) in [
            (0.0, 0),
            (0.5, 0),
            (1.5, 2),
            (2.5, 2),
            (254.6, 255),
            (-1e-6, 0),
        ] {
            assert_eq!(rounded(value), expected, "{value}");
        }
    }
}
