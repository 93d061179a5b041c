//! Ten training steps against the reference's, with its own rules.

use burn::tensor::Device;
use frostline::freeze::{FreezePlan, FreezeSpec};
use frostline::model::state::{Gather, Held};
use frostline::train::{FreezeNorms, Hyp, OptimizerKind, Rates, Session, SessionConfig};
use frostline_tests::{golden_json, relative};
use serde_json::Value;

use crate::network::{golden_batch, golden_model};

/// How far the loss of a step may lie from the golden one. What trains deeper drifts more, and rounding alone carries
/// ten steps apart (tests/pytorch/trace.py): PyTorch without oneDNN lies 1.4e-3 from the golden, which is PyTorch
/// with it, at step 9 of freeze 10, and 1.5e-2 at step 7 of freeze 0.
fn bound(freeze: &str, step: usize) -> f64 {
    match (freeze, step) {
        ("24", _) => 1e-5,
        ("10", 0..9) => 5e-4,
        ("10", _) => 2e-3,
        (_, 0..5) => 1e-2,
        _ => 3e-2,
    }
}

pub fn config(epochs: usize, batch: usize, freeze_norms: FreezeNorms) -> SessionConfig {
    SessionConfig {
        hyp: Hyp::default(),
        epochs,
        batches: 10,
        batch,
        nominal: 64,
        imgsz: 128,
        optimizer: OptimizerKind::Sgd,
        cosine: false,
        freeze_norms,
        rate_factors: std::collections::BTreeMap::new(),
        reference_schedule: true,
    }
}

/// Steps whose gradient norms are compared: at step 4 of freeze 0 those of PyTorch with and without oneDNN part by
/// 6 %, at step 5 by 25 %.
const TRUSTED_NORMS: usize = 4;

fn float(tensor: &burn::tensor::Tensor<1>) -> f64 {
    f64::from(tensor.to_data().try_to_vec::<f32>().expect("float")[0])
}

fn run(file: &str, freeze: &str, constant: bool, norms: FreezeNorms) {
    run_within(file, freeze, constant, norms, &|step| bound(freeze, step));
}

fn run_within(
    file: &str,
    freeze: &str,
    constant: bool,
    norms: FreezeNorms,
    bound_at: &dyn Fn(usize) -> f64,
) {
    let trace = golden_json(&format!("trace/{file}.json"));
    let batch = golden_batch(&golden_json("loss/loss_model_nc3.json"));
    let device = Device::flex();
    let model = golden_model(&device);
    let spec: FreezeSpec = freeze.parse().expect("spec");
    let plan = FreezePlan::resolve(&spec, model.architecture()).expect("plan");
    let mut session = Session::new(model, plan, config(10, 4, norms), &device);
    for (i, golden) in trace["steps"].as_array().expect("steps").iter().enumerate() {
        let bound = bound_at(i);
        let report = if constant {
            let rates = Rates {
                bias: 0.01,
                weight: 0.01,
                norm: 0.01,
                momentum: 0.937,
                accumulate: 1,
            };
            session.step_with(&batch, rates)
        } else {
            session.step(&batch)
        };
        let wanted = |key: &str| golden[key].as_f64().expect("number");
        let loss = float(&report.total);
        assert!(
            relative(loss, wanted("loss"), 0.0) < bound,
            "{file} step {i}: loss {loss} {}",
            wanted("loss")
        );
        assert_eq!(
            report.gradient_norm.is_some(),
            golden["stepped"].as_bool().expect("stepped"),
            "{file} step {i}"
        );
        if let (Some(norm), Some(wanted)) = (
            &report.gradient_norm,
            golden["grad_norm_before_clip"].as_f64(),
        ) {
            let norm = float(norm);
            // Gradient norms amplify what the losses differ by, tenfold at first and without end later: the
            // reference's own single and double precision part by 5 % at step 9 of freeze 10.
            if i < TRUSTED_NORMS {
                assert!(
                    relative(norm, wanted, 0.0) < 10.0 * bound,
                    "{file} step {i}: gradient norm {norm} {wanted}"
                );
            }
        }
        let lr: Vec<f64> = golden["lr"]
            .as_array()
            .expect("lr")
            .iter()
            .map(|v| v.as_f64().expect("rate"))
            .collect();
        for (ours, theirs) in [report.rates.bias, report.rates.weight, report.rates.norm]
            .iter()
            .zip(&lr)
        {
            assert!(
                (ours - theirs).abs() < 1e-12,
                "{file} step {i}: rate {ours} {theirs}"
            );
        }
        let snapshot = &trace["snapshots"][(i + 1).to_string()];
        if snapshot.is_object() {
            compare(
                &mut session,
                snapshot,
                bound,
                &format!("{file} after step {}", i + 1),
            );
        }
    }
}

/// Compares the 2-norm of every tensor of model and EMA.
fn compare(session: &mut Session, snapshot: &Value, bound: f64, place: &str) {
    for (kind, model) in [
        ("model", &mut session.model),
        ("ema", &mut session.ema.model),
    ] {
        let Some(goldens) = snapshot[kind].as_object() else {
            continue;
        };
        let mut gather = Gather::new(&|_| true);
        model.visit(&mut gather);
        let mut seen = 0;
        for (name, held) in gather.state {
            let Held::Float { flat, .. } = held else {
                continue;
            };
            let Some(golden) = goldens.get(&name) else {
                continue;
            };
            let values = flat.into_data().try_to_vec::<f32>().expect("floats");
            let norm = values
                .iter()
                .map(|v| f64::from(*v).powi(2))
                .sum::<f64>()
                .sqrt();
            let wanted = golden[2].as_f64().expect("l2");
            assert!(
                relative(norm, wanted, 1e-2) < bound,
                "{place}: {kind} {name} {norm} {wanted}"
            );
            seen += 1;
        }
        assert!(
            seen > 250,
            "{place}: only {seen} tensors of {kind} compared"
        );
    }
}

#[test]
fn ten_constant_steps_agree_when_all_but_detect_is_frozen() {
    run("trace_constant_freeze24", "24", true, FreezeNorms::Drift);
}

#[test]
fn ten_constant_steps_agree_when_the_backbone_is_frozen() {
    run("trace_constant_freeze10", "10", true, FreezeNorms::Drift);
}

#[test]
fn ten_constant_steps_agree_when_nothing_is_frozen() {
    run("trace_constant_freeze0", "0", true, FreezeNorms::Drift);
}

#[test]
fn ten_warmup_steps_agree_for_every_freeze() {
    for freeze in ["24", "10", "0"] {
        run(
            &format!("trace_warmup_freeze{freeze}"),
            freeze,
            false,
            FreezeNorms::Drift,
        );
    }
}

#[test]
fn ten_steps_with_fixed_statistics_agree() {
    // From step 4 on single precision alone parts trajectories as it does when nothing is frozen: features changed
    // by 3e-7, as folding or another order of a sum does, part the loss by 5e-3 at step 4 and by 2e-2 at step 9.
    let bound = |step| if step < 4 { bound("10", step) } else { 3e-2 };
    run_within(
        "trace_constant_freeze10_bn_eval",
        "10",
        true,
        FreezeNorms::Fixed,
        &bound,
    );
}
