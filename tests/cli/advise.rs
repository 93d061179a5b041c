//! `advise`, `--lr-factor` and `--keep-classes` as a person uses them.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::program::{Outcome, assert_same_run, borrowed, run, training, weights, world};

/// Exit code for wrong input.
const WRONG_INPUT: i32 = 2;

fn advise(folder: &Path, more: &[&str]) -> Outcome {
    let data = world().display().to_string();
    let weights = weights();
    let flags = [
        "advise",
        "--device",
        "cpu",
        "--imgsz",
        "64",
        "--batch-size",
        "4",
    ];
    let files = ["--data", &data, "--weights", &weights];
    run(folder, &[&flags[..], &files, more].concat())
}

#[test]
fn advice_comes_in_time_names_a_command_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let told = advise(
        folder.path(),
        &[
            "--freeze", "0", "24", "--epochs", "12", "--probe", "6s", "--json",
        ],
    )
    .expect_code(0);
    let found: Value = serde_json::from_str(&told.stdout).unwrap();
    let candidates = found["candidates"].as_array().unwrap();
    assert_eq!(candidates.len(), 2);
    for (candidate, freeze) in candidates.iter().zip(["0", "24"]) {
        assert_eq!(candidate["freeze"], freeze);
        assert_eq!(candidate["epochs"], 12);
        assert!(candidate["step_ms"].as_f64().unwrap() > 0.0);
    }
    // The weights know nothing of this world: hardly anything is learnt in seconds, and the program says so.
    assert!(["clear", "cannot tell"].contains(&found["verdict"].as_str().unwrap()));
    if found["verdict"] == "clear" {
        let command = found["command"].as_str().unwrap();
        assert!(command.starts_with("frostline train --device cpu --imgsz 64"));
        assert!(command.contains("--epochs 12"), "{command}");
    }
    assert!(
        found["took_s"].as_f64().unwrap() < 60.0,
        "{}",
        found["took_s"]
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn candidates_that_cannot_be_are_left_out_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let memory = ["--freeze", "0", "24", "--epochs", "2", "--memory", "1MB"];
    advise(folder.path(), &memory)
        .expect_code(WRONG_INPUT)
        .expect_words(&["no candidate that can train", "1 MiB are allowed"]);
    for (more, words) in [
        (&["--freeze", "10"][..], &["1 candidate", "two or more"][..]),
        (&["--freeze", "0", "backbon"], &["Did you mean backbone?"]),
        (&["--time", "soon"], &["expected a time such as 90s"]),
        (&["--time", "1m", "--epochs", "3"], &["cannot be used with"]),
        (&["--memory", "much"], &["expected a size such as 4GB"]),
        (&["--resume"], &["--resume", "Leave it out"]),
    ] {
        advise(folder.path(), more)
            .expect_code(WRONG_INPUT)
            .expect_words(words);
    }
}

#[test]
fn factors_on_the_rate_are_said_kept_and_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let quiet = ["--noplots", "--noforecast"];
    let factor = ["--freeze", "5", "--lr-factor", "backbone=0.1,9=0.25"];
    let train = |more: &[&str]| {
        run(
            folder.path(),
            &borrowed(&training(1, &[&quiet, more].concat())),
        )
    };
    train(&[&factor[..], &["--name", "soft"]].concat())
        .expect_code(0)
        .expect_words(&["tensors learn at 0.1 times the rate", "at 0.25 times"]);
    let options = fs::read_to_string(folder.path().join("runs/train/soft/opt.yaml")).unwrap();
    assert!(options.contains("backbone=0.1,9=0.25"), "{options}");
    train(&["--lr-factor", "backbone"])
        .expect_code(WRONG_INPUT)
        .expect_words(&["GROUP=FACTOR"]);
    train(&["--freeze", "10", "--lr-factor", "0-4=0.1"])
        .expect_code(WRONG_INPUT)
        .expect_words(&["--lr-factor", "--freeze 10 never trains"]);
    // A factor of one is none.
    train(&["--freeze", "5", "--name", "plain"]).expect_code(0);
    train(&["--freeze", "5", "--lr-factor", "all=1", "--name", "one"]).expect_code(0);
    let of = |name: &str| folder.path().join("runs/train").join(name);
    assert_same_run(&of("one"), &of("plain"), "a factor of one");
}

#[test]
fn new_classes_come_beside_old_ones_and_what_became_of_these_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let quiet = ["--noplots", "--noforecast", "--freeze", "10"];
    let first = [&quiet[..], &["--name", "old"]].concat();
    run(folder.path(), &borrowed(&training(1, &first))).expect_code(0);
    // The same pictures, with one name that the weights do not know.
    let yaml = fs::read_to_string(world()).unwrap();
    let old = yaml.lines().find_map(|line| line.trim().strip_prefix("0:"));
    let old = old.unwrap().trim().to_owned();
    let path = world().parent().unwrap().display().to_string();
    let yaml = yaml.replacen(&format!("0: {old}"), "0: quite new", 1);
    let lines: Vec<&str> = yaml
        .lines()
        .filter(|line| !line.starts_with("path:"))
        .collect();
    let data = folder.path().join("more.yaml");
    fs::write(&data, format!("path: {path}\n{}\n", lines.join("\n"))).unwrap();
    let mut args = training(
        1,
        &[&quiet[..], &["--keep-classes", "--name", "new"]].concat(),
    );
    let place = args.iter().position(|arg| arg == "--weights").unwrap() + 1;
    args[place] = "runs/train/old/weights/best.safetensors".to_owned();
    let place = args.iter().position(|arg| arg == "--data").unwrap() + 1;
    args[place] = data.display().to_string();
    run(folder.path(), &borrowed(&args))
        .expect_code(0)
        .expect_words(&[
            "transferred 349/349 items",
            "6 transferred and grown by new classes",
            "1 new (quite new)",
            &old,
            "kept classes, before and after:",
        ]);
    let kept = folder.path().join("runs/train/new/kept_classes.json");
    let kept: Value = serde_json::from_str(&fs::read_to_string(kept).unwrap()).unwrap();
    assert!(kept[0]["before"][0].is_number() && kept[0]["after"][0].is_number());
    // The class that the data does not name is still there, after those that it does.
    let val = [
        "val",
        "--weights",
        "runs/train/new/weights/best.safetensors",
        "--data",
        "more.yaml",
        "--imgsz",
        "64",
        "--device",
        "cpu",
    ];
    run(folder.path(), &val).expect_code(0);
}
