//! What the page has asked and nobody has answered yet.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use js_sys::ArrayBuffer;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};

use super::browser;
use crate::messages::{Ask, Letter, Refusal, Said};

/// A question and the buffers that came with it.
pub type Asked = (Letter<Ask>, Vec<ArrayBuffer>);

/// Questions in the order in which they came.
#[derive(Debug, Clone, Default)]
pub struct Inbox(Rc<RefCell<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    letters: VecDeque<Asked>,
    waker: Option<Waker>,
}

impl Inbox {
    /// Listens to the page from now on.
    pub fn open() -> Self {
        let inbox = Self::default();
        let waiting = inbox.0.clone();
        let listener = Closure::<dyn FnMut(JsValue)>::new(move |message: JsValue| {
            let (text, buffers) = browser::parts(&message);
            match serde_json::from_str(&text) {
                Ok(letter) => {
                    let mut waiting = waiting.borrow_mut();
                    waiting.letters.push_back((letter, buffers));
                    if let Some(waker) = waiting.waker.take() {
                        waker.wake();
                    }
                }
                Err(error) => {
                    let refusal = Refusal {
                        place: "a message to the engine".to_owned(),
                        found: error.to_string(),
                        expected: "a question that this engine knows".to_owned(),
                        next: "Load the page again: page and engine are of different versions"
                            .to_owned(),
                    };
                    browser::say(id_of(&text), Said::Failed(refusal), None);
                }
            }
        });
        let worker = browser::worker();
        browser::set(&worker, "onmessage", listener.as_ref().unchecked_ref());
        // It listens for as long as the worker lives.
        listener.forget();
        inbox
    }

    /// The next question, if it is there already.
    pub fn take(&self) -> Option<Asked> {
        self.0.borrow_mut().letters.pop_front()
    }

    /// The next question, sooner or later.
    pub async fn next(&self) -> Asked {
        poll_fn(|context| {
            let mut waiting = self.0.borrow_mut();
            match waiting.letters.pop_front() {
                Some(asked) => Poll::Ready(asked),
                None => {
                    waiting.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

/// The number of a question that is not understood, so that whoever waits for it gets an answer.
fn id_of(text: &str) -> u32 {
    let value: Option<serde_json::Value> = serde_json::from_str(text).ok();
    let id = value.and_then(|value| value.get("id")?.as_u64());
    id.and_then(|id| u32::try_from(id).ok()).unwrap_or(0)
}
