//! A published data set in the layout of YOLOv5, made once in the cache.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use frostline::Error;
use frostline::data::picture::has_picture_suffix;

use super::catalogue::{DataSet, Layout, List};
use super::download::Download;
use super::unpack::Unpacker;
use super::{address, beside, file_name, voc};
use crate::progress::{Progress, say};

/// Fetches and unpacks `set` unless it is there, and returns its yaml.
///
/// # Errors
/// The network or the disk fails, or an archive is not what it was.
pub fn bring(set: &DataSet, cache: &Path) -> Result<PathBuf> {
    let folder = cache.join("data").join(set.name);
    let yaml = folder.join(format!("{}.yaml", set.name));
    if yaml.is_file() {
        return Ok(yaml);
    }
    say(&format!("{}: {}", set.name, set.terms));
    let archives: Vec<PathBuf> = set
        .archives
        .iter()
        .map(|archive| {
            let path =
                cache
                    .join("archives")
                    .join(format!("{}-{}", set.name, file_name(archive.address)));
            let download = Download {
                address: address(archive.address),
                largest: archive.largest,
                stable: archive.stable,
            };
            download.to(&path, "--data").map(|()| path)
        })
        .collect::<Result<_>>()?;
    // Made aside and renamed: a set that is there is whole.
    let partial = beside(&folder, &format!(".{}.partial", std::process::id()));
    let made = make(set, &archives, &partial)
        .and_then(|()| Ok(fs::rename(&partial, &folder).map_err(Error::io(&folder))?));
    if let Err(error) = made {
        let _ = fs::remove_dir_all(&partial);
        // Another program may have been quicker.
        return if yaml.is_file() { Ok(yaml) } else { Err(error) };
    }
    for archive in &archives {
        fs::remove_file(archive).map_err(Error::io(archive))?;
    }
    Ok(yaml)
}

fn make(set: &DataSet, archives: &[PathBuf], folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(Error::io(folder))?;
    }
    let mut archives = archives
        .iter()
        .map(|path| Unpacker::open(path, set.largest_unpacked))
        .collect::<Result<Vec<_>>>()?;
    let splits = match &set.layout {
        Layout::Yolo {
            folder: name,
            splits,
        } => {
            let archive = archives.first_mut().context("an archive")?;
            unpack_yolo(archive, set.name, name, folder)?;
            splits
                .iter()
                .map(|split| (*split, *name))
                .collect::<Vec<_>>()
        }
        Layout::Voc { lists } => {
            for list in *lists {
                unpack_voc(&mut archives[list.archive], list, set.classes, folder)?;
            }
            let mut splits: Vec<_> = lists.iter().map(|list| (list.split, list.split)).collect();
            splits.dedup();
            splits
        }
    };
    let mut text = format!("# {}\n", set.terms);
    for (split, folder) in splits {
        text += &format!("{split}: images/{folder}\n");
    }
    text += "names:\n";
    for (number, class) in set.classes.iter().enumerate() {
        text += &format!("  {number}: {class}\n");
    }
    let yaml = folder.join(format!("{}.yaml", set.name));
    Ok(fs::write(&yaml, text).map_err(Error::io(&yaml))?)
}

/// Pictures of `images/NAME` and their label files.
fn unpack_yolo(archive: &mut Unpacker, set: &str, name: &str, folder: &Path) -> Result<()> {
    let images = format!("images/{name}");
    let root = archive
        .root_of(&images)
        .ok_or_else(|| lacks(set, &images))?;
    let pictures: Vec<String> = archive
        .files_in(&format!("{root}{images}"))
        .into_iter()
        .filter(|file| has_picture_suffix(Path::new(file)))
        .collect();
    let out = Out::new(folder, name)?;
    let progress = Progress::new(format!("unpacking {set}"), pictures.len());
    for file in pictures {
        let picture = archive.read(&format!("{root}{images}/{file}"))?;
        out.picture(&file, &picture.ok_or_else(|| lacks(set, &file))?)?;
        let stem = stem(&file);
        if let Some(rows) = archive.read(&format!("{root}labels/{name}/{stem}.txt"))? {
            out.labels(stem, &rows)?;
        }
        progress.inc(1);
    }
    progress.clear();
    Ok(())
}

/// Pictures of a list of Pascal VOC and their annotations as label files.
fn unpack_voc(archive: &mut Unpacker, list: &List, classes: &[&str], folder: &Path) -> Result<()> {
    let List {
        folder: year,
        list: file,
        split,
        ..
    } = *list;
    let root = archive
        .root_of(year)
        .ok_or_else(|| lacks(year, "the folder itself"))?;
    let name = format!("{root}{year}/ImageSets/Main/{file}.txt");
    let names = archive.read(&name)?.ok_or_else(|| lacks(year, &name))?;
    let names = String::from_utf8_lossy(&names).into_owned();
    let names: Vec<&str> = names.split_whitespace().collect();
    let out = Out::new(folder, split)?;
    let progress = Progress::new(format!("unpacking {year} {file}"), names.len());
    for stem in names {
        let stem = harmless(stem)?;
        let picture = format!("{root}{year}/JPEGImages/{stem}.jpg");
        let bytes = archive
            .read(&picture)?
            .ok_or_else(|| lacks(year, &picture))?;
        let annotation = format!("{root}{year}/Annotations/{stem}.xml");
        let xml = archive
            .read(&annotation)?
            .ok_or_else(|| lacks(year, &annotation))?;
        let (width, height) = image::ImageReader::new(Cursor::new(&bytes))
            .with_guessed_format()?
            .into_dimensions()
            .with_context(|| picture.clone())?;
        let rows = voc::labels(
            &String::from_utf8_lossy(&xml),
            classes,
            [width, height],
            &annotation,
        )?;
        // Both years call their pictures by numbers of their own: 000001 and 2008_000001.
        out.picture(&format!("{stem}.jpg"), &bytes)?;
        out.labels(stem, rows.as_bytes())?;
        progress.inc(1);
    }
    progress.clear();
    Ok(())
}

/// The folders of one set.
struct Out {
    images: PathBuf,
    labels: PathBuf,
}

impl Out {
    fn new(folder: &Path, name: &str) -> Result<Self> {
        let [images, labels] = ["images", "labels"].map(|kind| folder.join(kind).join(name));
        for folder in [&images, &labels] {
            fs::create_dir_all(folder).map_err(Error::io(folder))?;
        }
        Ok(Self { images, labels })
    }

    fn picture(&self, file: &str, bytes: &[u8]) -> Result<()> {
        write(&self.images.join(harmless(file)?), bytes)
    }

    fn labels(&self, stem: &str, rows: &[u8]) -> Result<()> {
        write(&self.labels.join(format!("{}.txt", harmless(stem)?)), rows)
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    Ok(fs::write(path, bytes).map_err(Error::io(path))?)
}

fn stem(file: &str) -> &str {
    file.rsplit_once('.').map_or(file, |(stem, _)| stem)
}

/// A name that is one file in one folder, whatever the archive says.
fn harmless(name: &str) -> Result<&str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.starts_with('.') || !name.chars().all(plain) {
        return Err(
            lacks("the archive", "plain names of pictures").context(format!("found {name:?}"))
        );
    }
    Ok(name)
}

fn lacks(where_: &str, what: &str) -> anyhow::Error {
    Error::input(
        where_,
        format!("no {what}"),
        "the data set as it was published",
        "What is published has changed",
    )
    .into()
}
