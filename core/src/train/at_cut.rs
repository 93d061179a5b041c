//! Steps that begin at the cut: the frozen prefix has run before, in another epoch or another run.

use burn::tensor::{Tensor, TensorData};

use super::schedule::Rates;
use super::session::{Session, StepReport};
use crate::data::{Batch, Label};
use crate::error::{Error, Result};
use crate::freeze::cache::FeatureCache;
use crate::model::Features;

/// A batch at the cut.
#[derive(Debug, Clone)]
pub struct FeatureBatch {
    /// What crosses, `[B, C, H, W]` each, on the plain device.
    pub features: Features,
    /// Boxes: index of the picture in the batch, and its label.
    pub targets: Vec<(usize, Label)>,
}

impl Session {
    /// Runs the frozen prefix on a batch; without one, what crosses is the image.
    pub fn features(&mut self, batch: &Batch) -> FeatureBatch {
        FeatureBatch {
            features: self.run_prefix(batch),
            targets: batch.targets.clone(),
        }
    }

    /// The batch of `pictures` in `view` at the cut. What `cache` lacks is computed from the pixels that
    /// `make` gives for the pictures it is asked for, in their order, and kept.
    ///
    /// # Errors
    /// Those of `make`; pixels for another number of pictures or of another size; a device that fails.
    pub async fn cached_features(
        &mut self,
        cache: &mut FeatureCache,
        view: usize,
        pictures: &[usize],
        make: impl FnOnce(&[usize]) -> Result<Batch>,
    ) -> Result<FeatureBatch> {
        let mut draft = cache.draft(view, pictures);
        let missing = draft.missing();
        if !missing.is_empty() {
            let batch = make(&missing)?;
            let FeatureBatch { features, targets } = self.features(&batch);
            let mut maps = Vec::with_capacity(cache.maps().len());
            for crossing in cache.maps() {
                let [c, h, w] = crossing.shape;
                let wanted = [missing.len(), c, h, w];
                let found = features.outputs.get(&crossing.module);
                let Some(map) = found.filter(|map| map.dims() == wanted) else {
                    return Err(Error::input(
                        format!("features of module {}", crossing.module),
                        found.map_or("nothing".to_owned(), |map| format!("{:?}", map.dims())),
                        format!("{wanted:?}"),
                        "Make all pictures with the size that the cache was made for",
                    ));
                };
                let data = map.clone().into_data_async().await;
                let data = data.map_err(crate::device::failed)?.convert::<f32>();
                maps.push(data.try_into_vec::<f32>().map_err(crate::device::failed)?);
            }
            let lengths: Vec<usize> = cache.maps().iter().map(|map| map.len()).collect();
            for (place, &picture) in missing.iter().enumerate() {
                let labels: Vec<Label> = targets
                    .iter()
                    .filter(|(of, _)| *of == place)
                    .map(|(_, label)| *label)
                    .collect();
                let own: Vec<&[f32]> = maps
                    .iter()
                    .zip(&lengths)
                    .map(|(map, &length)| &map[place * length..][..length])
                    .collect();
                cache.add(&mut draft, picture, &labels, &own);
            }
        }
        let (values, targets) = draft.finish();
        let outputs = cache.maps().iter().zip(values).map(|(crossing, values)| {
            let [c, h, w] = crossing.shape;
            let data = TensorData::new(values, [pictures.len(), c, h, w]);
            (crossing.module, Tensor::from_data(data, self.device()))
        });
        let features = Features {
            outputs: outputs.collect(),
            ..Features::default()
        };
        Ok(FeatureBatch { features, targets })
    }

    /// As [`Session::step`], from the cut on.
    pub fn step_features(&mut self, batch: &FeatureBatch) -> StepReport {
        let rates = self.schedule().at(self.iteration());
        self.step_features_with(batch, rates)
    }

    /// As [`Session::step_features`], at given rates.
    pub fn step_features_with(&mut self, batch: &FeatureBatch, rates: Rates) -> StepReport {
        self.advance(batch.features.clone(), &batch.targets, rates)
    }
}
