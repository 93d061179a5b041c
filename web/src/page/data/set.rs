//! The person's pictures: what is known of them, their files, what the browser keeps of both, and what the engine has been given.

use std::collections::HashMap;

use js_sys::ArrayBuffer;
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::Blob;

use crate::dataset::{DataSet, Picture, Touched};
use crate::messages::{Ask, DataSaid, LabelledPicture, Refusal, Said};
use crate::page::lab::{Lab, bytes};
use crate::page::link::unexpected;
use crate::page::store::{self, Drawer, Entry};

/// Where the class names are kept.
const CLASSES: &str = "classes";

/// The set of the page. It may be copied; all copies are one.
#[derive(Debug, Clone, Copy)]
pub struct Pictures {
    /// What is known of the pictures; changed through [`Pictures::change`] only.
    pub set: RwSignal<DataSet>,
    /// Goes up with every change.
    pub revision: RwSignal<u32>,
    /// Whether what the browser kept has been looked at.
    pub recalled: RwSignal<bool>,
    /// Why changes are not kept, if they are not.
    pub not_kept: RwSignal<Option<Refusal>>,
    files: StoredValue<HashMap<u32, Blob>, LocalStorage>,
    /// The engine's life and the revision that it was given.
    given: StoredValue<Option<(u32, u32)>>,
}

impl Pictures {
    /// An empty set, into which what the browser kept comes at once.
    pub fn new() -> Self {
        let pictures = Self {
            set: RwSignal::new(DataSet::default()),
            revision: RwSignal::new(0),
            recalled: RwSignal::new(false),
            not_kept: RwSignal::new(None),
            files: StoredValue::new_local(HashMap::new()),
            given: StoredValue::new(None),
        };
        leptos::task::spawn_local(async move {
            if let Err(refusal) = pictures.recall().await {
                pictures.not_kept.set(Some(refusal));
            }
            pictures.recalled.set(true);
        });
        pictures
    }

    /// The file of a picture; also of one that was taken out, until the page is left.
    pub fn file(self, id: u32) -> Option<Blob> {
        self.files.with_value(|files| files.get(&id).cloned())
    }

    /// Changes the set, and keeps what the change touched.
    pub fn change(self, change: impl FnOnce(&mut DataSet) -> Touched) {
        let mut touched = Touched::default();
        self.set.update(|set| touched = change(set));
        self.keep(touched, &[]);
    }

    /// Takes pictures with their files in; `add` says under which ids, in the order of the files.
    pub fn add(
        self,
        files: Vec<Blob>,
        add: impl FnOnce(&mut DataSet) -> (Vec<u32>, Touched),
    ) -> Vec<u32> {
        let mut added = (Vec::new(), Touched::default());
        self.set.update(|set| added = add(set));
        let (ids, touched) = added;
        self.files
            .update_value(|kept| kept.extend(ids.iter().copied().zip(files)));
        self.keep(touched, &ids);
        ids
    }

    /// The set as the engine takes it: classes, pictures, and the bytes of each picture.
    ///
    /// # Errors
    /// When a file cannot be read any more.
    pub async fn told(
        self,
    ) -> Result<(Vec<String>, Vec<LabelledPicture>, Vec<ArrayBuffer>), Refusal> {
        let (classes, ids, told) = {
            let set = self.set.read_untracked();
            let (ids, told) = set.ask();
            (set.classes().to_vec(), ids, told)
        };
        let mut files = Vec::with_capacity(ids.len());
        for (id, picture) in ids.into_iter().zip(&told) {
            let file = self.file(id).ok_or_else(|| Refusal {
                place: picture.name.clone(),
                found: "no bytes".to_owned(),
                expected: "its file".to_owned(),
                next: "Choose it again".to_owned(),
            })?;
            files.push(bytes(&file).await?);
        }
        Ok((classes, told, files))
    }

    fn keep(self, touched: Touched, with_files: &[u32]) {
        if touched == Touched::default() {
            return;
        }
        self.revision.update(|revision| *revision += 1);
        let set = self.set.read_untracked();
        let files = with_files
            .iter()
            .filter_map(|id| Some((Drawer::Files, key(*id), Some(self.file(*id)?.into()))));
        let mut entries: Vec<Entry> = files.collect();
        for id in &touched.pictures {
            let record = set
                .picture(*id)
                .and_then(|picture| serde_json::to_string(picture).ok());
            entries.push((Drawer::Pictures, key(*id), record.map(JsValue::from)));
        }
        if touched.classes {
            let classes = serde_json::to_string(set.classes()).unwrap_or_default();
            entries.push((Drawer::Values, CLASSES.to_owned(), Some(classes.into())));
        }
        drop(set);
        leptos::task::spawn_local(async move {
            self.not_kept.set(store::write(entries).await.err());
        });
    }

    /// What an earlier visit left. Files whose pictures were taken out go now.
    async fn recall(self) -> Result<(), Refusal> {
        let classes = Drawer::Values
            .get(CLASSES)
            .await?
            .and_then(|text| text.as_string());
        let classes: Vec<String> = classes
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default();
        let records = Drawer::Pictures.all().await?;
        let records = records.iter().filter_map(JsValue::as_string);
        let mut pictures: Vec<Picture> = records
            .filter_map(|text| serde_json::from_str(&text).ok())
            .collect();
        let mut files = HashMap::new();
        let mut orphans = Vec::new();
        let known: std::collections::HashSet<u32> =
            pictures.iter().map(|picture| picture.id).collect();
        for (name, file) in Drawer::Files.entries().await? {
            match (name.parse::<u32>(), file.dyn_into::<Blob>()) {
                (Ok(id), Ok(file)) if known.contains(&id) => _ = files.insert(id, file),
                _ => orphans.push(name),
            }
        }
        let orphans: Vec<&str> = orphans.iter().map(String::as_str).collect();
        Drawer::Files.delete(&orphans).await?;
        pictures.retain(|picture| files.contains_key(&picture.id));
        if pictures.is_empty() && classes.is_empty() {
            return Ok(());
        }
        self.files.set_value(files);
        self.set.set(DataSet::new(classes, pictures));
        self.revision.update(|revision| *revision += 1);
        Ok(())
    }
}

impl Lab {
    /// Makes sure that the engine has the pictures as they are now.
    ///
    /// # Errors
    /// When a file cannot be read, or the engine refuses. What the engine leaves out stands in its answer.
    pub async fn give_pictures(self) -> Result<Option<DataSaid>, Refusal> {
        let pictures = self.pictures;
        self.engine.start(self.state.device.get_untracked());
        let now = (
            self.engine.life.get_untracked(),
            pictures.revision.get_untracked(),
        );
        if pictures.given.get_value() == Some(now) {
            return Ok(None);
        }
        let (classes, told, files) = pictures.told().await?;
        let ask = Ask::Data {
            classes,
            pictures: told,
        };
        match self.engine.ask(ask, files).await? {
            (Said::Data(said), _) => {
                pictures.given.set_value(Some(now));
                Ok(Some(said))
            }
            (said, _) => Err(unexpected(&said)),
        }
    }
}

/// Keys sort as their numbers do.
fn key(id: u32) -> String {
    format!("{id:010}")
}
