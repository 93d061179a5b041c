//! Outputs of the golden network.

use burn::tensor::{Device, Tensor};
use frostline::model::Mode;
use frostline_tests::{golden_tensors, largest_difference};

use crate::network::golden_model;

/// Decoded boxes in pixels (the bound; single precision through 60 convolutions).
const DECODED_PX: f32 = 2e-3;
/// Raw logits.
const RAW: f32 = 2e-4;
/// Raw logits in training: batch statistics over as few as 8 values amplify rounding.
const RAW_TRAIN: f32 = 1e-3;

fn image(name: &str, device: &Device) -> Tensor<4> {
    let data = golden_tensors("model/inputs_u8.safetensors")
        .remove(name)
        .expect("input");
    Tensor::<4>::from_data(data.convert::<f32>(), device).div_scalar(255.0)
}

/// The largest difference of decoded boxes from the golden ones, in pixels.
fn decoded_difference(name: &str, predict: &mut dyn FnMut(Tensor<4>) -> Tensor<3>) -> f32 {
    let goldens = golden_tensors("model/outputs_nc3_full.safetensors");
    let rows = predict(image(name, &Device::flex()))
        .into_data()
        .try_to_vec::<f32>()
        .expect("floats");
    let wanted = goldens[&format!("{name}.decoded")]
        .try_to_vec::<f32>()
        .expect("floats");
    largest_difference(&rows, &wanted)
}

#[test]
fn decoded_boxes_agree_at_every_golden_size() {
    let mut model = golden_model(&Device::flex());
    for name in ["in64", "in96x160", "in320"] {
        let difference = decoded_difference(name, &mut |image| model.predict(image));
        assert!(difference < DECODED_PX, "{name}: {difference} px");
    }
}

#[test]
fn decoded_boxes_agree_with_batch_norms_folded_in() {
    let mut model = golden_model(&Device::flex()).fold();
    for name in ["in64", "in96x160", "in320"] {
        let difference = decoded_difference(name, &mut |image| model.predict(image));
        assert!(difference < DECODED_PX, "{name}: {difference} px");
    }
}

fn raw_difference(name: &str, key: &str, mode: Mode) -> f32 {
    let device = Device::flex();
    let mut model = golden_model(&device);
    let goldens = golden_tensors("model/outputs_nc3_full.safetensors");
    let heads = model.forward(image(name, &device), mode);
    let mut worst = 0.0f32;
    for (scale, head) in heads.into_iter().enumerate() {
        let [batch, channels, height, width] = head.dims();
        let head = head
            .reshape([batch, 3, channels / 3, height * width])
            .swap_dims(2, 3);
        let values = head.into_data().try_to_vec::<f32>().expect("floats");
        let wanted = goldens[&format!("{name}.{key}_p{}", scale + 3)]
            .try_to_vec::<f32>()
            .expect("floats");
        worst = worst.max(largest_difference(&values, &wanted));
    }
    worst
}

#[test]
fn raw_heads_agree_in_inference() {
    let difference = raw_difference("in96x160", "raw", Mode::Infer);
    assert!(difference < RAW, "{difference}");
}

#[test]
fn raw_heads_agree_in_training() {
    let difference = raw_difference("in64", "train_raw", Mode::Train);
    assert!(difference < RAW_TRAIN, "{difference}");
}

#[test]
fn a_network_cut_anywhere_gives_the_same_heads() {
    use frostline::model::Features;
    let device = Device::flex();
    let mut model = golden_model(&device);
    let whole = model.forward(image("in64", &device), Mode::Infer);
    for cut in 0..=25 {
        let features = model.run(0..cut, Features::image(image("in64", &device)), Mode::Infer);
        let heads = model.run(cut..25, features, Mode::Infer).heads;
        for (a, b) in heads.iter().zip(&whole) {
            assert_eq!(a.to_data(), b.to_data(), "cut before module {cut}");
        }
    }
}
