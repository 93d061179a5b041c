//! Gradients, a step and a resumed session against the CPU.

use std::collections::BTreeMap;

use burn::tensor::{Device, read_sync};
use frostline::data::Batch;
use frostline::freeze::{FreezePlan, FreezeSpec};
use frostline::train::{
    FreezeNorms, Hyp, OptimizerKind, Rates, Session, SessionConfig, StepReport,
};
use frostline_tests::{golden_json, relative};

use crate::adapter;
use crate::network::{golden_batch, golden_model};

/// Side of the pictures in pixels: the least that has a whole cell and a half at every stride.
const SIDE: usize = 64;
const PICTURES: usize = 2;

/// Losses: single precision through 60 convolutions, BatchNorm over as few as 8 values (4e-6 on llvmpipe).
const LOSS: f64 = 5e-5;
/// Gradients, as the norm of the difference, which the same BatchNorm amplifies (4e-4 on llvmpipe).
const GRADIENT: f64 = 1e-3;
/// Share of the total below which a tensor is held to the total's precision: sums that cancel.
const FLOOR: f64 = 1e-2;

type Tensors = BTreeMap<String, Vec<f32>>;

/// Two of the golden pictures, every second pixel. Boxes are fractions and stay.
fn small_batch() -> Batch {
    let mut batch = golden_batch(&golden_json("loss/loss_model_nc3.json"));
    let [_, channels, height, width] = batch.shape;
    let rows = batch
        .pixels
        .chunks_exact(width)
        .take(PICTURES * channels * height);
    batch.pixels = rows
        .step_by(height / SIDE)
        .flat_map(|row| row.iter().copied().step_by(width / SIDE))
        .collect();
    batch.shape = [PICTURES, channels, SIDE, SIDE];
    batch.targets.retain(|(picture, _)| *picture < PICTURES);
    batch.placements.truncate(PICTURES);
    assert!(!batch.targets.is_empty());
    batch
}

fn session(freeze: &str, device: &Device) -> Session {
    let model = golden_model(device);
    let spec: FreezeSpec = freeze.parse().expect("spec");
    let plan = FreezePlan::resolve(&spec, model.architecture()).expect("plan");
    let config = SessionConfig {
        hyp: Hyp::default(),
        epochs: 10,
        batches: 10,
        batch: PICTURES,
        nominal: PICTURES,
        imgsz: SIDE,
        optimizer: OptimizerKind::Sgd,
        cosine: false,
        freeze_norms: FreezeNorms::Fixed,
        rate_factors: BTreeMap::default(),
        reference_schedule: false,
    };
    let mut session = Session::new(model, plan, config, device);
    read_sync(session.begin_epoch(0)).expect("an epoch");
    session
}

/// A large rate, so that what a step moves stands out of what single precision keeps of it.
fn rates(accumulate: usize) -> Rates {
    Rates {
        bias: 0.1,
        weight: 0.1,
        norm: 0.1,
        momentum: 0.9,
        accumulate,
    }
}

fn float(tensor: &burn::tensor::Tensor<1>) -> f64 {
    f64::from(tensor.to_data().try_to_vec::<f32>().expect("float")[0])
}

/// The whole state of a session; gradients that wait for the optimizer stand under `train.pending/`.
fn state(session: &mut Session) -> Tensors {
    let (state, _) = read_sync(session.snapshot(1)).expect("a snapshot");
    state
        .into_iter()
        .map(|(name, data)| {
            (
                name,
                data.convert::<f32>().try_to_vec::<f32>().expect("floats"),
            )
        })
        .collect()
}

fn part(state: &Tensors, prefix: &str) -> Tensors {
    state
        .iter()
        .filter_map(|(name, values)| Some((name.strip_prefix(prefix)?.to_owned(), values.clone())))
        .collect()
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum::<f64>().sqrt()
}

/// Asserts that tensors agree, as norms of differences.
fn agree(what: &str, found: &Tensors, wanted: &Tensors) {
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        wanted.keys().collect::<Vec<_>>(),
        "{what}"
    );
    let total = norm(wanted.values().flatten().map(|v| f64::from(*v)));
    let mut worst = (0.0, "");
    for (name, wanted) in wanted {
        let found = &found[name];
        assert_eq!(found.len(), wanted.len(), "{what}: {name}");
        let apart = norm(
            found
                .iter()
                .zip(wanted)
                .map(|(a, b)| f64::from(*a) - f64::from(*b)),
        );
        let size = norm(wanted.iter().map(|v| f64::from(*v)));
        let difference = apart / size.max(FLOOR * total);
        if difference.is_nan() || difference > worst.0 {
            worst = (difference, name);
        }
    }
    println!(
        "{what}: {} tensors, worst {:e} ({})",
        wanted.len(),
        worst.0,
        worst.1
    );
    assert!(worst.0 < GRADIENT, "{what}: {} {}", worst.1, worst.0);
}

fn gradients(freeze: &str, device: &Device, batch: &Batch) -> (f64, Tensors) {
    let mut session = session(freeze, device);
    let report = session.step_with(batch, rates(2));
    assert!(report.gradient_norm.is_none(), "two batches to a step");
    (
        float(&report.total),
        part(&state(&mut session), "train.pending/"),
    )
}

/// A backend that prunes the backward pass wrongly shows when only a part of the parameters needs
/// gradients: a prefix is frozen, nearly everything, or something in the middle too.
#[test]
fn gradients_agree_with_the_cpu_for_every_freeze() {
    let Some(adapter) = adapter::open() else {
        return;
    };
    let batch = small_batch();
    for (freeze, trains) in [("0", 177), ("10", 78), ("24", 6), ("0-9,17", 63)] {
        let (loss, found) = gradients(freeze, &adapter.device, &batch);
        let (wanted_loss, wanted) = gradients(freeze, &Device::flex(), &batch);
        println!("freeze {freeze}: loss {loss} {wanted_loss}");
        assert!(
            relative(loss, wanted_loss, 0.0) < LOSS,
            "freeze {freeze}: loss {loss} {wanted_loss}"
        );
        assert_eq!(wanted.len(), trains, "freeze {freeze}");
        agree(&format!("gradients, freeze {freeze}"), &found, &wanted);
    }
}

/// What moved since `before`.
fn moved(before: &Tensors, after: &Tensors) -> Tensors {
    let apart = |(name, values): (&String, &Vec<f32>)| {
        (
            name.clone(),
            values
                .iter()
                .zip(&before[name])
                .map(|(a, b)| a - b)
                .collect(),
        )
    };
    after.iter().map(apart).collect()
}

fn stepped(device: &Device, batch: &Batch) -> (Session, StepReport, Tensors, Tensors) {
    let mut session = session("10", device);
    let before = state(&mut session);
    let report = session.step_with(batch, rates(1));
    let after = state(&mut session);
    (session, report, before, after)
}

#[test]
fn a_training_step_agrees_with_the_cpu_and_leaves_what_is_frozen() {
    let Some(adapter) = adapter::open() else {
        return;
    };
    let batch = small_batch();
    let (mut session, report, before, after) = stepped(&adapter.device, &batch);
    let (_, wanted_report, wanted_before, wanted_after) = stepped(&Device::flex(), &batch);
    assert_eq!(before, wanted_before, "both start from the same bits");

    for (found, wanted) in [
        (&report.total, &wanted_report.total),
        (&report.items, &wanted_report.items),
    ] {
        assert!(
            relative(float(found), float(wanted), 0.0) < LOSS,
            "{} {}",
            float(found),
            float(wanted)
        );
    }
    let norms = [&report, &wanted_report]
        .map(|report| float(report.gradient_norm.as_ref().expect("a step")));
    assert!(
        relative(norms[0], norms[1], 0.0) < GRADIENT,
        "gradient norm {norms:?}"
    );

    // Parameters and statistics of the model stand under a prefix, those of its average do not.
    for (what, prefix) in [("model", "train.model/"), ("average", "model.")] {
        let found = moved(&part(&before, prefix), &part(&after, prefix));
        let wanted = moved(&part(&wanted_before, prefix), &part(&wanted_after, prefix));
        agree(&format!("{what} after a step"), &found, &wanted);
        let still = found
            .values()
            .filter(|values| values.iter().all(|value| *value == 0.0))
            .count();
        assert!(
            still > 99 && found.len() - still > 78,
            "{what}: {still} of {} tensors still",
            found.len()
        );
    }
    agree(
        "momentum",
        &part(&after, "train.first/"),
        &part(&wanted_after, "train.first/"),
    );

    let receipt = read_sync(session.receipt()).expect("a receipt");
    assert_eq!(receipt.after.parameters, 99);
    assert!(receipt.after.statistics > 0 && receipt.holds(), "{receipt}");
}

#[test]
fn a_session_restored_on_the_gpu_goes_on_where_it_was() {
    let Some(adapter) = adapter::open() else {
        return;
    };
    let batch = small_batch();
    let mut first = session("10", &adapter.device);
    // One step, and one batch that waits for the next.
    first.step_with(&batch, rates(1));
    first.step_with(&batch, rates(2));
    let (tensors, record) = read_sync(first.snapshot(1)).expect("a snapshot");

    let mut second = session("10", &adapter.device);
    second
        .restore(&tensors, &record)
        .expect("the snapshot fits");
    let (again, record_again) = read_sync(second.snapshot(1)).expect("a snapshot");
    assert_eq!(tensors, again, "every bit is back");
    assert_eq!(record, record_again);

    let losses =
        [&mut first, &mut second].map(|session| float(&session.step_with(&batch, rates(2)).total));
    assert!(relative(losses[0], losses[1], 0.0) < LOSS, "{losses:?}");
    agree(
        "state after going on",
        &state(&mut second),
        &state(&mut first),
    );
    for session in [&mut first, &mut second] {
        let receipt = read_sync(session.receipt()).expect("a receipt");
        assert!(receipt.holds(), "{receipt}");
    }
}
