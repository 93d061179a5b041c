//! Files of labelled sets: read for the page, and written.

use frostline::data::Label;
use frostline::data::archive::{Given, Packed, PictureFile, open, pack};
use frostline::data::config::Split;
use frostline::{Error, Result};
use js_sys::ArrayBuffer;

use super::browser::{buffer_of, bytes_of};
use crate::messages::{LabelledPicture, OpenedPicture, OpenedSaid, Refusal, Said, Use};

/// What the files hold, and the bytes of pictures that are none of them.
///
/// # Errors
/// When a file has no bytes.
pub fn opened(
    files: Vec<String>,
    classes: &[String],
    buffers: &[ArrayBuffer],
) -> Result<(Said, Vec<ArrayBuffer>)> {
    if files.len() != buffers.len() {
        return Err(Error::input(
            "a message to the engine",
            format!("{} files", buffers.len()),
            format!("one for each of {} names", files.len()),
            "",
        ));
    }
    let given: Vec<Given> = (files.into_iter().zip(buffers))
        .map(|(path, buffer)| Given {
            path,
            read: Box::new(|| Ok(bytes_of(buffer))),
        })
        .collect();
    // They leave the engine's memory at once: a set may be larger than it.
    let found = open(&given, classes, |bytes| buffer_of(&bytes));
    let mut buffers = Vec::new();
    let mut pictures = Vec::with_capacity(found.pictures.len());
    for picture in found.pictures {
        let given = match picture.file {
            PictureFile::Given(index) => Some(index),
            PictureFile::Here(buffer) => {
                buffers.push(buffer);
                None
            }
        };
        pictures.push(OpenedPicture {
            name: picture.name,
            size: picture.size.map(|side| side as u32),
            boxes: picture
                .boxes
                .iter()
                .map(|label| (label.class, label.cxcywh))
                .collect(),
            split: picture.split.map(|split| match split {
                Split::Val => Use::Val,
                Split::Train | Split::Test => Use::Train,
            }),
            given,
        });
    }
    let said = OpenedSaid {
        classes: found.classes,
        pictures,
        refused: found.refused.into_iter().map(Refusal::from).collect(),
    };
    Ok((Said::Opened(said), buffers))
}

/// A YOLO zip of the pictures.
///
/// # Errors
/// When a picture has no bytes.
pub fn packed(
    classes: &[String],
    pictures: Vec<LabelledPicture>,
    buffers: &[ArrayBuffer],
) -> Result<Vec<u8>> {
    let pictures: Vec<Packed> = (pictures.into_iter())
        .map(|picture| Packed {
            name: picture.name,
            split: match picture.split {
                Use::Train => Split::Train,
                Use::Val => Split::Val,
            },
            boxes: picture
                .boxes
                .into_iter()
                .map(|(class, cxcywh)| Label { class, cxcywh })
                .collect(),
        })
        .collect();
    let read = |index: usize| {
        let buffer = buffers.get(index);
        let name = || pictures.get(index).map_or("", |picture| &picture.name);
        buffer
            .map(bytes_of)
            .ok_or_else(|| Error::input(name(), "no bytes", "its file", ""))
    };
    pack(classes, &pictures, read)
}
