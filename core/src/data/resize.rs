//! Resizing of 8-bit pictures: bilinear in fixed point and by area, with the arithmetic of the
//! field's usual picture library, so that pixels equal the reference's (FACTS 5 and 6).

use image::RgbImage;

/// What a picture is resized for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Bilinear both ways.
    Train,
    /// By area when shrinking, bilinear when growing.
    Val,
}

/// Size `[w, h]` in pixels of a picture whose longer side becomes `imgsz`; fractions round up.
pub fn fitted_size(size: [usize; 2], imgsz: usize) -> [usize; 2] {
    let longer = size[0].max(size[1]).max(1);
    if longer == imgsz {
        return size.map(|side| side.max(1));
    }
    let ratio = imgsz as f64 / longer as f64;
    size.map(|side| ((side as f64 * ratio).ceil() as usize).max(1))
}

/// Resizes a picture so that its longer side is `imgsz` pixels (FACTS 5).
pub fn fit_longer_side(image: &RgbImage, imgsz: usize, purpose: Purpose) -> RgbImage {
    let size = [image.width() as usize, image.height() as usize];
    let imgsz = imgsz.max(1);
    let longer = size[0].max(size[1]);
    if longer == imgsz || longer == 0 {
        return image.clone();
    }
    let to = fitted_size(size, imgsz);
    if purpose == Purpose::Val && imgsz < longer {
        resize_area(image, to)
    } else {
        resize_linear(image, to)
    }
}

/// Bilinear resize to `[w, h]` pixels. No smoothing when shrinking.
pub fn resize_linear(image: &RgbImage, to: [usize; 2]) -> RgbImage {
    resized(image, to, linear::<3>)
}

/// Resize to `[w, h]` pixels by averaging the area that each output pixel covers.
pub fn resize_area(image: &RgbImage, to: [usize; 2]) -> RgbImage {
    resized(image, to, area::<3>)
}

/// From bytes of a size `[w, h]` to bytes of another.
type Resample = fn(&[u8], [usize; 2], &mut [u8], [usize; 2]);

fn resized(image: &RgbImage, to: [usize; 2], resample: Resample) -> RgbImage {
    let from = [image.width() as usize, image.height() as usize];
    let mut out = RgbImage::new(to[0] as u32, to[1] as u32);
    if from.contains(&0) || to.contains(&0) {
        return out;
    }
    if from == to {
        out.copy_from_slice(image);
    } else {
        resample(image, from, &mut out, to);
    }
    out
}

/// Bilinear resize of one plane of bytes, sizes `[w, h]`, none of them zero.
pub(crate) fn resize_plane(source: &[u8], from: [usize; 2], out: &mut [u8], to: [usize; 2]) {
    if from == to {
        out.copy_from_slice(source);
    } else {
        linear::<1>(source, from, out, to);
    }
}

/// Fraction bits of a bilinear coefficient.
const COEFFICIENT_ONE: f32 = 2048.0;

/// Two source positions and their weights (of 2048) for one output position.
#[derive(Clone, Copy)]
struct Tap {
    first: usize,
    second: usize,
    weight: [i32; 2],
}

impl Tap {
    fn new(position: isize, fraction: f32, count: usize) -> Self {
        let last = count as isize - 1;
        Self {
            first: position.clamp(0, last) as usize,
            second: (position + 1).clamp(0, last) as usize,
            weight: [1.0 - fraction, fraction]
                .map(|weight| (weight * COEFFICIENT_ONE).round_ties_even() as i32),
        }
    }
}

/// Taps along one axis: pixel centres align.
fn centred_taps(from: usize, to: usize) -> Vec<Tap> {
    let scale = 1.0 / (to as f64 / from as f64);
    let tap = |index: usize| {
        let position = ((index as f64 + 0.5) * scale - 0.5) as f32;
        let whole = position.floor();
        Tap::new(whole as isize, position - whole, from)
    };
    (0..to).map(tap).collect()
}

/// Taps along one axis for growing by area: a source pixel stays flat, only its edge is blended.
fn flat_taps(from: usize, to: usize) -> Vec<Tap> {
    let growth = to as f64 / from as f64;
    let scale = 1.0 / growth;
    let tap = |index: usize| {
        let whole = (index as f64 * scale).floor();
        let edge = ((index + 1) as f64 - (whole + 1.0) * growth) as f32;
        let fraction = if edge <= 0.0 {
            0.0
        } else {
            edge - edge.floor()
        };
        Tap::new(whole as isize, fraction, from)
    };
    (0..to).map(tap).collect()
}

/// How many source pixels make an output pixel along each axis, when both are whole numbers.
fn whole_scale(from: [usize; 2], to: [usize; 2]) -> Option<[usize; 2]> {
    let whole = from[0].is_multiple_of(to[0]) && from[1].is_multiple_of(to[1]);
    whole.then(|| [from[0] / to[0], from[1] / to[1]])
}

fn linear<const C: usize>(source: &[u8], from: [usize; 2], out: &mut [u8], to: [usize; 2]) {
    // Halving is the mean of four pixels, rounded once.
    if whole_scale(from, to) == Some([2, 2]) {
        return blocks::<C>(source, from[0], out, to[0], [2, 2]);
    }
    let columns = centred_taps(from[0], to[0]);
    let rows = centred_taps(from[1], to[1]);
    blend::<C>(source, from[0], out, to[0], &columns, &rows);
}

fn blend<const C: usize>(
    source: &[u8],
    source_width: usize,
    out: &mut [u8],
    width: usize,
    columns: &[Tap],
    rows: &[Tap],
) {
    let mut upper = vec![0i32; width * C];
    let mut lower = vec![0i32; width * C];
    let mut held = [usize::MAX; 2];
    let fill = |buffer: &mut [i32], row: usize| {
        let row = &source[row * source_width * C..][..source_width * C];
        for (pixel, tap) in buffer.chunks_exact_mut(C).zip(columns) {
            let first = &row[tap.first * C..][..C];
            let second = &row[tap.second * C..][..C];
            for channel in 0..C {
                pixel[channel] = i32::from(first[channel]) * tap.weight[0]
                    + i32::from(second[channel]) * tap.weight[1];
            }
        }
    };
    for (line, tap) in out.chunks_exact_mut(width * C).zip(rows) {
        if held[0] != tap.first {
            if held[1] == tap.first {
                std::mem::swap(&mut upper, &mut lower);
                held.swap(0, 1);
            } else {
                fill(&mut upper, tap.first);
                held[0] = tap.first;
            }
        }
        if held[1] != tap.second {
            fill(&mut lower, tap.second);
            held[1] = tap.second;
        }
        // The shifts keep each product within 32 bits; their truncation is part of the arithmetic.
        for ((byte, &a), &b) in line.iter_mut().zip(&upper).zip(&lower) {
            let a = ((a >> 4) * tap.weight[0]) >> 16;
            let b = ((b >> 4) * tap.weight[1]) >> 16;
            *byte = ((a + b + 2) >> 2) as u8;
        }
    }
}

/// Means of whole blocks of source pixels.
fn blocks<const C: usize>(
    source: &[u8],
    source_width: usize,
    out: &mut [u8],
    width: usize,
    block: [usize; 2],
) {
    let share = 1.0 / (block[0] * block[1]) as f32;
    let mut sums = vec![0u32; width * C];
    for (y, line) in out.chunks_exact_mut(width * C).enumerate() {
        sums.fill(0);
        for row in 0..block[1] {
            let row = &source[(y * block[1] + row) * source_width * C..][..width * block[0] * C];
            for (sum, pixels) in sums.chunks_exact_mut(C).zip(row.chunks_exact(block[0] * C)) {
                for pixel in pixels.chunks_exact(C) {
                    for channel in 0..C {
                        sum[channel] += u32::from(pixel[channel]);
                    }
                }
            }
        }
        if block == [2, 2] {
            // Halves round up here, and to even in the general case.
            for (byte, &sum) in line.iter_mut().zip(&sums) {
                *byte = ((sum + 2) >> 2) as u8;
            }
        } else {
            for (byte, &sum) in line.iter_mut().zip(&sums) {
                *byte = (sum as f32 * share).round_ties_even() as u8;
            }
        }
    }
}

/// A source position and the share of an output position that it covers.
struct Share {
    to: usize,
    from: usize,
    share: f32,
}

fn shares(from: usize, to: usize) -> Vec<Share> {
    // Slivers thinner than this are left out.
    const SLIVER: f64 = 1e-3;
    let scale = 1.0 / (to as f64 / from as f64);
    let mut out = Vec::with_capacity(to * (scale as usize + 2));
    for index in 0..to {
        let start = index as f64 * scale;
        let end = start + scale;
        let cell = scale.min(from as f64 - start);
        let last = (end.floor() as usize).min(from - 1);
        let first = (start.ceil() as usize).min(last);
        if first as f64 - start > SLIVER {
            let share = ((first as f64 - start) / cell) as f32;
            out.push(Share {
                to: index,
                from: first - 1,
                share,
            });
        }
        for whole in first..last {
            out.push(Share {
                to: index,
                from: whole,
                share: (1.0 / cell) as f32,
            });
        }
        if end - last as f64 > SLIVER {
            let share = ((end - last as f64).min(1.0).min(cell) / cell) as f32;
            out.push(Share {
                to: index,
                from: last,
                share,
            });
        }
    }
    out
}

fn area<const C: usize>(source: &[u8], from: [usize; 2], out: &mut [u8], to: [usize; 2]) {
    if to[0] > from[0] || to[1] > from[1] {
        let columns = flat_taps(from[0], to[0]);
        let rows = flat_taps(from[1], to[1]);
        return blend::<C>(source, from[0], out, to[0], &columns, &rows);
    }
    if let Some(block) = whole_scale(from, to) {
        return blocks::<C>(source, from[0], out, to[0], block);
    }
    let columns = shares(from[0], to[0]);
    let rows = shares(from[1], to[1]);
    let mut row_means = vec![0f32; to[0] * C];
    let mut sums = vec![0f32; to[0] * C];
    let mut rows = rows.iter().peekable();
    while let Some(row) = rows.next() {
        row_means.fill(0.0);
        let line = &source[row.from * from[0] * C..][..from[0] * C];
        for column in &columns {
            let pixel = &line[column.from * C..][..C];
            let mean = &mut row_means[column.to * C..][..C];
            for channel in 0..C {
                mean[channel] += f32::from(pixel[channel]) * column.share;
            }
        }
        for (sum, mean) in sums.iter_mut().zip(&row_means) {
            *sum += row.share * mean;
        }
        if rows.peek().is_none_or(|next| next.to != row.to) {
            let line = &mut out[row.to * to[0] * C..][..to[0] * C];
            for (byte, sum) in line.iter_mut().zip(&mut sums) {
                *byte = sum.round_ties_even() as u8;
                *sum = 0.0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::golden;

    #[test]
    fn resized_pixels_equal_the_reference() {
        let pictures = golden::pictures("aug/pixels.safetensors");
        let source = &pictures["img_bgr"];
        let mut checked = 0;
        for (name, expected) in &pictures {
            let to = [expected.width() as usize, expected.height() as usize];
            let found = if name.starts_with("resize_area") {
                resize_area(source, to)
            } else if name.starts_with("resize_linear") {
                resize_linear(source, to)
            } else {
                continue;
            };
            assert_eq!(golden::difference(&found, expected), (0, 0), "{name}");
            checked += 1;
        }
        assert_eq!(checked, 10);
    }

    #[test]
    fn loaded_pictures_have_the_reference_size() {
        let golden = golden::json("nms/letterbox_scale.json");
        for case in golden["load_image"].as_array().unwrap() {
            let [height, width] = golden::pair(&case["hw"]);
            let imgsz = case["img_size"].as_u64().unwrap() as usize;
            let [to_height, to_width] = golden::pair(&case["resized_hw"]);
            assert_eq!(
                fitted_size([width, height], imgsz),
                [to_width, to_height],
                "{case}"
            );
        }
    }

    #[test]
    fn validation_shrinks_by_area_and_grows_bilinearly() {
        let picture = RgbImage::from_fn(40, 30, |x, y| {
            image::Rgb([
                (x * 37 % 256) as u8,
                (y * 91 % 256) as u8,
                (x * y % 256) as u8,
            ])
        });
        let small = |purpose| fit_longer_side(&picture, 25, purpose);
        assert_eq!(small(Purpose::Val), resize_area(&picture, [25, 19]));
        assert_eq!(small(Purpose::Train), resize_linear(&picture, [25, 19]));
        let large = |purpose| fit_longer_side(&picture, 50, purpose);
        assert_eq!(large(Purpose::Val), resize_linear(&picture, [50, 38]));
        assert_eq!(large(Purpose::Val), large(Purpose::Train));
        assert_eq!(fit_longer_side(&picture, 40, Purpose::Val), picture);
    }

    #[test]
    fn a_flat_picture_stays_flat_at_any_size() {
        let picture = RgbImage::from_pixel(37, 23, image::Rgb([7, 114, 255]));
        for to in [[1, 1], [3, 50], [36, 22], [74, 46], [111, 5], [200, 1]] {
            for out in [resize_linear(&picture, to), resize_area(&picture, to)] {
                assert!(out.pixels().all(|pixel| pixel.0 == [7, 114, 255]), "{to:?}");
            }
        }
    }
}
