//! BatchNorm with torch's rules (FACTS 1): the batch is normalised with its biased variance, the
//! running variance moves by the unbiased one.

use burn::tensor::{Device, Tensor};

use super::architecture::ParameterKind;
use super::state::{Mode, Visitor, take};
use crate::ops::{blend, bn_silu_fixed, bn_silu_train};

/// Added to the variance before the square root.
pub const EPSILON: f64 = 1e-3;
/// Share of the batch's statistics in an update of the running ones.
pub const MOMENTUM: f64 = 0.03;

/// Batch normalisation over `[B, C, H, W]`.
#[derive(Debug, Clone)]
pub struct BatchNorm {
    /// Scale `[C]`.
    pub weight: Tensor<1>,
    /// Shift `[C]`.
    pub bias: Tensor<1>,
    /// Running mean `[C]`.
    pub running_mean: Tensor<1>,
    /// Running variance `[C]`.
    pub running_var: Tensor<1>,
    /// Training batches seen.
    pub num_batches_tracked: i64,
    /// When set, training too normalises with the running statistics and never moves them.
    pub fixed: bool,
}

impl BatchNorm {
    /// Weight 1, bias 0, mean 0, variance 1.
    pub fn new(channels: usize, device: &Device) -> Self {
        Self {
            weight: Tensor::ones([channels], device),
            bias: Tensor::zeros([channels], device),
            running_mean: Tensor::zeros([channels], device),
            running_var: Tensor::ones([channels], device),
            num_batches_tracked: 0,
            fixed: false,
        }
    }

    /// Normalises `x` of shape `[B, C, H, W]` and applies SiLU.
    pub fn forward_silu(&mut self, x: Tensor<4>, mode: Mode) -> Tensor<4> {
        let (weight, bias) = (self.weight.clone(), self.bias.clone());
        if mode == Mode::Infer || self.fixed {
            return bn_silu_fixed(
                x,
                weight,
                bias,
                self.running_mean.clone(),
                self.running_var.clone(),
                EPSILON,
            );
        }
        let [batch, _, height, width] = x.dims();
        let seen = (batch * height * width) as f64;
        let (y, mean, variance) = bn_silu_train(x, weight, bias, EPSILON);
        let unbiased = seen / (seen - 1.0).max(1.0);
        for (running, batch, scale) in [
            (&mut self.running_mean, mean, 1.0),
            (&mut self.running_var, variance, unbiased),
        ] {
            *running = blend(take(running), batch, 1.0 - MOMENTUM, MOMENTUM * scale);
        }
        self.num_batches_tracked += 1;
        y
    }

    /// Visits weight, bias, running mean, running variance and the counter.
    pub fn visit_parts<V: Visitor>(&mut self, path: &str, visitor: &mut V) {
        visitor.parameter(
            &format!("{path}.weight"),
            ParameterKind::NormWeight,
            &mut self.weight,
        );
        visitor.parameter(&format!("{path}.bias"), ParameterKind::Bias, &mut self.bias);
        visitor.statistic(&format!("{path}.running_mean"), &mut self.running_mean);
        visitor.statistic(&format!("{path}.running_var"), &mut self.running_var);
        visitor.count(
            &format!("{path}.num_batches_tracked"),
            &mut self.num_batches_tracked,
        );
    }
}
