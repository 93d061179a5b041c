//! The freeze language.

use frostline::freeze::{FreezePlan, FreezeSpec};
use frostline::model::{Architecture, Size};
use proptest::prelude::*;

use crate::mutate::{bounded, cases, text};

/// A case resolves a plan, some milliseconds.
const CASES: u32 = 400;

const GOOD: [&str; 8] = [
    "10",
    "0,1,2",
    "0-9 !5",
    "=10",
    "backbone,!9",
    "all,!*.bn.*,!detect",
    "model.2.cv1.*",
    "24; 10@5; 0@20",
];

proptest! {
    #![proptest_config(cases(CASES))]

    #[test]
    fn any_spec_is_refused_with_its_place_or_reads_back_as_it_prints(text in text(&GOOD)) {
        let architecture = Architecture::yolov5(Size::N, 3);
        let spec = match bounded(|| text.parse::<FreezeSpec>()) {
            Ok(spec) => spec,
            Err(error) => {
                prop_assert!(error.to_string().contains("expected"), "{}", error);
                return Ok(());
            }
        };
        let printed = spec.to_string();
        prop_assert_eq!(printed.parse::<FreezeSpec>().unwrap(), spec.clone(), "{}", printed);
        if let Ok(plan) = bounded(|| FreezePlan::resolve(&spec, &architecture)) {
            prop_assert_eq!(plan.stages[0].from_epoch, 0);
            for stage in &plan.stages {
                prop_assert!(stage.counts.trainable_tensors > 0, "{} leaves nothing to train", printed);
                prop_assert_eq!(stage.counts.frozen_tensors + stage.counts.trainable_tensors, stage.frozen.len());
                prop_assert!(stage.cut.prefix < architecture.modules.len());
            }
        }
    }
}
