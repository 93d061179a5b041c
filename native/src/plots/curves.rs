//! `PR_curve.png`, `F1_curve.png`, `P_curve.png`, `R_curve.png`: a thin line for each class, a thick
//! one for their mean.

use std::path::Path;

use anyhow::Result;
use frostline::eval::Metrics;
use frostline::eval::average_precision::argmax;
use image::RgbImage;

use super::axes::{Axes, blank};
use super::color::{AXIS, Ink, STRONG, TEXT, of_class};
use super::draw::polyline;
use super::text::{Align, Style, draw_text, fitted, width};
use super::{class_name, save};

const SIZE_PX: [f32; 2] = [1800.0, 1200.0];
const FONT_PX: f32 = 30.0;
/// More classes than this get grey lines and no place in the legend.
const MOST_NAMED: usize = 20;
const LONGEST_LEGEND_PX: f32 = 460.0;
const DASH_PX: f32 = 44.0;

/// Writes the four curves into `folder`. `names` are the classes' names.
///
/// # Errors
/// When a file cannot be written.
pub fn plot_curves(folder: &Path, metrics: &Metrics, names: &[String]) -> Result<()> {
    let curves = &metrics.curves;
    let over_confidence = |title, y_label, values, peak| Curve {
        title,
        x_label: "confidence",
        y_label,
        values,
        peak,
    };
    let pr = Curve {
        title: "Precision over recall",
        x_label: "recall",
        y_label: "precision",
        values: &curves.precision_of_recall,
        peak: false,
    };
    let f1 = over_confidence("F1 over confidence", "F1", &curves.f1, true);
    let p = over_confidence(
        "Precision over confidence",
        "precision",
        &curves.precision,
        true,
    );
    let r = over_confidence("Recall over confidence", "recall", &curves.recall, true);
    for (file, curve) in [
        ("PR_curve.png", pr),
        ("F1_curve.png", f1),
        ("P_curve.png", p),
        ("R_curve.png", r),
    ] {
        save(&curve.draw(metrics, names), &folder.join(file))?;
    }
    Ok(())
}

struct Curve<'a> {
    title: &'a str,
    x_label: &'a str,
    y_label: &'a str,
    /// For each class, along the grid.
    values: &'a [Vec<f64>],
    /// The legend names the mean's maximum, instead of the average precision.
    peak: bool,
}

impl Curve<'_> {
    fn draw(&self, metrics: &Metrics, names: &[String]) -> RgbImage {
        let grid = &metrics.curves.grid;
        let named = self.values.len() <= MOST_NAMED;
        let mean = mean(self.values, grid.len());

        let all = if self.peak {
            let at = argmax(&mean);
            let value = |values: &[f64]| values.get(at).copied().unwrap_or(0.0);
            format!("all  {:.2} at {:.3}", value(&mean), value(grid))
        } else {
            format!("all  {:.3} mAP@0.5", metrics.map50)
        };
        let mut legend: Vec<(String, Ink, f32)> = vec![(all, STRONG, 8.0)];
        if named {
            for (row, class) in metrics.per_class.iter().enumerate() {
                let name = class_name(names, class.class);
                let (name, number) = if self.peak {
                    (name, String::new())
                } else {
                    (name, format!("  {:.3}", class.ap50))
                };
                // A long name is cut, its number is not.
                let room = LONGEST_LEGEND_PX - width(&number, FONT_PX);
                let text = fitted(&name, FONT_PX, room) + &number;
                legend.push((text, line_ink(class.class, row, named), 3.5));
            }
        }
        let longest = legend
            .iter()
            .map(|(text, _, _)| width(text, FONT_PX))
            .fold(0.0, f32::max);
        let right = SIZE_PX[0] - longest - DASH_PX - 90.0;
        let mut image = blank(SIZE_PX[0] as u32, SIZE_PX[1] as u32);
        let axes = Axes {
            frame: [150.0, 110.0, right, SIZE_PX[1] - 140.0],
            x: [0.0, 1.0],
            y: [0.0, 1.0],
            least_step: [0.0; 2],
            font: FONT_PX,
            title: self.title,
            x_label: self.x_label,
            y_label: self.y_label,
        };
        axes.draw(&mut image);
        if self.values.is_empty() {
            axes.note(&mut image, "no labelled boxes");
            return image;
        }
        for (row, (class, values)) in metrics.per_class.iter().zip(self.values).enumerate() {
            let ink = line_ink(class.class, row, named);
            axes.line(&mut image, grid, values, if named { 3.5 } else { 2.0 }, ink);
        }
        axes.line(&mut image, grid, &mean, 8.0, STRONG);

        let style = Style::new(FONT_PX, TEXT).align(Align::Start, Align::Middle);
        for (row, (text, ink, thickness)) in legend.iter().enumerate() {
            let y = axes.frame[1] + FONT_PX * (0.5 + 1.5 * row as f32);
            let x = right + 36.0;
            polyline(&mut image, &[[x, y], [x + DASH_PX, y]], *thickness, *ink);
            draw_text(&mut image, text, [x + DASH_PX + 18.0, y], style);
        }
        image
    }
}

fn line_ink(class: usize, row: usize, named: bool) -> Ink {
    match (named, class < MOST_NAMED) {
        (false, _) => AXIS.alpha(0.5),
        // The same colour as in the pictures, as long as no two of the lines share it.
        (true, true) => of_class(class),
        (true, false) => of_class(row),
    }
}

fn mean(curves: &[Vec<f64>], points: usize) -> Vec<f64> {
    (0..points)
        .map(|i| curves.iter().map(|c| c[i]).sum::<f64>() / curves.len().max(1) as f64)
        .collect()
}
