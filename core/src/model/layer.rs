//! The modules of a network, and how they run in order.

use std::collections::BTreeMap;
use std::ops::Range;

use burn::tensor::ops::{InterpolateMode, InterpolateOptions};
use burn::tensor::{Tensor, module::interpolate};

use super::architecture::Architecture;
use super::blocks::{C3, Conv, ConvBlock, Sppf};
use super::detect::Detect;
use super::state::Mode;
use crate::ops::concat;

/// One module, made of [`Conv`] where it can train and of
/// [`FoldedConv`](super::folded::FoldedConv) where it cannot.
#[derive(Debug, Clone)]
pub(super) enum Layer<C = Conv> {
    Conv(C),
    C3(C3<C>),
    Sppf(Sppf<C>),
    Upsample(usize),
    Concat,
    Detect(Detect),
}

impl<C> Layer<C> {
    /// The same module made of other convolutions.
    pub(super) fn map<D>(&self, make: &impl Fn(&C) -> D) -> Layer<D> {
        match self {
            Self::Conv(conv) => Layer::Conv(make(conv)),
            Self::C3(c3) => Layer::C3(c3.map(make)),
            Self::Sppf(sppf) => Layer::Sppf(sppf.map(make)),
            Self::Upsample(scale) => Layer::Upsample(*scale),
            Self::Concat => Layer::Concat,
            Self::Detect(detect) => Layer::Detect(detect.plain()),
        }
    }
}

/// What later modules still need: the image, outputs by module index, and the heads once Detect ran.
#[derive(Debug, Clone, Default)]
pub struct Features {
    /// `[B, 3, H, W]` in `0..=1`, until module 0 has run.
    pub image: Option<Tensor<4>>,
    /// Outputs by module index.
    pub outputs: BTreeMap<usize, Tensor<4>>,
    /// Raw heads `[B, A·(5+C), H, W]`.
    pub heads: Vec<Tensor<4>>,
}

impl Features {
    /// Where every forward pass begins.
    pub fn image(image: Tensor<4>) -> Self {
        Self {
            image: Some(image),
            ..Self::default()
        }
    }

    /// `[B, C, H, W]` of the image or, after it, of the first output.
    pub fn shape(&self) -> Option<[usize; 4]> {
        let mut maps = self.image.iter().chain(self.outputs.values());
        maps.next().map(Tensor::dims)
    }

    /// The features of several groups of pictures as those of one batch.
    pub fn cat(groups: Vec<Self>) -> Self {
        let mut groups = groups.into_iter();
        let (Some(first), rest) = (groups.next(), groups.collect::<Vec<_>>()) else {
            return Self::default();
        };
        if rest.is_empty() {
            return first;
        }
        let all = |own: Tensor<4>, of: &dyn Fn(&Self) -> Option<Tensor<4>>| {
            let others = rest.iter().filter_map(of);
            Tensor::cat(std::iter::once(own).chain(others).collect(), 0)
        };
        let outputs = first.outputs.into_iter();
        let heads = first.heads.into_iter().enumerate();
        Self {
            image: first
                .image
                .map(|own| all(own, &|group| group.image.clone())),
            outputs: outputs
                .map(|(i, own)| (i, all(own, &|group| group.outputs.get(&i).cloned())))
                .collect(),
            heads: heads
                .map(|(i, own)| all(own, &|group| group.heads.get(i).cloned()))
                .collect(),
        }
    }
}

/// Runs `modules` of `layers` on `features` and keeps only what modules from `modules.end` on will read.
pub(super) fn run<C: ConvBlock>(
    architecture: &Architecture,
    layers: &mut [Layer<C>],
    modules: Range<usize>,
    mut features: Features,
    mode: Mode,
) -> Features {
    for index in modules {
        let from = &architecture.modules[index].from;
        let mut inputs: Vec<Tensor<4>> = if from.is_empty() {
            features.image.take().into_iter().collect()
        } else {
            from.iter()
                .filter_map(|i| features.outputs.get(i).cloned())
                .collect()
        };
        debug_assert_eq!(
            inputs.len(),
            from.len().max(1),
            "module {index} lacks an input"
        );
        let later = &architecture.modules[index + 1..];
        features
            .outputs
            .retain(|i, _| later.iter().any(|module| module.from.contains(i)));
        let output = match &mut layers[index] {
            Layer::Detect(detect) => {
                features.heads = detect.forward(inputs);
                continue;
            }
            Layer::Concat => match <[_; 2]>::try_from(inputs) {
                Ok([a, b]) => concat(a, b),
                Err(inputs) => Tensor::cat(inputs, 1),
            },
            layer => {
                let x = inputs.swap_remove(0);
                match layer {
                    Layer::Conv(conv) => conv.forward(x, mode),
                    Layer::C3(c3) => c3.forward(x, mode),
                    Layer::Sppf(sppf) => sppf.forward(x, mode),
                    Layer::Upsample(scale) => {
                        let options = InterpolateOptions::new(InterpolateMode::Nearest)
                            .with_align_corners(false)
                            .with_scale_factor([*scale as f32; 2]);
                        interpolate(x, options)
                    }
                    Layer::Concat | Layer::Detect(_) => unreachable!("handled above"),
                }
            }
        };
        features.outputs.insert(index, output);
    }
    features
}
