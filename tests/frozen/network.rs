//! A small session and its state as bits.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use burn::tensor::{Device, read_sync};
use frostline::data::{Batch, Label, Placement};
use frostline::freeze::{FreezePlan, FreezeSpec, Stage};
use frostline::model::{Architecture, Size, Yolov5};
use frostline::train::{FreezeNorms, Hyp, OptimizerKind, Rates, Session, SessionConfig};
use frostline::weights::Checkpoint;
use frostline_tests::golden;

/// Side of the pictures in pixels.
pub const SIDE: usize = 64;
/// Rates that move every tensor visibly in one step, without warm-up.
pub const RATES: Rates = Rates {
    bias: 0.01,
    weight: 0.01,
    norm: 0.01,
    momentum: 0.9,
    accumulate: 1,
};

/// Every tensor of a network by name, as bits.
pub type State = BTreeMap<String, Vec<u8>>;

pub fn architecture() -> Architecture {
    Architecture::yolov5(Size::N, 3)
}

/// The golden yolov5n: its statistics fit its weights, so that gradients reach every tensor. In a fresh network
/// whose statistics are fixed, signals fade until a step is smaller than a weight's last bit.
pub fn network(device: &Device) -> Yolov5 {
    static GOLDEN: OnceLock<Checkpoint> = OnceLock::new();
    let checkpoint = GOLDEN
        .get_or_init(|| Checkpoint::read(golden("model/yolov5n_nc3_pickled_half.pt")).unwrap());
    let mut model = Yolov5::new(architecture(), 0, device);
    model.load(&checkpoint.tensors, device);
    model
}

/// A session over the golden yolov5n.
pub fn session(plan: FreezePlan, freeze_norms: FreezeNorms, optimizer: OptimizerKind) -> Session {
    let device = Device::flex();
    let config = SessionConfig {
        hyp: Hyp::default(),
        epochs: 3,
        batches: 2,
        batch: 2,
        nominal: 2,
        imgsz: SIDE,
        optimizer,
        cosine: false,
        freeze_norms,
        rate_factors: BTreeMap::default(),
        reference_schedule: false,
    };
    Session::new(network(&device), plan, config, &device)
}

pub fn plan(spec: &str) -> frostline::Result<FreezePlan> {
    FreezePlan::resolve(&spec.parse::<FreezeSpec>()?, &architecture())
}

/// Two pictures of pseudo-random pixels with a large and a small box each.
pub fn batch(seed: u8) -> Batch {
    let pixels = (0..2 * 3 * SIDE * SIDE)
        .map(|i| (i.wrapping_mul(37 + usize::from(seed)) >> 3) as u8)
        .collect();
    let label = |class, cxcywh| Label { class, cxcywh };
    let placement = Placement {
        path: "made".into(),
        original: [SIDE; 2],
        ratio: [1.0; 2],
        pad: [0.0; 2],
    };
    Batch {
        pixels,
        shape: [2, 3, SIDE, SIDE],
        targets: vec![
            (0, label(0, [0.5, 0.5, 0.8, 0.9])),
            (0, label(1, [0.3, 0.3, 0.25, 0.3])),
            (1, label(2, [0.4, 0.6, 0.5, 0.4])),
        ],
        placements: vec![placement; 2],
    }
}

/// One epoch of `steps` steps.
pub fn train(session: &mut Session, epoch: usize, steps: u8) {
    read_sync(session.begin_epoch(epoch)).unwrap();
    for step in 0..steps {
        session.step_with(&batch(step), RATES);
    }
}

pub fn state(model: &mut Yolov5) -> State {
    let state = read_sync(model.state_dict()).unwrap();
    state
        .into_iter()
        .map(|(name, data)| (name, data.as_bytes().to_vec()))
        .collect()
}

/// Network and average.
pub fn both(session: &mut Session) -> [State; 2] {
    [state(&mut session.model), state(&mut session.ema.model)]
}

/// Asserts what `stage` promises about a network that was `before` and is `after`: names of what should not have
/// moved but did, and of what should have moved but did not, are in the message.
pub fn assert_kept(before: &State, after: &State, stage: &Stage, norms: FreezeNorms, place: &str) {
    let architecture = architecture();
    let frozen: BTreeMap<String, bool> = architecture
        .parameters()
        .into_iter()
        .map(|parameter| parameter.name)
        .zip(stage.frozen.iter().copied())
        .collect();
    for (name, then) in before {
        let still = match frozen.get(name) {
            Some(&frozen) => frozen,
            // Anchors are a constant, whatever is frozen.
            None if name.ends_with("anchors") => true,
            None => {
                let norm = name.rsplit_once('.').map_or("", |(norm, _)| norm);
                norms == FreezeNorms::Fixed && stage.fixed_norms.contains(norm)
            }
        };
        let same = *then == after[name];
        assert_eq!(
            same,
            still,
            "{place}: {name} {}",
            if still { "moved" } else { "did not move" }
        );
    }
}
