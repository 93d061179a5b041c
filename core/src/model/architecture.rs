//! The table of modules as data (FACTS 1). Names, shapes and parameter counts are computed from it
//! without allocating a tensor; [`super::costs`] computes FLOPs and bytes.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use super::parameter::{Convolution, Parameter, ParameterKind, StateItem};
use super::rows;
pub use super::size::Size;
use crate::error::{Error, Result};

/// Most classes an architecture may have.
pub const MAX_CLASSES: usize = 16_384;

/// What one module computes, after width and depth multiples have been applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub enum ModuleKind {
    /// Convolution without bias, BatchNorm, SiLU.
    Conv {
        c1: usize,
        c2: usize,
        kernel: usize,
        stride: usize,
        padding: usize,
    },
    /// `n` bottlenecks between 1×1 convolutions; hidden width `c2 / 2`.
    C3 {
        c1: usize,
        c2: usize,
        n: usize,
        shortcut: bool,
    },
    /// Spatial pyramid pooling, fast: hidden width `c1 / 2`.
    Sppf { c1: usize, c2: usize, kernel: usize },
    /// Nearest-neighbour upsampling.
    Upsample { scale: usize },
    /// Concatenation over channels.
    Concat,
    /// One 1×1 convolution with bias per scale; `channels` of its inputs.
    Detect { channels: Vec<usize> },
}

impl ModuleKind {
    /// The name that yaml files and tables use, such as `SPPF`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Conv { .. } => "Conv",
            Self::C3 { .. } => "C3",
            Self::Sppf { .. } => "SPPF",
            Self::Upsample { .. } => "Upsample",
            Self::Concat => "Concat",
            Self::Detect { .. } => "Detect",
        }
    }

    /// Whether it has anything to learn.
    pub fn has_parameters(&self) -> bool {
        !matches!(self, Self::Upsample { .. } | Self::Concat)
    }
}

/// One row of the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Module {
    /// Position in the network, `0..`.
    pub index: usize,
    /// Absolute indices of the modules it reads; empty means it reads the image (module 0 only).
    pub from: Vec<usize>,
    /// What it computes.
    pub kind: ModuleKind,
    /// Output channels (0 for Detect).
    pub channels: usize,
    /// Total stride of its output in image pixels; for Detect the largest of its inputs.
    pub stride: usize,
}

/// An architecture with its classes and anchors.
///
/// In serde's eyes it is the reference's yaml dictionary with all multiples already applied
/// ([`Architecture::to_value`]), so that whatever is deserialized passed the same checks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "serde_json::Value", into = "serde_json::Value")]
pub struct Architecture {
    /// The modules in order.
    pub modules: Vec<Module>,
    /// Anchors per scale in image pixels, `[scale][anchor] = [w, h]`.
    pub anchors: Vec<Vec<[f32; 2]>>,
    /// Number of classes.
    pub nc: usize,
    /// How many leading modules form the backbone (10).
    pub backbone: usize,
}

impl Architecture {
    /// The same network for `nc` classes.
    ///
    /// # Errors
    /// When there is not one class.
    pub fn with_classes(&self, nc: usize) -> Result<Self> {
        if nc == 0 {
            return Err(Error::input(
                "the number of classes",
                "0",
                "at least 1",
                "Name the classes in the data yaml",
            ));
        }
        Ok(Self { nc, ..self.clone() })
    }

    /// A built-in architecture. `nc` is taken into `1..=MAX_CLASSES`.
    pub fn yolov5(size: Size, nc: usize) -> Self {
        let (depth, width) = size.multiples();
        let modules = rows::assemble(&rows::builtin(), depth, width, &|module| {
            format!("module {module}")
        })
        .expect("the built-in table is consistent: a test builds every size");
        Self {
            modules,
            anchors: vec![
                vec![[10., 13.], [16., 30.], [33., 23.]],
                vec![[30., 61.], [62., 45.], [59., 119.]],
                vec![[116., 90.], [156., 198.], [373., 326.]],
            ],
            nc: nc.clamp(1, MAX_CLASSES),
            backbone: 10,
        }
    }

    /// Every trainable parameter in state-dict order.
    pub fn parameters(&self) -> Vec<Parameter> {
        self.state()
            .into_iter()
            .filter_map(|item| {
                Some(Parameter {
                    kind: item.parameter?,
                    name: item.name,
                    shape: item.shape,
                    module: item.module,
                })
            })
            .collect()
    }

    /// Every state-dict item in the reference's order: parameters, BatchNorm statistics, anchors.
    pub fn state(&self) -> Vec<StateItem> {
        let mut items = Vec::new();
        for module in &self.modules {
            if let ModuleKind::Detect { .. } = module.kind {
                items.push(StateItem {
                    name: format!("model.{}.anchors", module.index),
                    shape: vec![self.anchors.len(), self.anchors_per_scale(), 2],
                    module: module.index,
                    parameter: None,
                    integer: false,
                });
            }
            items.extend(
                self.module_convolutions(module)
                    .iter()
                    .flat_map(Convolution::state),
            );
        }
        items
    }

    /// Every convolution in state-dict order (in C3: cv1, cv2, cv3, then the bottlenecks).
    pub fn convolutions(&self) -> Vec<Convolution> {
        self.modules
            .iter()
            .flat_map(|module| self.module_convolutions(module))
            .collect()
    }

    /// The convolutions of one module in state-dict order.
    fn module_convolutions(&self, module: &Module) -> Vec<Convolution> {
        let conv = |suffix: &str, c1, c2, kernel: usize| Convolution {
            prefix: format!("model.{}{suffix}", module.index),
            module: module.index,
            c1,
            c2,
            kernel,
            stride: 1,
            padding: kernel / 2,
            norm: true,
        };
        match module.kind {
            ModuleKind::Conv {
                c1,
                c2,
                kernel,
                stride,
                padding,
            } => vec![Convolution {
                stride,
                padding,
                ..conv("", c1, c2, kernel)
            }],
            ModuleKind::C3 { c1, c2, n, .. } => {
                let hidden = c2 / 2;
                let mut list = vec![
                    conv(".cv1", c1, hidden, 1),
                    conv(".cv2", c1, hidden, 1),
                    conv(".cv3", 2 * hidden, c2, 1),
                ];
                for i in 0..n {
                    list.push(conv(&format!(".m.{i}.cv1"), hidden, hidden, 1));
                    list.push(conv(&format!(".m.{i}.cv2"), hidden, hidden, 3));
                }
                list
            }
            ModuleKind::Sppf { c1, c2, .. } => {
                let hidden = c1 / 2;
                vec![conv(".cv1", c1, hidden, 1), conv(".cv2", 4 * hidden, c2, 1)]
            }
            ModuleKind::Upsample { .. } | ModuleKind::Concat => vec![],
            ModuleKind::Detect { ref channels } => (channels.iter().enumerate())
                .map(|(scale, &c1)| Convolution {
                    norm: false,
                    ..conv(&format!(".m.{scale}"), c1, self.detect_channels(), 1)
                })
                .collect(),
        }
    }

    /// Parameters (elements) of each module.
    pub fn module_parameters(&self) -> Vec<u64> {
        let mut counts = vec![0; self.modules.len()];
        for parameter in self.parameters() {
            counts[parameter.module] += parameter.elements();
        }
        counts
    }

    /// Parameters (elements) of the whole network.
    pub fn parameter_count(&self) -> u64 {
        self.module_parameters().iter().sum()
    }

    /// Anchors per scale (3).
    pub fn anchors_per_scale(&self) -> usize {
        self.anchors.first().map_or(0, Vec::len)
    }

    /// Output channels of each of Detect's convolutions: anchors × (5 + classes).
    pub fn detect_channels(&self) -> usize {
        self.anchors_per_scale() * (5 + self.nc)
    }

    /// Strides of Detect's scales in image pixels (8, 16, 32).
    pub fn strides(&self) -> Vec<usize> {
        self.modules
            .last()
            .map(|detect| {
                detect
                    .from
                    .iter()
                    .map(|&i| self.modules[i].stride)
                    .collect()
            })
            .unwrap_or_default()
    }

    /// The stride that image sides must be multiples of: the largest in the network (32).
    pub fn max_stride(&self) -> usize {
        self.modules.iter().map(|m| m.stride).max().unwrap_or(1)
    }

    /// Anchors in grid units, `[scale][anchor] = [w, h]`, as the state dict holds them.
    pub fn anchors_grid(&self) -> Vec<Vec<[f32; 2]>> {
        (self.anchors.iter().zip(self.strides()))
            .map(|(anchors, stride)| {
                let stride = stride as f32;
                anchors
                    .iter()
                    .map(|[w, h]| [w / stride, h / stride])
                    .collect()
            })
            .collect()
    }

    /// Outputs that must be kept after the next module has run, ascending: those read by a module
    /// other than the next one, and those Detect reads.
    pub fn saved(&self) -> Vec<usize> {
        let mut saved = BTreeSet::new();
        for module in &self.modules {
            let detect = matches!(module.kind, ModuleKind::Detect { .. });
            saved.extend(
                (module.from.iter().copied()).filter(|&from| detect || from + 1 != module.index),
            );
        }
        saved.into_iter().collect()
    }

    /// Layers as the reference's summary counts them (214 for n): every block, container and leaf,
    /// the SiLU that all blocks share once.
    pub fn layers(&self) -> usize {
        let blocks: usize = (self.modules.iter())
            .map(|module| match module.kind {
                // The block, its `Sequential`, and the bottlenecks in it.
                ModuleKind::C3 { n, .. } => 2 + n,
                ModuleKind::Sppf { .. } => 1,
                // Detect and its `ModuleList`.
                ModuleKind::Detect { .. } => 2,
                _ => 0,
            })
            .sum();
        let conv_blocks = self.convolutions().iter().filter(|c| c.norm).count();
        // The model and its `Sequential`.
        self.leaf_layers() + conv_blocks + blocks + 2
    }

    /// Layers without children (125 for n): convolutions, BatchNorms, one shared SiLU, max pools,
    /// Upsamples and Concats.
    pub fn leaf_layers(&self) -> usize {
        let convolutions = self.convolutions();
        let norms = convolutions.iter().filter(|c| c.norm).count();
        let others = (self.modules.iter())
            .filter(|m| {
                matches!(
                    m.kind,
                    ModuleKind::Sppf { .. } | ModuleKind::Upsample { .. } | ModuleKind::Concat
                )
            })
            .count();
        convolutions.len() + norms + usize::from(norms > 0) + others
    }
}

impl TryFrom<serde_json::Value> for Architecture {
    type Error = Error;

    fn try_from(value: serde_json::Value) -> Result<Self> {
        Self::from_value(&value, "architecture", None)
    }
}

impl From<Architecture> for serde_json::Value {
    fn from(architecture: Architecture) -> Self {
        architecture.to_value()
    }
}

#[cfg(test)]
#[path = "architecture_tests.rs"]
pub(crate) mod tests;
