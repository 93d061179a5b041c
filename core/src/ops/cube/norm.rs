//! BatchNorm and SiLU on a GPU, forward and backward.

use burn::backend::fusion::custom::TensorSpec;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, backend_extension};
use burn::tensor::Shape;
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl::prelude::BufferIOAttr::WriteOnly;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use frostline_shaders::BnSilu;

use super::launch::{channels_first, channels_last, launch, room, sizes};

/// BatchNorm and SiLU. What is kept for the backward pass is `[4, C]` beside `x`.
#[backend_extension(Cube, Fusion, Autodiff)]
pub trait Normalise: Backend {
    /// Output, mean, biased variance, and what is kept.
    #[fusion(meta = |x, weight, bias, epsilon| {
        let (_, _) = (bias, epsilon);
        (x.clone(), weight.clone(), weight.clone(), kept(weight))
    })]
    fn normalise(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
    ) -> (
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
    );

    /// Output with given mean and variance, and what is kept.
    #[fusion(meta = |x, weight, bias, mean, variance, epsilon| {
        let (_, _, _, _) = (bias, mean, variance, epsilon);
        (x.clone(), kept(weight))
    })]
    fn activate(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        epsilon: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// Gradients of the input, the scale and the shift; `constant` says that the moments were given.
    #[fusion(meta = |x, kept, gradient, constant| {
        let (_, _) = (gradient, constant);
        let channel = TensorSpec::new(Shape::new([kept.shape[1]]), x.dtype);
        (x.clone(), channel.clone(), channel)
    })]
    fn spread(
        x: FloatTensor<Self>,
        kept: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        constant: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// Gradient of the input alone, with given moments.
    #[fusion(dtype = x, shape = x)]
    fn pass(
        x: FloatTensor<Self>,
        kept: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
}

fn kept(weight: &TensorSpec) -> TensorSpec {
    TensorSpec::new(Shape::new([4, weight.shape[0]]), weight.dtype)
}

/// The sizes of the kernels for `x` `[B, H, W, C]`. The backward pass has no use for `epsilon`.
fn plan(x: &CubeTensor, epsilon: f64) -> BnSilu {
    let [batch, height, width, channels] = sizes(x);
    BnSilu::new(batch * height * width, channels, epsilon as f32)
        .expect("sizes that were found to be served")
}

/// Whether the kernels take `[B, C, H, W]`.
pub fn fits([batch, channels, height, width]: [usize; 4]) -> bool {
    BnSilu::new(batch * height * width, channels, 0.0).is_ok()
}

impl Normalise for CubeBackend {
    fn normalise(
        x: CubeTensor,
        weight: CubeTensor,
        bias: CubeTensor,
        epsilon: f64,
    ) -> (CubeTensor, CubeTensor, CubeTensor, CubeTensor) {
        let (x, weight, bias) = (
            channels_last(x),
            into_contiguous(weight),
            into_contiguous(bias),
        );
        let plan = plan(&x, epsilon);
        let [.., channels] = sizes::<4>(&x);
        let (uniforms, workgroups) = (plan.uniforms(false), plan.workgroups());
        let sums = room(&x, [plan.sums()], x.dtype);
        launch(
            BnSilu::MOMENTS,
            &[&x],
            &[(&sums, WriteOnly)],
            &uniforms,
            workgroups,
        );
        let y = room(&x, sizes::<4>(&x), x.dtype);
        let (mean, variance) = (room(&x, [channels], x.dtype), room(&x, [channels], x.dtype));
        let kept = room(&x, [4, channels], x.dtype);
        launch(
            BnSilu::NORMALISE,
            &[&x, &sums, &weight, &bias],
            &[&y, &mean, &variance, &kept].map(|tensor| (tensor, WriteOnly)),
            &uniforms,
            workgroups,
        );
        (channels_first(y), mean, variance, kept)
    }

    fn activate(
        x: CubeTensor,
        weight: CubeTensor,
        bias: CubeTensor,
        mean: CubeTensor,
        variance: CubeTensor,
        epsilon: f64,
    ) -> (CubeTensor, CubeTensor) {
        let x = channels_last(x);
        let [weight, bias, mean, variance] = [weight, bias, mean, variance].map(into_contiguous);
        let plan = plan(&x, epsilon);
        let [.., channels] = sizes::<4>(&x);
        let y = room(&x, sizes::<4>(&x), x.dtype);
        let kept = room(&x, [4, channels], x.dtype);
        launch(
            BnSilu::ACTIVATE,
            &[&x, &weight, &bias, &mean, &variance],
            &[(&y, WriteOnly), (&kept, WriteOnly)],
            &plan.uniforms(true),
            plan.workgroups(),
        );
        (channels_first(y), kept)
    }

    fn spread(
        x: CubeTensor,
        kept: CubeTensor,
        gradient: CubeTensor,
        constant: bool,
    ) -> (CubeTensor, CubeTensor, CubeTensor) {
        let (x, kept, gradient) = (
            channels_last(x),
            into_contiguous(kept),
            channels_last(gradient),
        );
        let plan = plan(&x, 0.0);
        let [.., channels] = sizes::<4>(&x);
        let (uniforms, workgroups) = (plan.uniforms(constant), plan.workgroups());
        let sums = room(&x, [plan.sums()], x.dtype);
        launch(
            BnSilu::SLOPES,
            &[&x, &kept, &gradient],
            &[(&sums, WriteOnly)],
            &uniforms,
            workgroups,
        );
        let x_gradient = room(&x, sizes::<4>(&x), x.dtype);
        let (weight, bias) = (room(&x, [channels], x.dtype), room(&x, [channels], x.dtype));
        launch(
            BnSilu::SPREAD,
            &[&x, &kept, &gradient, &sums],
            &[&x_gradient, &weight, &bias].map(|tensor| (tensor, WriteOnly)),
            &uniforms,
            workgroups,
        );
        (channels_first(x_gradient), weight, bias)
    }

    fn pass(x: CubeTensor, kept: CubeTensor, gradient: CubeTensor) -> CubeTensor {
        let (x, kept, gradient) = (
            channels_last(x),
            into_contiguous(kept),
            channels_last(gradient),
        );
        let plan = plan(&x, 0.0);
        let x_gradient = room(&x, sizes::<4>(&x), x.dtype);
        launch(
            BnSilu::PASS,
            &[&x, &kept, &gradient],
            &[(&x_gradient, WriteOnly)],
            &plan.uniforms(true),
            plan.workgroups(),
        );
        channels_first(x_gradient)
    }
}
