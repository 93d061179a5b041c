//! The network: modules in order, and a runner that can stop and go on anywhere.

use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::architecture::{Architecture, ModuleKind};
use super::blocks::{C3, Conv, Sppf};
use super::detect::{Detect, decode};
pub use super::layer::Features;
use super::layer::{Layer, run};
use super::state::{Gather, Load, Mode, Visitor, read_all};
use crate::error::Result;
use crate::weights::StateDict;

/// A YOLOv5 network.
#[derive(Debug, Clone)]
pub struct Yolov5 {
    architecture: Architecture,
    pub(super) layers: Vec<Layer>,
}

impl Yolov5 {
    /// A seeded network. The same seed gives the same weights on every device.
    pub fn new(architecture: Architecture, seed: u64, device: &Device) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let strides = architecture.strides();
        let layers = architecture
            .modules
            .iter()
            .map(|module| match &module.kind {
                &ModuleKind::Conv {
                    c1,
                    c2,
                    kernel,
                    stride,
                    padding,
                } => Layer::Conv(Conv::new(c1, c2, kernel, stride, padding, &mut rng, device)),
                &ModuleKind::C3 {
                    c1,
                    c2,
                    n,
                    shortcut,
                } => Layer::C3(C3::new(c1, c2, n, shortcut, &mut rng, device)),
                &ModuleKind::Sppf { c1, c2, kernel } => {
                    Layer::Sppf(Sppf::new(c1, c2, kernel, &mut rng, device))
                }
                &ModuleKind::Upsample { scale } => Layer::Upsample(scale),
                ModuleKind::Concat => Layer::Concat,
                ModuleKind::Detect { channels } => {
                    let anchors = architecture.anchors.first().map_or(0, Vec::len);
                    Layer::Detect(Detect::new(
                        channels,
                        &strides,
                        anchors,
                        architecture.nc,
                        &mut rng,
                        device,
                    ))
                }
            })
            .collect();
        Self {
            architecture,
            layers,
        }
    }

    /// What the network is made of.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// Replaces the anchors (pixels), as autoanchor does before training.
    pub fn set_anchors(&mut self, anchors: Vec<Vec<[f32; 2]>>) {
        self.architecture.anchors = anchors;
    }

    /// Runs `modules` on `features` and keeps only what modules from `modules.end` on will read.
    pub fn run(&mut self, modules: Range<usize>, features: Features, mode: Mode) -> Features {
        run(
            &self.architecture,
            &mut self.layers,
            modules,
            features,
            mode,
        )
    }

    /// The detection head.
    pub fn detect(&self) -> &Detect {
        match self.layers.last() {
            Some(Layer::Detect(detect)) => detect,
            _ => unreachable!("every architecture ends with Detect"),
        }
    }

    /// What the last module, Detect, reads of `features`, scale by scale.
    pub fn detect_inputs(&self, features: &Features) -> Vec<Tensor<4>> {
        let from = self.architecture.modules.last().map(|module| &module.from);
        let from = from.into_iter().flatten();
        from.filter_map(|i| features.outputs.get(i).cloned())
            .collect()
    }

    /// The whole network: image `[B, 3, H, W]` in `0..=1` to raw heads `[B, A·(5+C), H, W]` per scale.
    pub fn forward(&mut self, image: Tensor<4>, mode: Mode) -> Vec<Tensor<4>> {
        self.run(0..self.layers.len(), Features::image(image), mode)
            .heads
    }

    /// Inference: image to rows `[B, N, 5+C]`, see [`decode`].
    pub fn predict(&mut self, image: Tensor<4>) -> Tensor<3> {
        let heads = self.forward(image, Mode::Infer);
        self.decode(heads)
    }

    /// Decodes raw heads with this network's anchors.
    pub fn decode(&self, heads: Vec<Tensor<4>>) -> Tensor<3> {
        decode(
            heads,
            &self.architecture.anchors,
            &self.architecture.strides(),
            self.architecture.nc,
        )
    }

    /// The whole state by the reference's names, anchors (in cells) included.
    ///
    /// # Errors
    /// When the device fails.
    pub async fn state_dict(&mut self) -> Result<StateDict> {
        let mut gather = Gather::new(&|_| true);
        self.visit(&mut gather);
        let mut state = read_all(gather.state).await?;
        let detect = self.layers.len() - 1;
        let scales = self.architecture.anchors.len();
        let anchors: Vec<f32> = self
            .architecture
            .anchors
            .iter()
            .zip(self.architecture.strides())
            .flat_map(|(anchors, stride)| {
                anchors
                    .iter()
                    .flat_map(move |a| a.map(|side| side / stride as f32))
            })
            .collect();
        let per_scale = anchors.len() / 2 / scales.max(1);
        // The reference keeps the anchors before the convolutions of Detect.
        let at = state
            .iter()
            .position(|(name, _)| name.starts_with(&format!("model.{detect}.")))
            .unwrap_or(state.len());
        state.insert(
            at,
            (
                format!("model.{detect}.anchors"),
                TensorData::new(anchors, [scales, per_scale, 2]),
            ),
        );
        Ok(state)
    }

    /// Takes values by name, as [`crate::weights::transfer`] selected them; anchors (in cells) are taken too.
    pub fn load(&mut self, state: &[(String, TensorData)], device: &Device) {
        self.visit(&mut Load::new(state, device));
        let name = format!("model.{}.anchors", self.layers.len() - 1);
        if let Some((_, data)) = state.iter().find(|(n, _)| *n == name) {
            let cells: Vec<f32> = data.iter::<f32>().collect();
            let strides = self.architecture.strides();
            let per_scale = cells.len() / self.architecture.anchors.len().max(1);
            let scales = self
                .architecture
                .anchors
                .iter_mut()
                .zip(strides)
                .zip(cells.chunks(per_scale.max(1)));
            for ((anchors, stride), cells) in scales {
                for (anchor, cell) in anchors.iter_mut().zip(cells.chunks_exact(2)) {
                    *anchor = [cell[0] * stride as f32, cell[1] * stride as f32];
                }
            }
        }
    }

    /// Rounds all weights and statistics to half precision, as the reference does once before training.
    ///
    /// # Errors
    /// When the device fails.
    pub async fn round_to_half(&mut self, device: &Device) -> Result<()> {
        let state: StateDict = self
            .state_dict()
            .await?
            .into_iter()
            .filter(|(_, data)| data.dtype().is_float())
            .map(|(name, data)| (name, data.convert::<half::f16>()))
            .collect();
        self.load(&state, device);
        Ok(())
    }

    /// Walks all state in state-dict order.
    pub fn visit<V: Visitor>(&mut self, visitor: &mut V) {
        for (index, layer) in self.layers.iter_mut().enumerate() {
            let path = format!("model.{index}");
            match layer {
                Layer::Conv(conv) => conv.visit(&path, visitor),
                Layer::C3(c3) => c3.visit(&path, visitor),
                Layer::Sppf(sppf) => sppf.visit(&path, visitor),
                Layer::Detect(detect) => detect.visit(&path, visitor),
                Layer::Upsample(_) | Layer::Concat => {}
            }
        }
    }
}
