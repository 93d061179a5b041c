//! `--log`: what a program that watches a run is told.

use serde_json::Value;

use crate::program::{borrowed, run, training};

#[test]
fn every_step_and_every_epoch_is_a_line_of_json_on_standard_output_and_tensorboard_has_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--log", "json", "tensorboard", "--noplots", "--noforecast"];
    let outcome = run(folder.path(), &borrowed(&training(2, &flags))).expect_code(0);
    let lines: Vec<Value> = outcome
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |event: &str| lines.iter().filter(|line| line["event"] == event).count();
    // Three batches an epoch.
    assert_eq!(
        (of("step"), of("epoch"), of("end")),
        (6, 2, 1),
        "{}",
        outcome.stdout
    );
    let step = &lines[1];
    assert_eq!((&step["epoch"], &step["batch"]), (&0.into(), &1.into()));
    for key in ["box", "obj", "cls", "momentum"] {
        assert!(step[key].is_f64(), "{step}");
    }
    assert!(lines[3]["metrics"]["map50"].is_f64(), "{}", lines[3]);
    let made = std::fs::read_dir(folder.path().join("runs/train/exp")).unwrap();
    let mut names = made.flatten().map(|entry| entry.file_name());
    assert!(names.any(|name| name.to_string_lossy().starts_with("events.out.tfevents.")));
}
