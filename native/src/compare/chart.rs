//! The charts of a comparison: what is drawn, and drawing it as PNG.

use std::path::Path;

use anyhow::Result;

use super::figures::{Comparison, Plan, Spread, memory_mib, use_share};
use crate::plots::axes::{Axes, blank, range};
use crate::plots::color::{Ink, of_class};
use crate::plots::save;
use crate::usage::EpochUsage;

const PNG_PX: [u32; 2] = [1200, 760];
/// Left, top, right, bottom of the PNG's frame.
const PNG_FRAME: [f32; 4] = [120.0, 60.0, 1170.0, 620.0];
const PNG_FONT: f32 = 24.0;
/// How much the band between the seeds covers.
const BAND: f32 = 0.15;
/// Room above and below the values.
const MARGIN: f64 = 0.05;

/// One plan's line.
#[derive(Debug, Clone)]
pub struct Series {
    pub name: String,
    pub colour: [u8; 3],
    pub xs: Vec<f64>,
    /// Over the seeds, at each x.
    pub ys: Vec<Spread>,
}

/// A chart with a line for each plan.
#[derive(Debug, Clone)]
pub struct Chart {
    /// Of its files, without extension.
    pub file: &'static str,
    pub title: String,
    pub x_label: &'static str,
    pub y_label: &'static str,
    pub series: Vec<Series>,
    pub x: [f64; 2],
    pub y: [f64; 2],
}

impl Chart {
    /// mAP50, mAP50-95, time per epoch, memory and use.
    pub fn all(comparison: &Comparison) -> Vec<Self> {
        let rows = |index: usize| {
            move |plan: &Plan| {
                over_seeds(plan, |outcome| {
                    let rows = outcome.rows.iter();
                    rows.filter_map(|row| Some((row.epoch as f64 + 1.0, row.metrics?[index])))
                        .collect()
                })
            }
        };
        let used = |value: &dyn Fn(&EpochUsage) -> Option<f64>, plan: &Plan| {
            over_seeds(plan, |outcome| {
                let usage = outcome.usage.iter();
                usage
                    .filter_map(|usage| Some((usage.epoch as f64 + 1.0, value(usage)?)))
                    .collect()
            })
        };
        let (memory_label, share) = match comparison.total_mib {
            Some(total) => ("process memory (% of the machine's)", 100.0 / total),
            None if comparison.on_device => ("device memory reserved (MiB)", 1.0),
            None => ("process memory (MiB)", 1.0),
        };
        let use_label = if comparison.on_device {
            "device use (%)"
        } else {
            "processor use (%)"
        };
        let chart = |file, title: &str, y_label, lines: &dyn Fn(&Plan) -> Line| {
            Self::new(file, title, y_label, comparison, lines)
        };
        vec![
            chart("map50", "mAP@0.5 on validation", "mAP@0.5", &rows(2)),
            chart(
                "map50-95",
                "mAP@0.5:0.95 on validation",
                "mAP@0.5:0.95",
                &rows(3),
            ),
            chart(
                "epoch-time",
                "Time per epoch, validation apart",
                "seconds",
                &|plan| used(&|usage| Some(usage.seconds), plan),
            ),
            chart(
                "memory",
                "Memory at the end of each epoch",
                memory_label,
                &|plan| used(&|usage| memory_mib(usage).map(|mib| mib * share), plan),
            ),
            chart("use", "Use during each epoch", use_label, &|plan| {
                used(&|usage| use_share(usage).map(|share| share * 100.0), plan)
            }),
        ]
    }

    fn new(
        file: &'static str,
        title: &str,
        y_label: &'static str,
        comparison: &Comparison,
        line: &dyn Fn(&Plan) -> Line,
    ) -> Self {
        let series: Vec<Series> = (comparison.plans.iter().enumerate())
            .map(|(number, plan)| {
                let (xs, ys) = line(plan);
                Series {
                    name: format!("freeze {}", plan.freeze),
                    colour: of_class(number).rgb,
                    xs,
                    ys,
                }
            })
            .collect();
        let ys = || series.iter().flat_map(|series| &series.ys);
        let [_, high] = range(ys().map(|y| y.high));
        let [low, _] = range(ys().map(|y| y.low));
        let [first, last] = range(series.iter().flat_map(|series| series.xs.iter().copied()));
        // From zero, so that lengths compare.
        Self {
            file,
            title: title.to_owned(),
            x_label: "epoch",
            y_label,
            x: [first, last],
            y: [low.min(0.0), high + MARGIN * (high - low.min(0.0))],
            series,
        }
    }

    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.series.iter().all(|series| series.xs.is_empty())
    }

    /// Draws it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save_png(&self, to: &Path) -> Result<()> {
        let mut image = blank(PNG_PX[0], PNG_PX[1]);
        let axes = Axes {
            frame: PNG_FRAME,
            x: self.x,
            y: self.y,
            least_step: [1.0, 0.0],
            font: PNG_FONT,
            title: &self.title,
            x_label: self.x_label,
            y_label: self.y_label,
        };
        axes.draw(&mut image);
        if self.is_empty() {
            axes.note(&mut image, "not known on this system");
        }
        for series in &self.series {
            let ink = Ink::new(series.colour);
            let of = |f: fn(&Spread) -> f64| series.ys.iter().map(f).collect::<Vec<f64>>();
            for edge in [of(|y| y.low), of(|y| y.high)] {
                axes.line(&mut image, &series.xs, &edge, 2.0, ink.alpha(BAND * 2.0));
            }
            axes.line(&mut image, &series.xs, &of(|y| y.mean), 4.0, ink);
        }
        self.legend(&mut image);
        save(&image, to)
    }

    fn legend(&self, image: &mut image::RgbImage) {
        use crate::plots::color::TEXT;
        use crate::plots::text::{Align, Style, draw_text, width};
        let mut x = PNG_FRAME[0];
        let y = PNG_PX[1] as f32 - PNG_FONT * 1.3;
        let style = Style::new(PNG_FONT, TEXT).align(Align::Start, Align::Middle);
        for series in &self.series {
            crate::plots::draw::polyline(
                image,
                &[[x, y], [x + 40.0, y]],
                6.0,
                Ink::new(series.colour),
            );
            draw_text(image, &series.name, [x + 52.0, y], style);
            x += 52.0 + width(&series.name, PNG_FONT) + 40.0;
        }
    }
}

/// x, and y over the seeds.
type Line = (Vec<f64>, Vec<Spread>);

/// Joins the seeds' points at the same x.
fn over_seeds(plan: &Plan, points: impl Fn(&super::figures::Outcome) -> Vec<(f64, f64)>) -> Line {
    let mut by_x: std::collections::BTreeMap<u64, Vec<f64>> = Default::default();
    for (x, y) in plan.outcomes.iter().flat_map(points) {
        // Epochs are whole numbers.
        by_x.entry(x as u64).or_default().push(y);
    }
    by_x.into_iter()
        .filter_map(|(x, ys)| Some((x as f64, Spread::of(&ys)?)))
        .unzip()
}

#[cfg(test)]
pub mod tests {
    use super::super::figures::tests::outcome;
    use super::*;

    pub fn comparison() -> Comparison {
        let outcomes = [
            outcome(0, "0", 0, &[0.1, 0.4, 0.5], 4.0),
            outcome(0, "0", 1, &[0.2, 0.3, 0.6], 4.0),
            outcome(1, "10", 0, &[0.2, 0.5], 2.0),
        ];
        Comparison::of(&["0".to_owned(), "10".to_owned()], None, &outcomes)
    }

    #[test]
    fn charts_have_a_line_for_each_plan_with_the_spread_of_its_seeds() {
        let charts = Chart::all(&comparison());
        let files: Vec<&str> = charts.iter().map(|chart| chart.file).collect();
        assert_eq!(files, ["map50", "map50-95", "epoch-time", "memory", "use"]);
        let map = &charts[1];
        assert_eq!(map.series.len(), 2);
        assert_eq!(map.series[0].xs, [1.0, 2.0, 3.0]);
        let last = map.series[0].ys[2];
        assert_eq!((last.low, last.high), (0.5, 0.6));
        assert_eq!(map.series[1].xs.len(), 2);
        assert_eq!((map.x, map.y[0]), ([1.0, 3.0], 0.0));
        assert!(map.y[1] > 0.6);
    }

    #[test]
    fn a_chart_becomes_a_picture_with_its_colours() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("map.png");
        let chart = &Chart::all(&comparison())[1];
        chart.save_png(&to).unwrap();
        let image = image::open(&to).unwrap().into_rgb8();
        for series in &chart.series {
            assert!(image.pixels().any(|pixel| pixel.0 == series.colour));
        }
    }
}
