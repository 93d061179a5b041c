//! How the network's state is walked: every parameter and statistic by the reference's name.

use std::collections::HashMap;

use burn::tensor::{Device, Tensor, TensorData};
use sha2::{Digest, Sha256};

use super::architecture::ParameterKind;
use super::norm::BatchNorm;
use crate::error::Result;
use crate::weights::StateDict;

/// How a forward pass treats BatchNorm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Normalise with the batch's statistics and move the running ones, except where they are fixed.
    Train,
    /// Normalise with the running statistics.
    Infer,
}

/// Sees every piece of state in state-dict order, by name, and may replace it.
pub trait Visitor {
    /// A learnable tensor.
    fn parameter<const D: usize>(
        &mut self,
        name: &str,
        kind: ParameterKind,
        tensor: &mut Tensor<D>,
    );

    /// A running statistic.
    fn statistic(&mut self, _name: &str, _tensor: &mut Tensor<1>) {}

    /// A counter (`num_batches_tracked`).
    fn count(&mut self, _name: &str, _value: &mut i64) {}

    /// A whole BatchNorm at `path`; by default its parts are visited.
    fn norm(&mut self, path: &str, norm: &mut BatchNorm)
    where
        Self: Sized,
    {
        norm.visit_parts(path, self);
    }
}

/// Takes a tensor out of the network, to be put back changed: whoever holds a tensor alone may change it
/// in place. What it leaves behind is on the CPU whatever the device, for nobody reads it.
pub fn take<const D: usize>(tensor: &mut Tensor<D>) -> Tensor<D> {
    std::mem::replace(tensor, Tensor::empty([1; D], &Device::flex()))
}

/// A piece of state as it is held.
#[derive(Debug, Clone)]
pub enum Held {
    /// A float tensor, flat, on the plain device.
    Float {
        /// Its values.
        flat: Tensor<1>,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// A counter.
    Count(i64),
}

impl Held {
    /// Holds a tensor of any rank.
    pub fn float<const D: usize>(tensor: &Tensor<D>) -> Self {
        let shape = tensor.dims().to_vec();
        let count = shape.iter().product::<usize>();
        Self::Float {
            flat: tensor.clone().without_autodiff().reshape([count]),
            shape,
        }
    }

    /// Reads the values from the device.
    ///
    /// # Errors
    /// When the device fails.
    pub async fn read(self) -> Result<TensorData> {
        match self {
            Self::Count(value) => Ok(TensorData::new(vec![value], Vec::<usize>::new())),
            Self::Float { flat, shape } => {
                let data = flat
                    .into_data_async()
                    .await
                    .map_err(crate::device::failed)?
                    .convert::<f32>();
                Ok(TensorData::new(
                    data.try_into_vec::<f32>().map_err(crate::device::failed)?,
                    shape,
                ))
            }
        }
    }
}

/// Gathers state by name; what is gathered is decided by `keep`.
pub struct Gather<'a> {
    /// The gathered state, in state-dict order.
    pub state: Vec<(String, Held)>,
    keep: &'a dyn Fn(&str) -> bool,
}

impl<'a> Gather<'a> {
    /// Gathers the state whose name `keep` accepts.
    pub fn new(keep: &'a dyn Fn(&str) -> bool) -> Self {
        Self {
            state: Vec::new(),
            keep,
        }
    }

    fn push(&mut self, name: &str, held: impl FnOnce() -> Held) {
        if (self.keep)(name) {
            self.state.push((name.to_owned(), held()));
        }
    }
}

impl std::fmt::Debug for Gather<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gather")
            .field("state", &self.state.len())
            .finish_non_exhaustive()
    }
}

impl Visitor for Gather<'_> {
    fn parameter<const D: usize>(&mut self, name: &str, _: ParameterKind, tensor: &mut Tensor<D>) {
        self.push(name, || Held::float(tensor));
    }

    fn statistic(&mut self, name: &str, tensor: &mut Tensor<1>) {
        self.push(name, || Held::float(tensor));
    }

    fn count(&mut self, name: &str, value: &mut i64) {
        self.push(name, || Held::Count(*value));
    }
}

/// Reads gathered state from the device.
///
/// # Errors
/// When the device fails.
pub async fn read_all(state: Vec<(String, Held)>) -> Result<StateDict> {
    let mut read = Vec::with_capacity(state.len());
    for (name, held) in state {
        read.push((name, held.read().await?));
    }
    Ok(read)
}

/// SHA-256 (hex) of the names, shapes and single-precision values of gathered state.
///
/// # Errors
/// When the device fails.
pub async fn digest(state: Vec<(String, Held)>) -> Result<String> {
    let mut hasher = Sha256::new();
    for (name, data) in read_all(state).await? {
        hasher.update(name.as_bytes());
        for side in data.shape().iter() {
            hasher.update((*side as u64).to_le_bytes());
        }
        hasher.update(data.as_bytes());
    }
    Ok(hex(&hasher.finalize()))
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Puts values by name into a network; names that it lacks are left alone. Tensors are placed on the
/// plain device.
#[derive(Debug)]
pub struct Load<'a> {
    values: HashMap<&'a str, &'a TensorData>,
    device: Device,
}

impl<'a> Load<'a> {
    /// Loads `state`, whose shapes must be the network's.
    pub fn new(state: &'a [(String, TensorData)], device: &Device) -> Self {
        Self {
            values: state
                .iter()
                .map(|(name, data)| (name.as_str(), data))
                .collect(),
            device: device.clone().without_autodiff(),
        }
    }

    fn tensor<const D: usize>(&self, name: &str) -> Option<Tensor<D>> {
        let data = (*self.values.get(name)?).clone().convert::<f32>();
        Some(Tensor::from_data(data, &self.device))
    }
}

impl Visitor for Load<'_> {
    fn parameter<const D: usize>(&mut self, name: &str, _: ParameterKind, tensor: &mut Tensor<D>) {
        if let Some(value) = self.tensor(name) {
            *tensor = value;
        }
    }

    fn statistic(&mut self, name: &str, tensor: &mut Tensor<1>) {
        if let Some(value) = self.tensor(name) {
            *tensor = value;
        }
    }

    fn count(&mut self, name: &str, value: &mut i64) {
        if let Some(stored) = self
            .values
            .get(name)
            .and_then(|data| data.iter::<i64>().next())
        {
            *value = stored;
        }
    }
}
