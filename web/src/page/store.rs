//! What the browser keeps for the page between visits, until the person deletes it: IndexedDB, in three drawers.

use std::cell::RefCell;
use std::rc::Rc;

use idb::{Database, DatabaseEvent, Factory, ObjectStoreParams, TransactionMode};
use wasm_bindgen::JsValue;

use crate::messages::Refusal;

const NAME: &str = "frostline";
const VERSION: u32 = 1;

/// A drawer: values by key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drawer {
    /// Picture files as blobs.
    Files,
    /// What is known of each picture, as JSON.
    Pictures,
    /// Everything else: weights, runs, what the set as a whole has.
    Values,
}

impl Drawer {
    const ALL: [Self; 3] = [Self::Files, Self::Pictures, Self::Values];

    fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Pictures => "pictures",
            Self::Values => "values",
        }
    }

    /// Keeps values under their keys, in place of earlier ones: all or none.
    ///
    /// # Errors
    /// When the browser keeps nothing (a private window, a full disk).
    pub async fn put(self, entries: &[(&str, JsValue)]) -> Result<(), Refusal> {
        let entries = entries
            .iter()
            .map(|(key, value)| (self, (*key).to_owned(), Some(value.clone())));
        write(entries.collect()).await
    }

    /// The value under a key.
    ///
    /// # Errors
    /// When the browser keeps nothing.
    pub async fn get(self, key: &str) -> Result<Option<JsValue>, Refusal> {
        let database = open().await?;
        let read = async {
            let transaction = database.transaction(&[self.name()], TransactionMode::ReadOnly)?;
            let store = transaction.object_store(self.name())?;
            store.get(JsValue::from(key))?.await
        };
        read.await.map_err(refusal)
    }

    /// All values, in the order of their keys.
    ///
    /// # Errors
    /// When the browser keeps nothing.
    pub async fn all(self) -> Result<Vec<JsValue>, Refusal> {
        let database = open().await?;
        let read = async {
            let transaction = database.transaction(&[self.name()], TransactionMode::ReadOnly)?;
            let store = transaction.object_store(self.name())?;
            store.get_all(None, None)?.await
        };
        read.await.map_err(refusal)
    }

    /// All keys with their values, in the order of the keys.
    ///
    /// # Errors
    /// When the browser keeps nothing.
    pub async fn entries(self) -> Result<Vec<(String, JsValue)>, Refusal> {
        let database = open().await?;
        let read = async {
            let transaction = database.transaction(&[self.name()], TransactionMode::ReadOnly)?;
            let store = transaction.object_store(self.name())?;
            let keys = store.get_all_keys(None, None)?.await?;
            let values = store.get_all(None, None)?.await?;
            let keys = keys.iter().map(|key| key.as_string().unwrap_or_default());
            Ok(keys.zip(values).collect())
        };
        read.await.map_err(refusal)
    }

    /// Forgets what lies under these keys: all or none.
    ///
    /// # Errors
    /// When the browser keeps nothing.
    pub async fn delete(self, keys: &[&str]) -> Result<(), Refusal> {
        write(
            keys.iter()
                .map(|key| (self, (*key).to_owned(), None))
                .collect(),
        )
        .await
    }
}

/// A value under its key in a drawer; none forgets what lies there.
pub type Entry = (Drawer, String, Option<JsValue>);

/// Writes into several drawers: all or nothing, also when the page is left in the middle.
///
/// # Errors
/// When the browser keeps nothing (a private window, a full disk).
pub async fn write(entries: Vec<Entry>) -> Result<(), Refusal> {
    if entries.is_empty() {
        return Ok(());
    }
    let database = open().await?;
    let write = async {
        let names = Drawer::ALL.map(Drawer::name);
        let transaction = database.transaction(&names, TransactionMode::ReadWrite)?;
        for (drawer, key, value) in entries {
            let store = transaction.object_store(drawer.name())?;
            match value {
                Some(value) => _ = store.put(&value, Some(&key.into()))?,
                None => _ = store.delete(JsValue::from(key))?,
            }
        }
        transaction.commit()?.await.map(|_| ())
    };
    write.await.map_err(refusal)
}

thread_local! {
    static DATABASE: RefCell<Option<Rc<Database>>> = const { RefCell::new(None) };
}

async fn open() -> Result<Rc<Database>, Refusal> {
    if let Some(database) = DATABASE.with_borrow(Clone::clone) {
        return Ok(database);
    }
    let open = async {
        let mut request = Factory::new()?.open(NAME, Some(VERSION))?;
        request.on_upgrade_needed(|event| {
            let Ok(database) = event.database() else {
                return;
            };
            for drawer in Drawer::ALL {
                // It is there already when an earlier version made it.
                _ = database.create_object_store(drawer.name(), ObjectStoreParams::new());
            }
        });
        request.await
    };
    let database = Rc::new(open.await.map_err(refusal)?);
    DATABASE.set(Some(database.clone()));
    Ok(database)
}

fn refusal(error: idb::Error) -> Refusal {
    Refusal {
        place: "the browser's storage".to_owned(),
        found: error.to_string(),
        expected: "room to keep pictures, boxes and runs".to_owned(),
        next: "What you do here works, but is gone with the page; take it along as a file"
            .to_owned(),
    }
}
