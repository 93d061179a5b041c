//! Exported files: ONNX as onnxruntime computes it, beside what the library computes; safetensors as they are read again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use burn::tensor::{Device, Tensor, TensorData, read_sync};
use frostline::eval::{NmsOptions, nms};
use frostline::model::architecture::ParameterKind;
use frostline::model::{Architecture, Folded, Size, Visitor, Yolov5};
use frostline::train::start::trained;
use frostline::weights::{Checkpoint, Precision};
use frostline_tests::fixture;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{borrowed, run, training, training_from, weights, world};

/// What rounding in another order moves a box by, in pixels, and a score.
const SINGLE: (f64, f64) = (1e-3, 1e-5);
/// Half precision has 11 bits: half a pixel at 1024, and as much again inside the network.
const HALF: (f64, f64) = (4.0, 0.01);

/// Names an interpreter with the packages of `tests/python/requirements.txt`; `cargo xtask test` makes one.
fn python() -> Option<PathBuf> {
    let python = std::env::var_os("FROSTLINE_PYTHON").map(PathBuf::from);
    let works = python.as_ref().is_some_and(|python| {
        let modules = ["-c", "import numpy, onnx, onnxruntime"];
        Command::new(python)
            .args(modules)
            .output()
            .is_ok_and(|output| output.status.success())
    });
    if works {
        return python;
    }
    eprintln!("SKIPPED: FROSTLINE_PYTHON names no interpreter with onnx and onnxruntime");
    None
}

/// Numbers that look random, in `0..1`: the same for the same seed.
fn noise(seed: &str, count: usize) -> impl Iterator<Item = f32> + use<> {
    let start = seed.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    (0..count as u64).map(move |i| {
        let mut x = start.wrapping_add(i.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) >> 40) as f32 / (1 << 24) as f32
    })
}

/// Gives norms something to fold, and heads something to say.
struct Unsettle;

impl Unsettle {
    fn tensor<const D: usize>(name: &str, shape: [usize; D], low: f32, high: f32) -> Tensor<D> {
        let values = noise(name, shape.iter().product());
        let values: Vec<f32> = values.map(|value| low + (high - low) * value).collect();
        Tensor::from_data(TensorData::new(values, shape), &Device::flex())
    }
}

impl Visitor for Unsettle {
    fn parameter<const D: usize>(
        &mut self,
        name: &str,
        kind: ParameterKind,
        tensor: &mut Tensor<D>,
    ) {
        let shape = tensor.dims();
        let (low, high) = match kind {
            ParameterKind::NormWeight => (0.5, 1.5),
            ParameterKind::Bias => (-0.5, 0.5),
            // Of Detect's convolutions, which no norm makes louder.
            ParameterKind::Weight if name.starts_with("model.24.") => {
                let bound = 2.0 / (shape[1] as f32).sqrt();
                (-bound, bound)
            }
            ParameterKind::Weight => return,
        };
        *tensor = Self::tensor(name, shape, low, high);
    }

    /// Variances so large that what rounding changes does not grow from layer to layer.
    fn statistic(&mut self, name: &str, tensor: &mut Tensor<1>) {
        let (low, high) = match name.ends_with("running_var") {
            true => (0.2, 0.6),
            false => (-0.1, 0.1),
        };
        *tensor = Self::tensor(name, tensor.dims(), low, high);
    }
}

/// Files for the script, and what it is to look at.
struct Cases {
    folder: TempDir,
    cases: Vec<Value>,
}

/// A network on the disk and in memory.
struct Network {
    path: PathBuf,
    model: Folded,
    names: Vec<String>,
}

impl Network {
    fn read(path: &Path) -> Self {
        let checkpoint = Checkpoint::read(path).unwrap();
        let (model, names) = trained(&checkpoint, "weights", &Device::flex()).unwrap();
        Self {
            path: path.to_path_buf(),
            model: model.fold(),
            names,
        }
    }
}

impl Cases {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            cases: Vec::new(),
        }
    }

    /// A network with random weights and statistics.
    fn random(&self, size: Size, nc: usize) -> Network {
        let device = Device::flex();
        let mut model = Yolov5::new(Architecture::yolov5(size, nc), 1, &device);
        model.visit(&mut Unsettle);
        let checkpoint = Checkpoint {
            tensors: read_sync(model.state_dict()).unwrap(),
            names: Some(
                (0..nc)
                    .map(|class| format!("class \"{class}\" é"))
                    .collect(),
            ),
            architecture: Some(model.architecture().clone()),
            ..Checkpoint::default()
        };
        let path = self.folder.path().join(format!("{size}{nc}.safetensors"));
        fs::write(&path, checkpoint.to_safetensors(Precision::Full).unwrap()).unwrap();
        Network::read(&path)
    }

    fn write(&self, name: &str, values: &[f32]) -> String {
        let path = self.folder.path().join(name);
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        fs::write(&path, bytes).unwrap();
        path.display().to_string()
    }

    /// Exports `network` with `flags` and has the file run on inputs of these shapes `[B, H, W]`.
    fn add(&mut self, network: &mut Network, flags: &[&str], shapes: &[[usize; 3]]) {
        let number = self.cases.len();
        let output = self.folder.path().join(number.to_string());
        let mut args = vec!["export", "--weights", network.path.to_str().unwrap()];
        args.extend(["--output", output.to_str().unwrap()]);
        args.extend(flags);
        run(self.folder.path(), &args).expect_code(0);
        let stem = network.path.file_stem().unwrap().to_str().unwrap();
        let flag = |name: &str| flags.iter().position(|flag| *flag == name);
        let (half, nms) = (flag("--half").is_some(), flag("--nms").is_some());
        let bounds = if half { HALF } else { SINGLE };
        let mut runs = Vec::new();
        for (i, &[batch, height, width]) in shapes.iter().enumerate() {
            let shape = [batch, 3, height, width];
            let pixels = noise(&format!("{number} {i}"), batch * 3 * height * width);
            let pixels: Vec<f32> = pixels
                .map(|value| (value * 255.0).round() / 255.0)
                .collect();
            let images = self.write(&format!("{number}.{i}.images"), &pixels);
            let input = Tensor::from_data(TensorData::new(pixels, shape), &Device::flex());
            let rows = network.model.predict(input);
            let [_, n, mut columns] = rows.dims();
            let mut rows = rows.into_data().try_to_vec::<f32>().unwrap();
            if nms {
                let agnostic = flag("--agnostic-nms").is_some();
                rows = rows
                    .chunks(n * columns)
                    .flat_map(|rows| detections(rows, columns - 5, n, agnostic))
                    .collect();
                columns = 6;
            }
            let expected = self.write(&format!("{number}.{i}.expected"), &rows);
            runs.push(
                json!({"images": images, "shape": shape, "expected": expected, "columns": columns,
                "box_px": bounds.0, "score": bounds.1}),
            );
        }
        let opset = flag("--opset").map_or(17, |at| flags[at + 1].parse().unwrap());
        let [batch, height, width] = shapes[0];
        let names = serde_json::to_string(&network.names).unwrap();
        let architecture = serde_json::to_string(network.model.architecture()).unwrap();
        self.cases.push(
            json!({"model": output.join(format!("{stem}.onnx")), "half": half, "opset": opset,
            "metadata": {"names": names, "stride": "32", "task": "detect",
                "imgsz": format!("[{height}, {width}]"), "batch": batch.to_string(),
                "architecture": architecture},
            "runs": runs}),
        );
    }

    /// Runs the script on all that was added.
    fn check(self, python: &Path) {
        let path = self.folder.path().join("cases.json");
        fs::write(&path, Value::from(self.cases).to_string()).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/python/onnx_files.py");
        let output = Command::new(python)
            .arg(script)
            .arg(&path)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        println!("{said}");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}\n{errors}");
    }
}

const CONF: &str = "0.3";
const MAX_DET: usize = 40;

/// What the library keeps of one picture's rows, filled up with zeros as in the graph.
fn detections(rows: &[f32], nc: usize, n: usize, agnostic: bool) -> Vec<f32> {
    let options = NmsOptions {
        conf: CONF.parse().unwrap(),
        iou: 0.45,
        agnostic,
        max_det: MAX_DET,
        ..NmsOptions::default()
    };
    let found = nms(rows, nc, &options);
    assert!(
        found.len() > 3,
        "a test of suppression needs detections, not {}",
        found.len()
    );
    let mut values: Vec<f32> = found
        .iter()
        .flat_map(|found| {
            let [x1, y1, x2, y2] = found.xyxy;
            [x1, y1, x2, y2, found.confidence, found.class as f32]
        })
        .collect();
    values.resize(n.min(MAX_DET) * 6, 0.0);
    values
}

#[test]
fn every_size_computes_in_onnxruntime_what_it_computes_here() {
    let Some(python) = python() else { return };
    let mut cases = Cases::new();
    for (size, nc) in [
        (Size::N, 80),
        (Size::S, 3),
        (Size::M, 1),
        (Size::L, 3),
        (Size::X, 80),
    ] {
        let mut network = cases.random(size, nc);
        cases.add(&mut network, &["--imgsz", "64"], &[[1, 64, 64]]);
    }
    cases.check(&python);
}

#[test]
fn sizes_and_batches_may_be_fixed_or_change_and_every_opset_computes_the_same() {
    let Some(python) = python() else { return };
    let mut cases = Cases::new();
    let mut network = cases.random(Size::N, 3);
    let fixed = ["--imgsz", "96", "160", "--batch-size", "2"];
    cases.add(&mut network, &fixed, &[[2, 96, 160]]);
    let dynamic = ["--imgsz", "64", "--dynamic"];
    cases.add(
        &mut network,
        &dynamic,
        &[[1, 64, 64], [3, 32, 128], [1, 320, 256]],
    );
    for opset in ["13", "14", "15", "16", "18", "19", "20", "21"] {
        let flags = [
            "--imgsz",
            "64",
            "--dynamic",
            "--nms",
            "--conf-thres",
            CONF,
            "--max-det",
            "40",
            "--opset",
            opset,
        ];
        cases.add(&mut network, &flags, &[[1, 64, 64]]);
    }
    cases.check(&python);
}

#[test]
fn suppression_in_the_graph_keeps_what_the_library_keeps() {
    let Some(python) = python() else { return };
    let mut cases = Cases::new();
    let nms = ["--nms", "--conf-thres", CONF, "--max-det", "40", "--imgsz"];
    for (nc, more) in [
        (80, &["64"][..]),
        (3, &["64", "--agnostic-nms"]),
        (1, &["64"]),
    ] {
        let mut network = cases.random(Size::N, nc);
        let flags = [&nms[..], more].concat();
        cases.add(&mut network, &flags, &[[1, 64, 64]]);
        let flags = [&nms[..], more, &["--dynamic"]].concat();
        cases.add(
            &mut network,
            &flags,
            &[[1, 64, 64], [3, 96, 64], [1, 32, 32]],
        );
        let flags = [&nms[..], more, &["--batch-size", "2"]].concat();
        cases.add(&mut network, &flags, &[[2, 64, 64]]);
    }
    cases.check(&python);
}

#[test]
fn half_precision_is_half_throughout_and_comes_near() {
    let Some(python) = python() else { return };
    let mut cases = Cases::new();
    let mut network = cases.random(Size::N, 3);
    cases.add(&mut network, &["--imgsz", "64", "--half"], &[[1, 64, 64]]);
    let flags = ["--imgsz", "64", "--half", "--dynamic"];
    cases.add(&mut network, &flags, &[[1, 64, 64], [2, 32, 96]]);
    cases.check(&python);
}

#[test]
fn the_official_weights_compute_the_same() {
    let (Some(python), Some(weights)) = (python(), fixture("weights/yolov5n.pt")) else {
        return;
    };
    let mut cases = Cases::new();
    let mut network = Network::read(&weights);
    for flags in [&["--imgsz", "640"][..], &["--imgsz", "640", "--half"]] {
        cases.add(&mut network, flags, &[[1, 640, 640]]);
    }
    let flags = ["--imgsz", "320", "--dynamic"];
    cases.add(&mut network, &flags, &[[1, 320, 320], [2, 640, 480]]);
    cases.check(&python);
}

#[test]
fn exported_safetensors_are_the_weights_and_files_lie_beside_them() {
    let folder = tempfile::tempdir().unwrap();
    let named = folder.path().join("golden.pt");
    fs::copy(weights(), &named).unwrap();
    let flags = [
        "export",
        "--weights",
        "golden.pt",
        "--imgsz",
        "64",
        "--include",
        "safetensors",
        "onnx",
    ];
    run(folder.path(), &flags)
        .expect_code(0)
        .expect_words(&["golden.onnx", "golden-fp32.safetensors"]);
    run(folder.path(), &[&flags[..], &["--half"]].concat()).expect_code(0);
    let original = Checkpoint::read(&named).unwrap();
    for (file, precision) in [
        ("golden-fp32.safetensors", "F32"),
        ("golden-fp16.safetensors", "F16"),
    ] {
        let written = Checkpoint::read(folder.path().join(file)).unwrap();
        assert_eq!(written.names, original.names);
        assert_eq!(written.architecture, original.architecture);
        assert_eq!(written.tensors.len(), 349);
        for (name, data) in &original.tensors {
            let (_, back) = written
                .tensors
                .iter()
                .find(|(other, _)| other == name)
                .expect(name);
            assert_eq!(back.shape(), data.shape(), "{name}");
            assert!(
                back.iter::<f32>().eq(data.iter::<f32>()),
                "{name} as {precision}"
            );
            if data.dtype().is_float() {
                assert_eq!(format!("{:?}", back.dtype()), precision, "{name}");
            }
        }
    }
    let args = ["inspect", "--weights", "golden-fp16.safetensors"];
    run(folder.path(), &args).expect_code(0);
}

#[test]
fn an_exported_onnx_file_is_weights_again() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let trained = training(2, &["--freeze", "10", "--name", "first"]);
    run(at, &borrowed(&trained)).expect_code(0);
    let export = [
        "export",
        "--weights",
        "best",
        "--imgsz",
        "64",
        "--output",
        ".",
    ];
    run(at, &export).expect_code(0);
    let data = world().display().to_string();
    let figures = ["runs/train/first/weights/best.safetensors", "best.onnx"].map(|weights| {
        let args = [
            "val",
            "--device",
            "cpu",
            "--imgsz",
            "64",
            "--weights",
            weights,
        ];
        let outcome = run(at, &[&args[..], &["--data", &data]].concat()).expect_code(0);
        let rows = outcome
            .stderr
            .lines()
            .filter(|line| line.trim_start().starts_with("all "));
        rows.map(str::to_owned).collect::<Vec<_>>()
    });
    assert_eq!(figures[0].len(), 1);
    assert_eq!(figures[0], figures[1]);
    // Where only Detect trains, what is folded may stay folded; elsewhere it cannot learn.
    let more = ["--freeze", "24", "--name", "head"];
    run(at, &borrowed(&training_from("best.onnx", 1, &more))).expect_code(0);
    for weights in ["best.onnx", "runs/train/head/weights/best.safetensors"] {
        for more in [
            &["--freeze", "10"][..],
            &["--freeze", "24", "--freeze-bn", "drift"],
        ] {
            run(at, &borrowed(&training_from(weights, 1, more)))
                .expect_code(2)
                .expect_words(&["folded", ".onnx"]);
        }
    }
}

#[test]
fn what_cannot_be_exported_says_what_can() {
    let folder = tempfile::tempdir().unwrap();
    let weights = weights();
    for (flags, words) in [
        (
            &["--include", "engine"][..],
            &["engine", "onnx or safetensors"][..],
        ),
        (&["--opset", "9"], &["--opset", "13 to 21"]),
        (&["--weights", "best"], &["`best`", "runs/train"]),
        (&["--weights", "none.pt"], &["none.pt", "no such file"]),
        (&["--simplify"], &["--simplify", "leave it out"]),
        (&["--max-det", "5"], &["--nms"]),
    ] {
        let args = [&["export", "--imgsz", "64"], flags].concat();
        let args = match flags[0] {
            "--weights" => args,
            _ => [&args[..], &["--weights", &weights]].concat(),
        };
        run(folder.path(), &args).expect_code(2).expect_words(words);
    }
}
