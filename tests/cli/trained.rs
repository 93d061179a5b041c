//! A whole run and what is done with its weights.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Outcome, borrowed, hashes, run, training, world};

/// The reference's header (FACTS 5).
const HEADER: &str = "epoch,train/box_loss,train/obj_loss,train/cls_loss,metrics/precision,metrics/recall,\
metrics/mAP_0.5,metrics/mAP_0.5:0.95,val/box_loss,val/obj_loss,val/cls_loss,x/lr0,x/lr1,x/lr2";

/// Everything that a run folder holds.
const RUN_FILES: [&str; 19] = [
    "opt.yaml",
    "hyp.yaml",
    "results.csv",
    "usage.csv",
    "results.png",
    "receipt.json",
    "labels.jpg",
    "train_batch0.jpg",
    "train_batch1.jpg",
    "train_batch2.jpg",
    "val_batch0_labels.jpg",
    "val_batch0_pred.jpg",
    "PR_curve.png",
    "P_curve.png",
    "R_curve.png",
    "F1_curve.png",
    "confusion_matrix.png",
    "weights/best.safetensors",
    "weights/last.safetensors",
];

/// A finished run with `--freeze 10`, shared by the tests that only look at it.
fn finished() -> (&'static Path, &'static Outcome) {
    static RUN: OnceLock<(TempDir, Outcome)> = OnceLock::new();
    let (folder, outcome) = RUN.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let data = world().parent().unwrap();
        let before = hashes(data);
        let args = training(2, &["--freeze", "10", "--seed", "1"]);
        let outcome = run(folder.path(), &borrowed(&args)).expect_code(0);
        assert_eq!(hashes(data), before, "training left the data as they were");
        (folder, outcome)
    });
    (folder.path(), outcome)
}

fn receipts(run: &Path) -> Vec<Value> {
    serde_json::from_str(&fs::read_to_string(run.join("receipt.json")).unwrap()).unwrap()
}

#[test]
fn a_run_folder_holds_everything_and_the_receipt_is_equal() {
    let (folder, outcome) = finished();
    let run = folder.join("runs/train/exp");
    for file in RUN_FILES {
        let length = fs::metadata(run.join(file)).map(|metadata| metadata.len());
        assert!(
            length.is_ok_and(|length| length > 0),
            "{file} is missing or empty"
        );
    }
    let csv = fs::read_to_string(run.join("results.csv")).unwrap();
    assert_eq!(csv.lines().next().unwrap(), HEADER);
    assert_eq!(csv.lines().count(), 3, "{csv}");
    assert!(
        csv.lines()
            .skip(1)
            .all(|line| line.split(',').count() == HEADER.split(',').count())
    );
    let receipts = receipts(&run);
    assert_eq!(receipts.len(), 1);
    assert_eq!(receipts[0]["before"], receipts[0]["after"]);
    assert_eq!(receipts[0]["after"]["parameters"], 99);
    assert_eq!(receipts[0]["after"]["statistics"], 66);
    for words in [
        "0–9 frozen, 10–24 train",
        "transferred 343/349",
        "99 frozen parameters unchanged",
        "66 statistics unchanged",
    ] {
        let said = format!("{}\n{}", outcome.stdout, outcome.stderr).to_lowercase();
        assert!(said.contains(words), "{words:?} is missing in:\n{said}");
    }
    let opt = fs::read_to_string(run.join("opt.yaml")).unwrap();
    assert!(
        opt.contains("seed: 1") && opt.contains("imgsz: 64"),
        "{opt}"
    );
    assert!(
        fs::read_to_string(run.join("hyp.yaml"))
            .unwrap()
            .contains("lr0: 0.003")
    );
}

#[test]
fn drift_moves_the_statistics_and_no_parameter() {
    let folder = tempfile::tempdir().unwrap();
    let args = training(
        1,
        &[
            "--freeze",
            "10",
            "--freeze-bn",
            "drift",
            "--noplots",
            "--noforecast",
        ],
    );
    run(folder.path(), &borrowed(&args))
        .expect_code(0)
        .expect_words(&[
            "statistics drift: frozen modules run as in training, with nothing folded",
            "99 frozen parameters unchanged",
            "66 statistics MOVED",
        ]);
    let receipts = receipts(&folder.path().join("runs/train/exp"));
    let [before, after] = ["before", "after"].map(|when| &receipts[0][when]);
    assert_eq!(before["parameters_sha256"], after["parameters_sha256"]);
    assert_ne!(before["statistics_sha256"], after["statistics_sha256"]);
}

#[test]
fn every_stage_of_a_plan_has_its_receipt() {
    let folder = tempfile::tempdir().unwrap();
    let args = training(
        3,
        &[
            "--freeze",
            "24; 10@1; 0@2",
            "--noplots",
            "--noforecast",
            "--nosave",
        ],
    );
    run(folder.path(), &borrowed(&args)).expect_code(0);
    let receipts = receipts(&folder.path().join("runs/train/exp"));
    let counts: Vec<_> = receipts
        .iter()
        .map(|receipt| (&receipt["from_epoch"], &receipt["after"]["parameters"]))
        .collect();
    assert_eq!(
        serde_json::to_value(counts).unwrap(),
        serde_json::json!([[0, 171], [1, 99], [2, 0]])
    );
    assert!(
        receipts
            .iter()
            .all(|receipt| receipt["before"] == receipt["after"]),
        "{receipts:?}"
    );
    // --nosave keeps nothing on the way, but the result.
    assert!(
        folder
            .path()
            .join("runs/train/exp/weights/best.safetensors")
            .is_file()
    );
}

/// The figures of a table's row `all`: P, R, mAP50, mAP50-95.
fn figures(said: &str) -> Vec<String> {
    let row = said
        .lines()
        .rfind(|line| line.trim_start().starts_with("all "))
        .expect("a table");
    row.split_whitespace().skip(3).map(str::to_owned).collect()
}

#[test]
fn val_reproduces_the_figures_that_training_printed() {
    let (folder, trained) = finished();
    // Without flags it takes the newest run's best weights and that run's data.
    let outcome = run(
        folder,
        &[
            "val",
            "--imgsz",
            "64",
            "--device",
            "cpu",
            "--save-txt",
            "--save-json",
            "--save-conf",
        ],
    )
    .expect_code(0);
    assert_eq!(
        figures(&outcome.stderr),
        figures(&trained.stderr),
        "{}",
        outcome.stderr
    );
    assert_eq!(figures(&outcome.stderr).len(), 4);
    let made = folder.join("runs/val/exp");
    for file in [
        "confusion_matrix.png",
        "PR_curve.png",
        "metrics.json",
        "predictions.json",
        "val_batch0_pred.jpg",
        "labels",
    ] {
        assert!(made.join(file).exists(), "{file}");
    }
}

#[test]
fn detect_writes_pictures_labels_a_table_and_crops_and_leaves_the_sources_alone() {
    let (folder, _) = finished();
    let pictures = world().parent().unwrap().join("images/val");
    let before = hashes(&pictures);
    let source = pictures.display().to_string();
    let best = "runs/train/exp/weights/best.safetensors";
    let args = [
        "detect",
        "--weights",
        best,
        "--source",
        &source,
        "--imgsz",
        "64",
        "--device",
        "cpu",
        "--conf-thres",
        "0.001",
        "--max-det",
        "5",
        "--save-txt",
        "--save-csv",
        "--save-conf",
        "--save-crop",
    ];
    run(folder, &args)
        .expect_code(0)
        .expect_words(&["4 pictures, 0 left out"]);
    assert_eq!(hashes(&pictures), before);
    let made = folder.join("runs/detect/exp");
    for picture in before.keys() {
        let name = picture.file_name().unwrap();
        assert!(made.join(name).is_file(), "{name:?}");
        let text = fs::read_to_string(
            made.join("labels")
                .join(Path::new(name).with_extension("txt")),
        )
        .unwrap();
        assert!(
            text.lines().all(|line| line.split(' ').count() == 6),
            "{text}"
        );
    }
    let table = fs::read_to_string(made.join("predictions.csv")).unwrap();
    assert!(
        table.lines().count() > 1,
        "at this confidence something is found"
    );
    let crops = hashes(&made.join("crops"));
    assert_eq!(crops.len(), table.lines().count() - 1);
}
