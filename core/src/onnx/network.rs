//! The modules between image and Detect as nodes, every BatchNorm folded into its convolution.

use std::collections::HashMap;

use burn::tensor::TensorData;

use super::graph::Graph;
use super::proto::Attribute;
use crate::error::{Error, Result};
use crate::model::Folded;
use crate::model::architecture::{Convolution, ModuleKind};

/// A network on its way into a graph.
pub(super) struct Writer {
    pub graph: Graph,
    half: bool,
    convolutions: HashMap<String, (Convolution, [TensorData; 2])>,
}

impl Writer {
    /// Reads the weights of `model`.
    ///
    /// # Errors
    /// When the device fails.
    pub async fn new(model: &Folded, half: bool) -> Result<Self> {
        let mut weights = model.convolutions().await?;
        let convolutions = model.architecture().convolutions().into_iter();
        let convolutions = convolutions
            .filter_map(|conv| {
                let values = weights.remove(&conv.prefix)?;
                Some((conv.prefix.clone(), (conv, values)))
            })
            .collect();
        Ok(Self {
            graph: Graph::default(),
            half,
            convolutions,
        })
    }

    /// Adds every module and returns the names of Detect's raw heads `[B, A·(5+C), H, W]`.
    ///
    /// # Errors
    /// A weight that half precision cannot hold.
    pub fn modules(&mut self, model: &Folded, image: &str) -> Result<Vec<String>> {
        let mut outputs: Vec<String> = Vec::new();
        for module in &model.architecture().modules {
            let name = format!("model.{}", module.index);
            let inputs: Vec<&str> = match &module.from[..] {
                [] => vec![image],
                from => from.iter().map(|&i| outputs[i].as_str()).collect(),
            };
            let output = match &module.kind {
                ModuleKind::Conv { .. } => self.block(&name, inputs[0])?,
                ModuleKind::C3 { n, shortcut, .. } => self.c3(&name, inputs[0], *n, *shortcut)?,
                ModuleKind::Sppf { kernel, .. } => self.sppf(&name, inputs[0], *kernel)?,
                ModuleKind::Upsample { scale } => self.upsample(name, inputs[0], *scale as f32),
                ModuleKind::Concat => self.concat(name, &inputs),
                ModuleKind::Detect { .. } => {
                    let heads = inputs.iter().enumerate();
                    return heads
                        .map(|(scale, input)| self.convolution(&format!("{name}.m.{scale}"), input))
                        .collect();
                }
            };
            outputs.push(output);
        }
        Ok(Vec::new())
    }

    /// A convolution with bias, of stride, kernel and padding as the architecture says.
    fn convolution(&mut self, name: &str, input: &str) -> Result<String> {
        let lost = || Error::input(name, "no weights", "a folded network with Detect", "");
        let (conv, [weight, bias]) = self.convolutions.remove(name).ok_or_else(lost)?;
        for values in [&weight, &bias] {
            let largest = values.iter::<f32>().fold(0.0f32, |a, b| a.max(b.abs()));
            if self.half && largest > burn::tensor::f16::MAX.to_f32() {
                return Err(Error::input(
                    name,
                    format!("a folded weight of {largest}"),
                    "at most 65504 in half precision",
                    "Export single precision",
                ));
            }
        }
        let weight = self
            .graph
            .weights(format!("{name}.weight"), &weight, self.half);
        let bias = self.graph.weights(format!("{name}.bias"), &bias, self.half);
        let attributes = vec![
            Attribute::ints("kernel_shape", &[conv.kernel; 2]),
            Attribute::ints("pads", &[conv.padding; 4]),
            Attribute::ints("strides", &[conv.stride; 2]),
        ];
        let inputs = [input, &weight, &bias];
        Ok(self
            .graph
            .node("Conv", format!("{name}.conv"), &inputs, attributes))
    }

    /// Convolution and SiLU.
    fn block(&mut self, name: &str, input: &str) -> Result<String> {
        let x = self.convolution(name, input)?;
        let gate = self
            .graph
            .node("Sigmoid", format!("{name}.sigmoid"), &[&x], vec![]);
        Ok(self.graph.node("Mul", name, &[&x, &gate], vec![]))
    }

    fn c3(&mut self, name: &str, input: &str, n: usize, shortcut: bool) -> Result<String> {
        let mut deep = self.block(&format!("{name}.cv1"), input)?;
        for i in 0..n {
            let bottleneck = format!("{name}.m.{i}");
            let y = self.block(&format!("{bottleneck}.cv1"), &deep)?;
            let y = self.block(&format!("{bottleneck}.cv2"), &y)?;
            deep = match shortcut {
                true => self.graph.node("Add", bottleneck, &[&deep, &y], vec![]),
                false => y,
            };
        }
        let shallow = self.block(&format!("{name}.cv2"), input)?;
        let both = self.concat(format!("{name}.cat"), &[&deep, &shallow]);
        self.block(&format!("{name}.cv3"), &both)
    }

    fn sppf(&mut self, name: &str, input: &str, kernel: usize) -> Result<String> {
        let mut pyramid = vec![self.block(&format!("{name}.cv1"), input)?];
        for i in 0..3 {
            let attributes = vec![
                Attribute::ints("kernel_shape", &[kernel; 2]),
                Attribute::ints("pads", &[kernel / 2; 4]),
                Attribute::ints("strides", &[1; 2]),
            ];
            let pool = format!("{name}.pool.{i}");
            let pooled = self.graph.node("MaxPool", pool, &[&pyramid[i]], attributes);
            pyramid.push(pooled);
        }
        let levels: Vec<&str> = pyramid.iter().map(String::as_str).collect();
        let all = self.concat(format!("{name}.cat"), &levels);
        self.block(&format!("{name}.cv2"), &all)
    }

    fn concat(&mut self, name: String, inputs: &[&str]) -> String {
        let axis = vec![Attribute::int("axis", 1)];
        self.graph.node("Concat", name, inputs, axis)
    }

    fn upsample(&mut self, name: String, input: &str, scale: f32) -> String {
        let scales = [1.0, 1.0, scale, scale];
        let scales = self.graph.floats(format!("{name}.scales"), &[4], &scales);
        let attributes = vec![
            Attribute::text("coordinate_transformation_mode", "asymmetric"),
            Attribute::text("mode", "nearest"),
            Attribute::text("nearest_mode", "floor"),
        ];
        // The input between is a region of interest, which nearest neighbours have none of.
        self.graph
            .node("Resize", name, &[input, "", &scales], attributes)
    }
}
