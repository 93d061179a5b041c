//! Where pictures come from: shipped, files, a folder, dropped, pasted, the webcam.

use std::time::Duration;

use crate::page::lean::{derived, effect, part};
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{ClipboardEvent, DragEvent};

use super::incoming::{self, Incoming};
use crate::messages::Refusal;
use crate::page::camera::Camera;
use crate::page::lab::Lab;
use crate::words::{fill, refusal};

/// Pictures of a burst, and the time between two.
const BURST: usize = 5;
const BURST_EVERY: Duration = Duration::from_millis(500);

/// What is being taken in, and what came of it. It may be copied; all copies are one.
#[derive(Debug, Clone, Copy)]
pub struct Intake {
    lab: Lab,
    chosen: RwSignal<Option<u32>>,
    /// Files that are being read.
    pub reading: RwSignal<usize>,
    /// Pictures that came in last.
    pub taken: RwSignal<Option<usize>>,
    /// What was left out.
    pub refused: RwSignal<Vec<Refusal>>,
}

impl Intake {
    pub fn new(lab: Lab, chosen: RwSignal<Option<u32>>) -> Self {
        Self {
            lab,
            chosen,
            reading: RwSignal::new(0),
            taken: RwSignal::new(None),
            refused: RwSignal::new(Vec::new()),
        }
    }

    /// Takes files in.
    pub fn take(self, files: Vec<Incoming>) {
        if files.is_empty() {
            return;
        }
        self.reading.set(files.len());
        leptos::task::spawn_local(async move {
            let opened = self.lab.open_files(files).await;
            self.end(opened);
        });
    }

    /// Takes the shipped pictures in.
    pub fn take_shipped(self) {
        self.reading.set(1);
        leptos::task::spawn_local(async move {
            let opened = self.lab.open_shipped().await;
            self.end(opened);
        });
    }

    /// Takes what was dropped or pasted in.
    pub fn take_transfer(self, transfer: &web_sys::DataTransfer) {
        let (entries, files) = incoming::entries(transfer);
        if entries.is_empty() {
            return self.take(files);
        }
        leptos::task::spawn_local(async move { self.take(incoming::of_entries(entries).await) });
    }

    fn end(self, opened: Result<(Vec<u32>, Vec<Refusal>), Refusal>) {
        let (ids, refused) = opened.unwrap_or_else(|refusal| (Vec::new(), vec![refusal]));
        // The view may have been left; the pictures are in all the same.
        if self.reading.try_set(0).is_some() {
            return;
        }
        self.taken.set(Some(ids.len()));
        self.refused.set(refused);
        if let Some(first) = ids.first() {
            self.chosen.set(Some(*first));
        }
    }
}

/// The buttons, and what came of the last one.
#[component]
pub fn Sources(lab: Lab, intake: Intake) -> impl IntoView {
    let words = move || lab.state.words();
    let camera = Camera::new();
    let files = NodeRef::<html::Input>::new();
    let folder = NodeRef::<html::Input>::new();
    // Not known to the typed attributes.
    effect(move || {
        if let Some(folder) = folder.get() {
            _ = folder.set_attribute("webkitdirectory", "");
        }
    });
    let chosen_files = move |input: NodeRef<html::Input>| {
        move |_| {
            let Some(input) = input.get_untracked() else {
                return;
            };
            if let Some(list) = input.files() {
                intake.take(incoming::of_list(&list));
            }
            // The same files may be chosen again.
            input.set_value("");
        }
    };
    let open = move |input: NodeRef<html::Input>| {
        move |_| {
            if let Some(input) = input.get_untracked() {
                input.click();
            }
        }
    };
    let paste = window_event_listener(leptos::ev::paste, move |event: ClipboardEvent| {
        let typing = event
            .target()
            .is_some_and(|target| target.has_type::<web_sys::HtmlInputElement>());
        if let Some(transfer) = event.clipboard_data().filter(|_| !typing) {
            intake.take_transfer(&transfer);
        }
    });
    on_cleanup(move || paste.remove());
    let told = move || match (intake.reading.get(), intake.taken.get()) {
        (0, None) => String::new(),
        (0, Some(count)) => {
            let out = intake.refused.read().len();
            let text = if out == 0 {
                words().taken_in
            } else {
                words().taken_in_but
            };
            fill(
                text,
                &[("count", &count.to_string()), ("out", &out.to_string())],
            )
        }
        (count, _) => fill(words().reading, &[("count", &count.to_string())]),
    };
    let refused = move || {
        let language = lab.state.language.get();
        let lines = intake.refused.get();
        (!lines.is_empty()).then(|| {
            let lines = lines
                .into_iter()
                .map(|line| view! { <li>{refusal(&line, language)}</li> });
            view! { <ul class="problems">{lines.collect_view()}</ul> }
        })
    };
    view! {
        <section class="sources" aria-labelledby="sources-title">
            <h3 id="sources-title">{lab.state.word(|words| words.sources)}</h3>
            <div class="buttons">
                <button type="button" on:click=move |_| intake.take_shipped()>{lab.state.word(|words| words.source_shipped)}</button>
                <button type="button" on:click=open(files)>{lab.state.word(|words| words.source_files)}</button>
                <button type="button" on:click=open(folder)>{lab.state.word(|words| words.source_folder)}</button>
                <button
                    type="button"
                    aria-pressed=derived(move || camera.on.get().to_string())
                    on:click=move |_| if camera.on.get_untracked() { camera.stop() } else { camera.start() }
                >
                    {lab.state.word(|words| words.source_webcam)}
                </button>
            </div>
            <input id="files" class="unseen" tabindex="-1" aria-hidden="true" type="file" multiple node_ref=files on:change=chosen_files(files) />
            <input id="folder" class="unseen" tabindex="-1" aria-hidden="true" type="file" multiple node_ref=folder on:change=chosen_files(folder) />
            <p class="hint">{lab.state.word(|words| words.sources_hint)}</p>
            <Webcam lab camera intake />
            <p role="status" class="told">{part(told)}</p>
            {part(refused)}
        </section>
    }
}

#[component]
fn Webcam(lab: Lab, camera: Camera, intake: Intake) -> impl IntoView {
    let number = StoredValue::new(0_usize);
    let take = move |count: usize| {
        move |_| {
            leptos::task::spawn_local(async move {
                let mut files = Vec::new();
                for _ in 0..count {
                    let Some(file) = camera.picture().await else {
                        break;
                    };
                    let Some(at) = number.try_update_value(|number| {
                        *number += 1;
                        *number
                    }) else {
                        return;
                    };
                    files.push((format!("webcam-{at:03}.jpg"), file));
                    if files.len() < count {
                        gap().await;
                    }
                }
                intake.take(files);
            });
        }
    };
    let wrong = move || {
        camera
            .problem
            .get()
            .map(|found| refusal(&found, lab.state.language.get()))
    };
    view! {
        <div class="webcam" class:on=camera.on>
            <video node_ref=camera.video autoplay muted playsinline aria-label=lab.state.word(|words| words.source_webcam)></video>
            <div class="buttons">
                <button type="button" on:click=take(1)>{lab.state.word(|words| words.webcam_one)}</button>
                <button type="button" on:click=take(BURST)>{lab.state.word(|words| words.webcam_burst)}</button>
            </div>
        </div>
        <p class="error" role="alert">{part(wrong)}</p>
    }
}

async fn gap() {
    let promise = js_sys::Promise::new(&mut |resolve, _| {
        _ = window().set_timeout_with_callback_and_timeout_and_arguments_0(
            &resolve,
            BURST_EVERY.as_millis() as i32,
        );
    });
    _ = wasm_bindgen_futures::JsFuture::from(promise).await;
}

/// Takes dropped files in; says whether something was dropped.
pub fn drop_into(intake: Intake, event: &DragEvent) {
    event.prevent_default();
    if let Some(transfer) = event.data_transfer() {
        intake.take_transfer(&transfer);
    }
}
