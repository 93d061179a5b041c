//! What the views share: the state, the engine, and what the engine has been given.

use js_sys::ArrayBuffer;
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, Response};

use super::data::Pictures;
use super::link::{Link, unexpected};
use super::picked::Picked;
use super::state::State;
use super::store::Drawer;
use super::train::Runs;
use crate::messages::{Ask, Refusal, Said, WeightsSaid};

/// The weights that come with the page.
pub const SHIPPED_WEIGHTS: &str = "shipped/yolov5n-source.safetensors";
/// The pictures that come with the page: a YOLO zip.
pub const SHIPPED_PICTURES: &str = "shipped/target.zip";
/// Where the person's own weights are kept: the file, and its name.
const OWN_WEIGHTS: [&str; 2] = ["weights", "weights-name"];

/// What the views share. It may be copied; all copies are one.
#[derive(Debug, Clone, Copy)]
pub struct Lab {
    pub state: State,
    pub engine: Link,
    pub weights: Weights,
    pub pictures: Pictures,
    /// The picture that is looked at.
    pub picked: RwSignal<Option<Picked>, LocalStorage>,
    pub runs: Runs,
    /// The shipped files, once they are here.
    shipped: StoredValue<Shipped, LocalStorage>,
}

#[derive(Debug, Clone, Default)]
struct Shipped {
    weights: Option<Blob>,
    pictures: Option<Blob>,
}

/// The weights that runs start from.
#[derive(Debug, Clone, Copy)]
pub struct Weights {
    /// The person's own file with its name; none for the shipped ones.
    own: StoredValue<Option<Blob>, LocalStorage>,
    /// The file's name.
    pub name: RwSignal<String>,
    /// Whether they are the person's own.
    pub are_own: RwSignal<bool>,
    /// What the engine says of them, once it has read them.
    pub said: RwSignal<Option<WeightsSaid>>,
    /// Why the last file was not taken; what was there before stays.
    pub problem: RwSignal<Option<Refusal>>,
    /// The life of the engine that has them.
    given: StoredValue<u32>,
}

impl Lab {
    pub fn new(state: State) -> Self {
        let lab = Self {
            state,
            engine: Link::new(),
            weights: Weights {
                own: StoredValue::new_local(None),
                name: RwSignal::new(file_name(SHIPPED_WEIGHTS)),
                are_own: RwSignal::new(false),
                said: RwSignal::new(None),
                problem: RwSignal::new(None),
                given: StoredValue::new(0),
            },
            pictures: Pictures::new(),
            picked: RwSignal::new_local(None),
            runs: Runs::new(),
            shipped: StoredValue::new_local(Shipped::default()),
        };
        lab.watch_device();
        leptos::task::spawn_local(lab.recall_weights());
        lab
    }

    /// Brings what the views with an engine need: its program and the shipped files. After that the page asks the network
    /// for nothing.
    pub fn load(self) {
        self.engine.start(self.state.device.get_untracked());
        leptos::task::spawn_local(async move {
            _ = self.shipped_pictures().await;
            _ = self.shipped_weights().await;
        });
    }

    /// The shipped pictures, a YOLO zip.
    ///
    /// # Errors
    /// When they cannot be loaded.
    pub async fn shipped_pictures(self) -> Result<Blob, Refusal> {
        if let Some(blob) = self.shipped.with_value(|shipped| shipped.pictures.clone()) {
            return Ok(blob);
        }
        let blob = fetch(SHIPPED_PICTURES).await?;
        self.shipped
            .update_value(|shipped| shipped.pictures = Some(blob.clone()));
        Ok(blob)
    }

    async fn shipped_weights(self) -> Result<Blob, Refusal> {
        if let Some(blob) = self.shipped.with_value(|shipped| shipped.weights.clone()) {
            return Ok(blob);
        }
        let blob = fetch(SHIPPED_WEIGHTS).await?;
        self.shipped
            .update_value(|shipped| shipped.weights = Some(blob.clone()));
        Ok(blob)
    }

    /// Makes sure that the engine has the weights.
    ///
    /// # Errors
    /// When they cannot be loaded or read.
    pub async fn give_weights(self) -> Result<(), Refusal> {
        self.engine.start(self.state.device.get_untracked());
        if self.weights.given.get_value() == self.engine.life.get_untracked() {
            return Ok(());
        }
        let blob = match self.weights.own.get_value() {
            Some(blob) => blob,
            None => self.shipped_weights().await?,
        };
        self.read_weights(self.weights.name.get_untracked(), blob)
            .await
    }

    /// Takes a file of weights of the person's own in place of the earlier ones, and keeps it for the next visit.
    pub async fn take_weights(self, name: String, blob: Blob) {
        self.engine.start(self.state.device.get_untracked());
        let weights = self.weights;
        match self.read_weights(name.clone(), blob.clone()).await {
            Ok(()) => {
                weights.own.set_value(Some(blob.clone()));
                weights.are_own.set(true);
                weights.problem.set(None);
                let [file, label] = OWN_WEIGHTS;
                let kept = Drawer::Values
                    .put(&[(file, blob.into()), (label, name.into())])
                    .await;
                // They work all the same.
                _ = kept.inspect_err(|refusal| weights.problem.set(Some(refusal.clone())));
            }
            Err(refusal) => {
                weights.problem.set(Some(refusal));
                // The engine has dropped nothing: it reads before it takes.
            }
        }
    }

    /// Goes back to the shipped weights.
    pub async fn take_shipped_weights(self) {
        let weights = self.weights;
        weights.own.set_value(None);
        weights.are_own.set(false);
        weights.name.set(file_name(SHIPPED_WEIGHTS));
        weights.given.set_value(0);
        weights.problem.set(None);
        _ = Drawer::Values.delete(&OWN_WEIGHTS).await;
        if let Err(refusal) = self.give_weights().await {
            weights.problem.set(Some(refusal));
        }
    }

    async fn read_weights(self, name: String, blob: Blob) -> Result<(), Refusal> {
        let life = self.engine.life.get_untracked();
        let bytes = bytes(&blob).await?;
        let ask = Ask::Weights { name: name.clone() };
        match self.engine.ask(ask, vec![bytes]).await? {
            (Said::Weights(said), _) => {
                self.weights.name.set(name);
                self.weights.said.set(Some(said));
                self.weights.given.set_value(life);
                Ok(())
            }
            (said, _) => Err(unexpected(&said)),
        }
    }

    /// The weights of an earlier visit.
    async fn recall_weights(self) {
        let [file, label] = OWN_WEIGHTS;
        let (Ok(Some(blob)), Ok(Some(name))) = (
            Drawer::Values.get(file).await,
            Drawer::Values.get(label).await,
        ) else {
            return;
        };
        let (Ok(blob), Some(name)) = (blob.dyn_into::<Blob>(), name.as_string()) else {
            return;
        };
        self.weights.own.set_value(Some(blob));
        self.weights.are_own.set(true);
        self.weights.name.set(name);
        self.weights.given.set_value(0);
    }
}

fn file_name(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_owned()
}

/// A file beside the page.
async fn fetch(path: &str) -> Result<Blob, Refusal> {
    let failed = |found: String| Refusal {
        place: path.to_owned(),
        found,
        expected: "a file that comes with the page".to_owned(),
        next: "Try again when this site can be reached".to_owned(),
    };
    let load = async {
        let response = JsFuture::from(window().fetch_with_str(path)).await?;
        let response: Response = response.dyn_into()?;
        if !response.ok() {
            return Err(JsValue::from(format!("HTTP {}", response.status())));
        }
        JsFuture::from(response.blob()?).await?.dyn_into()
    };
    let loaded: Result<Blob, JsValue> = load.await;
    loaded.map_err(|thrown| failed(words(&thrown)))
}

/// The bytes of a file.
///
/// # Errors
/// When the browser cannot read it any more.
pub async fn bytes(blob: &Blob) -> Result<ArrayBuffer, Refusal> {
    let read = JsFuture::from(blob.array_buffer()).await;
    read.and_then(JsCast::dyn_into).map_err(|thrown| Refusal {
        place: "a file".to_owned(),
        found: words(&thrown),
        expected: "a file that can be read".to_owned(),
        next: "Choose it again".to_owned(),
    })
}

/// What JavaScript threw, in words.
pub fn words(thrown: &JsValue) -> String {
    let message = js_sys::Reflect::get(thrown, &"message".into()).ok();
    let message = message.and_then(|message| message.as_string());
    message
        .or(thrown.as_string())
        .unwrap_or_else(|| format!("{thrown:?}"))
}
