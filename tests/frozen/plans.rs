//! Plans whose stages change, and plans that are resumed.

use burn::tensor::read_sync;
use frostline::train::{FreezeNorms, OptimizerKind};

use crate::network::{State, assert_kept, both, plan, session, train};

fn run_stages(spec: &str, norms: FreezeNorms) {
    let plan = plan(spec).unwrap();
    let mut session = session(plan.clone(), norms, OptimizerKind::Sgd);
    for epoch in 0..3 {
        let stage = plan.stage_at(epoch);
        // The stage begins without a step, so that what it freezes is seen as it begins.
        train(&mut session, epoch, 0);
        let before = both(&mut session);
        train(&mut session, epoch, 2);
        let after = both(&mut session);
        for (which, (before, after)) in ["network", "average"].iter().zip(before.iter().zip(&after))
        {
            assert_kept(
                before,
                after,
                stage,
                norms,
                &format!("{spec}, epoch {epoch}, {which}"),
            );
        }
        assert_same_frozen(&after, &stage.frozen, spec);
    }
    let receipts = read_sync(session.receipts()).unwrap();
    assert_eq!(receipts.len(), plan.stages.len());
    for (receipt, stage) in receipts.iter().zip(&plan.stages) {
        assert_eq!(receipt.from_epoch, stage.from_epoch);
        assert_eq!(receipt.after.parameters, stage.counts.frozen_tensors);
        assert!(receipt.parameters_held(), "{spec}");
    }
}

/// What is frozen is the same in the network and its average: the rest of the average learns behind it.
fn assert_same_frozen([network, average]: &[State; 2], frozen: &[bool], spec: &str) {
    let parameters = crate::network::architecture().parameters();
    for (parameter, _) in parameters.iter().zip(frozen).filter(|(_, frozen)| **frozen) {
        assert_eq!(
            network[&parameter.name], average[&parameter.name],
            "{spec}: {}",
            parameter.name
        );
    }
}

#[test]
fn a_plan_that_thaws_applies_each_stage_anew() {
    run_stages("24; 10@1; 0@2", FreezeNorms::Fixed);
}

#[test]
fn a_plan_that_freezes_later_keeps_what_was_learnt() {
    run_stages("0; 10@1; all-but-detect,!*.bn.*@2", FreezeNorms::Fixed);
    run_stages("0; 10@2", FreezeNorms::Drift);
}

#[test]
fn a_session_that_is_restored_goes_on_with_the_same_bits_and_its_receipts() {
    for spec in ["10", "24; 10@1; 0@2", "0; 10@1"] {
        let plan = plan(spec).unwrap();
        let mut whole = session(plan.clone(), FreezeNorms::Fixed, OptimizerKind::AdamW);
        let mut first = session(plan.clone(), FreezeNorms::Fixed, OptimizerKind::AdamW);
        for epoch in 0..2 {
            train(&mut whole, epoch, 2);
            train(&mut first, epoch, 2);
        }
        let (tensors, record) = read_sync(first.snapshot(2)).unwrap();
        let record = serde_json::from_str(&serde_json::to_string(&record).unwrap()).unwrap();
        let mut second = session(plan, FreezeNorms::Fixed, OptimizerKind::AdamW);
        second.restore(&tensors, &record).unwrap();
        train(&mut whole, 2, 2);
        train(&mut second, 2, 2);
        assert_eq!(both(&mut whole), both(&mut second), "{spec}");
        assert_eq!(
            read_sync(whole.receipts()).unwrap(),
            read_sync(second.receipts()).unwrap(),
            "{spec}"
        );
    }
}
