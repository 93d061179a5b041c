//! What a run foretells, beside what became of it.

use std::path::Path;

use serde_json::Value;

use crate::program::run;

/// Memory does not depend on what else the machine does. Alone, the forecast is within 10 %.
const MEMORY: f64 = 0.2;
/// Other tests run beside this one.
const TIME: f64 = 1.0;

/// The figures of `name truth unit, foretold figure`.
fn figures(line: &str, name: &str) -> [f64; 2] {
    let (_, rest) = line.split_once(name).unwrap_or_else(|| panic!("{line}"));
    let mut words = rest.split_whitespace();
    let number = |word: Option<&str>| word.unwrap().parse::<f64>().unwrap();
    let truth = number(words.next());
    [truth, number(words.nth(2))]
}

#[test]
fn a_run_ends_with_its_forecast_beside_the_truth() {
    let folder = tempfile::tempdir().unwrap();
    let args = [
        "train",
        "--freeze",
        "10",
        "--epochs",
        "1",
        "--imgsz",
        "320",
        "--batch-size",
        "8",
        "--noval",
        "--noplots",
        "--device",
        "cpu",
        "--cache-features",
        "off",
    ];
    let outcome = run(folder.path(), &args).expect_code(0);
    let line = outcome
        .stderr
        .lines()
        .find(|line| line.starts_with("forecast and truth: "))
        .unwrap_or_else(|| panic!("{}", outcome.stderr));
    for (name, tolerance) in [("a step ", TIME), ("memory ", MEMORY)] {
        let [truth, foretold] = figures(line, name);
        assert!((foretold / truth - 1.0).abs() < tolerance, "{line}");
    }
}

#[test]
fn inspect_foretells_a_step_when_asked() {
    let args = [
        "inspect",
        "--cfg",
        "yolov5n",
        "--freeze",
        "24",
        "--imgsz",
        "64",
        "--batch-size",
        "2",
        "--forecast",
        "--device",
        "cpu",
        "--json",
    ];
    let outcome = run(Path::new("."), &args).expect_code(0);
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let number = |key: &str| report["forecast"][key].as_f64().unwrap();
    assert!(
        number("kept_step_ms") < number("step_ms"),
        "{}",
        report["forecast"]
    );
    assert!(number("memory_mib") > 0.0);
}
