//! What a block of taps reads at a strip's positions, brought together tap by tap.
//!
//! A panel is small enough for the first cache and stays there while all rows of weights pass by.

use super::lanes::{self, Kernel};
use super::tile::STEP;

/// Room for the values of some taps, and what comes there from where.
#[derive(Debug)]
pub struct Panel<'a> {
    /// Tap by tap, with room for a copy that ends late.
    pub values: &'a mut [f32],
    /// Where the taps begin.
    pub places: &'a [usize],
    /// Column, and place in the lines.
    copies: Vec<(usize, usize)>,
}

impl<'a> Panel<'a> {
    /// A panel in some room.
    pub fn new(values: &'a mut [f32], places: &'a [usize]) -> Self {
        Self {
            values,
            places,
            copies: vec![],
        }
    }

    /// Turns to the next strip: its parts `(first column, place in the lines, length)`.
    pub fn turn(&mut self, parts: impl Iterator<Item = (usize, usize, usize)>) {
        self.copies.clear();
        // Copies are all equally long; in this order each overwrites what the one before copied in excess.
        for (column, place, length) in parts {
            let steps = (0..length).step_by(STEP);
            self.copies.extend(steps.map(|i| (column + i, place + i)));
        }
    }

    /// Brings together what `taps` read in `lines`.
    pub fn fill(&mut self, lines: &[f32], taps: &[usize]) {
        lanes::run(Fill {
            panel: self.values,
            places: self.places,
            lines,
            taps,
            copies: &self.copies,
        });
    }
}

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
