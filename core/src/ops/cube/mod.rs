//! The model's own operations on a GPU: WGSL kernels of `frostline-shaders` on Burn's device and in
//! Burn's queue, natively and in a browser alike. Fusion defers them like Burn's own operations and fuses
//! around them; what is inside one is fused by hand.

mod boxes;
mod launch;
mod norm;
mod picture;
mod recorded;

use burn::backend::{Dispatch, DispatchDevice};
use burn::tensor::{DType, Device, Tensor};
use burn_cubecl::CubeDevice;

use norm::Normalise;

pub use boxes::{Found, candidates};
pub use picture::{colour_map, image, letterbox};

/// Whether WGSL runs on a device.
pub fn runs_on(device: &Device) -> bool {
    let device = device.clone().without_autodiff();
    matches!(
        device.as_dispatch(),
        DispatchDevice::Cube(CubeDevice::Wgpu(_))
    )
}

/// Whether the norm's kernels serve `x` with such a `weight`.
pub fn serves(x: &Tensor<4>, weight: &Tensor<1>) -> bool {
    let single = x.dtype() == DType::F32 && weight.dtype() == DType::F32;
    single && norm::fits(x.dims()) && runs_on(&x.device())
}

/// `silu(batch_norm(x))` with the batch's own statistics: output, mean, biased variance.
pub fn bn_silu_train(
    x: Tensor<4>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    epsilon: f64,
) -> (Tensor<4>, Tensor<1>, Tensor<1>) {
    let (y, mean, variance, _) = <Dispatch as Normalise>::normalise(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        epsilon,
    );
    let statistic = |tensor| Tensor::<1>::from_dispatch(tensor).without_autodiff();
    (
        Tensor::from_dispatch(y),
        statistic(mean),
        statistic(variance),
    )
}

/// `silu(batch_norm(x))` with given statistics.
pub fn bn_silu_fixed(
    x: Tensor<4>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    mean: Tensor<1>,
    variance: Tensor<1>,
    epsilon: f64,
) -> Tensor<4> {
    let (y, _) = <Dispatch as Normalise>::activate(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        mean.into_dispatch(),
        variance.into_dispatch(),
        epsilon,
    );
    Tensor::from_dispatch(y)
}
