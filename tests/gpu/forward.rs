//! Inference.

use burn::tensor::Tensor;
use frostline_tests::{golden_tensors, largest_difference};

use crate::adapter;
use crate::network::golden_model;

/// Decoded boxes in pixels: the bound for a GPU, whose exponentials may be approximations.
const DECODED_PX: f32 = 2e-2;

#[test]
fn decoded_boxes_agree_with_the_golden_ones() {
    let Some(adapter) = adapter::open() else {
        return;
    };
    let data = golden_tensors("model/inputs_u8.safetensors")
        .remove("in64")
        .expect("input");
    let image = Tensor::<4>::from_data(data.convert::<f32>(), &adapter.device).div_scalar(255.0);
    let rows = golden_model(&adapter.device)
        .predict(image)
        .into_data()
        .try_to_vec::<f32>()
        .expect("floats");
    let wanted = golden_tensors("model/outputs_nc3_full.safetensors")["in64.decoded"]
        .try_to_vec::<f32>()
        .expect("floats");
    let difference = largest_difference(&rows, &wanted);
    println!("decoded boxes: {difference:e} px");
    assert!(difference < DECODED_PX, "{difference} px");
}
