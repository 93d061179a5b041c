//! The library's own operations on a GPU against the same ones on the CPU.

use burn::tensor::{Device, Tensor, TensorData, read_sync};
use frostline::eval::{NmsOptions, detect, detect_rgba};
use frostline::ops;
use frostline_shaders::Letterbox;
use frostline_tests::largest_difference;
use image::RgbImage;

use crate::adapter;
use crate::network::golden_model;

/// Single precision in another order; the bound is 1e-3.
const ROUNDING: f32 = 1e-4;
/// A division may be 2.5 units in the last place off (WGSL's promise).
const NORMALISED: f32 = 3e-7;
/// Places in pixels: the bound for a GPU, whose exponentials may be approximations.
const PLACE_PX: f32 = 2e-2;
const EPSILON: f64 = 1e-3;

/// Numbers in `-2..2` that look random.
fn noise<const D: usize>(seed: u64, shape: [usize; D], device: &Device) -> Tensor<D> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let values: Vec<f32> = (0..shape.iter().product())
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 * (4.0 / 16_777_216.0) - 2.0
        })
        .collect();
    Tensor::from_data(TensorData::new(values, shape), device)
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
    let x = noise(1, shape, &device).add_scalar(10.0).require_grad();
    let (mut weight, mut bias) = (noise(2, channels, &device), noise(3, channels, &device));
    if norm_trains {
        (weight, bias) = (weight.require_grad(), bias.require_grad());
    } else {
        (weight, bias) = (weight.without_autodiff(), bias.without_autodiff());
    }
    let mut found = Vec::new();
    let y = if constant {
        let mean = noise(4, channels, &device)
            .add_scalar(10.0)
            .without_autodiff();
        let variance = noise(5, channels, &device).abs().without_autodiff();
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
    for shape in [[2, 16, 12, 12], [1, 80, 5, 7], [3, 8, 1, 1], [2, 6, 4, 4]] {
        for (constant, norm_trains) in [(false, true), (true, true), (true, false)] {
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

/// A picture with something in every corner.
fn picture(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        image::Rgb([x * 7 ^ y * 3, x * y, x * x + 5 * y].map(|value| value as u8))
    })
}

fn rgba(image: &RgbImage) -> Vec<u8> {
    let pixels = image.pixels();
    pixels
        .flat_map(|pixel| [pixel[0], pixel[1], pixel[2], 255])
        .collect()
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
    let rgba = rgba(&picture(50, 30));
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

/// The seeded network is sure of nothing, so that any threshold that lets some boxes through lets many through.
#[test]
fn detections_are_those_of_the_cpu() {
    let Some(adapter) = adapter::open() else {
        return;
    };
    let image = picture(90, 60);
    let mut gpu = golden_model(&adapter.device);
    let mut cpu = golden_model(&Device::flex());
    let mut some = 0;
    for (conf, classes) in [
        (0.02, None),
        (0.02, Some(vec![0, 2])),
        (0.0, None),
        (0.9, None),
    ] {
        let options = NmsOptions {
            conf,
            classes,
            ..NmsOptions::default()
        };
        let run = |model, device| {
            read_sync(detect(
                model,
                &image,
                "picture".as_ref(),
                64,
                &options,
                false,
                device,
            ))
            .expect("detections")
            .0
        };
        let found = run(&mut gpu, &adapter.device);
        let wanted = run(&mut cpu, &Device::flex());
        assert_eq!(found.len(), wanted.len(), "{options:?}");
        some += found.len();
        for (found, wanted) in found.iter().zip(&wanted) {
            assert_eq!(found.class, wanted.class);
            assert!((found.confidence - wanted.confidence).abs() < ROUNDING);
            assert!(largest_difference(&found.xyxy, &wanted.xyxy) < PLACE_PX);
        }
        let size = [90, 60];
        let frame = read_sync(detect_rgba(
            &mut gpu,
            &rgba(&image),
            size,
            64,
            &options,
            false,
            &adapter.device,
        ))
        .expect("detections");
        assert_eq!(frame.len(), found.len());
        for (frame, found) in frame.iter().zip(&found) {
            assert!(largest_difference(&frame.xyxy, &found.xyxy) < PLACE_PX);
        }
    }
    assert!(some > 0, "nothing was compared");
    let options = NmsOptions::default();
    let device = &adapter.device;
    let short = detect_rgba(&mut gpu, &[0; 7], [90, 60], 64, &options, false, device);
    let message = read_sync(short).expect_err("too few bytes").to_string();
    assert!(message.contains("7 bytes"), "{message}");
}
