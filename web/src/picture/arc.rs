//! Edges that pass over other modules: skips and Detect's inputs, as curves on either side.

use super::{Block, Flow, Point};
use crate::scene::Network;

/// Distance between nested curves, and from the blocks to the first.
const LANE: f64 = 24.0;
const LANE_DOWN: f64 = 13.0;
const FIRST_LANE: f64 = 20.0;
const FIRST_LANE_DOWN: f64 = 14.0;
/// How far along the flow a curve needs to bend.
const BEND: f64 = 40.0;
const BEND_DOWN: f64 = 18.0;
/// Distance of the ends of curves that meet at one block.
const SPREAD: f64 = 9.0;
const SPREAD_DOWN: f64 = 7.0;

/// The side of the flow that a curve runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Above, or left of a network that flows down.
    First,
    /// Below, or right.
    Second,
}

/// An edge from a module to a later one that is not the next.
#[derive(Debug, Clone, PartialEq)]
pub struct Arc {
    /// The module that is read.
    pub from: usize,
    /// The module that reads it.
    pub to: usize,
    /// Where it runs.
    pub side: Side,
    /// How many curves it encloses, plus one.
    pub level: usize,
    flow: Flow,
    start: Point,
    end: Point,
    /// The place across the flow where it runs straight.
    lane: f64,
}

/// Routes all edges that pass over other modules. A curve runs on the first side unless it would
/// cross another there, and encloses what lies within it.
pub(super) fn route(network: &Network, flow: Flow, blocks: &[Block]) -> Vec<Arc> {
    let mut edges: Vec<(usize, usize)> = (network.rows().iter())
        .flat_map(|module| module.from.iter().map(|&from| (from, module.index)))
        .filter(|(from, to)| from + 1 < *to)
        .collect();
    // The widest first, so that what it encloses goes to the same side.
    edges.sort_by_key(|(from, to)| (*from, usize::MAX - to));
    let mut routed: Vec<(usize, usize, Side)> = Vec::new();
    for (from, to) in edges {
        let crosses =
            |side| (routed.iter()).any(|&(f, t, s)| s == side && f < from && from < t && t < to);
        let side = if crosses(Side::First) {
            Side::Second
        } else {
            Side::First
        };
        routed.push((from, to, side));
    }
    let outermost = |side: usize| {
        let ends = blocks.iter().map(|block| {
            let end = block.ends(flow)[side];
            if flow == Flow::Across { end.y } else { end.x }
        });
        if side == 0 {
            ends.fold(f64::INFINITY, f64::min)
        } else {
            ends.fold(0.0, f64::max)
        }
    };
    (routed.iter())
        .filter_map(|&(from, to, side)| {
            let level = level(&routed, (from, to, side));
            let index = side as usize;
            let outwards = if side == Side::First { -1.0 } else { 1.0 };
            let (lane, first, spread) = match flow {
                Flow::Across => (LANE, FIRST_LANE, SPREAD),
                Flow::Down => (LANE_DOWN, FIRST_LANE_DOWN, SPREAD_DOWN),
            };
            let lane = outermost(index) + outwards * (first + lane * (level - 1) as f64);
            // Where several curves meet at one block, the outer one ends further on.
            let meeting = routed
                .iter()
                .filter(|(_, t, s)| *t == to && *s == side)
                .count();
            let shift = (level as f64 - 1.0 - (meeting as f64 - 1.0) / 2.0) * spread;
            let start = blocks.get(from)?.ends(flow)[index];
            let mut end = blocks.get(to)?.ends(flow)[index];
            if meeting > 1 {
                match flow {
                    Flow::Across => end.x += shift,
                    Flow::Down => end.y += shift,
                }
            }
            Some(Arc {
                from,
                to,
                side,
                level,
                flow,
                start,
                end,
                lane,
            })
        })
        .collect()
}

fn level(routed: &[(usize, usize, Side)], arc: (usize, usize, Side)) -> usize {
    let (from, to, side) = arc;
    let within = routed
        .iter()
        .filter(|&&(f, t, s)| s == side && from <= f && t <= to && (f, t) != (from, to));
    1 + within.map(|&inner| level(routed, inner)).max().unwrap_or(0)
}

impl Arc {
    /// The path's `d`.
    pub fn path(&self) -> String {
        let [a, b] = self.bends();
        let point = |p: Point| format!("{:.1} {:.1}", p.x, p.y);
        format!(
            "M{} C{} {} {} L{} C{} {} {}",
            point(a[0]),
            point(a[1]),
            point(a[2]),
            point(a[3]),
            point(b[0]),
            point(b[1]),
            point(b[2]),
            point(b[3]),
        )
    }

    /// Where it is at a place along the flow; `None` where it is not.
    pub fn at(&self, along: f64) -> Option<Point> {
        let [a, b] = self.bends();
        let place = |p: Point| if self.flow == Flow::Across { p.x } else { p.y };
        if along < place(a[0]) || along > place(b[3]) {
            return None;
        }
        let straight = match self.flow {
            Flow::Across => Point {
                x: along,
                y: self.lane,
            },
            Flow::Down => Point {
                x: self.lane,
                y: along,
            },
        };
        let bend = match along {
            _ if along < place(a[3]) => a,
            _ if along > place(b[0]) => b,
            _ => return Some(straight),
        };
        // A bend only goes forwards, so halving finds the place.
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..30 {
            let t = f64::midpoint(low, high);
            if place(cubic(&bend, t)) < along {
                low = t;
            } else {
                high = t;
            }
        }
        Some(cubic(&bend, low))
    }

    /// The bend out of the first block into the lane, and the one from the lane into the second.
    fn bends(&self) -> [[Point; 4]; 2] {
        let (start, end) = (self.start, self.end);
        match self.flow {
            Flow::Across => {
                let y = self.lane;
                let bend = BEND.min((end.x - start.x) / 2.0);
                let p = |x, y| Point { x, y };
                [
                    [
                        start,
                        p(start.x, f64::midpoint(start.y, y) + (y - start.y) * 0.2),
                        p(start.x + bend * 0.3, y),
                        p(start.x + bend, y),
                    ],
                    [
                        p(end.x - bend, y),
                        p(end.x - bend * 0.3, y),
                        p(end.x, f64::midpoint(end.y, y) + (y - end.y) * 0.2),
                        end,
                    ],
                ]
            }
            Flow::Down => {
                let x = self.lane;
                let bend = BEND_DOWN.min((end.y - start.y) / 2.0);
                let p = |x, y| Point { x, y };
                [
                    [
                        start,
                        p(f64::midpoint(start.x, x) + (x - start.x) * 0.2, start.y),
                        p(x, start.y + bend * 0.3),
                        p(x, start.y + bend),
                    ],
                    [
                        p(x, end.y - bend),
                        p(x, end.y - bend * 0.3),
                        p(f64::midpoint(end.x, x) + (x - end.x) * 0.2, end.y),
                        end,
                    ],
                ]
            }
        }
    }
}

fn cubic(p: &[Point; 4], t: f64) -> Point {
    let u = 1.0 - t;
    let weights = [u * u * u, 3.0 * u * u * t, 3.0 * u * t * t, t * t * t];
    let sum = |of: fn(&Point) -> f64| p.iter().zip(weights).map(|(p, w)| of(p) * w).sum();
    Point {
        x: sum(|p| p.x),
        y: sum(|p| p.y),
    }
}
