//! The blocks, and what stands beside them: bands of one resolution, and the three shores.

use super::{Flow, Point, Rect};
use crate::scene::Network;

/// Space between modules.
pub(super) const GAP: f64 = 4.0;
/// Space between backbone, neck and Detect; down, their names stand in it.
const SHORE_GAP: f64 = 24.0;
const SHORE_GAP_DOWN: f64 = 34.0;

/// Height of the picture that flows across: the handle, curves, blocks, curves, labels.
pub(super) const ACROSS_HEIGHT: f64 = 424.0;
/// The middle of the blocks in the picture that flows across.
const AXIS: f64 = 200.0;
/// Heights of blocks that flow across.
const TALLEST: f64 = 168.0;
const SHORTEST: f64 = 66.0;
const WITHOUT_PARAMETERS: f64 = 58.0;
/// Least length of a block along the flow. Across, a word must fit; down, a finger.
const LEAST_ACROSS: f64 = 36.0;
const LEAST_DOWN: f64 = 30.0;
/// What the work is shared out of in the picture that flows down.
const WORK_DOWN: f64 = 170.0;
/// Room before the first block: for the picture that flows in, and the frost line at 0.
const START: f64 = 42.0;
const DOWN_START: f64 = 52.0;
pub(super) const DOWN_END: f64 = 12.0;
/// Room for curves beside the blocks in the picture that flows down.
const LEFT: f64 = 36.0;
const RIGHT: f64 = 42.0;
/// Least length of a bar in the picture that flows down, so that number and kind stand on it.
const LEAST_BAR: f64 = 106.0;

/// Parameter counts between which blocks grow, on a log scale: below the smallest module of the
/// smallest network, and above the largest of the largest.
const FEWEST: f64 = 1.0e3;
const MOST: f64 = 2.5e7;

/// One module.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// What is drawn.
    pub rect: Rect,
    /// What may be clicked; in the picture that flows across it is what is drawn.
    pub slot: Rect,
}

impl Block {
    /// Where it begins and ends along the flow.
    pub fn along(&self, flow: Flow) -> (f64, f64) {
        match flow {
            Flow::Across => (self.slot.x, self.slot.right()),
            Flow::Down => (self.slot.y, self.slot.bottom()),
        }
    }

    /// Where curves on one side (above, or left) and the other (below, or right) leave it.
    pub fn ends(&self, flow: Flow) -> [Point; 2] {
        let Point { x, y } = self.slot.centre();
        match flow {
            Flow::Across => [self.slot.y, self.slot.bottom()].map(|y| Point { x, y }),
            Flow::Down => [self.slot.x, self.slot.right()].map(|x| Point { x, y }),
        }
    }
}

/// A run of neighbouring modules whose outputs have the same height and width.
#[derive(Debug, Clone, PartialEq)]
pub struct Band {
    /// `80×80`; empty for Detect, whose outputs differ.
    pub label: String,
    /// Where it begins along the picture that flows across.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
}

/// Backbone, neck or Detect.
#[derive(Debug, Clone, PartialEq)]
pub struct Shore {
    /// The first module.
    pub first: usize,
    /// The last module.
    pub last: usize,
    /// What its blocks cover.
    pub rect: Rect,
}

/// How tall a block is for a parameter count, 0 to 1, on a log scale.
fn tallness(parameters: u64) -> f64 {
    let log = |count: f64| count.max(1.0).ln();
    ((log(parameters as f64) - log(FEWEST)) / (log(MOST) - log(FEWEST))).clamp(0.0, 1.0)
}

pub(super) fn place(network: &Network, flow: Flow, width: f64) -> Vec<Block> {
    let count = network.rows().len();
    let shores = crate::edit::shores(&network.architecture);
    let gap_before = |module: usize| match module {
        0 => 0.0,
        m if shores.iter().any(|(first, _)| *first == m) => match flow {
            Flow::Across => SHORE_GAP,
            Flow::Down => SHORE_GAP_DOWN,
        },
        _ => GAP,
    };
    let gaps: f64 = (0..count).map(gap_before).sum();
    let (mut at, least, work) = match flow {
        Flow::Across => {
            let free = width - START - gaps - LEAST_ACROSS * count as f64 - 2.0;
            (START, LEAST_ACROSS, free.max(0.0))
        }
        Flow::Down => (DOWN_START, LEAST_DOWN, WORK_DOWN),
    };
    (network.modules.iter().enumerate())
        .map(|(module, cost)| {
            at += gap_before(module);
            let length = least + work * network.share(module);
            let start = at;
            at += length;
            let tallness = tallness(cost.parameters);
            match flow {
                Flow::Across => {
                    let height = match cost.parameters {
                        0 => WITHOUT_PARAMETERS,
                        _ => SHORTEST + (TALLEST - SHORTEST) * tallness,
                    };
                    let rect = Rect {
                        x: start,
                        y: AXIS - height / 2.0,
                        width: length,
                        height,
                    };
                    Block { rect, slot: rect }
                }
                Flow::Down => {
                    let room = (width - LEFT - RIGHT).max(0.0);
                    let slot = Rect {
                        x: LEFT,
                        y: start,
                        width: room,
                        height: length,
                    };
                    Block {
                        rect: Rect {
                            width: LEAST_BAR.min(room) + (room - LEAST_BAR).max(0.0) * tallness,
                            ..slot
                        },
                        slot,
                    }
                }
            }
        })
        .collect()
}

/// The runs of modules whose outputs have the same size.
pub(super) fn bands(network: &Network, blocks: &[Block]) -> Vec<Band> {
    let sizes: Vec<Option<[usize; 2]>> = (network.modules.iter())
        .map(|module| match module.outputs[..] {
            [[_, height, width]] => Some([height, width]),
            _ => None,
        })
        .collect();
    let mut module = 0;
    let mut bands = Vec::new();
    for run in sizes.chunk_by(|a, b| a == b) {
        let (first, last) = (module, module + run.len() - 1);
        module += run.len();
        if let (Some(first), Some(last)) = (blocks.get(first), blocks.get(last)) {
            let label = run[0].map(|[height, width]| format!("{height}×{width}"));
            bands.push(Band {
                label: label.unwrap_or_default(),
                from: first.rect.x,
                to: last.rect.right(),
            });
        }
    }
    bands
}

/// What the blocks of each shore cover.
pub(super) fn shore_places(shores: [(usize, usize); 3], blocks: &[Block]) -> Vec<Shore> {
    (shores.into_iter())
        .filter_map(|(first, last)| {
            let covered = blocks.get(first..=last)?;
            let (a, b) = (&covered.first()?.slot, &covered.last()?.slot);
            let top = covered
                .iter()
                .map(|b| b.slot.y)
                .fold(f64::INFINITY, f64::min);
            let bottom = covered.iter().map(|b| b.slot.bottom()).fold(0.0, f64::max);
            Some(Shore {
                first,
                last,
                rect: Rect {
                    x: a.x,
                    y: top,
                    width: b.right() - a.x,
                    height: bottom - top,
                },
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tallness_grows_with_the_logarithm() {
        assert!(tallness(0) == 0.0 && tallness(500) == 0.0);
        let steps = [1_000, 10_000, 100_000].map(tallness);
        assert!((steps[2] - 2.0 * steps[1]).abs() < 1e-9);
        assert!((tallness(25_000_000) - 1.0).abs() < 1e-9);
    }
}
