//! Random specs of the freeze language.

use burn::tensor::read_sync;
use frostline::freeze::FreezePlan;
use frostline::train::{FreezeNorms, OptimizerKind};
use proptest::prelude::*;

use crate::network::{assert_kept, both, plan, session, train};

/// A case trains a network for two steps.
const CASES: u32 = 24;

pub fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(CASES);
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn term() -> impl Strategy<Value = String> {
    let module = 0..25_usize;
    prop_oneof![
        module.clone().prop_map(|m| m.to_string()),
        module.clone().prop_map(|m| format!("={m}")),
        (module.clone(), module.clone()).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        prop::sample::select(vec![
            "backbone",
            "neck",
            "head",
            "detect",
            "all-but-detect",
            "all"
        ])
        .prop_map(str::to_owned),
        prop::sample::select(vec![
            "*.bn.*",
            "*.bn.weight",
            "*.conv.weight",
            "model.2*.cv1.*",
            "*.m.0.*",
            "*.bias"
        ])
        .prop_map(str::to_owned),
        module.prop_map(|m| format!("model.{m}.*")),
    ]
}

/// A set of up to four terms, each maybe taken away.
fn set() -> impl Strategy<Value = String> {
    prop::collection::vec((any::<bool>(), term()), 1..5).prop_map(|terms| {
        let terms = terms.into_iter().enumerate();
        let terms: Vec<String> = terms
            .map(|(i, (away, term))| {
                if away && i > 0 {
                    format!("!{term}")
                } else {
                    term
                }
            })
            .collect();
        terms.join(",")
    })
}

/// A plan that fits the network; most sets do.
pub fn fitting() -> impl Strategy<Value = FreezePlan> {
    set().prop_filter_map("freezes everything or names nothing", |spec| {
        plan(&spec).ok()
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_any_spec_freezes_is_bit_identical_and_all_the_rest_learns(
        plan in fitting(),
        drift in any::<bool>(),
        optimizer in prop::sample::select(vec![OptimizerKind::Sgd, OptimizerKind::AdamW]),
    ) {
        let norms = if drift { FreezeNorms::Drift } else { FreezeNorms::Fixed };
        let place = format!("--freeze '{}', {norms:?}, {optimizer}", plan.spec);
        let stage = plan.stages[0].clone();
        let mut session = session(plan, norms, optimizer);
        let before = both(&mut session);
        prop_assert_eq!(&before[0], &before[1], "the average starts as a copy");
        train(&mut session, 0, 2);
        let after = both(&mut session);
        for (which, (before, after)) in ["network", "average"].iter().zip(before.iter().zip(&after)) {
            assert_kept(before, after, &stage, norms, &format!("{place}, {which}"));
        }
        let receipt = read_sync(session.receipt()).unwrap();
        prop_assert_eq!(receipt.after.parameters, stage.counts.frozen_tensors);
        prop_assert_eq!(receipt.after.statistics, 2 * stage.fixed_norms.len());
        prop_assert!(receipt.parameters_held());
        let moved = drift && !stage.fixed_norms.is_empty();
        prop_assert_eq!(receipt.statistics_held(), !moved, "{}", place);
        prop_assert_eq!(receipt.holds(), !moved);
    }
}
