//! Validation whose frozen modules are computed in the first epoch only.

use burn::tensor::{Device, Tensor, TensorData};

use super::{Detection, Validator};
use crate::data::Batch;
use crate::error::Result;
use crate::loss::DetectionLoss;
use crate::model::{Features, Folded};
use crate::train::session::image_tensor;

/// What validation keeps from epoch to epoch: the batches without their pixels, and their features at the
/// cut, in single precision. A picture is validated in one view, so this changes no figure.
#[derive(Debug)]
pub struct KeptValidation {
    /// Modules before the cut: they must stay what they are.
    prefix: usize,
    batches: Vec<(Batch, Vec<KeptMap>)>,
}

/// The output of a module for a batch.
#[derive(Debug)]
struct KeptMap {
    module: usize,
    data: TensorData,
}

impl KeptValidation {
    /// Nothing is kept yet, and never will be where no module is frozen (`prefix` is 0).
    pub fn new(prefix: usize) -> Self {
        Self {
            prefix,
            batches: Vec::new(),
        }
    }

    /// Batches that are kept: the first ones.
    pub fn len(&self) -> usize {
        self.batches.len()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// As [`Validator::batch`] for batch `number`. If it is not kept yet, `make` gives its pixels, and it is kept when
    /// all before it are.
    ///
    /// # Errors
    /// Those of `make`; when the device fails.
    pub async fn batch(
        &mut self,
        number: usize,
        validator: &mut Validator,
        model: &mut Folded,
        loss: Option<&DetectionLoss>,
        make: impl FnOnce() -> Result<Batch>,
        device: &Device,
    ) -> Result<Vec<Vec<Detection>>> {
        let prefix = self.prefix;
        if let Some((batch, maps)) = self.batches.get(number) {
            let device = device.clone().without_autodiff();
            let outputs = maps.iter().map(|KeptMap { module, data }| {
                (*module, Tensor::from_data(data.clone(), &device))
            });
            let features = Features {
                outputs: outputs.collect(),
                ..Features::default()
            };
            return validator
                .batch_from(prefix, features, model, loss, batch)
                .await;
        }
        let batch = make()?;
        let image = Features::image(image_tensor(&batch, device));
        let features = model.run(0..prefix, image);
        let mut maps = Vec::with_capacity(features.outputs.len());
        for (&module, map) in &features.outputs {
            let data = map.clone().into_data_async().await;
            let data = data.map_err(crate::device::failed)?;
            maps.push(KeptMap { module, data });
        }
        let found = validator
            .batch_from(prefix, features, model, loss, &batch)
            .await?;
        // With nothing before the cut there is nothing to keep: what crosses is the picture.
        if prefix > 0 && number == self.batches.len() {
            let batch = Batch {
                pixels: Vec::new(),
                ..batch
            };
            self.batches.push((batch, maps));
        }
        Ok(found)
    }
}
