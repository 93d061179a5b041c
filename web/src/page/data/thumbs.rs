//! Small pictures of large ones: made one after the other, only those that are looked at, and kept.

use std::collections::HashMap;

use js_sys::{Function, Promise};
use leptos::prelude::*;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Blob, CanvasRenderingContext2d, HtmlCanvasElement, ImageBitmap, ImageBitmapOptions,
    ResizeQuality, Url,
};

use crate::page::lab::Lab;

/// Width of a small picture in pixels: twice what it is shown in, for fine screens.
const WIDTH: u32 = 240;

/// Small pictures by id. It may be copied; all copies are one.
#[derive(Debug, Clone, Copy)]
pub struct Thumbs {
    lab: Lab,
    /// Addresses of those that are made; empty where the browser cannot make one.
    made: RwSignal<HashMap<u32, String>>,
    /// Who waits; the last one comes first.
    wanted: StoredValue<Vec<u32>>,
    works: StoredValue<bool>,
}

impl Thumbs {
    /// None yet; they go with the view.
    pub fn new(lab: Lab) -> Self {
        let thumbs = Self {
            lab,
            made: RwSignal::new(HashMap::new()),
            wanted: StoredValue::new(Vec::new()),
            works: StoredValue::new(false),
        };
        on_cleanup(move || {
            let made = thumbs
                .made
                .try_update_untracked(std::mem::take)
                .unwrap_or_default();
            for address in made.into_values() {
                _ = Url::revoke_object_url(&address);
            }
        });
        thumbs
    }

    /// The address of a small picture, once it is made.
    pub fn address(self, id: u32) -> Option<String> {
        self.made
            .read()
            .get(&id)
            .cloned()
            .filter(|address| !address.is_empty())
    }

    /// Says which are looked at; others are made when they are.
    pub fn want(self, ids: Vec<u32>) {
        let made = self.made.read_untracked();
        let missing: Vec<u32> = ids
            .into_iter()
            .rev()
            .filter(|id| !made.contains_key(id))
            .collect();
        drop(made);
        self.wanted.set_value(missing);
        if self.works.get_value() {
            return;
        }
        self.works.set_value(true);
        leptos::task::spawn_local(async move {
            while let Some(id) = self.wanted.try_update_value(Vec::pop).flatten() {
                let address = match self.lab.pictures.file(id) {
                    Some(file) => small(&file).await.unwrap_or_default(),
                    None => String::new(),
                };
                if self
                    .made
                    .try_update(|made| _ = made.insert(id, address))
                    .is_none()
                {
                    return;
                }
            }
            _ = self.works.try_update_value(|works| *works = false);
        });
    }
}

async fn small(file: &Blob) -> Result<String, JsValue> {
    let options = ImageBitmapOptions::new();
    options.set_resize_width(WIDTH);
    options.set_resize_quality(ResizeQuality::Medium);
    let made = window().create_image_bitmap_with_blob_and_image_bitmap_options(file, &options)?;
    let bitmap: ImageBitmap = JsFuture::from(made).await?.dyn_into()?;
    let canvas: HtmlCanvasElement = document().create_element("canvas")?.dyn_into()?;
    canvas.set_width(bitmap.width());
    canvas.set_height(bitmap.height());
    let context = canvas.get_context("2d")?.ok_or(JsValue::NULL)?;
    let context: CanvasRenderingContext2d = context.dyn_into()?;
    context.draw_image_with_image_bitmap(&bitmap, 0.0, 0.0)?;
    bitmap.close();
    let promise = Promise::new(&mut |resolve: Function, _| {
        let done = Closure::once_into_js(move |blob: JsValue| {
            _ = resolve.call1(&JsValue::NULL, &blob);
        });
        _ = canvas.to_blob_with_type(done.unchecked_ref(), "image/jpeg");
    });
    let blob: Blob = JsFuture::from(promise).await?.dyn_into()?;
    Url::create_object_url_with_blob(&blob)
}
