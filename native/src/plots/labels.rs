//! `labels.jpg`: what the boxes of a data set look like.

use std::path::Path;

use anyhow::Result;
use frostline::data::Label;
use image::RgbImage;

use super::axes::{Axes, blank};
use super::color::{AXIS, Ink, MUTED, of_class, scale};
use super::draw::{fill_rect, stroke_rect};
use super::text::{Align, Style, draw_text, fitted, width};
use super::{class_name, save};

const SIDE_PX: f32 = 1700.0;
const FONT_PX: f32 = 24.0;
/// More outlines than this would fill the chart with ink.
const MOST_OUTLINES: usize = 1000;
const SMALLEST_FONT_PX: f32 = 9.0;
const BINS: usize = 50;
const LONGEST_NAME_PX: f32 = 170.0;

/// Draws the number of boxes in each class, their outlines laid over each other, and how their centres and sizes
/// spread over the pictures, to `to`.
///
/// # Errors
/// When the file cannot be written.
pub fn plot_labels(to: &Path, labels: &[Label], names: &[String]) -> Result<()> {
    save(&draw(labels, names), to)
}

fn draw(labels: &[Label], names: &[String]) -> RgbImage {
    let mut image = blank(SIDE_PX as u32, SIDE_PX as u32);
    let half = SIDE_PX / 2.0;
    let frame = |column: f32, row: f32| {
        let (left, top) = (column * half, row * half);
        [
            left + 120.0,
            top + 70.0,
            left + half - 40.0,
            top + half - 110.0,
        ]
    };
    let unit = |frame, title, x_label, y_label| Axes {
        frame,
        x: [0.0, 1.0],
        y: [0.0, 1.0],
        least_step: [0.0; 2],
        font: FONT_PX,
        title,
        x_label,
        y_label,
    };
    class_bars(&mut image, frame(0.0, 0.0), labels, names);
    outlines(&mut image, frame(1.0, 0.0), labels);
    let centers = labels.iter().map(|l| [l.cxcywh[0], l.cxcywh[1]]);
    // Pictures have their origin at the top.
    let downwards = Axes {
        y: [1.0, 0.0],
        ..unit(frame(0.0, 1.0), "centres", "x", "y")
    };
    density(&mut image, &downwards, centers);
    let sizes = labels.iter().map(|l| [l.cxcywh[2], l.cxcywh[3]]);
    density(
        &mut image,
        &unit(frame(1.0, 1.0), "sizes", "width", "height"),
        sizes,
    );
    image
}

fn class_bars(image: &mut RgbImage, mut frame: [f32; 4], labels: &[Label], names: &[String]) {
    let classes = labels
        .iter()
        .map(|l| l.class + 1)
        .max()
        .unwrap_or(0)
        .max(names.len());
    let mut counts = vec![0_usize; classes];
    labels.iter().for_each(|label| counts[label.class] += 1);
    let most = counts.iter().copied().max().unwrap_or(0).max(1);

    let step = (frame[2] - frame[0]) / classes.max(1) as f32;
    let font = (step * 0.7).clamp(12.0, FONT_PX);
    let named: Vec<String> = (0..classes)
        .map(|class| fitted(&class_name(names, class), font, LONGEST_NAME_PX))
        .collect();
    let longest = named.iter().map(|n| width(n, font)).fold(0.0, f32::max);
    // Names stand upright only when they do not fit under their bars.
    let upright = longest > step * 0.9;
    if upright {
        frame[3] -= (longest - 60.0).max(0.0);
    }
    let axes = Axes {
        frame,
        x: [0.0, classes.max(1) as f64],
        y: [0.0, most as f64 * 1.08],
        least_step: [1.0; 2],
        font: FONT_PX,
        title: "boxes in each class",
        x_label: "",
        y_label: "",
    };
    axes.draw_with(image, false);
    if labels.is_empty() {
        axes.note(image, "no labelled boxes");
    }
    let every = (font * 1.1 / step).ceil().max(1.0) as usize;
    for (class, (&count, name)) in counts.iter().zip(&named).enumerate() {
        let [x0, y0] = axes.px(class as f64 + 0.12, count as f64);
        let [x1, y1] = axes.px(class as f64 + 0.88, 0.0);
        fill_rect(image, [x0, y0, x1, y1 - 1.0], of_class(class));
        let middle = (x0 + x1) / 2.0;
        let number = count.to_string();
        let number_font = font.min(font * step * 0.92 / width(&number, font).max(1.0));
        if count > 0 && number_font >= SMALLEST_FONT_PX {
            let style = Style::new(number_font, MUTED).align(Align::Middle, Align::End);
            draw_text(image, &number, [middle, y0 - 2.0], style);
        }
        if class % every == 0 {
            let style = Style::new(font, MUTED);
            let at = [middle, y1 + 12.0];
            if upright {
                draw_text(image, name, at, style.align(Align::End, Align::Middle).up());
            } else {
                draw_text(image, name, at, style.align(Align::Middle, Align::Start));
            }
        }
    }
}

fn outlines(image: &mut RgbImage, frame: [f32; 4], labels: &[Label]) {
    let [x0, y0, x1, y1] = frame;
    let style = Style::new(FONT_PX * 1.2, super::color::TEXT).align(Align::Middle, Align::End);
    let above = [(x0 + x1) / 2.0, y0 - FONT_PX * 0.4];
    draw_text(image, "box shapes, centred", above, style);
    let every = labels.len().div_ceil(MOST_OUTLINES).max(1);
    // Fewer outlines are drawn more strongly.
    let drawn = labels.len().div_ceil(every) as f32;
    let alpha = (8.0 / drawn.sqrt()).clamp(0.2, 0.7);
    for label in labels.iter().step_by(every) {
        let [_, _, w, h] = label.cxcywh.map(|v| v.clamp(0.0, 1.0));
        let half = [(x1 - x0) * w / 2.0, (y1 - y0) * h / 2.0];
        let middle = [(x0 + x1) / 2.0, (y0 + y1) / 2.0];
        let outline = [
            middle[0] - half[0],
            middle[1] - half[1],
            middle[0] + half[0],
            middle[1] + half[1],
        ];
        stroke_rect(image, outline, 1.5, of_class(label.class).alpha(alpha));
    }
    stroke_rect(image, frame, 2.0, AXIS);
}

fn density(image: &mut RgbImage, axes: &Axes<'_>, values: impl Iterator<Item = [f32; 2]>) {
    let mut counts = vec![0_u32; BINS * BINS];
    let bin = |value: f32| ((value * BINS as f32) as usize).min(BINS - 1);
    for [x, y] in values {
        counts[bin(y) * BINS + bin(x)] += 1;
    }
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    axes.draw(image);
    for (index, &count) in counts.iter().enumerate().filter(|(_, c)| **c > 0) {
        let edge = |i: usize| i as f64 / BINS as f64;
        let (column, row) = (index % BINS, index / BINS);
        let a = axes.px(edge(column), edge(row));
        let b = axes.px(edge(column + 1), edge(row + 1));
        // The square root keeps single boxes visible beside crowds.
        let shade = (f64::from(count) / f64::from(most)).sqrt() * 0.88 + 0.12;
        let cell = [a[0], a[1].min(b[1]), b[0], a[1].max(b[1])];
        fill_rect(image, cell, Ink::new(scale(shade)));
    }
}
