//! `results.png`: losses and metrics over the epochs.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use image::RgbImage;

use super::axes::{Axes, blank, range};
use super::color::{Ink, TEXT, of_class};
use super::draw::{disc, polyline};
use super::save;
use super::text::{Align, Style, draw_text};

/// Column and title, row by row.
const PANELS: [(&str, &str); 10] = [
    ("train/box_loss", "train box loss"),
    ("train/obj_loss", "train object loss"),
    ("train/cls_loss", "train class loss"),
    ("metrics/precision", "precision"),
    ("metrics/recall", "recall"),
    ("val/box_loss", "val box loss"),
    ("val/obj_loss", "val object loss"),
    ("val/cls_loss", "val class loss"),
    ("metrics/mAP_0.5", "mAP@0.5"),
    ("metrics/mAP_0.5:0.95", "mAP@0.5:0.95"),
];
const PANELS_PER_ROW: usize = 5;
const PANEL_PX: [f32; 2] = [480.0, 450.0];
const LEGEND_PX: f32 = 60.0;
const FONT_PX: f32 = 22.0;
/// Standard deviation of the smoothing: this part of the epochs, and at most so many of them.
const SMOOTHING: (f64, f64) = (0.08, 3.0);
/// Beyond this, dots would hide the line.
const MOST_DOTS: usize = 60;

/// Reads `results.csv` and draws its ten panels to `to`.
///
/// # Errors
/// When the table cannot be read, a column is missing, a cell is no number, or `to` cannot be written.
pub fn plot_results(csv: &Path, to: &Path) -> Result<()> {
    let text = std::fs::read_to_string(csv)
        .with_context(|| format!("could not read the results {}", csv.display()))?;
    let table = Table::parse(&text).with_context(|| format!("results {}", csv.display()))?;
    save(&draw(&table), to)
}

/// Epochs, and a column for each of [`PANELS`].
struct Table {
    epochs: Vec<f64>,
    columns: Vec<Vec<f64>>,
}

impl Table {
    fn parse(text: &str) -> Result<Self> {
        let mut lines = text
            .lines()
            .enumerate()
            .filter(|(_, l)| !l.trim().is_empty());
        let header: Vec<&str> = lines
            .next()
            .map(|(_, line)| line.split(',').map(str::trim).collect())
            .unwrap_or_default();
        let index_of = |name: &str| {
            header
                .iter()
                .position(|column| *column == name)
                .with_context(|| format!("line 1: no column {name:?}, which train writes"))
        };
        let mut wanted = vec![index_of("epoch")?];
        for (name, _) in PANELS {
            wanted.push(index_of(name)?);
        }
        let mut columns = vec![Vec::new(); wanted.len()];
        for (number, line) in lines {
            let cells: Vec<&str> = line.split(',').map(str::trim).collect();
            ensure!(
                cells.len() == header.len(),
                "line {}: found {} columns, expected the {} of line 1",
                number + 1,
                cells.len(),
                header.len()
            );
            for (column, &index) in columns.iter_mut().zip(&wanted) {
                let value = cells[index].parse().with_context(|| {
                    format!(
                        "line {}, {}: found {:?}, expected a number",
                        number + 1,
                        header[index],
                        cells[index]
                    )
                })?;
                column.push(value);
            }
        }
        let epochs = columns.remove(0);
        Ok(Self { epochs, columns })
    }
}

fn draw(table: &Table) -> RgbImage {
    let rows = PANELS.len().div_ceil(PANELS_PER_ROW);
    let size = [
        PANEL_PX[0] * PANELS_PER_ROW as f32,
        PANEL_PX[1] * rows as f32 + LEGEND_PX,
    ];
    let mut image = blank(size[0] as u32, size[1] as u32);
    let (raw, smoothed) = (of_class(0), of_class(1));
    let mut epochs = range(table.epochs.iter().copied());
    if epochs[1] - epochs[0] < 1.0 {
        // A single epoch stands in the middle.
        epochs = [epochs[0].round() - 1.0, epochs[0].round() + 1.0];
    }
    for (index, ((_, title), values)) in PANELS.iter().zip(&table.columns).enumerate() {
        let left = (index % PANELS_PER_ROW) as f32 * PANEL_PX[0];
        let top = (index / PANELS_PER_ROW) as f32 * PANEL_PX[1] + LEGEND_PX;
        let bottom_row = index / PANELS_PER_ROW + 1 == rows;
        let [low, high] = range(values.iter().copied());
        let margin = (high - low) * 0.05;
        let axes = Axes {
            frame: [
                left + 92.0,
                top + 50.0,
                left + PANEL_PX[0] - 24.0,
                top + PANEL_PX[1] - 84.0,
            ],
            x: epochs,
            least_step: [1.0, 0.0],
            y: [low - margin, high + margin],
            font: FONT_PX,
            title,
            x_label: if bottom_row { "epoch" } else { "" },
            y_label: "",
        };
        axes.draw(&mut image);
        if values.is_empty() {
            axes.note(&mut image, "no epoch yet");
            continue;
        }
        axes.line(&mut image, &table.epochs, values, 3.0, raw);
        let deviation = (values.len() as f64 * SMOOTHING.0).min(SMOOTHING.1);
        let smooth = gaussian(values, deviation);
        axes.line(&mut image, &table.epochs, &smooth, 3.0, smoothed);
        if values.len() <= MOST_DOTS {
            for (&epoch, &value) in table.epochs.iter().zip(values) {
                let dot = axes.px(epoch, value);
                disc(&mut image, dot, 4.5, raw);
            }
        }
    }
    let middle = size[0] / 2.0;
    legend(&mut image, middle - 190.0, "each epoch", raw);
    legend(&mut image, middle + 40.0, "smoothed", smoothed);
    image
}

fn legend(image: &mut RgbImage, x: f32, text: &str, ink: Ink) {
    let y = LEGEND_PX * 0.6;
    polyline(image, &[[x, y], [x + 40.0, y]], 4.0, ink);
    let style = Style::new(FONT_PX, TEXT).align(Align::Start, Align::Middle);
    draw_text(image, text, [x + 54.0, y], style);
}

/// Weighted mean of the neighbours; values that are not finite are left out.
fn gaussian(values: &[f64], deviation: f64) -> Vec<f64> {
    (0..values.len())
        .map(|center| {
            let mut sum = [0.0, 0.0];
            for (index, &value) in values.iter().enumerate().filter(|(_, v)| v.is_finite()) {
                let distance = (index as f64 - center as f64) / deviation;
                let weight = (-0.5 * distance * distance).exp();
                sum = [sum[0] + weight * value, sum[1] + weight];
            }
            if sum[1] > 0.0 {
                sum[0] / sum[1]
            } else {
                f64::NAN
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_table_is_named_with_its_line() {
        let header = std::iter::once("epoch")
            .chain(PANELS.iter().map(|(name, _)| *name))
            .collect::<Vec<_>>()
            .join(", ");
        let row = ["0.5"; 11].join(",");
        let message = |text: String| {
            let error = Table::parse(&text).err().expect("an error");
            format!("{error:#}")
        };
        assert!(Table::parse(&format!("{header}\n{row}\n")).is_ok());
        assert!(message(format!("{header}\n{row}\n1,2\n")).contains("line 3: found 2 columns"));
        assert!(message(format!("{header}\n{row}x\n")).contains("\"0.5x\", expected a number"));
        assert!(message("epoch\n".into()).contains("train/box_loss"));
        assert!(message(String::new()).contains("epoch"));
    }

    #[test]
    fn smoothing_keeps_a_constant_and_survives_gaps() {
        let smooth = gaussian(&[2.0, f64::NAN, 2.0], 3.0);
        assert!(smooth.iter().all(|v| (v - 2.0).abs() < 1e-12));
        assert!(gaussian(&[f64::NAN], 3.0)[0].is_nan());
    }
}
