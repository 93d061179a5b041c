//! What stands where: a line about the run, losses and accuracy by epoch, what an epoch took.

use ratatui::Frame;
use ratatui::layout::{Constraint, Direction, Layout, Rect};
use ratatui::style::{Color, Style, Stylize as _};
use ratatui::symbols::Marker;
use ratatui::text::Line;
use ratatui::widgets::{Axis, Block, Chart, Dataset, GraphType, LegendPosition, Paragraph};

use super::Seen;
use crate::results::EpochRow;

/// Narrower, and one chart stands above the other.
const WIDE: u16 = 80;

/// Draws the run.
pub fn draw(frame: &mut Frame<'_>, seen: &Seen) {
    let parts = [
        Constraint::Length(2),
        Constraint::Fill(1),
        Constraint::Length(2),
    ];
    let [head, charts, foot] = Layout::vertical(parts).areas(frame.area());
    frame.render_widget(Paragraph::new(heading(seen)), head);
    let direction = match charts.width >= WIDE {
        true => Direction::Horizontal,
        false => Direction::Vertical,
    };
    let halves = [Constraint::Fill(1), Constraint::Fill(1)];
    let [left, right] = Layout::new(direction, halves).areas(charts);
    let losses = ["box", "obj", "cls"];
    let losses: Vec<_> = (losses.into_iter().enumerate())
        .map(|(i, name)| (name, points(&seen.rows, |row| Some(row.train[i]))))
        .collect();
    chart(
        frame,
        left,
        "losses of training",
        &losses,
        None,
        seen.epochs,
    );
    let metrics = [
        ("mAP50-95", 3),
        ("mAP50", 2),
        ("precision", 0),
        ("recall", 1),
    ];
    let metrics = metrics.map(|(name, i)| (name, points(&seen.rows, |row| Some(row.metrics?[i]))));
    chart(frame, right, "validation", &metrics, Some(1.0), seen.epochs);
    frame.render_widget(Paragraph::new(footing(seen)), foot);
}

type Points = Vec<(f64, f64)>;

/// The figures that there are and are numbers, over epochs that count from 1.
fn points(rows: &[EpochRow], figure: impl Fn(&EpochRow) -> Option<f64>) -> Points {
    rows.iter()
        .filter_map(|row| Some((row.epoch as f64 + 1.0, figure(row)?)))
        .filter(|(_, value)| value.is_finite())
        .collect()
}

fn heading(seen: &Seen) -> Vec<Line<'static>> {
    let done = seen.rows.last().map_or(0, |row| row.epoch + 1);
    let state = match (seen.ended, done) {
        (true, _) => format!("ended after epoch {done} of {}", seen.epochs),
        (false, 0) => "no epoch has ended yet".to_owned(),
        (false, _) => format!("epoch {done} of {}", seen.epochs),
    };
    let run = seen.run.display();
    let first = Line::from(format!("{run} · freeze {} · {state}", seen.freeze)).bold();
    let map = points(&seen.rows, |row| Some(row.metrics?[3]));
    let best = map
        .iter()
        .copied()
        .reduce(|best, next| match next.1 > best.1 {
            true => next,
            false => best,
        });
    let second = match (map.last(), best) {
        (Some((_, last)), Some((epoch, best))) => {
            format!("mAP50-95 {last:.3}, best {best:.3} in epoch {epoch}")
        }
        _ => String::new(),
    };
    vec![first, Line::from(second)]
}

fn footing(seen: &Seen) -> Vec<Line<'static>> {
    let mut figures = Vec::new();
    if let Some(usage) = seen.usage.last() {
        figures.push(format!("epoch {:.1} s", usage.seconds));
        if usage.steps > 0 {
            let step = usage.seconds * 1000.0 / usage.steps as f64;
            figures.push(format!("{step:.0} ms a step"));
        }
        let percent = |share: f64| format!("{:.0} %", share * 100.0);
        figures.push(format!("computing {}", percent(usage.compute_share)));
        if let Some(share) = usage.cpu_share {
            figures.push(format!("processor {}", percent(share)));
        }
        if let Some(mib) = usage.process_mib {
            figures.push(format!("{mib:.0} MiB"));
        }
        if let Some([used, reserved]) = usage.device_mib {
            figures.push(format!("device {used:.0} of {reserved:.0} MiB"));
        }
    }
    let keys = "q ends watching; the run goes on";
    vec![Line::from(figures.join(" · ")), Line::from(keys).dim()]
}

/// One chart; `top` is where its scale ends, the largest figure unless it is said.
fn chart(
    frame: &mut Frame<'_>,
    area: Rect,
    title: &'static str,
    series: &[(&'static str, Points)],
    top: Option<f64>,
    epochs: usize,
) {
    const COLOURS: [Color; 4] = [Color::Cyan, Color::Yellow, Color::Magenta, Color::Green];
    let largest = (series.iter().flat_map(|(_, points)| points))
        .map(|(_, value)| *value)
        .fold(0.0, f64::max);
    let top = top.unwrap_or(if largest > 0.0 { largest } else { 1.0 });
    let last = epochs.max(2);
    let datasets = series.iter().zip(COLOURS).map(|((name, points), colour)| {
        let said = match points.last() {
            Some((_, value)) => format!("{name} {value:.3}"),
            None => (*name).to_owned(),
        };
        Dataset::default()
            .name(said)
            .marker(Marker::Braille)
            .graph_type(GraphType::Line)
            .style(Style::new().fg(colour))
            .data(points)
    });
    let x = Axis::default()
        .bounds([1.0, last as f64])
        .labels(["1".to_owned(), format!("epoch {last}")]);
    let y = Axis::default().bounds([0.0, top]).labels([
        "0".to_owned(),
        format!("{:.3}", top / 2.0),
        format!("{top:.3}"),
    ]);
    let chart = Chart::new(datasets.collect())
        .block(Block::bordered().title(title))
        .x_axis(x)
        .y_axis(y)
        .legend_position(Some(LegendPosition::TopRight))
        .hidden_legend_constraints((Constraint::Percentage(70), Constraint::Percentage(70)));
    frame.render_widget(chart, area);
}
