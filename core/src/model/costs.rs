//! What the network costs for an image size: FLOPs, output shapes and bytes, computed from the
//! architecture without a tensor.
//!
//! Two counts of FLOPs are in use. [`ModuleCost::flops`] follows the reference's model summary
//! (FACTS 1): two per multiply-add of a convolution, without bias, and eight per element that a
//! BatchNorm reads; pooling, SiLU and upsampling count nothing. It equals the golden GFLOPs
//! exactly. [`Work`], the cost of a training step, counts convolutions only (FACTS 8).

use serde::Serialize;

use super::architecture::{Architecture, Convolution, ModuleKind};
use crate::error::{Error, Result};

/// Largest image side.
pub const MAX_IMAGE_SIDE: usize = 16_384;
/// Bytes of an activation (f32).
const ACTIVATION_BYTES: u64 = 4;
/// Bytes of an index that max pooling keeps for its backward pass (i64).
const INDEX_BYTES: u64 = 8;

/// What one module costs in a forward pass over one image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModuleCost {
    /// Index of the module.
    pub module: usize,
    /// Elements of its parameters.
    pub parameters: u64,
    /// FLOPs by the rule of the reference's summary; see [`self`].
    pub flops: u64,
    /// Shapes `[C, H, W]` of its outputs: one, or for Detect one raw map per scale.
    pub outputs: Vec<[usize; 3]>,
    /// Bytes of its outputs in f32.
    pub output_bytes: u64,
    /// Bytes kept for the backward pass when the whole network trains; see [`Work::kept_bytes`].
    pub activation_bytes: u64,
}

/// What a training step over one image costs in one module.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Work {
    /// FLOPs of the convolutions' forward pass.
    pub forward: u64,
    /// FLOPs of the gradients of the weights that train.
    pub weight_gradients: u64,
    /// FLOPs of the gradients handed on to earlier modules; only where something trains there.
    pub input_gradients: u64,
    /// Bytes kept from the forward pass for the backward pass: inputs of convolutions whose weight
    /// trains, inputs of BatchNorms that train, inputs of SiLU where a gradient passes, and
    /// inputs and indices of max pools likewise. Each tensor counts once, parameters do not.
    pub kept_bytes: u64,
}

/// What of one convolution block learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Learns {
    /// The convolution's weight.
    pub weight: bool,
    /// The BatchNorm's weight or bias; of Detect's convolutions the bias.
    pub affine: bool,
}

impl Learns {
    /// Everything.
    pub const ALL: Self = Self {
        weight: true,
        affine: true,
    };
}

/// One operation of the network, finer than modules.
struct Operation {
    kind: OperationKind,
    /// Operations whose outputs it reads.
    inputs: Vec<usize>,
    /// The module it belongs to; `None` for the image.
    module: Option<usize>,
    channels: usize,
    /// Total stride of its output.
    stride: usize,
}

enum OperationKind {
    Image,
    /// Convolution with what follows it; index into [`Architecture::convolutions`].
    Convolution(usize),
    /// Stride-1 max pool.
    MaxPool,
    /// Add, concat or upsample: no FLOPs counted, nothing kept.
    Arrange,
}

/// The operations, in order of execution, and each module's output among them.
struct Graph {
    operations: Vec<Operation>,
    outputs: Vec<Vec<usize>>,
    convolutions: Vec<Convolution>,
}

impl Graph {
    fn new(architecture: &Architecture) -> Self {
        let convolutions = architecture.convolutions();
        let mut graph = Self {
            operations: vec![Operation {
                kind: OperationKind::Image,
                inputs: vec![],
                module: None,
                channels: 3,
                stride: 1,
            }],
            outputs: Vec::with_capacity(architecture.modules.len()),
            convolutions,
        };
        // Convolutions come module by module; `first` is where the current module's begin.
        let mut first = 0;
        for module in &architecture.modules {
            let inputs: Vec<usize> = if module.from.is_empty() {
                vec![0]
            } else {
                (module.from.iter())
                    .flat_map(|&from| graph.outputs[from].iter().copied())
                    .collect()
            };
            let at = Some(module.index);
            let input = inputs[0];
            let output = match module.kind {
                ModuleKind::Conv { .. } => vec![graph.conv(first, input)],
                ModuleKind::C3 { n, shortcut, .. } => {
                    let mut x = graph.conv(first, input);
                    let skipped = graph.conv(first + 1, input);
                    for i in 0..n {
                        let hidden = graph.conv(first + 3 + 2 * i, x);
                        let y = graph.conv(first + 4 + 2 * i, hidden);
                        let (channels, stride) = graph.form(x);
                        x = if shortcut {
                            graph.arrange(vec![x, y], at, channels, stride)
                        } else {
                            y
                        };
                    }
                    let (channels, stride) = graph.form(x);
                    let both = graph.arrange(vec![x, skipped], at, 2 * channels, stride);
                    vec![graph.conv(first + 2, both)]
                }
                ModuleKind::Sppf { .. } => {
                    let x = graph.conv(first, input);
                    let (channels, stride) = graph.form(x);
                    let mut parts = vec![x];
                    for i in 0..3 {
                        let pool = Operation {
                            kind: OperationKind::MaxPool,
                            inputs: vec![parts[i]],
                            module: at,
                            channels,
                            stride,
                        };
                        parts.push(graph.push(pool));
                    }
                    let all = graph.arrange(parts, at, 4 * channels, stride);
                    vec![graph.conv(first + 1, all)]
                }
                ModuleKind::Upsample { .. } | ModuleKind::Concat => {
                    vec![graph.arrange(inputs, at, module.channels, module.stride)]
                }
                ModuleKind::Detect { .. } => (inputs.iter().enumerate())
                    .map(|(scale, &input)| graph.conv(first + scale, input))
                    .collect(),
            };
            graph.outputs.push(output);
            while (graph.convolutions.get(first)).is_some_and(|c| c.module == module.index) {
                first += 1;
            }
        }
        graph
    }

    fn push(&mut self, operation: Operation) -> usize {
        self.operations.push(operation);
        self.operations.len() - 1
    }

    fn conv(&mut self, convolution: usize, input: usize) -> usize {
        let c = &self.convolutions[convolution];
        let operation = Operation {
            kind: OperationKind::Convolution(convolution),
            inputs: vec![input],
            module: Some(c.module),
            channels: c.c2,
            stride: self.operations[input].stride * c.stride,
        };
        self.push(operation)
    }

    fn arrange(
        &mut self,
        inputs: Vec<usize>,
        module: Option<usize>,
        channels: usize,
        stride: usize,
    ) -> usize {
        self.push(Operation {
            kind: OperationKind::Arrange,
            inputs,
            module,
            channels,
            stride,
        })
    }

    /// Channels and total stride of an operation's output.
    fn form(&self, operation: usize) -> (usize, usize) {
        let o = &self.operations[operation];
        (o.channels, o.stride)
    }

    /// Elements of an operation's output.
    fn elements(&self, operation: usize, height: usize, width: usize) -> u64 {
        let [c, h, w] = self.shape(operation, height, width);
        c as u64 * h as u64 * w as u64
    }

    /// `[C, H, W]`.
    fn shape(&self, operation: usize, height: usize, width: usize) -> [usize; 3] {
        let o = &self.operations[operation];
        [o.channels, height / o.stride, width / o.stride]
    }

    /// Multiply-adds of a convolution with the given output.
    fn macs(&self, convolution: usize, operation: usize, height: usize, width: usize) -> u64 {
        let c = &self.convolutions[convolution];
        self.elements(operation, height, width) * (c.c1 * c.kernel * c.kernel) as u64
    }
}

impl Architecture {
    /// Checks that images of this size fit the network's strides.
    ///
    /// # Errors
    /// A side that is 0, above [`MAX_IMAGE_SIDE`] or no multiple of [`Architecture::max_stride`].
    pub fn check_image_size(&self, height: usize, width: usize) -> Result<()> {
        let stride = self.max_stride();
        for side in [height, width] {
            if side == 0 || side > MAX_IMAGE_SIDE || side % stride != 0 {
                let near = (side.clamp(stride, MAX_IMAGE_SIDE) + stride / 2) / stride * stride;
                return Err(Error::input(
                    "image size",
                    side,
                    format_args!("a multiple of {stride}, at most {MAX_IMAGE_SIDE}"),
                    format_args!("Take {near}"),
                ));
            }
        }
        Ok(())
    }

    /// FLOPs, output shapes and bytes of each module for one image of the given size in pixels.
    ///
    /// # Errors
    /// As [`Architecture::check_image_size`].
    pub fn module_costs(&self, height: usize, width: usize) -> Result<Vec<ModuleCost>> {
        let work = self.work(height, width, &vec![Learns::ALL; self.convolutions().len()])?;
        let graph = Graph::new(self);
        let mut costs: Vec<ModuleCost> = (graph.outputs.iter().zip(self.module_parameters()))
            .enumerate()
            .map(|(module, (outputs, parameters))| ModuleCost {
                module,
                parameters,
                flops: 0,
                outputs: (outputs.iter())
                    .map(|&o| graph.shape(o, height, width))
                    .collect(),
                output_bytes: (outputs.iter())
                    .map(|&o| graph.elements(o, height, width) * ACTIVATION_BYTES)
                    .sum(),
                activation_bytes: work[module].kept_bytes,
            })
            .collect();
        for (index, operation) in graph.operations.iter().enumerate() {
            if let (OperationKind::Convolution(c), Some(module)) =
                (&operation.kind, operation.module)
            {
                costs[module].flops += 2 * graph.macs(*c, index, height, width);
                if graph.convolutions[*c].norm {
                    costs[module].flops += 8 * graph.elements(index, height, width);
                }
            }
        }
        Ok(costs)
    }

    /// FLOPs of a forward pass over one image, by the rule of the reference's summary; see [`self`].
    ///
    /// # Errors
    /// As [`Architecture::check_image_size`].
    pub fn flops(&self, height: usize, width: usize) -> Result<u64> {
        Ok(self
            .module_costs(height, width)?
            .iter()
            .map(|c| c.flops)
            .sum())
    }

    /// What a training step over one image costs in each module, when of each convolution (in the
    /// order of [`Architecture::convolutions`]) `learns` learns. Missing entries learn everything.
    ///
    /// # Errors
    /// As [`Architecture::check_image_size`].
    pub fn work(&self, height: usize, width: usize, learns: &[Learns]) -> Result<Vec<Work>> {
        self.check_image_size(height, width)?;
        let graph = Graph::new(self);
        let mut work = vec![Work::default(); self.modules.len()];
        // Per operation: whether a gradient reaches its output, and whether its output is kept.
        let mut gradient = vec![false; graph.operations.len()];
        let mut kept = vec![false; graph.operations.len()];
        for (index, operation) in graph.operations.iter().enumerate() {
            let Some(module) = operation.module else {
                continue;
            };
            let work = &mut work[module];
            let incoming = operation.inputs.iter().any(|&input| gradient[input]);
            gradient[index] = incoming;
            let elements = graph.elements(index, height, width);
            let mut keep_input = false;
            match operation.kind {
                OperationKind::Convolution(c) => {
                    let learns = learns.get(c).copied().unwrap_or(Learns::ALL);
                    let flops = 2 * graph.macs(c, index, height, width);
                    work.forward += flops;
                    if learns.weight {
                        work.weight_gradients += flops;
                        keep_input = true;
                    }
                    if incoming {
                        work.input_gradients += flops;
                    }
                    gradient[index] = incoming || learns.weight || learns.affine;
                    if graph.convolutions[c].norm {
                        if learns.affine {
                            work.kept_bytes += elements * ACTIVATION_BYTES;
                        }
                        if gradient[index] {
                            work.kept_bytes += elements * ACTIVATION_BYTES;
                        }
                    }
                }
                OperationKind::MaxPool if incoming => {
                    keep_input = true;
                    work.kept_bytes += elements * INDEX_BYTES;
                }
                OperationKind::MaxPool | OperationKind::Arrange | OperationKind::Image => {}
            }
            if keep_input {
                for &input in &operation.inputs {
                    if !std::mem::replace(&mut kept[input], true) {
                        work.kept_bytes += graph.elements(input, height, width) * ACTIVATION_BYTES;
                    }
                }
            }
        }
        Ok(work)
    }
}

#[cfg(test)]
#[path = "costs_tests.rs"]
mod tests;
