//! Boxes, and what a hand or a key does to them.

use serde::{Deserialize, Serialize};

/// The least side of a box in pixels of its picture.
const LEAST_PX: f32 = 2.0;

/// A box around something.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LabelBox {
    /// Class index.
    pub class: usize,
    /// Centre and size as fractions of the picture.
    pub cxcywh: [f32; 4],
}

impl LabelBox {
    /// A box between two opposite corners in pixels, cut at the picture's edge; at least two pixels wide and high.
    pub fn between(class: usize, [ax, ay]: [f32; 2], [bx, by]: [f32; 2], size: [u32; 2]) -> Self {
        let [width, height] = size.map(|side| side as f32);
        let span = |a: f32, b: f32, side: f32| {
            let (low, high) = (a.min(b).clamp(0.0, side), a.max(b).clamp(0.0, side));
            let least = LEAST_PX.min(side);
            let low = low.min(side - least);
            (low, high.max(low + least))
        };
        let ((left, right), (top, bottom)) = (span(ax, bx, width), span(ay, by, height));
        Self {
            class,
            cxcywh: [
                (left + right) / 2.0 / width,
                (top + bottom) / 2.0 / height,
                (right - left) / width,
                (bottom - top) / height,
            ],
        }
    }

    /// Corners `[left, top, right, bottom]` in pixels.
    pub fn corners(&self, size: [u32; 2]) -> [f32; 4] {
        let [width, height] = size.map(|side| side as f32);
        let [cx, cy, w, h] = self.cxcywh;
        [
            (cx - w / 2.0) * width,
            (cy - h / 2.0) * height,
            (cx + w / 2.0) * width,
            (cy + h / 2.0) * height,
        ]
    }

    /// Moved by pixels, as far as the picture goes.
    pub fn moved(&self, [dx, dy]: [f32; 2], size: [u32; 2]) -> Self {
        let [left, top, right, bottom] = self.corners(size);
        let [width, height] = size.map(|side| side as f32);
        let dx = dx.clamp(-left.max(0.0), (width - right).max(0.0));
        let dy = dy.clamp(-top.max(0.0), (height - bottom).max(0.0));
        Self::between(
            self.class,
            [left + dx, top + dy],
            [right + dx, bottom + dy],
            size,
        )
    }

    /// Its right and lower edge moved by pixels, as far as the picture goes.
    pub fn resized(&self, [dw, dh]: [f32; 2], size: [u32; 2]) -> Self {
        let [left, top, right, bottom] = self.corners(size);
        let right = (right + dw).max(left + LEAST_PX);
        let bottom = (bottom + dh).max(top + LEAST_PX);
        Self::between(self.class, [left, top], [right, bottom], size)
    }

    /// Whether a point in pixels lies in it.
    pub fn holds(&self, [x, y]: [f32; 2], size: [u32; 2]) -> bool {
        let [left, top, right, bottom] = self.corners(size);
        (left..=right).contains(&x) && (top..=bottom).contains(&y)
    }

    /// Its area in pixels.
    pub fn area(&self, size: [u32; 2]) -> f32 {
        let [left, top, right, bottom] = self.corners(size);
        (right - left) * (bottom - top)
    }

    /// Whether it is a box at all.
    pub fn is_box(&self) -> bool {
        let [.., w, h] = self.cxcywh;
        self.cxcywh.iter().all(|side| (0.0..=1.0).contains(side)) && w > 0.0 && h > 0.0
    }
}
