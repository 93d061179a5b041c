//! Labelled pictures from whatever a person has at hand: picture files, label files, a data yaml, a list of class names,
//! or a zip of all that; and the way back into a zip. Everything lies in memory: nothing of a path in an archive is
//! ever used as a path of the machine.
//!
//! Files that belong together are a *folder*: the files of a zip are one, those given beside it are another. Each has
//! its own class names, which are brought together by name.

mod classes;
mod folder;
mod pack;
mod splits;
#[cfg(test)]
mod tests;
mod unzip;

use std::io::Cursor;
use std::path::Path;

use image::ImageFormat;

use self::classes::Classes;
use self::folder::{Folder, Found};
use self::unzip::Zip;
use super::config::Split;
use super::{Label, picture};
use crate::{Error, Result};

pub use self::pack::{Packed, pack};

/// So many problems are told one by one; the rest is counted.
const MAX_TOLD: usize = 200;

/// A file that was given.
pub struct Given<'a> {
    /// Its path within what was given, with `/`; its name where it was given alone.
    pub path: String,
    /// Reads it. It is called when the file is wanted, and once.
    pub read: Box<dyn Fn() -> Result<Vec<u8>> + 'a>,
}

impl std::fmt::Debug for Given<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Given").field(&self.path).finish()
    }
}

/// Where the file of a picture is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PictureFile<B> {
    /// The given file of this index, as it is.
    Given(usize),
    /// Here: it came out of an archive, or was brought into a format that browsers show.
    Here(B),
}

/// A picture that was found, with its boxes.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenedPicture<B> {
    /// Its file name, without folders. Pictures of different folders may share one.
    pub name: String,
    /// What it is for, when the folder said so. Never [`Split::Test`].
    pub split: Option<Split>,
    /// Its upright size `[w, h]` in pixels.
    pub size: [usize; 2],
    /// Its boxes; class indices are those of [`Opened::classes`].
    pub boxes: Vec<Label>,
    /// Its file.
    pub file: PictureFile<B>,
}

/// What was found in files.
#[derive(Debug)]
pub struct Opened<B> {
    /// Class names: those that were known, in their order, and new ones after them.
    pub classes: Vec<String>,
    /// The pictures, in the order of their paths, folder by folder.
    pub pictures: Vec<OpenedPicture<B>>,
    /// What was left out, and why. The rest went in.
    pub refused: Vec<Error>,
}

/// Reads everything that `given` has of a labelled set. `known` are class names that there are already: label files
/// without names of their own mean these. `keep` takes the bytes of a picture whose file is not a given one, one after
/// the other.
pub fn open<B>(given: &[Given], known: &[String], mut keep: impl FnMut(Vec<u8>) -> B) -> Opened<B> {
    let (mut pictures, mut refused) = (Vec::new(), Vec::new());
    let (mut zips, mut loose) = (Vec::new(), Vec::new());
    for (index, file) in given.iter().enumerate() {
        match tidy(&file.path) {
            Ok(Some(path)) if has_suffix(&path, &["zip"]) => zips.push((path, index)),
            Ok(Some(path)) => loose.push((path, index)),
            Ok(None) => {}
            Err(error) => refused.push(error),
        }
    }
    let mut add = |found: Found, given: Option<usize>| {
        let (name, shown) = in_shown_format(found.name, &found.bytes)?;
        pictures.push(OpenedPicture {
            name,
            split: found.split,
            size: found.size,
            boxes: found.boxes,
            file: match (shown, given) {
                (Some(bytes), _) => PictureFile::Here(keep(bytes)),
                (None, None) => PictureFile::Here(keep(found.bytes)),
                (None, Some(index)) => PictureFile::Given(index),
            },
        });
        Ok(())
    };
    let mut classes = Classes::new(known);
    let mut unpack_left = unzip::MAX_UNPACKED_BYTES;
    for (path, index) in zips {
        let archive = (given[index].read)();
        let mut zip = match archive.and_then(|bytes| Zip::open(bytes, &path, &mut unpack_left)) {
            Ok(zip) => zip,
            Err(error) => {
                refused.push(error);
                continue;
            }
        };
        refused.append(&mut zip.refused);
        let files = std::mem::take(&mut zip.files);
        let folder = Folder::new(Some(path), files, &mut refused);
        folder.open(
            &mut |index| zip.read(index),
            &mut classes,
            &mut refused,
            &mut |found| add(found, None),
        );
    }
    let folder = Folder::new(None, loose, &mut refused);
    folder.open(
        &mut |index| (given[index].read)(),
        &mut classes,
        &mut refused,
        &mut |found| {
            let index = found.index;
            add(found, Some(index))
        },
    );
    if refused.len() > MAX_TOLD {
        let more = refused.split_off(MAX_TOLD).len();
        refused.push(Error::input(
            "the files",
            format!("{more} more problems"),
            "files without problems",
            "Mend those above first",
        ));
    }
    Opened {
        classes: classes.into_names(),
        pictures,
        refused,
    }
}

/// `path` with `/` between its parts and without what means nothing; none for what no set means: hidden files, and what
/// systems leave behind.
///
/// # Errors
/// A path that leads out of its folder.
fn tidy(path: &str) -> Result<Option<String>> {
    let whole = path.replace('\\', "/");
    let drive = whole.as_bytes().get(1) == Some(&b':');
    if whole.starts_with('/')
        || drive
        || whole.contains('\0')
        || whole.split('/').any(|p| p == "..")
    {
        return Err(Error::input(
            path.escape_debug(),
            "a path that leads out of its folder",
            "a path within it",
            "Pack the files anew",
        ));
    }
    let parts: Vec<_> = whole
        .split('/')
        .filter(|p| !matches!(*p, "" | "."))
        .collect();
    let junk = |part: &&str| part.starts_with('.') || *part == "__MACOSX";
    Ok((!parts.is_empty() && !parts.iter().any(junk)).then(|| parts.join("/")))
}

fn has_suffix(path: &str, suffixes: &[&str]) -> bool {
    let suffix = Path::new(path)
        .extension()
        .and_then(|suffix| suffix.to_str());
    suffix.is_some_and(|suffix| suffixes.iter().any(|s| suffix.eq_ignore_ascii_case(s)))
}

/// A TIFF as PNG, which browsers show, and its new name; anything else stays.
fn in_shown_format(name: String, bytes: &[u8]) -> Result<(String, Option<Vec<u8>>)> {
    if !matches!(image::guess_format(bytes), Ok(ImageFormat::Tiff)) {
        return Ok((name, None));
    }
    let image = picture::decode(bytes, &name)?;
    let mut png = Vec::new();
    let written = image.write_to(&mut Cursor::new(&mut png), ImageFormat::Png);
    written.map_err(|e| Error::input(&name, e, "a picture that can be written as PNG", ""))?;
    let stem = Path::new(&name).file_stem().unwrap_or_default();
    Ok((format!("{}.png", stem.display()), Some(png)))
}
