//! How fast the convolutions are, layer by layer, against what the machine's multiply-adds allow:
//!
//! ```text
//! cargo test --release -p frostline --lib ops::profile -- --ignored --nocapture
//! ```

use std::hint::black_box;
use std::time::Instant;

use super::conv::{Geometry, forward, input_gradient};
use super::correlate::After;
use super::parallel;
use super::vectors::{Lanes, Loop, dispatch};
use super::weight_gradient::weight_gradient;
use crate::model::{Architecture, Size};

/// Seconds spent on one operation of one layer.
const PATIENCE: f64 = 0.03;
/// Multiply-adds under way at once: two units, four steps deep, and some to spare.
const STRANDS: usize = 12;

struct Peak {
    turns: usize,
}

impl Loop for Peak {
    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let (a, b) = (lanes.splat(black_box(1.01)), lanes.splat(black_box(0.9)));
        let mut sums = [lanes.splat(0.0); STRANDS];
        for _ in 0..self.turns {
            for sum in &mut sums {
                *sum = lanes.mul_add(a, b, *sum);
            }
        }
        let mut out = [0f32; STRANDS * 8];
        for (out, sum) in lanes.store(&mut out).iter_mut().zip(sums) {
            *out = sum;
        }
        black_box(out);
    }
}

/// Floating-point operations a second of all cores together, with registers of eight floats.
fn peak() -> f64 {
    let (turns, cores) = (2_000_000, rayon::current_num_threads());
    let rates = (0..5).map(|_| {
        let start = Instant::now();
        parallel::for_each(vec![(); cores], turns, |()| dispatch(Peak { turns }));
        (2 * 8 * STRANDS * turns * cores) as f64 / start.elapsed().as_secs_f64()
    });
    rates.fold(0.0, f64::max)
}

/// Least seconds of an operation.
fn seconds(operation: impl Fn() -> Vec<f32>) -> f64 {
    let start = Instant::now();
    let mut least = f64::MAX;
    for turn in 0.. {
        let begin = Instant::now();
        black_box(operation());
        // The first turn finds its memory.
        if turn > 0 {
            least = least.min(begin.elapsed().as_secs_f64());
        }
        if turn > 2 && start.elapsed().as_secs_f64() > PATIENCE {
            break;
        }
    }
    least
}

/// The convolutions of a network on a batch, equal ones once with their number.
fn layers(size: Size, side: usize, batch: usize) -> Vec<(Geometry, usize)> {
    let network = Architecture::yolov5(size, 80);
    let costs = network.module_costs(side, side).expect("a multiple of 32");
    let mut layers: Vec<(Geometry, usize)> = vec![];
    let mut scale = 0;
    for convolution in network.convolutions() {
        let outputs = &costs[convolution.module].outputs;
        let output = outputs[scale.min(outputs.len() - 1)];
        // Detect has one convolution and one output for every scale.
        scale = if outputs.len() > 1 { scale + 1 } else { 0 };
        let layer = Geometry {
            batch,
            c_in: convolution.c1,
            c_out: convolution.c2,
            height: output[1] * convolution.stride,
            width: output[2] * convolution.stride,
            kernel: convolution.kernel,
            stride: convolution.stride,
            padding: convolution.padding,
        };
        match layers.iter_mut().find(|(known, _)| *known == layer) {
            Some((_, count)) => *count += 1,
            None => layers.push((layer, 1)),
        }
    }
    layers
}

fn values(count: usize) -> Vec<f32> {
    let numbers = (0..count).map(|i| ((i * 7919) % 2003) as f32);
    numbers.map(|n| n / 1001.5 - 1.0).collect()
}

#[test]
#[ignore = "a measurement"]
fn convolutions_layer_by_layer() {
    let networks = [
        (Size::N, 128, 8),
        (Size::N, 320, 4),
        (Size::N, 640, 1),
        (Size::S, 320, 4),
    ];
    // As a training step does it: on one of the pool's own threads.
    rayon::scope(|_| {
        for (size, side, batch) in networks {
            measure(size, side, batch);
        }
    });
}

fn measure(size: Size, side: usize, batch: usize) {
    let peak = peak();
    println!(
        "\nYOLOv5{size:?}, {side} px, batch {batch}: ms and GFLOP/s; peak {:.0}",
        peak / 1e9
    );
    println!("{:>37}  forward       input gradient  weight gradient", "");
    let (mut total, mut work) = ([0.0; 3], [0.0; 3]);
    for (g, count) in layers(size, side, batch) {
        let x = values(g.batch * g.c_in * g.height * g.width);
        let weight = values(g.c_out * g.taps());
        let grad = values(g.batch * g.c_out * g.out_plane());
        let flops = 2.0 * (g.batch * g.c_out * g.out_plane() * g.taps()) as f64;
        let times = [
            seconds(|| {
                let mut y = vec![0f32; grad.len()];
                forward(&x, &weight, After::default(), g, &mut y);
                y
            }),
            seconds(|| {
                let mut out = vec![0f32; x.len()];
                input_gradient(&grad, &weight, g, &mut out);
                out
            }),
            seconds(|| weight_gradient(&x, &grad, g)),
        ];
        print!(
            "{count:>2} × {:>3} → {:<3} {}×{} / {} at {:>3} × {:<3}",
            g.c_in, g.c_out, g.kernel, g.kernel, g.stride, g.height, g.width
        );
        for (i, time) in times.into_iter().enumerate() {
            print!("   {:7.3} {:4.0}", time * 1e3, flops / time / 1e9);
            // Nobody asks for the gradient of the picture.
            if i != 1 || g.c_in != 3 {
                total[i] += time * count as f64;
                work[i] += flops * count as f64;
            }
        }
        println!();
    }
    for (i, name) in ["forward", "input gradient", "weight gradient"]
        .iter()
        .enumerate()
    {
        let rate = work[i] / total[i];
        let (ms, share) = (total[i] * 1e3, 100.0 * rate / peak);
        println!(
            "{name}: {ms:.2} ms, {:.0} GFLOP/s, {share:.0} % of peak",
            rate / 1e9
        );
    }
}
