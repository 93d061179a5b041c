//! Detect and its loss in one operation, without the heads between them.
//!
//! The loss reads the objectness of every cell, but the other outputs only of the few rows that a target
//! matched; elsewhere their gradient is zero. So only these are computed, forward and backward.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{
    Autodiff, AutodiffBackend, Backend, Dispatch, Flex, TensorMetadata, backend_extension,
};
use burn::tensor::Tensor;

use super::backend::{Flat, dense, tensor, values};
use super::sparse_head::{Head, Row, Sizes};

/// Turns the objectness logits `[B, A, H·W]` and the rows' logits `[N, 5+C]` into the derivatives of the
/// items' sum, and returns the items.
pub type Judge = Box<dyn FnOnce(&mut [f32], &mut [f32]) -> [f32; 3] + Send>;

#[backend_extension(Flex, Autodiff)]
pub(super) trait DetectLoss: Backend {
    /// The items' sum `[1]`, and the items `[3]` without a gradient.
    fn detect_loss(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        anchors: usize,
        rows: Vec<Row>,
        judge: Judge,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
}

/// The loss of one scale of Detect: features `[B, C_in, H, W]`, `weight` `[A·(5+C), C_in, 1, 1]` and `bias`
/// `[A·(5+C)]`, for f32 on flex. Returns the items' sum `[1]`, and the items `[3]` without a gradient.
pub fn detect_loss(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Tensor<1>,
    anchors: usize,
    rows: Vec<Row>,
    judge: Judge,
) -> (Tensor<1>, Tensor<1>) {
    let (sum, items) = <Dispatch as DetectLoss>::detect_loss(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        anchors,
        rows,
        judge,
    );
    (
        Tensor::from_dispatch(sum),
        Tensor::<1>::from_dispatch(items).without_autodiff(),
    )
}

/// What the backward pass needs.
#[derive(Debug, Clone)]
struct State {
    x: Flat,
    weight: Flat,
    sizes: Sizes,
    rows: Vec<Row>,
    /// Derivatives of the sum by the objectness logits `[B, A, H·W]`.
    objectness: Vec<f32>,
    /// Derivatives of the sum by the rows' logits `[N, 5+C]`.
    derivatives: Vec<f32>,
}

fn evaluate(
    x: Flat,
    weight: Flat,
    bias: &Flat,
    anchors: usize,
    rows: Vec<Row>,
    judge: Judge,
) -> (Flat, Flat, State) {
    let [batch, channels, height, width] = x.shape().dims();
    let sizes = Sizes {
        batch,
        channels,
        plane: height * width,
        anchors,
        outputs: weight.shape().dims::<4>()[0] / anchors,
    };
    let head = Head {
        x: values(&x),
        weight: values(&weight),
        sizes,
    };
    let mut objectness = head.objectness(values(bias));
    let mut derivatives = head.rows(&rows, values(bias));
    let items = judge(&mut objectness, &mut derivatives);
    let sum = items.iter().map(|item| f64::from(*item)).sum::<f64>();
    (
        tensor(vec![sum as f32], [1]),
        tensor(items.to_vec(), [3]),
        State {
            x,
            weight,
            sizes,
            rows,
            objectness,
            derivatives,
        },
    )
}

impl DetectLoss for Flex {
    fn detect_loss(
        x: Flat,
        weight: Flat,
        bias: Flat,
        anchors: usize,
        rows: Vec<Row>,
        judge: Judge,
    ) -> (Flat, Flat) {
        let (sum, items, _) = evaluate(dense(x), dense(weight), &dense(bias), anchors, rows, judge);
        (sum, items)
    }
}

#[derive(Debug)]
struct DetectBackward;

impl Backward<Flex, 3> for DetectBackward {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let scale = values(&grads.consume::<Flex>(&ops.node))[0];
        let State {
            x,
            weight,
            sizes,
            rows,
            mut objectness,
            mut derivatives,
        } = ops.state;
        for derivative in objectness.iter_mut().chain(&mut derivatives) {
            *derivative *= scale;
        }
        let [x_node, weight_node, bias_node] = ops.parents;
        let head = Head {
            x: values(&x),
            weight: values(&weight),
            sizes,
        };
        if let Some(node) = x_node {
            let grad = head.input_gradient(&objectness, &rows, &derivatives);
            grads.register::<Flex>(node.id, tensor(grad, x.shape()));
        }
        if let Some(node) = weight_node {
            let grad = head.weight_gradient(&objectness, &rows, &derivatives);
            grads.register::<Flex>(node.id, tensor(grad, weight.shape()));
        }
        if let Some(node) = bias_node {
            let grad = head.bias_gradient(&objectness, &rows, &derivatives);
            grads.register::<Flex>(node.id, tensor(grad, [sizes.anchors * sizes.outputs]));
        }
    }
}

type Recorded<C> = FloatTensor<Autodiff<Flex, C>>;

impl<C: CheckpointStrategy> DetectLoss for Autodiff<Flex, C> {
    fn detect_loss(
        x: Recorded<C>,
        weight: Recorded<C>,
        bias: Recorded<C>,
        anchors: usize,
        rows: Vec<Row>,
        judge: Judge,
    ) -> (Recorded<C>, Recorded<C>) {
        let ((x, a), (weight, b), (bias, c)) =
            (x.into_parts(), weight.into_parts(), bias.into_parts());
        let (sum, items, state) =
            evaluate(dense(x), dense(weight), &dense(bias), anchors, rows, judge);
        let prep = DetectBackward.prepare::<C>([a, b, c]);
        let sum = match prep.compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(state, sum),
            OpsKind::UnTracked(prep) => prep.finish(sum),
        };
        (sum, <Self as AutodiffBackend>::from_inner(items))
    }
}
