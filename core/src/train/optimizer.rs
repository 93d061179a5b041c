//! SGD with Nesterov momentum, Adam and AdamW over named parameters (FACTS 4).

use std::collections::BTreeMap;

use burn::tensor::Tensor;

use super::schedule::Rates;
use crate::model::architecture::ParameterKind;
use crate::ops::{self, Adam, Sgd};

const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// Which rule moves the parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub enum OptimizerKind {
    /// Stochastic gradient descent with Nesterov momentum, no dampening.
    #[default]
    #[serde(rename = "SGD")]
    Sgd,
    /// Adam with decay added to the gradient.
    Adam,
    /// Adam with decay apart from the gradient.
    AdamW,
}

impl std::str::FromStr for OptimizerKind {
    type Err = crate::Error;

    fn from_str(text: &str) -> crate::Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "sgd" => Ok(Self::Sgd),
            "adam" => Ok(Self::Adam),
            "adamw" => Ok(Self::AdamW),
            _ => Err(crate::Error::input(
                "--optimizer",
                text,
                "SGD, Adam or AdamW",
                "",
            )),
        }
    }
}

impl std::fmt::Display for OptimizerKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sgd => "SGD",
            Self::Adam => "Adam",
            Self::AdamW => "AdamW",
        })
    }
}

/// What the optimizer remembers of one parameter, flattened.
#[derive(Debug, Clone)]
pub struct Moments {
    /// Momentum buffer (SGD) or first moment.
    pub first: Tensor<1>,
    /// Second moment (Adam, AdamW).
    pub second: Option<Tensor<1>>,
    /// Steps taken on this parameter.
    pub steps: u32,
}

/// The optimizer with its memory by parameter name.
#[derive(Debug, Clone)]
pub struct Optimizer {
    kind: OptimizerKind,
    weight_decay: f64,
    /// Memory by parameter name.
    pub memory: BTreeMap<String, Moments>,
}

impl Optimizer {
    /// An optimizer that has seen nothing. Only convolution weights decay.
    pub fn new(kind: OptimizerKind, weight_decay: f64) -> Self {
        Self {
            kind,
            weight_decay,
            memory: BTreeMap::new(),
        }
    }

    /// The parameter, moved by `gradient · factor`. All tensors are flat and on the plain device;
    /// `factor` is `[1]`.
    pub fn step(
        &mut self,
        name: &str,
        group: ParameterKind,
        parameter: Tensor<1>,
        gradient: Tensor<1>,
        factor: Tensor<1>,
        rates: &Rates,
    ) -> Tensor<1> {
        let (rate, decay) = match group {
            ParameterKind::Bias => (rates.bias, 0.0),
            ParameterKind::Weight => (rates.weight, self.weight_decay),
            ParameterKind::NormWeight => (rates.norm, 0.0),
        };
        let nothing = || Tensor::zeros(parameter.dims(), &parameter.device());
        let memory = self.memory.remove(name);
        let steps = memory.as_ref().map_or(0, |memory| memory.steps) + 1;
        let (first, second) = match memory {
            Some(memory) => (memory.first, memory.second),
            None => (nothing(), None),
        };
        let (moved, first, second) = if self.kind == OptimizerKind::Sgd {
            let rule = Sgd {
                rate,
                decay,
                momentum: rates.momentum,
            };
            let (moved, first) = ops::sgd(parameter, gradient, first, factor, rule);
            (moved, first, None)
        } else {
            let second = second.unwrap_or_else(nothing);
            let beta1 = rates.momentum;
            let apart = self.kind == OptimizerKind::AdamW;
            let rule = Adam {
                rate: rate / (1.0 - beta1.powi(steps as i32)),
                decay: if apart { 0.0 } else { decay },
                keep: if apart { 1.0 - rate * decay } else { 1.0 },
                betas: [beta1, BETA2],
                correction: (1.0 - BETA2.powi(steps as i32)).sqrt(),
                epsilon: EPSILON,
            };
            let (moved, [first, second]) =
                ops::adam(parameter, gradient, [first, second], factor, rule);
            (moved, first, Some(second))
        };
        let memory = Moments {
            first,
            second,
            steps,
        };
        self.memory.insert(name.to_owned(), memory);
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn rates(rate: f64) -> Rates {
        Rates {
            bias: rate,
            weight: rate,
            norm: rate,
            momentum: 0.9,
            accumulate: 1,
        }
    }

    fn run(kind: OptimizerKind, steps: usize) -> f32 {
        let device = Device::flex();
        let mut optimizer = Optimizer::new(kind, 0.0);
        let mut p = Tensor::<1>::from_floats([1.0], &device);
        for _ in 0..steps {
            let gradient = p.clone().mul_scalar(2.0);
            let factor = Tensor::ones([1], &device);
            let rates = rates(0.1);
            p = optimizer.step("p", ParameterKind::Weight, p, gradient, factor, &rates);
        }
        p.into_data().try_to_vec::<f32>().expect("one float")[0]
    }

    /// Worked by hand: g = 2, buffer 2, direction 2 + .9·2 = 3.8, p = 1 − .38.
    #[test]
    fn the_first_nesterov_step_looks_ahead() {
        assert!((run(OptimizerKind::Sgd, 1) - 0.62).abs() < 1e-6);
    }

    /// Adam's first step is the rate itself, whatever the gradient's size.
    #[test]
    fn the_first_adam_step_is_the_rate() {
        assert!((run(OptimizerKind::Adam, 1) - 0.9).abs() < 1e-6);
        assert!((run(OptimizerKind::AdamW, 1) - 0.9).abs() < 1e-6);
    }

    #[test]
    fn every_optimizer_finds_the_minimum() {
        for kind in [
            OptimizerKind::Sgd,
            OptimizerKind::Adam,
            OptimizerKind::AdamW,
        ] {
            assert!(run(kind, 300).abs() < 0.05, "{kind}");
        }
    }
}
