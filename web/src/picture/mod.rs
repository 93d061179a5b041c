//! The picture of the network as numbers: where each block, curve and stop lies, in CSS pixels.
//!
//! A network flows *across* a wide screen (left to right) or *down* a phone (top to bottom). Along the
//! flow a block is as long as its share of the work; across it, as its parameter count on a log scale.

mod arc;
mod blocks;

pub use arc::{Arc, Side};
pub use blocks::{Band, Block, Shore};

use crate::edit::{shores, stops};
use crate::scene::Network;

/// Which way the network flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Left to right.
    Across,
    /// Top to bottom.
    Down,
}

impl Flow {
    /// The least width in pixels in which 25 blocks stand beside each other and can be read.
    const LEAST_ACROSS: f64 = 1150.0;

    /// The flow that suits a width.
    pub fn of_width(width: f64) -> Self {
        if width >= Self::LEAST_ACROSS {
            Self::Across
        } else {
            Self::Down
        }
    }
}

/// A point.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs)]
pub struct Point {
    pub x: f64,
    pub y: f64,
}

/// A rectangle.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs)]
pub struct Rect {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

impl Rect {
    /// The x of the right side.
    pub fn right(&self) -> f64 {
        self.x + self.width
    }

    /// The y of the lower side.
    pub fn bottom(&self) -> f64 {
        self.y + self.height
    }

    /// The middle.
    pub fn centre(&self) -> Point {
        Point {
            x: self.x + self.width / 2.0,
            y: self.y + self.height / 2.0,
        }
    }
}

/// Where everything lies.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// Which way it flows.
    pub flow: Flow,
    /// Width in pixels.
    pub width: f64,
    /// Height in pixels.
    pub height: f64,
    /// The modules.
    pub blocks: Vec<Block>,
    /// Edges that pass over other modules.
    pub arcs: Vec<Arc>,
    /// Runs of modules with the same output size.
    pub bands: Vec<Band>,
    /// Backbone, neck, Detect.
    pub shores: Vec<Shore>,
    /// Where the frost line can stand: leading modules, and the place along the flow.
    pub stops: Vec<(usize, f64)>,
}

impl Picture {
    /// Lays out a network in a width in pixels.
    pub fn new(network: &Network, width: f64) -> Self {
        let flow = Flow::of_width(width);
        let blocks = blocks::place(network, flow, width);
        let arcs = arc::route(network, flow, &blocks);
        let height = match flow {
            Flow::Across => blocks::ACROSS_HEIGHT,
            Flow::Down => blocks.last().map_or(0.0, |b| b.slot.bottom()) + blocks::DOWN_END,
        };
        let before = |module: usize| match (module.checked_sub(1), blocks.get(module)) {
            (None, Some(first)) => first.along(flow).0 - blocks::GAP / 2.0 - 2.0,
            // Down, names of shores stand before the line.
            (Some(_), Some(next)) if flow == Flow::Down => next.along(flow).0 - blocks::GAP / 2.0,
            (Some(last), Some(next)) => {
                let last = blocks.get(last).map_or(0.0, |b| b.along(flow).1);
                f64::midpoint(last, next.along(flow).0)
            }
            _ => 0.0,
        };
        let stops = stops(&network.architecture);
        Self {
            bands: blocks::bands(network, &blocks),
            shores: blocks::shore_places(shores(&network.architecture), &blocks),
            stops: stops.into_iter().map(|stop| (stop, before(stop))).collect(),
            flow,
            width,
            height,
            blocks,
            arcs,
        }
    }

    /// The place of a stop along the flow.
    pub fn place(&self, stop: usize) -> f64 {
        let found = self
            .stops
            .iter()
            .find(|(s, _)| *s >= stop)
            .or(self.stops.last());
        found.map_or(0.0, |(_, place)| *place)
    }
}

#[cfg(test)]
mod tests;
