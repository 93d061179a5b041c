//! Kernels against their twins.

use frostline_shaders::{Misfit, check};

use crate::adapter::{open, wait};

/// Single precision in another order, and exponentials that may be approximations; the bound is 1e-3.
const ROUNDING: f64 = 1e-4;
/// A division may be 2.5 units in the last place off (WGSL's promise); bytes are 65000 apart.
const NORMALISED: f64 = 3e-7;

fn agree(found: Result<Vec<check::Agreement>, Misfit>, tolerance: f64) {
    let found = found.expect("a device that runs the kernel");
    assert!(!found.is_empty());
    for agreement in found {
        println!("{agreement:?}");
        assert!(agreement.worst <= tolerance, "{agreement:?}");
    }
}

#[test]
fn letterbox_equals_its_twin() {
    let Some((device, queue)) = open() else {
        return;
    };
    agree(wait(check::letterbox(&device, &queue)), NORMALISED);
}

#[test]
fn pixels_equal_their_twin() {
    let Some((device, queue)) = open() else {
        return;
    };
    agree(wait(check::pixels(&device, &queue)), NORMALISED);
}

#[test]
fn bn_silu_and_its_gradients_equal_their_twins() {
    let Some((device, queue)) = open() else {
        return;
    };
    agree(wait(check::bn_silu(&device, &queue)), ROUNDING);
}

#[test]
fn candidates_equal_their_twin() {
    let Some((device, queue)) = open() else {
        return;
    };
    agree(wait(check::candidates(&device, &queue)), ROUNDING);
}

#[test]
fn colours_equal_their_twin() {
    let Some((device, queue)) = open() else {
        return;
    };
    agree(wait(check::colour_map(&device, &queue)), 0.0);
}
