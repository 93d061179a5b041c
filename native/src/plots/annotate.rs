//! Boxes with name tags on pictures.

use frostline::eval::Detection;
use image::RgbImage;

use super::class_name;
use super::color::{contrast, of_class};
use super::draw::{fill_rect, stroke_rect};
use super::text::{Align, Style, draw_text, fitted, line_height, width};

/// How [`draw_detections`] draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DetectionStyle {
    /// In pixels; `None` suits it to the picture's size.
    pub line_thickness: Option<u32>,
    /// Boxes only.
    pub hide_labels: bool,
    /// Names without confidences.
    pub hide_conf: bool,
}

/// Draws detections (corners in pixels of `image`) with class name and confidence, the most
/// confident one on top.
pub fn draw_detections(
    image: &mut RgbImage,
    detections: &[Detection],
    names: &[String],
    style: &DetectionStyle,
) {
    let pen = Pen::new(image, style.line_thickness);
    let mut order: Vec<&Detection> = detections.iter().collect();
    order.sort_by(|a, b| a.confidence.total_cmp(&b.confidence));
    let boxes: Vec<TaggedBox> = order
        .into_iter()
        .map(|detection| {
            let name = class_name(names, detection.class);
            let tag = match (style.hide_labels, style.hide_conf) {
                (true, _) => String::new(),
                (false, true) => name,
                (false, false) => format!("{name} {:.2}", detection.confidence),
            };
            TaggedBox {
                xyxy: detection.xyxy,
                class: detection.class,
                tag,
            }
        })
        .collect();
    pen.draw_boxes(image, &boxes);
}

/// A box to draw.
#[derive(Debug, Clone, PartialEq)]
pub struct TaggedBox {
    /// Corners in pixels of the picture.
    pub xyxy: [f32; 4],
    /// Gives the colour.
    pub class: usize,
    /// Written on a filled tag; empty for none.
    pub tag: String,
}

/// Line width and letter size that go together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pen {
    /// Of a box's border, in pixels.
    pub line: f32,
    /// The em of a tag's letters, in pixels.
    pub font: f32,
}

impl Pen {
    /// Suited to a picture, or to the line thickness that is asked for.
    pub fn new(image: &RgbImage, line_thickness: Option<u32>) -> Self {
        let mean_side = (image.width() + image.height()) as f32 / 2.0;
        let line = line_thickness.map_or((mean_side * 0.003).round().max(2.0), |t| t.max(1) as f32);
        let font = match line_thickness {
            Some(_) => (line * 8.0).max(11.0),
            None => (mean_side * 0.026).max(12.0),
        };
        Self { line, font }
    }

    /// Draws boxes, then their tags, so that no border crosses a name; the last ones lie on top. A tag
    /// stands above its box, or within it where the picture ends. Boxes beyond the picture are cut
    /// off at its border, and those without an inside are left out.
    pub fn draw_boxes(&self, image: &mut RgbImage, boxes: &[TaggedBox]) {
        let visible: Vec<(&TaggedBox, [f32; 4])> = boxes
            .iter()
            .filter_map(|tagged| Some((tagged, self.within(image, tagged.xyxy)?)))
            .collect();
        for (tagged, xyxy) in &visible {
            stroke_rect(image, *xyxy, self.line, of_class(tagged.class));
        }
        for (tagged, xyxy) in &visible {
            self.draw_tag(image, [xyxy[0], xyxy[1]], tagged);
        }
    }

    /// The box held within the picture, so that its whole border shows.
    fn within(&self, image: &RgbImage, xyxy: [f32; 4]) -> Option<[f32; 4]> {
        let inset = self.line / 2.0;
        let hold = |value: f32, size: u32| {
            let size = size as f32;
            value.clamp(inset.min(size / 2.0), (size - inset).max(size / 2.0))
        };
        let [x0, x1] = [xyxy[0], xyxy[2]].map(|x| hold(x, image.width()));
        let [y0, y1] = [xyxy[1], xyxy[3]].map(|y| hold(y, image.height()));
        // Written so that NaN fails too.
        (x0 <= x1 && y0 <= y1).then_some([x0, y0, x1, y1])
    }

    fn draw_tag(&self, image: &mut RgbImage, [x, y]: [f32; 2], tagged: &TaggedBox) {
        let ink = of_class(tagged.class);
        let inset = self.line / 2.0;
        let padding = self.font * 0.25;
        let picture_width = image.width() as f32;
        let text = fitted(&tagged.tag, self.font, picture_width - 2.0 * padding);
        if text.is_empty() {
            return;
        }
        let size = [
            width(&text, self.font) + 2.0 * padding,
            line_height(self.font) + padding * 0.6,
        ];
        let left = (x - inset).min(picture_width - size[0]).max(0.0).round();
        let above = y - inset - size[1];
        let top = if above >= 0.0 { above } else { y - inset };
        let top = top.max(0.0).round();
        let filled = [left, top, left + size[0].ceil(), top + size[1].ceil()];
        fill_rect(image, filled, ink);
        let style = Style::new(self.font, contrast(ink.rgb)).align(Align::Start, Align::Middle);
        draw_text(image, &text, [left + padding, top + size[1] / 2.0], style);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detection(xyxy: [f32; 4]) -> Detection {
        Detection {
            xyxy,
            confidence: 0.5,
            class: 0,
        }
    }

    #[test]
    fn no_box_is_too_odd_to_draw() {
        for size in [[1, 1], [3, 200], [64, 48]] {
            let mut image = RgbImage::new(size[0], size[1]);
            let boxes = [
                detection([-1e9, -1e9, 1e9, 1e9]),
                detection([f32::NAN, 0.0, 5.0, 5.0]),
                detection([f32::NEG_INFINITY, 0.0, f32::INFINITY, 5.0]),
                detection([40.0, 40.0, 10.0, 10.0]),
                detection([2.0, 2.0, 2.0, 2.0]),
            ];
            draw_detections(&mut image, &boxes, &[], &DetectionStyle::default());
        }
    }

    #[test]
    fn the_tag_stays_within_the_picture() {
        let mut image = RgbImage::new(200, 100);
        let names = vec!["a name".to_owned()];
        let corner = [detection([190.0, 0.0, 199.0, 60.0])];
        draw_detections(&mut image, &corner, &names, &DetectionStyle::default());
        let ink = of_class(0).rgb;
        let columns = (0..200).filter(|&x| image.get_pixel(x, 3).0 == ink);
        assert!(columns.min().is_some_and(|x| x < 150), "the tag moved left");
    }

    #[test]
    fn hidden_labels_leave_the_border_only() {
        let draw = |style| {
            let mut image = RgbImage::new(200, 200);
            draw_detections(
                &mut image,
                &[detection([50.0, 50.0, 150.0, 150.0])],
                &[],
                &style,
            );
            image.pixels().filter(|p| p.0 != [0; 3]).count()
        };
        let hidden = DetectionStyle {
            hide_labels: true,
            line_thickness: Some(2),
            ..DetectionStyle::default()
        };
        assert_eq!(draw(hidden), 102 * 102 - 98 * 98);
        assert!(draw(DetectionStyle::default()) > draw(hidden));
    }
}
