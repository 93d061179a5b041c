//! `inspect --json` against the golden architectures.

use std::path::Path;

use frostline_tests::golden_json;
use serde_json::{Value, json};

use crate::program::run;

fn inspect(args: &[&str]) -> Value {
    let args = [&["inspect", "--json"], args].concat();
    let outcome = run(Path::new("."), &args).expect_code(0);
    serde_json::from_str(&outcome.stdout).unwrap()
}

#[test]
fn every_size_and_freeze_has_the_golden_counts() {
    for size in ["n", "s", "m", "l", "x"] {
        let golden = golden_json(&format!("arch/arch_{size}.json"));
        let cfg = format!("yolov5{size}");
        for freeze in ["0", "10", "24", "0 1 2"] {
            let mut args = vec!["--cfg", &cfg, "--freeze"];
            args.extend(freeze.split(' '));
            let report = inspect(&args);
            assert_eq!(report["parameters"], golden["params_total"], "{size}");
            assert_eq!(report["tensors"], golden["n_named_parameters"], "{size}");
            assert_eq!(report["state_items"], golden["n_state_dict"], "{size}");
            assert_eq!(report["layers"], golden["layers"], "{size}");
            assert_eq!(report["saved"], golden["save"], "{size}");
            let modules: Vec<&Value> = report["modules"]
                .as_array()
                .unwrap()
                .iter()
                .map(|m| &m["parameters"])
                .collect();
            let wanted: Vec<&Value> = golden["modules"]
                .as_array()
                .unwrap()
                .iter()
                .map(|m| &m["params"])
                .collect();
            assert_eq!(modules, wanted, "{size}");
            let (stage, wanted) = (&report["freeze"]["stages"][0], &golden["freeze"][freeze]);
            for (ours, theirs) in [
                ("frozen_tensors", "frozen_tensors"),
                ("frozen_parameters", "frozen_params"),
                ("trainable_tensors", "trainable_tensors"),
                ("trainable_parameters", "trainable_params"),
                ("frozen_names", "frozen_names"),
            ] {
                assert_eq!(
                    stage[ours], wanted[theirs],
                    "{size}, --freeze {freeze}: {ours}"
                );
            }
        }
    }
}

#[test]
fn another_number_of_classes_has_the_golden_counts() {
    for size in ["n", "m"] {
        let golden = golden_json(&format!("arch/arch_{size}_nc20.json"));
        let report = inspect(&["--cfg", &format!("yolov5{size}"), "--nc", "20"]);
        assert_eq!(report["parameters"], golden["params_total"], "{size}");
    }
}

#[test]
fn weights_tell_their_architecture() {
    let report = inspect(&[
        "--weights",
        &crate::program::weights(),
        "--freeze",
        "backbone",
    ]);
    assert_eq!(report["nc"], json!(3));
    assert_eq!(
        report["freeze"]["stages"][0]["frozen_parameters"],
        json!(1_046_368)
    );
}

#[test]
fn the_table_names_what_is_frozen() {
    let outcome = run(
        Path::new("."),
        &["inspect", "--cfg", "yolov5n", "--freeze", "10"],
    )
    .expect_code(0);
    assert!(
        outcome.stdout.contains("0–9 frozen, 10–24 train"),
        "{}",
        outcome.stdout
    );
    assert!(outcome.stdout.contains("1,046,368"), "{}", outcome.stdout);
}
