//! A chart's axes: from values to pixels, ticks, grid, titles.

use image::RgbImage;

use super::color::{AXIS, GRID, Ink, MUTED, TEXT, WHITE};
use super::draw::{fill_rect, polyline};
use super::text::{Align, Style, draw_text, line_height, width};

/// A chart within a picture.
#[derive(Debug, Clone, Copy)]
pub struct Axes<'a> {
    /// Where the values are drawn, `[x0, y0, x1, y1]` in pixels.
    pub frame: [f32; 4],
    /// Values at its left and right border.
    pub x: [f64; 2],
    /// Values at its lower and upper border.
    pub y: [f64; 2],
    /// Ticks along x and y are at least this far apart: 1 for what is counted.
    pub least_step: [f64; 2],
    /// The em of the tick labels in pixels; titles are larger.
    pub font: f32,
    pub title: &'a str,
    pub x_label: &'a str,
    pub y_label: &'a str,
}

impl Axes<'_> {
    pub fn px(&self, x: f64, y: f64) -> [f32; 2] {
        let [x0, y0, x1, y1] = self.frame;
        let part = |value: f64, [low, high]: [f64; 2]| ((value - low) / (high - low)) as f32;
        [
            x0 + (x1 - x0) * part(x, self.x),
            y1 - (y1 - y0) * part(y, self.y),
        ]
    }

    /// Grid, ticks, axis lines and titles.
    pub fn draw(&self, image: &mut RgbImage) {
        self.draw_with(image, true);
    }

    /// As [`Axes::draw`], without ticks along x, for a chart that labels them itself.
    pub fn draw_with(&self, image: &mut RgbImage, ticks_along_x: bool) {
        let [x0, y0, x1, y1] = self.frame;
        let label = Style::new(self.font, MUTED);
        if ticks_along_x {
            let room = width("0.00", self.font) * 1.8;
            let ticks = Ticks::new(self.x, ((x1 - x0) / room) as usize, self.least_step[0]);
            for value in ticks.values() {
                let [x, _] = self.px(value, self.y[0]);
                polyline(image, &[[x, y0], [x, y1]], 1.0, GRID);
                draw_text(
                    image,
                    &ticks.label(value),
                    [x, y1 + self.font * 0.45],
                    label.align(Align::Middle, Align::Start),
                );
            }
        }
        let ticks = Ticks::new(
            self.y,
            ((y1 - y0) / (self.font * 2.6)) as usize,
            self.least_step[1],
        );
        let mut widest = 0.0_f32;
        for value in ticks.values() {
            let [_, y] = self.px(self.x[0], value);
            polyline(image, &[[x0, y], [x1, y]], 1.0, GRID);
            let text = ticks.label(value);
            widest = widest.max(width(&text, self.font));
            draw_text(
                image,
                &text,
                [x0 - self.font * 0.5, y],
                label.align(Align::End, Align::Middle),
            );
        }
        fill_rect(image, [x0 - 1.0, y0, x0 + 1.0, y1 + 1.0], AXIS);
        fill_rect(image, [x0 - 1.0, y1 - 1.0, x1, y1 + 1.0], AXIS);

        let middle = [(x0 + x1) / 2.0, (y0 + y1) / 2.0];
        let title = Style::new(self.font * 1.2, TEXT).align(Align::Middle, Align::End);
        draw_text(image, self.title, [middle[0], y0 - self.font * 0.4], title);
        let name = Style::new(self.font * 1.1, TEXT);
        let below = y1 + self.font * 0.6 + line_height(self.font);
        let under = name.align(Align::Middle, Align::Start);
        draw_text(image, self.x_label, [middle[0], below], under);
        let beside = x0 - self.font * 0.9 - widest;
        let upwards = name.align(Align::Middle, Align::End).up();
        draw_text(image, self.y_label, [beside, middle[1]], upwards);
    }

    /// A line through values; values beyond the axes are held at the border.
    pub fn line(&self, image: &mut RgbImage, xs: &[f64], ys: &[f64], width: f32, ink: Ink) {
        let hold = |value: f64, [from, to]: [f64; 2]| {
            if value.is_finite() {
                value.clamp(from.min(to), from.max(to))
            } else {
                f64::NAN
            }
        };
        let points: Vec<[f32; 2]> = xs
            .iter()
            .zip(ys)
            .map(|(&x, &y)| self.px(hold(x, self.x), hold(y, self.y)))
            .collect();
        polyline(image, &points, width, ink);
    }

    /// Words in the middle of a chart that has nothing to show.
    pub fn note(&self, image: &mut RgbImage, text: &str) {
        let [x0, y0, x1, y1] = self.frame;
        let style = Style::new(self.font * 1.2, MUTED).align(Align::Middle, Align::Middle);
        draw_text(image, text, [(x0 + x1) / 2.0, (y0 + y1) / 2.0], style);
    }
}

/// Round values along an axis.
pub struct Ticks {
    first: f64,
    step: f64,
    count: usize,
    decimals: usize,
}

impl Ticks {
    /// For an axis in either direction.
    pub fn new([from, to]: [f64; 2], at_most: usize, least_step: f64) -> Self {
        let (low, high) = (from.min(to), from.max(to));
        let span = (high - low).max(f64::MIN_POSITIVE);
        let raw = span / at_most.clamp(2, 10) as f64;
        let magnitude = 10.0_f64.powf(raw.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .map(|factor| factor * magnitude)
            .into_iter()
            .find(|step| *step >= raw * (1.0 - 1e-9))
            .unwrap_or(10.0 * magnitude)
            .max(least_step);
        let first = (low / step - 1e-9).ceil() * step;
        let count = ((high - first) / step + 1e-9).floor().max(0.0) as usize + 1;
        let decimals = (-step.log10().floor()).clamp(0.0, 9.0) as usize;
        Self {
            first,
            step,
            count,
            decimals,
        }
    }

    pub fn values(&self) -> impl Iterator<Item = f64> {
        (0..self.count).map(|i| self.first + self.step * i as f64)
    }

    pub fn label(&self, value: f64) -> String {
        // Adding 0 turns −0 into 0.
        let value = if value.abs() < self.step / 2.0 {
            0.0
        } else {
            value
        };
        format!("{value:.*}", self.decimals)
    }
}

/// The lowest and highest finite value, a little apart even when they are equal; 0 … 1 without any.
pub fn range(values: impl Iterator<Item = f64>) -> [f64; 2] {
    let (low, high) = values
        .filter(|v| v.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
            (low.min(v), high.max(v))
        });
    if low > high {
        [0.0, 1.0]
    } else if high - low < 1e-9 * high.abs().max(1e-3) {
        let apart = (high.abs() * 0.1).max(1e-3);
        [low - apart, high + apart]
    } else {
        [low, high]
    }
}

/// A white picture.
pub fn blank(width: u32, height: u32) -> RgbImage {
    RgbImage::from_pixel(width, height, image::Rgb(WHITE.rgb))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(range: [f64; 2], at_most: usize) -> Vec<String> {
        let ticks = Ticks::new(range, at_most, 0.0);
        ticks.values().map(|v| ticks.label(v)).collect()
    }

    #[test]
    fn ticks_are_round_and_within_the_axis() {
        assert_eq!(
            labels([0.0, 1.0], 5),
            ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        assert_eq!(labels([0.0, 14.0], 5), ["0", "5", "10"]);
        assert_eq!(
            labels([-0.02, 0.021], 5),
            ["-0.02", "-0.01", "0.00", "0.01", "0.02"]
        );
        assert_eq!(labels([1.0, 0.0], 2), ["0.0", "0.5", "1.0"]);
        assert_eq!(labels([3.0, 3.0], 5).len(), 1);
    }

    #[test]
    fn what_is_counted_has_no_ticks_between_whole_numbers() {
        let ticks = Ticks::new([-1.0, 1.0], 10, 1.0);
        let labels: Vec<String> = ticks.values().map(|v| ticks.label(v)).collect();
        assert_eq!(labels, ["-1", "0", "1"]);
    }

    #[test]
    fn ranges_never_collapse() {
        assert_eq!(range([f64::NAN].into_iter()), [0.0, 1.0]);
        assert_eq!(range([1.0, 3.0, f64::INFINITY].into_iter()), [1.0, 3.0]);
        let [low, high] = range([2.0, 2.0].into_iter());
        assert!(low < 2.0 && high > 2.0);
        let [low, high] = range([0.0].into_iter());
        assert!(low < 0.0 && high > 0.0);
    }
}
