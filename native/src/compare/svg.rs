//! A chart as SVG: by itself, or within the page, whose colours it then takes.

use super::chart::{Chart, Series};
use crate::plots::axes::Ticks;

const SIZE: [f64; 2] = [640.0, 400.0];
/// Left, top, right, bottom.
const FRAME: [f64; 4] = [64.0, 36.0, 620.0, 340.0];
const TICKS: usize = 6;
/// Told apart without colour too.
const DASHES: [&str; 5] = ["", "8 4", "2 4", "12 4 2 4", "4 8"];

/// A file of its own.
pub fn document(chart: &Chart) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}",
        element(
            chart,
            "<style>text{font:13px system-ui,sans-serif;fill:#212529}.grid{stroke:#e9ecef}.axis{stroke:#868e96}</style><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>"
        )
    )
}

/// The element, with `head` before everything else.
pub fn element(chart: &Chart, head: &str) -> String {
    let [width, height] = SIZE;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">{head}",
        escape(&description(chart))
    );
    let [x0, y0, x1, y1] = FRAME;
    let x_ticks = Ticks::new(chart.x, TICKS, 1.0);
    for value in x_ticks.values() {
        let [x, _] = place(chart, value, chart.y[0]);
        svg +=
            &format!("<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{y0}\" y2=\"{y1}\"/>");
        svg += &text(x, y1 + 18.0, "middle", &x_ticks.label(value));
    }
    let y_ticks = Ticks::new(chart.y, TICKS, 0.0);
    for value in y_ticks.values() {
        let [_, y] = place(chart, chart.x[0], value);
        svg +=
            &format!("<line class=\"grid\" x1=\"{x0}\" x2=\"{x1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>");
        svg += &text(x0 - 8.0, y + 4.0, "end", &y_ticks.label(value));
    }
    svg += &format!("<path class=\"axis\" fill=\"none\" d=\"M{x0} {y0}V{y1}H{x1}\"/>");
    svg += &text(
        (x0 + x1) / 2.0,
        20.0,
        "middle",
        &format!("{} ({})", chart.title, chart.y_label),
    );
    if chart.is_empty() {
        svg += &text(
            (x0 + x1) / 2.0,
            (y0 + y1) / 2.0,
            "middle",
            "not known on this system",
        );
    }
    let mut legend = x0;
    for (number, series) in chart.series.iter().enumerate() {
        svg += &lines(chart, series, DASHES[number % DASHES.len()]);
        let y = SIZE[1] - 14.0;
        svg += &format!(
            "<line x1=\"{legend}\" x2=\"{}\" y1=\"{y}\" y2=\"{y}\" stroke=\"{}\" stroke-width=\"3\" stroke-dasharray=\"{}\"/>",
            legend + 32.0,
            colour(series),
            DASHES[number % DASHES.len()],
        );
        svg += &text(legend + 38.0, y + 4.0, "start", &series.name);
        legend += 54.0 + 7.5 * series.name.chars().count() as f64;
    }
    svg + "</svg>"
}

/// The band between the seeds, and the mean.
fn lines(chart: &Chart, series: &Series, dashes: &str) -> String {
    if series.xs.is_empty() {
        return String::new();
    }
    let points = |ys: &mut dyn Iterator<Item = (f64, f64)>| {
        ys.map(|(x, y)| {
            let [x, y] = place(chart, x, y);
            format!("{x:.1},{y:.1}")
        })
        .collect::<Vec<_>>()
        .join(" ")
    };
    let pairs = || series.xs.iter().zip(&series.ys);
    let band = points(
        &mut pairs()
            .map(|(x, y)| (*x, y.high))
            .chain(pairs().rev().map(|(x, y)| (*x, y.low))),
    );
    let mean = points(&mut pairs().map(|(x, y)| (*x, y.mean)));
    let colour = colour(series);
    let dots: String = if series.xs.len() == 1 {
        let [x, y] = place(chart, series.xs[0], series.ys[0].mean);
        format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{colour}\"/>")
    } else {
        String::new()
    };
    format!(
        "<polygon points=\"{band}\" fill=\"{colour}\" opacity=\"0.15\"/><polyline points=\"{mean}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.5\" stroke-dasharray=\"{dashes}\"/>{dots}"
    )
}

fn place(chart: &Chart, x: f64, y: f64) -> [f64; 2] {
    let [x0, y0, x1, y1] = FRAME;
    let part = |value: f64, [low, high]: [f64; 2]| (value - low) / (high - low);
    [
        x0 + (x1 - x0) * part(x, chart.x),
        y1 - (y1 - y0) * part(y, chart.y),
    ]
}

fn colour(series: &Series) -> String {
    let [r, g, b] = series.colour;
    format!("#{r:02x}{g:02x}{b:02x}")
}

fn text(x: f64, y: f64, anchor: &str, words: &str) -> String {
    format!(
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>",
        escape(words)
    )
}

/// What the chart shows, for those who do not see it: where each line ends.
fn description(chart: &Chart) -> String {
    let ends = chart.series.iter().filter_map(|series| {
        let last = series.ys.last()?;
        Some(format!("{} ends at {:.3}", series.name, last.mean))
    });
    format!("{}: {}", chart.title, ends.collect::<Vec<_>>().join(", "))
}

/// Text that cannot be taken for markup.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::chart::tests::comparison;
    use super::*;

    #[test]
    fn lines_lie_within_the_frame_and_words_cannot_be_markup() {
        let mut chart = Chart::all(&comparison()).remove(1);
        chart.series[0].name = "freeze <b>".to_owned();
        let svg = document(&chart);
        assert!(svg.contains("freeze &lt;b&gt;") && !svg.contains("<b>"));
        let lines = svg.split("<polyline points=\"").skip(1);
        let mut count = 0;
        for line in lines {
            for point in line.split('"').next().unwrap().split(' ') {
                let (x, y) = point.split_once(',').unwrap();
                let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
                assert!((FRAME[0]..=FRAME[2]).contains(&x), "{point}");
                assert!((FRAME[1]..=FRAME[3]).contains(&y), "{point}");
                count += 1;
            }
        }
        assert_eq!(count, 5);
    }
}
