//! Every kernel against its twin, on a device of the caller's.
//!
//! For tests, natively and in a browser: nothing here blocks. Natively the work is done when a future is
//! first polled.

mod gpu;

use wgpu::{Device, Queue};

use crate::noise::{floats, words};
use crate::{BnSilu, Candidates, ColourMap, Letterbox, Misfit, Pixels};
use gpu::{Gpu, bits, values};

/// How far a kernel is from its twin.
#[derive(Debug, Clone, PartialEq)]
pub struct Agreement {
    /// What was compared: a kernel and one of its outputs.
    pub what: String,
    /// How many values.
    pub values: usize,
    /// The largest difference, relative to the twin's largest value.
    pub worst: f64,
}

/// [`letterbox`], [`pixels`], [`bn_silu`], [`candidates`] and [`colour_map`].
///
/// # Errors
/// When the device cannot run a kernel.
pub async fn all(device: &Device, queue: &Queue) -> Result<Vec<Agreement>, Misfit> {
    let mut found = letterbox(device, queue).await?;
    found.extend(pixels(device, queue).await?);
    found.extend(bn_silu(device, queue).await?);
    found.extend(candidates(device, queue).await?);
    found.extend(colour_map(device, queue).await?);
    Ok(found)
}

fn compare(what: String, found: &[f32], wanted: &[f32]) -> Agreement {
    let scale = wanted
        .iter()
        .fold(f32::MIN_POSITIVE, |scale, wanted| scale.max(wanted.abs()));
    let mut worst = if found.len() == wanted.len() {
        0.0
    } else {
        f64::INFINITY
    };
    for (found, wanted) in found.iter().zip(wanted) {
        let difference = f64::from((found - wanted).abs()) / f64::from(scale);
        if difference.is_nan() || difference > worst {
            worst = if difference.is_nan() {
                f64::INFINITY
            } else {
                difference
            };
        }
    }
    Agreement {
        what,
        values: wanted.len(),
        worst,
    }
}

/// Shrinking, growing, halving, copying, a sliver, and a picture that leaves a workgroup half empty; what
/// the kernel must leave alone is compared too.
///
/// # Errors
/// When the device cannot run the kernel.
pub async fn letterbox(device: &Device, queue: &Queue) -> Result<Vec<Agreement>, Misfit> {
    let gpu = Gpu { device, queue };
    let mut agreements = Vec::new();
    for (source, resized, before, out) in [
        ([100, 60], [64, 38], [0, 13], [64, 64]),
        ([13, 20], [42, 64], [11, 0], [64, 64]),
        ([128, 128], [64, 64], [0, 0], [64, 64]),
        ([64, 64], [64, 64], [0, 0], [64, 64]),
        ([3000, 1], [96, 1], [0, 31], [96, 64]),
        ([37, 51], [29, 40], [3, 5], [33, 47]),
    ] {
        let letterbox = Letterbox::new(source, resized, before, out)?.at(1);
        let picture = words(1, letterbox.picture_bytes() / 4);
        let rgba: Vec<u8> = picture.iter().flat_map(|word| word.to_le_bytes()).collect();
        let mut wanted = vec![-1.0; 2 * letterbox.picture_values()];
        let untouched = bits(&wanted);
        letterbox.run(&rgba, &mut wanted)?;
        let taps: Vec<u32> = letterbox
            .taps()
            .iter()
            .map(|tap| tap.cast_unsigned())
            .collect();
        let [found] = gpu
            .run(
                &Letterbox::KERNEL,
                &[&picture, &taps],
                [untouched],
                &letterbox.uniforms(),
                letterbox.workgroups(),
            )
            .await?;
        let what = format!("letterbox {source:?} to {out:?}");
        agreements.push(compare(what, &values(&found), &wanted));
    }
    Ok(agreements)
}

/// # Errors
/// When the device cannot run the kernel.
pub async fn pixels(device: &Device, queue: &Queue) -> Result<Vec<Agreement>, Misfit> {
    let gpu = Gpu { device, queue };
    let mut agreements = Vec::new();
    for (pictures, size) in [(1, [2, 2]), (3, [36, 31]), (2, [64, 32])] {
        let pixels = Pixels::new(pictures, size)?;
        let batch = words(2, pixels.values() / 4);
        let bytes: Vec<u8> = batch.iter().flat_map(|word| word.to_le_bytes()).collect();
        let [found] = gpu
            .run(
                &Pixels::KERNEL,
                &[&batch],
                [vec![0; pixels.values()]],
                &pixels.uniforms(),
                pixels.workgroups(),
            )
            .await?;
        let what = format!("pixels of {pictures} pictures {size:?}");
        agreements.push(compare(what, &values(&found), &pixels.run(&bytes)));
    }
    Ok(agreements)
}

/// Every kernel of the operation, with the batch's moments and with given ones, far from zero, so that
/// the sums have something to lose.
///
/// # Errors
/// When the device cannot run a kernel.
pub async fn bn_silu(device: &Device, queue: &Queue) -> Result<Vec<Agreement>, Misfit> {
    let gpu = Gpu { device, queue };
    let mut agreements = Vec::new();
    for (rows, channels) in [(1, 4), (50, 16), (700, 80), (9, 1284), (20_000, 8)] {
        let plan = BnSilu::new(rows, channels, 1e-3)?;
        let size = rows * channels;
        let x: Vec<f32> = floats(3, size).iter().map(|x| 10.0 + x).collect();
        let (weight, bias) = (floats(4, channels), floats(5, channels));
        let (mean, variance): (Vec<f32>, Vec<f32>) = floats(6, channels)
            .iter()
            .map(|noise| (10.0 + noise, 0.1 + noise.abs()))
            .unzip();
        let gradient = floats(7, size);
        let (x_bits, gradient_bits) = (bits(&x), bits(&gradient));
        let empty = |values| vec![0; values];
        let workgroups = plan.workgroups();
        let mut agree = |what: &str, found: &[u32], wanted: &[f32]| {
            let what = format!("bn_silu {what} of {rows} x {channels}");
            agreements.push(compare(what, &values(found), wanted));
        };

        let uniforms = plan.uniforms(false);
        let [sums] = gpu
            .run(
                &BnSilu::MOMENTS,
                &[&x_bits],
                [empty(plan.sums())],
                &uniforms,
                workgroups,
            )
            .await?;
        let reads: [&[u32]; 4] = [&x_bits, &sums, &bits(&weight), &bits(&bias)];
        let writes = [size, channels, channels, 4 * channels].map(empty);
        let [y, batch_mean, batch_variance, kept] = gpu
            .run(&BnSilu::NORMALISE, &reads, writes, &uniforms, workgroups)
            .await?;
        let wanted = plan.forward(&x, &weight, &bias, None);
        agree("output", &y, &wanted.y);
        agree("mean", &batch_mean, &wanted.mean);
        agree("variance", &batch_variance, &wanted.variance);
        agree("kept", &kept, &wanted.kept);

        let moments = [bits(&mean), bits(&variance)];
        let reads: [&[u32]; 5] = [
            &x_bits,
            &bits(&weight),
            &bits(&bias),
            &moments[0],
            &moments[1],
        ];
        let [y, constant_kept] = gpu
            .run(
                &BnSilu::ACTIVATE,
                &reads,
                [empty(size), empty(4 * channels)],
                &uniforms,
                workgroups,
            )
            .await?;
        let constant_wanted = plan.forward(&x, &weight, &bias, Some((&mean, &variance)));
        agree("output with given moments", &y, &constant_wanted.y);

        for (constant, kept, wanted) in [
            (false, &kept, &wanted.kept),
            (true, &constant_kept, &constant_wanted.kept),
        ] {
            let wanted = plan.backward(&x, wanted, &gradient, constant);
            let uniforms = plan.uniforms(constant);
            let reads: [&[u32]; 3] = [&x_bits, kept, &gradient_bits];
            let [sums] = gpu
                .run(
                    &BnSilu::SLOPES,
                    &reads,
                    [empty(plan.sums())],
                    &uniforms,
                    workgroups,
                )
                .await?;
            let reads: [&[u32]; 4] = [&x_bits, kept, &gradient_bits, &sums];
            let writes = [size, channels, channels].map(empty);
            let [x_gradient, weight_gradient, bias_gradient] = gpu
                .run(&BnSilu::SPREAD, &reads, writes, &uniforms, workgroups)
                .await?;
            agree("gradient of x", &x_gradient, &wanted.x);
            agree("gradient of weight", &weight_gradient, &wanted.weight);
            agree("gradient of bias", &bias_gradient, &wanted.bias);
            if constant {
                let [passed] = gpu
                    .run(
                        &BnSilu::PASS,
                        &reads[..3],
                        [empty(size)],
                        &uniforms,
                        workgroups,
                    )
                    .await?;
                agree("passed gradient of x", &passed, &wanted.x);
            }
        }
    }
    Ok(agreements)
}

/// Two scales into one list. Rows and classes must be the same; places and confidences are compared.
///
/// # Errors
/// When the device cannot run the kernel.
pub async fn candidates(device: &Device, queue: &Queue) -> Result<Vec<Agreement>, Misfit> {
    const ANCHORS: [[f32; 2]; 3] = [[10.0, 13.0], [16.0, 30.0], [33.0, 23.0]];
    const CAPACITY: usize = 600;
    let gpu = Gpu { device, queue };
    let (pictures, classes) = (2, 4);
    let mut found = vec![0; Candidates::words(pictures, CAPACITY)];
    let mut wanted = found.clone();
    let mut first = 0;
    for (seed, (size, stride)) in [([13, 9], 8.0), ([7, 5], 16.0)].into_iter().enumerate() {
        let scale = Candidates::new(
            pictures, size, &ANCHORS, classes, stride, first, 0.25, CAPACITY,
        )?;
        first += size[0] * size[1] * ANCHORS.len();
        let count = pictures * size[0] * size[1] * ANCHORS.len() * (5 + classes);
        let head: Vec<f32> = floats(8 + seed as u32, count)
            .iter()
            .map(|x| 3.0 * x)
            .collect();
        scale.run(&head, &mut wanted);
        [found] = gpu
            .run(
                &Candidates::KERNEL,
                &[&bits(&head)],
                [found],
                &scale.uniforms(),
                scale.workgroups(),
            )
            .await?;
    }
    let mut agreements = Vec::new();
    for (picture, (found, wanted)) in Candidates::read(&found, CAPACITY)
        .into_iter()
        .zip(Candidates::read(&wanted, CAPACITY))
        .enumerate()
    {
        let what = format!("candidates of picture {picture}");
        let (found, wanted) = (found.unwrap_or_default(), wanted.unwrap_or_default());
        let keys = |list: &[crate::Candidate]| -> Vec<(u32, u32)> {
            list.iter()
                .map(|candidate| (candidate.row, candidate.class))
                .collect()
        };
        if wanted.is_empty() || keys(&found) != keys(&wanted) {
            return Err(Misfit {
                kernel: Candidates::KERNEL.name,
                found: format!("{} {what}", found.len()),
                expected: "the twin's",
            });
        }
        let numbers = |list: &[crate::Candidate],
                       part: fn(&crate::Candidate) -> [f32; 4]|
         -> Vec<f32> { list.iter().flat_map(part).collect() };
        for (name, part) in [
            (
                "places",
                (|c| c.cxcywh) as fn(&crate::Candidate) -> [f32; 4],
            ),
            ("confidences", |c| [c.confidence; 4]),
        ] {
            let what = format!("{what}, {name}");
            agreements.push(compare(
                what,
                &numbers(&found, part),
                &numbers(&wanted, part),
            ));
        }
    }
    Ok(agreements)
}

/// Channels of pixels; one level of 255 is what rounding may make of the last digit, and is forgiven.
///
/// # Errors
/// When the device cannot run the kernel.
pub async fn colour_map(device: &Device, queue: &Queue) -> Result<Vec<Agreement>, Misfit> {
    let gpu = Gpu { device, queue };
    let mut agreements = Vec::new();
    for (planes, size) in [(1, 1), (5, 1000), (3, 77)] {
        let map = ColourMap::new(planes, size)?;
        let values = floats(10, map.values());
        let [found] = gpu
            .run(
                &ColourMap::KERNEL,
                &[&bits(&values)],
                [vec![0; map.values()]],
                &map.uniforms(),
                map.workgroups(),
            )
            .await?;
        let levels = |words: &[u32]| -> Vec<f32> {
            words
                .iter()
                .flat_map(|word| word.to_le_bytes().map(f32::from))
                .collect()
        };
        let wanted = levels(&map.run(&values));
        let mut found = levels(&found);
        for (found, wanted) in found.iter_mut().zip(&wanted) {
            if (*found - wanted).abs() <= 1.0 {
                *found = *wanted;
            }
        }
        agreements.push(compare(
            format!("colour map of {planes} x {size}"),
            &found,
            &wanted,
        ));
    }
    Ok(agreements)
}
