//! How long a training step will take and how much memory, foretold from probes.
//!
//! A probe is `frostline bench` on few pictures, in a process of its own: what it leaves behind does not
//! count as this process's memory, and one that runs out of memory takes nothing with it. Two probes of
//! different batches give what a picture costs and what a step costs without any; both are straight lines
//! once there are as many pictures as the frozen prefix takes at once.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, bail};
use frostline::Error;
use frostline::freeze::FreezePlan;
use frostline::model::Architecture;
use frostline::train::session::GROUP_PIXELS;
use frostline::train::{FreezeNorms, OptimizerKind};
use serde::{Deserialize, Serialize};

use crate::interrupt;

/// FLOPs of a probe's step beyond which fewer pictures must do: about half a second of two cores.
const MOST_FLOPS: u64 = 40_000_000_000;
/// Steps of a probe that count.
const STEPS: usize = 3;
/// Steps before them.
const WARMUP: usize = 1;
/// Steps before them on a GPU, which chooses its kernels meanwhile.
const GPU_WARMUP: usize = 4;

/// What is to be foretold.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    pub architecture: &'a Architecture,
    /// Its first stage counts.
    pub plan: &'a FreezePlan,
    pub freeze_norms: FreezeNorms,
    pub optimizer: OptimizerKind,
    pub imgsz: usize,
    pub batch_size: usize,
    /// `cpu`, `gpu:0`.
    pub device: &'a str,
    /// Whether features at the cut are kept.
    pub kept: bool,
}

/// What a training step will take on this device.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Forecast {
    /// Milliseconds of a step.
    pub step_ms: f64,
    /// Milliseconds of a step on features that are kept.
    pub kept_step_ms: Option<f64>,
    /// Growth of the process's memory by training in MiB; nothing where the system does not tell.
    pub memory_mib: Option<f64>,
    /// Seconds that the probes took.
    pub probes_s: f64,
    /// Figures by pictures per batch.
    #[serde(skip)]
    lines: Lines,
}

/// One or two points `[pictures, figure]` each.
#[derive(Debug, Clone, PartialEq)]
struct Lines {
    step: Vec<[f64; 2]>,
    kept: Option<Vec<[f64; 2]>>,
    memory: Option<Vec<[f64; 2]>>,
}

impl Forecast {
    fn of(lines: Lines, batch_size: usize, probes_s: f64) -> Self {
        let pictures = batch_size as f64;
        let value = |line: &Option<Vec<_>>| line.as_ref().map(|line| at(line, pictures));
        Self {
            step_ms: at(&lines.step, pictures),
            kept_step_ms: value(&lines.kept),
            memory_mib: value(&lines.memory),
            probes_s,
            lines,
        }
    }

    /// One of these figures, whatever the batch.
    #[cfg(test)]
    pub fn of_figures(step_ms: f64, kept_step_ms: Option<f64>, memory_mib: f64) -> Self {
        let line = |figure| vec![[1.0, figure]];
        let lines = Lines {
            step: line(step_ms),
            kept: kept_step_ms.map(line),
            memory: Some(line(memory_mib)),
        };
        Self::of(lines, 1, 1.0)
    }

    /// The forecast for another batch.
    pub fn with_batch(&self, batch_size: usize) -> Self {
        Self::of(self.lines.clone(), batch_size, self.probes_s)
    }
}

impl std::fmt::Display for Forecast {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.0} ms a step", self.step_ms)?;
        if let Some(kept) = self.kept_step_ms {
            write!(f, ", {kept:.1} ms once its features are kept")?;
        }
        match self.memory_mib {
            Some(mib) => write!(f, ", {mib:.0} MiB"),
            None => Ok(()),
        }
    }
}

/// What of `bench --json` is read here.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Probe {
    batch_size: usize,
    step_ms: Times,
    memory_growth_mib: Option<f64>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Times {
    median: f64,
}

/// Foretells a step of `subject`.
///
/// # Errors
/// When a probe cannot run, or the person interrupts.
pub fn foretell(subject: &Subject) -> anyhow::Result<Forecast> {
    let started = Instant::now();
    let file = written(subject.architecture)?;
    let stage = &subject.plan.stages[0];
    let side = subject.imgsz;
    let costs = stage.costs(subject.architecture, side, side, 1)?;
    let batches = probe_batches(subject.batch_size, side * side, costs.step());
    let steps = probes(subject, file.path(), &batches, false)?;
    let kept = match subject.kept && stage.cut.prefix > 0 {
        true => Some(probes(subject, file.path(), &batches, true)?),
        false => None,
    };
    let times = |probes: &[Probe]| {
        let probes = probes.iter();
        probes
            .map(|probe| [probe.batch_size as f64, probe.step_ms.median])
            .collect()
    };
    let memory = steps
        .iter()
        .map(|probe| Some([probe.batch_size as f64, probe.memory_growth_mib?]));
    let lines = Lines {
        step: times(&steps),
        kept: kept.as_deref().map(times),
        memory: memory.collect(),
    };
    Ok(Forecast::of(
        lines,
        subject.batch_size,
        started.elapsed().as_secs_f64(),
    ))
}

/// Whether a step of `subject` runs, in a process of its own.
///
/// # Errors
/// When no probe can be started, or the person interrupts.
pub fn runs(subject: &Subject) -> anyhow::Result<bool> {
    let file = written(subject.architecture)?;
    match probes(subject, file.path(), &[subject.batch_size], false) {
        Ok(_) => Ok(true),
        Err(error) if error.is::<interrupt::Interrupted>() => Err(error),
        Err(_) => Ok(false),
    }
}

/// An architecture in a file, for probes.
fn written(architecture: &Architecture) -> anyhow::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::Builder::new()
        .prefix("frostline-")
        .suffix(".yaml")
        .tempfile()
        .context("a temporary file for the architecture")?;
    // Every json is yaml.
    file.write_all(architecture.to_value().to_string().as_bytes())?;
    Ok(file)
}

/// Pictures of the probes: as many as the prefix takes at once, and up to four times as many; fewer where a
/// step is long; the batch itself and a quarter of it where it is not larger.
fn probe_batches(batch: usize, pixels: usize, flops: u64) -> Vec<usize> {
    let group = (GROUP_PIXELS / pixels.max(1)).max(1);
    let affordable = usize::try_from(MOST_FLOPS / flops.max(1)).unwrap_or(usize::MAX);
    let first = group.min(affordable).max(1);
    // Far apart, they forgive each other's noise.
    let second = (4 * first).min(affordable.max(2 * first));
    match batch {
        0..4 if batch <= second => vec![batch],
        // One that is measured, and one that says what fewer pictures would take.
        4.. if batch <= second => vec![batch / 4, batch],
        _ => vec![first, second],
    }
}
/// The value at `x` of the line through one or two points; through one, it is flat.
fn at(points: &[[f64; 2]], x: f64) -> f64 {
    match points {
        [[x0, y0], [x1, y1]] => y0 + (y1 - y0) / (x1 - x0) * (x - x0),
        [[_, y], ..] => *y,
        [] => 0.0,
    }
}

fn probes(
    subject: &Subject,
    cfg: &std::path::Path,
    batches: &[usize],
    kept: bool,
) -> anyhow::Result<Vec<Probe>> {
    let program = std::env::current_exe().context("the path of this program")?;
    let freeze = subject.plan.spec.to_string();
    let warmup = if subject.device == "cpu" {
        WARMUP
    } else {
        GPU_WARMUP
    };
    let probe = |&batch: &usize| {
        let mut command = Command::new(&program);
        command.args(["bench", "--json", "--cfg"]).arg(cfg);
        let numbers = [
            ("--nc", subject.architecture.nc),
            ("--imgsz", subject.imgsz),
            ("--batch-size", batch),
            ("--steps", STEPS),
            ("--warmup", warmup),
        ];
        for (flag, number) in numbers {
            command.arg(flag).arg(number.to_string());
        }
        command.args(["--device", subject.device]);
        command.args(["--optimizer", &subject.optimizer.to_string()]);
        if subject.freeze_norms == FreezeNorms::Drift {
            command.args(["--freeze-bn", "drift"]);
        }
        if subject.plan.stages[0].counts.frozen_tensors > 0 {
            command.args(["--freeze", &freeze]);
            if kept {
                command.arg("--cache-features");
            }
        }
        let output = command.stdin(Stdio::null()).output().context("a probe")?;
        interrupt::check()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!(
                "a probe of {batch} pictures ended with {}: {}",
                output.status,
                said.trim().lines().last().unwrap_or_default()
            );
        }
        Ok(serde_json::from_slice(&output.stdout).map_err(|error| {
            Error::input(
                "frostline bench --json",
                error,
                "the figures of a probe",
                "This is a defect of this program: please report it",
            )
        })?)
    };
    batches.iter().map(probe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_probes_make_a_line_and_one_is_the_answer() {
        assert_eq!(at(&[[2.0, 81.0], [4.0, 133.0]], 16.0), 445.0);
        assert_eq!(at(&[[3.0, 7.0]], 3.0), 7.0);
    }

    #[test]
    fn probes_are_of_what_the_prefix_takes_at_once() {
        let side = 320 * 320;
        assert_eq!(probe_batches(16, side, 3_400_000_000), [2, 8]);
        assert_eq!(probe_batches(16, side, 9_000_000_000), [2, 4]);
        assert_eq!(probe_batches(4, side, 3_400_000_000), [1, 4]);
        assert_eq!(probe_batches(1, side, 3_400_000_000), [1]);
        // One picture must do where a step is long.
        assert_eq!(probe_batches(16, side, 150_000_000_000), [1, 2]);
    }
}
