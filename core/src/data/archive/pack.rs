//! A labelled set as a zip, which `frostline train --data` takes once it is unpacked.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use std::path::Path;

use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::data::Label;
use crate::data::config::Split;
use crate::data::picture::{self, has_picture_suffix};
use crate::{Error, Result};

/// A picture to pack.
#[derive(Debug, Clone, PartialEq)]
pub struct Packed {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub split: Split,
    /// Its boxes.
    pub boxes: Vec<Label>,
}

/// A YOLO zip: `data.yaml`, `images/{train,val}`, `labels/{train,val}`. `read` gives the file of each picture by its index.
/// Characters that a file system may refuse become `_` in names; two pictures of one name and split get numbers.
///
/// # Errors
/// A file that `read` does not give.
pub fn pack(
    classes: &[String],
    pictures: &[Packed],
    mut read: impl FnMut(usize) -> Result<Vec<u8>>,
) -> Result<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let wrong = |error: &dyn std::fmt::Display| {
        Error::input("the zip", error, "a zip that can be written", "")
    };
    // Pictures are compressed already.
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let deflated = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    let mut put = |path: &str, bytes: &[u8], options| {
        zip.start_file(path, options).map_err(|e| wrong(&e))?;
        zip.write_all(bytes).map_err(|e| wrong(&e))
    };
    put("data.yaml", yaml(classes).as_bytes(), deflated)?;
    let mut taken = HashSet::new();
    for (index, packed) in pictures.iter().enumerate() {
        let bytes = read(index)?;
        let split = packed.split.name();
        let name = free_name(&packed.name, &bytes, |stem| {
            taken.insert((packed.split, stem.to_lowercase()))
        });
        put(&format!("images/{split}/{name}"), &bytes, stored)?;
        let stem = Path::new(&name).with_extension("txt");
        let path = format!("labels/{split}/{}", stem.display());
        put(&path, rows(&packed.boxes).as_bytes(), deflated)?;
    }
    let packed = zip.finish().map_err(|e| wrong(&e))?;
    Ok(packed.into_inner())
}

fn yaml(classes: &[String]) -> String {
    let mut yaml = "path: .\ntrain: images/train\nval: images/val\nnames:".to_owned();
    if classes.is_empty() {
        yaml.push_str(" []");
    }
    for (index, name) in classes.iter().enumerate() {
        // A JSON string is a yaml one.
        let _ = write!(
            yaml,
            "\n  {index}: {}",
            serde_json::Value::from(name.as_str())
        );
    }
    yaml.push('\n');
    yaml
}

fn rows(boxes: &[Label]) -> String {
    let mut rows = String::new();
    for Label {
        class,
        cxcywh: [cx, cy, w, h],
    } in boxes
    {
        // Each number in the shortest form that reads back as the same one.
        let _ = writeln!(rows, "{class} {cx} {cy} {w} {h}");
    }
    rows
}

/// A file name that any system takes, whose stem `take` takes as new.
fn free_name(name: &str, bytes: &[u8], mut take: impl FnMut(&str) -> bool) -> String {
    let forbidden = |c: char| c.is_control() || "/\\:*?\"<>|".contains(c);
    let name = name.replace(forbidden, "_");
    let path = Path::new(&name);
    let (stem, suffix) = if has_picture_suffix(path) {
        let suffix = path.extension().unwrap_or_default().to_string_lossy();
        (&name[..name.len() - suffix.len() - 1], suffix.into_owned())
    } else {
        (name.as_str(), picture::suffix_of(bytes).to_owned())
    };
    let stem = stem.trim_matches(['.', ' ']);
    let stem = if stem.is_empty() { "picture" } else { stem };
    let mut free = stem.to_owned();
    let mut number = 2;
    while !take(&free) {
        free = format!("{stem}-{number}");
        number += 1;
    }
    format!("{free}.{suffix}")
}
