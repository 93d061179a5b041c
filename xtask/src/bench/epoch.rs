//! An epoch over real pictures: our program's own run, loading included, beside the steps alone in PyTorch.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::cases::{CPU, Case, Task};
use super::figures::{Figures, against, median};
use super::{Bench, THREADS};

/// What `--only` may ask for.
pub const NAME: &str = "epoch over BCCD";

/// Names the folder with `yolov5n.pt` and `bccd/bccd.yaml`.
const FIXTURES: &str = "FROSTLINE_FIXTURES";
/// Pictures of BCCD's training set.
const PICTURES: usize = 205;
const BATCH: usize = 16;
const IMGSZ: usize = 320;
const FREEZE: usize = 24;
/// The first epoch fills caches and does not count.
const EPOCHS: usize = 4;
/// Steps of PyTorch's that stand for an epoch.
const STEPS: usize = 5;
/// How our program's run differs from the plain one.
const RUNS: &[(&str, &[&str], Option<f64>)] = &[("without cached features", &[], None)];

/// The paragraph and table, or why there is none.
pub fn measure(bench: &Bench) -> Result<String> {
    let Some(fixtures) = std::env::var_os(FIXTURES) else {
        return Ok(format!(
            "\nThe {NAME} was not run: {FIXTURES} does not name its folder.\n"
        ));
    };
    println!("xtask: {NAME}");
    let weights = bench.weights("n")?;
    let step = Case {
        imgsz: IMGSZ,
        batch: BATCH,
        task: Task::Train { freeze: FREEZE },
        ..CPU[0]
    };
    let mut text = format!(
        "\nAn epoch over BCCD's {PICTURES} pictures, n, {IMGSZ} px, batch {BATCH}, freeze {FREEZE}, from the second epoch on. Ours is \
         `frostline train` with all it does but validate and save; PyTorch's is {PICTURES}/{BATCH} of its median step on pictures \
         that lie in memory.\n\n| | Frostline s | PyTorch s | ratio |\n|---|---:|---:|---:|\n"
    );
    for (name, flags, bar) in RUNS {
        let mut rounds = Vec::new();
        for _ in 0..bench.options.rounds() {
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

/// Median seconds of an epoch after the first.
fn train(bench: &Bench, fixtures: &Path, flags: &[&str]) -> Result<f64> {
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
            &EPOCHS.to_string(),
        ])
        .args(flags)
        .arg("--weights")
        .arg(fixtures.join("yolov5n.pt"))
        .arg("--data")
        .arg(fixtures.join("bccd/bccd.yaml"))
        .arg("--project")
        .arg(bench.work.join("runs"))
        .stdin(Stdio::null());
    let output = command.output().with_context(|| format!("{command:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("{command:?} failed ({}): {said}", output.status);
    }
    let seconds = epoch_seconds(&said);
    if seconds.len() != EPOCHS {
        bail!(
            "{command:?}: found the times of {} epochs, expected {EPOCHS}: {said}",
            seconds.len()
        );
    }
    Ok(median(seconds[1..].iter().copied()))
}

/// Times in lines such as `epoch 2/4 13/13 3.2s  box 0.08`, where all batches are done.
fn epoch_seconds(said: &str) -> Vec<f64> {
    let ended = |line: &str| {
        let mut words = line.strip_prefix("epoch ")?.split_whitespace().skip(1);
        let (done, total) = words.next()?.split_once('/')?;
        let seconds = words.next()?.strip_suffix('s')?.parse().ok()?;
        (done == total).then_some(seconds)
    };
    said.lines().filter_map(ended).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_finished_epochs_have_a_time() {
        let said = "device: cpu\nepoch 1/2 4/13 10.0s\nepoch 1/2 13/13 31.5s  box 0.1\nepoch 2/2 13/13 0.9s\n";
        assert_eq!(epoch_seconds(said), [31.5, 0.9]);
    }
}
