//! `confusion_matrix.png`: for each true class, what it was taken for.

use std::path::Path;

use anyhow::Result;
use frostline::eval::ConfusionMatrix;
use image::RgbImage;

use super::axes::blank;
use super::color::{AXIS, Ink, MUTED, TEXT, contrast, scale};
use super::draw::{fill_rect, stroke_rect};
use super::text::{Align, Style, draw_text, fitted, width};
use super::{class_name, save};

const SIDE_PX: f32 = 1100.0;
const FONT_PX: f32 = 28.0;
const LONGEST_NAME_PX: f32 = 300.0;
/// Beyond this many rows the numbers no longer fit their cells.
const MOST_NUMBERED: usize = 26;
/// Parts below this would read 0.00.
const SMALLEST_SHOWN: f64 = 0.005;

/// Draws the matrix, each column (true class) normalised to 1, to `to`.
///
/// # Errors
/// When the file cannot be written.
pub fn plot_confusion_matrix(to: &Path, matrix: &ConfusionMatrix, names: &[String]) -> Result<()> {
    save(&draw(matrix, names), to)
}

fn draw(matrix: &ConfusionMatrix, names: &[String]) -> RgbImage {
    let n = matrix.nc() + 1;
    let cell = SIDE_PX / n as f32;
    let name_font = (cell * 0.8).clamp(11.0, FONT_PX);
    // With very many classes every second, third, … name is written.
    let every = (name_font * 1.1 / cell).ceil().max(1.0) as usize;
    let labels: Vec<String> = (0..matrix.nc())
        .map(|class| class_name(names, class))
        .chain(["background".to_owned()])
        .map(|name| fitted(&name, name_font, LONGEST_NAME_PX))
        .collect();
    let longest = labels
        .iter()
        .map(|label| width(label, name_font))
        .fold(0.0, f32::max);

    let left = 90.0 + longest + 20.0;
    let (top, bottom_room) = (110.0, longest + 130.0);
    let size = [left + SIDE_PX + 210.0, top + SIDE_PX + bottom_room];
    let mut image = blank(size[0].ceil() as u32, size[1].ceil() as u32);

    let parts = matrix.normalized();
    let number_font = (cell * 0.36).clamp(11.0, 36.0);
    for predicted in 0..n {
        for actual in 0..n {
            let part = parts[predicted * n + actual];
            let x = left + cell * actual as f32;
            let y = top + cell * predicted as f32;
            let fill = scale(part);
            fill_rect(&mut image, [x, y, x + cell, y + cell], Ink::new(fill));
            if n <= MOST_NUMBERED && part >= SMALLEST_SHOWN {
                let style =
                    Style::new(number_font, contrast(fill)).align(Align::Middle, Align::Middle);
                let middle = [x + cell / 2.0, y + cell / 2.0];
                draw_text(&mut image, &format!("{part:.2}"), middle, style);
            }
        }
    }
    stroke_rect(
        &mut image,
        [left, top, left + SIDE_PX, top + SIDE_PX],
        2.0,
        AXIS,
    );

    let style = Style::new(name_font, MUTED).align(Align::End, Align::Middle);
    for (index, label) in labels.iter().enumerate() {
        if index % every != 0 && index + 1 != n {
            continue;
        }
        let middle = cell * (index as f32 + 0.5);
        draw_text(&mut image, label, [left - 14.0, top + middle], style);
        draw_text(
            &mut image,
            label,
            [left + middle, top + SIDE_PX + 14.0],
            style.up(),
        );
    }

    let middle = [left + SIDE_PX / 2.0, top + SIDE_PX / 2.0];
    let heading = Style::new(FONT_PX * 1.25, TEXT).align(Align::Middle, Align::Middle);
    draw_text(
        &mut image,
        "Confusion matrix, by true class",
        [middle[0], top / 2.0],
        heading,
    );
    let heading = Style::new(FONT_PX * 1.1, TEXT).align(Align::Middle, Align::Middle);
    draw_text(&mut image, "true", [middle[0], size[1] - 50.0], heading);
    draw_text(&mut image, "predicted", [44.0, middle[1]], heading.up());
    color_bar(&mut image, [left + SIDE_PX + 50.0, top]);
    image
}

fn color_bar(image: &mut RgbImage, [x, y]: [f32; 2]) {
    let width = 40.0;
    for row in 0..SIDE_PX as u32 {
        let value = 1.0 - f64::from(row) / f64::from(SIDE_PX);
        let at = y + row as f32;
        fill_rect(image, [x, at, x + width, at + 1.0], Ink::new(scale(value)));
    }
    stroke_rect(image, [x, y, x + width, y + SIDE_PX], 2.0, AXIS);
    let style = Style::new(FONT_PX * 0.9, MUTED).align(Align::Start, Align::Middle);
    for tick in 0..=5_u8 {
        let value = f32::from(tick) / 5.0;
        let at = [x + width + 14.0, y + SIDE_PX * (1.0 - value)];
        draw_text(image, &format!("{value:.1}"), at, style);
    }
}
