//! Files that come in: chosen, dropped with their folders, pasted.

use js_sys::{Array, Function, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Blob, DataTransfer, File, FileList, FileSystemDirectoryEntry, FileSystemDirectoryReader,
    FileSystemEntry, FileSystemFileEntry,
};

/// A file and its path within what was given.
pub type Incoming = (String, Blob);

/// Files of an input, with their paths where a folder was chosen.
pub fn of_list(list: &FileList) -> Vec<Incoming> {
    let files = (0..list.length()).filter_map(|index| list.get(index));
    files.map(with_path).collect()
}

fn with_path(file: File) -> Incoming {
    let inner = Reflect::get(&file, &"webkitRelativePath".into()).ok();
    let inner = inner
        .and_then(|path| path.as_string())
        .filter(|path| !path.is_empty());
    (inner.unwrap_or_else(|| file.name()), file.into())
}

/// What is dropped or pasted. Entries have to be taken while the event lasts; their files come later.
pub fn entries(transfer: &DataTransfer) -> (Vec<FileSystemEntry>, Vec<Incoming>) {
    let items = transfer.items();
    let entries: Vec<FileSystemEntry> = (0..items.length())
        .filter_map(|index| items.get(index)?.webkit_get_as_entry().ok().flatten())
        .collect();
    let files = transfer.files().filter(|_| entries.is_empty());
    (
        entries,
        files.map(|files| of_list(&files)).unwrap_or_default(),
    )
}

/// All files of dropped entries, folders and their folders included.
pub async fn of_entries(entries: Vec<FileSystemEntry>) -> Vec<Incoming> {
    let mut files = Vec::new();
    let mut open = entries;
    while let Some(entry) = open.pop() {
        if entry.is_directory() {
            let reader = entry
                .unchecked_into::<FileSystemDirectoryEntry>()
                .create_reader();
            // A browser gives some hundred entries at a time.
            loop {
                let inner = read(&reader).await;
                if inner.is_empty() {
                    break;
                }
                open.extend(inner);
            }
        } else {
            let path = entry.full_path().trim_start_matches('/').to_owned();
            if let Some(file) = file_of(&entry.unchecked_into()).await {
                files.push((path, file.into()));
            }
        }
    }
    files.sort_by(|(a, _), (b, _)| a.cmp(b));
    files
}

async fn read(reader: &FileSystemDirectoryReader) -> Vec<FileSystemEntry> {
    let found =
        answered(|done, failed| reader.read_entries_with_callback_and_callback(done, failed));
    let found = found
        .await
        .map(|found| Array::from(&found).to_vec())
        .unwrap_or_default();
    found.into_iter().map(JsCast::unchecked_into).collect()
}

async fn file_of(entry: &FileSystemFileEntry) -> Option<File> {
    let found = answered(|done, failed| {
        entry.file_with_callback_and_callback(done, failed);
        Ok(())
    });
    found.await.ok()?.dyn_into().ok()
}

/// A call with two callbacks, as a future.
async fn answered(
    call: impl FnOnce(&Function, &Function) -> Result<(), JsValue>,
) -> Result<JsValue, JsValue> {
    let mut call = Some(call);
    let promise = Promise::new(&mut |resolve, reject| {
        if let Some(call) = call.take()
            && let Err(thrown) = call(&resolve, &reject)
        {
            _ = reject.call1(&JsValue::NULL, &thrown);
        }
    });
    JsFuture::from(promise).await
}
