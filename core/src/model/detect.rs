//! Detect: one 1×1 convolution with bias per scale, and the decoding of its outputs (FACTS 1).

use burn::tensor::{Device, Tensor, TensorData, activation::sigmoid, s};
use rand_chacha::ChaCha8Rng;

use super::architecture::ParameterKind;
use super::blocks::uniform;
use super::state::Visitor;
use crate::ops::conv2d;

/// The detection head.
#[derive(Debug, Clone)]
pub struct Detect {
    /// Per scale `[A·(5+C), C_in, 1, 1]` and `[A·(5+C)]`.
    pub m: Vec<(Tensor<4>, Tensor<1>)>,
}

impl Detect {
    /// A seeded head. Its biases start where some eight objects a picture and rare classes are likely (FACTS 1).
    pub fn new(
        channels: &[usize],
        strides: &[usize],
        anchors: usize,
        nc: usize,
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Self {
        let out = anchors * (5 + nc);
        let m = channels
            .iter()
            .zip(strides)
            .map(|(&c, &stride)| {
                let weight = uniform([out, c, 1, 1], c, rng, device);
                let bias = uniform([out], c, rng, device);
                let objectness = (8.0 / (640.0 / stride as f64).powi(2)).ln() as f32;
                let class = (0.6 / (nc as f64 - 0.99999)).ln() as f32;
                let prior: Vec<f32> = (0..out)
                    .map(|i| match i % (5 + nc) {
                        0..4 => 0.0,
                        4 => objectness,
                        _ => class,
                    })
                    .collect();
                (
                    weight,
                    bias + Tensor::from_data(TensorData::new(prior, [out]), device),
                )
            })
            .collect();
        Self { m }
    }

    /// Feature maps to raw heads `[B, A·(5+C), H, W]`, one per scale.
    pub fn forward(&self, features: Vec<Tensor<4>>) -> Vec<Tensor<4>> {
        features
            .into_iter()
            .zip(&self.m)
            .map(|(x, (weight, bias))| conv2d(x, weight.clone(), Some(bias.clone()), 1, 0))
            .collect()
    }

    /// The same head on the plain device.
    pub(super) fn plain(&self) -> Self {
        let plain = |(weight, bias): &(Tensor<4>, Tensor<1>)| {
            let (weight, bias) = (weight.clone(), bias.clone());
            (weight.without_autodiff(), bias.without_autodiff())
        };
        Self {
            m: self.m.iter().map(plain).collect(),
        }
    }

    /// Visits weight and bias per scale.
    pub fn visit<V: Visitor>(&mut self, path: &str, visitor: &mut V) {
        for (i, (weight, bias)) in self.m.iter_mut().enumerate() {
            visitor.parameter(
                &format!("{path}.m.{i}.weight"),
                ParameterKind::Weight,
                weight,
            );
            visitor.parameter(&format!("{path}.m.{i}.bias"), ParameterKind::Bias, bias);
        }
    }
}

/// Decodes raw heads into rows `[B, N, 5+C]` of `cx, cy, w, h` in input pixels, objectness and class
/// probabilities. Rows run over scale, anchor, y, x.
pub fn decode(
    heads: Vec<Tensor<4>>,
    anchors: &[Vec<[f32; 2]>],
    strides: &[usize],
    nc: usize,
) -> Tensor<3> {
    let rows = heads
        .into_iter()
        .zip(anchors)
        .zip(strides)
        .map(|((head, anchors), &stride)| decode_scale(head, anchors, stride as f32, nc))
        .collect();
    Tensor::cat(rows, 1)
}

fn decode_scale(head: Tensor<4>, anchors: &[[f32; 2]], stride: f32, nc: usize) -> Tensor<3> {
    let [batch, _, height, width] = head.dims();
    let (count, cells, outputs) = (anchors.len(), height * width, 5 + nc);
    let device = head.device();
    // Cell corners less half a cell, and anchor sizes: [1, A, 2, H·W]
    let mut shift = Vec::with_capacity(count * 2 * cells);
    let mut size = Vec::with_capacity(count * 2 * cells);
    for anchor in anchors {
        shift.extend((0..cells).map(|i| ((i % width) as f32 - 0.5) * stride));
        shift.extend((0..cells).map(|i| ((i / width) as f32 - 0.5) * stride));
        size.extend(std::iter::repeat_n(anchor[0] * 4.0, cells));
        size.extend(std::iter::repeat_n(anchor[1] * 4.0, cells));
    }
    let shape = [1, count, 2, cells];
    let shift = Tensor::<4>::from_data(TensorData::new(shift, shape), &device);
    let size = Tensor::<4>::from_data(TensorData::new(size, shape), &device);

    let p = sigmoid(head.reshape([batch, count, outputs, cells])); // [B, A, 5+C, H·W]
    let xy = p
        .clone()
        .slice(s![.., .., 0..2, ..])
        .mul_scalar(2.0 * stride)
        + shift;
    let wh = p.clone().slice(s![.., .., 2..4, ..]);
    let wh = wh.clone() * wh * size;
    let scores = p.slice(s![.., .., 4.., ..]);
    Tensor::cat(vec![xy, wh, scores], 2)
        .swap_dims(2, 3)
        .reshape([batch, count * cells, outputs])
}
