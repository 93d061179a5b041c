//! Bytes of a batch to the network's input.

use crate::{Kernel, Misfit};

/// Pictures of a batch at most: a dimension of a dispatch.
const PICTURES: usize = 65_535;
/// Pixels of a batch at most, so that every index of the kernel stays within 32 bits.
const PIXELS: usize = 1 << 30;

/// Bytes `[B, 3, H, W]` to `0..=1` in single precision, `[B, H, W, 3]`.
///
/// A batch travels to the GPU as bytes, a quarter of what floats take, and arrives in the order that the
/// first convolution reads. Bindings of group 0:
///
/// | binding | kind | content |
/// |---|---|---|
/// | 0 | storage | the bytes, four a word |
/// | 1 | storage | the input |
/// | 2 | uniform | [`Pixels::uniforms`] |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pixels {
    pictures: u32,
    fours: u32,
}

impl Pixels {
    /// The kernel.
    pub const KERNEL: Kernel = Kernel {
        name: "pixels",
        wgsl: include_str!("pixels.wgsl"),
        entry: "main",
        workgroup: [256, 1, 1],
    };

    /// For `pictures` of `size` pixels each, `[w, h]`.
    ///
    /// # Errors
    /// When there is nothing, too much, or the pixels of a picture do not come in fours.
    pub fn new(pictures: usize, size: [usize; 2]) -> Result<Self, Misfit> {
        let area = size[0].saturating_mul(size[1]);
        let all = area.saturating_mul(pictures);
        if all == 0 || all > PIXELS || pictures > PICTURES || !area.is_multiple_of(4) {
            return Err(Misfit {
                kernel: Self::KERNEL.name,
                found: format!("{pictures} pictures of {} x {} pixels", size[0], size[1]),
                expected: "pixels in fours, and up to 2^30 of them in up to 65535 pictures",
            });
        }
        Ok(Self {
            pictures: pictures as u32,
            fours: (area / 4) as u32,
        })
    }

    /// Values of the input, and bytes of the batch.
    pub fn values(&self) -> usize {
        12 * self.pictures as usize * self.fours as usize
    }

    /// Content of the uniform.
    pub fn uniforms(&self) -> [u32; 1] {
        [self.fours]
    }

    /// How many workgroups to dispatch.
    pub fn workgroups(&self) -> [u32; 3] {
        Self::KERNEL.workgroups([self.fours, self.pictures, 1])
    }

    /// The kernel's twin on the CPU.
    ///
    /// # Panics
    /// When there are not as many bytes as the sizes say.
    pub fn run(&self, bytes: &[u8]) -> Vec<f32> {
        assert_eq!(bytes.len(), self.values(), "bytes");
        let plane = 4 * self.fours as usize;
        bytes
            .chunks_exact(3 * plane)
            .flat_map(|picture| {
                (0..plane).flat_map(move |pixel| {
                    [0, 1, 2].map(|channel| f32::from(picture[channel * plane + pixel]) / 255.0)
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_the_kernel_cannot_take_are_refused() {
        assert!(Pixels::new(2, [32, 32]).is_ok());
        for (pictures, size) in [
            (0, [4, 4]),
            (1, [3, 3]),
            (70_000, [4, 4]),
            (2, [1 << 15; 2]),
        ] {
            assert!(Pixels::new(pictures, size).is_err(), "{pictures} {size:?}");
        }
    }

    #[test]
    fn the_twin_puts_the_channels_of_a_pixel_side_by_side() {
        let bytes = [255, 0, 51, 0, 0, 255, 0, 0, 102, 0, 0, 255];
        let found = Pixels::new(1, [2, 2]).expect("sizes").run(&bytes);
        let wanted = [1.0, 0.0, 0.4, 0.0, 1.0, 0.0, 0.2, 0.0, 0.0, 0.0, 0.0, 1.0];
        assert_eq!(found, wanted);
    }
}
