//! Two feature maps behind each other.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::Tensor;

use super::backend::{Flat, dense, tensor, values};
use super::{parallel, room, served};

#[backend_extension(Flex, Autodiff)]
pub(super) trait Concat: Backend {
    fn concat(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// `[B, C₁, H, W]` and `[B, C₂, H, W]` to `[B, C₁ + C₂, H, W]`. Plain ones are concatenated as Burn does it.
pub fn concat(a: Tensor<4>, b: Tensor<4>) -> Tensor<4> {
    let recorded = a.is_autodiff() || b.is_autodiff();
    let empty = [&a, &b].iter().any(|x| x.dims().contains(&0));
    if !recorded || empty || !served(&a) || !served(&b) {
        return Tensor::cat(vec![a, b], 1);
    }
    Tensor::from_dispatch(<Dispatch as Concat>::concat(
        a.into_dispatch(),
        b.into_dispatch(),
    ))
}

impl Concat for Flex {
    fn concat(a: Flat, b: Flat) -> Flat {
        let (a, b) = (dense(a), dense(b));
        let [batch, channels, height, width] = a.shape().dims();
        let more: usize = b.shape().dims::<4>()[1];
        let (first, second) = (channels * height * width, more * height * width);
        let mut out = room::take(batch * (first + second));
        let pictures = out
            .chunks_exact_mut(first + second)
            .zip(values(&a).chunks_exact(first))
            .zip(values(&b).chunks_exact(second));
        let copies = pictures.flat_map(|((out, a), b)| {
            let (to_a, to_b) = out.split_at_mut(first);
            [(to_a, a), (to_b, b)]
        });
        let copy = |(to, from): (&mut [f32], &[f32])| to.copy_from_slice(from);
        parallel::for_each(copies.collect(), first.min(second), copy);
        room::give(a);
        room::give(b);
        tensor(out, [batch, channels + more, height, width])
    }
}

#[derive(Debug)]
struct ConcatBackward;

impl Backward<Flex, 2> for ConcatBackward {
    /// Channels of the first map, and of both.
    type State = [usize; 2];

    fn backward(self, ops: Ops<[usize; 2], 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node);
        let [first, all] = ops.state;
        for (node, channels) in ops.parents.into_iter().zip([0..first, first..all]) {
            if let Some(node) = node {
                // A view: who reads it copies it when it has to.
                let layout = grad.layout().narrow(1, channels.start, channels.len());
                grads.register::<Flex>(node.id, grad.clone().with_layout(layout));
            }
        }
    }
}

type Recorded<C> = FloatTensor<Autodiff<Flex, C>>;

impl<C: CheckpointStrategy> Concat for Autodiff<Flex, C> {
    fn concat(a: Recorded<C>, b: Recorded<C>) -> Recorded<C> {
        let ((a, a_guard), (b, b_guard)) = (a.into_parts(), b.into_parts());
        let [first, second] = [&a, &b].map(|x| x.shape().dims::<4>()[1]);
        let out = Flex::concat(a, b);
        let prep = ConcatBackward.prepare::<C>([a_guard, b_guard]);
        match prep.compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish([first, first + second], out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }
}
