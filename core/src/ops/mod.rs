//! The model's own operations where Burn's are slow; elsewhere they are made of Burn's.
//!
//! | operation | on flex | on a GPU | elsewhere |
//! |---|---|---|---|
//! | [`bn_silu_train`], [`bn_silu_fixed`] | one pass, one kept tensor, vectorised exponential | two passes, one kept tensor, channels last | `batch_norm`, `silu` |
//! | [`conv2d`] | sums of shifted lines in registers, forward and backward | `conv2d` | `conv2d` |
//! | [`conv_silu`] | the same, with bias and SiLU while the sums are in cache | `conv2d`, `silu` | `conv2d`, `silu` |
//! | [`pool_pyramid`] | maxima along rows, then columns; one byte kept per pixel | `max_pool2d`, `cat` | `max_pool2d`, `cat` |
//! | [`concat`] | parallel copies | `cat` | `cat` |
//! | [`detect_loss`] | only the outputs of Detect that the loss reads | none: the loss composes Detect and itself | none |
//! | [`sgd`], [`adam`], [`blend`], [`square_sum`] | one pass over a parameter, in place | a few operations | a few operations |
//! | [`image`] | on the host | bytes travel, the GPU divides | on the host |
//! | [`letterbox`] | on the host | one kernel | on the host |
//! | [`candidates`] | – | boxes below a threshold stay on the GPU | – |
//! | [`colour_map`] | on the host | one kernel | on the host |

mod backend;
mod concat;
mod conv;
mod correlate;
#[cfg(feature = "gpu")]
mod cube;
mod detect;
mod entropy;
mod lanes;
mod norm;
mod padded;
mod panel;
mod parallel;
mod picture;
mod pixels;
mod planes;
mod pyramid;
mod room;
mod silu;
mod sparse_head;
mod strips;
#[cfg(test)]
mod tests;
mod tile;
mod transpose;
mod update;
mod vectors;
mod weight_gradient;

pub use concat::concat;
pub use detect::{Judge, detect_loss};
pub use entropy::cross_entropy;
pub use pyramid::pool_pyramid;
pub use room::release;
pub use sparse_head::Row;
pub use update::{Adam, Sgd, adam, blend, sgd, square_sum};

use burn::backend::{Dispatch, DispatchDevice};
use burn::tensor::module::{self, batch_norm, batch_norm_train};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{DType, Device, Tensor, activation};

use backend::{Fused, geometry};

#[cfg(feature = "gpu")]
pub use cube::{Found, candidates};
pub use picture::{colour_map, image, letterbox};

/// Whether the kernels of this room serve a tensor: f32 on flex, recorded or not.
pub fn served<const D: usize>(x: &Tensor<D>) -> bool {
    is_served(&x.device()) && x.dtype() == DType::F32
}

/// Whether the kernels of this room run on a device.
pub fn is_served(device: &Device) -> bool {
    let device = device.clone().without_autodiff();
    matches!(device.as_dispatch(), DispatchDevice::Flex(_))
}

/// `silu(batch_norm(x))` over `[B, C, H, W]` with the batch's own statistics. `weight` and `bias` are
/// `[C]`. Returns the output, the mean `[C]` and the biased variance `[C]`; the statistics carry no gradient.
pub fn bn_silu_train(
    x: Tensor<4>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    epsilon: f64,
) -> (Tensor<4>, Tensor<1>, Tensor<1>) {
    #[cfg(feature = "gpu")]
    if cube::serves(&x, &weight) {
        return cube::bn_silu_train(x, weight, bias, epsilon);
    }
    if !served(&x) || !served(&weight) {
        let out = batch_norm_train(x, weight, bias, epsilon);
        return (
            activation::silu(out.output),
            out.mean.without_autodiff(),
            out.variance.without_autodiff(),
        );
    }
    let (out, mean, variance) = <Dispatch as Fused>::bn_silu_train(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        epsilon,
    );
    let statistic = |tensor| Tensor::<1>::from_dispatch(tensor).without_autodiff();
    (
        Tensor::from_dispatch(out),
        statistic(mean),
        statistic(variance),
    )
}

/// `silu(batch_norm(x))` over `[B, C, H, W]` with given statistics `[C]`, which are constants.
pub fn bn_silu_fixed(
    x: Tensor<4>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    mean: Tensor<1>,
    variance: Tensor<1>,
    epsilon: f64,
) -> Tensor<4> {
    #[cfg(feature = "gpu")]
    if cube::serves(&x, &weight) {
        return cube::bn_silu_fixed(x, weight, bias, mean, variance, epsilon);
    }
    if !served(&x) || !served(&weight) {
        return activation::silu(batch_norm(x, weight, bias, mean, variance, epsilon));
    }
    Tensor::from_dispatch(<Dispatch as Fused>::bn_silu_fixed(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        mean.into_dispatch(),
        variance.into_dispatch(),
        epsilon,
    ))
}

/// Whether the kernels of this room serve a convolution.
fn convolves(x: &Tensor<4>, weight: &Tensor<4>, stride: usize, padding: usize) -> bool {
    let (sizes, kernel) = (x.dims(), weight.dims());
    let fits = kernel[1] == sizes[1]
        && kernel[2] == kernel[3]
        && geometry(sizes, kernel, stride, padding).is_served();
    fits && served(x) && served(weight)
}

/// Convolution of `x` `[B, C_in, H, W]` with `weight` `[C_out, C_in, K, K]` and, if any, `bias` `[C_out]`;
/// the same stride and padding both ways.
pub fn conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    stride: usize,
    padding: usize,
) -> Tensor<4> {
    if !convolves(&x, &weight, stride, padding) {
        return module::conv2d(
            x,
            weight,
            bias,
            ConvOptions::new([stride; 2], [padding; 2], [1, 1], 1),
        );
    }
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(match bias {
        None => <Dispatch as Fused>::convolve(x, weight, stride, padding),
        Some(bias) => {
            <Dispatch as Fused>::convolve_bias(x, weight, bias.into_dispatch(), stride, padding)
        }
    })
}

/// `silu(conv2d(x))`: a convolution into which its BatchNorm has been folded, as the frozen prefix and
/// inference use it. With a `scale` `[C_out]` the weights are multiplied by it, so that they need no
/// folded copy. One operation for plain tensors, some for those that are recorded.
pub fn conv_silu(
    x: Tensor<4>,
    weight: Tensor<4>,
    scale: Option<Tensor<1>>,
    bias: Tensor<1>,
    stride: usize,
    padding: usize,
) -> Tensor<4> {
    let [channels, ..] = weight.dims();
    if !convolves(&x, &weight, stride, padding) {
        let weight = match scale {
            Some(scale) => weight * scale.reshape([channels, 1, 1, 1]),
            None => weight,
        };
        return activation::silu(conv2d(x, weight, Some(bias), stride, padding));
    }
    let scale = scale.unwrap_or_else(|| Tensor::ones([channels], &weight.device()));
    Tensor::from_dispatch(<Dispatch as Fused>::convolve_silu(
        x.into_dispatch(),
        weight.into_dispatch(),
        scale.into_dispatch(),
        bias.into_dispatch(),
        stride,
        padding,
    ))
}
