//! Sums of shifted lines, tile by tile: what a convolution and its input's gradient both are.
//!
//! For every tile of positions and every block of taps, the taps' values are brought together in a
//! panel that stays in the first cache while all rows of weights pass by. Where rows are few, the
//! copy would cost more than it saves, and the tile reads the lines themselves.

use std::borrow::Cow;

use super::lanes::{self, Kernel};
use super::padded::{Band, Field, Lines, Span};
use super::parallel;
use super::silu::sigmoid;
use super::tile::{BLOCK, COLUMNS, Columns, Rows, SPARE, STEP, Sums, multiply};

/// Channels written from which a panel pays.
const PANEL_CHANNELS: usize = 48;
/// Share of the positions, one in this many, that gaps between rows may waste.
const LEAST_COLUMNS: usize = 16;
/// Elements of a panel: half of the first cache.
const PANEL: usize = 4 << 10;
/// Longest strip.
const LONGEST: usize = 256;
/// Channels that a task computes at least.
const LEAST_CHANNELS: usize = 32;

/// One residue class of rows and columns of what is written: `[C, taps]` weights, and the taps.
#[derive(Debug)]
pub struct Phase<'a> {
    /// Channel, shift down, shift right.
    pub taps: Vec<(usize, usize, usize)>,
    /// A row of weights for every channel written.
    pub weights: Cow<'a, [f32]>,
}

/// What is written: position `(m, n)` of phase `(a, b)` of `s²` fills pixel `(s·m + a, s·n + b)`.
#[derive(Debug)]
pub struct Target<'a> {
    /// Channels written.
    pub channels: usize,
    /// Rows of a plane.
    pub height: usize,
    /// Columns of a plane.
    pub width: usize,
    /// Pixels from one position's to the next one's.
    pub stride: usize,
    /// Added to every pixel of a channel.
    pub bias: Option<&'a [f32]>,
    /// Whether SiLU follows.
    pub silu: bool,
}

/// Planes `[B, C, H, W]` from `x`: for every position and channel, the sum of weighted taps.
pub fn correlate(x: &[f32], field: Field, phases: &[Phase], target: &Target) -> Vec<f32> {
    let tasks = parallel::tasks();
    let field = if field.is_pointwise() {
        field.folded(tasks)
    } else {
        field
    };
    let target = &Target {
        height: if field.is_pointwise() {
            field.height
        } else {
            target.height
        },
        width: if field.is_pointwise() {
            field.width
        } else {
            target.width
        },
        ..*target
    };
    let bands = field.bands(tasks, field.held());
    let lines = Lines::new(field, &bands);
    let parts = tasks
        .div_ceil(bands.len())
        .min(target.channels / LEAST_CHANNELS)
        .max(1);
    let share = target.channels.div_ceil(parts).next_multiple_of(STEP);
    let offsets: Vec<Vec<usize>> = phases
        .iter()
        .map(|phase| {
            phase
                .taps
                .iter()
                .map(|&(c, y, x)| lines.tap(c, y, x))
                .collect()
        })
        .collect();
    let panel = field.is_pointwise()
        || field.columns < LEAST_COLUMNS
        || target.channels * target.stride.pow(2) > PANEL_CHANNELS;

    let mut y = vec![0f32; field.batch * target.channels * target.height * target.width];
    let mut tasks = vec![];
    for (band, pieces) in bands.iter().zip(pieces(&mut y, &bands, &field, target)) {
        let mut parts: Vec<Vec<&mut [f32]>> = vec![];
        parts.resize_with(target.channels.div_ceil(share), Vec::new);
        for (i, piece) in pieces.into_iter().enumerate() {
            parts[i % target.channels / share].push(piece);
        }
        tasks.extend(
            parts
                .into_iter()
                .enumerate()
                .map(|(i, pieces)| (*band, i * share, pieces)),
        );
    }
    let taps: usize = phases.iter().map(|phase| phase.taps.len()).sum();
    let cost = bands[0].images * bands[0].rows * field.columns * share * taps / 8;
    parallel::for_each(tasks, cost, |(band, first, pieces)| {
        let values = lines.of(x, band);
        let channels = pieces.len() / band.images;
        let task = Task {
            lines: &lines,
            values: &values,
            band,
            phases,
            offsets: &offsets,
            target,
            first,
            channels,
            panel,
            pieces,
        };
        task.run();
    });
    y
}

/// Every plane of `y` divided among the bands: per band its pieces, picture by picture, channel by channel.
fn pieces<'a>(
    y: &'a mut [f32],
    bands: &[Band],
    field: &Field,
    target: &Target,
) -> Vec<Vec<&'a mut [f32]>> {
    let end = |band: &Band| {
        if band.row + band.rows == field.rows {
            target.height
        } else {
            (band.row + band.rows) * target.stride
        }
    };
    let mut pieces: Vec<Vec<&mut [f32]>> = bands
        .iter()
        .map(|band| Vec::with_capacity(band.images * target.channels))
        .collect();
    let mut planes = y.chunks_exact_mut(target.height * target.width);
    let mut first = 0;
    while first < bands.len() {
        // The bands of the same pictures follow each other.
        let same = bands[first..]
            .iter()
            .take_while(|band| band.image == bands[first].image)
            .count();
        for mut plane in planes.by_ref().take(bands[first].images * target.channels) {
            let mut done = 0;
            for i in first..first + same {
                let to = end(&bands[i]);
                let (piece, rest) = plane.split_at_mut((to - done) * target.width);
                pieces[i].push(piece);
                (plane, done) = (rest, to);
            }
        }
        first += same;
    }
    pieces
}

/// One band of positions for some channels.
struct Task<'a> {
    lines: &'a Lines,
    values: &'a [f32],
    band: Band,
    phases: &'a [Phase<'a>],
    /// Of the taps, per phase.
    offsets: &'a [Vec<usize>],
    target: &'a Target<'a>,
    /// First channel.
    first: usize,
    channels: usize,
    panel: bool,
    /// Picture by picture, channel by channel.
    pieces: Vec<&'a mut [f32]>,
}

impl Task<'_> {
    fn run(mut self) {
        let taps = self
            .offsets
            .iter()
            .map(Vec::len)
            .max()
            .unwrap_or(0)
            .clamp(1, BLOCK);
        let width = (PANEL / taps / COLUMNS * COLUMNS).clamp(2 * COLUMNS, LONGEST);
        let strips = if self.panel {
            self.lines.strips(self.band, width)
        } else {
            self.lines.straight_strips(self.band, width)
        };
        let rows = self.channels + SPARE;
        let mut sums = vec![0f32; self.phases.len() * rows * width];
        let mut panel = vec![0f32; taps * width + STEP];
        let places: Vec<usize> = (0..taps).map(|t| t * width).collect();
        let mut copies = vec![];
        for strip in strips.iter() {
            let used = strip.last().map_or(0, |span| span.column + span.length);
            if self.panel {
                self.copies(strip, &mut copies);
            }
            for (phase, sums) in sums.chunks_exact_mut(rows * width).enumerate() {
                let taps = &self.offsets[phase];
                if !self.panel {
                    let place = self.lines.place(self.band, strip[0]);
                    let columns = Columns {
                        values: &self.values[place..],
                        offsets: taps,
                        width: used,
                    };
                    self.multiply(phase, 0, columns, sums, width);
                    continue;
                }
                for (block, taps) in taps.chunks(BLOCK).enumerate() {
                    lanes::run(Fill {
                        panel: &mut panel,
                        width,
                        lines: self.values,
                        taps,
                        copies: &copies,
                    });
                    let columns = Columns {
                        values: &panel,
                        offsets: &places[..taps.len()],
                        width: used,
                    };
                    self.multiply(phase, block * BLOCK, columns, sums, width);
                }
            }
            self.finish(strip, &mut sums, width);
        }
    }

    /// The copies of [`STEP`] values that bring a strip together, in an order in which each
    /// overwrites what the one before copied in excess.
    fn copies(&self, strip: &[Span], copies: &mut Vec<(usize, usize)>) {
        copies.clear();
        for &span in strip {
            let place = self.lines.place(self.band, span);
            copies.extend(
                (0..span.length)
                    .step_by(STEP)
                    .map(|i| (span.column + i, place + i)),
            );
        }
    }

    /// Sums over a phase's taps from `first` on.
    fn multiply(
        &self,
        phase: usize,
        first: usize,
        columns: Columns,
        sums: &mut [f32],
        width: usize,
    ) {
        let phase = &self.phases[phase];
        let taps = phase.taps.len();
        let rows = Rows {
            values: &phase.weights[self.first * taps + first..],
            stride: taps,
            count: self.channels,
        };
        let sums = Sums {
            values: sums,
            stride: width,
            add: first > 0,
        };
        multiply(rows, columns, sums);
    }

    /// Takes a strip's sums to the planes.
    fn finish(&mut self, strip: &[Span], sums: &mut [f32], width: usize) {
        let s = self.target.stride;
        if self.target.bias.is_some() || self.target.silu {
            lanes::run(Activate {
                sums: &mut sums[..self.channels * width],
                width,
                bias: self.target.bias.map(|bias| &bias[self.first..]),
                silu: self.target.silu,
            });
        }
        if s > 1 {
            lanes::run(Spread {
                task: self,
                strip,
                sums,
                width,
            });
            return;
        }
        for (c, sums) in sums.chunks_exact(width).take(self.channels).enumerate() {
            for span in strip {
                let piece = &mut self.pieces[span.image * self.channels + c];
                let target = &mut piece[span.row * self.target.width + span.first..];
                let values = &sums[span.column..][..span.length];
                target[..span.length].copy_from_slice(values);
            }
        }
    }
}

/// Takes the sums of all phases to the pixels between which they lie.
struct Spread<'a, 'b> {
    task: &'a mut Task<'b>,
    strip: &'a [Span],
    sums: &'a [f32],
    width: usize,
}

impl Kernel for Spread<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let (s, columns) = (self.task.target.stride, self.task.target.width);
        let channels = self.task.channels;
        let phase = (channels + SPARE) * self.width;
        for c in 0..channels {
            for span in self.strip {
                let piece = &mut self.task.pieces[span.image * channels + c];
                let start = c * self.width + span.column;
                for a in 0..s {
                    let row = (span.row * s + a) * columns;
                    let Some(row) = piece.get_mut(row..row + columns) else {
                        continue;
                    };
                    let row = &mut row[span.first * s..];
                    if s == 2 {
                        let even = &self.sums[a * 2 * phase + start..][..span.length];
                        let odd = &self.sums[(a * 2 + 1) * phase + start..][..span.length];
                        let (pairs, rest) = row.as_chunks_mut::<2>();
                        for ((pair, even), odd) in pairs.iter_mut().zip(even).zip(odd) {
                            *pair = [*even, *odd];
                        }
                        if let (Some(last), Some(even)) = (rest.first_mut(), even.get(pairs.len()))
                        {
                            *last = *even;
                        }
                        continue;
                    }
                    for b in 0..s {
                        let sums = &self.sums[(a * s + b) * phase + start..][..span.length];
                        for (target, sum) in row.iter_mut().skip(b).step_by(s).zip(sums) {
                            *target = *sum;
                        }
                    }
                }
            }
        }
    }
}

/// Bias and SiLU of a strip's sums.
struct Activate<'a> {
    sums: &'a mut [f32],
    width: usize,
    bias: Option<&'a [f32]>,
    silu: bool,
}

impl Kernel for Activate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (c, sums) in self.sums.chunks_exact_mut(self.width).enumerate() {
            let bias = self.bias.map_or(0.0, |bias| bias[c]);
            for sum in sums {
                let u = *sum + bias;
                *sum = if self.silu { u * sigmoid::<FMA>(u) } else { u };
            }
        }
    }
}

/// Brings the taps' values of one strip to the panel, where each begins `width` after the one before.
struct Fill<'a> {
    panel: &'a mut [f32],
    width: usize,
    lines: &'a [f32],
    taps: &'a [usize],
    copies: &'a [(usize, usize)],
}

impl Kernel for Fill<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (t, &tap) in self.taps.iter().enumerate() {
            let target = &mut self.panel[t * self.width..][..self.width + STEP];
            let source = &self.lines[tap..];
            for &(column, place) in self.copies {
                let target = &mut target[column..][..STEP];
                match source.get(place..place + STEP) {
                    Some(source) => target.copy_from_slice(source),
                    None => {
                        for (target, source) in target.iter_mut().zip(&source[place..]) {
                            *target = *source;
                        }
                    }
                }
            }
        }
    }
}
