//! An epoch over real pictures: our program's own run, loading included, beside the steps alone in PyTorch.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use super::cases::{CPU, Case, Task};
use super::figures::{Figures, against, median};
use super::{Bench, THREADS};

/// What `--only` may ask for.
pub const NAME: &str = "epoch over BCCD";

/// Names the folder with `weights/yolov5n.pt` and `bccd/bccd.yaml`.
const FIXTURES: &str = "FROSTLINE_FIXTURES";
/// Pictures of BCCD's training set.
const PICTURES: usize = 205;
const CLASSES: usize = 3;
const BATCH: usize = 16;
const IMGSZ: usize = 320;
const FREEZE: usize = 24;
/// Epochs of a short run and of a long one: their difference is what later epochs take, without the start, the
/// epochs that see a view for the first time, and the last validation.
const EPOCHS: [usize; 2] = [4, 12];
/// Steps of PyTorch's that stand for an epoch.
const STEPS: usize = 5;
/// How our program learns, with its bar.
const RUNS: &[(&str, &[&str], Option<f64>)] = &[
    ("fresh augmentation", &[], None),
    (
        "kept features, 1 view",
        &["--cache-features", "ram", "--views", "1"],
        Some(0.1),
    ),
    (
        "kept features, 4 views",
        &["--cache-features", "ram", "--views", "4"],
        Some(0.1),
    ),
];

/// The paragraph and table, or why there is none.
pub fn measure(bench: &Bench) -> Result<String> {
    let Some(fixtures) = std::env::var_os(FIXTURES) else {
        return Ok(format!(
            "\nThe {NAME} was not run: {FIXTURES} does not name its folder.\n"
        ));
    };
    println!("xtask: {NAME}");
    let weights = bench.weights("n", CLASSES)?;
    let step = Case {
        imgsz: IMGSZ,
        batch: BATCH,
        task: Task::Train { freeze: FREEZE },
        ..CPU[0]
    };
    let mut text = format!(
        "\nAn epoch over BCCD's {PICTURES} pictures, n, {IMGSZ} px, batch {BATCH}, freeze {FREEZE}, once every view was seen. Ours is \
         `frostline train` with all it does but validate and save; PyTorch's is {PICTURES}/{BATCH} of its median step on pictures \
         that lie in memory.\n\n| | Frostline s | PyTorch s | ratio |\n|---|---:|---:|---:|\n"
    );
    for (name, flags, bar) in RUNS {
        let mut rounds = Vec::new();
        // Each round is many epochs long already.
        for _ in 0..bench.options.rounds().div_ceil(2) {
            let ours = train(bench, Path::new(&fixtures), flags)?;
            let theirs = Figures::of(&mut bench.pytorch(step, &weights, STEPS))?;
            rounds.push((ours, theirs.step_ms / 1e3 * PICTURES as f64 / BATCH as f64));
        }
        let ratio = median(rounds.iter().map(|(ours, theirs)| ours / theirs));
        text += &format!(
            "| {name} | {:.2} | {:.2} | {} |\n",
            median(rounds.iter().map(|round| round.0)),
            median(rounds.iter().map(|round| round.1)),
            against(ratio, *bar, 2)
        );
    }
    Ok(text)
}

/// Seconds of an epoch after the first ones.
fn train(bench: &Bench, fixtures: &Path, flags: &[&str]) -> Result<f64> {
    let [short, long] = EPOCHS;
    let short_seconds = run_seconds(bench, fixtures, flags, short)?;
    let long_seconds = run_seconds(bench, fixtures, flags, long)?;
    Ok((long_seconds - short_seconds) / (long - short) as f64)
}

fn run_seconds(bench: &Bench, fixtures: &Path, flags: &[&str], epochs: usize) -> Result<f64> {
    let mut command = Command::new(&bench.program);
    command
        .env("RAYON_NUM_THREADS", THREADS)
        .args([
            "train", "--cfg", "yolov5n", "--device", "cpu", "--cache", "ram",
        ])
        .args([
            "--noval",
            "--nosave",
            "--noplots",
            "--noforecast",
            "--noautoanchor",
            "--exist-ok",
        ])
        .args([
            "--imgsz",
            &IMGSZ.to_string(),
            "--batch-size",
            &BATCH.to_string(),
        ])
        .args([
            "--freeze",
            &FREEZE.to_string(),
            "--epochs",
            &epochs.to_string(),
        ])
        .args(flags)
        .arg("--weights")
        .arg(fixtures.join("weights/yolov5n.pt"))
        .arg("--data")
        .arg(fixtures.join("bccd/bccd.yaml"))
        .arg("--project")
        .arg(bench.work.join("runs"))
        .stdin(Stdio::null());
    let started = Instant::now();
    let output = command.output().with_context(|| format!("{command:?}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{command:?} failed ({}): {said}", output.status);
    }
    Ok(started.elapsed().as_secs_f64())
}
