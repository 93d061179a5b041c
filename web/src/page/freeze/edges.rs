//! What flows between modules, and what of it crosses the cut.

use crate::page::lean::part;
use leptos::prelude::*;

use crate::page::state::State;
use crate::picture::{Flow, Picture, Point};

/// Where the icons stand in blocks that flow down; the edges between neighbours run under them.
const ICONS: f64 = 17.0;
/// Room for the label of what crosses the cut.
const LABEL: f64 = 130.0;

/// All edges: from each module to the next, and the curves.
#[component]
pub fn Edges(state: State, picture: Memo<Picture>) -> impl IntoView {
    let connectors = move || {
        let picture = picture.read();
        let network = state.network.read();
        let flow = picture.flow;
        let middle = |at: Point, along: f64| match flow {
            Flow::Across => format!("{along:.1} {:.1}", at.y),
            Flow::Down => format!("{:.1} {along:.1}", at.x),
        };
        let steps = network.rows().iter().filter_map(|row| {
            let to = picture.blocks.get(row.index)?;
            let at = match flow {
                Flow::Across => to.slot.centre(),
                Flow::Down => Point {
                    x: to.slot.x + ICONS,
                    y: 0.0,
                },
            };
            let start = match row.index.checked_sub(1) {
                None if flow == Flow::Across => 30.0,
                None => 24.0,
                Some(before) if row.from.contains(&before) => {
                    picture.blocks.get(before)?.along(flow).1
                }
                Some(_) => return None,
            };
            let path = format!("M{}L{}", middle(at, start), middle(at, to.along(flow).0));
            Some(view! { <path class="step" d=path /> })
        });
        steps.collect_view()
    };
    let arcs = move || {
        let picture = picture.read();
        let arcs = picture.arcs.iter().map(|arc| {
            let (from, to) = (arc.from, arc.to);
            let class = move || {
                let scene = state.scene.read();
                let cut = &scene.stage.cut;
                let crosses = from < cut.prefix && cut.prefix <= to;
                let frozen = scene.stage.frozen_modules.get(from) == Some(&true);
                match (crosses, frozen) {
                    (true, _) => "arc crosses",
                    (false, true) => "arc cold",
                    (false, false) => "arc",
                }
            };
            view! { <path class=class d=arc.path() /> }
        });
        arcs.collect_view()
    };
    view! { <g class="edges" aria-hidden="true">{part(connectors)} {part(arcs)}</g> }
}

/// A drop where each feature crosses the cut, with its shape where there is room. It stands in the
/// line's group, so that it moves with the line.
#[component]
pub fn Crossings(state: State, picture: Memo<Picture>) -> impl IntoView {
    let drops = move || {
        let picture = picture.read();
        let scene = state.scene.read();
        let network = state.network.read();
        let prefix = scene.stage.cut.prefix;
        if prefix == 0 {
            return Vec::new();
        }
        let place = picture.place(prefix);
        let crossing = &scene.stage.cut.crossing;
        let mut drops = Vec::new();
        for &module in crossing {
            let arcs = picture
                .arcs
                .iter()
                .filter(|arc| arc.from == module && arc.to >= prefix);
            // Several readers of one feature: it crosses once, on its outermost curve.
            let arc = arcs.max_by_key(|arc| arc.level);
            if let Some(point) = arc.and_then(|arc| arc.at(place)) {
                drops.push(match picture.flow {
                    Flow::Across => {
                        let label = format!("{module}: {}", network.outputs(module));
                        drop(0.0, point.y, Some((label, place + LABEL < picture.width)))
                    }
                    Flow::Down => drop(point.x, 0.0, None),
                });
            }
            let next = network.rows().get(prefix);
            if module + 1 == prefix
                && next.is_some_and(|row| row.from.contains(&module))
                && let Some(block) = picture.blocks.get(prefix)
            {
                drops.push(match picture.flow {
                    Flow::Across => drop(0.0, block.slot.centre().y, None),
                    Flow::Down => drop(block.slot.x + ICONS, 0.0, None),
                });
            }
        }
        drops
    };
    view! { <g class="crossings" aria-hidden="true">{part(drops)}</g> }
}

/// A drop, and a label after or before it.
fn drop(x: f64, y: f64, label: Option<(String, bool)>) -> impl IntoView {
    let label = label.map(|(label, after)| {
        let (x, anchor) = if after {
            (x + 9.0, "start")
        } else {
            (x - 9.0, "end")
        };
        view! { <text x=x y=y - 6.0 text-anchor=anchor>{label}</text> }
    });
    view! {
        <circle cx=x cy=y r="4.5" />
        {label}
    }
}
