//! What a training step costs under a plan (FACTS 8): FLOPs on both sides of the cut, and bytes.

use serde::Serialize;

use super::plan::Stage;
use crate::error::Result;
use crate::model::Architecture;
use crate::model::architecture::ParameterKind;
use crate::model::costs::Learns;

/// The cost of one training step on a batch. FLOPs count the convolutions, two per multiply-add.
///
/// Gradients count only where somebody needs them: those of weights that train, and those of
/// activations with something that trains before them. (The reference figures in FACTS 8 also count
/// the gradient of the image, and of the activations at the cut; nobody reads these.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Costs {
    /// Image height in pixels.
    pub height: usize,
    /// Image width in pixels.
    pub width: usize,
    /// Images in the batch.
    pub batch: usize,
    /// FLOPs of the frozen prefix.
    pub forward_prefix: u64,
    /// FLOPs of the forward pass after the cut.
    pub forward_suffix: u64,
    /// FLOPs of the gradients of weights that train.
    pub weight_gradients: u64,
    /// FLOPs of the gradients of activations.
    pub input_gradients: u64,
    /// Bytes of activations kept for the backward pass (f32), parameters not included; see
    /// [`crate::model::costs::Work::kept_bytes`].
    pub activation_bytes: u64,
    /// Bytes of what crosses the cut (f32): what a feature cache stores for these images. 0
    /// without a prefix.
    pub cut_bytes: u64,
}

impl Costs {
    /// FLOPs of a whole step.
    pub fn step(&self) -> u64 {
        self.forward_prefix.saturating_add(self.cached_step())
    }

    /// FLOPs of a step whose features at the cut come from a cache.
    pub fn cached_step(&self) -> u64 {
        (self.forward_suffix)
            .saturating_add(self.weight_gradients)
            .saturating_add(self.input_gradients)
    }
}

impl Stage {
    /// The cost of a training step on `batch` images of `height` × `width` pixels.
    ///
    /// # Errors
    /// An image size that does not fit the network's strides.
    pub fn costs(
        &self,
        architecture: &Architecture,
        height: usize,
        width: usize,
        batch: usize,
    ) -> Result<Costs> {
        let work = architecture.work(height, width, &self.learns(architecture))?;
        let modules = architecture.module_costs(height, width)?;
        let (prefix, suffix) = work.split_at(self.cut.prefix.min(work.len()));
        let images = batch as u64;
        let of_batch = |per_image: u64| per_image.saturating_mul(images);
        Ok(Costs {
            height,
            width,
            batch,
            forward_prefix: of_batch(prefix.iter().map(|w| w.forward).sum()),
            forward_suffix: of_batch(suffix.iter().map(|w| w.forward).sum()),
            weight_gradients: of_batch(work.iter().map(|w| w.weight_gradients).sum()),
            input_gradients: of_batch(work.iter().map(|w| w.input_gradients).sum()),
            activation_bytes: of_batch(work.iter().map(|w| w.kept_bytes).sum()),
            cut_bytes: of_batch(
                (self.cut.crossing.iter())
                    .map(|&module| modules[module].output_bytes)
                    .sum(),
            ),
        })
    }

    /// What of each convolution learns, in the order of [`Architecture::convolutions`].
    fn learns(&self, architecture: &Architecture) -> Vec<Learns> {
        // A convolution's weight comes first, then its own bias or its BatchNorm's two.
        let mut list: Vec<Learns> = Vec::new();
        for (parameter, frozen) in architecture.parameters().iter().zip(&self.frozen) {
            match (parameter.kind, list.last_mut()) {
                (ParameterKind::NormWeight | ParameterKind::Bias, Some(last)) => {
                    last.affine |= !frozen;
                }
                _ => list.push(Learns {
                    weight: !frozen,
                    affine: false,
                }),
            }
        }
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::freeze::FreezePlan;
    use crate::model::Size;

    fn costs(size: Size, spec: &str, side: usize, batch: usize) -> Costs {
        let architecture = Architecture::yolov5(size, 80);
        let plan = FreezePlan::resolve(&spec.parse().unwrap(), &architecture).unwrap();
        plan.stages[0]
            .costs(&architecture, side, side, batch)
            .unwrap()
    }

    /// FLOPs of the gradient that the table counts and nobody needs: at the first module after the
    /// cut, of the image or of module 9's output.
    fn unneeded(size: Size, module: usize) -> u64 {
        let architecture = Architecture::yolov5(size, 80);
        architecture.work(640, 640, &[]).unwrap()[module].forward
    }

    /// Half of the last digit that the table prints.
    const GFLOPS_TOLERANCE: f64 = 0.05;
    const RATIO_TOLERANCE: f64 = 0.005;

    #[test]
    fn flops_of_a_step_equal_the_fact_sheet() {
        let giga = |flops: u64| flops as f64 / 1e9;
        let close = |flops: u64, expected: f64, tolerance: f64| {
            let ours = giga(flops);
            assert!((ours - expected).abs() <= tolerance, "{ours} {expected}");
        };
        let full = costs(Size::N, "0", 640, 1).step() + unneeded(Size::N, 0);
        close(full, 13.4, GFLOPS_TOLERANCE);
        let ten = costs(Size::N, "10", 640, 1).step() + unneeded(Size::N, 10);
        close(ten, 7.9, GFLOPS_TOLERANCE);
        let most = costs(Size::N, "24", 640, 1);
        close(most.step(), 4.8, GFLOPS_TOLERANCE);
        close(most.cached_step(), 0.73, GFLOPS_TOLERANCE / 10.0);
        // Freeze 10, freeze 24, freeze 24 on cached features, each against nothing frozen.
        for (size, by_10, by_24, cached) in [
            (Size::N, 1.70, 2.77, 18.0),
            (Size::S, 1.72, 2.87, 34.0),
            (Size::M, 1.73, 2.93, 67.0),
            (Size::X, 1.74, 2.97, 169.0),
        ] {
            let full = giga(costs(size, "0", 640, 1).step() + unneeded(size, 0));
            let ten = giga(costs(size, "10", 640, 1).step() + unneeded(size, 10));
            let most = costs(size, "24", 640, 1);
            assert!(
                (full / ten - by_10).abs() <= RATIO_TOLERANCE,
                "{size} {}",
                full / ten
            );
            let ratio = full / giga(most.step());
            assert!((ratio - by_24).abs() <= RATIO_TOLERANCE, "{size} {ratio}");
            let ratio = full / giga(most.cached_step());
            assert!((ratio - cached).abs() <= 0.5, "{size} {ratio}");
        }
    }

    /// FACTS 8 gives MiB to two or three digits.
    #[test]
    fn activation_bytes_equal_what_the_reference_saves() {
        const RELATIVE: f64 = 0.015;
        for (size, spec, mib) in [
            (Size::N, "0", 147.0),
            (Size::N, "10", 40.0),
            (Size::N, "24", 2.7),
            (Size::S, "0", 290.0),
            (Size::S, "10", 80.0),
            (Size::S, "24", 5.5),
        ] {
            let bytes = costs(size, spec, 320, 4).activation_bytes;
            let ours = bytes as f64 / f64::from(1 << 20);
            assert!(
                (ours / mib - 1.0).abs() < RELATIVE,
                "{size} {spec}: {ours} {mib}"
            );
        }
    }

    #[test]
    fn features_at_the_cut_are_counted() {
        // Modules 17, 20 and 23 of n at 320 px: 64×40×40, 128×20×20, 256×10×10.
        let most = costs(Size::N, "24", 320, 2);
        assert_eq!(most.cut_bytes, 2 * 4 * (64 * 1600 + 128 * 400 + 256 * 100));
        assert_eq!(costs(Size::N, "0", 320, 2).cut_bytes, 0);
        assert_eq!(costs(Size::N, "0", 320, 2).forward_prefix, 0);
    }

    #[test]
    fn frozen_layers_behind_trainable_ones_still_pass_gradients() {
        let full = costs(Size::N, "0", 320, 1);
        let neck = costs(Size::N, "neck", 320, 1);
        assert!(neck.weight_gradients < full.weight_gradients);
        assert_eq!(neck.input_gradients, full.input_gradients);
        assert_eq!(
            neck.step() + (full.weight_gradients - neck.weight_gradients),
            full.step()
        );
    }

    #[test]
    fn training_batch_norms_alone_keep_no_convolution_inputs() {
        let norms = costs(Size::N, "all,!*.bn.*,!detect", 320, 1);
        let full = costs(Size::N, "0", 320, 1);
        assert!(norms.activation_bytes < full.activation_bytes);
        assert_eq!(norms.input_gradients, full.input_gradients);
        let detect = costs(Size::N, "24", 320, 1);
        assert_eq!(norms.weight_gradients, detect.weight_gradients);
    }

    #[test]
    fn huge_batches_saturate() {
        assert_eq!(costs(Size::N, "0", 640, usize::MAX).step(), u64::MAX);
    }
}
