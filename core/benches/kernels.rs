//! The model's own operations beside Burn's on the CPU, on the shapes of YOLOv5n at 320 px with batches of 4:
//! `cargo xtask bench --kernels` makes a table of ratios of it.

use burn::tensor::module::{self, batch_norm, batch_norm_train};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Distribution, Tensor, activation::silu};
use divan::Bencher;
use frostline::ops;

const BATCH: usize = 4;
const EPSILON: f64 = 1e-3;

fn main() {
    divan::main();
}

/// A convolution of the network.
#[derive(Debug, Clone, Copy)]
struct Convolution {
    kernel: usize,
    stride: usize,
    c_in: usize,
    c_out: usize,
    /// Of the input.
    side: usize,
}

impl std::fmt::Display for Convolution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            kernel,
            stride,
            c_in,
            c_out,
            side,
        } = self;
        write!(
            f,
            "{kernel}×{kernel} stride {stride}, {c_in} to {c_out}, {side} px"
        )
    }
}

const fn convolution(
    kernel: usize,
    stride: usize,
    c_in: usize,
    c_out: usize,
    side: usize,
) -> Convolution {
    Convolution {
        kernel,
        stride,
        c_in,
        c_out,
        side,
    }
}

const CONVOLUTIONS: [Convolution; 10] = [
    convolution(6, 2, 3, 16, 320),
    convolution(3, 2, 16, 32, 160),
    convolution(1, 1, 32, 16, 80),
    convolution(3, 1, 16, 16, 80),
    convolution(3, 1, 32, 32, 40),
    convolution(3, 2, 64, 128, 40),
    convolution(3, 1, 64, 64, 20),
    convolution(1, 1, 512, 256, 10),
    convolution(3, 1, 128, 128, 10),
    convolution(1, 1, 64, 255, 40),
];

/// What BatchNorm and SiLU work on.
#[derive(Debug, Clone, Copy)]
struct Map {
    channels: usize,
    side: usize,
}

impl std::fmt::Display for Map {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} channels, {} px", self.channels, self.side)
    }
}

const fn map(channels: usize, side: usize) -> Map {
    Map { channels, side }
}

const MAPS: [Map; 4] = [map(16, 160), map(32, 80), map(64, 40), map(128, 20)];

fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), device)
}

impl Convolution {
    fn padding(&self) -> usize {
        (self.kernel - 1) / 2
    }

    fn input(&self, device: &Device) -> Tensor<4> {
        random([BATCH, self.c_in, self.side, self.side], device)
    }

    fn weight(&self, device: &Device) -> Tensor<4> {
        random([self.c_out, self.c_in, self.kernel, self.kernel], device)
    }

    fn ours(&self, x: Tensor<4>, weight: Tensor<4>) -> Tensor<4> {
        ops::conv2d(x, weight, None, self.stride, self.padding())
    }

    fn burns(&self, x: Tensor<4>, weight: Tensor<4>) -> Tensor<4> {
        let options = ConvOptions::new([self.stride; 2], [self.padding(); 2], [1, 1], 1);
        module::conv2d(x, weight, None, options)
    }
}

type Convolve = fn(&Convolution, Tensor<4>, Tensor<4>) -> Tensor<4>;
/// `x`, weight and bias to the output.
type Activate = fn(Tensor<4>, Tensor<1>, Tensor<1>) -> Tensor<4>;

fn forward(bencher: Bencher, case: &Convolution, convolve: Convolve) {
    let device = Device::flex();
    let (x, weight) = (case.input(&device), case.weight(&device));
    bencher.bench_local(|| convolve(case, x.clone(), weight.clone()));
}

/// Forward, and the gradients of input and weight.
fn training(bencher: Bencher, case: &Convolution, convolve: Convolve) {
    let device = Device::flex().autodiff();
    let x = case.input(&device).require_grad();
    let weight = case.weight(&device).require_grad();
    let pull = convolve(case, x.clone(), weight.clone()).detach();
    bencher.bench_local(|| {
        (convolve(case, x.clone(), weight.clone()) * pull.clone())
            .sum()
            .backward()
    });
}

/// Forward, and the gradients of input, weight and bias.
fn activation(bencher: Bencher, map: Map, activate: Activate) {
    let device = Device::flex().autodiff();
    let x = random([BATCH, map.channels, map.side, map.side], &device).require_grad();
    let weight = random([map.channels], &device).require_grad();
    let bias = random([map.channels], &device).require_grad();
    let pull = x.clone().detach();
    bencher.bench_local(|| {
        let y = activate(x.clone(), weight.clone(), bias.clone());
        (y * pull.clone()).sum().backward()
    });
}

#[divan::bench_group]
mod convolution_forward {
    use super::*;

    #[divan::bench(args = CONVOLUTIONS)]
    fn ours(bencher: Bencher, case: Convolution) {
        forward(bencher, &case, Convolution::ours);
    }

    #[divan::bench(args = CONVOLUTIONS)]
    fn burns(bencher: Bencher, case: Convolution) {
        forward(bencher, &case, Convolution::burns);
    }
}

#[divan::bench_group]
mod convolution_forward_and_backward {
    use super::*;

    #[divan::bench(args = CONVOLUTIONS)]
    fn ours(bencher: Bencher, case: Convolution) {
        training(bencher, &case, Convolution::ours);
    }

    #[divan::bench(args = CONVOLUTIONS)]
    fn burns(bencher: Bencher, case: Convolution) {
        training(bencher, &case, Convolution::burns);
    }
}

/// BatchNorm with the batch's statistics, and SiLU.
#[divan::bench_group]
mod norm_and_silu_forward_and_backward {
    use super::*;

    #[divan::bench(args = MAPS)]
    fn ours(bencher: Bencher, case: Map) {
        activation(bencher, case, |x, weight, bias| {
            ops::bn_silu_train(x, weight, bias, EPSILON).0
        });
    }

    #[divan::bench(args = MAPS)]
    fn burns(bencher: Bencher, case: Map) {
        activation(bencher, case, |x, weight, bias| {
            silu(batch_norm_train(x, weight, bias, EPSILON).output)
        });
    }
}

/// A convolution into which its BatchNorm is folded, and SiLU, beside the three operations.
#[divan::bench_group]
mod folded_convolution {
    use super::*;

    #[divan::bench(args = CONVOLUTIONS)]
    fn ours(bencher: Bencher, case: Convolution) {
        let device = Device::flex();
        let (x, weight) = (case.input(&device), case.weight(&device));
        let bias = random([case.c_out], &device);
        bencher.bench_local(|| {
            let (x, weight, bias) = (x.clone(), weight.clone(), bias.clone());
            ops::conv_silu(x, weight, None, bias, case.stride, case.padding())
        });
    }

    #[divan::bench(args = CONVOLUTIONS)]
    fn burns(bencher: Bencher, case: Convolution) {
        let device = Device::flex();
        let (x, weight) = (case.input(&device), case.weight(&device));
        let [scale, shift, mean] = [0; 3].map(|_| random([case.c_out], &device));
        let variance = Tensor::ones([case.c_out], &device);
        bencher.bench_local(|| {
            let y = case.burns(x.clone(), weight.clone());
            let [scale, shift, mean] = [&scale, &shift, &mean].map(Tensor::clone);
            silu(batch_norm(y, scale, shift, mean, variance.clone(), EPSILON))
        });
    }
}
