//! Where a run starts: architecture, weights, anchors, freeze plan.

use burn::tensor::Device;

use crate::data::Source;
use crate::data::anchors::{AnchorReport, autoanchor};
use crate::data::transform::epoch_rng;
use crate::error::{Error, Result};
use crate::freeze::{FreezePlan, FreezeSpec};
use crate::model::{Architecture, Yolov5};
use crate::weights::{Checkpoint, Transfer, transfer};

/// The architecture of a checkpoint, for `nc` classes; `place` names it in errors.
///
/// # Errors
/// When the file does not say what it is.
pub fn architecture_of(checkpoint: &Checkpoint, place: &str, nc: usize) -> Result<Architecture> {
    match &checkpoint.architecture {
        Some(architecture) => architecture.with_classes(nc),
        None => Err(Error::input(
            place,
            "weights without an architecture",
            "a checkpoint that names its architecture",
            "Say it with --cfg yolov5n (s, m, l, x)",
        )),
    }
}

/// How a run starts.
#[derive(Debug, Clone, Copy)]
pub struct StartOptions<'a> {
    /// What is frozen.
    pub freeze: &'a FreezeSpec,
    /// For what the checkpoint does not give.
    pub seed: u64,
    /// Leave the checkpoint's anchors.
    pub own_anchors: bool,
    /// Freezing modules that the checkpoint did not give is no error.
    pub allow_untransferred: bool,
    /// Fit the anchors to the boxes, where those there are do not: image size, and the hyperparameter `anchor_t`.
    pub autoanchor: Option<(usize, f64)>,
}

/// A network with its plan, ready to train.
#[derive(Debug)]
pub struct Start {
    /// The network.
    pub model: Yolov5,
    /// What is frozen when.
    pub plan: FreezePlan,
    /// What the checkpoint gave, if there was one.
    pub transfer: Option<Transfer>,
    /// What became of the anchors, if they were looked at.
    pub anchors: Option<AnchorReport>,
}

/// Builds the network, transfers the weights and settles the plan for the pictures of `source`.
///
/// # Errors
/// When weights, architecture and plan do not fit together.
pub async fn start(
    architecture: Architecture,
    checkpoint: Option<&Checkpoint>,
    source: &dyn Source,
    options: StartOptions<'_>,
    device: &Device,
) -> Result<Start> {
    let plan = FreezePlan::resolve(options.freeze, &architecture)?;
    let mut model = Yolov5::new(architecture, options.seed, device);
    let exclude: &[&str] = if options.own_anchors {
        &["anchor"]
    } else {
        &[]
    };
    let transfer = checkpoint.map(|checkpoint| load(&mut model, checkpoint, exclude, device));
    if !options.allow_untransferred {
        let lacking = match &transfer {
            Some(transfer) => transfer.incomplete_modules(),
            None => (0..model.architecture().modules.len()).collect(),
        };
        plan.check_transferred(model.architecture(), &lacking)?;
    }
    let anchors = options.autoanchor.map(|(imgsz, threshold)| {
        let mut rng = epoch_rng(options.seed, usize::MAX);
        let anchors = &model.architecture().anchors;
        autoanchor(source, imgsz, anchors, threshold, &mut rng)
    });
    if let Some(report) = anchors.as_ref().filter(|report| report.replaced) {
        model.set_anchors(report.anchors.clone());
    }
    model.round_to_half(device).await?;
    Ok(Start {
        model,
        plan,
        transfer,
        anchors,
    })
}

/// A trained network and its class names; `place` names the checkpoint in errors.
///
/// # Errors
/// When the checkpoint does not hold a whole network.
pub fn trained(
    checkpoint: &Checkpoint,
    place: &str,
    device: &Device,
) -> Result<(Yolov5, Vec<String>)> {
    let architecture = checkpoint.architecture.as_ref();
    let nc = architecture.map(|architecture| architecture.nc);
    let Some(nc) = nc.or(checkpoint.names.as_ref().map(Vec::len)) else {
        return Err(Error::input(
            place,
            "no number of classes",
            "a checkpoint that names its classes",
            "Fine-tune the weights with `frostline train --cfg …`; the result says it",
        ));
    };
    let architecture = architecture_of(checkpoint, place, nc)?;
    let mut model = Yolov5::new(architecture, 0, device);
    let transfer = load(&mut model, checkpoint, &[], device);
    if !transfer.incomplete_modules().is_empty() {
        return Err(Error::input(
            place,
            format!("{transfer} ({})", transfer.explanation().join("; ")),
            "the whole network",
            "Fine-tune the weights first with `frostline train`",
        ));
    }
    let unnamed = || (0..nc).map(|class| format!("class{class}")).collect();
    let names = checkpoint.names.clone().unwrap_or_else(unnamed);
    Ok((model, names))
}

/// Puts what fits of a checkpoint into a network.
fn load(
    model: &mut Yolov5,
    checkpoint: &Checkpoint,
    exclude: &[&str],
    device: &Device,
) -> Transfer {
    let state = model.architecture().state().into_iter();
    let into: Vec<_> = state.map(|item| (item.name, item.shape)).collect();
    let transfer = transfer(&checkpoint.tensors, &into, exclude);
    model.load(&transfer.taken, device);
    transfer
}
