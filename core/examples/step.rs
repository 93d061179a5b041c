//! Where a training step's time and memory go.
//!
//! `cargo run --release --package frostline --example step -- n 320 4 10` trains YOLOv5n on pictures of 320 px,
//! 4 a batch, modules 0–9 frozen.

use std::time::{Duration, Instant};

use burn::tensor::Device;
use frostline::data::{Batch, Label, Placement};
use frostline::freeze::FreezePlan;
use frostline::loss::DetectionLoss;
use frostline::model::{Architecture, Features, Mode, Size, Yolov5};
use frostline::train::session::image_tensor;
use frostline::train::{FreezeNorms, Hyp, OptimizerKind, Session, SessionConfig};

fn status(key: &str) -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(key));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

fn median(times: &mut [Duration]) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e3
}

fn main() {
    // As the program does: this thread is one of those that compute.
    let _ = rayon::ThreadPoolBuilder::new()
        .use_current_thread()
        .build_global();
    let idle = status("VmRSS") - status("RssFile");
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize, default| {
        arguments
            .get(i)
            .map_or(default, |a| a.parse().expect("a number"))
    };
    let size: Size = arguments
        .first()
        .map_or("n", String::as_str)
        .parse()
        .expect("n, s, m, l or x");
    let (side, pictures, freeze, classes, steps) = (
        number(1, 320),
        number(2, 4),
        number(3, 0),
        number(4, 80),
        number(5, 15),
    );
    let device = Device::flex();
    let architecture = Architecture::yolov5(size, classes);
    let spec = freeze.to_string().parse().expect("a spec");
    let plan = FreezePlan::resolve(&spec, &architecture).expect("a plan");
    let prefix = plan.stages[0].cut.prefix;
    let detect = architecture.modules.len() - 1;
    let config = SessionConfig {
        hyp: Hyp::default(),
        epochs: 10,
        batches: 1000,
        batch: pictures,
        nominal: pictures,
        imgsz: side,
        optimizer: OptimizerKind::Sgd,
        cosine: false,
        freeze_norms: FreezeNorms::Fixed,
        reference_schedule: false,
    };
    let loss = DetectionLoss::new(&architecture, &config.hyp, side);
    let mut session = Session::new(Yolov5::new(architecture, 0, &device), plan, config, &device);
    let placement = Placement {
        path: "picture".into(),
        original: [side, side],
        ratio: [1.0, 1.0],
        pad: [0.0, 0.0],
    };
    let batch = Batch {
        pixels: (0..pictures * 3 * side * side)
            .map(|i| (i * 7919 % 251) as u8)
            .collect(),
        shape: [pictures, 3, side, side],
        targets: (0..pictures * 8)
            .map(|i| {
                let k = (i % 8) as f32;
                let label = Label {
                    class: i % classes,
                    cxcywh: [
                        0.1 + 0.1 * k,
                        0.9 - 0.1 * k,
                        0.05 + 0.04 * k,
                        0.4 - 0.04 * k,
                    ],
                };
                (i / 8, label)
            })
            .collect(),
        placements: vec![placement; pictures],
    };
    if arguments.get(6).map(String::as_str) != Some("parts") {
        let (mut times, mut total) = (Vec::new(), Vec::new());
        for _ in 0..steps {
            let start = Instant::now();
            let report = session.step(&batch);
            total = report
                .total
                .into_data()
                .try_to_vec::<f32>()
                .expect("a loss");
            times.push(start.elapsed());
        }
        let first = times[0].as_secs_f64() * 1e3;
        println!(
            "{side} px b{pictures} freeze {freeze} nc {classes}: {:.2} ms a step (first {first:.1}, best {:.2}), memory +{:.1} MiB, loss {total:?}",
            median(&mut times),
            times[0].as_secs_f64() * 1e3,
            status("VmHWM") - status("RssFile") - idle,
        );
        return;
    }
    let mut parts: [Vec<Duration>; 7] = Default::default();
    for _ in 0..steps {
        let mut clock = Instant::now();
        let mut tick = |part: usize| {
            parts[part].push(clock.elapsed());
            clock = Instant::now();
        };
        let image = image_tensor(&batch, &device);
        tick(0);
        let features = session
            .model
            .run(0..prefix, Features::image(image), Mode::Train);
        tick(1);
        let features = session.model.run(prefix..detect, features, Mode::Train);
        tick(2);
        let inputs = session.model.detect_inputs(&features);
        drop(features);
        let output = loss.of_features(session.model.detect(), inputs, &batch.targets);
        tick(3);
        let gradients = output.total.backward();
        tick(4);
        drop(gradients);
        tick(5);
        session.step(&batch);
        tick(6);
    }
    let medians = parts.map(|mut times| median(&mut times));
    for (name, time) in [
        "image",
        "prefix",
        "forward",
        "detect+loss",
        "backward",
        "free",
        "whole step",
    ]
    .iter()
    .zip(medians)
    {
        println!("{name:>12} {time:8.2} ms");
    }
    println!(
        "{:>12} {:8.2} ms",
        "update",
        medians[6] - medians[..5].iter().sum::<f64>()
    );
}
