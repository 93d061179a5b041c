//! A line chart as SVG, as wide as its place.

use crate::page::lean::{effect, part};
use leptos::html;
use leptos::prelude::*;

use super::browser;
use super::state::State;
use crate::chart::{Chart, Line, Tick, Wanted};
use crate::words::fill;

const HEIGHT: f64 = 230.0;
const LEAST_WIDTH: f64 = 240.0;

/// A chart with its title; `wanted` is asked for a room in pixels, and again when what it reads changes.
#[component]
pub fn ChartView(
    state: State,
    title: Signal<&'static str>,
    wanted: impl Fn((f64, f64)) -> Wanted + Send + Sync + 'static,
    /// How the values are written.
    format: fn(f64) -> String,
) -> impl IntoView {
    let frame = NodeRef::<html::Div>::new();
    let width = RwSignal::new(0.0);
    effect(move || {
        if let Some(frame) = frame.get() {
            browser::observe_width(&frame, move |found| {
                if (found - width.get_untracked()).abs() >= 1.0 {
                    width.set(found);
                }
            });
        }
    });
    let wanted = Memo::new(move |_| wanted((width.get().max(LEAST_WIDTH), HEIGHT)));
    let chart = Memo::new(move |_| Chart::new(&wanted.read()));
    let described = Signal::derive(move || {
        let words = state.words();
        let lines: Vec<String> = (wanted.read().series.iter())
            .filter_map(|series| {
                let (first, last) = (series.points.first()?, series.points.last()?);
                let values = [
                    ("name", &*series.label),
                    ("first", &format(first.1)),
                    ("last", &format(last.1)),
                ];
                Some(fill(words.chart_line, &values))
            })
            .collect();
        if lines.is_empty() {
            return fill(words.chart_empty, &[("title", title.get())]);
        }
        format!("{}. {}", title.get(), lines.join("; "))
    });
    let chart_width = Signal::derive(move || wanted.read().width);
    view! {
        <figure class="chart">
            <figcaption>{title}</figcaption>
            <div node_ref=frame>
                <svg role="img" aria-label=described width=chart_width height=HEIGHT>
                    <g class="grid">{part(move || grid(&chart.read()))}</g>
                    {part(move || chart.read().lines.iter().enumerate().map(line).collect_view())}
                </svg>
            </div>
        </figure>
    }
}

fn grid(chart: &Chart) -> impl IntoView + use<> {
    let [left, top, right, bottom] = chart.area;
    let across = chart.y.iter().map(|Tick { at, label }| {
        view! {
            <path d=format!("M{left:.1} {at:.1}H{right:.1}") />
            <text x=left - 7.0 y=at + 4.0 text-anchor="end">{label.clone()}</text>
        }
    });
    let down = chart.x.iter().map(|Tick { at, label }| {
        view! {
            <path d=format!("M{at:.1} {bottom:.1}v5") />
            <text x=*at y=bottom + 19.0 text-anchor="middle">{label.clone()}</text>
        }
    });
    (
        across.collect_view(),
        down.collect_view(),
        view! { <path class="axis" d=format!("M{left:.1} {top:.1}V{bottom:.1}H{right:.1}") /> },
    )
}

fn line((index, line): (usize, &Line)) -> impl IntoView + use<> {
    let end = line.end.map(|(x, y)| {
        view! {
            <circle cx=x cy=y r="3.5" />
            <text x=x + 8.0 y=line.label_y + 4.0>{line.label.clone()}</text>
        }
    });
    view! {
        <g class=format!("curve curve-{index}")>
            <path d=line.path.clone() stroke-dasharray=line.dash />
            {end}
        </g>
    }
}
