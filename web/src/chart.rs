//! A small line chart as numbers and paths, in pixels: what is drawn of it stands in the page.
//!
//! Lines differ in their dashes and carry their name at their end, so that no colour is needed to tell them apart.

/// Room for the labels of the y axis.
const LEFT: f64 = 46.0;
/// Room for the labels of the x axis.
const BOTTOM: f64 = 30.0;
const TOP: f64 = 12.0;
/// Least distance between the labels at the lines' ends.
const LABEL: f64 = 16.0;
/// Ticks along an axis, at most; there are at least half as many.
const TICKS: usize = 6;
/// Dashes by line: solid, long, dotted, dash-dotted.
const DASHES: [&str; 4] = ["", "8 4", "2 3.5", "9 3 2 3"];

/// What a line shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its name, at its end.
    pub label: String,
    /// Points with growing x; those that are not finite leave a gap.
    pub points: Vec<(f64, f64)>,
}

/// What a chart is to show, and in which room.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// Width in pixels, with the labels.
    pub width: f64,
    /// Height in pixels, with the labels.
    pub height: f64,
    /// Room right of the lines for their names, in pixels.
    pub right: f64,
    /// Values that the x axis spans at least.
    pub x: (f64, f64),
    /// Values that the y axis spans at least.
    pub y: (f64, f64),
    /// Whether only whole numbers stand on the x axis.
    pub whole_x: bool,
    /// The lines.
    pub series: Vec<Series>,
}

/// A number on an axis and its place in pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    /// The place along the axis.
    pub at: f64,
    /// The number.
    pub label: String,
}

/// A line as it is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Its name.
    pub label: String,
    /// The path; empty without a point.
    pub path: String,
    /// `stroke-dasharray`; empty for a solid line.
    pub dash: &'static str,
    /// Its last point, where there is one.
    pub end: Option<(f64, f64)>,
    /// The y of its name, beside the end and clear of other names.
    pub label_y: f64,
}

/// A chart as it is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// The area of the lines: left, top, right, bottom.
    pub area: [f64; 4],
    /// Along x.
    pub x: Vec<Tick>,
    /// Along y.
    pub y: Vec<Tick>,
    /// The lines.
    pub lines: Vec<Line>,
}

impl Chart {
    /// Lays a chart out.
    pub fn new(wanted: &Wanted) -> Self {
        let right = (wanted.width - wanted.right).max(LEFT + 1.0);
        let area = [LEFT, TOP, right, (wanted.height - BOTTOM).max(TOP + 1.0)];
        let points = || wanted.series.iter().flat_map(|series| &series.points);
        let finite = || points().filter(|(x, y)| x.is_finite() && y.is_finite());
        let x = span(wanted.x, finite().map(|(x, _)| *x));
        let (x_step, x_range) = (step_of(x, wanted.whole_x), x);
        let y = span(wanted.y, finite().map(|(_, y)| *y));
        let y_step = step_of(y, false);
        // The y axis ends on a tick, so that no line leaves the chart above its last number.
        let y_range = (
            (y.0 / y_step).floor() * y_step,
            (y.1 / y_step - 1e-9).ceil() * y_step,
        );
        let to_x =
            |x: f64| area[0] + (x - x_range.0) / (x_range.1 - x_range.0) * (area[2] - area[0]);
        let to_y =
            |y: f64| area[3] - (y - y_range.0) / (y_range.1 - y_range.0) * (area[3] - area[1]);
        let mut lines: Vec<Line> = (wanted.series.iter().zip(DASHES.iter().cycle()))
            .map(|(series, dash)| {
                let place = |&(x, y): &(f64, f64)| (to_x(x), to_y(y));
                let last = series
                    .points
                    .iter()
                    .rev()
                    .find(|(x, y)| x.is_finite() && y.is_finite());
                let end = last.map(place);
                Line {
                    label: series.label.clone(),
                    path: path(series.points.iter().map(place)),
                    dash,
                    end,
                    label_y: end.map_or(area[3], |(_, y)| y),
                }
            })
            .collect();
        spread(&mut lines, area[1], area[3]);
        Self {
            area,
            x: ticks(x_range, x_step, to_x),
            y: ticks(y_range, y_step, to_y),
            lines,
        }
    }
}

/// The least range that holds another and all values; never empty.
fn span(least: (f64, f64), values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold(least, |(low, high), value| {
        (low.min(value), high.max(value))
    });
    if high > low {
        (low, high)
    } else {
        (low, low + 1.0)
    }
}

/// A distance of 1, 2 or 5 times a power of ten between ticks.
fn step_of((low, high): (f64, f64), whole: bool) -> f64 {
    let rough = (high - low) / (TICKS - 1) as f64;
    let power = 10.0_f64.powf(rough.log10().floor());
    let factors = [1.0, 2.0, 5.0, 10.0];
    let factor = factors
        .into_iter()
        .find(|factor| factor * power >= rough * (1.0 - 1e-9));
    let step = factor.unwrap_or(10.0) * power;
    if whole { step.max(1.0).round() } else { step }
}

fn ticks((low, high): (f64, f64), step: f64, place: impl Fn(f64) -> f64) -> Vec<Tick> {
    let decimals = (-step.log10()).ceil().clamp(0.0, 9.0) as usize;
    let first = (low / step - 1e-9).ceil();
    let count = ((high / step + 1e-9).floor() - first).max(0.0) as usize;
    (0..=count)
        .map(|index| {
            let value = (first + index as f64) * step;
            // No minus before a zero.
            let value = if value.abs() < step * 1e-6 {
                0.0
            } else {
                value
            };
            Tick {
                at: place(value),
                label: format!("{value:.decimals$}"),
            }
        })
        .collect()
}

/// A path through places in pixels, broken where one is not finite.
fn path(places: impl Iterator<Item = (f64, f64)>) -> String {
    use std::fmt::Write;
    let mut path = String::new();
    let mut pen = "M";
    for (x, y) in places {
        if x.is_finite() && y.is_finite() {
            _ = write!(path, "{pen}{x:.1} {y:.1}");
            pen = "L";
        } else {
            pen = "M";
        }
    }
    path
}

/// Moves names apart that would stand on each other, within the chart.
fn spread(lines: &mut [Line], top: f64, bottom: f64) {
    let mut order: Vec<usize> = (0..lines.len())
        .filter(|&at| lines.get(at).is_some_and(|line| line.end.is_some()))
        .collect();
    order.sort_by(|&a, &b| match (lines.get(a), lines.get(b)) {
        (Some(a), Some(b)) => a.label_y.total_cmp(&b.label_y),
        _ => std::cmp::Ordering::Equal,
    });
    // Down from the top, then up from the bottom for those that were pushed out.
    let mut least = top;
    for &at in &order {
        if let Some(line) = lines.get_mut(at) {
            line.label_y = line.label_y.max(least);
            least = line.label_y + LABEL;
        }
    }
    let mut most = bottom;
    for &at in order.iter().rev() {
        if let Some(line) = lines.get_mut(at) {
            line.label_y = line.label_y.min(most);
            most = line.label_y - LABEL;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(series: &[&[(f64, f64)]]) -> Wanted {
        let named = |(index, points): (usize, &&[(f64, f64)])| Series {
            label: format!("{index}"),
            points: points.to_vec(),
        };
        Wanted {
            width: 400.0,
            height: 200.0,
            right: 80.0,
            x: (0.0, 30.0),
            y: (0.0, 1.0),
            whole_x: true,
            series: series.iter().enumerate().map(named).collect(),
        }
    }

    fn labels(ticks: &[Tick]) -> Vec<&str> {
        ticks.iter().map(|tick| tick.label.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_numbers() {
        let chart = Chart::new(&wanted(&[]));
        assert_eq!(labels(&chart.x), ["0", "10", "20", "30"]);
        assert_eq!(labels(&chart.y), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!((chart.y[0].at, chart.y[5].at), (170.0, 12.0));
        let few = Wanted {
            x: (0.0, 2.0),
            y: (0.0, 0.034),
            ..wanted(&[])
        };
        let chart = Chart::new(&few);
        assert_eq!(labels(&chart.x), ["0", "1", "2"]);
        assert_eq!(labels(&chart.y), ["0.00", "0.01", "0.02", "0.03", "0.04"]);
    }

    #[test]
    fn lines_stay_in_the_area_and_axes_grow_with_them() {
        let points = [(0.0, 0.3), (40.0, 3.2)];
        let chart = Chart::new(&wanted(&[&points]));
        let [left, top, right, bottom] = chart.area;
        let (x, y) = chart.lines[0].end.unwrap();
        assert!(left <= x && x <= right && top <= y && y <= bottom);
        assert_eq!(labels(&chart.y), ["0", "1", "2", "3", "4"]);
        assert_eq!(chart.lines[0].path, "M46.0 158.2L320.0 43.6");
    }

    #[test]
    fn what_is_not_a_number_leaves_a_gap() {
        let points = [(0.0, 0.0), (10.0, f64::NAN), (20.0, 0.5), (30.0, 1.0)];
        let chart = Chart::new(&wanted(&[&points, &[]]));
        assert_eq!(chart.lines[0].path.matches('M').count(), 2);
        assert!(!chart.lines[0].path.contains("NaN"));
        assert_eq!(
            (chart.lines[1].path.as_str(), chart.lines[1].end),
            ("", None)
        );
        let nothing = [(0.0, f64::INFINITY)];
        assert_eq!(Chart::new(&wanted(&[&nothing])).lines[0].end, None);
    }

    #[test]
    fn lines_differ_without_colour_and_their_names_stand_apart() {
        let points = [(0.0, 0.99), (30.0, 0.01)];
        let chart = Chart::new(&wanted(&[&points, &points, &points]));
        let mut places: Vec<f64> = chart.lines.iter().map(|line| line.label_y).collect();
        places.sort_by(f64::total_cmp);
        assert!(places.windows(2).all(|pair| pair[1] - pair[0] >= LABEL));
        assert!(
            places
                .iter()
                .all(|y| (chart.area[1]..=chart.area[3]).contains(y))
        );
        let dashes: std::collections::HashSet<_> =
            chart.lines.iter().map(|line| line.dash).collect();
        assert_eq!(dashes.len(), 3);
    }
}
