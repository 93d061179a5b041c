//! Colours as `[r, g, b]` in `0..=1`, and the small changes that light and cameras make to them.

use super::random::{Random, Turn};

pub(super) type Rgb = [f32; 3];

/// From hue (turns), saturation and value, each in `0..=1`.
pub(super) fn from_hsv(hue: f32, saturation: f32, value: f32) -> Rgb {
    let channel = |offset: f32| {
        let h = (hue * 6.0 + offset) % 6.0;
        let ramp = h.min(4.0 - h).clamp(0.0, 1.0);
        value * (1.0 - saturation * ramp)
    };
    [channel(5.0), channel(3.0), channel(1.0)]
}

pub(super) fn blend(a: Rgb, b: Rgb, t: f32) -> Rgb {
    std::array::from_fn(|c| a[c] + (b[c] - a[c]) * t)
}

/// A linear change of colour: `matrix · rgb + offset`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tint {
    matrix: [[f32; 3]; 3],
    offset: f32,
}

impl Tint {
    /// Small random hue turn, saturation, contrast about mid grey, and brightness, each up to
    /// `strength` times a visible amount.
    pub fn random(random: &mut Random, strength: f32) -> Self {
        let hue = random.turn(0.12 * strength);
        let saturation = 1.0 + random.range(-0.2, 0.2) * strength;
        let contrast = 1.0 + random.range(-0.15, 0.15) * strength;
        let brightness = random.range(-0.08, 0.08) * strength;
        let mut matrix = hue_matrix(hue);
        for row in &mut matrix {
            let grey = (1.0 - saturation) / 3.0;
            for cell in row {
                *cell = (*cell * saturation + grey) * contrast;
            }
        }
        Self {
            matrix,
            offset: 0.5 * (1.0 - contrast) + brightness,
        }
    }

    /// `alpha` scales the offset, so that premultiplied colours stay premultiplied.
    pub fn apply(&self, rgb: Rgb, alpha: f32) -> Rgb {
        std::array::from_fn(|c| {
            let [r, g, b] = self.matrix[c];
            (r * rgb[0] + g * rgb[1] + b * rgb[2] + self.offset * alpha).clamp(0.0, alpha)
        })
    }
}

/// Rotation about the grey axis (Rodrigues).
fn hue_matrix(turn: Turn) -> [[f32; 3]; 3] {
    let along = (1.0 - turn.cos) / 3.0;
    let across = turn.sin / 3.0f32.sqrt();
    let (same, next, last) = (turn.cos + along, along - across, along + across);
    [[same, next, last], [last, same, next], [next, last, same]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hsv_gives_the_corners_of_the_colour_cube() {
        assert_eq!(from_hsv(0.0, 1.0, 1.0), [1.0, 0.0, 0.0]);
        assert_eq!(from_hsv(0.5, 1.0, 1.0), [0.0, 1.0, 1.0]);
        assert_eq!(from_hsv(0.3, 0.0, 0.5), [0.5, 0.5, 0.5]);
    }

    #[test]
    fn a_hue_turn_keeps_grey_and_a_zero_strength_keeps_everything() {
        let mut random = Random::new(&[3]);
        let [r, g, b] = hue_matrix(random.turn(0.2))[0];
        // Rounding of three f32 terms.
        assert!((r + g + b - 1.0).abs() < 1e-6);
        let same = Tint::random(&mut random, 0.0).apply([0.2, 0.4, 0.6], 1.0);
        for (found, expected) in same.iter().zip([0.2, 0.4, 0.6]) {
            assert!((found - expected).abs() < 1e-6);
        }
    }
}
