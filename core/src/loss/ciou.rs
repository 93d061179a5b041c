//! Complete IoU (Zheng et al. 2020, FACTS 3): overlap, distance of centres, likeness of shape.

use burn::tensor::{Tensor, s};

pub(super) const EPSILON: f64 = 1e-7;

/// CIoU of each predicted box with its target, both `[N, 4]` as `cx, cy, w, h`; returns `[N]`.
/// Gradients flow to the prediction; the trade-off factor alpha is a constant, as the paper has it.
pub fn ciou(predicted: Tensor<2>, target: Tensor<2>) -> Tensor<1> {
    let rows = predicted.dims()[0];
    let column =
        |boxes: &Tensor<2>, i: usize| boxes.clone().slice(s![.., i..i + 1]).reshape([rows]);
    let (px, py, pw, ph) = (
        column(&predicted, 0),
        column(&predicted, 1),
        column(&predicted, 2),
        column(&predicted, 3),
    );
    let (tx, ty, tw, th) = (
        column(&target, 0),
        column(&target, 1),
        column(&target, 2),
        column(&target, 3),
    );

    let edges = |c: &Tensor<1>, size: &Tensor<1>| {
        let half = size.clone().mul_scalar(0.5);
        (c.clone() - half.clone(), c.clone() + half)
    };
    let (px1, px2) = edges(&px, &pw);
    let (py1, py2) = edges(&py, &ph);
    let (tx1, tx2) = edges(&tx, &tw);
    let (ty1, ty2) = edges(&ty, &th);

    let overlap = |a1: &Tensor<1>, a2: &Tensor<1>, b1: &Tensor<1>, b2: &Tensor<1>| {
        (a2.clone().min_pair(b2.clone()) - a1.clone().max_pair(b1.clone())).clamp_min(0.0)
    };
    let intersection = overlap(&px1, &px2, &tx1, &tx2) * overlap(&py1, &py2, &ty1, &ty2);
    let ph = ph.add_scalar(EPSILON);
    let th = th.add_scalar(EPSILON);
    let union = pw.clone() * ph.clone() + tw.clone() * th.clone() - intersection.clone();
    let iou = intersection / union.add_scalar(EPSILON);

    let enclosing_w = px2.clone().max_pair(tx2.clone()) - px1.clone().min_pair(tx1.clone());
    let enclosing_h = py2.clone().max_pair(ty2.clone()) - py1.clone().min_pair(ty1.clone());
    let diagonal = enclosing_w.square() + enclosing_h.square() + EPSILON;
    let distance =
        ((tx1 + tx2 - px1 - px2).square() + (ty1 + ty2 - py1 - py2).square()).mul_scalar(0.25);

    let angle = (tw / th).atan() - (pw / ph).atan();
    let shape = angle
        .square()
        .mul_scalar(4.0 / std::f64::consts::PI.powi(2));
    let alpha = shape.clone().detach() / (shape.clone() - iou.clone() + (1.0 + EPSILON)).detach();
    iou - (distance / diagonal + shape * alpha)
}
