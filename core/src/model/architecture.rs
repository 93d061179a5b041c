//! The table of modules as data (FACTS 1). Names, shapes, parameter counts and FLOPs are computed
//! from it without allocating a tensor.

use crate::error::Result;

/// The five published sizes of YOLOv5 v6.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Size {
    N,
    S,
    M,
    L,
    X,
}

/// What one module computes, after width and depth multiples have been applied.
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// One row of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Position in the network, `0..`.
    pub index: usize,
    /// Absolute indices of the modules it reads; empty means it reads the image (module 0 only).
    pub from: Vec<usize>,
    /// What it computes.
    pub kind: ModuleKind,
    /// Output channels (0 for Detect).
    pub channels: usize,
    /// Total stride of its output in image pixels.
    pub stride: usize,
}

/// Which optimizer group a parameter belongs to (FACTS 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParameterKind {
    /// Convolution weight: decayed.
    Weight,
    /// BatchNorm weight: not decayed.
    NormWeight,
    /// Any bias: not decayed, own warm-up.
    Bias,
}

/// One named parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// The reference's name, such as `model.2.cv1.conv.weight`.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Index of the module it belongs to.
    pub module: usize,
    /// Optimizer group.
    pub kind: ParameterKind,
}

/// An architecture with its classes and anchors.
#[derive(Debug, Clone, PartialEq)]
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
    /// A built-in architecture.
    pub fn yolov5(size: Size, nc: usize) -> Self {
        todo!("{size:?} {nc}")
    }
    /// Reads the reference's architecture yaml; `place` names it in errors.
    ///
    /// # Errors
    /// Names the row and field that cannot be read.
    pub fn from_yaml(_text: &str, _place: &str, _nc: Option<usize>) -> Result<Self> {
        todo!()
    }
    /// Every trainable parameter in state-dict order.
    pub fn parameters(&self) -> Vec<Parameter> {
        todo!()
    }
}
