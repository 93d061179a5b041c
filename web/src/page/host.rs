//! Talking with the page around an embedded one.
//!
//! To the host go `frostline:ready`, `frostline:height` (pixels that the content needs),
//! `frostline:plan` (what is frozen), `frostline:epoch` and `frostline:done` (what a run has reached). From it comes `frostline:set`, with names and values as in an
//! address. Only the host named in the address is listened to. No message ever holds a picture.

use js_sys::{Object, Reflect};
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};

use super::browser;
use super::state::State;
use crate::messages::{DoneSaid, EpochSaid, Reached};

/// The page around this one, and its origin where the address names one.
#[derive(Debug, Clone)]
struct Host {
    window: web_sys::Window,
    origin: Option<String>,
}

impl Host {
    fn find(state: State) -> Option<Self> {
        let parent = window().parent().ok().flatten()?;
        (parent != window()).then(|| Self {
            window: parent,
            origin: state.host.get_value(),
        })
    }

    /// Sends a message. Without an origin anybody around may read it; it says nothing that the
    /// page itself does not show.
    fn send(&self, kind: &str, values: &[(&str, JsValue)]) {
        let message = Object::new();
        _ = Reflect::set(
            &message,
            &"type".into(),
            &format!("frostline:{kind}").into(),
        );
        for (name, value) in values {
            _ = Reflect::set(&message, &(*name).into(), value);
        }
        _ = self
            .window
            .post_message(&message, self.origin.as_deref().unwrap_or("*"));
    }

    /// The names and values of a `frostline:set` that comes from the host.
    fn settings(&self, event: &web_sys::MessageEvent) -> Option<Vec<(String, String)>> {
        let from_host = event
            .source()
            .is_some_and(|source| Object::is(&source, &self.window))
            && self.origin.as_deref() == Some(event.origin().as_str());
        if !from_host {
            return None;
        }
        let message = event.data().dyn_into::<Object>().ok()?;
        let entries: Vec<(String, String)> = (Object::entries(&message).iter())
            .filter_map(|entry| {
                let entry: js_sys::Array = entry.dyn_into().ok()?;
                Some((entry.get(0).as_string()?, entry.get(1).as_string()?))
            })
            .collect();
        let is_set = entries
            .iter()
            .any(|(name, value)| name == "type" && value == "frostline:set");
        is_set.then_some(entries)
    }
}

/// Tells the host of an epoch that was done.
pub fn tell_epoch(state: State, epoch: &EpochSaid) {
    let number = JsValue::from(epoch.epoch as f64);
    let loss = epoch.losses.iter().sum::<f64>();
    let best = JsValue::from(epoch.best);
    let mut values = vec![("epoch", number), ("loss", loss.into()), ("best", best)];
    values.extend(figures(&epoch.reached));
    tell(state, "epoch", &values);
}

/// Tells the host that a run has ended.
pub fn tell_done(state: State, done: &DoneSaid) {
    let mut values = vec![
        ("epochs", JsValue::from(done.epochs as f64)),
        ("seconds", done.seconds.into()),
        ("stopped", done.stopped.into()),
        (
            "frozenHolds",
            done.receipts.iter().all(|receipt| receipt.holds).into(),
        ),
    ];
    values.extend(figures(&done.best));
    tell(state, "done", &values);
}

fn figures(reached: &Reached) -> [(&'static str, JsValue); 2] {
    [("map50", reached.map50.into()), ("map", reached.map.into())]
}

fn tell(state: State, kind: &str, values: &[(&str, JsValue)]) {
    if !state.embedded {
        return;
    }
    if let Some(host) = Host::find(state) {
        host.send(kind, values);
    }
}

/// Tells the host what it needs to know, and listens to it.
pub fn speak(state: State) {
    let Some(host) = Host::find(state) else {
        return;
    };
    if let Some(body) = document().body() {
        let told = StoredValue::new(0.0);
        let to = host.clone();
        browser::observe_height(&body, move |height| {
            let height = height.ceil();
            if told.get_value() != height {
                told.set_value(height);
                to.send("height", &[("height", height.into())]);
            }
        });
    }
    let to = host.clone();
    Effect::new(move || {
        let planned = state.planned.read();
        let counts = state.scene.read().stage.counts;
        to.send(
            "plan",
            &[
                ("freeze", planned.plan.spec.to_string().into()),
                ("size", state.size.get().to_string().into()),
                ("frozenParameters", (counts.frozen_parameters as f64).into()),
                (
                    "trainableParameters",
                    (counts.trainable_parameters as f64).into(),
                ),
            ],
        );
    });
    let from = host.clone();
    let listener = window_event_listener(leptos::ev::message, move |event| {
        if let Some(entries) = from.settings(&event) {
            let mut address = untrack(move || state.address());
            for (name, value) in entries {
                address.set(&name, &value);
            }
            state.take(address);
        }
    });
    // As long as the page.
    std::mem::forget(listener);
    host.send(
        "ready",
        &[("view", state.view.get_untracked().name().into())],
    );
}
