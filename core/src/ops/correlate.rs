//! Sums of shifted lines, tile by tile: what a convolution and its input's gradient both are.
//!
//! For every tile of positions and every block of taps, the taps' values are brought together in a
//! panel that stays in the first cache while all rows of weights pass by. Where rows are few, the
//! copy would cost more than it saves, and the tile reads the lines themselves.

use super::lanes::{self, Kernel, mul_add};
use super::padded::{Band, Field, Lines, Span, Strips};
use super::parallel;
use super::silu::sigmoid;
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
        let strips = if self.panel {
            self.lines.strips(self.band, width, self.target.stride == 1)
        } else {
            self.lines.straight_strips(self.band, width)
        };
        let places: Vec<usize> = (0..taps).map(|t| t * width).collect();
        let rows = self.phases.len() * self.channels;
        let sizes = [self.lines.size(), taps * width + STEP, rows * width];
        parallel::with_scratch(sizes, |[lines, panel, sums]| {
            let source = Source {
                values: self.lines.lay(x, self.band, lines),
                panel,
                places: &places,
                copies: vec![],
            };
            self.strips(&strips, source, sums, width);
        });
    }

    fn strips(&mut self, strips: &Strips, mut source: Source, sums: &mut [f32], width: usize) {
        let mut pieces = std::mem::take(&mut self.pieces);
        for strip in strips.iter() {
            let used = strip.last().map_or(0, |span| span.column + span.length);
            if self.panel {
                self.copies(strip, &mut source.copies);
            }
            let runs = self.runs(strip);
            if let ([run], 1, 0) = (&runs[..], self.target.stride, used % STEP) {
                // Sums go straight to the planes.
                let rows = &mut pieces[run.image * self.channels..][..self.channels];
                self.sum(0, &mut source, strip, used, rows, run.place);
                self.activate(rows, run.place, used);
                continue;
            }
            let mut rows: Vec<&mut [f32]> = sums.chunks_exact_mut(width).collect();
            for (phase, rows) in rows.chunks_exact_mut(self.channels).enumerate() {
                self.sum(phase, &mut source, strip, used, rows, 0);
            }
            self.activate(&mut rows, 0, used);
            if self.target.stride > 1 {
                lanes::run(Spread {
                    target: self.target,
                    strip,
                    sums: &rows,
                    channels: self.channels,
                    pieces: &mut pieces,
                });
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

    /// What of a strip's sums lies side by side in the planes too.
    fn runs(&self, strip: &[Span]) -> Vec<Run> {
        let mut runs: Vec<Run> = vec![];
        for span in strip {
            let place = span.row * self.target.width + span.first;
            match runs.last_mut() {
                Some(run)
                    if run.image == span.image
                        && run.place + run.length == place
                        && run.column + run.length == span.column =>
                {
                    run.length += span.length;
                }
                _ => runs.push(Run {
                    column: span.column,
                    image: span.image,
                    place,
                    length: span.length,
                }),
            }
        }
        runs
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

    /// Sums of a phase over one strip, into `out` from column `first` on.
    fn sum(
        &self,
        phase: usize,
        source: &mut Source,
        strip: &[Span],
        width: usize,
        out: &mut [&mut [f32]],
        first: usize,
    ) {
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
                values: &source.values[self.lines.place(self.band, strip[0])..],
                offsets: taps,
                width,
            };
            return multiply(columns, 0);
        }
        let length = block(taps.len());
        for (block, taps) in taps.chunks(length).enumerate() {
            source.fill(taps);
            let columns = Columns {
                values: source.panel,
                offsets: &source.places[..taps.len()],
                width,
            };
            multiply(columns, block * length);
        }
    }

    /// Scale, bias and SiLU of columns `first..first + width` of all channels.
    fn activate(&self, rows: &mut [&mut [f32]], first: usize, width: usize) {
        let After { scale, bias, silu } = self.target.after;
        if scale.is_none() && bias.is_none() && !silu {
            return;
        }
        for (c, row) in rows.iter_mut().enumerate() {
            lanes::run(Activate {
                sums: &mut row[first..][..width],
                scale: scale.map_or(1.0, |scale| scale[self.first + c]),
                bias: bias.map_or(0.0, |bias| bias[self.first + c]),
                silu,
            });
        }
    }
}

/// Sums that lie side by side in a strip and in a plane.
struct Run {
    /// First column in the strip.
    column: usize,
    /// Picture within the band.
    image: usize,
    /// First pixel in the band's piece of the plane.
    place: usize,
    length: usize,
}

/// Where a strip's factors come from.
struct Source<'a> {
    /// The band's lines.
    values: &'a [f32],
    /// The values of a block of taps for a strip, tap by tap, with room for a copy that ends late.
    panel: &'a mut [f32],
    /// Where the taps begin in the panel.
    places: &'a [usize],
    /// Column in the panel and place in the lines.
    copies: Vec<(usize, usize)>,
}

impl Source<'_> {
    fn fill(&mut self, taps: &[usize]) {
        lanes::run(Fill {
            panel: self.panel,
            places: self.places,
            lines: self.values,
            taps,
            copies: &self.copies,
        });
    }
}

/// Takes the sums of all phases to the pixels between which they lie.
struct Spread<'a, 'b> {
    target: &'a Target<'a>,
    strip: &'a [Span],
    /// Phase by phase, channel by channel.
    sums: &'a [&'a mut [f32]],
    channels: usize,
    pieces: &'a mut [&'b mut [f32]],
}

impl Kernel for Spread<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let (s, columns) = (self.target.stride, self.target.width);
        for c in 0..self.channels {
            for span in self.strip {
                let piece = &mut self.pieces[span.image * self.channels + c];
                for a in 0..s {
                    let row = (span.row * s + a) * columns;
                    // The last pixels may have no row or column of their own.
                    let Some(row) = piece.get_mut(row..row + columns) else {
                        continue;
                    };
                    let row = &mut row[span.first * s..];
                    let sums = |b: usize| {
                        let sums = &self.sums[(a * s + b) * self.channels + c];
                        &sums[span.column..][..span.length]
                    };
                    if s == 2 {
                        weave(row, sums(0), sums(1));
                        continue;
                    }
                    for b in 0..s {
                        for (target, sum) in row.iter_mut().skip(b).step_by(s).zip(sums(b)) {
                            *target = *sum;
                        }
                    }
                }
            }
        }
    }
}

/// `target[2i] = even[i]`, `target[2i + 1] = odd[i]`, as far as the target reaches.
#[inline(always)]
fn weave(target: &mut [f32], even: &[f32], odd: &[f32]) {
    let (pairs, rest) = target.as_chunks_mut::<2>();
    let count = pairs.len();
    for (pair, (even, odd)) in pairs.iter_mut().zip(even.iter().zip(odd)) {
        *pair = [*even, *odd];
    }
    if let (Some(last), Some(even)) = (rest.first_mut(), even.get(count)) {
        *last = *even;
    }
}

/// Bias and SiLU.
struct Activate<'a> {
    sums: &'a mut [f32],
    scale: f32,
    bias: f32,
    silu: bool,
}

impl Kernel for Activate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for sum in self.sums {
            let u = mul_add::<FMA>(self.scale, *sum, self.bias);
            *sum = if self.silu { u * sigmoid::<FMA>(u) } else { u };
        }
    }
}

/// Brings the taps' values of one strip to the panel.
struct Fill<'a> {
    panel: &'a mut [f32],
    places: &'a [usize],
    lines: &'a [f32],
    taps: &'a [usize],
    copies: &'a [(usize, usize)],
}

impl Kernel for Fill<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (&tap, &place) in self.taps.iter().zip(self.places) {
            let target = &mut self.panel[place..];
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
