//! All pictures, small: only those in sight are in the document, so that a thousand scroll as smoothly as ten.

use crate::page::lean::{derived, effect, part};
use leptos::ev::KeyboardEvent;
use leptos::html;
use leptos::prelude::*;

use super::thumbs::Thumbs;
use crate::messages::Use;
use crate::page::browser;
use crate::page::lab::Lab;
use crate::words::fill;

/// A cell's least width and its height in pixels.
const CELL_PX: [f64; 2] = [120.0, 116.0];
/// Rows beyond the edge that are there already.
const BEYOND: usize = 2;

/// The pictures; `chosen` is the one that is shown large.
#[component]
pub fn Grid(lab: Lab, chosen: RwSignal<Option<u32>>) -> impl IntoView {
    let thumbs = Thumbs::new(lab);
    let frame = NodeRef::<html::Div>::new();
    let (width, height) = (RwSignal::new(0.0), RwSignal::new(0.0));
    let top = RwSignal::new(0.0);
    let ids = Memo::new(move |_| {
        let set = lab.pictures.set.read();
        set.pictures()
            .map(|picture| picture.id)
            .collect::<Vec<u32>>()
    });
    effect(move || {
        if let Some(frame) = frame.get() {
            width.set(f64::from(frame.client_width()));
            height.set(f64::from(frame.client_height()));
            browser::observe_width(&frame, move |found| width.set(found));
        }
    });
    let columns = Memo::new(move |_| ((width.get() / CELL_PX[0]).floor() as usize).max(1));
    let rows = Memo::new(move |_| ids.read().len().div_ceil(columns.get()));
    let seen = Memo::new(move |_| {
        let first = (top.get() / CELL_PX[1]).floor() as usize;
        let count = (height.get() / CELL_PX[1]).ceil() as usize + 1;
        let from = first.saturating_sub(BEYOND) * columns.get();
        let to = ((first + count + BEYOND) * columns.get()).min(ids.read().len());
        from.min(to)..to
    });
    let shown = move || {
        let ids = ids.read();
        let seen = seen.get();
        let cells: Vec<(usize, u32)> = seen
            .clone()
            .filter_map(|place| Some((place, *ids.get(place)?)))
            .collect();
        cells
    };
    effect(move || thumbs.want(shown().into_iter().map(|(_, id)| id).collect()));
    // The chosen one comes into sight.
    effect(move || {
        let (Some(frame), Some(id)) = (frame.get(), chosen.get()) else {
            return;
        };
        let place = ids.read_untracked().iter().position(|known| *known == id);
        let Some(row) = place.map(|place| place / columns.get_untracked()) else {
            return;
        };
        let (from, to) = (row as f64 * CELL_PX[1], (row + 1) as f64 * CELL_PX[1]);
        let (above, below) = (
            top.get_untracked(),
            top.get_untracked() + height.get_untracked(),
        );
        if from < above {
            frame.set_scroll_top(from as i32);
        } else if to > below {
            frame.set_scroll_top((to - height.get_untracked()) as i32);
        }
    });
    let key = move |event: KeyboardEvent| {
        let count = ids.read_untracked().len();
        if count == 0 {
            return;
        }
        let here = chosen
            .get_untracked()
            .and_then(|id| ids.read_untracked().iter().position(|known| *known == id));
        let here = here.unwrap_or(0);
        let row = columns.get_untracked();
        let there = match &*event.key() {
            "ArrowLeft" => here.saturating_sub(1),
            "ArrowRight" => here + 1,
            "ArrowUp" => here.checked_sub(row).unwrap_or(here),
            "ArrowDown" if here + row < count => here + row,
            "Home" => 0,
            "End" => count - 1,
            "Enter" => {
                browser::focus("stage");
                here
            }
            "Delete" => {
                if let Some(id) = chosen.get_untracked() {
                    lab.pictures.change(|set| set.remove(&[id]));
                }
                here
            }
            _ => return,
        };
        event.prevent_default();
        let id = ids
            .read_untracked()
            .get(there.min(ids.read_untracked().len().saturating_sub(1)))
            .copied();
        chosen.set(id);
    };
    let active = move || chosen.get().map(|id| format!("thumb-{id}"));
    view! {
        <div
            class="grid"
            node_ref=frame
            role="listbox"
            tabindex="0"
            aria-label=lab.state.word(|words| words.grid)
            aria-activedescendant=active
            on:scroll=move |_| {
                if let Some(frame) = frame.get_untracked() {
                    top.set(f64::from(frame.scroll_top()));
                }
            }
            on:keydown=key
        >
            <div class="cells" role="presentation" style:height=derived(move || format!("{}px", rows.get() as f64 * CELL_PX[1]))>
                <For each=shown key=|cell| *cell let(cell)>
                    <Cell lab thumbs chosen place=cell.0 id=cell.1 columns all=ids />
                </For>
            </div>
        </div>
    }
}

#[component]
fn Cell(
    lab: Lab,
    thumbs: Thumbs,
    chosen: RwSignal<Option<u32>>,
    place: usize,
    id: u32,
    columns: Memo<usize>,
    all: Memo<Vec<u32>>,
) -> impl IntoView {
    let words = move || lab.state.words();
    let told = Memo::new(move |_| {
        let set = lab.pictures.set.read();
        set.picture(id)
            .map(|picture| (picture.name.clone(), picture.split, picture.boxes.len()))
    });
    let name = move || {
        told.read()
            .as_ref()
            .map(|told| told.0.clone())
            .unwrap_or_default()
    };
    let split = move || match told.read().as_ref().map(|told| told.1) {
        Some(Use::Val) => words().use_val,
        _ => words().use_train,
    };
    let note = Memo::new(move |_| {
        let boxes = told.read().as_ref().map_or(0, |told| told.2).to_string();
        fill(words().thumb, &[("count", &boxes), ("use", split())])
    });
    let label = move || format!("{}, {}", name(), note.read());
    let left = move || {
        format!(
            "{:.3}%",
            (place % columns.get()) as f64 / columns.get() as f64 * 100.0
        )
    };
    let width = move || format!("{:.3}%", 100.0 / columns.get() as f64);
    let top = move || format!("{}px", (place / columns.get()) as f64 * CELL_PX[1]);
    view! {
        <div
            class="cell"
            id=format!("thumb-{id}")
            role="option"
            aria-selected=derived(move || (chosen.get() == Some(id)).to_string())
            aria-label=label
            aria-setsize=derived(move || all.read().len())
            aria-posinset=place + 1
            style:left=left
            style:width=width
            style:top=top
            on:click=move |_| chosen.set(Some(id))
        >
            {part(move || thumbs.address(id).map(|address| view! { <img src=address alt="" draggable="false" /> }))}
            <span class="cell-note" aria-hidden="true">{note}</span>
        </div>
    }
}
