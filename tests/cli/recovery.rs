//! Runs that meet trouble on the way: losses that are no numbers, and too little memory.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::program::{Outcome, borrowed, run, training};

/// A rate at which weights grow beyond all bounds, though not after a few quarters.
const TOO_HIGH: &str = "lr0=100";
/// Address space in KiB: enough to start, too little for twelve pictures at 320 px.
const LITTLE_KIB: [usize; 5] = [700_000, 600_000, 550_000, 500_000, 450_000];

/// Rows of a table without its header.
fn rows(path: &std::path::Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn a_run_whose_rate_is_too_high_goes_back_and_ends_at_a_lower_one() {
    let folder = tempfile::tempdir().unwrap();
    let flags = [
        "--hyp-set",
        TOO_HIGH,
        "--hyp-set",
        "warmup_epochs=0",
        "--optimizer",
        "SGD",
    ];
    let more = ["--noplots", "--noforecast", "--log", "log.jsonl"];
    let outcome = run(
        folder.path(),
        &borrowed(&training(3, &[&flags[..], &more].concat())),
    );
    let outcome = outcome
        .expect_code(0)
        .expect_words(&["Going on from epoch"]);
    let run_folder = folder.path().join("runs/train/exp");
    let recoveries = rows(&run_folder.join("recoveries.csv"));
    assert!(
        !recoveries.is_empty() && recoveries.len() <= 4,
        "{recoveries:?}"
    );
    assert!(
        recoveries.iter().all(|row| row.contains(",diverged,4,")),
        "{recoveries:?}"
    );
    let epochs = rows(&run_folder.join("results.csv"));
    assert_eq!(epochs.len(), 3, "{}", outcome.stderr);
    assert!(!epochs.concat().contains("nan"), "{epochs:?}");
    let log = fs::read_to_string(folder.path().join("log.jsonl")).unwrap();
    let events = log
        .lines()
        .filter(|line| line.contains("\"recovery\""))
        .count();
    assert_eq!(events, recoveries.len());
}

#[test]
fn a_run_that_no_rate_saves_gives_up_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let flags = [
        "--hyp-set",
        "lr0=1e30",
        "--hyp-set",
        "warmup_epochs=0",
        "--optimizer",
        "SGD",
    ];
    let more = ["--noplots", "--noforecast"];
    run(
        folder.path(),
        &borrowed(&training(2, &[&flags[..], &more].concat())),
    )
    .expect_code(1)
    .expect_words(&[
        "after 4 tries with ever lower rates",
        "frostline data check",
    ]);
    let flags = [&flags[..], &more, &["--nosave", "--name", "unsaved"]].concat();
    run(folder.path(), &borrowed(&training(2, &flags)))
        .expect_code(1)
        .expect_words(&["leave --nosave out"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_batch_that_does_not_fit_into_memory_is_halved() {
    let folder = tempfile::tempdir().unwrap();
    let args = training(1, &["--noplots", "--workers", "1"]);
    // Twelve pictures in one batch, in an address space where they do not fit.
    let larger = |arg: &String| match arg.as_str() {
        "64" => "320".to_owned(),
        "4" => "12".to_owned(),
        _ => arg.clone(),
    };
    let args: Vec<String> = args.iter().map(larger).collect();
    // How much the program takes before its first step differs from system to system: the first space that is too small.
    let run_in = |kib: usize| {
        Command::new("sh")
            .args([
                "-c",
                &format!("ulimit -v {kib}; exec \"$0\" \"$@\""),
                env!("CARGO_BIN_EXE_frostline"),
            ])
            .args(&args)
            .current_dir(folder.path())
            // Each thread's own heap would reserve address space.
            .env("MALLOC_ARENA_MAX", "1")
            .env("RAYON_NUM_THREADS", "2")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    };
    let halved = |output: &std::process::Output| {
        let said = String::from_utf8_lossy(&output.stderr).into_owned()
            + &String::from_utf8_lossy(&output.stdout);
        said.contains("instead of 12, as many optimizer steps")
            && said.contains("MiB are available")
    };
    let output = LITTLE_KIB.into_iter().map(run_in).find(halved);
    Outcome::from(output.expect("a space in which the batch was halved")).expect_code(0);
}

#[test]
fn an_automatic_batch_takes_what_fits_and_no_more_than_a_step_of_the_optimizer() {
    let folder = tempfile::tempdir().unwrap();
    let args = training(1, &["--freeze", "10", "--noplots"]);
    let mut args = borrowed(&args);
    let size = args.iter().position(|arg| *arg == "--batch-size").unwrap();
    args[size + 1] = "-1";
    run(folder.path(), &args)
        .expect_code(0)
        // The set has twelve pictures.
        .expect_words(&[
            "--batch-size -1: batches of 12",
            "1 epochs of 1 batches of 12",
        ]);
}

#[test]
fn a_run_resumes_with_smaller_batches_and_sees_each_picture_once() {
    let folder = tempfile::tempdir().unwrap();
    let args = training(
        3,
        &[
            "--noplots",
            "--noforecast",
            "--log",
            "log.jsonl",
            "--patience",
            "0",
        ],
    );
    let mut child = crate::program::start(folder.path(), &borrowed(&args));
    let results = folder.path().join("runs/train/exp/results.csv");
    assert!(crate::program::wait_until(&mut child, || rows(&results)
        .len()
        == 1));
    child.kill().unwrap();
    crate::program::wait(child);
    let args = [
        "train",
        "--resume",
        "--batch-size",
        "2",
        "--noforecast",
        "--log",
        "after.jsonl",
    ];
    run(folder.path(), &args).expect_code(0);
    assert_eq!(rows(&results).len(), 3);
    let log = fs::read_to_string(folder.path().join("after.jsonl")).unwrap();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let steps = lines.iter().filter(|line| line["event"] == "step");
    // Twelve pictures in batches of two, in the epochs that were left.
    let last = steps.filter(|line| line["epoch"] == 2);
    assert_eq!(last.count(), 6);
}
