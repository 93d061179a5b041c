//! From files to the set and back, through the engine.

use leptos::prelude::*;
use web_sys::Blob;

use super::incoming::Incoming;
use crate::dataset::{LabelBox, NewPicture};
use crate::messages::{Ask, OpenedSaid, Refusal, Said};
use crate::page::browser::file_of;
use crate::page::lab::{Lab, SHIPPED_PICTURES, bytes};
use crate::page::link::unexpected;

impl Lab {
    /// Takes files in: pictures, labels, a data yaml, zips. Returns the ids of the pictures and what was left out.
    ///
    /// # Errors
    /// When nothing can be read at all.
    pub async fn open_files(
        self,
        files: Vec<Incoming>,
    ) -> Result<(Vec<u32>, Vec<Refusal>), Refusal> {
        self.engine.start(self.state.device.get_untracked());
        let mut buffers = Vec::with_capacity(files.len());
        for (_, file) in &files {
            buffers.push(bytes(file).await?);
        }
        let ask = Ask::Open {
            files: files.iter().map(|(path, _)| path.clone()).collect(),
            classes: self.pictures.set.read_untracked().classes().to_vec(),
        };
        let (said, found) = self.engine.ask(ask, buffers).await?;
        let Said::Opened(OpenedSaid {
            classes,
            pictures,
            refused,
        }) = said
        else {
            return Err(unexpected(&said));
        };
        let mut found = found.into_iter();
        let (mut taken, mut news) = (Vec::new(), Vec::new());
        for picture in pictures {
            let file = match picture.given {
                Some(index) => files.get(index).map(|(_, file)| file.clone()),
                None => found
                    .next()
                    .and_then(|buffer| file_of(&buffer, kind(&picture.name))),
            };
            let Some(file) = file else { continue };
            taken.push(file);
            let boxes = picture.boxes.into_iter();
            news.push(NewPicture {
                name: picture.name,
                split: picture.split,
                size: picture.size,
                boxes: boxes
                    .map(|(class, cxcywh)| LabelBox { class, cxcywh })
                    .collect(),
            });
        }
        let ids = self.pictures.add(taken, |set| set.add(&classes, news));
        Ok((ids, refused))
    }

    /// Takes the shipped pictures in.
    ///
    /// # Errors
    /// When they cannot be loaded.
    pub async fn open_shipped(self) -> Result<(Vec<u32>, Vec<Refusal>), Refusal> {
        let file = self.shipped_pictures().await?;
        let name = SHIPPED_PICTURES
            .rsplit('/')
            .next()
            .unwrap_or(SHIPPED_PICTURES);
        self.open_files(vec![(name.to_owned(), file)]).await
    }

    /// The set as a YOLO zip, with a name for it.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub async fn pack_pictures(self) -> Result<(String, Blob), Refusal> {
        self.engine.start(self.state.device.get_untracked());
        let (classes, pictures, files) = self.pictures.told().await?;
        match self
            .engine
            .ask(Ask::Pack { classes, pictures }, files)
            .await?
        {
            (Said::Packed { name }, found) => {
                let file = found
                    .first()
                    .and_then(|buffer| file_of(buffer, "application/zip"));
                let file = file.ok_or_else(|| unexpected(&Said::Fine))?;
                Ok((name, file))
            }
            (said, _) => Err(unexpected(&said)),
        }
    }
}

fn kind(name: &str) -> &'static str {
    let ending = name
        .rsplit('.')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    match &*ending {
        "png" => "image/png",
        "webp" => "image/webp",
        "bmp" => "image/bmp",
        _ => "image/jpeg",
    }
}
