//! Copies outlined objects to their mirrored place (FACTS 6). Only objects with an outline can be
//! cut out; boxes alone cannot.

use image::RgbImage;
use rand_chacha::ChaCha8Rng;

use super::augment::{PixelBox, index_below};

/// An object's outline, `[x, y]` of its corners.
pub type Outline = Vec<[f32; 2]>;

/// A pasted object may hide at most this part of any other box.
const MAX_HIDDEN: f32 = 0.3;

/// Which boxes to copy: a `probability` part of those with an outline, drawn without repetition.
pub fn draw(outlines: &[Option<Outline>], probability: f64, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut outlined: Vec<usize> = (0..outlines.len())
        .filter(|&index| outlines[index].is_some())
        .collect();
    let wanted = (probability.clamp(0.0, 1.0) * outlined.len() as f64).round_ties_even() as usize;
    for place in 0..wanted {
        let other = place + index_below(rng, outlined.len() - place);
        outlined.swap(place, other);
    }
    outlined.truncate(wanted);
    outlined
}

/// Pastes each chosen object, mirrored, to the other side of the picture, unless it would hide much
/// of a box that lies there. `outlines` (pixels) belong to `boxes` by index; a pasted object adds a
/// box.
pub fn paste(
    image: &mut RgbImage,
    boxes: &mut Vec<PixelBox>,
    outlines: &[Option<Outline>],
    chosen: &[usize],
) {
    let width = image.width() as f32;
    let mut before = None;
    for &index in chosen {
        let (Some(object), Some(Some(outline))) = (boxes.get(index), outlines.get(index)) else {
            continue;
        };
        let [x1, y1, x2, y2] = object.xyxy;
        let mirrored = PixelBox {
            class: object.class,
            xyxy: [width - x2, y1, width - x1, y2],
        };
        if boxes
            .iter()
            .any(|other| hidden(other, &mirrored) >= MAX_HIDDEN)
        {
            continue;
        }
        let before: &RgbImage = before.get_or_insert_with(|| image.clone());
        paste_outline(image, before, outline);
        boxes.push(mirrored);
    }
}

/// The part of `below` that `above` covers.
fn hidden(below: &PixelBox, above: &PixelBox) -> f32 {
    let overlap = |axis: usize| {
        let start = below.xyxy[axis].max(above.xyxy[axis]);
        let end = below.xyxy[axis + 2].min(above.xyxy[axis + 2]);
        (end - start).max(0.0)
    };
    let [x1, y1, x2, y2] = below.xyxy;
    let area = (x2 - x1) * (y2 - y1);
    overlap(0) * overlap(1) / (area + 1e-16)
}

fn paste_outline(image: &mut RgbImage, before: &RgbImage, outline: &[[f32; 2]]) {
    let [width, height] = [image.width(), image.height()];
    let top = outline
        .iter()
        .fold(f32::INFINITY, |low, point| low.min(point[1]));
    let bottom = outline.iter().fold(0f32, |high, point| high.max(point[1]));
    let rows = top.max(0.0) as u32..(bottom.ceil() as u32).min(height);
    let mut crossings = Vec::new();
    for y in rows {
        cross(outline, y as f32 + 0.5, &mut crossings);
        // Between an odd and the next even crossing lies the inside.
        for span in crossings.chunks_exact(2) {
            let first = (span[0] - 0.5).ceil().max(0.0) as u32;
            let end = ((span[1] - 0.5).ceil().max(0.0) as u32).min(width);
            for x in first..end {
                image.put_pixel(width - 1 - x, y, *before.get_pixel(x, y));
            }
        }
    }
}

/// Where the horizontal line at `y` crosses the outline, from left to right.
fn cross(outline: &[[f32; 2]], y: f32, crossings: &mut Vec<f32>) {
    crossings.clear();
    let next = outline.iter().cycle().skip(1);
    for (&[x1, y1], &[x2, y2]) in outline.iter().zip(next) {
        if (y1 <= y) != (y2 <= y) {
            crossings.push(x1 + (y - y1) / (y2 - y1) * (x2 - x1));
        }
    }
    crossings.sort_by(f32::total_cmp);
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;
    use rand::SeedableRng;

    const GREEN: Rgb<u8> = Rgb([0, 255, 0]);

    /// A green 6 × 4 rectangle with its outline at the left of a black picture.
    fn scene() -> (RgbImage, Vec<PixelBox>, Vec<Option<Outline>>) {
        let inside = |x: u32, y: u32| (2..8).contains(&x) && (3..7).contains(&y);
        let image = RgbImage::from_fn(
            40,
            10,
            |x, y| {
                if inside(x, y) { GREEN } else { Rgb([0; 3]) }
            },
        );
        let boxes = vec![PixelBox {
            class: 5,
            xyxy: [2.0, 3.0, 8.0, 7.0],
        }];
        let outline = vec![[2.0, 3.0], [8.0, 3.0], [8.0, 7.0], [2.0, 7.0]];
        (image, boxes, vec![Some(outline)])
    }

    #[test]
    fn an_outlined_object_appears_mirrored_with_its_box() {
        let (mut image, mut boxes, outlines) = scene();
        paste(&mut image, &mut boxes, &outlines, &[0]);
        for (x, y, pixel) in image.enumerate_pixels() {
            let green = ((2..8).contains(&x) || (32..38).contains(&x)) && (3..7).contains(&y);
            assert_eq!(*pixel == GREEN, green, "{x} {y}");
        }
        assert_eq!(
            boxes[1],
            PixelBox {
                class: 5,
                xyxy: [32.0, 3.0, 38.0, 7.0]
            }
        );
    }

    #[test]
    fn an_object_that_would_hide_another_stays_where_it_is() {
        let (mut image, mut boxes, outlines) = scene();
        let before = image.clone();
        boxes.push(PixelBox {
            class: 1,
            xyxy: [30.0, 2.0, 36.0, 6.0],
        });
        paste(&mut image, &mut boxes, &outlines, &[0]);
        assert_eq!(image, before);
        assert_eq!(boxes.len(), 2);
    }

    #[test]
    fn only_outlined_objects_are_drawn_and_none_twice() {
        let (_, _, outline) = scene();
        let outlines: Vec<_> = (0..20)
            .map(|index| outline[0].clone().filter(|_| index % 2 == 0))
            .collect();
        let mut chosen = draw(&outlines, 0.5, &mut ChaCha8Rng::seed_from_u64(1));
        chosen.sort_unstable();
        chosen.dedup();
        assert_eq!(chosen.len(), 5);
        assert!(chosen.iter().all(|index| index % 2 == 0));
        assert!(draw(&[], 0.5, &mut ChaCha8Rng::seed_from_u64(1)).is_empty());
    }

    #[test]
    fn hostile_outlines_are_harmless() {
        let (image, boxes, _) = scene();
        let far = vec![[-1e9, -1e9], [1e9, 2.5], [f32::NAN, 1e9]];
        for outline in [vec![], vec![[1.0, 1.0]], far] {
            let (mut image, mut boxes) = (image.clone(), boxes.clone());
            paste(&mut image, &mut boxes, &[Some(outline)], &[0, 7]);
        }
    }
}
