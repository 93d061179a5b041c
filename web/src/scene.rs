//! Everything that the page shows of a network and a freeze plan, worked out by the library.

use frostline::Result;
use frostline::freeze::{Costs, FreezePlan, FreezeSpec, Stage};
use frostline::model::architecture::{Module, Parameter, ParameterKind};
use frostline::model::costs::ModuleCost;
use frostline::model::{Architecture, Size};

use crate::figures::shape;

/// A network for a number of classes and an image size.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// The modules as data.
    pub architecture: Architecture,
    /// Its named parameters, in order.
    pub parameters: Vec<Parameter>,
    /// Shapes, parameters and FLOPs of each module for one picture.
    pub modules: Vec<ModuleCost>,
    /// Side of the pictures in pixels.
    pub imgsz: usize,
    /// Pictures per step.
    pub batch: usize,
    /// A training step when nothing is frozen.
    pub full: Costs,
}

impl Network {
    /// Works out a built-in network.
    ///
    /// # Errors
    /// An image size that does not fit the network's strides.
    pub fn new(size: Size, classes: usize, imgsz: usize, batch: usize) -> Result<Self> {
        let architecture = Architecture::yolov5(size, classes);
        let nothing = FreezePlan::none(&architecture);
        Ok(Self {
            parameters: architecture.parameters(),
            modules: architecture.module_costs(imgsz, imgsz)?,
            full: nothing
                .stage_at(0)
                .costs(&architecture, imgsz, imgsz, batch)?,
            architecture,
            imgsz,
            batch,
        })
    }

    /// Its modules in order.
    pub fn rows(&self) -> &[Module] {
        &self.architecture.modules
    }

    /// A module's share of the forward pass, 0 to 1.
    pub fn share(&self, module: usize) -> f64 {
        let all: u64 = self.modules.iter().map(|m| m.flops).sum();
        self.modules
            .get(module)
            .map_or(0.0, |m| m.flops as f64 / all.max(1) as f64)
    }

    /// The shapes of a module's outputs: `64×80×80`, for Detect one per scale.
    pub fn outputs(&self, module: usize) -> String {
        let outputs = self.modules.get(module).map_or(&[][..], |m| &m.outputs);
        let shapes: Vec<String> = outputs.iter().map(|sides| shape(sides)).collect();
        shapes.join(", ")
    }

    /// A module's output channels: `64`, for Detect `3×255`.
    pub fn channels(&self, module: usize) -> String {
        match self.modules.get(module).map_or(&[][..], |m| &m.outputs) {
            [] => String::new(),
            [[channels, ..]] => channels.to_string(),
            [[channels, ..], ..] => format!("{}×{channels}", self.architecture.anchors.len()),
        }
    }

    /// A module's output in short: its shape, for Detect its channels.
    pub fn output(&self, module: usize) -> String {
        match self.modules.get(module).map_or(&[][..], |m| &m.outputs) {
            [one] => shape(one),
            _ => self.channels(module),
        }
    }

    /// How many BatchNorms the network has.
    pub fn norms(&self) -> usize {
        let norms = self
            .parameters
            .iter()
            .filter(|p| p.kind == ParameterKind::NormWeight);
        norms.count()
    }

    /// A parameter's place in the list of a module; see [`Parameter::module`].
    pub fn parameters_of(&self, module: usize) -> impl Iterator<Item = (usize, &Parameter)> {
        let all = self.parameters.iter().enumerate();
        all.filter(move |(_, parameter)| parameter.module == module)
    }

    /// The spec of a text, resolved against this network.
    ///
    /// # Errors
    /// What the freeze language or this network do not know; see [`FreezePlan::resolve`].
    pub fn plan(&self, text: &str) -> Result<FreezePlan> {
        FreezePlan::resolve(&text.parse::<FreezeSpec>()?, &self.architecture)
    }
}

/// One stage of a plan and what a step costs in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    /// What is frozen, and where the cut lies.
    pub stage: Stage,
    /// First epoch of the next stage.
    pub until: Option<usize>,
    /// What a step costs.
    pub costs: Costs,
}

impl Scene {
    /// Works out the stage at an index, or the last one when there are fewer.
    pub fn new(network: &Network, plan: &FreezePlan, index: usize) -> Self {
        let index = index.min(plan.stages.len().saturating_sub(1));
        let stage = plan
            .stages
            .get(index)
            .unwrap_or_else(|| plan.stage_at(0))
            .clone();
        let side = network.imgsz;
        Self {
            costs: (stage.costs(&network.architecture, side, side, network.batch))
                .expect("a network is only made for an image size that fits"),
            until: plan.stages.get(index + 1).map(|next| next.from_epoch),
            stage,
        }
    }

    /// Bytes of one picture's features at the cut.
    pub fn cut_bytes_per_picture(&self) -> u64 {
        self.costs.cut_bytes / self.costs.batch.max(1) as u64
    }

    /// The features that cross the cut: module and shape.
    pub fn crossing(&self, network: &Network) -> Vec<(usize, String)> {
        (self.stage.cut.crossing.iter())
            .map(|&module| (module, network.outputs(module)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(size: Size) -> Network {
        Network::new(size, 80, 640, 1).unwrap()
    }

    #[test]
    fn the_scene_of_a_frozen_backbone_has_the_published_figures() {
        let network = network(Size::N);
        let scene = Scene::new(&network, &network.plan("10").unwrap(), 0);
        assert_eq!(scene.stage.counts.frozen_parameters, 1_046_368);
        let crossing = scene.crossing(&network);
        assert_eq!(
            crossing,
            [(4, "64×80×80"), (6, "128×40×40"), (9, "256×20×20")].map(|(m, s)| (m, s.to_owned()))
        );
        let elements = 64 * 6400 + 128 * 1600 + 256 * 400;
        assert_eq!(scene.cut_bytes_per_picture(), 4 * elements);
        assert_eq!(network.norms(), 57);
        assert_eq!(network.output(4), "64×80×80");
        assert_eq!(network.output(24), "3×255");
        assert_eq!(network.channels(4), "64");
        assert_eq!(network.outputs(24), "255×80×80, 255×40×40, 255×20×20");
    }

    #[test]
    fn the_shares_of_work_add_up() {
        for size in Size::ALL {
            let network = network(size);
            let sum: f64 = (0..network.rows().len()).map(|m| network.share(m)).sum();
            assert!((sum - 1.0).abs() < 1e-9, "{size}");
        }
    }

    #[test]
    fn a_stage_knows_when_the_next_one_begins() {
        let network = network(Size::N);
        let plan = network.plan("24; 10@5; 0@20").unwrap();
        let of = |index| Scene::new(&network, &plan, index);
        assert_eq!((of(0).stage.from_epoch, of(0).until), (0, Some(5)));
        assert_eq!((of(2).stage.from_epoch, of(2).until), (20, None));
        assert_eq!(of(9), of(2));
        assert!(of(0).costs.step() < of(1).costs.step());
        assert_eq!(of(2).costs, network.full);
    }
}
