//! The picture that the Detect and X-ray views look at: one for both.

mod source;

use std::rc::Rc;

use crate::page::lean::effect;
use js_sys::ArrayBuffer;
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, CanvasRenderingContext2d, HtmlCanvasElement, ImageBitmap};

pub use self::source::Source;

use super::lab::{Lab, bytes};
use super::link::{Answer, Phase};
use crate::messages::{Ask, PictureForm, Refusal};
use crate::overlay;

/// Longer side at most of a picture as it is shown, in pixels.
const SHOWN_PX: u32 = 1280;

/// A picture that was chosen, or a frame of the webcam.
#[derive(Debug, Clone)]
pub struct Picked {
    /// Its file's name; none for a frame.
    pub name: String,
    /// In pixels `[w, h]`: boxes are counted in these.
    pub size: [u32; 2],
    /// What is shown of it.
    canvas: HtmlCanvasElement,
    /// Its file; a frame is its canvas.
    file: Option<Blob>,
}

impl Picked {
    /// Reads a file.
    ///
    /// # Errors
    /// When the browser cannot show it.
    pub async fn read(name: String, file: Blob) -> Result<Self, Refusal> {
        let failed = || Refusal {
            place: name.clone(),
            found: "a file that this browser cannot show".to_owned(),
            expected: "a picture".to_owned(),
            next: "Take a JPEG, PNG or WebP file".to_owned(),
        };
        let read = async {
            let promise = window().create_image_bitmap_with_blob(&file).ok()?;
            let bitmap = JsFuture::from(promise).await.ok()?;
            let bitmap: ImageBitmap = bitmap.dyn_into().ok()?;
            let size = [bitmap.width(), bitmap.height()];
            let (canvas, context) = canvas(overlay::within(size, SHOWN_PX))?;
            let [width, height] = [canvas.width(), canvas.height()].map(f64::from);
            let drawn = context
                .draw_image_with_image_bitmap_and_dw_and_dh(&bitmap, 0.0, 0.0, width, height);
            bitmap.close();
            drawn.ok().map(|()| (size, canvas))
        };
        let (size, canvas) = read.await.ok_or_else(failed)?;
        Ok(Self {
            name,
            size,
            canvas,
            file: Some(file),
        })
    }

    /// A frame of the webcam.
    pub fn frame(canvas: HtmlCanvasElement) -> Self {
        Self {
            name: String::new(),
            size: [canvas.width(), canvas.height()],
            canvas,
            file: None,
        }
    }

    /// Whether it is a frame of the webcam.
    pub fn is_frame(&self) -> bool {
        self.file.is_none()
    }

    /// How the engine gets it.
    fn form(&self) -> PictureForm {
        match self.file {
            Some(_) => PictureForm::File,
            None => PictureForm::Rgba {
                width: self.size[0] as usize,
                height: self.size[1] as usize,
            },
        }
    }

    async fn bytes(&self) -> Result<ArrayBuffer, Refusal> {
        if let Some(file) = &self.file {
            return bytes(file).await;
        }
        let [width, height] = self.size.map(f64::from);
        let pixels = context(&self.canvas)
            .and_then(|context| context.get_image_data(0.0, 0.0, width, height).ok());
        let pixels = pixels.map(|pixels| js_sys::Uint8Array::from(&pixels.data().0[..]).buffer());
        pixels.ok_or_else(|| Refusal {
            place: "the picture".to_owned(),
            found: "a canvas that cannot be read".to_owned(),
            expected: "a picture".to_owned(),
            next: "Take a JPEG, PNG or WebP file".to_owned(),
        })
    }

    /// Draws it over the whole of a canvas, which takes its size.
    pub fn draw(&self, onto: &HtmlCanvasElement) {
        onto.set_width(self.canvas.width());
        onto.set_height(self.canvas.height());
        if let Some(context) = context(onto) {
            _ = context.draw_image_with_html_canvas_element(&self.canvas, 0.0, 0.0);
        }
    }
}

/// A canvas of a size `[w, h]` in pixels.
fn canvas([width, height]: [u32; 2]) -> Option<(HtmlCanvasElement, CanvasRenderingContext2d)> {
    let canvas = document().create_element("canvas").ok()?;
    let canvas: HtmlCanvasElement = canvas.dyn_into().ok()?;
    canvas.set_width(width);
    canvas.set_height(height);
    let context = context(&canvas)?;
    Some((canvas, context))
}

/// What draws on a canvas.
pub fn context(canvas: &HtmlCanvasElement) -> Option<CanvasRenderingContext2d> {
    canvas.get_context("2d").ok()??.dyn_into().ok()
}

/// Asks about the picture now and whenever it or the question changes: one question at a time, and what changed
/// meanwhile is asked about afterwards, so that the engine is never flooded and the newest answer stays.
///
/// `asked` counts the questions under way; `ask` is followed, `heard` is not.
pub fn follow(
    lab: Lab,
    asked: RwSignal<u32>,
    ask: impl Fn(PictureForm) -> Ask + 'static,
    heard: impl Fn(Picked, Ask, Answer) + 'static,
) {
    let (ask, heard) = (Rc::new(ask), Rc::new(heard));
    let changes = StoredValue::new(0_u32);
    let busy = StoredValue::new(false);
    let ready = Memo::new(move |_| matches!(*lab.engine.phase.read(), Phase::Ready(_)));
    effect(move || {
        lab.picked.track();
        ask(PictureForm::File);
        changes.update_value(|changes| *changes = changes.wrapping_add(1));
        if !ready.get() || busy.get_value() || lab.picked.read_untracked().is_none() {
            return;
        }
        busy.set_value(true);
        asked.update(|asked| *asked += 1);
        let (ask, heard) = (ask.clone(), heard.clone());
        leptos::task::spawn_local(async move {
            // Until nothing has changed, or the view was left.
            while let Some(at) = changes.try_get_value() {
                let Some(picked) = lab.picked.get_untracked() else {
                    break;
                };
                let question = untrack(|| ask(picked.form()));
                let put = question.clone();
                let answer = async {
                    lab.give_weights().await?;
                    let bytes = picked.bytes().await?;
                    lab.engine.ask(question, vec![bytes]).await
                }
                .await;
                match changes.try_get_value() {
                    None => return,
                    Some(now) => {
                        heard(picked, put, answer);
                        if now == at {
                            break;
                        }
                    }
                }
            }
            _ = busy.try_set_value(false);
            _ = asked.try_update(|asked| *asked = asked.saturating_sub(1));
        });
    });
}

/// A picture on a canvas, with what stands over it.
#[component]
pub fn Stage(
    #[prop(into)] picked: Signal<Option<Picked>, LocalStorage>,
    #[prop(into)] label: Signal<String>,
    children: Children,
) -> impl IntoView {
    let shown = NodeRef::<html::Canvas>::new();
    effect(move || {
        if let (Some(canvas), Some(picked)) = (shown.get(), &*picked.read()) {
            picked.draw(&canvas);
        }
    });
    view! {
        <div class="stage-of">
            <canvas node_ref=shown role="img" aria-label=label></canvas>
            {children()}
        </div>
    }
}
