//! The letterbox kernel against the library's own letterbox.

use frostline::data::letterbox::{Letterbox, LetterboxOptions};
use frostline_shaders::Letterbox as Kernel;
use image::RgbImage;

/// The kernel must equal its twin (checked beside it), and its twin the library: bit for bit.
#[test]
fn the_kernels_twin_equals_the_letterbox_of_the_library() {
    for (size, side) in [
        ([100, 60], 64),
        ([13, 20], 64),
        ([128, 128], 64),
        ([64, 48], 64),
        ([1000, 3], 96),
        ([37, 51], 32),
    ] {
        let options = LetterboxOptions {
            auto: false,
            ..LetterboxOptions::default()
        };
        let placed = Letterbox::new(size, [side, side], options);
        let picture = RgbImage::from_fn(size[0] as u32, size[1] as u32, |x, y| {
            image::Rgb(
                [
                    x.wrapping_mul(37) ^ y.wrapping_mul(101),
                    x * y,
                    x.wrapping_mul(x) + 7 * y,
                ]
                .map(|value| value as u8),
            )
        });
        let wanted: Vec<u8> = placed.apply(&picture).into_raw();

        let words = |pair: [usize; 2]| pair.map(|value| value as u32);
        let kernel = Kernel::new(
            words(size),
            words(placed.resized),
            words(placed.before),
            [side as u32; 2],
        )
        .expect("sizes that fit");
        let rgba: Vec<u8> = picture
            .pixels()
            .flat_map(|pixel| [pixel[0], pixel[1], pixel[2], 9])
            .collect();
        let mut planes = vec![-1.0; kernel.picture_values()];
        kernel.run(&rgba, &mut planes).expect("buffers that fit");
        for (pixel, rgb) in wanted.chunks_exact(3).enumerate() {
            for (channel, byte) in rgb.iter().enumerate() {
                let found = planes[channel * side * side + pixel];
                assert_eq!(
                    found.to_bits(),
                    (f32::from(*byte) / 255.0).to_bits(),
                    "{size:?}: pixel {pixel}, channel {channel}"
                );
            }
        }
    }
}
