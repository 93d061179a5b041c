//! Features at the cut in the browser's own file system, when they are more than memory should hold.

use std::collections::HashMap;
use std::rc::Rc;

use frostline::freeze::cache::{FeatureStore, RamStore};
use frostline::train::run::MakeStore;
use js_sys::{Object, Uint8Array};
use wasm_bindgen::JsValue;

use super::browser::{call, navigator, set, wait, words};

/// Features may take this many MiB of memory unless the page says another number,
const MEMORY_MIB: u32 = 512;
/// and this much of the browser's file system.
const FILE_BYTES: u64 = 4 << 30;
const NAME: &str = "frostline-features";

/// A file that the worker holds open, alone: a second worker goes without.
#[derive(Debug, Clone)]
pub struct Scratch {
    file: Option<Rc<JsValue>>,
    memory_bytes: u64,
}

impl Scratch {
    /// Opens it, empty; what a browser does not offer is gone without.
    pub async fn open() -> Self {
        Self {
            file: open().await.ok().map(Rc::new),
            memory_bytes: u64::from(MEMORY_MIB) << 20,
        }
    }

    /// How many MiB of features later runs hold in memory; the usual number where none is said.
    pub fn keep_in_memory(&mut self, mib: Option<u32>) {
        self.memory_bytes = u64::from(mib.unwrap_or(MEMORY_MIB)) << 20;
    }

    /// What features may take.
    pub fn most_bytes(&self) -> u64 {
        if self.file.is_some() {
            FILE_BYTES
        } else {
            self.memory_bytes
        }
    }

    /// Memory for what is small, the file for the rest.
    pub fn stores(&self) -> MakeStore {
        let (file, memory) = (self.file.clone(), self.memory_bytes);
        Box::new(move |bytes| match &file {
            Some(file) if bytes > memory => Box::new(FileStore::new(file.clone())),
            _ => Box::new(RamStore::new(memory.max(bytes))),
        })
    }
}

async fn open() -> Result<JsValue, JsValue> {
    let storage = navigator("storage").ok_or(JsValue::UNDEFINED)?;
    let folder = wait(&storage, "getDirectory", &[]).await?;
    let options = Object::new();
    set(&options, "create", &true.into());
    let file = wait(&folder, "getFileHandle", &[NAME.into(), options.into()]).await?;
    let file = wait(&file, "createSyncAccessHandle", &[]).await?;
    call(&file, "truncate", &[0.into()])?;
    Ok(file)
}

/// Entries one after the other in the file; where each lies is known to this store alone, which is the only one
/// that ever reads it.
struct FileStore {
    file: Rc<JsValue>,
    /// Where an entry begins, and its length.
    places: HashMap<usize, (u64, usize)>,
    end: u64,
    entry: Vec<u8>,
    message: Option<String>,
}

impl FileStore {
    fn new(file: Rc<JsValue>) -> Self {
        let mut store = Self {
            file,
            places: HashMap::new(),
            end: 0,
            entry: Vec::new(),
            message: None,
        };
        // What an earlier run left.
        if let Err(thrown) = call(&store.file, "truncate", &[0.into()]) {
            store.message = Some(words(&thrown));
        }
        store
    }

    /// Writes or reads at a place; how many bytes went over.
    fn transfer(&self, method: &str, bytes: &Uint8Array, at: u64) -> Result<usize, JsValue> {
        let options = Object::new();
        set(&options, "at", &(at as f64).into());
        let moved = call(&self.file, method, &[bytes.into(), options.into()])?;
        Ok(moved.as_f64().unwrap_or(0.0) as usize)
    }
}

impl FeatureStore for FileStore {
    fn has(&self, index: usize) -> bool {
        self.places.contains_key(&index)
    }

    fn get(&mut self, index: usize) -> Option<&[u8]> {
        let &(at, length) = self.places.get(&index)?;
        let bytes = Uint8Array::new_with_length(u32::try_from(length).ok()?);
        if self.transfer("read", &bytes, at) != Ok(length) {
            self.places.remove(&index);
            return None;
        }
        self.entry = bytes.to_vec();
        Some(&self.entry)
    }

    fn put(&mut self, index: usize, entry: Vec<u8>) {
        if self.message.is_some() {
            return;
        }
        let bytes = Uint8Array::from(&entry[..]);
        match self.transfer("write", &bytes, self.end) {
            Ok(written) if written == entry.len() => {
                self.places.insert(index, (self.end, entry.len()));
                self.end += entry.len() as u64;
            }
            Ok(_) => self.message = Some("the browser's file system is full".to_owned()),
            Err(thrown) => self.message = Some(words(&thrown)),
        }
    }

    fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }
}

impl Drop for FileStore {
    fn drop(&mut self) {
        // The room is given back; the handle stays open for the next run, which empties the file itself.
        let _ = call(&self.file, "truncate", &[0.into()]);
    }
}
