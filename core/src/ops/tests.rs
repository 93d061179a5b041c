//! The kernels against Burn's own operations on the same device.

use burn::tensor::{Device, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::pixels::unit_range;
use super::*;

/// Both sides sum in f32 in different orders.
const TOLERANCE: f32 = 2e-5;
const EPSILON: f64 = 1e-3;

fn random<const D: usize>(shape: [usize; D], rng: &mut ChaCha8Rng, device: &Device) -> Tensor<D> {
    let values: Vec<f32> = (0..shape.iter().product())
        .map(|_| rng.random_range(-2.0..2.0))
        .collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn flat<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().expect("f32")
}

/// Largest difference, relative to the largest value.
fn assert_close(what: &str, got: Vec<f32>, want: Vec<f32>) {
    assert_eq!(got.len(), want.len(), "{what}");
    let scale = want.iter().fold(1e-2f32, |a, v| a.max(v.abs()));
    let worst = got
        .iter()
        .zip(&want)
        .fold(0f32, |a, (g, w)| a.max((g - w).abs()));
    assert!(worst <= TOLERANCE * scale, "{what}: {worst:e} of {scale}");
}

const SHAPES: [[usize; 4]; 6] = [
    [1, 3, 5, 7],
    [2, 1, 3, 1],
    [4, 16, 20, 20],
    [3, 5, 33, 41],
    [16, 64, 5, 5],
    [2, 8, 40, 64],
];

#[test]
fn bn_silu_matches_the_composed_operations_forward_and_backward() {
    let device = Device::flex().autodiff();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for shape in SHAPES {
        let channels = [shape[1]];
        // Ten times from zero, so that the statistics have something to lose.
        let x = random(shape, &mut rng, &device)
            .add_scalar(10.0)
            .require_grad();
        let weight = random(channels, &mut rng, &device).require_grad();
        let bias = random(channels, &mut rng, &device).require_grad();
        let mean = random(channels, &mut rng, &device)
            .add_scalar(10.0)
            .without_autodiff();
        let variance = random(channels, &mut rng, &device).abs().without_autodiff();
        let pull = random(shape, &mut rng, &device);
        for fixed in [false, true] {
            let (ours, theirs) = if fixed {
                let ours = bn_silu_fixed(
                    x.clone(),
                    weight.clone(),
                    bias.clone(),
                    mean.clone(),
                    variance.clone(),
                    EPSILON,
                );
                let theirs = batch_norm(
                    x.clone(),
                    weight.clone(),
                    bias.clone(),
                    mean.clone(),
                    variance.clone(),
                    EPSILON,
                );
                (ours, activation::silu(theirs))
            } else {
                let (ours, mean, variance) =
                    bn_silu_train(x.clone(), weight.clone(), bias.clone(), EPSILON);
                let theirs = batch_norm_train(x.clone(), weight.clone(), bias.clone(), EPSILON);
                assert!(!mean.is_autodiff() && !variance.is_autodiff());
                assert_close("mean", flat(mean), flat(theirs.mean));
                assert_close("variance", flat(variance), flat(theirs.variance));
                (ours, activation::silu(theirs.output))
            };
            assert_close("output", flat(ours.clone()), flat(theirs.clone()));
            let (mut ours, mut theirs) = (
                (ours * pull.clone()).sum().backward(),
                (theirs * pull.clone()).sum().backward(),
            );
            let case = format!("{shape:?} fixed {fixed}");
            assert_close(
                &format!("x {case}"),
                flat(x.grad_remove(&mut ours).expect("x")),
                flat(x.grad_remove(&mut theirs).expect("x")),
            );
            assert_close(
                &format!("weight {case}"),
                flat(weight.grad_remove(&mut ours).expect("weight")),
                flat(weight.grad_remove(&mut theirs).expect("weight")),
            );
            assert_close(
                &format!("bias {case}"),
                flat(bias.grad_remove(&mut ours).expect("bias")),
                flat(bias.grad_remove(&mut theirs).expect("bias")),
            );
        }
    }
}

#[test]
fn bn_silu_backward_matches_finite_differences() {
    let device = Device::flex().autodiff();
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let shape = [2, 2, 3, 3];
    let values = flat(random(shape, &mut rng, &device));
    let weight = random([2], &mut rng, &device);
    let bias = random([2], &mut rng, &device);
    let pull = random(shape, &mut rng, &device);
    let loss = |values: &[f32]| {
        let x =
            Tensor::<4>::from_data(TensorData::new(values.to_vec(), shape), &device).require_grad();
        let (y, ..) = bn_silu_train(x.clone(), weight.clone(), bias.clone(), EPSILON);
        (x, (y * pull.clone()).sum())
    };
    let (x, total) = loss(&values);
    let gradient = flat(x.grad_remove(&mut total.backward()).expect("x"));
    let step = 1e-2;
    for i in 0..values.len() {
        let at = |delta: f32| {
            let mut moved = values.clone();
            moved[i] += delta;
            flat(loss(&moved).1)[0]
        };
        let want = (at(step) - at(-step)) / (2.0 * step);
        assert!(
            (gradient[i] - want).abs() < 5e-3 * (1.0 + want.abs()),
            "{i}: {} {want}",
            gradient[i]
        );
    }
}

#[test]
fn frozen_norms_and_inputs_get_no_gradient_and_plain_tensors_stay_plain() {
    let plain = Device::flex();
    let recorded = plain.clone().autodiff();
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let (weight, bias) = (random([4], &mut rng, &plain), random([4], &mut rng, &plain));
    let x = random([2, 4, 6, 6], &mut rng, &plain);
    let (y, ..) = bn_silu_train(x.clone(), weight.clone(), bias.clone(), EPSILON);
    assert!(!y.is_autodiff());

    let trained = bias.clone().autodiff().require_grad();
    let (y, ..) = bn_silu_train(x, weight.clone(), trained.clone(), EPSILON);
    assert!(trained.grad_remove(&mut y.sum().backward()).is_some());

    let x = random([2, 4, 6, 6], &mut rng, &recorded).require_grad();
    let (y, ..) = bn_silu_train(x.clone(), weight, bias, EPSILON);
    assert!(x.grad_remove(&mut y.sum().backward()).is_some());
}

/// A gradient that two operations share, and one that is a part of a larger one.
#[test]
fn a_norm_reads_gradients_that_it_may_not_overwrite() {
    let device = Device::flex().autodiff();
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let shape = [2, 3, 5, 7];
    let x = random(shape, &mut rng, &device).require_grad();
    let weight = random([3], &mut rng, &device).require_grad();
    let bias = random([3], &mut rng, &device).require_grad();
    let pull = random([2, 9, 5, 7], &mut rng, &device);
    let gradients = |fused: bool| {
        let norm = || {
            if fused {
                bn_silu_train(x.clone(), weight.clone(), bias.clone(), EPSILON).0
            } else {
                let out = batch_norm_train(x.clone(), weight.clone(), bias.clone(), EPSILON);
                activation::silu(out.output)
            }
        };
        let (a, b) = (norm(), norm());
        let all = Tensor::cat(vec![x.clone(), a + b, norm()], 1);
        let mut gradients = (all * pull.clone()).sum().backward();
        [
            flat(x.grad_remove(&mut gradients).expect("x")),
            flat(weight.grad_remove(&mut gradients).expect("weight")),
            flat(bias.grad_remove(&mut gradients).expect("bias")),
        ]
    };
    for (ours, theirs) in gradients(true).into_iter().zip(gradients(false)) {
        assert_close("gradient", ours, theirs);
    }
}

#[test]
fn a_fixed_norm_passes_the_same_gradient_whether_its_parameters_learn_or_not() {
    let device = Device::flex().autodiff();
    let mut rng = ChaCha8Rng::seed_from_u64(10);
    let x = random([2, 3, 9, 9], &mut rng, &device).require_grad();
    let mut plain = || random([3], &mut rng, &device).without_autodiff();
    let (weight, bias, mean, variance) = (plain(), plain(), plain(), plain().abs());
    let gradient = |weight: Tensor<1>, bias: Tensor<1>| {
        let y = bn_silu_fixed(
            x.clone(),
            weight,
            bias,
            mean.clone(),
            variance.clone(),
            EPSILON,
        );
        flat(x.grad_remove(&mut y.sum().backward()).expect("x"))
    };
    let learns = |x: &Tensor<1>| x.clone().autodiff().require_grad();
    let still = gradient(weight.clone(), bias.clone());
    assert_eq!(still, gradient(learns(&weight), learns(&bias)));
}

#[test]
fn results_repeat_bit_by_bit() {
    let device = Device::flex();
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let x = random([8, 32, 40, 40], &mut rng, &device);
    let (weight, bias) = (
        random([32], &mut rng, &device),
        random([32], &mut rng, &device),
    );
    let once = || flat(bn_silu_train(x.clone(), weight.clone(), bias.clone(), EPSILON).0);
    let first = once();
    for _ in 0..5 {
        assert_eq!(first, once());
    }
}

/// Input `[B, C_in, H, W]`, output channels, kernel, stride, padding.
const CONVOLUTIONS: [([usize; 4], usize, usize, usize, usize); 20] = [
    ([1, 1, 1, 1], 1, 1, 1, 0),
    ([2, 3, 7, 9], 5, 1, 1, 0),
    ([1, 16, 20, 20], 16, 1, 1, 0),
    ([2, 3, 5, 5], 4, 3, 1, 1),
    ([1, 4, 3, 11], 6, 3, 1, 1),
    ([3, 8, 17, 6], 3, 3, 1, 1),
    ([2, 4, 9, 9], 4, 3, 1, 0),
    ([2, 3, 6, 8], 2, 3, 1, 2),
    ([2, 4, 8, 8], 8, 3, 2, 1),
    ([3, 5, 9, 13], 6, 3, 2, 1),
    ([1, 2, 3, 3], 3, 3, 2, 1),
    ([2, 3, 32, 40], 7, 6, 2, 2),
    ([1, 3, 13, 11], 4, 6, 2, 2),
    ([2, 2, 10, 10], 2, 2, 3, 0),
    ([2, 2, 11, 8], 3, 5, 3, 2),
    ([40, 8, 4, 4], 9, 3, 1, 1),
    ([2, 64, 72, 70], 12, 3, 2, 1),
    ([9, 12, 4, 6], 8, 1, 1, 0),
    ([8, 5, 8, 8], 6, 1, 1, 0),
    ([8, 256, 16, 32], 8, 1, 1, 0),
];

#[test]
fn convolution_matches_burns_own_forward_and_backward() {
    let device = Device::flex().autodiff();
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    for (shape, c_out, kernel, stride, padding) in CONVOLUTIONS {
        let x = random(shape, &mut rng, &device).require_grad();
        let weight = random([c_out, shape[1], kernel, kernel], &mut rng, &device).require_grad();
        let bias = random([c_out], &mut rng, &device).require_grad();
        for with_bias in [false, true] {
            let case = format!(
                "{shape:?} to {c_out}, kernel {kernel}, stride {stride}, padding {padding}, bias {with_bias}"
            );
            let bias = with_bias.then(|| bias.clone());
            let ours = conv2d(x.clone(), weight.clone(), bias.clone(), stride, padding);
            let options = ConvOptions::new([stride; 2], [padding; 2], [1, 1], 1);
            let theirs = module::conv2d(x.clone(), weight.clone(), bias.clone(), options);
            assert_eq!(ours.dims(), theirs.dims(), "{case}");
            assert_close(
                &format!("output {case}"),
                flat(ours.clone()),
                flat(theirs.clone()),
            );
            let pull = random(ours.dims(), &mut rng, &device);
            let (mut ours, mut theirs) = (
                (ours * pull.clone()).sum().backward(),
                (theirs * pull).sum().backward(),
            );
            assert_close(
                &format!("x {case}"),
                flat(x.grad_remove(&mut ours).expect("x")),
                flat(x.grad_remove(&mut theirs).expect("x")),
            );
            assert_close(
                &format!("weight {case}"),
                flat(weight.grad_remove(&mut ours).expect("weight")),
                flat(weight.grad_remove(&mut theirs).expect("weight")),
            );
            if let Some(bias) = bias {
                assert_close(
                    &format!("bias {case}"),
                    flat(bias.grad_remove(&mut ours).expect("bias")),
                    flat(bias.grad_remove(&mut theirs).expect("bias")),
                );
            }
        }
    }
}

#[test]
fn a_convolution_passes_gradients_only_where_they_are_wanted() {
    let plain = Device::flex();
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let x = random([2, 4, 6, 6], &mut rng, &plain);
    let weight = random([8, 4, 3, 3], &mut rng, &plain);
    assert!(!conv2d(x.clone(), weight.clone(), None, 1, 1).is_autodiff());

    let trained = weight.clone().autodiff().require_grad();
    let mut gradients = conv2d(x.clone(), trained.clone(), None, 1, 1)
        .sum()
        .backward();
    assert!(trained.grad_remove(&mut gradients).is_some());

    let input = x.autodiff().require_grad();
    let mut gradients = conv2d(input.clone(), weight, None, 1, 1).sum().backward();
    assert!(input.grad_remove(&mut gradients).is_some());
}

#[test]
fn a_transposed_view_is_read_as_what_it_shows() {
    let device = Device::flex();
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let x = random([4, 2, 6, 8], &mut rng, &device).swap_dims(0, 1);
    let weight = random([3, 5, 3, 3], &mut rng, &device).slice(burn::tensor::s![.., 1.., .., ..]);
    let ours = conv2d(x.clone(), weight.clone(), None, 2, 1);
    assert_close(
        "output",
        flat(ours),
        flat(module::conv2d(
            x,
            weight,
            None,
            ConvOptions::new([2; 2], [1; 2], [1, 1], 1),
        )),
    );
}

#[test]
fn a_pyramid_of_pools_is_pool_after_pool_forward_and_backward() {
    let device = Device::flex().autodiff();
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    for ([batch, channels, height, width], kernel) in [
        ([2, 3, 10, 10], 5),
        ([1, 2, 3, 4], 5),
        ([3, 1, 7, 21], 3),
        ([1, 4, 1, 9], 7),
    ] {
        // Few values, so that equal ones meet in a window: the first of them takes the gradient.
        let values: Vec<f32> = (0..batch * channels * height * width)
            .map(|_| rng.random_range(-3i8..3).into())
            .collect();
        let data = TensorData::new(values, [batch, channels, height, width]);
        let x = Tensor::<4>::from_data(data, &device).require_grad();
        let ours = pool_pyramid(x.clone(), kernel);
        let options = burn::tensor::ops::MaxPoolOptions::new([kernel; 2])
            .with_stride([1, 1])
            .with_padding([kernel / 2; 2]);
        let pool = |x: &Tensor<4>| module::max_pool2d(x.clone(), options.clone());
        let y1 = pool(&x);
        let y2 = pool(&y1);
        let y3 = pool(&y2);
        let theirs = Tensor::cat(vec![x.clone(), y1, y2, y3], 1);
        assert_eq!(flat(ours.clone()), flat(theirs.clone()));

        let pull = random(ours.dims(), &mut rng, &device);
        let (mut ours, mut theirs) = (
            (ours * pull.clone()).sum().backward(),
            (theirs * pull).sum().backward(),
        );
        assert_close(
            &format!("x {height}×{width}, kernel {kernel}"),
            flat(x.grad_remove(&mut ours).expect("x")),
            flat(x.grad_remove(&mut theirs).expect("x")),
        );
    }
}

#[test]
fn two_maps_behind_each_other_are_their_concatenation_forward_and_backward() {
    let device = Device::flex().autodiff();
    let mut rng = ChaCha8Rng::seed_from_u64(12);
    for (first, second) in [(3, 5), (64, 64), (1, 7)] {
        let maps = [first, second].map(|c| random([3, c, 9, 8], &mut rng, &device).require_grad());
        let [a, b] = maps.clone();
        let (ours, theirs) = (concat(a.clone(), b.clone()), Tensor::cat(maps.to_vec(), 1));
        assert_eq!(flat(ours.clone()), flat(theirs.clone()));
        let pull = random(ours.dims(), &mut rng, &device);
        let (mut ours, mut theirs) = (
            (ours * pull.clone()).sum().backward(),
            (theirs * pull).sum().backward(),
        );
        for map in maps {
            assert_eq!(
                flat(map.grad_remove(&mut ours).expect("a gradient")),
                flat(map.grad_remove(&mut theirs).expect("a gradient"))
            );
        }
    }
}

#[test]
fn bytes_become_the_quotients_by_255() {
    let bytes: Vec<u8> = (0..=255).collect();
    for (byte, value) in bytes.iter().zip(unit_range(&bytes)) {
        assert_eq!(value, f32::from(*byte) / 255.0);
    }
}

#[test]
fn a_folded_convolution_is_the_composed_one() {
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    for device in [Device::flex(), Device::flex().autodiff()] {
        for (shape, c_out, kernel, stride, padding) in CONVOLUTIONS {
            let x = random(shape, &mut rng, &device);
            let weight = random([c_out, shape[1], kernel, kernel], &mut rng, &device);
            let bias = random([c_out], &mut rng, &device);
            let scale = random([c_out], &mut rng, &device);
            let scaled = weight.clone() * scale.clone().reshape([c_out, 1, 1, 1]);
            for (scale, composed) in [(None, weight.clone()), (Some(scale), scaled)] {
                let case = format!("{shape:?} to {c_out}, scaled {}", scale.is_some());
                let (x, weight, bias) = (x.clone(), weight.clone(), bias.clone());
                let ours = conv_silu(x.clone(), weight, scale, bias.clone(), stride, padding);
                let options = ConvOptions::new([stride; 2], [padding; 2], [1, 1], 1);
                let theirs = activation::silu(module::conv2d(x, composed, Some(bias), options));
                assert_close(&case, flat(ours), flat(theirs));
            }
        }
    }
}

#[test]
fn a_folded_convolution_of_recorded_tensors_passes_gradients() {
    let device = Device::flex().autodiff();
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let x = random([2, 4, 6, 6], &mut rng, &device).require_grad();
    let weight = random([8, 4, 3, 3], &mut rng, &device).require_grad();
    let bias = random([8], &mut rng, &device).require_grad();
    let pull = random([2, 8, 6, 6], &mut rng, &device);
    let ours = conv_silu(x.clone(), weight.clone(), None, bias.clone(), 1, 1);
    let options = ConvOptions::new([1; 2], [1; 2], [1, 1], 1);
    let theirs = module::conv2d(x.clone(), weight.clone(), Some(bias.clone()), options);
    let (mut ours, mut theirs) = (
        (ours * pull.clone()).sum().backward(),
        (activation::silu(theirs) * pull).sum().backward(),
    );
    assert_close(
        "x",
        flat(x.grad_remove(&mut ours).expect("x")),
        flat(x.grad_remove(&mut theirs).expect("x")),
    );
    assert_close(
        "weight",
        flat(weight.grad_remove(&mut ours).expect("weight")),
        flat(weight.grad_remove(&mut theirs).expect("weight")),
    );
    assert_close(
        "bias",
        flat(bias.grad_remove(&mut ours).expect("bias")),
        flat(bias.grad_remove(&mut theirs).expect("bias")),
    );
}

#[test]
fn convolutions_do_not_depend_on_the_number_of_threads() {
    let device = Device::flex().autodiff();
    let mut rng = ChaCha8Rng::seed_from_u64(10);
    for (shape, c_out, kernel, stride, padding) in [
        ([4, 16, 40, 40], 24, 3, 1, 1),
        ([4, 64, 10, 10], 128, 3, 2, 1),
        ([4, 128, 10, 10], 64, 1, 1, 0),
    ] {
        let x = random(shape, &mut rng, &device).require_grad();
        let weight = random([c_out, shape[1], kernel, kernel], &mut rng, &device).require_grad();
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build().expect("threads").install(|| {
                let y = conv2d(x.clone(), weight.clone(), None, stride, padding);
                let mut gradients = (y.clone() * y.clone()).sum().backward();
                [
                    flat(y),
                    flat(x.grad_remove(&mut gradients).expect("x")),
                    flat(weight.grad_remove(&mut gradients).expect("weight")),
                ]
            })
        };
        let one = run(1);
        for threads in [2, 3, 8] {
            assert_eq!(one, run(threads), "{shape:?}");
        }
    }
}
