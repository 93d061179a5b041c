//! Where a run starts: architecture, weights, anchors, freeze plan.

use std::path::Path;

use burn::tensor::{Device, read_sync};
use frostline::data::Source;
use frostline::data::anchors::autoanchor;
use frostline::data::transform::epoch_rng;
use frostline::freeze::FreezePlan;
use frostline::model::{Architecture, Yolov5};
use frostline::weights::{Checkpoint, transfer};
use frostline::{Error, Result};

use crate::args::{ArchitectureSource, TrainSettings};
use crate::progress::say;

/// Least best-possible recall at which given anchors are kept.
const ENOUGH_RECALL: f64 = 0.98;

/// Reads an architecture that a person named.
///
/// # Errors
/// When the yaml cannot be read.
pub fn architecture(source: &ArchitectureSource, nc: usize) -> Result<Architecture> {
    match source {
        ArchitectureSource::Size(size) => Ok(Architecture::yolov5(*size, nc)),
        ArchitectureSource::Yaml(path) => {
            let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
            Architecture::from_yaml(&text, &path.display().to_string(), Some(nc))
        }
    }
}

/// The architecture of a checkpoint, for `nc` classes.
///
/// # Errors
/// When the file does not say what it is.
pub fn architecture_of(checkpoint: &Checkpoint, path: &Path, nc: usize) -> Result<Architecture> {
    match &checkpoint.architecture {
        Some(architecture) => architecture.with_classes(nc),
        None => Err(Error::input(
            path.display(),
            "weights without an architecture",
            "a checkpoint that names its architecture",
            "Say it with --cfg yolov5n (s, m, l, x)",
        )),
    }
}

/// A network with its plan, ready to train.
#[derive(Debug)]
pub struct Start {
    /// The network.
    pub model: Yolov5,
    /// What is frozen when.
    pub plan: FreezePlan,
}

/// Builds the network, transfers the weights and settles the plan.
///
/// # Errors
/// When weights, architecture and plan do not fit together.
pub fn start(settings: &TrainSettings, nc: usize, source: &dyn Source, device: &Device) -> anyhow::Result<Start> {
    let checkpoint = match &settings.weights {
        Some(path) => Some((Checkpoint::read(path)?, path)),
        None => None,
    };
    let architecture = match (&settings.cfg, &checkpoint) {
        (Some(cfg), _) => architecture(cfg, nc)?,
        (None, Some((checkpoint, path))) => architecture_of(checkpoint, path, nc)?,
        (None, None) => anyhow::bail!("neither --weights nor --cfg says which network to train"),
    };
    let plan = FreezePlan::resolve(&settings.freeze, &architecture)?;
    let mut model = Yolov5::new(architecture, settings.seed, device);
    match &checkpoint {
        None => say("training from scratch: no weights are transferred"),
        Some((checkpoint, path)) => {
            let into: Vec<(String, Vec<usize>)> =
                model.architecture().state().into_iter().map(|item| (item.name, item.shape)).collect();
            let exclude: &[&str] = if settings.cfg.is_some() || settings.hyp.anchors.is_some() { &["anchor"] } else { &[] };
            let transfer = transfer(&checkpoint.tensors, &into, exclude);
            say(&format!("{transfer} from {}", path.display()));
            for line in transfer.explanation() {
                say(&format!("  {line}"));
            }
            model.load(&transfer.taken, device);
            if !settings.allow_untransferred {
                plan.check_transferred(model.architecture(), &transfer.incomplete_modules())?;
            }
        }
    }
    if checkpoint.is_none() && !settings.allow_untransferred {
        let all = (0..model.architecture().modules.len()).collect();
        plan.check_transferred(model.architecture(), &all)?;
    }
    if !settings.noautoanchor {
        let mut rng = epoch_rng(settings.seed, usize::MAX);
        let report = autoanchor(source, settings.imgsz, &model.architecture().anchors, settings.hyp.anchor_t, &mut rng);
        let recall = report.before.bpr;
        if report.replaced {
            let after = report.after.map_or(recall, |fit| fit.bpr);
            say(&format!("autoanchor: best possible recall {recall:.4} → {after:.4} with new anchors"));
            model.set_anchors(report.anchors);
        } else {
            let verdict = if recall > ENOUGH_RECALL { "good fit" } else { "no better anchors found" };
            say(&format!("autoanchor: best possible recall {recall:.4}, {verdict}"));
        }
    }
    read_sync(model.round_to_half(device))?;
    Ok(Start { model, plan })
}

/// Loads a trained network for `val` and `detect`.
///
/// # Errors
/// When the file does not hold a whole network.
pub fn trained(path: &Path, device: &Device) -> anyhow::Result<(Yolov5, Vec<String>)> {
    let checkpoint = Checkpoint::read(path)?;
    let nc = checkpoint.architecture.as_ref().map(|architecture| architecture.nc);
    // Without both it lacks an architecture, which the next line names.
    let nc = nc.or(checkpoint.names.as_ref().map(Vec::len)).unwrap_or(0);
    let architecture = architecture_of(&checkpoint, path, nc)?;
    let mut model = Yolov5::new(architecture, 0, device);
    let into: Vec<(String, Vec<usize>)> =
        model.architecture().state().into_iter().map(|item| (item.name, item.shape)).collect();
    let transfer = transfer(&checkpoint.tensors, &into, &[]);
    if !transfer.incomplete_modules().is_empty() {
        let found = format!("not the whole network: {transfer} ({})", transfer.explanation().join("; "));
        return Err(Error::input(path.display(), found, "every tensor of its architecture", "Take the weights of another run").into());
    }
    model.load(&transfer.taken, device);
    let names = checkpoint.names.unwrap_or_else(|| (0..nc).map(|class| format!("class{class}")).collect());
    Ok((model, names))
}
