//! Box, objectness and class loss over all scales (FACTS 3). Nothing is read back from the device.

use std::collections::HashMap;

use burn::tensor::activation::{log_sigmoid, sigmoid};
use burn::tensor::{Device, IndexingUpdateOp, Int, Tensor, TensorData, s};

use super::assign::{Matches, assign};
use super::ciou::ciou;
use super::scale::{Entropy, ScaleLoss, Wanted};
use crate::data::Label;
use crate::model::Architecture;
use crate::model::detect::Detect;
use crate::ops::{self, Row};
use crate::train::Hyp;

/// Weight of each scale's objectness for three scales.
const BALANCE: [f64; 3] = [4.0, 1.0, 0.4];
/// The focal loss's weight of positives (Lin et al. 2017).
pub(super) const FOCAL_ALPHA: f64 = 0.25;

/// The loss of a network for given gains.
#[derive(Debug, Clone)]
pub struct DetectionLoss {
    /// `[scale][anchor] = [w, h]` in cells.
    anchors: Vec<Vec<[f32; 2]>>,
    nc: usize,
    anchor_t: f32,
    gain_box: f64,
    gain_objectness: f64,
    gain_class: f64,
    positive: f32,
    negative: f32,
    class_weight: f64,
    objectness_weight: f64,
    focal_gamma: f64,
}

/// What one batch costs.
#[derive(Debug, Clone)]
pub struct LossOutput {
    /// `[1]`: what is minimised, batch size times the sum of the items.
    pub total: Tensor<1>,
    /// `[3]`: box, objectness and class loss with their gains, detached.
    pub items: Tensor<1>,
}

impl DetectionLoss {
    /// The loss for `architecture`, its gains scaled to the number of scales and classes and to `imgsz` pixels.
    pub fn new(architecture: &Architecture, hyp: &Hyp, imgsz: usize) -> Self {
        let scales = architecture.anchors.len() as f64;
        let anchors = architecture
            .anchors
            .iter()
            .zip(architecture.strides())
            .map(|(anchors, stride)| {
                anchors
                    .iter()
                    .map(|a| a.map(|side| side / stride as f32))
                    .collect()
            })
            .collect();
        Self {
            anchors,
            nc: architecture.nc,
            anchor_t: hyp.anchor_t as f32,
            gain_box: hyp.r#box * 3.0 / scales,
            gain_objectness: hyp.obj * (imgsz as f64 / 640.0).powi(2) * 3.0 / scales,
            gain_class: hyp.cls * architecture.nc as f64 / 80.0 * 3.0 / scales,
            positive: (1.0 - 0.5 * hyp.label_smoothing) as f32,
            negative: (0.5 * hyp.label_smoothing) as f32,
            class_weight: hyp.cls_pw,
            objectness_weight: hyp.obj_pw,
            focal_gamma: hyp.fl_gamma,
        }
    }

    /// Loss of what Detect makes of `features` `[B, C_in, H, W]` per scale. On the CPU this is one
    /// operation per scale, which computes only the outputs that the loss reads.
    pub fn of_features(
        &self,
        detect: &Detect,
        features: Vec<Tensor<4>>,
        targets: &[(usize, Label)],
    ) -> LossOutput {
        if !features.iter().all(ops::served) {
            return self.forward(detect.forward(features), targets);
        }
        let (device, batch) = (features[0].device(), features[0].dims()[0]);
        let scales = features
            .into_iter()
            .zip(&detect.m)
            .zip(&self.anchors)
            .enumerate();
        let (sums, items): (Vec<_>, Vec<_>) = scales
            .map(|(scale, ((x, (weight, bias)), anchors))| {
                let [_, _, height, width] = x.dims();
                let matches = assign(targets, anchors, [height, width], self.anchor_t);
                let rows = (0..matches.len())
                    .map(|i| Row {
                        picture: matches.picture[i],
                        anchor: matches.anchor[i],
                        cell: matches.y[i] * width + matches.x[i],
                    })
                    .collect();
                let loss = self.scale_loss(scale, &matches, [height, width]);
                ops::detect_loss(
                    x,
                    weight.clone(),
                    bias.clone(),
                    anchors.len(),
                    rows,
                    Box::new(move |objectness, rows| loss.judge(objectness, rows)),
                )
            })
            .unzip();
        let sum = |tensors: Vec<Tensor<1>>| tensors.into_iter().reduce(|a, b| a + b);
        let nothing = |items: usize| Tensor::zeros([items], &device);
        let total = sum(sums).unwrap_or_else(|| nothing(1));
        LossOutput {
            total: total.mul_scalar(batch as f64),
            items: sum(items).unwrap_or_else(|| nothing(3)),
        }
    }

    fn scale_loss(&self, scale: usize, matches: &Matches, grid: [usize; 2]) -> ScaleLoss {
        let anchors = &self.anchors[scale];
        let wanted = (0..matches.len())
            .map(|i| Wanted {
                target: matches.boxes[i],
                anchor: anchors[matches.anchor[i]],
                class: matches.class[i],
            })
            .collect();
        let entropy = |positive| Entropy {
            positive,
            focal_gamma: self.focal_gamma,
        };
        ScaleLoss {
            wanted,
            winners: winners(&cells_of(matches, anchors.len(), grid)),
            gains: [
                self.gain_box,
                self.gain_objectness * balance(scale),
                self.gain_class,
            ],
            objectness: entropy(self.objectness_weight),
            class: entropy(self.class_weight),
            positive: self.positive,
            negative: self.negative,
        }
    }

    /// Loss of raw heads `[B, A·(5+C), H, W]` against `targets` (picture in batch, label).
    pub fn forward(&self, heads: Vec<Tensor<4>>, targets: &[(usize, Label)]) -> LossOutput {
        let device = heads[0].device();
        let batch = heads[0].dims()[0];
        let zero = || Tensor::<1>::zeros([1], &device);
        let (mut lbox, mut lobj, mut lcls) = (zero(), zero(), zero());
        for (scale, (head, anchors)) in heads.into_iter().zip(&self.anchors).enumerate() {
            let [_, _, height, width] = head.dims();
            let (count, outputs, cells) = (anchors.len(), 5 + self.nc, height * width);
            let head = head.reshape([batch, count, outputs, cells]);
            let objectness = head
                .clone()
                .slice(s![.., .., 4..5, ..])
                .reshape([batch * count * cells]);
            let mut wanted = Tensor::<1>::zeros([batch * count * cells], &device);

            let matches = assign(targets, anchors, [height, width], self.anchor_t);
            if !matches.is_empty() {
                let n = matches.len();
                let flat = cells_of(&matches, count, [height, width]);
                let rows = head
                    .swap_dims(2, 3)
                    .reshape([batch * count * cells, outputs]);
                let rows = rows.select(0, indices(&flat, &device)); // [N, 5+C]

                let xy = sigmoid(rows.clone().slice(s![.., 0..2]))
                    .mul_scalar(2.0)
                    .sub_scalar(0.5);
                let wh = sigmoid(rows.clone().slice(s![.., 2..4]))
                    .mul_scalar(2.0)
                    .square()
                    * anchor_rows(&matches, anchors, &device);
                let target = Tensor::<2>::from_data(
                    TensorData::new(matches.boxes.concat(), [n, 4]),
                    &device,
                );
                let iou = ciou(Tensor::cat(vec![xy, wh], 1), target); // [N]
                lbox = lbox + (iou.clone().neg() + 1.0).mean();

                let (winners, owned): (Vec<usize>, Vec<usize>) = winners(&flat).into_iter().unzip();
                let quality = iou
                    .detach()
                    .clamp_min(0.0)
                    .select(0, indices(&winners, &device));
                wanted = wanted.select_assign(
                    0,
                    indices(&owned, &device),
                    quality,
                    IndexingUpdateOp::Add,
                );

                if self.nc > 1 {
                    let mut classes = vec![self.negative; n * self.nc];
                    for (row, &class) in matches.class.iter().enumerate() {
                        classes[row * self.nc + class] = self.positive;
                    }
                    let classes =
                        Tensor::<2>::from_data(TensorData::new(classes, [n, self.nc]), &device);
                    lcls = lcls
                        + self.cross_entropy(rows.slice(s![.., 5..]), classes, self.class_weight);
                }
            }
            lobj = lobj
                + self
                    .cross_entropy(objectness, wanted, self.objectness_weight)
                    .mul_scalar(balance(scale));
        }
        let items = [
            lbox.mul_scalar(self.gain_box),
            lobj.mul_scalar(self.gain_objectness),
            lcls.mul_scalar(self.gain_class),
        ];
        let [lbox, lobj, lcls] = items;
        let total = (lbox.clone() + lobj.clone() + lcls.clone()).mul_scalar(batch as f64);
        LossOutput {
            total,
            items: Tensor::cat(vec![lbox.detach(), lobj.detach(), lcls.detach()], 0),
        }
    }

    /// Mean binary cross-entropy of logits, positives weighted, focal when asked.
    fn cross_entropy<const D: usize>(
        &self,
        logits: Tensor<D>,
        wanted: Tensor<D>,
        positive_weight: f64,
    ) -> Tensor<1> {
        let log_p = log_sigmoid(logits.clone());
        let unwanted = wanted.clone().neg() + 1.0;
        let log_weight = if positive_weight == 1.0 {
            log_p
        } else {
            log_p * (wanted.clone().mul_scalar(positive_weight - 1.0) + 1.0)
        };
        let loss = unwanted.clone() * logits.clone() - log_weight;
        if self.focal_gamma <= 0.0 {
            return loss.mean();
        }
        let p = sigmoid(logits);
        let p_t = wanted.clone() * p.clone() + unwanted.clone() * (p.neg() + 1.0);
        let alpha = wanted.mul_scalar(FOCAL_ALPHA) + unwanted.mul_scalar(1.0 - FOCAL_ALPHA);
        (loss * alpha * (p_t.neg() + 1.0).powf_scalar(self.focal_gamma)).mean()
    }
}

fn balance(scale: usize) -> f64 {
    BALANCE.get(scale).copied().unwrap_or(1.0)
}

/// Of every match, its cell among all `[B, A, H·W]` of its scale.
fn cells_of(matches: &Matches, anchors: usize, [height, width]: [usize; 2]) -> Vec<usize> {
    (0..matches.len())
        .map(|i| {
            let plane = matches.picture[i] * anchors + matches.anchor[i];
            (plane * height + matches.y[i]) * width + matches.x[i]
        })
        .collect()
}

/// The matches that decide what their cell's objectness wants, with their cells: a cell matched more
/// than once wants the IoU of its last match.
fn winners(cells: &[usize]) -> Vec<(usize, usize)> {
    let last: HashMap<usize, usize> = cells
        .iter()
        .enumerate()
        .map(|(row, &cell)| (cell, row))
        .collect();
    let rows = cells.iter().copied().enumerate();
    rows.filter(|(row, cell)| last[cell] == *row).collect()
}

fn indices(values: &[usize], device: &Device) -> Tensor<1, Int> {
    let values: Vec<i32> = values.iter().map(|&i| i as i32).collect();
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), device)
}

fn anchor_rows(matches: &Matches, anchors: &[[f32; 2]], device: &Device) -> Tensor<2> {
    let rows: Vec<f32> = matches.anchor.iter().flat_map(|&a| anchors[a]).collect();
    Tensor::from_data(TensorData::new(rows, [matches.len(), 2]), device)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Distribution;

    use super::*;
    use crate::model::{Size, Yolov5};

    /// The heads are sums in another order, and their derivatives by hand are in double precision.
    const TOLERANCE: f32 = 2e-5;

    fn close(what: &str, got: Tensor<1>, want: Tensor<1>) {
        let values = |tensor: Tensor<1>| tensor.into_data().try_to_vec::<f32>().expect("floats");
        let (got, want) = (values(got), values(want));
        assert_eq!(got.len(), want.len(), "{what}");
        let scale = want.iter().fold(1e-3f32, |a, v| a.max(v.abs()));
        for (got, want) in got.iter().zip(&want) {
            let difference = (got - want).abs();
            assert!(
                difference <= TOLERANCE * scale,
                "{what}: {got} {want} of {scale}"
            );
        }
    }

    fn flat<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
        let count = tensor.dims().iter().product::<usize>();
        tensor.without_autodiff().reshape([count])
    }

    /// A target under every size of anchor, some in one cell, some at the border.
    fn targets(classes: usize) -> Vec<(usize, Label)> {
        (0..24)
            .map(|i| {
                let k = (i / 2) as f32;
                let cxcywh = [
                    0.04 + 0.08 * k,
                    0.98 - 0.07 * k,
                    0.05 + 0.05 * k,
                    0.5 - 0.03 * k,
                ];
                let class = i % classes;
                (i % 2, Label { class, cxcywh })
            })
            .collect()
    }

    #[test]
    fn the_loss_of_features_is_the_loss_of_their_heads() {
        let plain = Device::flex();
        let device = plain.clone().autodiff();
        let options = Hyp {
            label_smoothing: 0.1,
            cls_pw: 1.3,
            obj_pw: 0.8,
            ..Hyp::default()
        };
        let focal = Hyp {
            fl_gamma: 1.5,
            ..options.clone()
        };
        for (nc, hyp) in [
            (1, Hyp::default()),
            (3, Hyp::default()),
            (7, options),
            (3, focal),
        ] {
            let architecture = Architecture::yolov5(Size::N, nc);
            let loss = DetectionLoss::new(&architecture, &hyp, 128);
            let mut detect = Yolov5::new(architecture, 3, &plain).detect().clone();
            for (weight, bias) in &mut detect.m {
                *weight = weight.clone().autodiff().require_grad();
                *bias = bias.clone().autodiff().require_grad();
            }
            let features: Vec<Tensor<4>> = [(64, 16), (128, 8), (256, 4)]
                .map(|(channels, side)| {
                    let shape = [2, channels, side, side];
                    Tensor::random(shape, Distribution::Normal(0.0, 1.0), &device).require_grad()
                })
                .to_vec();
            let targets = targets(nc);
            for targets in [&targets[..], &[]] {
                let ours = loss.of_features(&detect, features.clone(), targets);
                let theirs = loss.forward(detect.forward(features.clone()), targets);
                let case = format!("{nc} classes, focal {}", hyp.fl_gamma);
                close(
                    &format!("items, {case}"),
                    ours.items,
                    theirs.items.without_autodiff(),
                );
                close(
                    &format!("total, {case}"),
                    flat(ours.total.clone()),
                    flat(theirs.total.clone()),
                );
                let (mut ours, mut theirs) = (ours.total.backward(), theirs.total.backward());
                for (scale, x) in features.iter().enumerate() {
                    let (weight, bias) = &detect.m[scale];
                    let what = |name| format!("{name} of scale {scale}, {case}");
                    let mut of = |x: &Tensor<4>| {
                        let take = |gradients| flat(x.grad_remove(gradients).expect("a gradient"));
                        [take(&mut ours), take(&mut theirs)]
                    };
                    let [got, want] = of(x);
                    close(&what("features"), got, want);
                    let [got, want] = of(weight);
                    close(&what("weight"), got, want);
                    let take = |gradients| bias.grad_remove(gradients).expect("a gradient");
                    close(&what("bias"), take(&mut ours), take(&mut theirs));
                }
            }
        }
    }
}
