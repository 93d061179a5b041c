//! What lies beside the lab's programs: weights and pictures to begin with, and the list by which it works without a network.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::root;

/// The folder of what is shipped, in the built lab.
const FOLDER: &str = "shipped";
/// Weights to start from, by their path in the repository.
const WEIGHTS: &str = "native/weights/yolov5n-source.safetensors";
/// Pictures to begin with, by their path in the repository.
const PICTURES: &str = "data/target";
/// What the service worker reads first.
const LIST: &str = "offline-files.js";

/// Puts the shipped files into a built lab, and lists everything there for the service worker.
pub fn finish(dist: &Path) -> anyhow::Result<()> {
    let folder = dist.join(FOLDER);
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let weights = root().join(WEIGHTS);
    let name = weights.file_name().context("the weights have no name")?;
    std::fs::copy(&weights, folder.join(name)).with_context(|| weights.display().to_string())?;
    pack(&root().join(PICTURES), &folder.join("target.zip")).context("the shipped pictures")?;
    list(dist).context("the list of files")
}

/// All files below a folder, as paths within it with `/`, sorted.
pub fn files_below(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut files = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(inner) = open.pop() {
        for entry in std::fs::read_dir(folder.join(&inner))? {
            let entry = entry?;
            let path = inner.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                open.push(path);
            } else {
                let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
                files.push(parts.join("/"));
            }
        }
    }
    files.sort();
    Ok(files)
}

/// A zip of a folder: the same bytes each time. Pictures are compressed already.
fn pack(folder: &Path, archive: &Path) -> anyhow::Result<()> {
    let mut zip = ZipWriter::new(File::create(archive)?);
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default());
    for file in files_below(folder)? {
        zip.start_file(&*file, options)?;
        zip.write_all(&std::fs::read(folder.join(&file))?)?;
    }
    zip.finish()?;
    Ok(())
}

/// Lists the files of the built lab under a version that changes with any of them.
fn list(dist: &Path) -> anyhow::Result<()> {
    let mut files = files_below(dist)?;
    // The worker itself and its list are the browser's affair.
    files.retain(|file| file != LIST && file != "offline-worker.js");
    let mut hasher = DefaultHasher::new();
    for file in &files {
        file.hash(&mut hasher);
        std::fs::read(dist.join(file))?.hash(&mut hasher);
    }
    let names: Vec<String> = files.iter().map(|file| format!("  {file:?},\n")).collect();
    let text = format!(
        "// Made by the build.\nself.VERSION = \"{:016x}\";\nself.FILES = [\n{}];\n",
        hasher.finish(),
        names.concat()
    );
    std::fs::write(dist.join(LIST), text)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_names_every_file_and_its_version_follows_them() {
        let folder = std::env::temp_dir().join(format!("frostline-list-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("inner")).unwrap();
        std::fs::write(folder.join("a.js"), "one").unwrap();
        std::fs::write(folder.join("inner/b.wasm"), "two").unwrap();
        let read = || {
            list(&folder).unwrap();
            std::fs::read_to_string(folder.join(LIST)).unwrap()
        };
        let first = read();
        assert!(
            first.contains("\"a.js\",\n  \"inner/b.wasm\",\n];"),
            "{first}"
        );
        assert_eq!(first, read());
        std::fs::write(folder.join("a.js"), "three").unwrap();
        assert_ne!(first, read());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
