//! One object as pixels: its cut-out, its shadow, and which part of it stays visible.

use super::colour::Rgb;
use super::scene::Object;

/// An object's visible alpha from which a pixel counts as the object's.
pub(super) const SOLID: f32 = 0.5;

/// Premultiplied `[r, g, b, a]` in `0..=1` over a rectangle that may reach outside the picture.
#[derive(Debug)]
pub(super) struct Layer {
    left: isize,
    top: isize,
    width: usize,
    height: usize,
    pixels: Vec<[f32; 4]>,
}

/// What remains of an object under those above it and within the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Visible {
    /// Tight box of the solid visible pixels: `[x0, y0, x1, y1]`, ends exclusive. `None` when no
    /// pixel is solid.
    pub bounds: Option<[usize; 4]>,
    /// Visible share of the object's whole alpha, `0..=1`.
    pub share: f32,
}

impl Layer {
    /// Four samples a pixel from the level of detail that fits.
    pub fn render(object: &Object, side: usize) -> Self {
        let scale = side as f32;
        let [x0, y0, x1, y1] = object.pose.extent.map(|edge| edge * scale);
        // One pixel of margin for soft edges.
        let (left, top) = (x0.floor() as isize - 1, y0.floor() as isize - 1);
        let width = (x1.ceil() as isize + 1 - left).max(1) as usize;
        let height = (y1.ceil() as isize + 1 - top).max(1) as usize;
        let level = object.sprite.level_for(object.pose.texels / scale * 0.5);
        let pixel = 1.0 / scale;
        let mut pixels = Vec::with_capacity(width * height);
        for y in 0..height {
            for x in 0..width {
                let mut sum = [0.0; 4];
                for (dx, dy) in [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)] {
                    let u = ((left + x as isize) as f32 + dx) * pixel;
                    let v = ((top + y as isize) as f32 + dy) * pixel;
                    if let Some([tx, ty]) = object.pose.texel(u, v) {
                        let sample = object.sprite.sample(level, tx, ty);
                        sum = std::array::from_fn(|c| sum[c] + sample[c]);
                    }
                }
                let [r, g, b, alpha] = sum.map(|c| c * (0.25 / 255.0));
                let [r, g, b] = object.tint.apply([r, g, b], alpha);
                pixels.push([r, g, b, alpha]);
            }
        }
        Self {
            left,
            top,
            width,
            height,
            pixels,
        }
    }

    fn alpha_at(&self, x: isize, y: isize) -> f32 {
        let (x, y) = (x - self.left, y - self.top);
        if x < 0 || y < 0 || x >= self.width as isize || y >= self.height as isize {
            return 0.0;
        }
        self.pixels[y as usize * self.width + x as usize][3]
    }

    /// Picture column, picture row, index into `pixels`, for the part inside the picture.
    fn inside(&self, side: usize) -> impl Iterator<Item = (usize, usize, usize)> {
        let clip = |start: isize, length: usize| {
            let end = (start + length as isize).clamp(0, side as isize);
            start.clamp(0, side as isize)..end
        };
        let columns = clip(self.left, self.width);
        let (left, top, width) = (self.left, self.top, self.width);
        clip(self.top, self.height).flat_map(move |y| {
            columns.clone().map(move |x| {
                let index = (y - top) as usize * width + (x - left) as usize;
                (x as usize, y as usize, index)
            })
        })
    }

    /// Alpha of this layer left over by those `above`, for every pixel inside the picture.
    pub fn visible_alpha(
        &self,
        above: &[Self],
        side: usize,
    ) -> impl Iterator<Item = (usize, usize, f32)> {
        self.inside(side).map(move |(x, y, index)| {
            let alpha = above.iter().fold(self.pixels[index][3], |left, layer| {
                left * (1.0 - layer.alpha_at(x as isize, y as isize))
            });
            (x, y, alpha)
        })
    }

    /// Measures what the layers `above` and the picture's edges leave of this one.
    pub fn visible(&self, above: &[Self], side: usize) -> Visible {
        let whole: f32 = self.pixels.iter().map(|pixel| pixel[3]).sum();
        let mut seen = 0.0;
        let mut bounds: Option<[usize; 4]> = None;
        for (x, y, alpha) in self.visible_alpha(above, side) {
            seen += alpha;
            if alpha >= SOLID {
                let [x0, y0, x1, y1] = bounds.unwrap_or([x, y, x + 1, y + 1]);
                bounds = Some([x0.min(x), y0.min(y), x1.max(x + 1), y1.max(y + 1)]);
            }
        }
        Visible {
            bounds,
            share: if whole > 0.0 { seen / whole } else { 0.0 },
        }
    }

    /// Lays the cut-out over the picture.
    pub fn cover(&self, picture: &mut [Rgb], side: usize) {
        for (x, y, index) in self.inside(side) {
            let [r, g, b, alpha] = self.pixels[index];
            let under = &mut picture[y * side + x];
            *under = [
                r + under[0] * (1.0 - alpha),
                g + under[1] * (1.0 - alpha),
                b + under[2] * (1.0 - alpha),
            ];
        }
    }

    /// Darkens the picture where the object's shadow falls.
    pub fn cast_shadow(&self, object: &Object, picture: &mut [Rgb], side: usize) {
        let scale = side as f32;
        let radius = ((object.shadow.blur * scale + 0.5) as usize).max(1);
        let margin = 2 * radius;
        let offset = object.shadow.offset.map(|o| (o * scale).round() as isize);
        let (width, height) = (self.width + 2 * margin, self.height + 2 * margin);
        let mut alpha = vec![0.0; width * height];
        for (row, pixels) in self.pixels.chunks_exact(self.width).enumerate() {
            let start = (row + margin) * width + margin;
            for (cell, pixel) in alpha[start..].iter_mut().zip(pixels) {
                *cell = pixel[3];
            }
        }
        let mut scratch = vec![0.0; width * height];
        // Two box blurs each way make a tent, which looks as soft as a Gaussian here.
        for _ in 0..2 {
            blur_rows_transposed(&alpha, width, radius, &mut scratch);
            blur_rows_transposed(&scratch, height, radius, &mut alpha);
        }
        let shadow = Self {
            left: self.left - margin as isize + offset[0],
            top: self.top - margin as isize + offset[1],
            width,
            height,
            pixels: Vec::new(),
        };
        for (x, y, index) in shadow.inside(side) {
            let light = 1.0 - object.shadow.strength * alpha[index].clamp(0.0, 1.0);
            picture[y * side + x] = picture[y * side + x].map(|c| c * light);
        }
    }
}

/// Box blur along rows of `width`, written with rows and columns exchanged.
fn blur_rows_transposed(from: &[f32], width: usize, radius: usize, to: &mut [f32]) {
    let height = from.len() / width;
    let norm = 1.0 / (2 * radius + 1) as f32;
    for (y, row) in from.chunks_exact(width).enumerate() {
        let mut sum: f32 = row.iter().take(radius).sum();
        for x in 0..width {
            sum += row.get(x + radius).copied().unwrap_or(0.0);
            to[x * height + y] = sum * norm;
            if x >= radius {
                sum -= row[x - radius];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(left: isize, top: isize, size: usize) -> Layer {
        Layer {
            left,
            top,
            width: size,
            height: size,
            pixels: vec![[0.5, 0.5, 0.5, 1.0]; size * size],
        }
    }

    #[test]
    fn the_visible_box_ends_where_another_object_or_the_picture_begins() {
        let seen = block(2, 2, 4).visible(&[block(4, 0, 8)], 16);
        assert_eq!(seen.bounds, Some([2, 2, 4, 6]));
        assert_eq!(seen.share, 0.5);
        let cut = block(-1, -1, 4).visible(&[], 16);
        assert_eq!(cut.bounds, Some([0, 0, 3, 3]));
        assert_eq!(cut.share, 9.0 / 16.0);
        let hidden = block(2, 2, 4).visible(&[block(0, 0, 8)], 16);
        assert_eq!((hidden.bounds, hidden.share), (None, 0.0));
        let outside = block(-9, 3, 4).visible(&[], 16);
        assert_eq!((outside.bounds, outside.share), (None, 0.0));
    }

    #[test]
    fn a_box_blur_keeps_the_sum_of_what_stays_inside() {
        let mut from = vec![0.0; 7 * 5];
        from[2 * 7 + 3] = 1.0;
        let mut to = vec![0.0; 7 * 5];
        blur_rows_transposed(&from, 7, 2, &mut to);
        // Five equal terms of 1/5 in f32.
        assert!((to.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!((to[3 * 5 + 2] - 0.2).abs() < 1e-6);
        assert!(to[5 + 2] > 0.0 && to[2] == 0.0 && to[6 * 5 + 2] == 0.0);
    }
}
