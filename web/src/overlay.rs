//! Where boxes and planes lie on a picture that is shown, and what of a plane is the picture's.

use crate::messages::FoundBox;

/// Planes that are shown until a person asks for all.
pub const FIRST_PLANES: usize = 32;
/// How far down a picture, as a fraction, a box begins below which its label stands above it.
const LABEL_ROOM: f64 = 0.08;

/// A box on a picture in per cent of the picture's sides, and whether its label has room above it.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs)]
pub struct Place {
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
    pub label_above: bool,
}

/// Where a box lies on a picture of a size `[w, h]` in pixels; what sticks out is cut off.
pub fn place(found: &FoundBox, size: [u32; 2]) -> Place {
    let [width, height] = size.map(|side| f64::from(side.max(1)));
    let [x1, y1, x2, y2] = found.xyxy.map(f64::from);
    let (left, right) = (x1.clamp(0.0, width), x2.clamp(0.0, width));
    let (top, bottom) = (y1.clamp(0.0, height), y2.clamp(0.0, height));
    Place {
        left: left * 100.0 / width,
        top: top * 100.0 / height,
        width: (right - left).max(0.0) * 100.0 / width,
        height: (bottom - top).max(0.0) * 100.0 / height,
        label_above: top / height >= LABEL_ROOM,
    }
}

/// A size `[w, h]` made smaller, never larger, so that its longer side is at most `most` pixels.
pub fn within(size: [u32; 2], most: u32) -> [u32; 2] {
    let longer = size[0].max(size[1]).max(1);
    if longer <= most {
        return size.map(|side| side.max(1));
    }
    let scale = f64::from(most) / f64::from(longer);
    size.map(|side| ((f64::from(side) * scale).round() as u32).max(1))
}

/// The whole pixels `[left, top, width, height]` of a plane of a size `[w, h]` that show the picture; the rest is padding.
pub fn content(content: [f64; 4], size: [usize; 2]) -> [u32; 4] {
    let span = |from: f64, length: f64, side: usize| {
        let side = side.max(1) as f64;
        let from = from.floor().clamp(0.0, side - 1.0);
        let length = length.round().clamp(1.0, side - from);
        (from as u32, length as u32)
    };
    let [left, top, width, height] = content;
    let (left, width) = span(left, width, size[0]);
    let (top, height) = span(top, height, size[1]);
    [left, top, width, height]
}

/// How many planes are shown.
pub fn shown(planes: usize, all: bool) -> usize {
    if all {
        planes
    } else {
        planes.min(FIRST_PLANES)
    }
}

/// In how many planes two pictures of the same module differ; none when they are not of one form.
pub fn differing(before: &[u8], after: &[u8], planes: usize) -> Option<usize> {
    let plane = before.len().checked_div(planes)?;
    if plane == 0 || before.len() != after.len() {
        return None;
    }
    let pairs = before.chunks(plane).zip(after.chunks(plane));
    Some(pairs.filter(|(before, after)| before != after).count())
}

/// The module, plane or other thing that a key leads to from one of `count`.
pub fn step(key: &str, at: usize, count: usize) -> Option<usize> {
    let last = count.saturating_sub(1);
    Some(match key {
        "ArrowRight" | "ArrowDown" => (at + 1).min(last),
        "ArrowLeft" | "ArrowUp" => at.saturating_sub(1),
        "Home" => 0,
        "End" => last,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(xyxy: [f32; 4]) -> FoundBox {
        FoundBox {
            xyxy,
            confidence: 0.5,
            class: 0,
        }
    }

    #[test]
    fn a_box_lies_where_it_is_on_the_picture_and_not_outside() {
        let place = super::place(&found([50.0, 100.0, 250.0, 220.0]), [200, 200]);
        assert_eq!((place.left, place.top), (25.0, 50.0));
        assert_eq!((place.width, place.height), (75.0, 50.0));
        assert!(place.label_above);
        let high = super::place(&found([-5.0, 2.0, 20.0, 40.0]), [200, 200]);
        assert_eq!(
            (high.left, high.width, high.label_above),
            (0.0, 10.0, false)
        );
    }

    #[test]
    fn pictures_shrink_and_never_grow() {
        assert_eq!(within([4000, 3000], 1280), [1280, 960]);
        assert_eq!(within([320, 240], 1280), [320, 240]);
        assert_eq!(within([5000, 1], 100), [100, 1]);
    }

    #[test]
    fn padding_is_cut_off_a_plane() {
        assert_eq!(content([0.0, 0.0, 24.0, 16.0], [24, 16]), [0, 0, 24, 16]);
        assert_eq!(content([1.5, 0.0, 17.0, 20.0], [20, 20]), [1, 0, 17, 20]);
        // A picture may be smaller than a pixel of a late map.
        assert_eq!(content([9.9, 0.2, 0.1, 9.6], [10, 10]), [9, 0, 1, 10]);
    }

    #[test]
    fn planes_are_compared_one_by_one() {
        assert_eq!(differing(&[1, 2, 3, 4], &[1, 2, 3, 4], 2), Some(0));
        assert_eq!(differing(&[1, 2, 3, 4], &[1, 2, 9, 9], 2), Some(1));
        assert_eq!(differing(&[1, 2], &[1, 2, 3, 4], 2), None);
        assert_eq!(differing(&[], &[], 0), None);
        assert_eq!(
            (shown(64, false), shown(64, true), shown(16, false)),
            (32, 64, 16)
        );
    }

    #[test]
    fn keys_go_from_one_to_the_next_and_stop_at_the_ends() {
        assert_eq!(step("ArrowRight", 3, 5), Some(4));
        assert_eq!(step("ArrowRight", 4, 5), Some(4));
        assert_eq!(step("ArrowUp", 0, 5), Some(0));
        assert_eq!(step("End", 0, 5), Some(4));
        assert_eq!(step("x", 0, 5), None);
    }
}
