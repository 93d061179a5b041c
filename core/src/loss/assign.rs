//! Target assignment: which anchors in which cells answer for which box (FACTS 3). Host arithmetic in
//! single precision, so that it is the same on every device.

use crate::data::Label;

/// How far into a neighbouring cell a box centre may lie for that neighbour to answer too.
const REACH: f32 = 0.5;

/// The matched rows of one scale, in the order offset → anchor → target.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Matches {
    /// Picture within the batch.
    pub picture: Vec<usize>,
    /// Anchor within the scale.
    pub anchor: Vec<usize>,
    /// Cell row.
    pub y: Vec<usize>,
    /// Cell column.
    pub x: Vec<usize>,
    /// Class.
    pub class: Vec<usize>,
    /// Box centre relative to the cell corner and size, in cells: `[dx, dy, w, h]`.
    pub boxes: Vec<[f32; 4]>,
}

impl Matches {
    /// Number of matched rows.
    pub fn len(&self) -> usize {
        self.picture.len()
    }

    /// Whether nothing matched.
    pub fn is_empty(&self) -> bool {
        self.picture.is_empty()
    }
}

/// Matches `targets` to a scale with `anchors` in cells and a grid of `[height, width]` cells. A box
/// and an anchor match when neither side differs by `anchor_t` times or more.
pub fn assign(
    targets: &[(usize, Label)],
    anchors: &[[f32; 2]],
    grid: [usize; 2],
    anchor_t: f32,
) -> Matches {
    let [height, width] = grid;
    let (gain_x, gain_y) = (width as f32, height as f32);
    let mut rows = Vec::new();
    for (anchor, &[anchor_w, anchor_h]) in anchors.iter().enumerate() {
        for &(picture, label) in targets {
            let [cx, cy, w, h] = label.cxcywh;
            let scaled = [cx * gain_x, cy * gain_y, w * gain_x, h * gain_y];
            let (rw, rh) = (scaled[2] / anchor_w, scaled[3] / anchor_h);
            if rw.max(1.0 / rw).max(rh.max(1.0 / rh)) < anchor_t {
                rows.push((anchor, picture, label.class, scaled));
            }
        }
    }

    let near = |position: f32| position % 1.0 < REACH && position > 1.0;
    // own, left, up, right, down
    let offsets: [([f32; 2], &dyn Fn(f32, f32) -> bool); 5] = [
        ([0.0, 0.0], &|_, _| true),
        ([REACH, 0.0], &|x, _| near(x)),
        ([0.0, REACH], &|_, y| near(y)),
        ([-REACH, 0.0], &|x, _| near(gain_x - x)),
        ([0.0, -REACH], &|_, y| near(gain_y - y)),
    ];
    let mut matches = Matches::default();
    for ([dx, dy], answers) in offsets {
        for &(anchor, picture, class, [cx, cy, w, h]) in &rows {
            if !answers(cx, cy) {
                continue;
            }
            let x = ((cx - dx) as i64).clamp(0, width as i64 - 1) as usize;
            let y = ((cy - dy) as i64).clamp(0, height as i64 - 1) as usize;
            matches.picture.push(picture);
            matches.anchor.push(anchor);
            matches.y.push(y);
            matches.x.push(x);
            matches.class.push(class);
            matches.boxes.push([cx - x as f32, cy - y as f32, w, h]);
        }
    }
    matches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(cx: f32, cy: f32) -> Vec<(usize, Label)> {
        vec![(
            0,
            Label {
                class: 1,
                cxcywh: [cx, cy, 0.25, 0.25],
            },
        )]
    }

    #[test]
    fn a_centre_left_of_the_middle_also_asks_the_left_neighbour() {
        let found = assign(&one(0.53, 0.55), &[[1.0, 1.0]], [4, 4], 4.0);
        assert_eq!(found.x, [2, 1, 2]);
        assert_eq!(found.y, [2, 2, 1]);
    }

    #[test]
    fn a_box_four_times_the_anchor_is_no_match() {
        assert!(assign(&one(0.5, 0.5), &[[0.25, 0.25]], [4, 4], 4.0).is_empty());
        assert!(!assign(&one(0.5, 0.5), &[[0.26, 0.26]], [4, 4], 4.0).is_empty());
    }

    #[test]
    fn the_last_cell_stays_inside_the_grid() {
        let found = assign(&one(1.0, 1.0), &[[1.0, 1.0]], [4, 4], 4.0);
        assert!(found.x.iter().chain(&found.y).all(|&cell| cell < 4));
    }
}
