//! Where a run starts: architecture, weights, anchors, freeze plan.

use std::path::Path;

use burn::tensor::{Device, read_sync};
use frostline::data::Source;
use frostline::data::anchors::AnchorReport;
use frostline::model::{Architecture, Yolov5};
use frostline::train::FreezeNorms;
use frostline::train::start::{self as library, Start, StartOptions};
use frostline::weights::{Checkpoint, KeptClasses};
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
        ArchitectureSource::Builtin(size) => Ok(Architecture::yolov5(*size, nc)),
        ArchitectureSource::File(path) => {
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
    library::architecture_of(checkpoint, &path.display().to_string(), nc)
}

/// Where a run starts.
#[derive(Debug)]
pub struct Begun {
    /// The network and its plan.
    pub start: Start,
    /// Its class names.
    pub names: Vec<String>,
    /// Those of the weights that it keeps, if it was asked to.
    pub keep: Option<KeptClasses>,
}

/// Builds the network, transfers the weights and settles the plan, and says what became of each. `names` are the
/// classes of the data.
///
/// # Errors
/// When weights, architecture and plan do not fit together.
pub fn start(
    settings: &TrainSettings,
    names: &[String],
    source: &dyn Source,
    device: &Device,
) -> anyhow::Result<Begun> {
    let checkpoint = match &settings.weights {
        Some(path) => Some((Checkpoint::read(path)?, path)),
        None => None,
    };
    if let Some((checkpoint, path)) = &checkpoint
        && settings.freeze_bn == FreezeNorms::Drift
        && checkpoint.is_folded()
    {
        return Err(Error::input(
            path.display(),
            "weights whose BatchNorms are folded",
            "BatchNorms whose statistics can drift",
            "Leave --freeze-bn drift out, or start from the weights that the .onnx file was made from",
        )
        .into());
    }
    let keep = match &checkpoint {
        Some((checkpoint, path)) if settings.keep_classes => {
            let (old, place) = (checkpoint.names.as_deref(), path.display().to_string());
            Some(KeptClasses::new(names, old, &place)?)
        }
        _ => None,
    };
    let names = keep.as_ref().map_or(names, |keep| &keep.names).to_vec();
    let nc = names.len();
    let architecture = match (&settings.cfg, &checkpoint) {
        (Some(cfg), _) => architecture(cfg, nc)?,
        (None, Some((checkpoint, path))) => architecture_of(checkpoint, path, nc)?,
        (None, None) => {
            return Err(Error::input(
                "train",
                "neither --weights nor --cfg",
                "weights or an architecture",
                "Add --cfg yolov5n",
            )
            .into());
        }
    };
    let options = StartOptions {
        freeze: &settings.freeze,
        seed: settings.seed,
        keep: keep.as_ref(),
        own_anchors: settings.cfg.is_some() || settings.hyp.anchors.is_some(),
        allow_untransferred: settings.allow_untransferred,
        autoanchor: (!settings.noautoanchor).then_some((settings.imgsz, settings.hyp.anchor_t)),
    };
    let from = checkpoint.as_ref().map(|(checkpoint, _)| checkpoint);
    let started = read_sync(library::start(architecture, from, source, options, device))?;
    match (&started.transfer, &checkpoint) {
        (Some(transfer), Some((_, path))) => {
            say(&format!("{transfer} from {}", path.display()));
            for line in transfer.explanation() {
                say(&format!("  {line}"));
            }
        }
        _ => say("training from scratch: no weights are transferred"),
    }
    if let Some(report) = &started.anchors {
        say_anchors(report);
    }
    Ok(Begun {
        start: started,
        names,
        keep,
    })
}

fn say_anchors(report: &AnchorReport) {
    let recall = report.before.bpr;
    if report.replaced {
        let after = report.after.map_or(recall, |fit| fit.bpr);
        say(&format!(
            "autoanchor: best possible recall {recall:.4} → {after:.4} with new anchors"
        ));
    } else {
        let verdict = if recall > ENOUGH_RECALL {
            "good fit"
        } else {
            "no better anchors found"
        };
        say(&format!(
            "autoanchor: best possible recall {recall:.4}, {verdict}"
        ));
    }
}

/// Loads a trained network for `val` and `detect`.
///
/// # Errors
/// When the file does not hold a whole network.
pub fn trained(path: &Path, device: &Device) -> anyhow::Result<(Yolov5, Vec<String>)> {
    let checkpoint = Checkpoint::read(path)?;
    Ok(library::trained(
        &checkpoint,
        &path.display().to_string(),
        device,
    )?)
}
