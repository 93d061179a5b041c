//! Where a run starts: architecture, weights, anchors, freeze plan.

use burn::tensor::Device;

use crate::data::Source;
use crate::data::anchors::{AnchorReport, autoanchor};
use crate::data::transform::epoch_rng;
use crate::error::{Error, Result};
use crate::freeze::{FreezePlan, FreezeSpec};
use crate::model::{Architecture, Yolov5};
use crate::weights::names::{is_counter, module_index};
use crate::weights::{Checkpoint, KeptClasses, StateDict, Transfer, Why, transfer};

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
    /// Leave the checkpoint's anchors. Classes that are kept need them.
    pub own_anchors: bool,
    /// The classes of the network, when those of the checkpoint are kept.
    pub keep: Option<&'a KeptClasses>,
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
    if checkpoint.is_some_and(Checkpoint::is_folded) {
        check_folded(&plan, &architecture)?;
    }
    let mut model = Yolov5::new(architecture, options.seed, device);
    let exclude: &[&str] = if options.own_anchors && options.keep.is_none() {
        &["anchor"]
    } else {
        &[]
    };
    let transfer = match (checkpoint, options.keep) {
        (None, _) => None,
        (Some(checkpoint), None) => Some(load(&mut model, &checkpoint.tensors, exclude, device)),
        (Some(checkpoint), Some(keep)) => {
            Some(load_grown(&mut model, &checkpoint.tensors, keep, device).await?)
        }
    };
    if !options.allow_untransferred {
        let lacking = match &transfer {
            Some(transfer) => transfer.incomplete_modules(),
            None => (0..model.architecture().modules.len()).collect(),
        };
        plan.check_transferred(model.architecture(), &lacking)?;
    }
    // Kept classes were learnt with the anchors that are there.
    let refit = options.autoanchor.filter(|_| options.keep.is_none());
    let anchors = refit.map(|(imgsz, threshold)| {
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

/// Folded weights can only be built upon where no BatchNorm sees batches.
fn check_folded(plan: &FreezePlan, architecture: &Architecture) -> Result<()> {
    let convolutions = architecture.convolutions();
    let mut norms = convolutions.iter().filter(|conv| conv.norm);
    let learns = |prefix: &str| {
        let norm = format!("{prefix}.bn");
        plan.stages
            .iter()
            .any(|stage| !stage.fixed_norms.contains(&norm))
    };
    match norms.find(|conv| learns(&conv.prefix)) {
        None => Ok(()),
        Some(conv) => Err(Error::input(
            format_args!("freeze plan {}", plan.spec),
            format_args!(
                "{}, whose BatchNorm is folded in these weights",
                conv.prefix
            ),
            "weights with their BatchNorms where modules train",
            "Start from the .pt or .safetensors that the .onnx file was made from, or train Detect alone with --freeze all-but-detect",
        )),
    }
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
    let transfer = load(&mut model, &checkpoint.tensors, &[], device);
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

/// As [`load`], with Detect grown by the classes that are new.
async fn load_grown(
    model: &mut Yolov5,
    from: &StateDict,
    keep: &KeptClasses,
    device: &Device,
) -> Result<Transfer> {
    let fresh = model.state_dict().await?;
    let last = model.architecture().modules.len().saturating_sub(1);
    let mut tensors = from.clone();
    let grown = keep.grow(&mut tensors, &fresh, &format!("model.{last}."));
    let mut transfer = load(model, &tensors, &[], device);
    if keep.from.contains(&None) {
        transfer.mark_grown(grown);
    }
    if let Some((name, why)) = transfer.unmatched.iter().find(|(name, why)| {
        *why != Why::Grown && module_index(name) == Some(last) && !is_counter(name)
    }) {
        return Err(Error::input(
            format!("the weights' {name}"),
            match why {
                Why::Shape { found, .. } => format!("shape {found:?}"),
                _ => "nothing".to_owned(),
            },
            "a Detect whose classes can be kept",
            "Take weights of the same architecture, or leave --keep-classes out",
        ));
    }
    Ok(transfer)
}

/// Puts what fits of a checkpoint into a network.
fn load(model: &mut Yolov5, from: &StateDict, exclude: &[&str], device: &Device) -> Transfer {
    let state = model.architecture().state().into_iter();
    let into: Vec<_> = state.map(|item| (item.name, item.shape)).collect();
    let transfer = transfer(from, &into, exclude);
    model.load(&transfer.taken, device);
    transfer
}

#[cfg(test)]
mod tests {
    use burn::tensor::read_sync;

    use super::*;
    use crate::data::memory::{MemoryItem, MemorySet};
    use crate::data::picture::tests::{jpeg, quadrants};
    use crate::data::resize::Purpose;
    use crate::model::Size;

    fn checkpoint(names: &[&str]) -> Checkpoint {
        let architecture = Architecture::yolov5(Size::N, names.len());
        let mut model = Yolov5::new(architecture.clone(), 3, &Device::flex());
        read_sync(model.round_to_half(&Device::flex())).unwrap();
        Checkpoint {
            tensors: read_sync(model.state_dict()).unwrap(),
            architecture: Some(architecture),
            names: Some(names.iter().map(|&name| name.to_owned()).collect()),
            ..Checkpoint::default()
        }
    }

    fn start_keeping(checkpoint: &Checkpoint, data: &[&str], freeze: &str) -> Result<Start> {
        let data: Vec<String> = data.iter().map(|&name| name.to_owned()).collect();
        let keep = KeptClasses::new(&data, checkpoint.names.as_deref(), "old.pt")?;
        let item = MemoryItem::new("0.jpg", jpeg(&quadrants()).into(), vec![], 2)?;
        let source = MemorySet::new(vec![item], 64, Purpose::Train)?;
        let options = StartOptions {
            freeze: &freeze.parse()?,
            seed: 0,
            own_anchors: true,
            keep: Some(&keep),
            allow_untransferred: false,
            autoanchor: Some((64, 4.0)),
        };
        let architecture = architecture_of(checkpoint, "old.pt", keep.names.len())?;
        let (from, device) = (Some(checkpoint), Device::flex());
        read_sync(start(architecture, from, &source, options, &device))
    }

    fn values(state: &StateDict, name: &str) -> Vec<f32> {
        let (_, data) = state.iter().find(|(key, _)| key == name).unwrap();
        data.iter::<f32>().collect()
    }

    #[test]
    fn old_outputs_of_each_anchor_are_the_checkpoints_bits_and_new_ones_start_as_usual() {
        let old = checkpoint(&["a", "b"]);
        // The data has one of the old classes and a new one: b, c, and then a.
        let mut grown = start_keeping(&old, &["b", "c"], "10").unwrap();
        assert_eq!(grown.anchors, None);
        let transfer = grown.transfer.take().unwrap();
        assert_eq!(transfer.to_string(), "transferred 349/349 items");
        assert!(transfer.explanation()[0].starts_with("6 transferred and grown by new classes"));
        let state = read_sync(grown.model.state_dict()).unwrap();
        let fresh = Architecture::yolov5(Size::N, 3);
        let mut fresh = Yolov5::new(fresh, 0, &Device::flex());
        read_sync(fresh.round_to_half(&Device::flex())).unwrap();
        let fresh = read_sync(fresh.state_dict()).unwrap();
        for scale in 0..3 {
            for kind in ["weight", "bias"] {
                let name = format!("model.24.m.{scale}.{kind}");
                let [before, after, fresh] =
                    [&old.tensors, &state, &fresh].map(|state| values(state, &name));
                let row = after.len() / (3 * 8);
                for anchor in 0..3 {
                    let before = |output: usize| &before[(anchor * 7 + output) * row..][..row];
                    let place = |output: usize| (anchor * 8 + output) * row;
                    let after = |output: usize| &after[place(output)..][..row];
                    for output in 0..5 {
                        assert_eq!(after(output), before(output), "{name} {anchor} {output}");
                    }
                    assert_eq!(after(5), before(6), "{name}: b");
                    assert_eq!(after(6), &fresh[place(6)..][..row], "{name}: c");
                    assert_eq!(after(7), before(5), "{name}: a");
                }
            }
        }
        for (name, data) in &old.tensors {
            if !name.contains("model.24.m.") {
                let values = data.iter::<f32>().collect::<Vec<_>>();
                assert_eq!(self::values(&state, name), values, "{name}");
            }
        }
    }

    #[test]
    fn a_grown_detect_is_not_frozen_and_one_that_did_not_grow_may_be() {
        let old = checkpoint(&["a", "b"]);
        let error = start_keeping(&old, &["a", "b", "c"], "detect").unwrap_err();
        assert!(
            error
                .to_string()
                .contains("without transferred weights (24)")
        );
        // The same classes in another order only change places.
        let start = start_keeping(&old, &["b", "a"], "detect").unwrap();
        assert!(start.transfer.unwrap().explanation().is_empty());
    }

    #[test]
    fn weights_whose_detect_does_not_fit_are_an_error() {
        let mut old = checkpoint(&["a", "b"]);
        old.tensors.retain(|(name, _)| name != "model.24.m.1.bias");
        let error = start_keeping(&old, &["a", "c"], "10")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("model.24.m.1.bias: found nothing"),
            "{error}"
        );
    }
}
