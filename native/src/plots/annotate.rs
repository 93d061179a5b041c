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
    for detection in order {
        let name = class_name(names, detection.class);
        let tag = match (style.hide_labels, style.hide_conf) {
            (true, _) => String::new(),
            (false, true) => name,
            (false, false) => format!("{name} {:.2}", detection.confidence),
        };
        pen.draw_box(image, detection.xyxy, detection.class, &tag);
    }
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

    /// Draws a box, and a filled tag above it, or within it where the picture ends. An empty
    /// tag is left out. Boxes beyond the picture are cut off at its border.
    pub fn draw_box(&self, image: &mut RgbImage, xyxy: [f32; 4], class: usize, tag: &str) {
        let size = [image.width() as f32, image.height() as f32];
        let inset = self.line / 2.0;
        let hold = |value: f32, axis: usize| {
            value.clamp(
                inset.min(size[axis] / 2.0),
                (size[axis] - inset).max(size[axis] / 2.0),
            )
        };
        let [x0, y0] = [hold(xyxy[0], 0), hold(xyxy[1], 1)];
        let [x1, y1] = [hold(xyxy[2], 0), hold(xyxy[3], 1)];
        if !(x0 <= x1 && y0 <= y1) {
            return;
        }
        let ink = of_class(class);
        stroke_rect(image, [x0, y0, x1, y1], self.line, ink);

        let padding = self.font * 0.25;
        let tag = fitted(tag, self.font, size[0] - 2.0 * padding);
        if tag.is_empty() {
            return;
        }
        let tag_size = [
            width(&tag, self.font) + 2.0 * padding,
            line_height(self.font) + padding * 0.6,
        ];
        let left = (x0 - inset).min(size[0] - tag_size[0]).max(0.0).round();
        let above = y0 - inset - tag_size[1];
        let top = if above >= 0.0 { above } else { y0 - inset }
            .max(0.0)
            .round();
        let filled = [
            left,
            top,
            left + tag_size[0].ceil(),
            top + tag_size[1].ceil(),
        ];
        fill_rect(image, filled, ink);
        let style = Style::new(self.font, contrast(ink.rgb)).align(Align::Start, Align::Middle);
        // The middle of the capitals lies a little above the middle of the tag, for the descenders.
        let middle = top + tag_size[1] / 2.0;
        draw_text(image, &tag, [left + padding, middle], style);
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
