//! What the kernels cost beside Burn's composition of the same:
//! `cargo bench --package frostline-tests --bench gpu`.

mod adapter;

use std::time::Instant;

use burn::tensor::{Device, Tensor, TensorData, activation, module, read_sync};
use frostline::eval::{NmsOptions, nms};
use frostline::model::detect::decode;
use frostline::model::{Architecture, Size};
use frostline::ops;
use frostline_shaders::{ColourMap, Letterbox};

/// Pairs of runs; the medians are compared.
const ROUNDS: usize = 7;

fn zeros<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    let count = shape.iter().product();
    let values: Vec<f32> = (0..count).map(|i: usize| (i % 97) as f32 / 97.0).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Prints the medians of `ours` and `theirs`, run by turns, in milliseconds.
fn compare(what: &str, device: &Device, mut ours: impl FnMut(), mut theirs: impl FnMut()) {
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..=ROUNDS {
        let runs: [&mut dyn FnMut(); 2] = [&mut ours, &mut theirs];
        for (times, run) in times.iter_mut().zip(runs) {
            device.sync().expect("a device");
            let started = Instant::now();
            run();
            device.sync().expect("a device");
            // The first compiles.
            if round > 0 {
                times.push(started.elapsed().as_secs_f64() * 1e3);
            }
        }
    }
    let [ours, theirs] = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
    println!(
        "{what:56} {ours:9.2} {theirs:9.2} ms  {:5.2}",
        ours / theirs
    );
}

fn norms(device: &Device) {
    let autodiff = device.clone().autodiff();
    for shape in [[4, 16, 160, 160], [4, 64, 40, 40], [4, 256, 10, 10]] {
        let channels = [shape[1]];
        // Channels last in memory, as a convolution leaves them.
        let memory = [shape[0], shape[2], shape[3], shape[1]];
        let x = zeros(memory, &autodiff)
            .permute([0, 3, 1, 2])
            .require_grad();
        let plain = x.clone().without_autodiff();
        let weight = zeros(channels, &autodiff).require_grad();
        let bias = zeros(channels, &autodiff).require_grad();
        let (w, b) = (
            weight.clone().without_autodiff(),
            bias.clone().without_autodiff(),
        );
        let (mean, variance) = (zeros(channels, device), zeros(channels, device));
        let pull = zeros(memory, &autodiff).permute([0, 3, 1, 2]);
        let composed = |x: &Tensor<4>| {
            let out = module::batch_norm_train(x.clone(), weight.clone(), bias.clone(), 1e-3);
            activation::silu(out.output)
        };
        let own =
            |x: &Tensor<4>| ops::bn_silu_train(x.clone(), weight.clone(), bias.clone(), 1e-3).0;
        let used = |y: Tensor<4>| {
            let _ = y.sum().into_data();
        };
        compare(
            &format!("BatchNorm and SiLU {shape:?}, forward"),
            device,
            || used(own(&x)),
            || used(composed(&x)),
        );
        let learn = |y: Tensor<4>| {
            let mut gradients = (y * pull.clone()).sum().backward();
            used(x.grad_remove(&mut gradients).expect("a gradient"));
        };
        compare(
            &format!("BatchNorm and SiLU {shape:?}, both ways"),
            device,
            || learn(own(&x)),
            || learn(composed(&x)),
        );
        compare(
            &format!("BatchNorm and SiLU {shape:?}, constant, plain"),
            device,
            || {
                let (w, b) = (w.clone(), b.clone());
                let (mean, variance) = (mean.clone(), variance.clone());
                used(ops::bn_silu_fixed(
                    plain.clone(),
                    w,
                    b,
                    mean,
                    variance,
                    1e-3,
                ));
            },
            || {
                let (w, b) = (w.clone(), b.clone());
                let (mean, variance) = (mean.clone(), variance.clone());
                let y = module::batch_norm(plain.clone(), w, b, mean, variance, 1e-3);
                used(activation::silu(y));
            },
        );
        compare(
            &format!("BatchNorm and SiLU {shape:?}, constant, both ways"),
            device,
            || {
                let (mean, variance) = (mean.clone(), variance.clone());
                let (w, b) = (w.clone(), b.clone());
                learn(ops::bn_silu_fixed(x.clone(), w, b, mean, variance, 1e-3));
            },
            || {
                let (mean, variance) = (mean.clone(), variance.clone());
                let (w, b) = (w.clone(), b.clone());
                let y = module::batch_norm(x.clone(), w, b, mean, variance, 1e-3);
                learn(activation::silu(y));
            },
        );
    }
}

fn pictures(device: &Device) {
    let shape = [4, 3, 320, 320];
    let bytes: Vec<u8> = (0..shape.iter().product::<usize>())
        .map(|i| i as u8)
        .collect();
    let weight = zeros([16, 3, 6, 6], device);
    let used = |x: Tensor<4>| {
        let options = burn::tensor::ops::ConvOptions::new([2; 2], [2; 2], [1, 1], 1);
        let _ = module::conv2d(x, weight.clone(), None, options)
            .sum()
            .into_data();
    };
    let host = || {
        let values: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect();
        Tensor::<4>::from_data(TensorData::new(values, shape), device)
    };
    compare(
        "a batch of 4 x 320 px and the first convolution",
        device,
        || used(ops::image(&bytes, shape, device)),
        || used(host()),
    );
    compare(
        "a batch of 4 x 320 px alone",
        device,
        || drop(ops::image(&bytes, shape, device).sum().into_data()),
        || drop(host().sum().into_data()),
    );

    // A video's frame, and a webcam's.
    for (size, resized, before, out) in [
        ([1280, 720], [640, 360], [0, 12], [640, 384]),
        ([640, 480], [640, 480], [0, 0], [640, 480]),
    ] {
        let plan = Letterbox::new(size, resized, before, out).expect("sizes");
        let rgba: Vec<u8> = (0..plan.picture_bytes()).map(|i| (i * i) as u8).collect();
        let shape = [1, 3, out[1] as usize, out[0] as usize];
        compare(
            &format!("letterbox of {size:?} to {out:?}, against the host's"),
            device,
            || {
                let input = ops::letterbox(&rgba, plan, device).expect("a picture");
                drop(input.sum().into_data());
            },
            || {
                let mut values = vec![0.0; plan.picture_values()];
                plan.run(&rgba, &mut values).expect("a picture");
                let input = Tensor::<4>::from_data(TensorData::new(values, shape), device);
                drop(input.sum().into_data());
            },
        );
    }

    let planes = zeros([64, 80, 80], device);
    compare(
        "colours of 64 planes 80 x 80, against the host's",
        device,
        || drop(read_sync(ops::colour_map(planes.clone())).expect("colours")),
        || {
            let values = planes
                .clone()
                .into_data()
                .try_to_vec::<f32>()
                .expect("floats");
            drop(ColourMap::new(64, 80 * 80).expect("sizes").run(&values));
        },
    );
}

fn boxes(device: &Device) {
    for nc in [3, 80] {
        let architecture = Architecture::yolov5(Size::N, nc);
        let heads: Vec<Tensor<4>> = [80, 40, 20]
            .map(|side| {
                let last = zeros([1, side, side, 3 * (5 + nc)], device);
                last.sub_scalar(3.0).permute([0, 3, 1, 2])
            })
            .into();
        let options = NmsOptions::default();
        let (anchors, strides) = (&architecture.anchors, architecture.strides());
        compare(
            &format!("boxes of 640 px with {nc} classes, read and suppressed"),
            device,
            || {
                let found = ops::candidates(&heads, anchors, &strides, nc, options.conf);
                drop(read_sync(found.expect("a GPU").read()).expect("candidates"));
            },
            || {
                let rows = decode(heads.clone(), anchors, &strides, nc);
                let rows = rows.into_data().try_to_vec::<f32>().expect("floats");
                drop(nms(&rows, nc, &options));
            },
        );
    }
}

fn main() {
    let Some(adapter) = adapter::open() else {
        println!("not run: there is no GPU, not even a software one");
        return;
    };
    println!("{:56} {:>9} {:>9}     ratio", "", "ours", "Burn's");
    norms(&adapter.device);
    pictures(&adapter.device);
    boxes(&adapter.device);
}
