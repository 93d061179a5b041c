//! Sums on their way from a strip to the planes: scale, bias and SiLU while they are in cache, then their places.

use super::correlate::{After, Target};
use super::lanes::{self, Kernel, mul_add};
use super::silu::sigmoid;
use super::strips::Span;

/// Sums that lie side by side in a strip and in a plane.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// First column in the strip.
    pub column: usize,
    /// Picture within the band.
    pub image: usize,
    /// First pixel in the band's piece of the plane.
    pub place: usize,
    /// Sums.
    pub length: usize,
}

impl Run {
    /// The runs of a strip, in planes with rows of `columns` pixels.
    pub fn of(strip: &[Span], columns: usize) -> Vec<Self> {
        let mut runs: Vec<Self> = vec![];
        for span in strip {
            let place = span.row * columns + span.first;
            match runs.last_mut() {
                Some(run)
                    if run.image == span.image
                        && run.place + run.length == place
                        && run.column + run.length == span.column =>
                {
                    run.length += span.length;
                }
                _ => runs.push(Self {
                    column: span.column,
                    image: span.image,
                    place,
                    length: span.length,
                }),
            }
        }
        runs
    }
}

/// Scale, bias and SiLU of columns `first..first + width` of the channels from `channel` on.
pub fn activate(
    rows: &mut [&mut [f32]],
    target: &Target,
    channel: usize,
    first: usize,
    width: usize,
) {
    let After { scale, bias, silu } = target.after;
    if scale.is_none() && bias.is_none() && !silu {
        return;
    }
    for (c, row) in rows.iter_mut().enumerate() {
        lanes::run(Activate {
            sums: &mut row[first..][..width],
            scale: scale.map_or(1.0, |scale| scale[channel + c]),
            bias: bias.map_or(0.0, |bias| bias[channel + c]),
            silu,
        });
    }
}

/// Takes the sums of all phases, phase by phase and channel by channel, to the pixels between which they lie
/// in `pieces` of the planes, picture by picture and channel by channel.
pub fn spread(
    sums: &[&mut [f32]],
    strip: &[Span],
    target: &Target,
    channels: usize,
    pieces: &mut [&mut [f32]],
) {
    lanes::run(Spread {
        target,
        strip,
        sums,
        channels,
        pieces,
    });
}

struct Spread<'a, 'b, 'c> {
    target: &'a Target<'a>,
    strip: &'a [Span],
    sums: &'a [&'c mut [f32]],
    channels: usize,
    pieces: &'a mut [&'b mut [f32]],
}

impl Kernel for Spread<'_, '_, '_> {
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

/// Scale, bias and SiLU.
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
