//! BatchNorm and SiLU on a GPU, recorded for the backward pass.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, AutodiffBackend, Backend};

use super::norm::Normalise;

#[derive(Debug)]
struct NormBackward;

impl<B: Backend + Normalise> Backward<B, 3> for NormBackward {
    /// The input, what was kept, and whether the moments were given.
    type State = (FloatTensor<B>, FloatTensor<B>, bool);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let (x, kept, constant) = ops.state;
        let [x_node, weight_node, bias_node] = ops.parents;
        if constant && weight_node.is_none() && bias_node.is_none() {
            if let Some(node) = x_node {
                grads.register::<B>(node.id, B::pass(x, kept, grad));
            }
            return;
        }
        let (x, weight, bias) = B::spread(x, kept, grad, constant);
        for (node, gradient) in [(x_node, x), (weight_node, weight), (bias_node, bias)] {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

type Recorded<B, C> = FloatTensor<Autodiff<B, C>>;

impl<B: Backend + Normalise, C: CheckpointStrategy> Normalise for Autodiff<B, C> {
    fn normalise(
        x: Recorded<B, C>,
        weight: Recorded<B, C>,
        bias: Recorded<B, C>,
        epsilon: f64,
    ) -> (
        Recorded<B, C>,
        Recorded<B, C>,
        Recorded<B, C>,
        Recorded<B, C>,
    ) {
        let ((x, a), (weight, b), (bias, c)) =
            (x.into_parts(), weight.into_parts(), bias.into_parts());
        let (y, mean, variance, kept) = B::normalise(x.clone(), weight, bias, epsilon);
        let y = match NormBackward
            .prepare::<C>([a, b, c])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => prep.finish((x, kept.clone(), false), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        };
        let plain = <Self as AutodiffBackend>::from_inner;
        (y, plain(mean), plain(variance), plain(kept))
    }

    fn activate(
        x: Recorded<B, C>,
        weight: Recorded<B, C>,
        bias: Recorded<B, C>,
        mean: Recorded<B, C>,
        variance: Recorded<B, C>,
        epsilon: f64,
    ) -> (Recorded<B, C>, Recorded<B, C>) {
        let ((x, a), (weight, b), (bias, c)) =
            (x.into_parts(), weight.into_parts(), bias.into_parts());
        let (mean, variance) = (mean.into_primitive(), variance.into_primitive());
        let (y, kept) = B::activate(x.clone(), weight, bias, mean, variance, epsilon);
        let y = match NormBackward
            .prepare::<C>([a, b, c])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => prep.finish((x, kept.clone(), true), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        };
        (y, <Self as AutodiffBackend>::from_inner(kept))
    }

    fn spread(
        _: Recorded<B, C>,
        _: Recorded<B, C>,
        _: Recorded<B, C>,
        _: bool,
    ) -> (Recorded<B, C>, Recorded<B, C>, Recorded<B, C>) {
        unreachable!("the backward pass runs on plain tensors")
    }

    fn pass(_: Recorded<B, C>, _: Recorded<B, C>, _: Recorded<B, C>) -> Recorded<B, C> {
        unreachable!("the backward pass runs on plain tensors")
    }
}
