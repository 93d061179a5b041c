//! What was found on a picture: boxes over it, and the same as a table.

use crate::page::lean::{derived, part};
use leptos::prelude::*;

use super::{Settings, name_of};
use crate::address::View;
use crate::messages::{Ask, FoundBox, Refusal, Said, Which};
use crate::overlay;
use crate::page::data::class_style;
use crate::page::lab::Lab;
use crate::page::link::unexpected;
use crate::page::nav::ViewLink;
use crate::page::picked::{Picked, Stage, follow};
use crate::page::status::Wrong;
use crate::words::fill;

/// What was found.
#[derive(Debug, Clone)]
struct Found {
    boxes: Vec<FoundBox>,
    classes: Vec<String>,
    seconds: f64,
}

impl Found {
    fn class(&self, found: &FoundBox) -> String {
        let name = self.classes.get(found.class);
        name.cloned().unwrap_or_else(|| found.class.to_string())
    }
}

/// One side of the comparison.
#[component]
pub fn FoundPanel(
    lab: Lab,
    settings: Settings,
    asked: RwSignal<u32>,
    which: Which,
) -> impl IntoView {
    let words = move || lab.state.words();
    let picked = RwSignal::new_local(None::<Picked>);
    let found = RwSignal::new(None::<Found>);
    let problem = RwSignal::new(None::<Refusal>);
    let nothing_yet = RwSignal::new(false);
    let ask = move |picture| Ask::Detect {
        picture,
        imgsz: settings.imgsz.get(),
        conf: settings.conf.get() as f32 / 100.0,
        iou: settings.iou.get() as f32 / 100.0,
        which,
    };
    follow(lab, asked, ask, move |seen, _, answer| {
        let refused = match answer {
            Ok((
                Said::Detected {
                    boxes,
                    classes,
                    seconds,
                },
                _,
            )) => {
                found.set(Some(Found {
                    boxes,
                    classes,
                    seconds,
                }));
                None
            }
            Ok((said, _)) => Some(unexpected(&said)),
            Err(refusal) => Some(refusal),
        };
        if refused.is_some() {
            found.set(None);
        }
        nothing_yet.set(refused.as_ref().is_some_and(is_nothing_yet));
        problem.set(refused.filter(|refusal| !is_nothing_yet(refusal)));
        picked.set(Some(seen));
    });
    let live = move || picked.read().as_ref().is_some_and(Picked::is_frame);
    let summary = move || {
        let found = found.read();
        let Some(found) = &*found else {
            return String::new();
        };
        fill(
            words().detected,
            &[
                ("count", &found.boxes.len().to_string()),
                ("ms", &format!("{:.0}", found.seconds * 1000.0)),
            ],
        )
    };
    let boxes = move || {
        let (found, picked) = (found.read(), picked.read());
        let (Some(found), Some(picked)) = (&*found, &*picked) else {
            return Vec::new();
        };
        let boxes = found.boxes.iter().map(|one| {
            let place = overlay::place(one, picked.size);
            let side = if place.label_above { "above" } else { "inside" };
            let label = format!("{} {:.0}%", found.class(one), one.confidence * 100.0);
            view! {
                <div
                    class=format!("found {side} {}", class_style(one.class))
                    style:left=format!("{:.2}%", place.left)
                    style:top=format!("{:.2}%", place.top)
                    style:width=format!("{:.2}%", place.width)
                    style:height=format!("{:.2}%", place.height)
                >
                    <span>{label}</span>
                </div>
            }
        });
        boxes.collect()
    };
    let table = move || {
        let found = found.read();
        let found = found
            .as_ref()
            .filter(|found| !found.boxes.is_empty() && !live())?;
        let words = words();
        let rows = found.boxes.iter().map(|one| {
            let [x1, y1, x2, y2] = one.xyxy.map(f32::round);
            view! {
                <tr>
                    <th scope="row">
                        <span class=format!("swatch {}", class_style(one.class))></span>
                        {found.class(one)}
                    </th>
                    <td>{format!("{:.0}%", one.confidence * 100.0)}</td>
                    <td>{format!("{x1}, {y1}")}</td>
                    <td>{format!("{} × {}", x2 - x1, y2 - y1)}</td>
                </tr>
            }
        });
        Some(view! {
            <table class="boxes-of">
                <caption class="unseen">{words.boxes_found}</caption>
                <thead>
                    <tr>
                        <th scope="col">{words.box_class}</th>
                        <th scope="col">{words.conf}</th>
                        <th scope="col">{words.box_place}</th>
                        <th scope="col">{words.box_size}</th>
                    </tr>
                </thead>
                <tbody>{rows.collect_view()}</tbody>
            </table>
        })
    };
    let shown = Memo::new(move |_| picked.read().is_some() && !nothing_yet.get());
    let body = move || {
        shown.get().then(|| {
            view! {
                <Stage picked label=Signal::derive(move || words().picture_looked_at.to_owned())>
                    <div class="over-it" aria-hidden="true">{part(boxes)}</div>
                </Stage>
            }
        })
    };
    let id = match which {
        Which::Before => "before",
        Which::After => "after",
    };
    view! {
        <section class="panel" id=id aria-label=derived(move || name_of(which, words()))>
            <h2>{part(move || name_of(which, words()))}</h2>
            <p class="note">{part(move || match which {
                Which::Before => lab.weights.name.get(),
                Which::After => words().after_is.to_owned(),
            })}</p>
            {part(body)}
            <NothingYet lab nothing_yet />
            <p class="count-of" role="status" aria-live=derived(move || if live() { "off" } else { "polite" })>{part(summary)}</p>
            {part(table)}
            <Wrong lab problem=problem.into() />
        </section>
    }
}

/// Whether the engine has no fine-tuned weights.
pub fn is_nothing_yet(refusal: &Refusal) -> bool {
    refusal.place == "the fine-tuned weights"
}

/// That there is nothing after yet, and where it comes from.
#[component]
pub fn NothingYet(lab: Lab, nothing_yet: RwSignal<bool>) -> impl IntoView {
    move || {
        nothing_yet.get().then(|| {
            view! {
                <p class="nothing-yet">
                    {lab.state.word(|words| words.after_none)} " "
                    <ViewLink state=lab.state view=View::Train>
                        {lab.state.word(|words| words.after_train)}
                    </ViewLink>
                </p>
            }
        })
    }
}
