//! Four pictures around one centre on a canvas of twice the image size (FACTS 6).

use image::{Rgb, RgbImage};
use rand_chacha::ChaCha8Rng;

use super::Label;
use super::augment::{PixelBox, index_below, uniform};
use super::copy_paste::Outline;
use super::letterbox::FILL;

/// One of the four pictures.
#[derive(Debug, Clone, Copy)]
pub struct Tile<'a> {
    /// Pixels.
    pub image: &'a RgbImage,
    /// Its boxes.
    pub labels: &'a [Label],
    /// Outlines of its boxes in fractions of the picture, where known; empty when not wanted.
    pub outlines: &'a [Option<Outline>],
}

/// Four pictures in one.
#[derive(Debug, Clone)]
pub struct Canvas {
    /// Pixels.
    pub image: RgbImage,
    /// Boxes in canvas pixels, clipped to the canvas.
    pub boxes: Vec<PixelBox>,
    /// Outlines of the boxes in canvas pixels, clipped likewise.
    pub outlines: Vec<Option<Outline>>,
}

/// One draw of a mosaic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MosaicDraw {
    /// Where the four pictures meet, `[x, y]` in canvas pixels.
    pub centre: [usize; 2],
    /// Indices of the pictures: top left, top right, bottom left, bottom right.
    pub tiles: [usize; 4],
}

impl MosaicDraw {
    /// Draws a centre in the middle half of the canvas and three pictures beside `index`, each from
    /// `any`; their places are drawn, too.
    pub fn draw(
        index: usize,
        imgsz: usize,
        rng: &mut ChaCha8Rng,
        mut any: impl FnMut(&mut ChaCha8Rng) -> usize,
    ) -> Self {
        let side = imgsz as f64;
        let centre = [0, 1].map(|_| uniform(rng, side / 2.0, side * 1.5) as usize);
        let mut tiles = [index, any(rng), any(rng), any(rng)];
        for place in (1..4).rev() {
            tiles.swap(place, index_below(rng, place + 1));
        }
        Self { centre, tiles }
    }

    /// Lays out the four pictures, in the order of `tiles`, on a canvas of `2 · imgsz` pixels a side.
    pub fn assemble(&self, tiles: [Tile<'_>; 4], imgsz: usize) -> Canvas {
        let side = imgsz * 2;
        let limit = [side as f32; 2];
        let mut image = RgbImage::from_pixel(side as u32, side as u32, Rgb([FILL; 3]));
        let mut boxes = Vec::new();
        let mut outlines = Vec::new();
        for (place, tile) in tiles.into_iter().enumerate() {
            let size = [tile.image.width() as usize, tile.image.height() as usize];
            let spans = [
                Span::new(place % 2 == 1, self.centre[0], size[0], side),
                Span::new(place / 2 == 1, self.centre[1], size[1], side),
            ];
            copy(&mut image, side, tile.image, size[0], &spans);
            let pad = [0, 1].map(|axis| spans[axis].to as f32 - spans[axis].from as f32);
            let size = size.map(|side| side as f32);
            let moved = |[x, y]: &[f32; 2]| {
                [
                    (size[0] * x + pad[0]).clamp(0.0, limit[0]),
                    (size[1] * y + pad[1]).clamp(0.0, limit[1]),
                ]
            };
            for (index, label) in tile.labels.iter().enumerate() {
                boxes.push(PixelBox::from_label(label, size, pad).clipped(limit));
                let outline = tile.outlines.get(index).and_then(Option::as_ref);
                outlines.push(outline.map(|points| points.iter().map(moved).collect()));
            }
        }
        Canvas {
            image,
            boxes,
            outlines,
        }
    }
}

/// Where a picture lies along one axis: pixels `from..from + count` of it at `to` on the canvas.
struct Span {
    from: usize,
    to: usize,
    count: usize,
}

impl Span {
    /// After the centre a picture starts there, before it the picture ends there.
    fn new(after: bool, centre: usize, size: usize, canvas: usize) -> Self {
        let centre = centre.min(canvas);
        let room = if after { canvas - centre } else { centre };
        let count = size.min(room);
        if after {
            Self {
                from: 0,
                to: centre,
                count,
            }
        } else {
            Self {
                from: size - count,
                to: centre - count,
                count,
            }
        }
    }
}

fn copy(canvas: &mut RgbImage, side: usize, image: &RgbImage, width: usize, spans: &[Span; 2]) {
    let [x, y] = spans;
    if x.count == 0 || y.count == 0 {
        return;
    }
    let lines = canvas.chunks_exact_mut(side * 3).skip(y.to).take(y.count);
    let rows = image.chunks_exact(width * 3).skip(y.from);
    for (line, row) in lines.zip(rows) {
        line[x.to * 3..][..x.count * 3].copy_from_slice(&row[x.from * 3..][..x.count * 3]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::golden;
    use rand::SeedableRng;

    #[test]
    fn recorded_draws_give_the_reference_canvas_and_boxes() {
        // The reference stores 32-bit numbers; so do we, and in the same order.
        const BOX_PX: f64 = 1e-5;
        let golden = golden::json("aug/mosaic.json");
        let pictures = golden::pictures("aug/mosaic.safetensors");
        for (index, case) in golden["cases"].as_array().unwrap().iter().enumerate() {
            let draws = golden::rows(&case["draws_yc_xc"]);
            let draw = MosaicDraw {
                centre: [draws[1][2] as usize, draws[0][2] as usize],
                tiles: [0, 1, 2, 3],
            };
            assert_eq!(
                [draw.centre[1], draw.centre[0]],
                golden::pair(&case["yc_xc"])
            );
            let labels = golden::label_lists(&case["tile_labels"]);
            let tiles = [0, 1, 2, 3].map(|tile| Tile {
                image: &pictures[&format!("mosaic_{index}_tile{tile}")],
                labels: &labels[tile],
                outlines: &[],
            });
            let canvas = draw.assemble(tiles, 64);
            let expected = &pictures[&format!("mosaic_{index}")];
            assert_eq!(
                golden::difference(&canvas.image, expected),
                (0, 0),
                "case {index}"
            );
            let expected = golden::rows(&case["labels_out"]);
            assert_eq!(canvas.boxes.len(), expected.len());
            for (found, expected) in canvas.boxes.iter().zip(expected) {
                assert_eq!(found.class, expected[0] as usize);
                for (a, b) in found.xyxy.iter().zip(&expected[1..]) {
                    assert!((f64::from(*a) - b).abs() < BOX_PX, "case {index}: {a} {b}");
                }
            }
        }
    }

    #[test]
    fn draws_keep_the_centre_in_the_middle_half_and_the_picture_among_the_tiles() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut first_place = [0; 4];
        for _ in 0..400 {
            let draw = MosaicDraw::draw(99, 64, &mut rng, |rng| index_below(rng, 50));
            assert!(
                draw.centre.iter().all(|side| (32..96).contains(side)),
                "{draw:?}"
            );
            let place = draw.tiles.iter().position(|&tile| tile == 99);
            first_place[place.expect("the picture itself")] += 1;
        }
        // Equal chances: 100 each, standard deviation 9.
        assert!(
            first_place.iter().all(|&count| count > 60),
            "{first_place:?}"
        );
    }

    #[test]
    fn pictures_larger_than_their_corner_are_cut_at_the_canvas() {
        let image = RgbImage::from_fn(16, 16, |x, y| Rgb([x as u8, y as u8, 1]));
        let draw = MosaicDraw {
            centre: [4, 12],
            tiles: [0; 4],
        };
        let label = Label {
            class: 2,
            cxcywh: [0.5, 0.5, 1.0, 1.0],
        };
        let corners = [Some(vec![[0.0, 0.0], [1.0, 1.0]])];
        let tile = Tile {
            image: &image,
            labels: &[label],
            outlines: &corners,
        };
        let canvas = draw.assemble([tile; 4], 8);
        assert_eq!(canvas.image.get_pixel(0, 0).0, [12, 4, 1]);
        assert_eq!(canvas.image.get_pixel(4, 0).0, [0, 4, 1]);
        assert_eq!(canvas.image.get_pixel(15, 15).0, [11, 3, 1]);
        assert_eq!(canvas.boxes[0].xyxy, [0.0, 0.0, 4.0, 12.0]);
        assert_eq!(canvas.outlines[3], Some(vec![[4.0, 12.0], [16.0, 16.0]]));
    }
}
