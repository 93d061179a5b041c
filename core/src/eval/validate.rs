//! Validation of a network on labelled batches: losses, detections, metrics.

use burn::tensor::{Device, Tensor};

use super::{ConfusionMatrix, Detection, Evaluator, Metrics, NmsOptions, nms};
use crate::data::letterbox::scale_boxes;
use crate::data::{Batch, Label, Placement};
use crate::error::Result;
use crate::loss::DetectionLoss;
use crate::model::{Features, Folded};
use crate::train::session::image_tensor;

/// How detections are made during validation.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidateOptions {
    /// Least confidence.
    pub conf: f32,
    /// IoU above which a weaker box is suppressed.
    pub iou: f32,
    /// Most detections per picture.
    pub max_det: usize,
    /// Test-time augmentation.
    pub augment: bool,
}

impl Default for ValidateOptions {
    fn default() -> Self {
        Self {
            conf: 0.001,
            iou: 0.6,
            max_det: 300,
            augment: false,
        }
    }
}

/// What a validation found.
#[derive(Debug, Clone)]
pub struct Validation {
    /// Precision, recall, AP.
    pub metrics: Metrics,
    /// Which classes are taken for which.
    pub confusion: ConfusionMatrix,
    /// Mean box, objectness and class loss over the batches; zero without a loss.
    pub loss: [f64; 3],
}

/// Gathers batches into a [`Validation`].
#[derive(Debug)]
pub struct Validator {
    options: ValidateOptions,
    nc: usize,
    evaluator: Evaluator,
    confusion: ConfusionMatrix,
    loss: [f64; 3],
    batches: usize,
}

impl Validator {
    /// A validator for `nc` classes.
    pub fn new(nc: usize, options: ValidateOptions) -> Self {
        // What training asked for has other sizes.
        crate::ops::release();
        Self {
            options,
            nc,
            evaluator: Evaluator::new(nc),
            confusion: ConfusionMatrix::new(nc),
            loss: [0.0; 3],
            batches: 0,
        }
    }

    /// Runs `model` on a batch and counts what it finds. Returns the detections per picture, in
    /// pixels of the batch.
    ///
    /// # Errors
    /// When the device fails.
    pub async fn batch(
        &mut self,
        model: &mut Folded,
        loss: Option<&DetectionLoss>,
        batch: &Batch,
        device: &Device,
    ) -> Result<Vec<Vec<Detection>>> {
        let image = image_tensor(batch, device);
        if self.options.augment {
            let rows = super::augment::predict(model, image);
            return self.count(rows, batch).await;
        }
        self.batch_from(0, Features::image(image), model, loss, batch)
            .await
    }

    /// As [`Validator::batch`], from module `first` on: `features` is what the modules before it left.
    /// Pixels are not looked at.
    ///
    /// # Errors
    /// When the device fails.
    pub async fn batch_from(
        &mut self,
        first: usize,
        features: Features,
        model: &mut Folded,
        loss: Option<&DetectionLoss>,
        batch: &Batch,
    ) -> Result<Vec<Vec<Detection>>> {
        let heads = model.run(first..model.modules(), features).heads;
        if let Some(loss) = loss {
            let items = loss.forward(heads.clone(), &batch.targets).items;
            let items = items
                .into_data_async()
                .await
                .map_err(crate::device::failed)?;
            for (sum, item) in self.loss.iter_mut().zip(items.iter::<f64>()) {
                *sum += item;
            }
        }
        self.count(model.decode(heads), batch).await
    }

    /// Counts the detections in decoded rows `[B, N, 5+C]`.
    async fn count(&mut self, rows: Tensor<3>, batch: &Batch) -> Result<Vec<Vec<Detection>>> {
        let [count, per_picture, outputs] = rows.dims();
        let rows = rows
            .into_data_async()
            .await
            .map_err(crate::device::failed)?;
        let rows: Vec<f32> = rows.iter::<f32>().collect();
        let options = NmsOptions {
            conf: self.options.conf,
            iou: self.options.iou,
            multi_label: true,
            max_det: self.options.max_det,
            ..NmsOptions::default()
        };
        let mut found = Vec::with_capacity(count);
        for (picture, rows) in rows.chunks_exact(per_picture * outputs).enumerate() {
            let detections = nms(rows, self.nc, &options);
            let labels = original_labels(batch, picture);
            let original = to_original(&detections, &batch.placements[picture]);
            self.evaluator.push(&original, &labels);
            self.confusion.push(&original, &labels);
            found.push(detections);
        }
        self.batches += 1;
        Ok(found)
    }

    /// The figures over all batches.
    pub fn finish(self) -> Validation {
        let batches = self.batches.max(1) as f64;
        Validation {
            metrics: self.evaluator.finish(),
            confusion: self.confusion,
            loss: self.loss.map(|sum| sum / batches),
        }
    }
}

/// Detections in pixels of the original picture, clipped to it.
pub fn to_original(detections: &[Detection], placement: &Placement) -> Vec<Detection> {
    let mut boxes: Vec<[f32; 4]> = detections.iter().map(|detection| detection.xyxy).collect();
    scale_boxes(&mut boxes, placement);
    detections
        .iter()
        .zip(boxes)
        .map(|(detection, xyxy)| Detection { xyxy, ..*detection })
        .collect()
}

/// The labels of a batch's picture as class and corners in pixels of the original picture.
fn original_labels(batch: &Batch, picture: usize) -> Vec<(usize, [f32; 4])> {
    let [_, _, height, width] = batch.shape;
    let labels: Vec<&Label> = batch
        .targets
        .iter()
        .filter(|(p, _)| *p == picture)
        .map(|(_, label)| label)
        .collect();
    let mut boxes: Vec<[f32; 4]> = labels
        .iter()
        .map(|label| {
            let [cx, cy, w, h] = label.cxcywh;
            let (width, height) = (width as f32, height as f32);
            [
                (cx - w / 2.0) * width,
                (cy - h / 2.0) * height,
                (cx + w / 2.0) * width,
                (cy + h / 2.0) * height,
            ]
        })
        .collect();
    scale_boxes(&mut boxes, &batch.placements[picture]);
    labels
        .iter()
        .zip(boxes)
        .map(|(label, xyxy)| (label.class, xyxy))
        .collect()
}
