//! The letterbox kernel against its twin.

use frostline_shaders::Letterbox;

use crate::adapter::{dispatch, open};

/// A division may be 2.5 units in the last place off (WGSL's promise); bytes are 65000 apart.
const NORMALISED: f32 = 3e-7;

/// Noise, the same on every machine.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 24) as u8
    };
    (0..bytes).map(|_| next()).collect()
}

#[test]
fn the_kernel_equals_its_twin() {
    let Some(gpu) = open() else { return };
    // Shrinking, growing, halving, copying, a sliver, and a picture that leaves a workgroup half empty.
    for (source, resized, before, out) in [
        ([100, 60], [64, 38], [0, 13], [64, 64]),
        ([13, 20], [42, 64], [11, 0], [64, 64]),
        ([128, 128], [64, 64], [0, 0], [64, 64]),
        ([64, 64], [64, 64], [0, 0], [64, 64]),
        ([3000, 1], [96, 1], [0, 31], [96, 64]),
        ([37, 51], [29, 40], [3, 5], [33, 47]),
    ] {
        let letterbox = Letterbox::new(source, resized, before, out)
            .expect("sizes that fit")
            .at(1);
        let rgba = noise(letterbox.picture_bytes());
        let untouched = vec![-1.0; 2 * letterbox.picture_values()];
        let mut wanted = untouched.clone();
        letterbox.run(&rgba, &mut wanted).expect("buffers that fit");
        let inputs: [&[u8]; 3] = [&letterbox.uniforms(), &rgba, &letterbox.taps()];
        let found = dispatch(
            &gpu,
            &Letterbox::KERNEL,
            &inputs,
            &untouched,
            letterbox.workgroups(),
        );
        assert_eq!(found.len(), wanted.len());
        for (at, (a, b)) in found.iter().zip(&wanted).enumerate() {
            assert!(
                (a - b).abs() <= NORMALISED,
                "{source:?} to {resized:?} in {out:?}, value {at}: {a} {b}"
            );
        }
        assert_ne!(wanted, untouched);
    }
}
