//! The planes of a module as small pictures, and the chosen one over the picture.

use crate::page::lean::{derived, effect, part};
use js_sys::Uint8ClampedArray;
use leptos::ev::KeyboardEvent;
use leptos::html;
use leptos::prelude::*;
use web_sys::{HtmlCanvasElement, ImageData};

use super::{Choice, Seen};
use crate::messages::{Ask, Refusal, Said, Which};
use crate::overlay;
use crate::page::browser;
use crate::page::detect::{NothingYet, is_nothing_yet, name_of};
use crate::page::lab::Lab;
use crate::page::link::unexpected;
use crate::page::picked::{Picked, Stage, context, follow};
use crate::page::status::Wrong;
use crate::words::fill;

/// One side of the comparison.
#[component]
pub fn SeenPanel(
    lab: Lab,
    choice: Choice,
    asked: RwSignal<u32>,
    seen: RwSignal<Option<Seen>, LocalStorage>,
    which: Which,
) -> impl IntoView {
    let words = move || lab.state.words();
    let picked = RwSignal::new_local(None::<Picked>);
    let problem = RwSignal::new(None::<Refusal>);
    let nothing_yet = RwSignal::new(false);
    let ask = move |picture| Ask::Xray {
        picture,
        imgsz: choice.imgsz.get(),
        module: choice.module.get(),
        which,
    };
    follow(lab, asked, ask, move |looked_at, question, answer| {
        let refused = match (question, answer) {
            (
                Ask::Xray { module, .. },
                Ok((
                    Said::Xray {
                        planes,
                        width,
                        height,
                        content,
                    },
                    bytes,
                )),
            ) => {
                let size = [width, height];
                let buffer = bytes.first().map(|buffer| Uint8ClampedArray::new(buffer));
                seen.set(buffer.map(|pixels| Seen {
                    module,
                    planes,
                    size,
                    content: overlay::content(content, size),
                    pixels,
                }));
                if choice.plane.get_untracked() >= planes {
                    choice.plane.set(0);
                }
                None
            }
            (_, Ok((said, _))) => Some(unexpected(&said)),
            (_, Err(refusal)) => Some(refusal),
        };
        if refused.is_some() {
            seen.set(None);
        }
        nothing_yet.set(refused.as_ref().is_some_and(is_nothing_yet));
        problem.set(refused.filter(|refusal| !is_nothing_yet(refusal)));
        picked.set(Some(looked_at));
    });
    let shape = move || {
        let seen = seen.read();
        let Some(seen) = &*seen else {
            return String::new();
        };
        let network = lab.state.network.read();
        let kind = network
            .rows()
            .get(seen.module)
            .map_or("", |row| row.kind.name());
        fill(
            words().xray_shape,
            &[
                ("index", &seen.module.to_string()),
                ("kind", kind),
                ("planes", &seen.planes.to_string()),
                ("width", &seen.size[0].to_string()),
                ("height", &seen.size[1].to_string()),
            ],
        )
    };
    let over = NodeRef::<html::Canvas>::new();
    effect(move || {
        if let (Some(canvas), Some(seen)) = (over.get(), &*seen.read()) {
            seen.draw(choice.plane.get(), &canvas);
        }
    });
    let label = Signal::derive(move || {
        let plane = choice.plane.get().to_string();
        fill(words().xray_over, &[("index", &plane)])
    });
    let shown = Memo::new(move |_| picked.read().is_some() && seen.read().is_some());
    let body = move || {
        shown.get().then(|| {
            view! {
                <Stage picked label>
                    <canvas node_ref=over class="plane-over" aria-hidden="true"></canvas>
                </Stage>
                <p class="note">{part(move || label.get())}</p>
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
            <NothingYet lab nothing_yet />
            <p class="count-of" role="status">{part(shape)}</p>
            {part(body)}
            <Planes lab choice seen id />
            <Wrong lab problem=problem.into() />
        </section>
    }
}

/// The planes; one of them takes the focus, arrow keys go on from there.
#[component]
fn Planes(
    lab: Lab,
    choice: Choice,
    seen: RwSignal<Option<Seen>, LocalStorage>,
    id: &'static str,
) -> impl IntoView {
    let words = move || lab.state.words();
    let planes = Memo::new(move |_| seen.read().as_ref().map_or(0, |seen| seen.planes));
    let count = Memo::new(move |_| overlay::shown(planes.get(), choice.all.get()));
    let name = move |index: usize| format!("{id}-plane-{index}");
    let on_key = move |event: KeyboardEvent| {
        let at = choice.plane.get_untracked();
        if let Some(to) = overlay::step(&event.key(), at, count.get_untracked()) {
            event.prevent_default();
            choice.plane.set(to);
            browser::focus(&name(to));
        }
    };
    let buttons = move || {
        // The chosen one may lie among those that are not shown any more.
        let reached = move || choice.plane.get().min(count.get().saturating_sub(1));
        let buttons = (0..count.get()).map(|index| {
            let canvas = NodeRef::<html::Canvas>::new();
            effect(move || {
                if let (Some(canvas), Some(seen)) = (canvas.get(), &*seen.read()) {
                    seen.draw(index, &canvas);
                }
            });
            let label = move || fill(words().xray_plane, &[("index", &index.to_string())]);
            view! {
                <button
                    id=name(index)
                    type="button"
                    aria-label=label
                    aria-pressed=derived(move || (choice.plane.get() == index).to_string())
                    tabindex=derived(move || if reached() == index { "0" } else { "-1" })
                    on:click=move |_| choice.plane.set(index)
                    on:focus=move |_| choice.plane.set(index)
                    on:pointerenter=move |_| choice.plane.set(index)
                >
                    <canvas node_ref=canvas></canvas>
                    <span>{index}</span>
                </button>
            }
        });
        buttons.collect_view()
    };
    let more = move || {
        let all = planes.get();
        (all > overlay::FIRST_PLANES).then(|| {
            view! {
                <button type="button" class="all-of" on:click=move |_| choice.all.update(|all| *all = !*all)>
                    {part(move || if choice.all.get() {
                        words().xray_fewer.to_owned()
                    } else {
                        fill(words().xray_all, &[("count", &all.to_string())])
                    })}
                </button>
            }
        })
    };
    view! {
        <div
            class="planes-of"
            role="group"
            aria-label=lab.state.word(|words| words.xray_planes)
            on:keydown=on_key
        >
            {part(buttons)}
        </div>
        {part(more)}
    }
}

impl Seen {
    /// Draws the part of a plane that shows the picture over the whole of a canvas.
    fn draw(&self, plane: usize, onto: &HtmlCanvasElement) {
        let [width, height] = self.size;
        let bytes = width * height * 4;
        if plane >= self.planes {
            return;
        }
        let begin = (plane * bytes) as u32;
        let pixels = self.pixels.slice(begin, begin + bytes as u32);
        let (Ok(image), Some(context)) = (
            ImageData::new_with_js_u8_clamped_array_and_sh(&pixels, width as u32, height as u32),
            context(onto),
        ) else {
            return;
        };
        let [left, top, width, height] = self.content;
        onto.set_width(width);
        onto.set_height(height);
        _ = context.put_image_data(&image, -f64::from(left), -f64::from(top));
    }
}
