//! Feature planes to pictures.

use crate::{Kernel, Misfit};

/// Planes at most: a dimension of a dispatch.
const PLANES: usize = 65_535;
/// Values at most, so that every index of the kernel stays within 32 bits.
const VALUES: usize = 1 << 30;

/// Activations `[planes, size]` to opaque RGBA pixels, every plane between its own least and greatest
/// value. The colours rise evenly in OKLab lightness from night blue to white, so that equal steps of
/// activation look equal, and a print without colours still shows them.
///
/// Bindings of group 0:
///
/// | binding | kind | content |
/// |---|---|---|
/// | 0 | storage | the planes, single precision |
/// | 1 | storage | the pixels, one a word, red in the lowest byte |
/// | 2 | uniform | [`ColourMap::uniforms`] |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColourMap {
    planes: u32,
    size: u32,
}

impl ColourMap {
    /// The kernel.
    pub const KERNEL: Kernel = Kernel {
        name: "colour_map",
        wgsl: include_str!("colour_map.wgsl"),
        entry: "main",
        workgroup: [256, 1, 1],
    };

    /// For `planes` of `size` values each.
    ///
    /// # Errors
    /// When there is nothing, or too much.
    pub fn new(planes: usize, size: usize) -> Result<Self, Misfit> {
        let values = planes.saturating_mul(size);
        if values == 0 || values > VALUES || planes > PLANES {
            return Err(Misfit {
                kernel: Self::KERNEL.name,
                found: format!("{planes} planes of {size} values"),
                expected: "up to 65535 planes and 2^30 values",
            });
        }
        Ok(Self {
            planes: planes as u32,
            size: size as u32,
        })
    }

    /// Values of all planes.
    pub fn values(&self) -> usize {
        self.planes as usize * self.size as usize
    }

    /// Content of the uniform.
    pub fn uniforms(&self) -> [u32; 1] {
        [self.size]
    }

    /// How many workgroups to dispatch.
    pub fn workgroups(&self) -> [u32; 3] {
        [self.planes, 1, 1]
    }

    /// The kernel's twin on the CPU: one pixel a word.
    ///
    /// # Panics
    /// When there are not as many values as the sizes say.
    pub fn run(&self, planes: &[f32]) -> Vec<u32> {
        assert_eq!(planes.len(), self.values(), "planes");
        planes
            .chunks_exact(self.size as usize)
            .flat_map(|plane| {
                let low = plane.iter().copied().fold(f32::INFINITY, f32::min);
                let range = plane.iter().copied().fold(f32::NEG_INFINITY, f32::max) - low;
                plane.iter().map(move |value| {
                    let t = if range > 0.0 {
                        (value - low) / range
                    } else {
                        0.0
                    };
                    u32::from_le_bytes(frost(t.clamp(0.0, 1.0)))
                })
            })
            .collect()
    }
}

/// The colour of `t` in `0..=1`, RGBA: from OKLab (Ottosson, "A perceptual color space for image
/// processing", 2020) to sRGB.
pub fn frost(t: f32) -> [u8; 4] {
    let (light, a, b) = oklab(t);
    let lms = [
        light + 0.396_337_78 * a + 0.215_803_76 * b,
        light - 0.105_561_346 * a - 0.063_854_17 * b,
        light - 0.089_484_18 * a - 1.291_485_5 * b,
    ]
    .map(|root| root * root * root);
    let transfer = |row: [f32; 3]| {
        let linear: f32 = row.iter().zip(lms).map(|(weight, lms)| weight * lms).sum();
        let value = linear.clamp(0.0, 1.0);
        let curved = if value <= 0.003_130_8 {
            12.92 * value
        } else {
            1.055 * value.powf(1.0 / 2.4) - 0.055
        };
        (255.0 * curved + 0.5) as u8
    };
    [
        transfer([4.076_741_7, -3.307_711_6, 0.230_969_93]),
        transfer([-1.268_438, 2.609_757_4, -0.341_319_4]),
        transfer([-0.004_196_086, -0.703_418_6, 1.707_614_7]),
        255,
    ]
}

/// Lightness and the two colour axes of `t`.
fn oklab(t: f32) -> (f32, f32, f32) {
    (
        0.16 + 0.82 * t,
        (1.0 - t) * (0.02 - 0.17 * t),
        (t - 1.0) * (0.07 + 0.3 * t),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_colours_rise_in_lightness_from_night_to_frost() {
        let luma = |t: f32| {
            let [r, g, b, _] = frost(t).map(f32::from);
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        for step in 0..64_u8 {
            let t = f32::from(step) / 64.0;
            assert!(luma(t) < luma(t + 1.0 / 64.0), "{t}");
        }
        assert_eq!(frost(0.0), [13, 5, 42, 255]);
        assert_eq!(frost(1.0), [248, 248, 248, 255]);
    }

    #[test]
    fn a_plane_spans_the_scale_and_a_plane_of_one_value_is_dark() {
        let map = ColourMap::new(2, 3).expect("sizes");
        let found = map.run(&[-1.0, 0.0, 3.0, 7.0, 7.0, 7.0]);
        let wanted = [0.0, 0.25, 1.0, 0.0, 0.0, 0.0].map(|t| u32::from_le_bytes(frost(t)));
        assert_eq!(found, wanted);
    }

    #[test]
    fn sizes_that_the_kernel_cannot_take_are_refused() {
        for (planes, size) in [(0, 1), (1, 0), (70_000, 1), (2, 1 << 30)] {
            assert!(ColourMap::new(planes, size).is_err(), "{planes} {size}");
        }
    }
}
