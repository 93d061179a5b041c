//! Everything that kept features depend on, as one hash: what outlives a run is found by it.

use sha2::{Digest, Sha256};

use super::FeaturePrecision;
use crate::data::Source;
use crate::error::Result;
use crate::freeze::plan::Stage;
use crate::freeze::prefix::{Crossing, hash_leading};
use crate::model::Yolov5;
use crate::model::state::hex;
use crate::train::Hyp;

/// Part of every key; a change of the format or of what a view is makes other keys.
const FORMAT: u32 = 1;

/// Augmented views: what draws them.
#[derive(Debug, Clone, Copy)]
pub struct Augmentation<'a> {
    /// Limits and probabilities.
    pub hyp: &'a Hyp,
    /// Seed of the draws.
    pub seed: u64,
}

/// What kept features depend on.
#[derive(Debug, Clone, Copy)]
pub struct Key<'a> {
    /// What crosses the cut.
    pub maps: &'a [Crossing],
    /// How it is kept.
    pub precision: FeaturePrecision,
    /// Side of the pictures in pixels.
    pub imgsz: usize,
    /// How views differ; without it there is one, plainly letterboxed.
    pub augmentation: Option<Augmentation<'a>>,
    /// What computes: other devices and versions round differently.
    pub computed_by: &'a str,
    /// SHA-256 of the content of each picture.
    pub contents: &'a [[u8; 32]],
}

/// What is hashed, as the text that [`Debug`] makes of it.
#[derive(Debug)]
#[expect(dead_code, reason = "read by Debug alone")]
struct Parts<'a> {
    format: u32,
    modules: String,
    weights: String,
    maps: &'a [Crossing],
    precision: FeaturePrecision,
    imgsz: usize,
    augmentation: Option<(u64, [f64; 13])>,
    computed_by: &'a str,
    pictures: String,
}

impl Key<'_> {
    /// The key (hex) for the frozen prefix of `stage`, as `model` has it now, and the labels of `source`.
    ///
    /// # Errors
    /// When the device fails.
    pub async fn hash(
        &self,
        model: &mut Yolov5,
        stage: &Stage,
        source: &dyn Source,
    ) -> Result<String> {
        let prefix = stage.cut.prefix;
        let parts = Parts {
            format: FORMAT,
            modules: format!("{:?}", &model.architecture().modules[..prefix]),
            weights: hash_leading(model, prefix).await?,
            maps: self.maps,
            precision: self.precision,
            imgsz: self.imgsz,
            augmentation: self.augmentation.map(|Augmentation { hyp, seed }| {
                let limits = [
                    hyp.hsv_h,
                    hyp.hsv_s,
                    hyp.hsv_v,
                    hyp.degrees,
                    hyp.translate,
                    hyp.scale,
                    hyp.shear,
                    hyp.perspective,
                    hyp.flipud,
                    hyp.fliplr,
                    hyp.mosaic,
                    hyp.mixup,
                    hyp.copy_paste,
                ];
                (seed, limits)
            }),
            computed_by: self.computed_by,
            pictures: self.pictures(source),
        };
        Ok(hex(&Sha256::digest(format!("{parts:?}"))))
    }

    /// Contents, labels and outlines of all pictures: a mosaic may show any of them.
    fn pictures(&self, source: &dyn Source) -> String {
        let mut hash = Sha256::new();
        for (picture, content) in self.contents.iter().enumerate() {
            hash.update(content);
            let labels = source.labels(picture);
            hash.update((labels.len() as u64).to_le_bytes());
            for label in labels {
                hash.update((label.class as u64).to_le_bytes());
                for side in label.cxcywh {
                    hash.update(side.to_le_bytes());
                }
            }
            for outline in source.segments(picture) {
                let points = outline.as_deref().unwrap_or_default();
                hash.update((points.len() as u64).to_le_bytes());
                for side in points.iter().flatten() {
                    hash.update(side.to_le_bytes());
                }
            }
        }
        hex(&hash.finalize())
    }
}
