//! The Data view: pictures come in, boxes are drawn, and all of it stays in the browser until it is deleted.

mod annotator;
mod classes;
mod grid;
mod incoming;
mod open;
mod set;
mod shown;
mod sources;
mod thumbs;

use crate::page::lean::{derived, effect, part};
use leptos::prelude::*;

use self::annotator::Annotator;
use self::classes::Classes;
use self::grid::Grid;
use self::sources::{Intake, Sources, drop_into};
use super::browser;
use super::lab::Lab;
use super::status::Wrong;
use crate::dataset::{Count, DataSet};
use crate::messages::Use;
use crate::words::fill;

pub use self::set::Pictures;

/// The view from top to bottom.
#[component]
pub fn DataView(lab: Lab) -> impl IntoView {
    let pictures = lab.pictures;
    let chosen = RwSignal::new(None);
    let class = RwSignal::new(0);
    let intake = Intake::new(lab, chosen);
    // Something is always chosen when there is something.
    effect(move || {
        let set = pictures.set.read();
        let there = chosen.get().is_some_and(|id| set.picture(id).is_some());
        if !there {
            let first = set.pictures().next().map(|picture| picture.id);
            if chosen.get_untracked() != first {
                chosen.set(first);
            }
        }
    });
    let empty = Memo::new(move |_| pictures.set.read().is_empty());
    let body = move || {
        if empty.get() {
            view! { <p class="empty">{lab.state.word(|words| words.data_empty)}</p> }.into_any()
        } else {
            view! {
                <Tools lab chosen />
                <div class="desk">
                    <Annotator lab chosen class />
                    <div class="aside">
                        <PictureOptions lab chosen />
                        <Classes lab class />
                    </div>
                </div>
                <Summary lab />
                <Grid lab chosen />
            }
            .into_any()
        }
    };
    view! {
        <div
            class="data"
            on:dragover=|event| event.prevent_default()
            on:drop=move |event| drop_into(intake, &event)
        >
            <p class="lead">{lab.state.word(|words| words.data_lead)}</p>
            <Sources lab intake />
            {part(body)}
            {part(move || empty.get().then(|| view! { <Classes lab class /> }))}
            <Wrong lab problem=Signal::derive(move || pictures.not_kept.get()) />
        </div>
    }
}

/// What is done to the set as a whole.
#[component]
fn Tools(lab: Lab, chosen: RwSignal<Option<u32>>) -> impl IntoView {
    let pictures = lab.pictures;
    let can = Memo::new(move |_| pictures.set.read().can());
    let wrong = RwSignal::new(None);
    let export = move |_| {
        leptos::task::spawn_local(async move {
            match lab.pack_pictures().await {
                Ok((name, file)) => {
                    browser::download(&file, &name);
                    wrong.set(None);
                }
                Err(refusal) => wrong.set(Some(refusal)),
            }
        });
    };
    let clear = move |_| {
        pictures.change(DataSet::clear);
        chosen.set(None);
    };
    view! {
        <div class="buttons tools">
            <button type="button" disabled=derived(move || !can.get().0) on:click=move |_| pictures.change(DataSet::undo)>
                {lab.state.word(|words| words.undo)}
            </button>
            <button type="button" disabled=derived(move || !can.get().1) on:click=move |_| pictures.change(DataSet::redo)>
                {lab.state.word(|words| words.redo)}
            </button>
            <button type="button" on:click=move |_| pictures.change(DataSet::divide)>{lab.state.word(|words| words.divide)}</button>
            <button type="button" on:click=export>{lab.state.word(|words| words.export_data)}</button>
            <button type="button" class="quiet" on:click=clear>{lab.state.word(|words| words.delete_all)}</button>
        </div>
        <Wrong lab problem=Signal::derive(move || wrong.get()) />
    }
}

/// What the chosen picture is for, and the way to take it out.
#[component]
fn PictureOptions(lab: Lab, chosen: RwSignal<Option<u32>>) -> impl IntoView {
    let words = move || lab.state.words();
    let pictures = lab.pictures;
    let split = Memo::new(move |_| {
        let set = pictures.set.read();
        chosen
            .get()
            .and_then(|id| set.picture(id).map(|picture| picture.split))
    });
    let choices = [Use::Train, Use::Val].map(|choice| {
        let name = move || match choice {
            Use::Train => words().use_train,
            Use::Val => words().use_val,
        };
        let set = move |_| {
            if let Some(id) = chosen.get_untracked() {
                pictures.change(|set| set.set_split(&[id], choice));
            }
        };
        view! {
            <button type="button" aria-pressed=derived(move || (split.get() == Some(choice)).to_string()) on:click=set>{part(name)}</button>
        }
    });
    let remove = move |_| {
        if let Some(id) = chosen.get_untracked() {
            pictures.change(|set| set.remove(&[id]));
        }
    };
    view! {
        <div class="picture-options">
            <div class="segments" role="group" aria-label=lab.state.word(|words| words.picture_use)>{choices.into_iter().collect_view()}</div>
            <button type="button" class="quiet" on:click=remove>{lab.state.word(|words| words.picture_remove)}</button>
        </div>
    }
}

/// How many there are, and why some are kept apart.
#[component]
fn Summary(lab: Lab) -> impl IntoView {
    let text = move || {
        let Count { train, val } = lab.pictures.set.read().count();
        let words = lab.state.words();
        let text = if val == 0 {
            words.count_without_val
        } else {
            words.count_pictures
        };
        fill(
            text,
            &[("train", &train.to_string()), ("val", &val.to_string())],
        )
    };
    view! { <p class="summary" id="data-summary">{part(text)}</p> }
}

/// Classes have eight colours, and after those the same with another edge; their names always stand beside.
pub fn class_style(class: usize) -> String {
    format!("class-{} edge-{}", class % 8, class / 8 % 3)
}
