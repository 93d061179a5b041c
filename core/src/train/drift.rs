//! How far the statistics of BatchNorms move: those of what is frozen stay where they are, those of what learns
//! follow the new pictures.

use std::collections::BTreeMap;

use burn::tensor::TensorData;

use crate::error::Result;
use crate::model::Yolov5;
use crate::model::state::{Gather, read_all};
use crate::weights::StateDict;
use crate::weights::names::module_index;

/// The running means and variances of a network at one moment.
#[derive(Debug, Clone)]
pub struct NormStatistics(StateDict);

impl From<StateDict> for NormStatistics {
    /// As [`NormStatistics::state`] gave them.
    fn from(state: StateDict) -> Self {
        Self(state)
    }
}

impl NormStatistics {
    /// Them by name.
    pub fn state(&self) -> &StateDict {
        &self.0
    }

    /// Reads them.
    ///
    /// # Errors
    /// When the device fails.
    pub async fn read(model: &mut Yolov5) -> Result<Self> {
        let keep = |name: &str| name.contains(".running_");
        let mut gather = Gather::new(&keep);
        model.visit(&mut gather);
        Ok(Self(read_all(gather.state).await?))
    }

    /// Per module with a BatchNorm, how far its statistics are from what they were at `start`, relative to their size
    /// there: the norm of the difference over the norm.
    pub fn drift_since(&self, start: &Self) -> Vec<(usize, f64)> {
        let mut sums: BTreeMap<usize, [f64; 2]> = BTreeMap::new();
        for ((name, now), (_, then)) in self.0.iter().zip(&start.0) {
            let Some(module) = module_index(name) else {
                continue;
            };
            let values = |data: &TensorData| data.iter::<f64>().collect::<Vec<_>>();
            let sum = sums.entry(module).or_default();
            for (now, then) in values(now).into_iter().zip(values(then)) {
                sum[0] += (now - then) * (now - then);
                sum[1] += then * then;
            }
        }
        let relative = |[moved, size]: [f64; 2]| (moved / size.max(f64::MIN_POSITIVE)).sqrt();
        let modules = sums.into_iter();
        modules
            .map(|(module, sum)| (module, relative(sum)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, read_sync};

    use super::*;
    use crate::model::{Architecture, Size, Visitor};
    use burn::tensor::Tensor;

    /// Doubles the statistics of module 3.
    struct Double;

    impl Visitor for Double {
        fn parameter<const D: usize>(
            &mut self,
            _: &str,
            _: crate::model::architecture::ParameterKind,
            _: &mut Tensor<D>,
        ) {
        }

        fn statistic(&mut self, name: &str, tensor: &mut Tensor<1>) {
            if name.starts_with("model.3.") {
                *tensor = tensor.clone().mul_scalar(2.0);
            }
        }
    }

    #[test]
    fn only_the_module_whose_statistics_moved_drifts() {
        let mut model = Yolov5::new(Architecture::yolov5(Size::N, 3), 0, &Device::flex());
        let start = read_sync(NormStatistics::read(&mut model)).unwrap();
        model.visit(&mut Double);
        let now = read_sync(NormStatistics::read(&mut model)).unwrap();
        for (module, drift) in now.drift_since(&start) {
            let wanted = if module == 3 { 1.0 } else { 0.0 };
            assert!((drift - wanted).abs() < 1e-6, "module {module}: {drift}");
        }
    }
}
