//! A network as a fixed function: every BatchNorm folded into the convolution before it.
//!
//! With `s = γ / √(σ² + ε)`, `γ · (W∗x − μ) / √(σ² + ε) + β = (s·W)∗x + (β − μ·s)`: a convolution with
//! bias, and nothing else. Holds where the statistics are the running ones: in the frozen prefix and
//! in inference.

use std::collections::HashMap;
use std::ops::Range;

use burn::tensor::{Tensor, TensorData};

use super::architecture::Architecture;
use super::blocks::{Conv, ConvBlock};
use super::detect::decode;
use super::layer::{Features, Layer, run};
use super::norm::EPSILON;
use super::state::{Held, Mode};
use super::yolov5::Yolov5;
use crate::error::Result;
use crate::ops::{conv_silu, served};

/// Convolution with bias, SiLU; plain tensors.
#[derive(Debug, Clone)]
pub struct FoldedConv {
    /// `[C_out, C_in, K, K]`.
    weight: Tensor<4>,
    /// `[C_out]`, what the weights are still to be multiplied by: on the CPU they stay the network's own.
    scale: Option<Tensor<1>>,
    /// `[C_out]`.
    bias: Tensor<1>,
    stride: usize,
    padding: usize,
}

impl FoldedConv {
    /// The same function as `conv` in inference.
    pub fn new(conv: &Conv) -> Self {
        let plain = |tensor: &Tensor<1>| tensor.clone().without_autodiff();
        let bn = &conv.bn;
        let scale = plain(&bn.weight) / plain(&bn.running_var).add_scalar(EPSILON).sqrt();
        let bias = plain(&bn.bias) - plain(&bn.running_mean) * scale.clone();
        let weight = conv.weight.clone().without_autodiff();
        let [channels, ..] = weight.dims();
        let (weight, scale) = if served(&weight) {
            (weight, Some(scale))
        } else {
            (weight * scale.reshape([channels, 1, 1, 1]), None)
        };
        Self {
            weight,
            scale,
            bias,
            stride: conv.stride,
            padding: conv.padding,
        }
    }

    /// Weight and bias, with nothing left to be multiplied.
    fn settled(&self) -> (Tensor<4>, Tensor<1>) {
        let [channels, ..] = self.weight.dims();
        let weight = self.weight.clone();
        let weight = match &self.scale {
            Some(scale) => weight * scale.clone().reshape([channels, 1, 1, 1]),
            None => weight,
        };
        (weight, self.bias.clone())
    }
}

impl ConvBlock for FoldedConv {
    fn forward(&mut self, x: Tensor<4>, _: Mode) -> Tensor<4> {
        conv_silu(
            x,
            self.weight.clone(),
            self.scale.clone(),
            self.bias.clone(),
            self.stride,
            self.padding,
        )
    }
}

/// The leading modules of a network, or all of them, as a fixed function on the plain device. A copy:
/// what happens to the network later does not change it.
#[derive(Debug, Clone)]
pub struct Folded {
    architecture: Architecture,
    layers: Vec<Layer<FoldedConv>>,
}

impl Yolov5 {
    /// The whole network for inference.
    pub fn fold(&self) -> Folded {
        self.fold_leading(self.layers.len())
    }

    /// Modules `0..modules` for inference.
    pub fn fold_leading(&self, modules: usize) -> Folded {
        let layers = self.layers.iter().take(modules);
        Folded {
            architecture: self.architecture().clone(),
            layers: layers.map(|layer| layer.map(&FoldedConv::new)).collect(),
        }
    }
}

impl Folded {
    /// What the network is made of.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// How many modules there are: `0..modules`.
    pub fn modules(&self) -> usize {
        self.layers.len()
    }

    /// Weight `[C_out, C_in, K, K]` and bias `[C_out]` of every convolution, Detect's too, by the prefix that
    /// [`Architecture::convolutions`] gives them.
    ///
    /// # Errors
    /// When the device fails.
    pub async fn convolutions(&self) -> Result<HashMap<String, [TensorData; 2]>> {
        let mut held = Vec::new();
        for (index, layer) in self.layers.iter().enumerate() {
            let path = format!("model.{index}");
            let mut see = |name, conv: &FoldedConv| held.push((name, conv.settled()));
            match layer {
                Layer::Conv(conv) => see(path, conv),
                Layer::C3(c3) => c3.each(&path, &mut see),
                Layer::Sppf(sppf) => sppf.each(&path, &mut see),
                Layer::Upsample(_) | Layer::Concat => {}
                Layer::Detect(detect) => {
                    let heads = detect.m.iter().cloned().enumerate();
                    held.extend(heads.map(|(scale, head)| (format!("{path}.m.{scale}"), head)));
                }
            }
        }
        let mut read = HashMap::with_capacity(held.len());
        for (name, (weight, bias)) in held {
            let [weight, bias] = [Held::float(&weight), Held::float(&bias)];
            read.insert(name, [weight.read().await?, bias.read().await?]);
        }
        Ok(read)
    }

    /// Runs `modules` on `features` and keeps the last one's output and what later modules will read.
    pub fn run(&mut self, modules: Range<usize>, features: Features) -> Features {
        run(
            &self.architecture,
            &mut self.layers,
            modules,
            features,
            Mode::Infer,
        )
    }

    /// Image `[B, 3, H, W]` in `0..=1` to raw heads `[B, A·(5+C), H, W]` per scale; none when Detect
    /// is not among the modules.
    pub fn forward(&mut self, image: Tensor<4>) -> Vec<Tensor<4>> {
        self.run(0..self.modules(), Features::image(image)).heads
    }

    /// Image to rows `[B, N, 5+C]`, see [`decode`].
    pub fn predict(&mut self, image: Tensor<4>) -> Tensor<3> {
        let heads = self.forward(image);
        self.decode(heads)
    }

    /// Decodes raw heads with this network's anchors.
    pub fn decode(&self, heads: Vec<Tensor<4>>) -> Tensor<3> {
        decode(
            heads,
            &self.architecture.anchors,
            &self.architecture.strides(),
            self.architecture.nc,
        )
    }
}
