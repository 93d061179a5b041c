//! Antialiased strokes on a picture. Coordinates are pixels; pixel `i` spans `i … i + 1`. What lies
//! outside the picture is cut off.

use image::RgbImage;

use super::color::Ink;

/// Lays `ink` over one pixel with the given coverage (0 … 1).
pub fn blend(image: &mut RgbImage, x: i64, y: i64, coverage: f32, ink: Ink) {
    let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else {
        return;
    };
    if x >= image.width() || y >= image.height() {
        return;
    }
    let part = (coverage * ink.alpha).clamp(0.0, 1.0);
    for (under, over) in image.get_pixel_mut(x, y).0.iter_mut().zip(ink.rgb) {
        let mixed = f32::from(*under) * (1.0 - part) + f32::from(over) * part;
        *under = mixed.round() as u8;
    }
}

/// The whole pixels that `from … to` touches, within `0 … size`.
fn touched(from: f32, to: f32, size: u32) -> std::ops::Range<i64> {
    let low = from.floor().max(0.0) as i64;
    let high = to.ceil().min(size as f32).max(0.0) as i64;
    low..high
}

/// The part of pixel `i` that `from … to` covers.
fn covered(i: i64, from: f32, to: f32) -> f32 {
    let i = i as f32;
    (to.min(i + 1.0) - from.max(i)).clamp(0.0, 1.0)
}

/// Fills `[x0, y0, x1, y1]`.
pub fn fill_rect(image: &mut RgbImage, [x0, y0, x1, y1]: [f32; 4], ink: Ink) {
    for y in touched(y0, y1, image.height()) {
        let rows = covered(y, y0, y1);
        for x in touched(x0, x1, image.width()) {
            blend(image, x, y, rows * covered(x, x0, x1), ink);
        }
    }
}

/// Strokes the border of `[x0, y0, x1, y1]`, half of `width` on either side of it.
pub fn stroke_rect(image: &mut RgbImage, [x0, y0, x1, y1]: [f32; 4], width: f32, ink: Ink) {
    let half = width / 2.0;
    let (left, right) = (x0 - half, x1 + half);
    // The uprights fit between the bars, so that no corner is painted twice.
    let (top, bottom) = (y0 + half, (y1 - half).max(y0 + half));
    fill_rect(image, [left, y0 - half, right, top], ink);
    fill_rect(image, [left, bottom, right, bottom + width], ink);
    fill_rect(image, [left, top, x0 + half, bottom], ink);
    fill_rect(image, [x1 - half, top, right, bottom], ink);
}

/// Strokes a line through `points` with round joins and ends. Points that are not finite break it.
pub fn polyline(image: &mut RgbImage, points: &[[f32; 2]], width: f32, ink: Ink) {
    for part in points.split(|p| !(p[0].is_finite() && p[1].is_finite())) {
        connected(image, part, width, ink);
    }
}

/// A disc, as the end of a line.
pub fn disc(image: &mut RgbImage, center: [f32; 2], radius: f32, ink: Ink) {
    polyline(image, &[center], radius * 2.0, ink);
}

fn connected(image: &mut RgbImage, points: &[[f32; 2]], width: f32, ink: Ink) {
    if points.is_empty() {
        return;
    }
    let reach = width / 2.0 + 1.0;
    let bounds = |axis: usize, size: u32| {
        let values = || points.iter().map(move |p| p[axis]);
        let low = values().fold(f32::INFINITY, f32::min);
        let high = values().fold(f32::NEG_INFINITY, f32::max);
        touched(low - reach, high + reach, size)
    };
    let (xs, ys) = (bounds(0, image.width()), bounds(1, image.height()));
    if xs.is_empty() || ys.is_empty() {
        return;
    }
    // Coverage is collected first: painting segment by segment would darken the joins.
    let stride = (xs.end - xs.start) as usize;
    let mut coverage = vec![0.0_f32; stride * (ys.end - ys.start) as usize];
    let mut stroke = |a: [f32; 2], b: [f32; 2]| {
        let local = |axis: usize, limits: &std::ops::Range<i64>| {
            let span = touched(
                a[axis].min(b[axis]) - reach,
                a[axis].max(b[axis]) + reach,
                limits.end as u32,
            );
            span.start.max(limits.start)..span.end
        };
        for y in local(1, &ys) {
            for x in local(0, &xs) {
                let distance = distance_to_segment([x as f32 + 0.5, y as f32 + 0.5], a, b);
                let value = (width / 2.0 + 0.5 - distance).clamp(0.0, 1.0);
                let index = (y - ys.start) as usize * stride + (x - xs.start) as usize;
                coverage[index] = coverage[index].max(value);
            }
        }
    };
    if let [point] = points {
        stroke(*point, *point);
    }
    for pair in points.windows(2) {
        stroke(pair[0], pair[1]);
    }
    for (index, value) in coverage.into_iter().enumerate() {
        if value > 0.0 {
            let (x, y) = ((index % stride) as i64, (index / stride) as i64);
            blend(image, xs.start + x, ys.start + y, value, ink);
        }
    }
}

fn distance_to_segment(p: [f32; 2], a: [f32; 2], b: [f32; 2]) -> f32 {
    let along = [b[0] - a[0], b[1] - a[1]];
    let from_a = [p[0] - a[0], p[1] - a[1]];
    let length_squared = along[0] * along[0] + along[1] * along[1];
    let t = if length_squared > 0.0 {
        ((from_a[0] * along[0] + from_a[1] * along[1]) / length_squared).clamp(0.0, 1.0)
    } else {
        0.0
    };
    (from_a[0] - t * along[0]).hypot(from_a[1] - t * along[1])
}

#[cfg(test)]
mod tests {
    use super::super::color::BLACK;
    use super::*;

    fn white(width: u32, height: u32) -> RgbImage {
        RgbImage::from_pixel(width, height, image::Rgb([255; 3]))
    }

    #[test]
    fn a_rectangle_covers_partial_pixels_in_part() {
        let mut image = white(4, 1);
        fill_rect(&mut image, [0.5, 0.0, 2.0, 1.0], BLACK);
        let row: Vec<u8> = image.pixels().map(|p| p.0[0]).collect();
        assert_eq!(row, [128, 0, 255, 255]);
    }

    #[test]
    fn a_transparent_border_is_painted_once_everywhere() {
        let mut image = white(20, 20);
        stroke_rect(&mut image, [4.0, 4.0, 16.0, 16.0], 2.0, BLACK.alpha(0.5));
        let mut shades: Vec<u8> = image.pixels().map(|p| p.0[0]).collect();
        shades.sort_unstable();
        shades.dedup();
        assert_eq!(shades, [128, 255]);
    }

    #[test]
    fn a_transparent_line_is_no_darker_at_its_joins() {
        let mut image = white(20, 20);
        let points = [[2.0, 10.0], [10.0, 10.0], [18.0, 10.0], [2.0, 10.0]];
        polyline(&mut image, &points, 4.0, BLACK.alpha(0.5));
        assert_eq!(image.pixels().map(|p| p.0[0]).min(), Some(128));
    }

    #[test]
    fn what_lies_outside_is_cut_off_without_panic() {
        let mut image = white(8, 8);
        fill_rect(&mut image, [-50.0, -50.0, -1.0, 100.0], BLACK);
        stroke_rect(&mut image, [f32::NAN, 0.0, f32::INFINITY, 4.0], 2.0, BLACK);
        polyline(&mut image, &[[-1e9, 4.0], [-5e8, 4.0]], 2.0, BLACK);
        polyline(&mut image, &[[f32::NAN, 4.0]], 2.0, BLACK);
        polyline(&mut image, &[], 2.0, BLACK);
        assert_eq!(image.get_pixel(7, 7).0, [255; 3]);
    }
}
