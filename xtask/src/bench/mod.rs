//! `cargo xtask bench`: Frostline and PyTorch side by side on the same cases, in turn, in processes of
//! their own, so that whatever else the machine does strikes both.

mod cases;
mod document;
mod epoch;
mod figures;
mod kernels;
mod machine;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::python::PYTORCH;
use crate::{cargo, root, step};
use cases::{Case, Task};
use document::Section;
use figures::{Figures, Measured};

pub const HELP: &str = "\
cargo xtask bench   Frostline beside PyTorch; writes docs/benchmarks.md. Options:
    --quick         fewer steps and rounds
    --device gpu    PyTorch on CUDA beside Frostline on wgpu
    --kernels       the model's own operations beside Burn's
    --only TEXT     only cases whose name contains it; writes nothing";

/// Threads of either program on the CPU.
const THREADS: &str = "2";
/// As COCO has them.
const CLASSES: usize = 80;
const ROUNDS: usize = 3;
const QUICK_ROUNDS: usize = 2;
/// Steps before those that count. On a GPU the first ones also choose kernels.
const WARMUP: usize = 3;
const GPU_WARMUP: usize = 10;
/// The first loss, or the mean of all boxes, after some 60 convolutions in single precision, summed in
/// another order.
const SAME: f64 = 1e-3;

/// How a person wants it measured.
#[derive(Debug, Default)]
struct Options {
    gpu: bool,
    quick: bool,
    kernels: bool,
    only: Option<String>,
}

impl Options {
    fn parse(mut args: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self::default();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--quick" => options.quick = true,
                "--kernels" => options.kernels = true,
                "--device" => match args.next().as_deref() {
                    Some("gpu") => options.gpu = true,
                    Some("cpu") => options.gpu = false,
                    other => bail!("--device {}: expected cpu or gpu", other.unwrap_or("")),
                },
                "--only" => options.only = Some(args.next().context("--only: expected a text")?),
                _ => bail!("{arg}: unknown to bench\n{HELP}"),
            }
        }
        Ok(options)
    }

    fn command(&self) -> String {
        let mut command = String::from("cargo xtask bench");
        for (given, flag) in [
            (self.quick, " --quick"),
            (self.gpu, " --device gpu"),
            (self.kernels, " --kernels"),
        ] {
            command += if given { flag } else { "" };
        }
        command
    }

    fn rounds(&self) -> usize {
        if self.quick { QUICK_ROUNDS } else { ROUNDS }
    }

    fn warmup(&self) -> usize {
        if self.gpu { GPU_WARMUP } else { WARMUP }
    }

    fn wants(&self, name: &str) -> bool {
        self.only
            .as_ref()
            .is_none_or(|text| name.contains(text.as_str()))
    }

    fn cases(&self) -> Vec<Case> {
        let cases = if self.gpu { cases::GPU } else { cases::CPU };
        cases
            .iter()
            .filter(|case| self.wants(&case.name()))
            .copied()
            .collect()
    }
}

/// Runs what the arguments say.
///
/// # Errors
/// When something cannot be built or run, or the two programs do not compute the same.
pub fn run(args: impl Iterator<Item = String>) -> Result<()> {
    let options = Options::parse(args)?;
    if options.kernels {
        let table = kernels::measure()?;
        return publish(
            &options,
            Section::Kernels,
            &machine::head(&options.command(), None),
            &table,
        );
    }
    step(
        "the program",
        cargo().args([
            "build",
            "--release",
            "--locked",
            "--package",
            "frostline-cli",
            "--package",
            "frostline",
        ]),
    )?;
    let bench = Bench {
        program: root()
            .join("target/release")
            .join(format!("frostline{}", std::env::consts::EXE_SUFFIX)),
        python: PYTORCH.interpreter()?,
        work: root().join("target/bench"),
        options,
    };
    std::fs::create_dir_all(&bench.work).with_context(|| bench.work.display().to_string())?;
    if bench.options.gpu
        && let Some(lacking) = bench.lacks_a_gpu()?
    {
        let said = format!("Not run: {lacking}.");
        println!("xtask: {said}");
        return publish(
            &bench.options,
            Section::Gpu,
            &machine::head(&bench.options.command(), None),
            &said,
        );
    }
    bench.check()?;
    let mut table = bench.measure()?;
    if !bench.options.gpu && bench.options.wants(epoch::NAME) {
        table += &epoch::measure(&bench)?;
    }
    let torch = bench.torch()?;
    let section = if bench.options.gpu {
        Section::Gpu
    } else {
        Section::Cpu
    };
    publish(
        &bench.options,
        section,
        &machine::head(&bench.options.command(), Some(&torch)),
        &table,
    )
}

fn publish(options: &Options, section: Section, head: &str, table: &str) -> Result<()> {
    println!("\n{head}\n\n{table}");
    if options.only.is_none() {
        let path = document::write(section, &format!("{head}\n\n{table}"))?;
        println!("xtask: written to {}", path.display());
    }
    Ok(())
}

/// The two programs, ready to run.
#[derive(Debug)]
struct Bench {
    program: PathBuf,
    python: PathBuf,
    /// Where weights and runs lie.
    work: PathBuf,
    options: Options,
}

/// A way to run PyTorch: its title and its flags.
type Variant = (&'static str, &'static [&'static str]);

impl Bench {
    /// The first is what ours is compared with.
    fn variants(&self) -> [Variant; 2] {
        if self.options.gpu {
            [
                ("PyTorch fp32", &["--device", "cuda"]),
                ("PyTorch tf32", &["--device", "cuda", "--tf32"]),
            ]
        } else {
            [
                ("PyTorch", &[]),
                ("PyTorch channels last", &["--channels-last"]),
            ]
        }
    }

    /// PyTorch's numbers against the golden ones, with weights that our program wrote.
    fn check(&self) -> Result<()> {
        let golden = root().join("tests/golden/model/yolov5n_nc3_pickled_half.pt");
        step(
            "the golden weights for PyTorch",
            Command::new(&self.program)
                .args(["export", "--include", "safetensors", "--weights"])
                .arg(golden)
                .arg("--output")
                .arg(&self.work),
        )?;
        let weights = (self.work).join("yolov5n_nc3_pickled_half-fp32.safetensors");
        step(
            "PyTorch against the golden numbers",
            PYTORCH.script(&self.python, "check.py").arg(weights),
        )
    }

    fn ours(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(["bench", "--json"])
            .env("RAYON_NUM_THREADS", THREADS);
        command
    }

    /// Seeded weights that both programs run with.
    fn weights(&self, size: &str, classes: usize) -> Result<PathBuf> {
        let path = self
            .work
            .join(format!("yolov5{size}-{classes}.safetensors"));
        step(
            &format!("weights of yolov5{size} with {classes} classes"),
            PYTORCH
                .script(&self.python, "weights.py")
                .args(["--size", size, "--nc", &classes.to_string(), "--out"])
                .arg(&path),
        )?;
        Ok(path)
    }

    fn measure(&self) -> Result<String> {
        let mut measured = Vec::new();
        let mut weights: Option<(&str, PathBuf)> = None;
        for case in self.options.cases() {
            if weights.as_ref().is_none_or(|(size, _)| *size != case.size) {
                weights = Some((case.size, self.weights(case.size, CLASSES)?));
            }
            let path = weights
                .as_ref()
                .map(|(_, path)| path.as_path())
                .unwrap_or(&self.work);
            measured.push(self.measure_case(case, path)?);
        }
        let titles = self.variants().map(|(title, _)| title);
        Ok(figures::table(&measured, titles, self.options.gpu))
    }

    /// Runs the programs in turn.
    fn measure_case(&self, case: Case, weights: &Path) -> Result<Measured> {
        let steps = if self.options.quick {
            case.steps.div_ceil(3)
        } else {
            case.steps
        };
        let mut measured = Measured::new(case);
        println!("xtask: {}", case.name());
        for _ in 0..self.options.rounds() {
            let ours = Figures::of(&mut self.ours_for(case, weights, steps))?;
            let theirs = self
                .variants()
                .map(|(_, flags)| Figures::of(self.pytorch(case, weights, steps).args(flags)));
            let [theirs, variant] = theirs;
            let (theirs, variant) = (theirs?, variant?);
            compare(case, &ours, &theirs)?;
            println!(
                "    {:8.1} ms ours, {:8.1} and {:8.1} ms PyTorch",
                ours.step_ms, theirs.step_ms, variant.step_ms
            );
            measured.rounds.push([ours, theirs, variant]);
        }
        Ok(measured)
    }

    fn ours_for(&self, case: Case, weights: &Path, steps: usize) -> Command {
        let mut command = self.ours();
        command
            .args([
                "--cfg",
                &format!("yolov5{}", case.size),
                "--imgsz",
                &case.imgsz.to_string(),
            ])
            .args([
                "--batch-size",
                &case.batch.to_string(),
                "--steps",
                &steps.to_string(),
            ])
            .args(["--warmup", &self.options.warmup().to_string()])
            .args(["--device", if self.options.gpu { "gpu" } else { "cpu" }])
            .arg("--weights")
            .arg(weights);
        match case.task {
            Task::Train { freeze } => command.args(["--freeze", &freeze.to_string()]),
            Task::TrainCached { freeze } => {
                command.args(["--freeze", &freeze.to_string(), "--cache-features"])
            }
            Task::Infer => command.arg("--infer"),
        };
        command
    }

    fn pytorch(&self, case: Case, weights: &Path, steps: usize) -> Command {
        let mut command = PYTORCH.script(&self.python, "bench.py");
        command
            .env("OMP_NUM_THREADS", THREADS)
            .args(["--size", case.size, "--imgsz", &case.imgsz.to_string()])
            .args([
                "--batch",
                &case.batch.to_string(),
                "--steps",
                &steps.to_string(),
            ])
            .args([
                "--warmup",
                &self.options.warmup().to_string(),
                "--threads",
                THREADS,
            ])
            .arg("--weights")
            .arg(weights);
        match case.task {
            Task::Train { freeze } | Task::TrainCached { freeze } => {
                command.args(["--freeze", &freeze.to_string()])
            }
            Task::Infer => command.args(["--mode", "infer"]),
        };
        command
    }

    /// What is missing for a comparison on a GPU, if anything.
    fn lacks_a_gpu(&self) -> Result<Option<String>> {
        let output = Command::new(&self.program)
            .args(["devices", "--json"])
            .output()?;
        let listed: Value = serde_json::from_slice(&output.stdout).context("frostline devices")?;
        let real =
            |device: &Value| !matches!(device["kind"].as_str(), Some("cpu" | "software_gpu"));
        if !listed["devices"]
            .as_array()
            .is_some_and(|devices| devices.iter().any(real))
        {
            return Ok(Some("`frostline devices` lists no real GPU".to_owned()));
        }
        let cuda = Command::new(&self.python)
            .args([
                "-c",
                "import sys, torch; sys.exit(not torch.cuda.is_available())",
            ])
            .status()?;
        Ok((!cuda.success()).then(|| "PyTorch finds no CUDA device".to_owned()))
    }

    /// PyTorch's version.
    fn torch(&self) -> Result<String> {
        let output = Command::new(&self.python)
            .args(["-c", "import torch; print(torch.__version__)"])
            .output()?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

/// Both must have computed the same where their rules are the same: frozen BatchNorms are fixed here
/// and drift in the reference.
fn compare(case: Case, ours: &Figures, theirs: &Figures) -> Result<()> {
    if !matches!(case.task, Task::Train { freeze: 0 } | Task::Infer) {
        return Ok(());
    }
    let difference = (ours.check - theirs.check).abs() / theirs.check.abs();
    if difference > SAME {
        bail!(
            "{}: found {} here and {} in PyTorch, expected the same",
            case.name(),
            ours.check,
            theirs.check
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Options> {
        Options::parse(args.iter().map(|&arg| arg.to_owned()))
    }

    #[test]
    fn options_give_the_command_that_made_the_figures() {
        let options = parse(&["--device", "gpu", "--quick"]).unwrap();
        assert_eq!(options.command(), "cargo xtask bench --quick --device gpu");
        assert_eq!(options.cases().len(), cases::GPU.len());
        let options = parse(&["--only", "freeze 24"]).unwrap();
        assert!(
            options
                .cases()
                .iter()
                .all(|case| case.name().contains("freeze 24"))
        );
        assert!(!options.cases().is_empty());
        assert!(parse(&["--fast"]).is_err() && parse(&["--device", "tpu"]).is_err());
    }
}
