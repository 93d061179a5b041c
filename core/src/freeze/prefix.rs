//! The frozen prefix as what it is: a fixed function of the image.

use burn::tensor::Tensor;

use super::plan::{Cut, Stage};
use crate::error::Result;
use crate::model::folded::Folded;
use crate::model::state::{Gather, digest};
use crate::model::{Architecture, Features, Yolov5};

/// The frozen modules before the cut, with BatchNorm folded into the convolutions, on the plain
/// device: nothing is kept for a backward pass. Needs fixed statistics
/// ([`FreezeNorms::Fixed`](crate::train::FreezeNorms::Fixed)).
#[derive(Debug, Clone)]
pub struct Prefix {
    folded: Folded,
    cut: Cut,
}

impl Prefix {
    /// The prefix of `stage`; none when the first module trains.
    pub fn new(model: &Yolov5, stage: &Stage) -> Option<Self> {
        (stage.cut.prefix > 0).then(|| Self {
            folded: model.fold_leading(stage.cut.prefix),
            cut: stage.cut.clone(),
        })
    }

    /// Where it ends and what crosses.
    pub fn cut(&self) -> &Cut {
        &self.cut
    }

    /// Image `[B, 3, H, W]` in `0..=1` to the features that cross the cut.
    pub fn run(&mut self, image: Tensor<4>) -> Features {
        self.folded.run(0..self.cut.prefix, Features::image(image))
    }
}

/// A map that crosses the cut, for one picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crossing {
    /// The module whose output it is.
    pub module: usize,
    /// `[C, H, W]`.
    pub shape: [usize; 3],
}

impl Crossing {
    /// Its values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Cut {
    /// What crosses for one image of `height` × `width` pixels, in ascending order of modules.
    ///
    /// # Errors
    /// An image size that does not fit the network's strides.
    pub fn maps(
        &self,
        architecture: &Architecture,
        height: usize,
        width: usize,
    ) -> Result<Vec<Crossing>> {
        let modules = architecture.module_costs(height, width)?;
        let outputs = self.crossing.iter().flat_map(|&module| {
            let shapes = modules.get(module).map_or(&[][..], |cost| &cost.outputs);
            shapes.iter().map(move |&shape| Crossing { module, shape })
        });
        Ok(outputs.collect())
    }
}

/// SHA-256 (hex) of the parameters and statistics of modules `0..modules`.
///
/// # Errors
/// When the device fails.
pub async fn hash_leading(model: &mut Yolov5, modules: usize) -> Result<String> {
    let prefixes: Vec<String> = (0..modules)
        .map(|module| format!("model.{module}."))
        .collect();
    let keep = |name: &str| {
        // Counters move nothing.
        prefixes
            .iter()
            .any(|prefix| name.starts_with(prefix.as_str()))
            && !name.ends_with("num_batches_tracked")
    };
    let mut gather = Gather::new(&keep);
    model.visit(&mut gather);
    digest(gather.state).await
}
