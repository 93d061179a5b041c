//! The files of one folder: which are pictures, which are their labels, what the classes are called.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::classes::Classes;
use super::has_suffix;
use super::splits::Splits;
use crate::data::Label;
use crate::data::config::{DataConfig, Split};
use crate::data::labels::{self, LabelFile};
use crate::data::picture::{self, SUFFIXES};
use crate::data::problem::ProblemKind;
use crate::{Error, Result};

/// Class indices of a folder without names go up to this.
const MAX_UNNAMED_CLASSES: usize = 1000;
/// Pictures of formats that the library does not read, so that nobody misses them silently.
const OTHER_PICTURES: [&str; 8] = ["avif", "cr2", "dng", "gif", "heic", "heif", "jxl", "svg"];
/// Files that list class names, one a line.
const NAME_FILES: [&str; 2] = ["classes.txt", "predefined_classes.txt"];

/// A picture as it was found.
pub(super) struct Found {
    pub(super) name: String,
    /// Index of its file.
    pub(super) index: usize,
    pub(super) bytes: Vec<u8>,
    pub(super) split: Option<Split>,
    /// Upright, `[w, h]` in pixels.
    pub(super) size: [usize; 2],
    pub(super) boxes: Vec<Label>,
}

/// A file: its path, and its index for whoever reads it.
type File = (String, usize);
/// Reads the file of an index.
type Read<'a> = &'a mut dyn FnMut(usize) -> Result<Vec<u8>>;

/// Files that belong together, sorted by what they are for.
pub(super) struct Folder {
    /// The archive that they are in, for errors.
    archive: Option<String>,
    pictures: Vec<File>,
    texts: Vec<File>,
    yamls: Vec<File>,
    names: Vec<File>,
}

/// A text file: path and content.
type Text = (String, Vec<u8>);

impl Folder {
    /// Sorts files. What a person may have meant as part of the set, and is none, goes into `refused`.
    pub(super) fn new(
        archive: Option<String>,
        mut files: Vec<File>,
        refused: &mut Vec<Error>,
    ) -> Self {
        files.sort();
        let mut folder = Self {
            archive,
            pictures: Vec::new(),
            texts: Vec::new(),
            yamls: Vec::new(),
            names: Vec::new(),
        };
        for file in files {
            let path = &file.0;
            let name = path.rsplit('/').next().unwrap_or(path);
            let alone = folder.archive.is_none() && !path.contains('/');
            if has_suffix(path, &SUFFIXES) {
                folder.pictures.push(file);
            } else if has_suffix(path, &["yaml", "yml"]) {
                folder.yamls.push(file);
            } else if has_suffix(path, &["names"]) || NAME_FILES.contains(&name) {
                folder.names.push(file);
            } else if has_suffix(path, &["txt"]) {
                if !name.to_ascii_lowercase().starts_with("readme") {
                    folder.texts.push(file);
                }
            } else if alone || has_suffix(path, &OTHER_PICTURES) || has_suffix(path, &["zip"]) {
                refused.push(Error::input(
                    folder.place(path),
                    "a file of another kind",
                    "a bmp, jpeg, png, tiff or webp picture, a label file (.txt), a data yaml or a zip of these",
                    "Leave it out, or save it in one of these formats",
                ));
            }
        }
        folder
    }

    fn place(&self, path: &str) -> String {
        match &self.archive {
            Some(archive) => format!("{archive}, {path}"),
            None => path.to_owned(),
        }
    }

    /// Hands every good picture to `add`; what is wrong with the others goes into `refused`.
    pub(super) fn open(
        self,
        read: Read,
        classes: &mut Classes,
        refused: &mut Vec<Error>,
        add: &mut dyn FnMut(Found) -> Result<()>,
    ) {
        let mut texts = self.read_all(&self.texts, read, refused);
        let lists: Vec<Text> = texts.extract_if(.., |(_, bytes)| is_list(bytes)).collect();
        let lists: Vec<_> = lists
            .iter()
            .map(|(path, bytes)| (path, String::from_utf8_lossy(bytes)))
            .collect();
        let lists: Vec<_> = lists
            .iter()
            .map(|(path, text)| (path.as_str(), &**text))
            .collect();
        let mut splits = Splits::default();
        let names = match self.config(read, refused) {
            Some(config) => {
                splits.take_yaml(&config, &lists);
                Some(config.names)
            }
            None => {
                splits.take_named_lists(&lists);
                self.name_list(read, refused)
            }
        };
        if let (Some(names), true) = (&names, self.pictures.is_empty() && texts.is_empty()) {
            classes.name_numbers(names);
            return;
        }
        let indices = names.as_ref().map(|names| {
            let indices = names.iter().map(|name| classes.index_of(name));
            indices.collect::<Vec<_>>()
        });
        let nc = indices.as_ref().map_or(MAX_UNNAMED_CLASSES, Vec::len);
        let of_picture = self.match_labels(&texts, refused);
        let uses: Vec<_> = self
            .pictures
            .iter()
            .map(|(path, _)| splits.of(path))
            .collect();
        // Pictures for a test are the next best to validate on; beside others they have no place here.
        let has_val = uses.contains(&Some(Split::Val));
        let mut left_out = 0;
        for (number, (path, index)) in self.pictures.iter().enumerate() {
            let split = match uses[number] {
                Some(Split::Test) if has_val => {
                    left_out += 1;
                    continue;
                }
                Some(Split::Test) => Some(Split::Val),
                split => split,
            };
            let bytes = match read(*index) {
                Ok(bytes) => bytes,
                Err(error) => {
                    refused.push(error);
                    continue;
                }
            };
            let size = match picture::inspect(&bytes, self.place(path)) {
                Ok(size) => size,
                Err(error) => {
                    refused.push(error);
                    continue;
                }
            };
            let mut boxes = Vec::new();
            if let Some(text) = of_picture[number] {
                let (path, bytes) = &texts[text];
                let file = labels::parse(bytes, Path::new(&self.place(path)), nc);
                tell(&file, refused);
                boxes = file.labels;
            }
            for label in &mut boxes {
                label.class = match &indices {
                    Some(indices) => indices[label.class],
                    None => classes.unnamed(label.class),
                };
            }
            let name = path.rsplit('/').next().unwrap_or(path).to_owned();
            let added = add(Found {
                name,
                index: *index,
                bytes,
                split,
                size,
                boxes,
            });
            refused.extend(added.err());
        }
        if left_out > 0 {
            refused.push(Error::input(
                self.archive.as_deref().unwrap_or("the files"),
                format!("{left_out} pictures of a test set"),
                "pictures to learn from and pictures to validate on",
                "They were left out; name their folder val to take them",
            ));
        }
    }

    fn read_all(&self, files: &[File], read: Read, refused: &mut Vec<Error>) -> Vec<Text> {
        let mut texts = Vec::new();
        for (path, index) in files {
            match read(*index) {
                Ok(bytes) => texts.push((path.clone(), bytes)),
                Err(error) => refused.push(error),
            }
        }
        texts
    }

    /// The first data yaml that can be read. What is wrong with others is told only when there is none.
    fn config(&self, read: Read, refused: &mut Vec<Error>) -> Option<DataConfig> {
        let mut wrong = Vec::new();
        for (path, bytes) in self.read_all(&self.yamls, read, refused) {
            let text = String::from_utf8_lossy(&bytes);
            let text = text.trim_start_matches('\u{feff}');
            match DataConfig::parse(text, Path::new(&self.place(&path))) {
                Ok(config) => return Some(config),
                Err(error) => wrong.push(error),
            }
        }
        refused.append(&mut wrong);
        None
    }

    fn name_list(&self, read: Read, refused: &mut Vec<Error>) -> Option<Vec<String>> {
        let texts = self.read_all(&self.names, read, refused);
        let (_, bytes) = texts.first()?;
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_start_matches('\u{feff}').trim_end();
        let names: Vec<_> = text.lines().map(|line| line.trim().to_owned()).collect();
        (!names.is_empty()).then_some(names)
    }

    /// For each picture the index of its label file: where a folder of a set has it, beside the picture, or the only one
    /// of its stem. Label files that belong to nothing are told.
    fn match_labels(&self, texts: &[Text], refused: &mut Vec<Error>) -> Vec<Option<usize>> {
        let by_path: HashMap<_, _> = texts
            .iter()
            .enumerate()
            .map(|(i, (path, _))| (PathBuf::from(path), i))
            .collect();
        let mut used = HashSet::new();
        let mut found: Vec<_> = self
            .pictures
            .iter()
            .map(|(path, _)| {
                let path = Path::new(path);
                let beside = || by_path.get(&path.with_extension("txt"));
                let text = by_path
                    .get(&labels::label_path(path))
                    .or_else(beside)
                    .copied();
                used.extend(text);
                text
            })
            .collect();
        let alone = |paths: Vec<(usize, &String)>| {
            let mut stems: HashMap<String, Vec<usize>> = HashMap::new();
            for (index, path) in paths {
                stems.entry(stem(path)).or_default().push(index);
            }
            stems.retain(|_, indices| indices.len() == 1);
            stems
        };
        let free = texts.iter().enumerate().filter(|(i, _)| !used.contains(i));
        let free = alone(free.map(|(i, (path, _))| (i, path)).collect());
        let bare = self
            .pictures
            .iter()
            .enumerate()
            .filter(|(i, _)| found[*i].is_none());
        let bare = alone(bare.map(|(i, (path, _))| (i, path)).collect());
        for (stem, picture) in bare {
            if let Some(text) = free.get(&stem) {
                found[picture[0]] = Some(text[0]);
                used.insert(text[0]);
            }
        }
        for (index, (path, _)) in texts.iter().enumerate() {
            if !used.contains(&index) {
                refused.push(Error::input(
                    self.place(path),
                    "labels without their picture",
                    "a picture of the same name",
                    "Add both together",
                ));
            }
        }
        found
    }
}

/// What is wrong with rows of a label file; the others stay. A row that stands twice loses nothing.
fn tell(file: &LabelFile, refused: &mut Vec<Error>) {
    for problem in &file.problems {
        if problem.kind == ProblemKind::DuplicateRow {
            continue;
        }
        let place = match problem.line {
            Some(line) => format!("{}:{line}", problem.path.display()),
            None => problem.path.display().to_string(),
        };
        let reason = problem
            .reason
            .strip_prefix("found ")
            .unwrap_or(&problem.reason);
        let (found, expected) = reason
            .split_once(", expected ")
            .unwrap_or((reason, "a box"));
        refused.push(Error::input(place, found, expected, "The row was left out"));
    }
}

/// Whether a text file lists pictures: its first row names one.
fn is_list(bytes: &[u8]) -> bool {
    let text = bytes.trim_ascii_start();
    let row = text.split(|&byte| byte == b'\n').next().unwrap_or(text);
    std::str::from_utf8(row).is_ok_and(|row| has_suffix(row.trim_end(), &SUFFIXES))
}

fn stem(path: &str) -> String {
    let stem = Path::new(path).file_stem().unwrap_or(OsStr::new(path));
    stem.to_string_lossy().into_owned()
}
