//! The webcam: asked for only when a person wants it, and let go when its view is left.

use js_sys::{Function, Object, Promise, Reflect};
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Blob, CanvasRenderingContext2d, HtmlCanvasElement, MediaStream, MediaStreamConstraints,
    MediaStreamTrack,
};

use super::lab::words;
use crate::messages::Refusal;

/// Quality of a picture that is taken, in `0..=1`.
const QUALITY: f64 = 0.92;

/// A webcam that shows its picture in a video element. It may be copied; all copies are one.
#[derive(Debug, Clone, Copy)]
pub struct Camera {
    /// Where its picture is shown.
    pub video: NodeRef<html::Video>,
    /// Whether it is on.
    pub on: RwSignal<bool>,
    /// Why it is not.
    pub problem: RwSignal<Option<Refusal>>,
    stream: StoredValue<Option<MediaStream>, LocalStorage>,
}

impl Camera {
    /// A webcam that is off; it goes off with the view that made it.
    pub fn new() -> Self {
        let camera = Self {
            video: NodeRef::new(),
            on: RwSignal::new(false),
            problem: RwSignal::new(None),
            stream: StoredValue::new_local(None),
        };
        on_cleanup(move || {
            if let Some(stream) = camera.stream.try_update_value(Option::take).flatten() {
                end(&stream);
            }
        });
        camera
    }

    /// Asks the browser for the webcam, which asks the person.
    pub fn start(self) {
        self.problem.set(None);
        leptos::task::spawn_local(async move {
            match open().await {
                Ok(stream) => {
                    // Whoever asked may have gone meanwhile.
                    if self.on.try_set(true).is_some() {
                        return end(&stream);
                    }
                    if let Some(video) = self.video.get_untracked() {
                        video.set_src_object(Some(&stream));
                        _ = video.play();
                    }
                    self.stream.set_value(Some(stream));
                }
                Err(thrown) => _ = self.problem.try_set(Some(refusal(&thrown))),
            }
        });
    }

    /// Lets it go.
    pub fn stop(self) {
        if let Some(stream) = self.stream.try_update_value(Option::take).flatten() {
            end(&stream);
        }
        if let Some(video) = self.video.get_untracked() {
            video.set_src_object(None);
        }
        self.on.set(false);
    }

    /// The size of its picture `[w, h]` in pixels, once there is one.
    pub fn size(self) -> Option<[u32; 2]> {
        let video = self.video.get_untracked()?;
        let size = [video.video_width(), video.video_height()];
        (size[0] > 0 && size[1] > 0).then_some(size)
    }

    /// Its picture of now, on a canvas.
    pub fn canvas(self) -> Option<(HtmlCanvasElement, CanvasRenderingContext2d)> {
        let (video, [width, height]) = (self.video.get_untracked()?, self.size()?);
        let canvas: HtmlCanvasElement =
            document().create_element("canvas").ok()?.dyn_into().ok()?;
        canvas.set_width(width);
        canvas.set_height(height);
        let context: CanvasRenderingContext2d = canvas.get_context("2d").ok()??.dyn_into().ok()?;
        context
            .draw_image_with_html_video_element(&video, 0.0, 0.0)
            .ok()?;
        Some((canvas, context))
    }

    /// Its picture of now as a JPEG file.
    pub async fn picture(self) -> Option<Blob> {
        let (canvas, _) = self.canvas()?;
        let promise = Promise::new(&mut |resolve: Function, _| {
            let done = Closure::once_into_js(move |blob: JsValue| {
                _ = resolve.call1(&JsValue::NULL, &blob);
            });
            _ = canvas.to_blob_with_type_and_encoder_options(
                done.unchecked_ref(),
                "image/jpeg",
                &QUALITY.into(),
            );
        });
        JsFuture::from(promise).await.ok()?.dyn_into().ok()
    }
}

async fn open() -> Result<MediaStream, JsValue> {
    // Pages without a secure origin have no devices at all.
    let devices = Reflect::get(&window().navigator(), &"mediaDevices".into())?;
    if devices.is_undefined() {
        return Err("this page has no access to devices".into());
    }
    let constraints = MediaStreamConstraints::new();
    let video = Object::new();
    _ = Reflect::set(&video, &"facingMode".into(), &"environment".into());
    constraints.set_video(&video);
    let devices = window().navigator().media_devices()?;
    let stream = JsFuture::from(devices.get_user_media_with_constraints(&constraints)?).await?;
    stream.dyn_into()
}

fn end(stream: &MediaStream) {
    for track in stream.get_tracks().iter() {
        if let Ok(track) = track.dyn_into::<MediaStreamTrack>() {
            track.stop();
        }
    }
}

fn refusal(thrown: &JsValue) -> Refusal {
    Refusal {
        place: "the webcam".to_owned(),
        found: words(thrown),
        expected: "a webcam that this page may use".to_owned(),
        next: "Allow it in the browser, or take picture files".to_owned(),
    }
}
