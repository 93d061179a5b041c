//! Measures two operations of Burn's `flex` backend that training spends its time in; see README.md.

use std::hint::black_box;
use std::time::Instant;

use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Distribution, Tensor, activation};

/// Milliseconds, the median of nine.
fn ms<T>(run: impl Fn() -> T) -> f64 {
    let mut times: Vec<f64> = (0..10)
        .map(|_| {
            let start = Instant::now();
            black_box(run());
            start.elapsed().as_secs_f64() * 1e3
        })
        .skip(1)
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() {
    let device = Device::flex();
    println!("batch  channels  side  kernel   forward  weight gradient  matrix product");
    for (batch, channels, side, kernel) in [
        (4, 16, 80, 3),
        (8, 16, 80, 3),
        (4, 32, 40, 3),
        (4, 64, 20, 3),
        (4, 16, 80, 1),
        (4, 32, 80, 1),
        (8, 32, 80, 1),
    ] {
        let shape = [batch, channels, side, side];
        let x = Tensor::<4>::random(shape, Distribution::Default, &device);
        let grad = Tensor::<4>::random(shape, Distribution::Default, &device);
        let weight = Tensor::<4>::random(
            [channels, channels, kernel, kernel],
            Distribution::Default,
            &device,
        );
        let options = || ConvOptions::new([1, 1], [kernel / 2; 2], [1, 1], 1);
        let forward = ms(|| conv2d(x.clone(), weight.clone(), None, options()));
        // What burn-backend's `conv2d_weight_grad_no_groups` does.
        let gradient = ms(|| {
            let (x, grad) = (x.clone().swap_dims(0, 1), grad.clone().swap_dims(0, 1));
            conv2d(x, grad, None, options()).swap_dims(0, 1)
        });
        // The same for a 1×1 kernel: `[C_out, B·H·W] · [B·H·W, C_in]`.
        let product = if kernel == 1 {
            let flat = |x: &Tensor<4>| -> Tensor<2> {
                x.clone()
                    .swap_dims(0, 1)
                    .reshape([channels, batch * side * side])
            };
            format!("{:.1}", ms(|| flat(&grad).matmul(flat(&x).transpose())))
        } else {
            "–".into()
        };
        println!(
            "{batch:5}  {channels:8}  {side:4}  {kernel:6}  {forward:8.1}  {gradient:15.1}  {product:>14}"
        );
    }

    let x = Tensor::<4>::random([4, 32, 80, 80], Distribution::Default, &device);
    println!("\n{} elements", x.dims().iter().product::<usize>());
    println!("x · 2     {:6.2} ms", ms(|| x.clone() * 2.0));
    println!("sigmoid   {:6.2} ms", ms(|| activation::sigmoid(x.clone())));
    println!("silu      {:6.2} ms", ms(|| activation::silu(x.clone())));
}
