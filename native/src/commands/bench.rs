//! `bench`: how long a training step or inference takes on a device, and how much memory.

use std::io::Write;
use std::time::Instant;

use anyhow::{Result, anyhow};
use burn::tensor::{Device, TensorData, read_sync};
use frostline::Error;
use frostline::data::{Batch, Label, Placement};
use frostline::freeze::cache::RamStore;
use frostline::freeze::{FeatureCache, FeaturePrecision, FreezePlan};
use frostline::model::{Size, Yolov5};
use frostline::train::session::image_tensor;
use frostline::train::{Hyp, Rates, Session, SessionConfig};
use frostline::weights::{Checkpoint, transfer};
use serde::Serialize;

use crate::args::{ArchitectureSource, BenchCase, BenchSettings};
use crate::memory::PeakGrowth;
use crate::progress::say;
use crate::training::start::{architecture, architecture_of};

/// Constant rates: every step does the same work.
const RATES: Rates = Rates {
    bias: 0.01,
    weight: 0.01,
    norm: 0.01,
    momentum: 0.937,
    accumulate: 1,
};
const TARGETS_PER_PICTURE: usize = 8;
const SEED: u64 = 0;

/// One step or one forward pass. Reads its result, the loss or all rows, so that the device has finished.
type Step = Box<dyn FnMut() -> Result<TensorData>>;

/// What was measured.
#[derive(Debug, Serialize)]
struct Report {
    program: String,
    device: String,
    task: &'static str,
    architecture: String,
    classes: usize,
    imgsz: usize,
    batch_size: usize,
    /// What is frozen, for people.
    freeze: Option<String>,
    warmup: usize,
    steps: usize,
    step_ms: Spread,
    pictures_per_s: f64,
    /// Growth of the process's peak memory over the idle program; nothing where the system does not
    /// tell.
    memory_growth_mib: Option<f64>,
    /// Loss of the first step, or mean of the decoded rows: equal in programs that do the same.
    check: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

impl Spread {
    /// Of at least one time.
    fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        let middle = times.len() / 2;
        let median = if times.len().is_multiple_of(2) {
            f64::midpoint(times[middle - 1], times[middle])
        } else {
            times[middle]
        };
        Self {
            median,
            min: times[0],
            max: times[times.len() - 1],
        }
    }
}

/// Measures and prints.
///
/// # Errors
/// Weights that cannot be read, a freeze that does not fit the architecture, a device that fails,
/// or an output that cannot be written.
pub fn run(settings: &BenchSettings, out: &mut impl Write) -> Result<()> {
    crate::interrupt::install()?;
    let chosen = frostline::device::choose(settings.device)?;
    let device = chosen.info.device;
    // A GPU's driver is part of the idle program.
    device.sync()?;
    let memory = PeakGrowth::start();

    let (name, model) = network(settings, &device)?;
    let classes = model.architecture().nc;
    let batch = plausible_batch(settings.batch_size, settings.imgsz, classes);
    let (task, freeze, mut step) = prepare(settings, model, batch, &device)?;

    let check = mean(&step()?)?;
    for _ in 1..settings.warmup {
        crate::interrupt::check()?;
        step()?;
    }
    let mut times = Vec::with_capacity(settings.steps);
    for _ in 0..settings.steps {
        crate::interrupt::check()?;
        let started = Instant::now();
        step()?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    let step_ms = Spread::of(times);
    let report = Report {
        program: format!("frostline {}", env!("CARGO_PKG_VERSION")),
        device: format!("{} ({})", chosen.info.id, chosen.info.name),
        task,
        architecture: name,
        classes,
        imgsz: settings.imgsz,
        batch_size: settings.batch_size,
        freeze,
        warmup: settings.warmup,
        steps: settings.steps,
        step_ms,
        pictures_per_s: settings.batch_size as f64 * 1e3 / step_ms.median,
        memory_growth_mib: memory.mib(),
        check,
    };
    if settings.json {
        serde_json::to_writer(&mut *out, &report).map_err(std::io::Error::from)?;
        writeln!(out)?;
    } else {
        print(&report, out)?;
    }
    Ok(())
}

fn print(report: &Report, out: &mut impl Write) -> std::io::Result<()> {
    let Spread { median, min, max } = report.step_ms;
    let freeze = report
        .freeze
        .as_ref()
        .map_or_else(String::new, |freeze| format!(", {freeze}"));
    writeln!(
        out,
        "{} of {}, {} px, batch {}{freeze}, on {}",
        match report.task {
            "train" => "training step",
            "train cached" => "training step on kept features",
            _ => "inference",
        },
        report.architecture,
        report.imgsz,
        report.batch_size,
        report.device
    )?;
    writeln!(
        out,
        "  median of {} steps {median:.1} ms ({min:.1} to {max:.1}), {:.1} pictures/s",
        report.steps, report.pictures_per_s
    )?;
    match report.memory_growth_mib {
        Some(mib) => writeln!(out, "  peak memory {mib:.0} MiB above the idle program"),
        None => writeln!(out, "  peak memory is not known on this system"),
    }
}

/// What is measured: its name, what is frozen, and a step of it.
fn prepare(
    settings: &BenchSettings,
    model: Yolov5,
    batch: Batch,
    device: &Device,
) -> Result<(&'static str, Option<String>, Step)> {
    let spec = match &settings.case {
        BenchCase::Train(spec) | BenchCase::TrainCached(spec) => spec,
        BenchCase::Infer => {
            let (mut model, device) = (model.fold(), device.clone());
            let step = move || {
                let image = image_tensor(&batch, &device);
                Ok(model.predict(image).try_into_data()?)
            };
            return Ok(("infer", None, Box::new(step)));
        }
    };
    let plan = FreezePlan::resolve(spec, model.architecture())?;
    let freeze = Some(plan.stages[0].human());
    if matches!(settings.case, BenchCase::Train(_)) {
        let mut session = Session::new(model, plan, config(settings), device);
        let step = move || Ok(session.step_with(&batch, RATES).total.try_into_data()?);
        return Ok(("train", freeze, Box::new(step)));
    }
    let cut = &plan.stages[0].cut;
    if cut.prefix == 0 {
        return Err(Error::input(
            "--cache-features",
            "a plan that freezes no leading module",
            "one that does",
            "Try --freeze 10",
        )
        .into());
    }
    let maps = cut.maps(model.architecture(), settings.imgsz, settings.imgsz)?;
    let pictures: Vec<usize> = (0..settings.batch_size).collect();
    // One batch fits, or nothing does.
    let store = Box::new(RamStore::new(u64::MAX));
    let mut cache = FeatureCache::new(maps, FeaturePrecision::default(), pictures.len(), 1, store);
    let mut session = Session::new(model, plan, config(settings), device);
    let step = move || {
        let make = |_: &[usize]| Ok(batch.clone());
        let features = read_sync(session.cached_features(&mut cache, 0, &pictures, make))?;
        let report = session.step_features_with(&features, RATES);
        Ok(report.total.try_into_data()?)
    };
    Ok(("train cached", freeze, Box::new(step)))
}

/// The network to measure, and what it is called.
fn network(settings: &BenchSettings, device: &Device) -> Result<(String, Yolov5)> {
    let checkpoint = settings
        .weights
        .as_ref()
        .map(Checkpoint::read)
        .transpose()?;
    let nc = checkpoint
        .as_ref()
        .and_then(|checkpoint| {
            let named = checkpoint.names.as_ref().map(Vec::len);
            checkpoint.architecture.as_ref().map(|it| it.nc).or(named)
        })
        .unwrap_or(settings.nc);
    let (name, architecture) = match (&settings.cfg, &checkpoint, &settings.weights) {
        (None, Some(checkpoint), Some(path)) => (
            path.display().to_string(),
            architecture_of(checkpoint, path, nc)?,
        ),
        (cfg, ..) => {
            let smallest = ArchitectureSource::Builtin(Size::N);
            let cfg = cfg.as_ref().unwrap_or(&smallest);
            (cfg.to_string(), architecture(cfg, nc)?)
        }
    };
    let mut model = Yolov5::new(architecture, SEED, device);
    if let Some(checkpoint) = &checkpoint {
        let into: Vec<(String, Vec<usize>)> = model
            .architecture()
            .state()
            .into_iter()
            .map(|item| (item.name, item.shape))
            .collect();
        let transfer = transfer(&checkpoint.tensors, &into, &[]);
        say(&transfer.to_string());
        for line in transfer.explanation() {
            say(&format!("  {line}"));
        }
        model.load(&transfer.taken, device);
    }
    Ok((name, model))
}

/// A session that steps with every batch.
fn config(settings: &BenchSettings) -> SessionConfig {
    SessionConfig {
        hyp: Hyp::default(),
        epochs: 1,
        batches: settings.warmup + settings.steps,
        batch: settings.batch_size,
        nominal: settings.batch_size,
        imgsz: settings.imgsz,
        optimizer: settings.optimizer,
        cosine: false,
        freeze_norms: settings.freeze_bn,
        rate_factors: std::collections::BTreeMap::new(),
        reference_schedule: false,
    }
}

/// Numbers of 64 bits, the same in every program: splitmix64 (Steele et al. 2014) of a counter.
pub(crate) fn draw(stream: u64, count: usize) -> impl Iterator<Item = u64> {
    (1..=count as u64).map(move |counter| {
        let z = (counter + (stream << 40)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    })
}

/// Random pixels and eight boxes a picture, with sides from a twentieth to a half of it. The
/// PyTorch side (`tests/pytorch/training.py`) makes the same.
fn plausible_batch(batch_size: usize, imgsz: usize, classes: usize) -> Batch {
    let shape = [batch_size, 3, imgsz, imgsz];
    let pixels = draw(0, shape.iter().product()).map(|bits| (bits >> 56) as u8);
    let rows = batch_size * TARGETS_PER_PICTURE;
    let numbers: Vec<u64> = draw(1, rows * 5).collect();
    let targets = numbers
        .chunks_exact(5)
        .enumerate()
        .map(|(row, numbers)| {
            let share = |i: usize| (numbers[i] >> 40) as f64 / f64::from(1 << 24);
            let side = |i| 0.05 + 0.45 * share(i);
            let centre = |i, side: f64| side / 2.0 + (1.0 - side) * share(i);
            let (w, h) = (side(3), side(4));
            let (cx, cy) = (centre(1, w), centre(2, h));
            let label = Label {
                class: (numbers[0] % classes as u64) as usize,
                cxcywh: [cx, cy, w, h].map(|value| value as f32),
            };
            (row / TARGETS_PER_PICTURE, label)
        })
        .collect();
    let placement = Placement {
        path: "random".into(),
        original: [imgsz; 2],
        ratio: [1.0; 2],
        pad: [0.0; 2],
    };
    Batch {
        pixels: pixels.collect(),
        shape,
        targets,
        placements: vec![placement; batch_size],
    }
}

/// Mean of what a step gave.
fn mean(data: &TensorData) -> Result<f64> {
    let values = data
        .as_slice::<f32>()
        .map_err(|error| anyhow!("{error:?}"))?;
    Ok(values.iter().copied().map(f64::from).sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        let spread = Spread::of(vec![4.0, 1.0, 3.0, 2.0]);
        assert_eq!((spread.median, spread.min, spread.max), (2.5, 1.0, 4.0));
        assert_eq!(Spread::of(vec![3.0, 1.0, 2.0]).median, 2.0);
    }

    /// The first number of the generator's published sequence for seed 0.
    #[test]
    fn the_generator_is_splitmix64() {
        assert_eq!(draw(0, 2).next(), Some(0xE220_A839_7B1D_CDAF));
        assert_eq!(draw(0, 2).nth(1), Some(0x6E78_9E6A_A1B9_65F4));
    }

    #[test]
    fn boxes_lie_within_their_picture() {
        let batch = plausible_batch(3, 32, 7);
        assert_eq!(batch.pixels.len(), 3 * 3 * 32 * 32);
        assert_eq!(batch.targets.len(), 3 * TARGETS_PER_PICTURE);
        for (picture, label) in &batch.targets {
            let [cx, cy, w, h] = label.cxcywh;
            assert!(*picture < 3 && label.class < 7);
            assert!(
                cx - w / 2.0 >= -1e-6 && cx + w / 2.0 <= 1.0 + 1e-6,
                "{label:?}"
            );
            assert!(
                cy - h / 2.0 >= -1e-6 && cy + h / 2.0 <= 1.0 + 1e-6,
                "{label:?}"
            );
            assert!(
                (0.05..0.5).contains(&w) && (0.05..0.5).contains(&h),
                "{label:?}"
            );
        }
    }
}
