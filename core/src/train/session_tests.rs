use std::collections::{BTreeMap, BTreeSet};

use burn::tensor::{Device, read_sync};

use super::{FreezeNorms, Hyp, OptimizerKind, Rates, Session, SessionConfig};
use crate::data::{Batch, Label, Placement};
use crate::freeze::FreezePlan;
use crate::model::{Architecture, Size, Yolov5};

/// Side of the pictures in pixels.
const SIDE: usize = 64;
/// Rates that move every tensor visibly, without warm-up.
const RATES: Rates = Rates {
    bias: 0.01,
    weight: 0.01,
    norm: 0.01,
    momentum: 0.9,
    accumulate: 1,
};

fn session(freeze: &str, optimizer: OptimizerKind, factors: &str) -> Session {
    let device = Device::flex();
    let architecture = Architecture::yolov5(Size::N, 3);
    let plan = FreezePlan::resolve(&freeze.parse().unwrap(), &architecture).unwrap();
    let rate_factors = match factors {
        "" => BTreeMap::new(),
        text => {
            let factors: super::RateFactors = text.parse().unwrap();
            factors.resolve(&architecture, &plan).unwrap()
        }
    };
    let config = SessionConfig {
        hyp: Hyp::default(),
        epochs: 3,
        batches: 2,
        batch: 1,
        nominal: 1,
        imgsz: SIDE,
        optimizer,
        cosine: false,
        freeze_norms: FreezeNorms::Fixed,
        rate_factors,
        reference_schedule: false,
    };
    Session::new(Yolov5::new(architecture, 0, &device), plan, config, &device)
}

fn batch() -> Batch {
    Batch {
        pixels: (0..3 * SIDE * SIDE)
            .map(|i| ((i * 37) >> 3) as u8)
            .collect(),
        shape: [1, 3, SIDE, SIDE],
        targets: vec![(
            0,
            Label {
                class: 1,
                cxcywh: [0.5, 0.5, 0.4, 0.6],
            },
        )],
        placements: vec![Placement {
            path: "made".into(),
            original: [SIDE; 2],
            ratio: [1.0; 2],
            pad: [0.0; 2],
        }],
    }
}

fn train(session: &mut Session, epoch: usize, steps: usize) {
    read_sync(session.begin_epoch(epoch)).unwrap();
    for _ in 0..steps {
        session.step_with(&batch(), RATES);
    }
}

/// Optimizer steps by parameter, and the bits of its first moment.
fn memory(session: &Session) -> BTreeMap<String, (u32, Vec<u8>)> {
    let memory = session.optimizer.memory.iter();
    memory
        .map(|(name, moments)| {
            let first = moments.first.clone().into_data().as_bytes().to_vec();
            (name.clone(), (moments.steps, first))
        })
        .collect()
}

fn trained(session: &Session) -> BTreeSet<String> {
    let parameters = session.model.architecture().parameters().into_iter();
    let parameters = parameters.zip(&session.stage().frozen);
    parameters
        .filter(|(_, frozen)| !**frozen)
        .map(|(parameter, _)| parameter.name)
        .collect()
}

#[test]
fn what_trains_on_keeps_its_memory_and_what_thaws_starts_without_any() {
    for optimizer in [OptimizerKind::Sgd, OptimizerKind::AdamW] {
        let mut session = session("24; 10@1; 0@2", optimizer, "");
        train(&mut session, 0, 2);
        let detect = memory(&session);
        assert_eq!(detect.len(), 6, "weight and bias of three scales");
        // The stage begins: nothing is lost, nothing is made up.
        train(&mut session, 1, 0);
        assert_eq!(memory(&session), detect, "{optimizer}");
        train(&mut session, 1, 1);
        let now = memory(&session);
        assert_eq!(
            now.keys().cloned().collect::<BTreeSet<_>>(),
            trained(&session)
        );
        for (name, (steps, first)) in &now {
            match detect.get(name) {
                Some((_, before)) => {
                    assert_eq!(*steps, 3, "{name}");
                    assert_ne!(first, before, "{name}");
                }
                None => assert_eq!(*steps, 1, "{name} thawed"),
            }
        }
        train(&mut session, 2, 1);
        let steps = |name: &str| memory(&session)[name].0;
        assert_eq!(steps("model.24.m.0.weight"), 4);
        assert_eq!(steps("model.10.conv.weight"), 2);
        assert_eq!(steps("model.0.conv.weight"), 1);
    }
}

#[test]
fn a_run_resumed_before_and_after_a_thaw_has_the_memory_of_one_that_was_not() {
    let plan = "24; 10@1";
    let mut whole = session(plan, OptimizerKind::AdamW, "");
    train(&mut whole, 0, 2);
    // Saved when the epoch before the thaw has ended, and within the epoch that thaws.
    let before = read_sync(whole.snapshot(1)).unwrap();
    train(&mut whole, 1, 1);
    let within = read_sync(whole.snapshot(1)).unwrap();
    let at_thaw = memory(&whole);
    train(&mut whole, 1, 1);
    let after = memory(&whole);
    for ((tensors, record), steps) in [(before, 2), (within, 1)] {
        let mut resumed = session(plan, OptimizerKind::AdamW, "");
        resumed.restore(&tensors, &record).unwrap();
        if steps == 1 {
            assert_eq!(memory(&resumed), at_thaw);
        }
        train(&mut resumed, 1, steps);
        assert_eq!(memory(&resumed), after, "{steps} steps after the resume");
    }
}

/// Adam's first step is the rate itself: what a factor does can be read off.
#[test]
fn a_factor_scales_the_steps_of_its_group_in_every_rate_group() {
    let moved = |factors: &str| {
        let mut session = session("0", OptimizerKind::Adam, factors);
        let before = read_sync(session.model.state_dict()).unwrap();
        train(&mut session, 0, 1);
        let after = read_sync(session.model.state_dict()).unwrap();
        let farthest = |name: &str| {
            let of = |state: &crate::weights::StateDict| -> Vec<f32> {
                let (_, data) = state.iter().find(|(key, _)| key == name).unwrap();
                data.iter::<f32>().collect()
            };
            let pairs = of(&before).into_iter().zip(of(&after));
            pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
        };
        [
            "model.9.cv2.conv.weight",
            "model.9.cv2.bn.weight",
            "model.9.cv2.bn.bias",
            "model.24.m.0.weight",
            "model.24.m.0.bias",
        ]
        .map(farthest)
    };
    let (plain, scaled) = (moved(""), moved("backbone=0.1"));
    for (index, (plain, scaled)) in plain.into_iter().zip(scaled).enumerate() {
        let expected = if index < 3 { 0.1 } else { 1.0 };
        let ratio = scaled / plain;
        assert!((ratio - expected).abs() < 0.01, "{index}: {ratio}");
    }
}

#[test]
fn a_factor_holds_in_warm_up_and_after_it() {
    let session = session("0", OptimizerKind::Sgd, "");
    for iteration in [0, 1, 5] {
        let rates = session.schedule().at(iteration);
        let scaled = rates.times(0.1);
        for (scaled, plain) in [
            (scaled.bias, rates.bias),
            (scaled.weight, rates.weight),
            (scaled.norm, rates.norm),
        ] {
            assert!((scaled - 0.1 * plain).abs() < 1e-12);
        }
        assert_eq!(
            (scaled.momentum, scaled.accumulate),
            (rates.momentum, rates.accumulate)
        );
    }
}
