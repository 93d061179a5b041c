//! Everything that `inspect` tells, as data; the json is this and nothing else.

use frostline::freeze::{Costs, Counts, Cut, FreezePlan, ModuleState, Stage, matches};
use frostline::model::Architecture;
use frostline::model::architecture::{Module, ModuleKind, Parameter};
use frostline::{Error, Result};
use serde::Serialize;

use crate::args::InspectSettings;
use crate::forecast::Forecast;

/// An architecture and what a freeze does to it.
#[derive(Debug, Serialize)]
pub struct Report {
    /// `yolov5n`, or the file it came from.
    pub name: String,
    /// Number of classes.
    pub nc: usize,
    /// Side of the input in pixels that shapes and costs are for.
    pub imgsz: usize,
    /// Pictures per step that costs are for.
    pub batch_size: usize,
    /// Elements of all parameters.
    pub parameters: u64,
    /// Named parameters.
    pub tensors: usize,
    /// Items of the state dict.
    pub state_items: usize,
    /// Layers as the reference counts them.
    pub layers: usize,
    /// Layers without children.
    pub leaf_layers: usize,
    /// Forward pass over one picture, by the reference's rule.
    pub gflops: f64,
    /// Strides of the scales in pixels.
    pub strides: Vec<usize>,
    /// Anchors per scale in pixels.
    pub anchors: Vec<Vec<[f32; 2]>>,
    /// Outputs that later modules read.
    pub saved: Vec<usize>,
    pub modules: Vec<ModuleRow>,
    pub freeze: Option<FreezeReport>,
    /// What a step will take on this machine, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forecast: Option<Forecast>,
    /// The parameters that the pattern names, all without one.
    pub named_parameters: Vec<NamedParameter>,
}

/// One row of the table.
#[derive(Debug, Serialize)]
pub struct ModuleRow {
    pub index: usize,
    /// Modules it reads; none for the image.
    pub from: Vec<usize>,
    /// Bottlenecks of a C3, otherwise 1.
    pub n: usize,
    pub kind: &'static str,
    pub arguments: String,
    pub parameters: u64,
    /// Shapes `[C, H, W]` of its outputs.
    pub outputs: Vec<[usize; 3]>,
    pub flops: u64,
}

#[derive(Debug, Serialize)]
pub struct NamedParameter {
    pub name: String,
    pub shape: Vec<usize>,
    pub elements: u64,
    pub module: usize,
    /// Whether it is frozen in each stage; empty without a freeze.
    pub frozen: Vec<bool>,
    /// What its learning rate is multiplied by, where factors are given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_factor: Option<f64>,
}

#[derive(Debug, Serialize)]
pub struct FreezeReport {
    /// The spec in its shortest form.
    pub spec: String,
    /// Of a training step without any freeze.
    pub unfrozen_costs: Costs,
    pub stages: Vec<StageReport>,
}

/// What is frozen during a range of epochs.
#[derive(Debug, Serialize)]
pub struct StageReport {
    pub from_epoch: usize,
    /// First epoch of the next stage.
    pub until_epoch: Option<usize>,
    /// `0–9 frozen, 10–24 train`.
    pub summary: String,
    #[serde(flatten)]
    pub counts: Counts,
    pub frozen_names: Vec<String>,
    pub modules: Vec<FrozenModule>,
    /// BatchNorms whose statistics stay.
    pub fixed_norms: usize,
    pub cut: Cut,
    /// Of a training step.
    pub costs: Costs,
}

/// How much of a module is frozen.
#[derive(Debug, Serialize)]
pub struct FrozenModule {
    pub state: ModuleState,
    pub frozen_tensors: usize,
    pub tensors: usize,
}

impl Report {
    /// Computes everything from the architecture alone.
    ///
    /// # Errors
    /// An input size that does not fit, a freeze that does not fit, or a pattern that matches
    /// nothing.
    pub fn new(
        name: String,
        architecture: &Architecture,
        settings: &InspectSettings,
    ) -> Result<Self> {
        let imgsz = settings.imgsz;
        let costs = architecture.module_costs(imgsz, imgsz)?;
        let parameters = architecture.parameters();
        let plan = match &settings.freeze {
            Some(spec) => Some(FreezePlan::resolve(spec, architecture)?),
            None => None,
        };
        let modules = architecture
            .modules
            .iter()
            .zip(&costs)
            .map(|(module, cost)| ModuleRow {
                index: module.index,
                from: module.from.clone(),
                n: repeats(module),
                kind: module.kind.name(),
                arguments: arguments(module, architecture.nc),
                parameters: cost.parameters,
                outputs: cost.outputs.clone(),
                flops: cost.flops,
            })
            .collect();
        let stages = plan.as_ref().map_or(&[][..], |plan| &plan.stages);
        let mut named_parameters = named(&parameters, stages, settings.parameters.as_deref())?;
        if !settings.lr_factor.is_empty() {
            let plan = plan
                .clone()
                .unwrap_or_else(|| FreezePlan::none(architecture));
            let factors = settings.lr_factor.resolve(architecture, &plan)?;
            for parameter in &mut named_parameters {
                let factor = factors.get(&parameter.name).copied();
                parameter.rate_factor = Some(factor.unwrap_or(1.0));
            }
        }
        let freeze = match &plan {
            Some(plan) => Some(freeze(plan, architecture, settings)?),
            None => None,
        };
        Ok(Self {
            name,
            nc: architecture.nc,
            imgsz,
            batch_size: settings.batch_size,
            parameters: architecture.parameter_count(),
            tensors: parameters.len(),
            state_items: architecture.state().len(),
            layers: architecture.layers(),
            leaf_layers: architecture.leaf_layers(),
            gflops: architecture.flops(imgsz, imgsz)? as f64 / 1e9,
            strides: architecture.strides(),
            anchors: architecture.anchors.clone(),
            saved: architecture.saved(),
            modules,
            freeze,
            forecast: None,
            named_parameters,
        })
    }
}

fn named(
    parameters: &[Parameter],
    stages: &[Stage],
    wanted: Option<&str>,
) -> Result<Vec<NamedParameter>> {
    let named: Vec<_> = parameters
        .iter()
        .enumerate()
        .filter(|(_, parameter)| wanted.is_none_or(|w| matches(w, &parameter.name)))
        .map(|(i, parameter)| NamedParameter {
            name: parameter.name.clone(),
            shape: parameter.shape.clone(),
            elements: parameter.elements(),
            module: parameter.module,
            frozen: stages.iter().map(|stage| stage.frozen[i]).collect(),
            rate_factor: None,
        })
        .collect();
    match wanted {
        Some(wanted) if named.is_empty() => Err(Error::input(
            "--parameters",
            format!("`{wanted}`, which matches no parameter"),
            "a pattern over names such as model.2.cv1.conv.weight",
            "Try 'model.2.*' or '*.bn.*'",
        )),
        _ => Ok(named),
    }
}

fn freeze(
    plan: &FreezePlan,
    architecture: &Architecture,
    settings: &InspectSettings,
) -> Result<FreezeReport> {
    let costs = |stage: &Stage| {
        let side = settings.imgsz;
        stage.costs(architecture, side, side, settings.batch_size)
    };
    let nothing = FreezePlan::none(architecture);
    let next = plan
        .stages
        .iter()
        .skip(1)
        .map(|stage| Some(stage.from_epoch));
    let stages = plan
        .stages
        .iter()
        .zip(next.chain([None]))
        .map(|(stage, until_epoch)| {
            Ok(StageReport {
                from_epoch: stage.from_epoch,
                until_epoch,
                summary: stage.human(),
                counts: stage.counts,
                frozen_names: frozen_names(stage, architecture),
                modules: frozen_modules(stage, architecture),
                fixed_norms: stage.fixed_norms.len(),
                cut: stage.cut.clone(),
                costs: costs(stage)?,
            })
        })
        .collect::<Result<_>>()?;
    Ok(FreezeReport {
        spec: plan.spec.to_string(),
        unfrozen_costs: costs(nothing.stage_at(0))?,
        stages,
    })
}

fn frozen_names(stage: &Stage, architecture: &Architecture) -> Vec<String> {
    let parameters = architecture.parameters().into_iter();
    parameters
        .zip(&stage.frozen)
        .filter(|(_, frozen)| **frozen)
        .map(|(parameter, _)| parameter.name)
        .collect()
}

fn frozen_modules(stage: &Stage, architecture: &Architecture) -> Vec<FrozenModule> {
    let mut modules: Vec<FrozenModule> = stage
        .states
        .iter()
        .map(|state| FrozenModule {
            state: *state,
            frozen_tensors: 0,
            tensors: 0,
        })
        .collect();
    for (parameter, frozen) in architecture.parameters().iter().zip(&stage.frozen) {
        let module = &mut modules[parameter.module];
        module.tensors += 1;
        module.frozen_tensors += usize::from(*frozen);
    }
    modules
}

fn repeats(module: &Module) -> usize {
    match module.kind {
        ModuleKind::C3 { n, .. } => n,
        _ => 1,
    }
}

fn arguments(module: &Module, nc: usize) -> String {
    match &module.kind {
        ModuleKind::Conv {
            c1,
            c2,
            kernel,
            stride,
            padding,
        } => {
            format!("{c1}→{c2} k{kernel} s{stride} p{padding}")
        }
        ModuleKind::C3 {
            c1,
            c2,
            shortcut: true,
            ..
        } => format!("{c1}→{c2}"),
        ModuleKind::C3 { c1, c2, .. } => format!("{c1}→{c2} no shortcut"),
        ModuleKind::Sppf { c1, c2, kernel } => format!("{c1}→{c2} k{kernel}"),
        ModuleKind::Upsample { scale } => format!("×{scale} nearest"),
        ModuleKind::Concat => String::new(),
        ModuleKind::Detect { channels } => {
            let channels: Vec<String> = channels.iter().map(usize::to_string).collect();
            format!("{}→3×(5+{nc})", channels.join(","))
        }
    }
}
