use super::super::spec::tests::texts;
use super::*;
use crate::model::Size;
use crate::model::architecture::tests::all;
use proptest::prelude::*;

fn nano() -> Architecture {
    Architecture::yolov5(Size::N, 80)
}

fn plan(text: &str) -> FreezePlan {
    FreezePlan::resolve(&text.parse().unwrap(), &nano()).unwrap()
}

#[test]
fn counts_and_names_equal_the_reference_for_every_golden_plan() {
    for (golden, architecture) in all() {
        for (spec, expected) in golden["freeze"].as_object().unwrap() {
            let plan = FreezePlan::resolve(&spec.parse().unwrap(), &architecture).unwrap();
            let stage = plan.stage_at(0);
            assert_eq!(
                expected["frozen_tensors"], stage.counts.frozen_tensors,
                "{spec}"
            );
            assert_eq!(expected["frozen_params"], stage.counts.frozen_parameters);
            assert_eq!(
                expected["trainable_tensors"],
                stage.counts.trainable_tensors
            );
            assert_eq!(
                expected["trainable_params"],
                stage.counts.trainable_parameters
            );
            let lines: Vec<String> = (expected["frozen_names"].as_array().unwrap().iter())
                .map(|name| format!("freezing {}", name.as_str().unwrap()))
                .collect();
            assert_eq!(stage.log_lines(&architecture), lines);
        }
    }
}

#[test]
fn the_documented_table_holds() {
    let counts = |text: &str| {
        let counts = plan(text).stages[0].counts;
        (counts.frozen_tensors, counts.frozen_parameters)
    };
    assert_eq!(counts("10"), (99, 1_046_368));
    assert_eq!(counts("24"), (171, 1_757_152));
    assert_eq!(counts("0,1,2"), (21, 11_232));
    assert_eq!(counts("0 1 2"), (21, 11_232));
    assert_eq!(counts("=10"), (3, 33_024));
    assert_eq!(counts("backbone,!9"), counts("9"));
    assert_eq!(counts("all,!*.bn.*,!detect").0, 57);
    let staged = plan("24; 10@5; 0@20");
    let frozen = |epoch| staged.stage_at(epoch).counts.frozen_tensors;
    assert_eq!(
        [0, 4, 5, 19, 20, 1000].map(frozen),
        [171, 171, 99, 99, 0, 0]
    );
    let changes: Vec<usize> = (0..30).filter(|&e| staged.changes_at(e)).collect();
    assert_eq!(changes, [5, 20]);
}

#[test]
fn the_cut_lies_before_the_first_module_that_trains() {
    let cut = |text: &str| plan(text).stages[0].cut.clone();
    let expect = |text, prefix, crossing: &[usize]| {
        let crossing = crossing.to_vec();
        assert_eq!(cut(text), Cut { prefix, crossing }, "{text}");
    };
    expect("0", 0, &[]);
    expect("1", 1, &[0]);
    expect("10", 10, &[4, 6, 9]);
    expect("24", 24, &[17, 20, 23]);
    expect("=10", 0, &[]);
    expect("backbone,!5", 5, &[4]);
    expect("0-9,!model.3.bn.bias", 3, &[2]);
    // Upsample and Concat go along with what they read.
    expect("11", 13, &[4, 10, 12]);
    expect("13", 13, &[4, 10, 12]);
}

#[test]
fn statistics_are_fixed_where_weight_and_bias_are_frozen() {
    let fixed = |text: &str| plan(text).stages[0].fixed_norms.clone();
    assert_eq!(fixed("10").len(), 33);
    assert_eq!(fixed("24").len(), 57);
    assert!(fixed("10").contains("model.2.m.0.cv1.bn"));
    assert!(fixed("all,!*.bn.*,!detect").is_empty());
    assert!(fixed("*.bn.weight").is_empty());
    assert_eq!(
        fixed("model.2.cv1.bn.*").into_iter().collect::<Vec<_>>(),
        ["model.2.cv1.bn"]
    );
    assert_eq!(fixed("*.bn.*").len(), 57);
}

#[test]
fn people_read_which_modules_are_frozen() {
    for (text, human) in [
        ("10", "0–9 frozen, 10–24 train"),
        ("24", "0–23 frozen, 24 trains"),
        ("0", "nothing frozen, 0–24 train"),
        ("=10", "10 frozen, 0–9 and 11–24 train"),
        ("detect", "24 frozen, 0–23 train"),
        ("0,2,5", "0, 2 and 5 frozen, 1, 3–4 and 6–24 train"),
        ("all,!*.bn.*,!detect", "0–23 partly frozen, 24 trains"),
        (
            "3,model.4.cv1.*",
            "3 frozen, 4 partly frozen, 0–2 and 5–24 train",
        ),
        ("*.weight", "0–24 partly frozen"),
        (
            "24; 10@5; 0@6",
            "epochs 0–4: 0–23 frozen, 24 trains; epoch 5: 0–9 frozen, 10–24 train; from epoch 6: nothing frozen, 0–24 train",
        ),
    ] {
        assert_eq!(plan(text).human(), human, "{text}");
    }
    assert_eq!(FreezePlan::none(&nano()), plan("0"));
}

#[test]
fn frozen_modules_without_transferred_weights_are_an_error() {
    let architecture = nano();
    let check = |text: &str, incomplete: &[usize]| {
        plan(text).check_transferred(&architecture, &incomplete.iter().copied().collect())
    };
    assert!(check("10", &[]).is_ok());
    assert!(check("10", &[10, 24]).is_ok());
    assert!(check("*.bn.*", &[24]).is_ok());
    assert!(check("0; 10@5", &[0]).is_ok());
    assert!(check("model.3.conv.*", &[3]).is_err());
    let error = check("10", &[0, 2, 3, 20]).unwrap_err().to_string();
    assert!(error.contains("3 of 10 frozen modules"), "{error}");
    assert!(error.contains("(0 and 2–3)"), "{error}");
    assert!(error.contains(OVERRIDE_FLAG), "{error}");
}

#[test]
fn a_description_says_what_how_much_and_where() {
    assert_eq!(
        plan("10; 0@7").describe(&nano()),
        [
            "epochs 0–6: 0–9 frozen, 10–24 train; from epoch 7: nothing frozen, 0–24 train",
            "99 of 177 tensors frozen, 1,046,368 of 1,872,157 parameters",
            "cut after module 9: the outputs of 4 (C3), 6 (C3), 9 (SPPF) cross it",
            "from epoch 7: 0 of 177 tensors frozen, 0 of 1,872,157 parameters",
        ]
    );
    assert_eq!(
        ["0", "999", "1,000", "12,345,678"],
        [0, 999, 1000, 12_345_678].map(thousands)
    );
}

#[test]
fn plans_are_written_as_json() {
    let json = serde_json::to_value(plan("10")).unwrap();
    assert_eq!(json["spec"], "10");
    assert_eq!(
        json["stages"][0]["cut"]["crossing"],
        serde_json::json!([4, 6, 9])
    );
    assert_eq!(json["stages"][0]["states"][10], "trains");
}

proptest! {
    #[test]
    fn resolved_plans_are_consistent(text in texts()) {
        let architecture = nano();
        let parameters = architecture.parameters();
        let Ok(plan) = FreezePlan::resolve(&text.parse().unwrap(), &architecture) else {
            return Ok(());
        };
        prop_assert_eq!(plan.stages[0].from_epoch, 0);
        for stage in &plan.stages {
            let counts = stage.counts;
            prop_assert_eq!(stage.frozen.len(), parameters.len());
            prop_assert_eq!(counts.frozen_tensors + counts.trainable_tensors, parameters.len());
            prop_assert_eq!(
                counts.frozen_parameters + counts.trainable_parameters,
                architecture.parameter_count()
            );
            prop_assert!(counts.trainable_tensors > 0);
            for (parameter, frozen) in parameters.iter().zip(&stage.frozen) {
                let module = parameter.module;
                prop_assert!(*frozen || !stage.frozen_modules[module]);
                prop_assert!(*frozen || module >= stage.cut.prefix);
            }
            for &module in &stage.cut.crossing {
                prop_assert!(module < stage.cut.prefix);
            }
            let full = FreezePlan::none(&architecture).stages[0].costs(&architecture, 64, 64, 1).unwrap();
            let costs = stage.costs(&architecture, 64, 64, 1).unwrap();
            prop_assert!(costs.step() <= full.step());
            prop_assert!(costs.activation_bytes <= full.activation_bytes);
        }
        // The shortest form means the same.
        let again = FreezePlan::resolve(&plan.spec.to_string().parse().unwrap(), &architecture).unwrap();
        prop_assert_eq!(again.stages, plan.stages);
    }

    #[test]
    fn resolving_never_panics_on_any_text(text in "[-0-9 ,;@!=.*a-nü\\PC]{0,24}") {
        let result = text.parse::<FreezeSpec>().and_then(|spec| FreezePlan::resolve(&spec, &nano()));
        if let Err(error) = result {
            prop_assert!(error.to_string().contains("column"), "{}", error);
        }
    }
}
