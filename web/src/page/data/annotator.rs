//! One picture, large, and the boxes on it: drawn and changed by mouse, touch and keyboard.

use crate::page::lean::{derived, effect, part};
use leptos::ev::{KeyboardEvent, PointerEvent};
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

use super::class_style;
use super::shown::Shown;
use crate::dataset::{LabelBox, Picture};
use crate::page::browser;
use crate::page::lab::Lab;
use crate::words::fill;

/// A press that moves less than so many pixels of the screen is a click.
const CLICK_PX: f64 = 4.0;
/// An arrow key moves by this part of the picture's longer side; with Control by one pixel.
const STEP: f32 = 0.01;
/// Sides of a box that the keyboard makes, as parts of the picture's.
const NEW_SIDE: f32 = 0.25;
/// The corners that are pulled, as parts of the box.
const CORNERS: [[f32; 2]; 4] = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]];

/// What the hand is about.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Hand {
    Free,
    /// Between the first press and its end, from a point of the picture; `second` when a corner was clicked before.
    Drawing {
        from: [f32; 2],
        pressed: [f64; 2],
        second: bool,
    },
    /// One corner was clicked, the other one is awaited.
    Corner([f32; 2]),
    Moving {
        index: usize,
        from: [f32; 2],
        start: LabelBox,
    },
    /// Pulls a corner; the opposite one stays.
    Pulling {
        index: usize,
        class: usize,
        fixed: [f32; 2],
    },
}

/// What a person works with.
#[derive(Debug, Clone, Copy)]
struct Desk {
    lab: Lab,
    chosen: RwSignal<Option<u32>>,
    class: RwSignal<usize>,
    picture: Memo<Option<Picture>>,
    selected: RwSignal<Option<usize>>,
    hand: RwSignal<Hand>,
    /// A box in the making, and which one it changes.
    draft: RwSignal<Option<(Option<usize>, LabelBox)>>,
    /// Goes up when a key is let go: what one held key does is undone at once.
    run: StoredValue<u32>,
    stage: NodeRef<html::Div>,
}

/// The picture that is chosen, with its boxes. `class` is that of boxes drawn next.
#[component]
pub fn Annotator(lab: Lab, chosen: RwSignal<Option<u32>>, class: RwSignal<usize>) -> impl IntoView {
    let words = move || lab.state.words();
    let picture = Memo::new(move |_| {
        let set = lab.pictures.set.read();
        chosen.get().and_then(|id| set.picture(id).cloned())
    });
    let desk = Desk {
        lab,
        chosen,
        class,
        picture,
        selected: RwSignal::new(None),
        hand: RwSignal::new(Hand::Free),
        draft: RwSignal::new(None),
        run: StoredValue::new(0),
        stage: NodeRef::new(),
    };
    effect(move || {
        chosen.track();
        desk.selected.set(None);
        desk.let_go();
    });
    let id = Memo::new(move |_| picture.read().as_ref().map(|picture| picture.id));
    let boxes = Memo::new(move |_| {
        picture
            .read()
            .as_ref()
            .map_or(0, |picture| picture.boxes.len())
    });
    let name = move || picture.read().as_ref().map(|picture| picture.name.clone());
    let title = move || name().unwrap_or_else(|| words().picture_none.to_owned());
    let aspect = move || {
        let size = picture
            .read()
            .as_ref()
            .map_or([4, 3], |picture| picture.size);
        format!("{} / {}", size[0].max(1), size[1].max(1))
    };
    let draft = move || {
        desk.draft.get().filter(|(index, _)| index.is_none()).map(|(_, found)| {
            let [left, top, width, height] = percent(&found);
            view! {
                <div class=format!("box drawn {}", class_style(found.class)) style:left=left style:top=top style:width=width style:height=height></div>
            }
        })
    };
    view! {
        <section class="annotator" aria-labelledby="annotator-title">
            <h3 id="annotator-title">{part(title)}</h3>
            <div
                class="stage"
                node_ref=desk.stage
                id="stage"
                tabindex="0"
                role="group"
                aria-label=lab.state.word(|words| words.stage)
                aria-describedby="stage-help"
                style:aspect-ratio=aspect
                on:pointerdown=move |event| desk.press(&event)
                on:pointermove=move |event| desk.drag(&event)
                on:pointerup=move |event| desk.release(&event)
                on:pointercancel=move |_| desk.let_go()
                on:keydown=move |event| desk.key(&event)
                on:keyup=move |_| desk.run.update_value(|run| *run = run.wrapping_add(1))
            >
                {part(move || id.get().map(|id| view! { <Shown lab id /> }))}
                <For each=move || 0..boxes.get() key=|index| *index let(index)>
                    <BoxButton desk index />
                </For>
                {part(draft)}
            </div>
            <p class="hint" id="stage-help">{lab.state.word(|words| words.stage_help)}</p>
        </section>
    }
}

/// A box: its frame, its class by name, and corners to pull when it is selected.
#[component]
fn BoxButton(desk: Desk, index: usize) -> impl IntoView {
    let words = move || desk.lab.state.words();
    let found = Memo::new(move |_| match desk.draft.get() {
        Some((Some(changed), found)) if changed == index => Some(found),
        _ => desk
            .picture
            .read()
            .as_ref()
            .and_then(|picture| picture.boxes.get(index).copied()),
    });
    let class = move || found.get().map_or(0, |found| found.class);
    let name = move || {
        let set = desk.lab.pictures.set.read();
        set.classes().get(class()).cloned().unwrap_or_default()
    };
    let at = move |side: usize| {
        found
            .get()
            .map_or_else(String::new, |found| percent(&found)[side].clone())
    };
    // Small ones lie on top, so that each can be reached.
    let depth = move || {
        let small = found
            .get()
            .map_or(0.0, |found| 1.0 - found.cxcywh[2] * found.cxcywh[3]);
        let lifted = if desk.selected.get() == Some(index) {
            1000
        } else {
            0
        };
        (1 + (small * 900.0) as i32 + lifted).to_string()
    };
    let label = move || {
        let size = desk
            .picture
            .read()
            .as_ref()
            .map_or([1, 1], |picture| picture.size);
        let [left, top, right, bottom] = found.get().map_or([0.0; 4], |found| found.corners(size));
        let whole = |side: f32| format!("{}", side.round());
        let (width, height) = (whole(right - left), whole(bottom - top));
        fill(
            words().box_at,
            &[
                ("class", &name()),
                ("width", &width),
                ("height", &height),
                ("left", &whole(left)),
                ("top", &whole(top)),
            ],
        )
    };
    let selected = move || desk.selected.get() == Some(index);
    let corners = move || {
        selected().then(|| {
            let corner = |[x, y]: [f32; 2]| {
                view! {
                    <span
                        class="corner"
                        data-corner=format!("{x} {y}")
                        style:left=format!("{}%", x * 100.0)
                        style:top=format!("{}%", y * 100.0)
                    ></span>
                }
            };
            CORNERS.map(corner).into_iter().collect_view()
        })
    };
    view! {
        <button
            type="button"
            class=derived(move || format!("box {}", class_style(class())))
            class:selected=selected
            data-box=index.to_string()
            aria-label=label
            aria-pressed=derived(move || selected().to_string())
            style:left=derived(move || at(0))
            style:top=derived(move || at(1))
            style:width=derived(move || at(2))
            style:height=derived(move || at(3))
            style:z-index=depth
            on:focus=move |_| desk.selected.set(Some(index))
        >
            <span class="box-label">{part(name)}</span>
            {part(corners)}
        </button>
    }
}

impl Desk {
    /// The point of the picture under the pointer, in its pixels.
    fn point(self, event: &PointerEvent) -> Option<[f32; 2]> {
        let size = self.picture.read_untracked().as_ref()?.size;
        let frame = self.stage.get_untracked()?.get_bounding_client_rect();
        let part = |at: i32, from: f64, side: f64| ((f64::from(at) - from) / side.max(1.0)) as f32;
        Some([
            part(event.client_x(), frame.left(), frame.width()) * size[0] as f32,
            part(event.client_y(), frame.top(), frame.height()) * size[1] as f32,
        ])
    }

    fn press(self, event: &PointerEvent) {
        if event.button() != 0 || self.lab.pictures.set.read_untracked().classes().is_empty() {
            return;
        }
        let Some(at) = self.point(event) else { return };
        if let Some(stage) = self.stage.get_untracked() {
            _ = stage.set_pointer_capture(event.pointer_id());
        }
        event.prevent_default();
        let pressed = [f64::from(event.client_x()), f64::from(event.client_y())];
        if let Hand::Corner(from) = self.hand.get_untracked() {
            self.hand.set(Hand::Drawing {
                from,
                pressed,
                second: true,
            });
            return;
        }
        let target = event
            .target()
            .and_then(|target| target.dyn_into::<web_sys::Element>().ok());
        let held = target.and_then(|target| {
            let button = target.closest("[data-box]").ok()??;
            let index: usize = button.get_attribute("data-box")?.parse().ok()?;
            Some((index, target.get_attribute("data-corner")))
        });
        let hand = held.and_then(|(index, corner)| {
            let picture = self.picture.read_untracked();
            let picture = picture.as_ref()?;
            let start = *picture.boxes.get(index)?;
            Some(match corner {
                Some(corner) => {
                    let [left, top, right, bottom] = start.corners(picture.size);
                    let fixed = [
                        if corner.starts_with('0') { right } else { left },
                        if corner.ends_with('0') { bottom } else { top },
                    ];
                    Hand::Pulling {
                        index,
                        class: start.class,
                        fixed,
                    }
                }
                None => {
                    self.select(index);
                    Hand::Moving {
                        index,
                        from: at,
                        start,
                    }
                }
            })
        });
        if hand.is_none() {
            self.selected.set(None);
            browser::focus("stage");
        }
        self.hand.set(hand.unwrap_or(Hand::Drawing {
            from: at,
            pressed,
            second: false,
        }));
    }

    fn drag(self, event: &PointerEvent) {
        let Some(at) = self.point(event) else { return };
        let Some(size) = self
            .picture
            .read_untracked()
            .as_ref()
            .map(|picture| picture.size)
        else {
            return;
        };
        let class = self.class.get_untracked();
        let draft = match self.hand.get_untracked() {
            Hand::Free => return,
            Hand::Drawing { from, .. } | Hand::Corner(from) => {
                (None, LabelBox::between(class, from, at, size))
            }
            Hand::Moving { index, from, start } => (
                Some(index),
                start.moved([at[0] - from[0], at[1] - from[1]], size),
            ),
            Hand::Pulling {
                index,
                class,
                fixed,
            } => (Some(index), LabelBox::between(class, fixed, at, size)),
        };
        self.draft.set(Some(draft));
    }

    fn release(self, event: &PointerEvent) {
        let hand = self.hand.get_untracked();
        if let Hand::Drawing {
            from,
            pressed,
            second,
        } = hand
        {
            let moved = (f64::from(event.client_x()) - pressed[0])
                .hypot(f64::from(event.client_y()) - pressed[1]);
            if moved < CLICK_PX && !second {
                self.hand.set(Hand::Corner(from));
                return;
            }
        }
        match self.draft.get_untracked() {
            Some((None, found)) => self.add(found),
            Some((Some(index), found)) => self.edit(None, move |boxes| {
                if let Some(known) = boxes.get_mut(index) {
                    *known = found;
                }
            }),
            None => {}
        }
        self.let_go();
    }

    fn let_go(self) {
        self.hand.set(Hand::Free);
        self.draft.set(None);
    }

    fn select(self, index: usize) {
        self.selected.set(Some(index));
        // Its button may be new.
        request_animation_frame(move || {
            let button = document().query_selector(&format!("#stage [data-box=\"{index}\"]"));
            if let Ok(Some(button)) = button
                && let Ok(button) = button.dyn_into::<web_sys::HtmlElement>()
            {
                _ = button.focus();
            }
        });
    }

    fn edit(self, run: Option<u32>, edit: impl FnOnce(&mut Vec<LabelBox>)) {
        if let Some(id) = self.chosen.get_untracked() {
            self.lab.pictures.change(|set| set.edit(id, run, edit));
        }
    }

    fn add(self, found: LabelBox) {
        self.edit(None, move |boxes| boxes.push(found));
        let last = self
            .picture
            .read_untracked()
            .as_ref()
            .map(|picture| picture.boxes.len());
        if let Some(index) = last.and_then(|count| count.checked_sub(1)) {
            self.select(index);
        }
    }

    /// Shows the picture so many places on.
    fn go(self, by: isize) {
        let set = self.lab.pictures.set.read_untracked();
        let ids: Vec<u32> = set.pictures().map(|picture| picture.id).collect();
        drop(set);
        let here = self
            .chosen
            .get_untracked()
            .and_then(|id| ids.iter().position(|known| *known == id));
        let there = here.map(|here| {
            here.saturating_add_signed(by)
                .min(ids.len().saturating_sub(1))
        });
        if let Some(id) = there.and_then(|there| ids.get(there)) {
            self.chosen.set(Some(*id));
            browser::focus("stage");
        }
    }

    fn key(self, event: &KeyboardEvent) {
        if self.answer(event) {
            event.prevent_default();
            event.stop_propagation();
        }
    }

    /// Does what a key says; whether it says anything.
    fn answer(self, event: &KeyboardEvent) -> bool {
        let control = event.ctrl_key() || event.meta_key();
        let key = event.key();
        match (&*key, control) {
            ("PageDown" | "j" | "J", false) => self.go(1),
            ("PageUp" | "k" | "K", false) => self.go(-1),
            ("z" | "Z", true) => {
                let again = event.shift_key();
                self.lab
                    .pictures
                    .change(|set| if again { set.redo() } else { set.undo() });
                self.selected.set(None);
            }
            ("y" | "Y", true) => {
                self.lab.pictures.change(crate::dataset::DataSet::redo);
                self.selected.set(None);
            }
            ("Escape", _) => {
                self.let_go();
                self.selected.set(None);
                browser::focus("stage");
            }
            ("n" | "N", false) => self.add_in_the_middle(),
            _ => return self.change_box(&key, event.shift_key(), control),
        }
        true
    }

    fn add_in_the_middle(self) {
        let known = self.lab.pictures.set.read_untracked().classes().len();
        if known == 0 || self.picture.read_untracked().is_none() {
            return;
        }
        let class = self.class.get_untracked().min(known - 1);
        self.add(LabelBox {
            class,
            cxcywh: [0.5, 0.5, NEW_SIDE, NEW_SIDE],
        });
    }

    /// Keys that change the selected box; digits choose the class of the next one when there is none.
    fn change_box(self, key: &str, resize: bool, fine: bool) -> bool {
        let known = self.lab.pictures.set.read_untracked().classes().len();
        let digit = key
            .parse::<usize>()
            .ok()
            .filter(|digit| (1..=9).contains(digit))
            .map(|digit| digit - 1);
        if let Some(class) = digit {
            if class >= known {
                return false;
            }
            self.class.set(class);
        }
        let Some(size) = self
            .picture
            .read_untracked()
            .as_ref()
            .map(|picture| picture.size)
        else {
            return false;
        };
        let Some(index) = self.selected.get_untracked() else {
            return digit.is_some();
        };
        let step = if fine {
            1.0
        } else {
            (size[0].max(size[1]) as f32 * STEP).max(1.0)
        };
        let by = match key {
            "ArrowLeft" => Some([-step, 0.0]),
            "ArrowRight" => Some([step, 0.0]),
            "ArrowUp" => Some([0.0, -step]),
            "ArrowDown" => Some([0.0, step]),
            _ => None,
        };
        let run = by.map(|_| self.run.get_value());
        match (key, by, digit) {
            ("Delete" | "Backspace", ..) => {
                self.edit(None, |boxes| {
                    if index < boxes.len() {
                        boxes.remove(index);
                    }
                });
                self.selected.set(None);
                browser::focus("stage");
            }
            (_, Some(by), _) => self.edit(run, |boxes| {
                if let Some(found) = boxes.get_mut(index) {
                    *found = if resize {
                        found.resized(by, size)
                    } else {
                        found.moved(by, size)
                    };
                }
            }),
            (_, _, Some(class)) => self.edit(None, |boxes| {
                if let Some(found) = boxes.get_mut(index) {
                    found.class = class;
                }
            }),
            _ => return false,
        }
        true
    }
}

/// Left, top, width and height as parts of the picture.
fn percent(found: &LabelBox) -> [String; 4] {
    let [cx, cy, w, h] = found.cxcywh;
    [cx - w / 2.0, cy - h / 2.0, w, h].map(|side| format!("{:.3}%", side * 100.0))
}
