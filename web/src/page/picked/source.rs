//! Where a picture comes from: a file, the set, the webcam.

use crate::page::lean::{derived, effect, part};
use leptos::ev::{self, DragEvent};
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Blob, FileList};

use super::Picked;
use crate::address::View;
use crate::messages::{Refusal, Use};
use crate::page::camera::Camera;
use crate::page::lab::Lab;
use crate::page::nav::ViewLink;
use crate::page::status::Wrong;
use crate::words::fill;

/// Choosing a picture. While the webcam is on, the next frame is taken when no question is under way (`asked` is 0).
#[component]
pub fn Source(lab: Lab, asked: RwSignal<u32>) -> impl IntoView {
    let words = move || lab.state.words();
    let problem = RwSignal::new(None::<Refusal>);
    let over = RwSignal::new(false);
    let input = NodeRef::<html::Input>::new();
    let camera = Camera::new();
    let take = move |name: String, file: Blob| {
        camera.stop();
        leptos::task::spawn_local(async move {
            let read = Picked::read(name, file).await;
            match read {
                Ok(picked) => {
                    _ = problem.try_set(None);
                    lab.picked.set(Some(picked));
                }
                Err(refusal) => _ = problem.try_set(Some(refusal)),
            }
        });
    };
    let take_first = move |files: Option<FileList>| {
        if let Some(file) = files.and_then(|files| files.get(0)) {
            take(file.name(), file.into());
            return true;
        }
        false
    };
    let paste = window_event_listener(ev::paste, move |event| {
        if take_first(event.clipboard_data().and_then(|data| data.files())) {
            event.prevent_default();
        }
    });
    on_cleanup(move || paste.remove());
    let drop = move |event: DragEvent| {
        event.prevent_default();
        over.set(false);
        take_first(event.data_transfer().and_then(|data| data.files()));
    };
    frames(lab, camera, asked);
    let toggle = move |_| {
        if camera.on.get_untracked() {
            camera.stop();
        } else {
            problem.set(None);
            camera.start();
        }
    };
    let now = move || match &*lab.picked.read() {
        Some(picked) if picked.is_frame() => String::new(),
        Some(picked) => fill(
            words().picked,
            &[
                ("name", &picked.name),
                ("width", &picked.size[0].to_string()),
                ("height", &picked.size[1].to_string()),
            ],
        ),
        None => words().picked_none.to_owned(),
    };
    view! {
        <section
            class="source"
            class:over=over
            aria-label=lab.state.word(|words| words.source)
            on:dragover=move |event| {
                event.prevent_default();
                over.set(true);
            }
            on:dragleave=move |_| over.set(false)
            on:drop=drop
        >
            <div class="row">
                <button
                    type="button"
                    on:click=move |_| {
                        if let Some(input) = input.get_untracked() {
                            input.click();
                        }
                    }
                >
                    {lab.state.word(|words| words.source_file)}
                </button>
                <input
                    node_ref=input
                    type="file"
                    accept="image/*"
                    hidden
                    on:change=move |event| {
                        let input = event_target::<web_sys::HtmlInputElement>(&event);
                        take_first(input.files());
                        // The same file may be chosen again.
                        input.set_value("");
                    }
                />
                <button type="button" aria-pressed=derived(move || camera.on.get().to_string()) on:click=toggle>
                    {lab.state.word(|words| words.source_camera)}
                </button>
                <FromSet lab take />
            </div>
            <video
                node_ref=camera.video
                class="unseen"
                aria-hidden="true"
                tabindex="-1"
                muted
                playsinline
                autoplay
            ></video>
            <p class="hint" role="status">
                {part(move || if camera.on.get() { words().camera_on.to_owned() } else { now() })}
            </p>
            <Wrong lab problem=problem.into() />
            <Wrong lab problem=camera.problem.into() />
        </section>
    }
}

/// The pictures of the set that are validated on.
#[component]
fn FromSet(lab: Lab, take: impl Fn(String, Blob) + Copy + Send + Sync + 'static) -> impl IntoView {
    let pictures = Memo::new(move |_| {
        let set = lab.pictures.set.read();
        let val = set
            .pictures()
            .filter(|picture| picture.split == Use::Val)
            .map(|picture| (picture.id, picture.name.clone()));
        val.collect::<Vec<_>>()
    });
    let chosen = move |value: String| {
        let id = value.parse::<u32>().ok();
        let found = pictures
            .with_untracked(|all| all.iter().find(|(known, _)| Some(*known) == id).cloned());
        if let Some((id, name)) = found
            && let Some(file) = lab.pictures.file(id)
        {
            take(name, file);
        }
    };
    let options = move || {
        let pictures = pictures.read();
        let options = pictures
            .iter()
            .map(|(id, name)| view! { <option value=id.to_string()>{name.clone()}</option> });
        options.collect_view()
    };
    let list = move || {
        view! {
            <label class="from-set">
                <span>{lab.state.word(|words| words.source_set)}</span>
                <select on:change=move |event| chosen(event_target_value(&event))>
                    <option value="">"–"</option>
                    {part(options)}
                </select>
            </label>
        }
    };
    let problem = RwSignal::new(None::<Refusal>);
    let loading = RwSignal::new(false);
    let take_shipped = move |_| {
        if loading.get_untracked() {
            return;
        }
        loading.set(true);
        leptos::task::spawn_local(async move {
            let opened = lab.open_shipped().await;
            if loading.try_set(false).is_some() {
                return;
            }
            problem.set(opened.err());
            let first = pictures.with_untracked(|all| all.first().map(|(id, _)| *id));
            if let Some(id) = first {
                chosen(id.to_string());
            }
        });
    };
    let empty = Memo::new(move |_| pictures.read().is_empty());
    move || {
        if empty.get() {
            view! {
                <button
                    type="button"
                    aria-busy=move || loading.get().to_string()
                    on:click=take_shipped
                >
                    {lab.state.word(|words| words.pictures_take_shipped)}
                </button>
                <span class="hint">
                    {lab.state.word(|words| words.source_set_empty)} " "
                    <ViewLink state=lab.state view=View::Data>
                        {lab.state.word(|words| words.view_data)}
                    </ViewLink>
                </span>
                <Wrong lab problem=problem.into() />
            }
            .into_any()
        } else {
            list().into_any()
        }
    }
}

/// Takes frames of the webcam while it is on, each when the last one has been answered.
fn frames(lab: Lab, camera: Camera, asked: RwSignal<u32>) {
    effect(move || {
        if camera.on.get() && asked.get() == 0 {
            next_frame(lab, camera, asked);
        }
    });
}

fn next_frame(lab: Lab, camera: Camera, asked: RwSignal<u32>) {
    request_animation_frame(move || {
        // The view may have been left, the webcam let go, a question asked.
        if camera.on.try_get_untracked() != Some(true) || asked.try_get_untracked() != Some(0) {
            return;
        }
        match camera.canvas() {
            Some((canvas, _)) => lab.picked.set(Some(Picked::frame(canvas.unchecked_into()))),
            // It has no picture yet.
            None => next_frame(lab, camera, asked),
        }
    });
}
