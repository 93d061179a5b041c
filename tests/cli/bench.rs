//! `bench`: figures that are well formed, whatever the machine's speed.

use std::path::Path;

use serde_json::{Value, json};

use crate::program::{run, weights};

/// Kept features are rounded to half precision: 2⁻¹¹ of a value, less of a mean.
const HALF: f64 = 5e-4;

fn bench(args: &[&str]) -> Value {
    let small = [
        "--imgsz",
        "64",
        "--batch-size",
        "2",
        "--steps",
        "2",
        "--warmup",
        "1",
    ];
    let args = [&["bench", "--json", "--device", "cpu"], &small[..], args].concat();
    let outcome = run(Path::new("."), &args).expect_code(0);
    serde_json::from_str(&outcome.stdout).unwrap()
}

fn assert_plausible(report: &Value) {
    let number = |key: &str| report["step_ms"][key].as_f64().unwrap();
    assert!(0.0 < number("min"), "{report}");
    assert!(
        number("min") <= number("median") && number("median") <= number("max"),
        "{report}"
    );
    let rate = report["pictures_per_s"].as_f64().unwrap();
    assert!(
        (rate * number("median") - 2.0 * 1e3).abs() < 1e-6,
        "{report}"
    );
    assert!(report["check"].as_f64().unwrap().is_finite(), "{report}");
    if cfg!(target_os = "linux") {
        // At least the weights, their average and the memory of the optimizer.
        assert!(
            report["memory_growth_mib"].as_f64().unwrap() > 7.0,
            "{report}"
        );
    }
}

#[test]
fn a_frozen_training_step_has_figures() {
    let report = bench(&["--cfg", "yolov5n", "--freeze", "24"]);
    assert_plausible(&report);
    for (key, wanted) in [
        ("task", json!("train")),
        ("architecture", json!("yolov5n")),
        ("classes", json!(80)),
        ("imgsz", json!(64)),
        ("batch_size", json!(2)),
        ("steps", json!(2)),
        ("freeze", json!("0–23 frozen, 24 trains")),
    ] {
        assert_eq!(report[key], wanted, "{key}");
    }
}

#[test]
fn a_step_on_kept_features_computes_the_same_loss() {
    let flags = ["--weights", &weights(), "--freeze", "24"];
    let whole = bench(&flags);
    let kept = bench(&[&flags[..], &["--cache-features"]].concat());
    assert_plausible(&kept);
    assert_eq!(kept["task"], json!("train cached"));
    let loss = |report: &Value| report["check"].as_f64().unwrap();
    let difference = (loss(&kept) - loss(&whole)).abs() / loss(&whole);
    assert!(difference < HALF, "{kept} {whole}");
    assert_ne!(
        difference, 0.0,
        "features that were not rounded were not kept"
    );
}

#[test]
fn inference_has_figures_of_the_weights_it_was_given() {
    let report = bench(&["--infer", "--weights", &weights()]);
    assert_plausible(&report);
    assert_eq!(
        (&report["task"], &report["classes"]),
        (&json!("infer"), &json!(3))
    );
    let again = bench(&["--infer", "--cfg", "yolov5n", "--weights", &weights()]);
    assert_eq!(again["check"], report["check"]);
    let random = bench(&["--infer", "--cfg", "yolov5n", "--nc", "3"]);
    assert_ne!(random["check"], report["check"]);
}

#[test]
fn freezing_says_nothing_about_inference() {
    run(Path::new("."), &["bench", "--infer", "--freeze", "10"]).expect_code(2);
}

#[test]
fn features_are_kept_only_before_a_cut() {
    let flags = ["bench", "--device", "cpu", "--cache-features"];
    run(Path::new("."), &flags).expect_code(2);
    run(
        Path::new("."),
        &[&flags[..], &["--freeze", "24,!0"]].concat(),
    )
    .expect_code(2)
    .expect_words(&["freezes no leading module", "--freeze 10"]);
}
