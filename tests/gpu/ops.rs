//! The library's own operations on a GPU against the same ones on the CPU.

use burn::tensor::{Device, Tensor, TensorData, read_sync};
use frostline::eval::{NmsOptions, from_heads};
use frostline::model::{Architecture, Size, Yolov5};
use frostline::ops;
use frostline_shaders::Letterbox;
use frostline_tests::largest_difference;

use crate::adapter;

/// Single precision in another order; the bound is 1e-3.
const ROUNDING: f32 = 1e-4;
/// A division may be 2.5 units in the last place off (WGSL's promise).
const NORMALISED: f32 = 3e-7;
/// Places in pixels: the bound for a GPU, whose exponentials may be approximations.
const PLACE_PX: f32 = 2e-2;
const EPSILON: f64 = 1e-3;

/// Numbers in `-2..2` around `middle` that look random, made on the host: every operation on a software
/// adapter is a shader to compile.
fn around<const D: usize>(middle: f32, seed: u64, shape: [usize; D], device: &Device) -> Tensor<D> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let values: Vec<f32> = (0..shape.iter().product())
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            middle + (state >> 40) as f32 * (4.0 / 16_777_216.0) - 2.0
        })
        .collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn noise<const D: usize>(seed: u64, shape: [usize; D], device: &Device) -> Tensor<D> {
    around(0.0, seed, shape, device)
}

fn flat<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().expect("floats")
}

/// Output, mean and variance, and the gradients of those that train.
fn bn_silu(
    shape: [usize; 4],
    constant: bool,
    norm_trains: bool,
    device: &Device,
) -> Vec<(&'static str, Vec<f32>)> {
    let device = device.clone().autodiff();
    let channels = [shape[1]];
    let x = around(10.0, 1, shape, &device).require_grad();
    let (mut weight, mut bias) = (noise(2, channels, &device), noise(3, channels, &device));
    if norm_trains {
        (weight, bias) = (weight.require_grad(), bias.require_grad());
    } else {
        (weight, bias) = (weight.without_autodiff(), bias.without_autodiff());
    }
    let mut found = Vec::new();
    let y = if constant {
        let mean = around(10.0, 4, channels, &device).without_autodiff();
        let variance = around(3.0, 5, channels, &device).without_autodiff();
        ops::bn_silu_fixed(
            x.clone(),
            weight.clone(),
            bias.clone(),
            mean,
            variance,
            EPSILON,
        )
    } else {
        let (y, mean, variance) =
            ops::bn_silu_train(x.clone(), weight.clone(), bias.clone(), EPSILON);
        assert!(!mean.is_autodiff() && !variance.is_autodiff());
        found.extend([("mean", flat(mean)), ("variance", flat(variance))]);
        y
    };
    found.push(("output", flat(y.clone())));
    let pull = noise(6, shape, &device);
    let mut gradients = (y * pull).sum().backward();
    found.push((
        "x",
        flat(x.grad_remove(&mut gradients).expect("a gradient")),
    ));
    for (name, parameter) in [("weight", weight), ("bias", bias)] {
        if norm_trains {
            let gradient = parameter.grad_remove(&mut gradients).expect("a gradient");
            found.push((name, flat(gradient)));
        }
    }
    found
}

#[test]
fn bn_silu_and_its_gradients_agree_with_the_cpu() {
    let Some(adapter) = adapter::open() else {
        return;
    };
    // The last has channels that the kernels do not take.
    for (shape, constant, norm_trains) in [
        ([2, 80, 5, 7], false, true),
        ([2, 80, 5, 7], true, true),
        ([2, 80, 5, 7], true, false),
        ([2, 6, 4, 4], false, true),
    ] {
        let found = bn_silu(shape, constant, norm_trains, &adapter.device);
        let wanted = bn_silu(shape, constant, norm_trains, &Device::flex());
        assert_eq!(found.len(), wanted.len());
        for ((name, found), (_, wanted)) in found.iter().zip(&wanted) {
            let scale = wanted
                .iter()
                .fold(1e-2f32, |scale, value| scale.max(value.abs()));
            let difference = largest_difference(found, wanted) / scale;
            assert!(
                difference < ROUNDING,
                "{name} of {shape:?}, constant {constant}, norm trains {norm_trains}: {difference:e}"
            );
        }
    }
}

#[test]
fn a_frozen_norm_and_a_plain_input_get_no_gradient() {
    let Some(adapter) = adapter::open() else {
        return;
    };
    let plain = &adapter.device;
    let (weight, bias) = (noise(1, [4], plain), noise(2, [4], plain));
    let x = noise(3, [2, 4, 3, 3], plain);
    let (y, ..) = ops::bn_silu_train(x.clone(), weight.clone(), bias.clone(), EPSILON);
    assert!(!y.is_autodiff());
    let trained = bias.clone().autodiff().require_grad();
    let (y, ..) = ops::bn_silu_train(x.clone(), weight.clone(), trained.clone(), EPSILON);
    assert!(trained.grad_remove(&mut y.sum().backward()).is_some());
    let input = x.autodiff().require_grad();
    let (y, ..) = ops::bn_silu_train(input.clone(), weight, bias, EPSILON);
    assert!(input.grad_remove(&mut y.sum().backward()).is_some());
}

#[test]
fn pictures_arrive_as_on_the_cpu() {
    let Some(adapter) = adapter::open() else {
        return;
    };
    // The last is no multiple of four.
    for shape in [[2, 3, 32, 64], [1, 3, 5, 5]] {
        let bytes: Vec<u8> = (0..shape.iter().product::<usize>())
            .map(|i| (i * i % 251) as u8)
            .collect();
        let found = ops::image(&bytes, shape, &adapter.device);
        assert_eq!(found.dims(), shape);
        let wanted = ops::image(&bytes, shape, &Device::flex());
        assert!(largest_difference(&flat(found), &flat(wanted)) <= NORMALISED);
    }
    let rgba: Vec<u8> = (0..4 * 50 * 30)
        .map(|i: usize| (i * i % 253) as u8)
        .collect();
    let plan = Letterbox::new([50, 30], [64, 38], [0, 13], [64, 64]).expect("sizes");
    let found = ops::letterbox(&rgba, plan, &adapter.device).expect("a picture");
    assert_eq!(found.dims(), [1, 3, 64, 64]);
    let wanted = ops::letterbox(&rgba, plan, &Device::flex()).expect("a picture");
    assert!(largest_difference(&flat(found), &flat(wanted)) <= NORMALISED);
}

#[test]
fn activations_are_coloured_as_on_the_cpu() {
    let Some(adapter) = adapter::open() else {
        return;
    };
    let colours = |device: &Device| {
        read_sync(ops::colour_map(noise(7, [3, 9, 11], device))).expect("colours")
    };
    let (found, wanted) = (colours(&adapter.device), colours(&Device::flex()));
    assert_eq!(found.len(), 4 * 3 * 9 * 11);
    for (found, wanted) in found.iter().zip(&wanted) {
        assert!(found.abs_diff(*wanted) <= 1, "{found} {wanted}");
    }
}

/// Heads as the convolutions of a network leave them, channels last in memory, with some sure boxes.
fn heads(sides: [usize; 3], device: &Device) -> Vec<Tensor<4>> {
    let seeds = [8, 9, 10].into_iter();
    seeds
        .zip(sides)
        .map(|(seed, side)| noise(seed, [1, side, side, 3 * (5 + 3)], device).mul_scalar(2.0))
        .map(|head| head.permute([0, 3, 1, 2]))
        .collect()
}

#[test]
fn detections_are_those_of_the_cpu() {
    let Some(adapter) = adapter::open() else {
        return;
    };
    let cpu = Device::flex();
    let model = Yolov5::new(Architecture::yolov5(Size::N, 3), 0, &cpu).fold();
    for (sides, conf, classes) in [
        ([8, 4, 2], 0.5, None),
        ([8, 4, 2], 0.5, Some(vec![0, 2])),
        ([8, 4, 2], 0.99, None),
        // More boxes than there is room for: all rows are read.
        ([32, 16, 8], 0.0, None),
    ] {
        let options = NmsOptions {
            conf,
            classes,
            ..NmsOptions::default()
        };
        let run = |device| {
            read_sync(from_heads(&model, heads(sides, device), &options)).expect("detections")
        };
        let (found, wanted) = (run(&adapter.device), run(&cpu));
        assert_eq!(found.len(), wanted.len(), "{options:?}");
        assert_eq!(found.is_empty(), conf == 0.99, "{options:?}");
        for (found, wanted) in found.iter().zip(&wanted) {
            assert_eq!(found.class, wanted.class);
            assert!((found.confidence - wanted.confidence).abs() < ROUNDING);
            assert!(largest_difference(&found.xyxy, &wanted.xyxy) < PLACE_PX);
        }
    }
}
