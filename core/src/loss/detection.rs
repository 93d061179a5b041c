//! Box, objectness and class loss over all scales (FACTS 3). Nothing is read back from the device.

use std::collections::HashMap;

use burn::tensor::activation::{log_sigmoid, sigmoid};
use burn::tensor::{Device, IndexingUpdateOp, Int, Tensor, TensorData, s};

use super::assign::{Matches, assign};
use super::ciou::ciou;
use crate::data::Label;
use crate::model::Architecture;
use crate::train::Hyp;

/// Weight of each scale's objectness for three scales.
const BALANCE: [f64; 3] = [4.0, 1.0, 0.4];
/// The focal loss's weight of positives (Lin et al. 2017).
const FOCAL_ALPHA: f64 = 0.25;

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
                let flat: Vec<usize> = (0..n)
                    .map(|i| {
                        ((matches.picture[i] * count + matches.anchor[i]) * height + matches.y[i])
                            * width
                            + matches.x[i]
                    })
                    .collect();
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

                // A cell matched more than once wants the IoU of its last match.
                let last: HashMap<usize, usize> = flat
                    .iter()
                    .enumerate()
                    .map(|(row, &cell)| (cell, row))
                    .collect();
                let (winners, owned): (Vec<usize>, Vec<usize>) = flat
                    .iter()
                    .enumerate()
                    .filter(|(row, cell)| last[cell] == *row)
                    .map(|(row, &cell)| (row, cell))
                    .unzip();
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
            let balance = BALANCE.get(scale).copied().unwrap_or(1.0);
            lobj = lobj
                + self
                    .cross_entropy(objectness, wanted, self.objectness_weight)
                    .mul_scalar(balance);
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

fn indices(values: &[usize], device: &Device) -> Tensor<1, Int> {
    let values: Vec<i32> = values.iter().map(|&i| i as i32).collect();
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), device)
}

fn anchor_rows(matches: &Matches, anchors: &[[f32; 2]], device: &Device) -> Tensor<2> {
    let rows: Vec<f32> = matches.anchor.iter().flat_map(|&a| anchors[a]).collect();
    Tensor::from_data(TensorData::new(rows, [matches.len(), 2]), device)
}
