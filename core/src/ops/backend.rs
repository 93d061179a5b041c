//! The operations as Burn sees them: on the flex backend, and recorded for the backward pass.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::ops::{ActivationOps, FloatTensorOps};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, AutodiffBackend, Backend, Flex, TensorMetadata, backend_extension};
use burn::tensor::{Shape, TensorData};

use super::conv::{self, Geometry};
use super::correlate::After;
use super::norm::{self, Moments, Norm, Planes, View, Wanted};
use super::room;
use super::weight_gradient::weight_gradient;

/// A tensor of the flex backend.
pub type Flat = FloatTensor<Flex>;

/// What the model needs beyond Burn's own operations.
#[backend_extension(Flex, Autodiff)]
pub trait Fused: Backend {
    /// Output, mean and biased variance.
    fn bn_silu_train(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// Output with given statistics, which are constants.
    fn bn_silu_fixed(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self>;

    /// Convolution without bias.
    fn convolve(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self>;

    /// Convolution with bias.
    fn convolve_bias(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self>;

    /// Convolution with scaled weights and bias, then SiLU.
    fn convolve_silu(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self>;
}

/// A tensor of values in row-major order.
pub(super) fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> Flat {
    Flat::from_data(TensorData::new(values, shape.into()))
}

/// The same tensor in row-major order.
pub(super) fn dense(x: Flat) -> Flat {
    if x.is_contiguous() {
        x
    } else {
        x.to_contiguous()
    }
}

/// The values of a [`dense`] tensor.
pub(super) fn values(x: &Flat) -> &[f32] {
    x.as_slice().expect("a dense f32 tensor")
}

/// The values to own, without a copy where nobody else holds them.
pub(super) fn into_values(x: Flat) -> Vec<f32> {
    x.into_data().try_into_vec().expect("an f32 tensor")
}

/// Values to overwrite in place of a gradient `[B, C, H, W]`. Where somebody else holds it too, or it is
/// a part of a larger tensor, these are new and it is returned with the step from picture to picture.
fn writable(grad: Flat) -> (Vec<f32>, Option<(Flat, usize)>) {
    let alone = grad.is_unique() && grad.layout().start_offset() == 0;
    if alone && grad.is_contiguous() {
        return (into_values(grad), None);
    }
    let [_, channels, height, width] = grad.shape().dims();
    let strides = grad.layout().strides();
    let plane = (height * width) as isize;
    if channels > 0 && strides[0] > 0 && strides[1..] == [plane, width as isize, 1] {
        let step = strides[0].unsigned_abs();
        return (room::take(grad.shape().num_elements()), Some((grad, step)));
    }
    (into_values(grad), None)
}

fn planes(x: &Flat) -> Planes {
    let [batch, channels, height, width] = x.shape().dims();
    Planes {
        batch,
        channels,
        size: height * width,
    }
}

fn moments(mean: &Flat, variance: &Flat) -> Vec<Moments> {
    let pairs = values(mean).iter().zip(values(variance));
    pairs
        .map(|(&mean, &variance)| Moments { mean, variance })
        .collect()
}

impl Fused for Flex {
    fn bn_silu_train(x: Flat, weight: Flat, bias: Flat, epsilon: f64) -> (Flat, Flat, Flat) {
        let (x, weight, bias) = (dense(x), dense(weight), dense(bias));
        let out = vec![0f32; values(&x).len()];
        norm_train(&x, &weight, &bias, epsilon, out)
    }

    fn bn_silu_fixed(
        x: Flat,
        weight: Flat,
        bias: Flat,
        mean: Flat,
        variance: Flat,
        epsilon: f64,
    ) -> Flat {
        let (x, weight, bias) = (dense(x), dense(weight), dense(bias));
        let moments = moments(&dense(mean), &dense(variance));
        let out = vec![0f32; values(&x).len()];
        norm_fixed(&x, &weight, &bias, &moments, epsilon, out)
    }

    fn convolve(x: Flat, weight: Flat, stride: usize, padding: usize) -> Flat {
        let steps = [stride, padding];
        convolve(&dense(x), &dense(weight), After::default(), steps, fresh)
    }

    fn convolve_bias(x: Flat, weight: Flat, bias: Flat, stride: usize, padding: usize) -> Flat {
        let bias = dense(bias);
        let after = After {
            bias: Some(values(&bias)),
            ..After::default()
        };
        convolve(&dense(x), &dense(weight), after, [stride, padding], fresh)
    }

    fn convolve_silu(
        x: Flat,
        weight: Flat,
        scale: Flat,
        bias: Flat,
        stride: usize,
        padding: usize,
    ) -> Flat {
        let (scale, bias) = (dense(scale), dense(bias));
        let after = After {
            scale: Some(values(&scale)),
            bias: Some(values(&bias)),
            silu: true,
        };
        convolve(&dense(x), &dense(weight), after, [stride, padding], fresh)
    }
}

/// The sizes of a convolution.
pub(super) fn geometry(
    x: [usize; 4],
    weight: [usize; 4],
    stride: usize,
    padding: usize,
) -> Geometry {
    let [batch, c_in, height, width] = x;
    Geometry {
        batch,
        c_in,
        c_out: weight[0],
        height,
        width,
        kernel: weight[2],
        stride,
        padding,
    }
}

/// Room for what an operation writes that is not recorded.
fn fresh(length: usize) -> Vec<f32> {
    vec![0f32; length]
}

fn convolve(
    x: &Flat,
    weight: &Flat,
    after: After,
    [stride, padding]: [usize; 2],
    room: fn(usize) -> Vec<f32>,
) -> Flat {
    let g = geometry(x.shape().dims(), weight.shape().dims(), stride, padding);
    let shape = [g.batch, g.c_out, g.out_height(), g.out_width()];
    let mut y = room(shape.iter().product());
    conv::forward(values(x), values(weight), after, g, &mut y);
    tensor(y, shape)
}

fn norm_train(
    x: &Flat,
    weight: &Flat,
    bias: &Flat,
    epsilon: f64,
    mut out: Vec<f32>,
) -> (Flat, Flat, Flat) {
    let norm = Norm {
        weight: values(weight),
        bias: values(bias),
        epsilon,
    };
    let planes = planes(x);
    let moments = norm::forward_train(values(x), &mut out, planes, norm);
    let mean = moments.iter().map(|m| m.mean).collect();
    let variance = moments.iter().map(|m| m.variance).collect();
    (
        tensor(out, x.shape()),
        tensor(mean, [planes.channels]),
        tensor(variance, [planes.channels]),
    )
}

fn norm_fixed(
    x: &Flat,
    weight: &Flat,
    bias: &Flat,
    moments: &[Moments],
    epsilon: f64,
    mut out: Vec<f32>,
) -> Flat {
    let norm = Norm {
        weight: values(weight),
        bias: values(bias),
        epsilon,
    };
    norm::forward_fixed(values(x), &mut out, planes(x), norm, moments);
    tensor(out, x.shape())
}

/// What the backward pass of BatchNorm and SiLU needs: the norm's input and little else.
#[derive(Debug, Clone)]
struct NormState {
    x: Flat,
    weight: Flat,
    bias: Flat,
    moments: Vec<Moments>,
    epsilon: f64,
    fixed: bool,
}

#[derive(Debug)]
struct NormBackward;

impl Backward<Flex, 3> for NormBackward {
    type State = NormState;

    fn backward(self, ops: Ops<NormState, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node);
        let NormState {
            x,
            weight,
            bias,
            moments,
            epsilon,
            fixed,
        } = ops.state;
        let [x_node, weight_node, bias_node] = ops.parents;
        let norm = Norm {
            weight: values(&weight),
            bias: values(&bias),
            epsilon,
        };
        let (mut grad, view) = writable(grad);
        let (weights, biases) = norm::backward(
            values(&x),
            &mut grad,
            view.as_ref().map(|(tensor, step)| View {
                values: &tensor.storage::<f32>()[tensor.layout().start_offset()..],
                step: *step,
            }),
            planes(&x),
            norm,
            &moments,
            Wanted {
                input: x_node.is_some(),
                parameters: weight_node.is_some() || bias_node.is_some(),
                fixed,
            },
        );
        let grad = tensor(grad, x.shape());
        room::give(x);
        match x_node {
            Some(node) => grads.register::<Flex>(node.id, grad),
            None => room::give(grad),
        }
        if let Some(node) = weight_node {
            grads.register::<Flex>(node.id, tensor(weights, weight.shape()));
        }
        if let Some(node) = bias_node {
            grads.register::<Flex>(node.id, tensor(biases, bias.shape()));
        }
    }
}

/// What the backward pass of a convolution needs: the weights for the input's gradient, the input for the weights'.
#[derive(Debug, Clone)]
struct ConvState {
    x: Option<Flat>,
    weight: Option<Flat>,
    x_shape: Shape,
    weight_shape: Shape,
    stride: usize,
    padding: usize,
}

impl ConvState {
    fn new(
        x: &FloatTensor<Autodiff<Flex>>,
        weight: &FloatTensor<Autodiff<Flex>>,
        stride: usize,
        padding: usize,
    ) -> Self {
        Self {
            x: weight.is_tracked().then(|| x.primitive().clone()),
            weight: x.is_tracked().then(|| weight.primitive().clone()),
            x_shape: x.shape(),
            weight_shape: weight.shape(),
            stride,
            padding,
        }
    }
}

/// Parents are input, weights and, where there is one, the bias.
#[derive(Debug)]
struct ConvBackward;

impl<const N: usize> Backward<Flex, N> for ConvBackward {
    type State = ConvState;

    fn backward(self, ops: Ops<ConvState, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = dense(grads.consume::<Flex>(&ops.node));
        let ConvState {
            x,
            weight,
            x_shape,
            weight_shape,
            stride,
            padding,
        } = ops.state;
        let g = geometry(x_shape.dims(), weight_shape.dims(), stride, padding);
        let mut nodes = ops.parents.into_iter();
        let (x_node, weight_node, bias_node) = (
            nodes.next().flatten(),
            nodes.next().flatten(),
            nodes.next().flatten(),
        );
        // The input is done with first: its gradient may take its place.
        if let (Some(node), Some(x)) = (weight_node, x) {
            let x = dense(x);
            let gradient = weight_gradient(values(&x), values(&grad), g);
            grads.register::<Flex>(node.id, tensor(gradient, weight_shape));
            room::give(x);
        }
        if let (Some(node), Some(weight)) = (x_node, weight) {
            let mut gradient = room::take(x_shape.num_elements());
            conv::input_gradient(values(&grad), values(&dense(weight)), g, &mut gradient);
            grads.register::<Flex>(node.id, tensor(gradient, x_shape));
        }
        if let Some(node) = bias_node {
            let gradient = conv::bias_gradient(values(&grad), g);
            grads.register::<Flex>(node.id, tensor(gradient, [g.c_out]));
        }
        room::give(grad);
    }
}

type Recorded<C> = FloatTensor<Autodiff<Flex, C>>;

impl<C: CheckpointStrategy> Fused for Autodiff<Flex, C> {
    fn bn_silu_train(
        x: Recorded<C>,
        weight: Recorded<C>,
        bias: Recorded<C>,
        epsilon: f64,
    ) -> (Recorded<C>, Recorded<C>, Recorded<C>) {
        let ((x, a), (weight, b), (bias, c)) =
            (x.into_parts(), weight.into_parts(), bias.into_parts());
        let (x, weight, bias) = (dense(x), dense(weight), dense(bias));
        let room = room::take(values(&x).len());
        let (out, mean, variance) = norm_train(&x, &weight, &bias, epsilon, room);
        let out = match NormBackward
            .prepare::<C>([a, b, c])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => {
                let moments = moments(&mean, &variance);
                prep.finish(
                    NormState {
                        x,
                        weight,
                        bias,
                        moments,
                        epsilon,
                        fixed: false,
                    },
                    out,
                )
            }
            OpsKind::UnTracked(prep) => prep.finish(out),
        };
        (
            out,
            <Self as AutodiffBackend>::from_inner(mean),
            <Self as AutodiffBackend>::from_inner(variance),
        )
    }

    fn bn_silu_fixed(
        x: Recorded<C>,
        weight: Recorded<C>,
        bias: Recorded<C>,
        mean: Recorded<C>,
        variance: Recorded<C>,
        epsilon: f64,
    ) -> Recorded<C> {
        let ((x, a), (weight, b), (bias, c)) =
            (x.into_parts(), weight.into_parts(), bias.into_parts());
        let (x, weight, bias) = (dense(x), dense(weight), dense(bias));
        let (mean, variance) = (mean.into_primitive(), variance.into_primitive());
        let moments = moments(&dense(mean), &dense(variance));
        let room = room::take(values(&x).len());
        let out = norm_fixed(&x, &weight, &bias, &moments, epsilon, room);
        match NormBackward
            .prepare::<C>([a, b, c])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => prep.finish(
                NormState {
                    x,
                    weight,
                    bias,
                    moments,
                    epsilon,
                    fixed: true,
                },
                out,
            ),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn convolve(x: Recorded<C>, weight: Recorded<C>, stride: usize, padding: usize) -> Recorded<C> {
        let state = ConvState::new(&x, &weight, stride, padding);
        let ((x, a), (weight, b)) = (x.into_parts(), weight.into_parts());
        let (x, weight) = (dense(x), dense(weight));
        let steps = [stride, padding];
        let y = convolve(&x, &weight, After::default(), steps, room::take);
        match ConvBackward.prepare::<C>([a, b]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(state, y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }

    fn convolve_bias(
        x: Recorded<C>,
        weight: Recorded<C>,
        bias: Recorded<C>,
        stride: usize,
        padding: usize,
    ) -> Recorded<C> {
        let state = ConvState::new(&x, &weight, stride, padding);
        let ((x, a), (weight, b), (bias, c)) =
            (x.into_parts(), weight.into_parts(), bias.into_parts());
        let (x, weight, bias) = (dense(x), dense(weight), dense(bias));
        let after = After {
            bias: Some(values(&bias)),
            ..After::default()
        };
        let y = convolve(&x, &weight, after, [stride, padding], room::take);
        match ConvBackward
            .prepare::<C>([a, b, c])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => prep.finish(state, y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }

    /// Composed: the backward pass needs what lies between convolution and SiLU.
    fn convolve_silu(
        x: Recorded<C>,
        weight: Recorded<C>,
        scale: Recorded<C>,
        bias: Recorded<C>,
        stride: usize,
        padding: usize,
    ) -> Recorded<C> {
        let shape = Shape::new([scale.shape().num_elements(), 1, 1, 1]);
        let weight = Self::float_mul(weight, Self::float_reshape(scale, shape));
        let y = Self::convolve_bias(x, weight, bias, stride, padding);
        Self::float_mul(y.clone(), Self::sigmoid(y))
    }
}
