//! What the engine needs of the worker that it runs in, by name: these few calls are not worth their bindings.

use frostline::{Error, Result};
use js_sys::{Array, ArrayBuffer, Function, Promise, Reflect, Uint8Array};
use serde::Serialize;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use crate::messages::{Letter, Said};

/// A field; undefined where there is none.
pub fn field(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &name.into()).unwrap_or(JsValue::UNDEFINED)
}

/// Sets a field.
pub fn set(object: &JsValue, name: &str, value: &JsValue) {
    // Only a frozen object refuses, and these are the engine's own.
    let _ = Reflect::set(object, &name.into(), value);
}

/// Calls a method.
///
/// # Errors
/// What it throws, or that there is no such method.
pub fn call(object: &JsValue, method: &str, arguments: &[JsValue]) -> Result<JsValue, JsValue> {
    let function: Function = field(object, method).dyn_into()?;
    function.apply(object, &arguments.iter().collect::<Array>())
}

/// Calls a method and waits for its promise.
///
/// # Errors
/// What it throws or rejects with.
pub async fn wait(
    object: &JsValue,
    method: &str,
    arguments: &[JsValue],
) -> Result<JsValue, JsValue> {
    let promise = Promise::resolve(&call(object, method, arguments)?);
    JsFuture::from(promise).await
}

/// The worker.
pub fn worker() -> JsValue {
    js_sys::global().into()
}

/// `navigator.name`, as long as there is one.
pub fn navigator(name: &str) -> Option<JsValue> {
    let value = field(&field(&worker(), "navigator"), name);
    (!value.is_undefined() && !value.is_null()).then_some(value)
}

/// Seconds on a clock that never runs backwards.
pub fn now_s() -> f64 {
    let milliseconds = call(&field(&worker(), "performance"), "now", &[]);
    milliseconds.ok().and_then(|ms| ms.as_f64()).unwrap_or(0.0) / 1e3
}

/// Bytes of memory that the engine holds; what a GPU holds is not told.
pub fn memory_bytes() -> u64 {
    const PAGE_BYTES: u64 = 65_536;
    core::arch::wasm32::memory_size::<0>() as u64 * PAGE_BYTES
}

/// What JavaScript threw, in words.
pub fn words(thrown: &JsValue) -> String {
    let message = field(thrown, "message").as_string();
    message.unwrap_or_else(|| format!("{thrown:?}"))
}

/// Says something to the page.
pub fn say(id: u32, said: Said, bytes: Option<&[u8]>) {
    hand_over(id, said, bytes.map(buffer_of).into_iter().collect());
}

/// Bytes for the page.
pub fn buffer_of(bytes: &[u8]) -> ArrayBuffer {
    Uint8Array::from(bytes).buffer()
}

/// Says something to the page and hands over buffers with it.
pub fn hand_over(id: u32, said: Said, buffers: Vec<ArrayBuffer>) {
    let buffers: Array = buffers.into_iter().collect();
    let text = text(&Letter { id, body: said });
    let message = js_sys::Object::new();
    set(&message, "text", &text.into());
    set(&message, "bytes", &buffers);
    // The worker's own method takes what it is given; there is nobody to tell otherwise.
    let _ = call(&worker(), "postMessage", &[message.into(), buffers.into()]);
}

fn text<T: Serialize>(letter: &T) -> String {
    // Numbers, texts and lists of them: JSON has them all.
    serde_json::to_string(letter).unwrap_or_default()
}

/// The text and the buffers of a message from the page.
pub fn parts(message: &JsValue) -> (String, Vec<ArrayBuffer>) {
    let data = field(message, "data");
    let text = field(&data, "text").as_string().unwrap_or_default();
    let buffers = Array::from(&field(&data, "bytes")).to_vec();
    let buffers = buffers
        .into_iter()
        .filter_map(|buffer| buffer.dyn_into().ok());
    (text, buffers.collect())
}

/// A buffer's bytes, in the engine's memory.
pub fn bytes_of(buffer: &ArrayBuffer) -> Vec<u8> {
    Uint8Array::new(buffer).to_vec()
}

/// Lets the worker take in what has arrived. A timer would wait some milliseconds each time; a message to oneself
/// does not.
#[derive(Debug)]
pub struct Turn {
    sender: JsValue,
    receiver: JsValue,
}

impl Turn {
    /// Opens a channel to oneself.
    ///
    /// # Errors
    /// A browser without channels.
    pub fn open() -> Result<Self> {
        let open = || {
            let class: Function = field(&worker(), "MessageChannel").dyn_into()?;
            let channel = Reflect::construct(&class, &Array::new())?;
            Ok::<_, JsValue>(Self {
                sender: field(&channel, "port1"),
                receiver: field(&channel, "port2"),
            })
        };
        open().map_err(|thrown| failed("the worker", &thrown, "a MessageChannel"))
    }

    /// Waits until everything that had arrived has been taken in.
    pub async fn over(&self) {
        let promise = Promise::new(&mut |resolve, _| {
            set(&self.receiver, "onmessage", &resolve);
        });
        if call(&self.sender, "postMessage", &[JsValue::NULL]).is_ok() {
            // The promise is only ever resolved.
            let _ = JsFuture::from(promise).await;
        }
    }
}

/// What the browser would not do.
pub fn failed(place: &str, thrown: &JsValue, expected: &str) -> Error {
    Error::input(place, words(thrown), expected, "Try another browser")
}
