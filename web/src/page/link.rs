//! The link to the engine in its worker: started when a view first needs it, asked in [`messages`](crate::messages).

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use futures_channel::oneshot;
use js_sys::{Array, ArrayBuffer, Reflect};
use leptos::prelude::*;
use wasm_bindgen::prelude::*;
use web_sys::{MessageEvent, Worker, WorkerOptions, WorkerType};

use crate::messages::{Ask, DeviceSaid, Letter, Refusal, Said, Wish};

/// What came for a question: the answer with its bytes, or why there is none.
pub type Answer = Result<(Said, Vec<ArrayBuffer>), Refusal>;

/// How far the engine is.
#[derive(Debug, Clone, PartialEq)]
pub enum Phase {
    /// Nobody has needed it yet.
    Idle,
    /// Its program is on the way, or it looks for a device.
    Loading,
    /// It computes on a device.
    Ready(DeviceSaid),
    /// It ended; [`Link::start`] begins another.
    Failed(Refusal),
}

/// A device that was lost, and what the engine did about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Lost {
    pub why: String,
    pub now: DeviceSaid,
    pub from_epoch: Option<usize>,
}

/// The link. It may be copied; all copies are one.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    wires: StoredValue<Rc<RefCell<Wires>>, LocalStorage>,
    /// How far the engine is.
    pub phase: RwSignal<Phase>,
    /// The last device that was lost.
    pub lost: RwSignal<Option<Lost>>,
    /// Counts the workers there have been: what an earlier one was given, the next has not.
    pub life: RwSignal<u32>,
}

#[derive(Default)]
struct Wires {
    worker: Option<Worker>,
    /// Whether the worker listens; until then letters wait in `held`.
    hears: bool,
    held: Vec<(String, Array)>,
    last: u32,
    waiting: HashMap<u32, Waiting>,
}

impl std::fmt::Debug for Wires {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let waiting = self.waiting.len();
        f.debug_struct("Wires")
            .field("hears", &self.hears)
            .field("waiting", &waiting)
            .finish_non_exhaustive()
    }
}

struct Waiting {
    answer: oneshot::Sender<Answer>,
    told: Option<Box<dyn FnMut(Said, Vec<ArrayBuffer>)>>,
}

impl Link {
    /// A link to no engine yet.
    pub fn new() -> Self {
        Self {
            wires: StoredValue::new_local(Rc::default()),
            phase: RwSignal::new(Phase::Idle),
            lost: RwSignal::new(None),
            life: RwSignal::new(0),
        }
    }

    /// Starts the engine with a device, unless it runs or is about to.
    pub fn start(self, wish: Wish) {
        match *self.phase.read_untracked() {
            Phase::Loading | Phase::Ready(_) => return,
            Phase::Idle | Phase::Failed(_) => {}
        }
        self.phase.set(Phase::Loading);
        match open() {
            Ok(worker) => self.listen(worker),
            Err(thrown) => return self.end(no_worker(&thrown)),
        }
        self.choose(wish);
    }

    /// Takes another device; a run under way ends.
    pub fn choose(self, wish: Wish) {
        self.phase.set(Phase::Loading);
        leptos::task::spawn_local(async move {
            let ask = Ask::Start {
                device: wish,
                feature_mib: None,
            };
            let answer = self.ask(ask, Vec::new()).await;
            let phase = match answer {
                Ok((Said::Ready(device), _)) => Phase::Ready(device),
                Ok((said, _)) => Phase::Failed(unexpected(&said)),
                Err(refusal) => Phase::Failed(refusal),
            };
            self.phase.set(phase);
        });
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// What the engine refuses, or that it has ended.
    pub async fn ask(self, ask: Ask, bytes: Vec<ArrayBuffer>) -> Answer {
        self.send(ask, bytes, None).await
    }

    /// Asks for something that takes long: what is said on the way goes to `told`.
    ///
    /// # Errors
    /// What the engine refuses, or that it has ended.
    pub async fn begin(
        self,
        ask: Ask,
        bytes: Vec<ArrayBuffer>,
        told: impl FnMut(Said, Vec<ArrayBuffer>) + 'static,
    ) -> Answer {
        self.send(ask, bytes, Some(Box::new(told))).await
    }

    async fn send(
        self,
        ask: Ask,
        bytes: Vec<ArrayBuffer>,
        told: Option<Box<dyn FnMut(Said, Vec<ArrayBuffer>)>>,
    ) -> Answer {
        let wires = self.wires.get_value();
        let (answer, answered) = oneshot::channel();
        {
            let mut wires = wires.borrow_mut();
            wires.last += 1;
            let id = wires.last;
            // Numbers, texts and lists of them: JSON has them all.
            let text = serde_json::to_string(&Letter { id, body: ask }).unwrap_or_default();
            let buffers: Array = bytes.into_iter().collect();
            wires.waiting.insert(id, Waiting { answer, told });
            if wires.hears {
                wires.post(&text, &buffers);
            } else {
                wires.held.push((text, buffers));
            }
        }
        answered.await.unwrap_or_else(|_| Err(ended()))
    }

    fn listen(self, worker: Worker) {
        let heard = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            self.receive(&event.data());
        });
        worker.set_onmessage(Some(heard.as_ref().unchecked_ref()));
        let broken = Closure::<dyn FnMut(JsValue)>::new(move |event: JsValue| {
            let message = Reflect::get(&event, &"message".into());
            let message = message.ok().and_then(|message| message.as_string());
            self.end(no_worker(&message.unwrap_or_default().into()));
        });
        worker.set_onerror(Some(broken.as_ref().unchecked_ref()));
        // As long as the worker, of which there are few.
        heard.forget();
        broken.forget();
        let wires = self.wires.get_value();
        let mut wires = wires.borrow_mut();
        wires.worker = Some(worker);
        wires.hears = false;
        self.life.update(|life| *life += 1);
    }

    fn receive(self, data: &JsValue) {
        let text = Reflect::get(data, &"text".into());
        let text = text.ok().and_then(|text| text.as_string());
        let letter: Option<Letter<Said>> = text.and_then(|text| serde_json::from_str(&text).ok());
        let Some(Letter { id, body }) = letter else {
            return;
        };
        let bytes = Reflect::get(data, &"bytes".into()).unwrap_or_default();
        let bytes = (Array::from(&bytes).iter())
            .filter_map(|buffer| buffer.dyn_into().ok())
            .collect();
        if id == 0 {
            return self.hear(body);
        }
        let wires = self.wires.get_value();
        let Some(mut waiting) = wires.borrow_mut().waiting.remove(&id) else {
            return;
        };
        let on_the_way = match body {
            Said::Features { .. } | Said::Step(_) | Said::Epoch(_) => true,
            Said::Started(_) => waiting.told.is_some(),
            _ => false,
        };
        if on_the_way {
            if let Some(told) = &mut waiting.told {
                told(body, bytes);
            }
            wires.borrow_mut().waiting.insert(id, waiting);
            return;
        }
        let answer = match body {
            Said::Failed(refusal) => Err(refusal),
            said => Ok((said, bytes)),
        };
        // Whoever asked may have gone.
        _ = waiting.answer.send(answer);
    }

    /// What no question led to.
    fn hear(self, said: Said) {
        match said {
            Said::Fine => {
                let wires = self.wires.get_value();
                let mut wires = wires.borrow_mut();
                wires.hears = true;
                for (text, buffers) in std::mem::take(&mut wires.held) {
                    wires.post(&text, &buffers);
                }
            }
            Said::Lost {
                why,
                now,
                from_epoch,
            } => {
                self.phase.set(Phase::Ready(now.clone()));
                self.lost.set(Some(Lost {
                    why,
                    now,
                    from_epoch,
                }));
            }
            Said::Failed(refusal) => self.end(refusal),
            _ => {}
        }
    }

    /// The engine is no more; all who wait hear why.
    fn end(self, refusal: Refusal) {
        let wires = self.wires.get_value();
        let waiting = {
            let mut wires = wires.borrow_mut();
            if let Some(worker) = wires.worker.take() {
                worker.terminate();
            }
            wires.hears = false;
            wires.held.clear();
            std::mem::take(&mut wires.waiting)
        };
        self.phase.set(Phase::Failed(refusal.clone()));
        for waiting in waiting.into_values() {
            _ = waiting.answer.send(Err(refusal.clone()));
        }
    }
}

impl Wires {
    fn post(&self, text: &str, buffers: &Array) {
        let message = js_sys::Object::new();
        _ = Reflect::set(&message, &"text".into(), &text.into());
        _ = Reflect::set(&message, &"bytes".into(), buffers);
        if let Some(worker) = &self.worker {
            _ = worker.post_message_with_transfer(&message, buffers);
        }
    }
}

fn open() -> Result<Worker, JsValue> {
    let options = WorkerOptions::new();
    options.set_type(WorkerType::Module);
    Worker::new_with_options("engine-worker.js", &options)
}

fn no_worker(thrown: &JsValue) -> Refusal {
    let words = Reflect::get(thrown, &"message".into()).ok();
    let words = words
        .and_then(|words| words.as_string())
        .or(thrown.as_string());
    Refusal {
        place: "engine-worker.js".to_owned(),
        found: words
            .filter(|words| !words.is_empty())
            .unwrap_or_else(|| "no program".to_owned()),
        expected: "a program that starts in a worker".to_owned(),
        next: "Load the page again, or take a recent browser".to_owned(),
    }
}

/// For answers of another kind than the question's: page and engine are of different versions.
pub fn unexpected(said: &Said) -> Refusal {
    Refusal {
        place: "the engine".to_owned(),
        found: format!("{said:?}").chars().take(80).collect(),
        expected: "the answer to what was asked".to_owned(),
        next: "Load the page again: page and engine are of different versions".to_owned(),
    }
}

fn ended() -> Refusal {
    Refusal {
        place: "the engine".to_owned(),
        found: "an engine that has ended".to_owned(),
        expected: "an answer".to_owned(),
        next: "Try again: another one starts".to_owned(),
    }
}
