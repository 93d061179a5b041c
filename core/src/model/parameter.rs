//! What the network holds by name: convolutions, parameters, the items of the state dict.

use serde::{Deserialize, Serialize};

/// Which optimizer group a parameter belongs to (FACTS 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ParameterKind {
    /// Convolution weight: decayed.
    Weight,
    /// BatchNorm weight: not decayed.
    NormWeight,
    /// Any bias: not decayed, own warm-up.
    Bias,
}

/// One named parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

impl Parameter {
    /// Number of elements.
    pub fn elements(&self) -> u64 {
        self.shape.iter().map(|&d| d as u64).product()
    }
}

/// One item of the state dict: a parameter, a BatchNorm statistic or the anchors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateItem {
    /// The reference's name, such as `model.0.bn.running_mean`.
    pub name: String,
    /// Its shape; empty for a scalar.
    pub shape: Vec<usize>,
    /// Index of the module it belongs to.
    pub module: usize,
    /// Optimizer group, for the items that are parameters.
    pub parameter: Option<ParameterKind>,
    /// Holds a 64-bit integer (`num_batches_tracked`) where all others hold floats.
    pub integer: bool,
}

/// One convolution of the network, with its BatchNorm unless it is one of Detect's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Convolution {
    /// Name of the block, such as `model.2.cv1`; of Detect's convolutions `model.24.m.0`.
    pub prefix: String,
    /// Index of the module it belongs to.
    pub module: usize,
    pub c1: usize,
    pub c2: usize,
    pub kernel: usize,
    pub stride: usize,
    pub padding: usize,
    /// Followed by BatchNorm and SiLU and without bias; otherwise with bias and nothing after it.
    pub norm: bool,
}

impl Convolution {
    /// Name of the convolution's weight.
    pub fn weight_name(&self) -> String {
        let infix = if self.norm { ".conv" } else { "" };
        format!("{}{infix}.weight", self.prefix)
    }

    /// Its state-dict items in order.
    pub(super) fn state(&self) -> Vec<StateItem> {
        let item = |suffix: &str, shape, parameter| StateItem {
            name: format!("{}.{suffix}", self.prefix),
            shape,
            module: self.module,
            parameter,
            integer: suffix == "bn.num_batches_tracked",
        };
        let weight = vec![self.c2, self.c1, self.kernel, self.kernel];
        let channels = vec![self.c2];
        if self.norm {
            vec![
                item("conv.weight", weight, Some(ParameterKind::Weight)),
                item(
                    "bn.weight",
                    channels.clone(),
                    Some(ParameterKind::NormWeight),
                ),
                item("bn.bias", channels.clone(), Some(ParameterKind::Bias)),
                item("bn.running_mean", channels.clone(), None),
                item("bn.running_var", channels, None),
                item("bn.num_batches_tracked", vec![], None),
            ]
        } else {
            vec![
                item("weight", weight, Some(ParameterKind::Weight)),
                item("bias", channels, Some(ParameterKind::Bias)),
            ]
        }
    }
}
