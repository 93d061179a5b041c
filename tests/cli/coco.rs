//! `val` beyond the table: COCO's form, as COCO's own program reads it, and the tasks `speed` and `study`.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::program::{borrowed, run, training, world};

/// What COCO's own program makes of predictions and annotations: mAP50-95 and mAP50.
const PROGRAM: &str = "
import sys
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
truth = COCO(sys.argv[1])
found = truth.loadRes(sys.argv[2])
judge = COCOeval(truth, found, 'bbox')
judge.evaluate(); judge.accumulate(); judge.summarize()
print('figures', judge.stats[0], judge.stats[1])
";
/// Its curve is sampled otherwise, and it takes 100 detections per picture.
const TOLERANCE: f64 = 0.02;

/// An interpreter that has pycocotools: `FROSTLINE_PYTHON`, else `python3`.
fn python() -> Option<String> {
    let python = std::env::var("FROSTLINE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has = Command::new(&python)
        .args(["-c", "import pycocotools.cocoeval"])
        .output();
    has.is_ok_and(|output| output.status.success())
        .then_some(python)
}

#[test]
fn predictions_are_read_by_cocos_own_program_with_the_same_figures() {
    let folder = tempfile::tempdir().unwrap();
    // The shipped weights know the source world.
    let args = ["data", "synth", "src", "--train", "1", "--val", "12"];
    run(folder.path(), &args).expect_code(0);
    let weights = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/weights/yolov5n-source.safetensors"
    );
    let args = [
        "val",
        "--weights",
        weights,
        "--data",
        "src/source.yaml",
        "--imgsz",
        "160",
        "--device",
        "cpu",
        "--save-json",
        "--save-txt",
        "--save-conf",
    ];
    run(folder.path(), &args).expect_code(0);
    let made = folder.path().join("runs/val/exp");
    let read = |name: &str| -> Value {
        serde_json::from_str(&fs::read_to_string(made.join(name)).unwrap()).unwrap()
    };
    let (predictions, annotations, metrics) = (
        read("predictions.json"),
        read("annotations.json"),
        read("metrics.json"),
    );
    assert_eq!(annotations["images"].as_array().unwrap().len(), 12);
    for row in predictions.as_array().unwrap() {
        assert!(
            row["bbox"].as_array().is_some_and(|sides| sides.len() == 4),
            "{row}"
        );
        assert!(
            annotations["images"]
                .as_array()
                .unwrap()
                .iter()
                .any(|image| image["id"] == row["image_id"])
        );
    }
    let Some(python) = python() else {
        println!("SKIPPED: no pycocotools; FROSTLINE_PYTHON names an interpreter that has it");
        return;
    };
    let output = Command::new(python)
        .args(["-c", PROGRAM])
        .args(["annotations.json", "predictions.json"].map(|name| made.join(name)))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let figures = said.lines().find_map(|line| line.strip_prefix("figures "));
    let figures =
        figures.unwrap_or_else(|| panic!("{said}\n{}", String::from_utf8_lossy(&output.stderr)));
    let figures: Vec<f64> = figures
        .split(' ')
        .map(|figure| figure.parse().unwrap())
        .collect();
    for (theirs, key) in figures.into_iter().zip(["map", "map50"]) {
        let ours = metrics[key].as_f64().unwrap();
        println!("{key}: {ours} here, {theirs} in COCO's program");
        assert!(
            (ours - theirs).abs() < TOLERANCE,
            "{key}: {ours} here, {theirs} there"
        );
    }
}

#[test]
fn speed_draws_nothing_and_a_study_has_a_row_per_side() {
    let folder = tempfile::tempdir().unwrap();
    let args = training(1, &["--noplots", "--noforecast"]);
    run(folder.path(), &borrowed(&args)).expect_code(0);
    let data = world().display().to_string();
    let val = |more: &[&str]| {
        let args = [&["val", "--device", "cpu", "--data", &data], more].concat();
        run(folder.path(), &args).expect_code(0)
    };
    val(&["--task", "speed", "--imgsz", "64"]).expect_words(&["ms a picture"]);
    let made = folder.path().join("runs/val/exp");
    assert!(made.join("metrics.json").is_file() && !made.join("PR_curve.png").exists());
    val(&["--task", "study", "--imgsz", "320", "--augment"]);
    let table = fs::read_to_string(folder.path().join("runs/val/exp2/study.csv")).unwrap();
    let sides: Vec<&str> = table
        .lines()
        .skip(1)
        .map(|row| row.split(',').next().unwrap())
        .collect();
    assert_eq!(sides, ["256", "320"]);
}
