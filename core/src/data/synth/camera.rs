//! What happens to the whole picture: light falling across it, tone, blur and sensor noise.

use image::RgbImage;

use super::colour::{Rgb, Tint};
use super::random::Random;

/// A finished picture of `side` × `side` pixels.
pub(super) fn expose(random: &mut Random, mut picture: Vec<Rgb>, side: usize) -> RgbImage {
    light(random, &mut picture, side);
    let tone = Tint::random(random, 0.7);
    for pixel in &mut picture {
        *pixel = tone.apply(*pixel, 1.0);
    }
    // Drawn before they are used: the draws do not depend on the picture's size.
    let blurred = random.chance(0.3);
    let noise = random.unit() * random.unit() * 0.09;
    let mut sensor = random.branch();
    if blurred {
        // The same softness relative to the picture at 160 and at 320 px.
        for _ in 0..(side / 160).max(1) {
            blur(&mut picture, side);
        }
    }
    let mut bytes = Vec::with_capacity(side * side * 3);
    for pixel in picture {
        let bits = sensor.bits();
        // The sum of two uniform bytes: a tent, near enough to a sensor's noise.
        let byte = |k: u32| ((bits >> (8 * k)) & 0xff) as f32 / 255.0 - 0.5;
        let luminance = byte(0) + byte(1);
        for (channel, value) in (2..).step_by(2).zip(pixel) {
            let colour = byte(channel) + byte(channel + 1);
            let value = value + noise * (0.7 * luminance + 0.5 * colour);
            bytes.push((value * 255.0 + 0.5).clamp(0.0, 255.0) as u8);
        }
    }
    RgbImage::from_raw(side as u32, side as u32, bytes)
        .expect("three bytes were pushed for each of side × side pixels")
}

/// A linear fall of light in a random direction.
fn light(random: &mut Random, picture: &mut [Rgb], side: usize) {
    let direction = random.direction();
    let fall = random.range(0.0, 0.45);
    let level = random.range(0.88, 1.08);
    let pixel = 1.0 / side as f32;
    for (i, colour) in picture.iter_mut().enumerate() {
        let (u, v) = ((i % side) as f32 * pixel, (i / side) as f32 * pixel);
        let along = (u - 0.5) * direction.cos + (v - 0.5) * direction.sin;
        *colour = colour.map(|c| c * (level + fall * along));
    }
}

/// The binomial kernel 1 2 1 both ways, edges repeated.
fn blur(picture: &mut [Rgb], side: usize) {
    let soften = |before: Rgb, here: Rgb, after: Rgb| -> Rgb {
        std::array::from_fn(|c| 0.25 * before[c] + 0.5 * here[c] + 0.25 * after[c])
    };
    for row in picture.chunks_exact_mut(side) {
        let mut before = row[0];
        for x in 0..side {
            let here = row[x];
            row[x] = soften(before, here, row[(x + 1).min(side - 1)]);
            before = here;
        }
    }
    let mut above = picture[..side].to_vec();
    for y in 0..side {
        for x in 0..side {
            let here = picture[y * side + x];
            let below = picture[(y + 1).min(side - 1) * side + x];
            picture[y * side + x] = soften(above[x], here, below);
            above[x] = here;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blur_keeps_flat_pictures_and_spreads_a_point_over_nine_pixels() {
        let mut flat = vec![[0.25; 3]; 25];
        blur(&mut flat, 5);
        assert!(flat.iter().flatten().all(|c| *c == 0.25));
        let mut point = vec![[0.0; 3]; 25];
        point[12] = [1.0; 3];
        blur(&mut point, 5);
        assert_eq!(point[12][0], 0.25);
        assert_eq!(point[6][0], 0.0625);
        assert_eq!(point.iter().filter(|p| p[0] > 0.0).count(), 9);
    }
}
