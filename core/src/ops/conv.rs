//! Convolution and its two gradients as sums of shifted lines (see [`super::padded`]).

use super::padded::{BUDGET, Band, Geometry, Plan};
use super::parallel;
use super::tile::{ROWS, STEP, correlate, dots};

/// Positions of a run of dot products: four rows of them should stay in the first cache.
const RUN: usize = 1536;
/// Partial sums of a weight gradient that may be held at once.
const PARTIALS: usize = 1 << 20;
/// Tasks worth having, for as many cores.
const TASKS: usize = 16;

/// Every plane of `y` divided among the bands: per band its pieces, picture by
/// picture, channel by channel. `end` is the row of the plane that a band ends before.
fn pieces<'a>(
    y: &'a mut [f32],
    bands: &[Band],
    channels: usize,
    height: usize,
    width: usize,
    end: impl Fn(Band) -> usize,
) -> Vec<Vec<&'a mut [f32]>> {
    let mut pieces: Vec<Vec<&mut [f32]>> = bands
        .iter()
        .map(|band| Vec::with_capacity(band.images * channels))
        .collect();
    let mut planes = y.chunks_exact_mut(height * width);
    let mut first = 0;
    while first < bands.len() {
        // The bands of the same pictures follow each other.
        let same = bands[first..]
            .iter()
            .take_while(|band| band.image == bands[first].image)
            .count();
        for mut plane in planes.by_ref().take(bands[first].images * channels) {
            let mut done = 0;
            for i in first..first + same {
                let to = end(bands[i]);
                let (piece, rest) = plane.split_at_mut((to - done) * width);
                pieces[i].push(piece);
                (plane, done) = (rest, to);
            }
        }
        first += same;
    }
    pieces
}

/// Weights as blocks of [`ROWS`] output channels, tap by tap. `fill` gives one channel's weights.
fn pack(channels: usize, taps: usize, mut fill: impl FnMut(usize, &mut [f32])) -> Vec<[f32; ROWS]> {
    let mut packed = vec![[0f32; ROWS]; channels.div_ceil(ROWS) * taps];
    let mut weights = vec![0f32; taps];
    for c in 0..channels {
        fill(c, &mut weights);
        for (packed, weight) in packed[c / ROWS * taps..].iter_mut().zip(&weights) {
            packed[c % ROWS] = *weight;
        }
    }
    packed
}

/// `y = x ⋆ weight + bias`: `[B, C_in, H, W]` and `[C_out, C_in, K, K]` to `[B, C_out, H', W']`.
pub fn forward(x: &[f32], weight: &[f32], bias: Option<&[f32]>, g: Geometry) -> Vec<f32> {
    let taps = g.taps();
    let weights = pack(g.c_out, taps, |c, row| {
        row.copy_from_slice(&weight[c * taps..][..taps])
    });
    forward_packed(x, &weights, bias, g)
}

fn forward_packed(
    x: &[f32],
    weights: &[[f32; ROWS]],
    bias: Option<&[f32]>,
    g: Geometry,
) -> Vec<f32> {
    let plan = Plan::new(g, TASKS);
    if plan.direct && g.c_out.is_multiple_of(ROWS) {
        return forward_direct(x, weights, bias, &plan);
    }
    let mut y = vec![0f32; g.batch * g.c_out * g.out_plane()];
    let (width, taps) = (g.out_width(), g.taps());
    let pieces = pieces(
        &mut y,
        &plan.bands,
        g.c_out,
        g.out_height(),
        width,
        |band| band.row + band.rows,
    );
    let cost = g.positions(plan.bands[0]) * g.c_out * taps / 8;
    parallel::for_each(
        plan.bands.iter().copied().zip(pieces).collect(),
        cost,
        |(band, mut pieces)| {
            let (lines, length) = (plan.lines(x, band), g.positions(band));
            let mut out = vec![0f32; ROWS * length];
            for (block, weights) in weights.chunks_exact(taps).enumerate() {
                correlate(&lines, &plan.offsets, weights, &mut out, length, length);
                for (c, out) in (block * ROWS..g.c_out).zip(out.chunks_exact(length)) {
                    let bias = bias.map_or(0.0, |bias| bias[c]);
                    for i in 0..band.images {
                        let rows = out[i * g.image_rows(band) * g.pitch()..].chunks(g.pitch());
                        for (target, source) in
                            pieces[i * g.c_out + c].chunks_exact_mut(width).zip(rows)
                        {
                            for (target, source) in target.iter_mut().zip(source) {
                                *target = source + bias;
                            }
                        }
                    }
                }
            }
        },
    );
    y
}

/// A 1×1 convolution from picture to picture without a copy.
fn forward_direct(
    x: &[f32],
    weights: &[[f32; ROWS]],
    bias: Option<&[f32]>,
    plan: &Plan,
) -> Vec<f32> {
    let g = plan.g;
    let plane = g.in_plane();
    let mut y = vec![0f32; g.batch * g.c_out * plane];
    let images = x
        .chunks_exact(g.c_in * plane)
        .zip(y.chunks_exact_mut(g.c_out * plane))
        .collect();
    // The input positions that all output channels read in turn stay in the second cache.
    let run = (BUDGET / g.c_in).next_multiple_of(3 * STEP);
    parallel::for_each(
        images,
        plane * g.c_out * g.c_in / 8,
        |(x, y): (&[f32], &mut [f32])| {
            for from in (0..plane).step_by(run) {
                for (y, weights) in y
                    .chunks_exact_mut(ROWS * plane)
                    .zip(weights.chunks_exact(g.c_in))
                {
                    correlate(
                        &x[from..],
                        &plan.offsets,
                        weights,
                        &mut y[from..],
                        plane,
                        run.min(plane - from),
                    );
                }
            }
            if let Some(bias) = bias {
                for (y, bias) in y.chunks_exact_mut(plane).zip(bias) {
                    y.iter_mut().for_each(|y| *y += bias);
                }
            }
        },
    );
    y
}

/// The gradient of `x` from that of `y`.
pub fn input_gradient(grad: &[f32], weight: &[f32], g: Geometry) -> Vec<f32> {
    let (k, area) = (g.kernel, g.kernel * g.kernel);
    if g.stride > 1 {
        return strided_input_gradient(grad, weight, g);
    }
    // A convolution of the gradient with the mirrored weights.
    let mirrored = Geometry {
        c_in: g.c_out,
        c_out: g.c_in,
        height: g.out_height(),
        width: g.out_width(),
        padding: k - 1 - g.padding,
        ..g
    };
    let weights = pack(g.c_in, g.c_out * area, |c, row| {
        for (o, row) in row.chunks_exact_mut(area).enumerate() {
            let weight = &weight[(o * g.c_in + c) * area..][..area];
            for (row, weight) in row.iter_mut().zip(weight.iter().rev()) {
                *row = *weight;
            }
        }
    });
    forward_packed(grad, &weights, None, mirrored)
}

/// One residue class of rows and columns of a strided convolution's input.
struct Phase {
    row: usize,
    column: usize,
    /// Taps `(output channel, shift down, shift right)` that reach it.
    taps: Vec<(usize, usize, usize)>,
    weights: Vec<[f32; ROWS]>,
}

/// With stride `s`, row `s·m + a` of the padded input meets the kernel's rows `a, a + s, …` at the
/// output rows `m, m − 1, …`: `s²` convolutions of stride 1, each of which fills its own pixels.
fn strided_input_gradient(grad: &[f32], weight: &[f32], g: Geometry) -> Vec<f32> {
    let (k, s, p, reach) = (g.kernel, g.stride, g.padding, g.reach());
    let base = Geometry {
        batch: g.batch,
        c_in: g.c_out,
        c_out: g.c_in,
        height: g.out_height(),
        width: g.out_width(),
        kernel: reach + 1,
        stride: 1,
        padding: reach,
    };
    let phases: Vec<Phase> = (0..s * s)
        .map(|phase| {
            let (row, column) = (phase / s, phase % s);
            let rows = (row..k).step_by(s).enumerate();
            let cells: Vec<_> = rows
                .flat_map(|y| (column..k).step_by(s).enumerate().map(move |x| (y, x)))
                .collect();
            let taps: Vec<_> = (0..g.c_out)
                .flat_map(|c| {
                    cells
                        .iter()
                        .map(move |((j, _), (i, _))| (c, reach - j, reach - i))
                })
                .collect();
            let weights = pack(g.c_in, taps.len(), |c, row| {
                for (o, row) in row.chunks_exact_mut(cells.len().max(1)).enumerate() {
                    let weight = &weight[(o * g.c_in + c) * k * k..][..k * k];
                    for (row, ((_, y), (_, x))) in row.iter_mut().zip(&cells) {
                        *row = weight[y * k + x];
                    }
                }
            });
            Phase {
                row,
                column,
                taps,
                weights,
            }
        })
        .collect();

    let mut out = vec![0f32; g.batch * g.c_in * g.in_plane()];
    let plan = Plan::new(base, TASKS);
    // Input rows above output row m, and those that a band fills; the last band ends with the picture.
    let above = |m: usize| (m * s).saturating_sub(p).min(g.height);
    let end = |band: Band| {
        if band.row + band.rows == base.out_height() {
            g.height
        } else {
            above(band.row + band.rows)
        }
    };
    let pieces = pieces(&mut out, &plan.bands, g.c_in, g.height, g.width, end);
    let offsets = |phase: &Phase| {
        phase
            .taps
            .iter()
            .map(|(c, y, x)| c * plan.line + y * base.pitch() + x)
            .collect()
    };
    let offsets: Vec<Vec<usize>> = phases.iter().map(offsets).collect();
    let cost = base.positions(plan.bands[0]) * g.c_out * g.taps() / 8;
    parallel::for_each(
        plan.bands.iter().copied().zip(pieces).collect(),
        cost,
        |(band, mut pieces)| {
            let (lines, length) = (plan.lines(grad, band), base.positions(band));
            let start = above(band.row);
            let mut out = vec![0f32; ROWS * length];
            for (phase, offsets) in phases.iter().zip(&offsets) {
                for (block, weights) in phase.weights.chunks_exact(offsets.len().max(1)).enumerate()
                {
                    correlate(&lines, offsets, weights, &mut out, length, length);
                    for (c, out) in (block * ROWS..g.c_in).zip(out.chunks_exact(length)) {
                        for i in 0..band.images {
                            let piece = &mut pieces[i * g.c_in + c];
                            for m in 0..band.rows {
                                let Some(y) = ((band.row + m) * s + phase.row)
                                    .checked_sub(p)
                                    .filter(|&y| y < g.height)
                                else {
                                    continue;
                                };
                                let first = p.saturating_sub(phase.column).div_ceil(s);
                                let source = &out[(i * base.image_rows(band) + m) * base.pitch()..]
                                    [first..base.out_width()];
                                let target = &mut piece[(y - start) * g.width..][..g.width];
                                let targets = target
                                    .iter_mut()
                                    .skip(first * s + phase.column - p)
                                    .step_by(s);
                                for (target, source) in targets.zip(source) {
                                    *target = *source;
                                }
                            }
                        }
                    }
                }
            }
        },
    );
    out
}

/// The gradient of the weights from that of `y`: `[C_out, C_in, K, K]`.
pub fn weight_gradient(x: &[f32], grad: &[f32], g: Geometry) -> Vec<f32> {
    let (taps, rows) = (g.taps(), g.c_out.next_multiple_of(ROWS));
    let groups = (PARTIALS / (rows * taps)).clamp(1, TASKS);
    let plan = Plan::new(g, groups);
    let bands = &plan.bands;
    let groups = groups.min(bands.len());
    // Where the weights are many and the pictures small, channels are divided as well.
    let slice = rows.div_ceil(TASKS.div_ceil(groups)).next_multiple_of(ROWS);
    let per_group = bands.len().div_ceil(groups);
    let tasks = bands
        .chunks(per_group)
        .flat_map(|bands| (0..rows).step_by(slice).map(move |first| (bands, first)))
        .collect();
    let cost = g.positions(bands[0]) * per_group * slice.min(rows) * taps / 8;
    let partials = parallel::map(tasks, cost, |(bands, first): (&[Band], usize)| {
        let rows = slice.min(rows - first);
        let mut sums = vec![0f32; rows * taps];
        for &band in bands {
            let (lines, length) = (plan.lines(x, band), g.positions(band));
            let spread = plan.spread(grad, band, first..(first + rows).min(g.c_out), rows);
            for from in (0..length).step_by(RUN) {
                let span = (from, length.min(from + RUN));
                for (rows, sums) in spread
                    .chunks_exact(ROWS * length)
                    .zip(sums.chunks_exact_mut(ROWS * taps))
                {
                    dots(rows, length, span, &lines, &plan.offsets, sums);
                }
            }
        }
        sums
    });
    let mut total = vec![0f32; g.c_out * taps];
    let slices = rows.div_ceil(slice);
    for partials in partials.chunks(slices) {
        for (total, partial) in total.chunks_mut(slice * taps).zip(partials) {
            for (total, partial) in total.iter_mut().zip(partial) {
                *total += partial;
            }
        }
    }
    total
}

/// The gradient of the bias from that of `y`: `[C_out]`.
pub fn bias_gradient(grad: &[f32], g: Geometry) -> Vec<f32> {
    let mut sums = vec![0f64; g.c_out];
    for (i, plane) in grad.chunks_exact(g.out_plane()).enumerate() {
        sums[i % g.c_out] += plane.chunks(1024).map(super::lanes::sum).sum::<f64>();
    }
    sums.into_iter().map(|sum| sum as f32).collect()
}
