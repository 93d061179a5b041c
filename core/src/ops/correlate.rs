//! Sums of shifted lines, tile by tile: what a convolution and its input's gradient both are.
//!
//! For every tile of positions and every block of taps, the taps' values are brought together in a
//! panel that stays in the first cache while all rows of weights pass by. Where rows are few, the
//! copy would cost more than it saves, and the tile reads the lines themselves.

use super::padded::{Band, Field, Lines};
use super::panel::Panel;
use super::parallel;
use super::planes::{Run, activate, spread};
use super::strips::{Span, Strips};
use super::tile::{BLOCK, COLUMNS, Columns, Rows, STEP, Sums, block, multiply};

/// Channels written from which a panel pays.
const PANEL_CHANNELS: usize = 48;
/// Share of the positions, one in this many, that gaps between rows may waste.
const LEAST_COLUMNS: usize = 16;
/// Elements of a panel: half of the first cache.
const PANEL: usize = 64 * BLOCK;
/// Longest strip of a panel.
const LONGEST: usize = 256;
/// Longest strip without a panel.
const STRAIGHT: usize = 160;
/// Channels that a task computes at least.
const LEAST_CHANNELS: usize = 32;

/// One residue class of rows and columns of what is written. Its taps are the same cells in every
/// channel read.
#[derive(Debug)]
pub struct Phase<'a> {
    /// Shift down, shift right.
    pub cells: Vec<(usize, usize)>,
    /// A row of weights for every channel written, all equally long: from `first` on `[C_in, cells]`.
    pub weights: &'a [f32],
    /// Where the phase's weights begin in a row.
    pub first: usize,
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
    /// What becomes of a sum.
    pub after: After<'a>,
}

/// What becomes of a sum: `scale·sum + bias`, then SiLU if wanted. By default it stays what it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct After<'a> {
    /// By channel written; 1 if there is none.
    pub scale: Option<&'a [f32]>,
    /// By channel written; 0 if there is none.
    pub bias: Option<&'a [f32]>,
    /// Whether SiLU follows.
    pub silu: bool,
}

/// Fills planes `y` `[B, C, H, W]` from `x`: for every position and channel, the sum of weighted taps.
pub fn correlate(x: &[f32], field: Field, phases: &[Phase], target: &Target, y: &mut [f32]) {
    let tasks = parallel::tasks();
    if field.is_pointwise() && target.stride == 1 {
        // Rows mean nothing here; fewer of them are longer runs.
        let field = field.folded(tasks);
        let target = Target {
            height: field.height,
            width: field.width,
            ..*target
        };
        return divided(x, field, phases, &target, tasks, y);
    }
    divided(x, field, phases, target, tasks, y);
}

fn divided(
    x: &[f32],
    field: Field,
    phases: &[Phase],
    target: &Target,
    tasks: usize,
    y: &mut [f32],
) {
    let bands = field.bands(tasks, field.held());
    let lines = Lines::new(field, &bands);
    let parts = tasks
        .div_ceil(bands.len())
        .min(target.channels / LEAST_CHANNELS)
        .max(1);
    let share = target.channels.div_ceil(parts).next_multiple_of(STEP);
    let offsets: Vec<Vec<usize>> = phases
        .iter()
        .map(|phase| lines.taps(&phase.cells))
        .collect();
    let panel = field.is_pointwise()
        || field.columns < LEAST_COLUMNS
        || target.channels * target.stride.pow(2) > PANEL_CHANNELS;

    let mut tasks = vec![];
    for (band, pieces) in bands.iter().zip(pieces(y, &bands, &field, target)) {
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
    let taps: usize = offsets.iter().map(Vec::len).sum();
    let cost = bands[0].images * bands[0].rows * field.columns * share * taps / 8;
    parallel::for_each(tasks, cost, |(band, first, pieces)| {
        let task = Task {
            lines: &lines,
            band,
            phases,
            offsets: &offsets,
            target,
            first,
            channels: pieces.len() / band.images,
            panel,
            pieces,
        };
        task.run(x);
    });
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
    fn run(mut self, x: &[f32]) {
        let taps = self
            .offsets
            .iter()
            .map(Vec::len)
            .max()
            .unwrap_or(0)
            .clamp(1, BLOCK);
        let width = (PANEL / taps / COLUMNS * COLUMNS).clamp(2 * COLUMNS, LONGEST);
        let width = if self.panel { width } else { STRAIGHT };
        let (field, joined) = (&self.lines.field, self.target.stride == 1);
        let strips = if self.panel {
            Strips::compact(field, self.band, width, joined)
        } else {
            Strips::straight(field, self.band, width)
        };
        let places: Vec<usize> = (0..taps).map(|t| t * width).collect();
        let rows = self.phases.len() * self.channels;
        let sizes = [self.lines.size(), taps * width + STEP, rows * width];
        parallel::with_scratch(sizes, |[lines, panel, sums]| {
            let lines = self.lines.lay(x, self.band, lines);
            let panel = Panel::new(panel, &places);
            self.strips(&strips, lines, panel, sums, width);
        });
    }

    fn strips(
        &mut self,
        strips: &Strips,
        lines: &[f32],
        mut panel: Panel,
        sums: &mut [f32],
        width: usize,
    ) {
        let mut pieces = std::mem::take(&mut self.pieces);
        for strip in strips.iter() {
            let used = strip.last().map_or(0, |span| span.column + span.length);
            if self.panel {
                let place = |span: &Span| self.lines.place(self.band, *span);
                panel.turn(
                    strip
                        .iter()
                        .map(|span| (span.column, place(span), span.length)),
                );
            }
            let runs = Run::of(strip, self.target.width);
            if let ([run], 1, 0) = (&runs[..], self.target.stride, used % STEP) {
                // Sums go straight to the planes.
                let rows = &mut pieces[run.image * self.channels..][..self.channels];
                self.sum(0, lines, &mut panel, strip, rows, run.place);
                activate(rows, self.target, self.first, run.place, used);
                continue;
            }
            let mut rows: Vec<&mut [f32]> = sums.chunks_exact_mut(width).collect();
            for (phase, rows) in rows.chunks_exact_mut(self.channels).enumerate() {
                self.sum(phase, lines, &mut panel, strip, rows, 0);
            }
            activate(&mut rows, self.target, self.first, 0, used);
            if self.target.stride > 1 {
                spread(&rows, strip, self.target, self.channels, &mut pieces);
                continue;
            }
            for run in runs {
                let pieces = &mut pieces[run.image * self.channels..][..self.channels];
                for (piece, sums) in pieces.iter_mut().zip(&rows) {
                    piece[run.place..][..run.length]
                        .copy_from_slice(&sums[run.column..][..run.length]);
                }
            }
        }
    }

    /// Sums of a phase over one strip, into `out` from column `first` on.
    fn sum(
        &self,
        phase: usize,
        lines: &[f32],
        panel: &mut Panel,
        strip: &[Span],
        out: &mut [&mut [f32]],
        first: usize,
    ) {
        let width = strip.last().map_or(0, |span| span.column + span.length);
        let (phase, taps) = (&self.phases[phase], &self.offsets[phase]);
        if taps.is_empty() {
            for row in out {
                row[first..][..width].fill(0.0);
            }
            return;
        }
        let mut multiply = |columns: Columns, tap: usize| {
            let stride = phase.weights.len() / self.target.channels;
            let rows = Rows {
                values: &phase.weights[self.first * stride + phase.first + tap..],
                stride,
                count: self.channels,
            };
            let sums = Sums {
                rows: out,
                first,
                add: tap > 0,
            };
            multiply(rows, columns, sums);
        };
        if !self.panel {
            let columns = Columns {
                values: &lines[self.lines.place(self.band, strip[0])..],
                offsets: taps,
                width,
            };
            return multiply(columns, 0);
        }
        let length = block(taps.len());
        for (block, taps) in taps.chunks(length).enumerate() {
            panel.fill(lines, taps);
            let columns = Columns {
                values: panel.values,
                offsets: &panel.places[..taps.len()],
                width,
            };
            multiply(columns, block * length);
        }
    }
}
