//! Random hue, saturation and value of a picture (FACTS 6), through 8-bit HSV as the reference does.

use image::RgbImage;
use rand_chacha::ChaCha8Rng;

use super::augment::uniform;
use crate::train::hyp::Hyp;

/// One draw of the three multipliers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HsvDraw {
    /// Of hue, saturation and value.
    pub multipliers: [f64; 3],
}

impl HsvDraw {
    /// Draws each multiplier from `1 ± gain`.
    pub fn draw(hyp: &Hyp, rng: &mut ChaCha8Rng) -> Self {
        let multipliers = [hyp.hsv_h, hyp.hsv_s, hyp.hsv_v];
        Self {
            multipliers: multipliers.map(|gain| 1.0 + gain * uniform(rng, -1.0, 1.0)),
        }
    }

    /// Changes the picture in place; multipliers of one leave it untouched.
    pub fn apply(&self, image: &mut RgbImage) {
        if self.multipliers == [1.0; 3] {
            return;
        }
        let [hue, saturation, value] = self.multipliers;
        // A byte has 8 bits; hue counts in steps of 2 degrees, so that it fits.
        let hue_of: [Hue; 180] =
            std::array::from_fn(|h| Hue::new((h as f64 * hue).rem_euclid(180.0) as u8));
        let scaled = |by: f64| -> [u8; 256] {
            std::array::from_fn(|x| (x as f64 * by).clamp(0.0, 255.0) as u8)
        };
        let saturation_of = scaled(saturation);
        let value_of = scaled(value);
        for pixel in image.chunks_exact_mut(3) {
            let (h, s, v) = to_hsv([pixel[0], pixel[1], pixel[2]]);
            let hsv = (
                &hue_of[h],
                saturation_of[usize::from(s)],
                value_of[usize::from(v)],
            );
            pixel.copy_from_slice(&to_rgb(hsv));
        }
    }
}

/// Fraction bits of the reciprocals.
const SHIFT: i32 = 12;

/// `numerator · 2¹² / i` rounded to the nearest, halves to even; 0 for `i = 0`.
const fn reciprocals(numerator: i32) -> [i32; 256] {
    let numerator = numerator << SHIFT;
    let mut out = [0; 256];
    let mut i = 1;
    while i < 256 {
        let (whole, rest) = (numerator / i, numerator % i);
        let up = 2 * rest > i || (2 * rest == i && whole % 2 == 1);
        out[i as usize] = whole + up as i32;
        i += 1;
    }
    out
}

static SATURATION: [i32; 256] = reciprocals(255);
/// A sixth of the circle is 30 steps of hue.
static HUE: [i32; 256] = reciprocals(30);

/// Hue in `0..180`, saturation and value.
fn to_hsv([r, g, b]: [u8; 3]) -> (usize, u8, u8) {
    let value = r.max(g).max(b);
    let range = i32::from(value - r.min(g).min(b));
    let saturation = (range * SATURATION[usize::from(value)] + (1 << (SHIFT - 1))) >> SHIFT;
    let [r, g, b, v] = [r, g, b, value].map(i32::from);
    let sixths = if v == r {
        g - b
    } else if v == g {
        b - r + 2 * range
    } else {
        r - g + 4 * range
    };
    let hue = (sixths * HUE[range as usize] + (1 << (SHIFT - 1))) >> SHIFT;
    let hue = if hue < 0 { hue + 180 } else { hue };
    (hue as usize, saturation as u8, value)
}

/// A hue prepared for the way back: which sixth of the circle, and how far into it.
#[derive(Clone, Copy)]
struct Hue {
    /// For red, green, blue: 0 takes the value, 1 the lowest channel, 2 the one between.
    order: [u8; 3],
    /// How much of the saturation the channel between loses.
    loss: f64,
}

impl Hue {
    fn new(hue: u8) -> Self {
        const ORDER: [[u8; 3]; 6] = [
            [0, 2, 1],
            [2, 0, 1],
            [1, 0, 2],
            [1, 2, 0],
            [2, 1, 0],
            [0, 1, 2],
        ];
        let sixths = f32::from(hue) * (6.0 / 180.0);
        let whole = sixths.floor();
        let beyond = sixths - whole;
        let rising = (whole as usize).is_multiple_of(2);
        Self {
            order: ORDER[whole as usize % 6],
            loss: f64::from(if rising { 1.0 - beyond } else { beyond }),
        }
    }
}

/// Truncates, as the reference's vector code does.
fn to_rgb((hue, saturation, value): (&Hue, u8, u8)) -> [u8; 3] {
    let saturation = f32::from(saturation) * (1.0 / 255.0);
    let scaled = f32::from(value) * (1.0 / 255.0);
    // The product is exact in double precision: rounded once, like a fused instruction.
    let between = (1.0 - f64::from(saturation) * hue.loss) as f32;
    let channels = [scaled, scaled * (1.0 - saturation), scaled * between]
        .map(|channel| (channel * 255.0) as u8);
    hue.order.map(|which| channels[usize::from(which)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::golden;

    #[test]
    fn conversions_equal_the_reference() {
        let pictures = golden::pictures("aug/pixels.safetensors");
        let rgb = golden::swap_red_blue(&pictures["img_bgr"]);
        let hsv = &pictures["hsv"];
        let back = golden::swap_red_blue(&pictures["hsv_back"]);
        for ((rgb, hsv), back) in rgb.pixels().zip(hsv.pixels()).zip(back.pixels()) {
            let (h, s, v) = to_hsv(rgb.0);
            assert_eq!([h as u8, s, v], hsv.0, "{rgb:?}");
            assert_eq!(to_rgb((&Hue::new(h as u8), s, v)), back.0, "{hsv:?}");
        }
    }

    #[test]
    fn recorded_multipliers_give_the_reference_pixels() {
        let golden = golden::json("aug/aug.json");
        let pictures = golden::pictures("aug/pixels.safetensors");
        for (index, case) in golden["hsv_cases"].as_array().unwrap().iter().enumerate() {
            let multipliers = golden::numbers(&case["multipliers"]);
            let draw = HsvDraw {
                multipliers: [0, 1, 2].map(|i| multipliers[i]),
            };
            let mut image = golden::swap_red_blue(&pictures["img_bgr"]);
            draw.apply(&mut image);
            let expected = golden::swap_red_blue(&pictures[&format!("hsv_aug_{index}")]);
            assert_eq!(
                golden::difference(&image, &expected),
                (0, 0),
                "case {index}"
            );
        }
    }

    #[test]
    fn every_colour_survives_the_way_there_and_back() {
        // 180 hues and 256 saturations cannot hold 2²⁴ colours, and the way back truncates.
        const LOSS: u8 = 6;
        for red in (0..=255).step_by(5) {
            for green in (0..=255).step_by(3) {
                for blue in (0..=255).step_by(5) {
                    let (h, s, v) = to_hsv([red, green, blue]);
                    let back = to_rgb((&Hue::new(h as u8), s, v));
                    let pairs = [red, green, blue].into_iter().zip(back);
                    let loss = pairs.map(|(a, b)| a.abs_diff(b));
                    assert!(loss.max() <= Some(LOSS), "{red} {green} {blue} {back:?}");
                }
            }
        }
    }

    #[test]
    fn multipliers_of_one_change_nothing() {
        let mut image = RgbImage::from_pixel(3, 2, image::Rgb([13, 200, 77]));
        let before = image.clone();
        HsvDraw {
            multipliers: [1.0; 3],
        }
        .apply(&mut image);
        assert_eq!(image, before);
    }
}
