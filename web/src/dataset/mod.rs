//! A labelled set of pictures as the page knows it: what a person does to it, undone and done again. The files lie elsewhere.

mod boxes;
mod history;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

pub use self::boxes::LabelBox;
use self::history::{Change, History};
use crate::messages::{LabelledPicture, Use};

/// Every fourth picture is validated on, unless it was said otherwise.
const VAL_SHARE: usize = 4;
/// Most letters of a class name.
const NAME_LETTERS: usize = 60;

/// A picture with its boxes: one record of what the browser keeps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    /// Never used twice in a set.
    pub id: u32,
    /// Its file's name, unique among those of its use.
    pub name: String,
    /// What it is for.
    pub split: Use,
    /// Upright size `[w, h]` in pixels.
    pub size: [u32; 2],
    /// What is on it.
    pub boxes: Vec<LabelBox>,
}

/// A picture that comes in.
#[derive(Debug, Clone, PartialEq)]
pub struct NewPicture {
    /// Its file's name.
    pub name: String,
    /// What it is for, where that is known.
    pub split: Option<Use>,
    /// Upright size `[w, h]` in pixels.
    pub size: [u32; 2],
    /// Boxes with classes of the set that it comes from.
    pub boxes: Vec<LabelBox>,
}

/// What a change touched: what has to be kept anew.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Touched {
    /// Pictures by id; those that are gone as well.
    pub pictures: Vec<u32>,
    /// Whether the classes changed.
    pub classes: bool,
}

/// Why a class name is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrongName {
    /// It has no letters.
    Empty,
    /// It has more than 60 letters.
    Long,
    /// There is such a class.
    Taken,
}

/// How often something is there, in pictures for training and for validation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Among pictures that are learnt from.
    pub train: usize,
    /// Among pictures that are validated on.
    pub val: usize,
}

/// The set.
#[derive(Debug, Clone, Default)]
pub struct DataSet {
    classes: Vec<String>,
    pictures: BTreeMap<u32, Picture>,
    next: u32,
    history: History,
}

impl DataSet {
    /// A set as it was kept. Boxes of classes that are not there are left out.
    pub fn new(classes: Vec<String>, pictures: Vec<Picture>) -> Self {
        let next = pictures.iter().map(|picture| picture.id + 1).max();
        let known = classes.len();
        let kept = pictures.into_iter().map(|mut picture| {
            picture.boxes.retain(|found| found.class < known);
            (picture.id, picture)
        });
        Self {
            classes,
            pictures: kept.collect(),
            next: next.unwrap_or(0),
            history: History::default(),
        }
    }

    /// Class names by index.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The pictures in the order in which they came.
    pub fn pictures(&self) -> impl DoubleEndedIterator<Item = &Picture> + ExactSizeIterator {
        self.pictures.values()
    }

    /// A picture.
    pub fn picture(&self, id: u32) -> Option<&Picture> {
        self.pictures.get(&id)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.pictures.is_empty()
    }

    /// Pictures per use.
    pub fn count(&self) -> Count {
        count(self.pictures().map(|picture| picture.split))
    }

    /// Boxes per class.
    pub fn boxes_by_class(&self) -> Vec<Count> {
        let of = |class| {
            let splits = self.pictures().flat_map(move |picture| {
                let boxes = picture
                    .boxes
                    .iter()
                    .filter(move |found| found.class == class);
                boxes.map(|_| picture.split)
            });
            count(splits)
        };
        (0..self.classes.len()).map(of).collect()
    }

    /// Takes pictures in with the classes of the set that they come from; returns their ids. Classes are joined by name, names
    /// that are taken get a number, and every fourth picture of an unknown use is validated on.
    pub fn add(&mut self, classes: &[String], pictures: Vec<NewPicture>) -> (Vec<u32>, Touched) {
        let mut joined = self.classes.clone();
        let mut of = Vec::new();
        for name in classes {
            let place = joined.iter().position(|known| known == name);
            of.push(place.unwrap_or_else(|| {
                joined.push(name.clone());
                joined.len() - 1
            }));
        }
        let mut names = Names::of(self.pictures());
        let Count { train, mut val } = self.count();
        let mut all = train + val;
        let mut change = Change::default();
        let mut ids = Vec::new();
        for new in pictures {
            all += 1;
            let split = new.split.unwrap_or(if (val + 1) * VAL_SHARE <= all {
                Use::Val
            } else {
                Use::Train
            });
            val += usize::from(split == Use::Val);
            let name = names.take(split, &new.name);
            let boxes = new.boxes.into_iter();
            let boxes = boxes.filter_map(|found| {
                Some(LabelBox {
                    class: *of.get(found.class)?,
                    ..found
                })
            });
            let id = self.next;
            self.next += 1;
            ids.push(id);
            change.set(
                id,
                None,
                Some(Picture {
                    id,
                    name,
                    split,
                    size: new.size,
                    boxes: boxes.collect(),
                }),
            );
        }
        change.classes = (joined != self.classes).then(|| (self.classes.clone(), joined));
        (ids, self.apply(change))
    }

    /// Takes pictures out.
    pub fn remove(&mut self, ids: &[u32]) -> Touched {
        let mut change = Change::default();
        for id in ids {
            change.set(*id, self.pictures.get(id).cloned(), None);
        }
        self.apply(change)
    }

    /// Takes everything out, the classes too.
    pub fn clear(&mut self) -> Touched {
        let mut change = Change::default();
        for (id, picture) in &self.pictures {
            change.set(*id, Some(picture.clone()), None);
        }
        change.classes = (!self.classes.is_empty()).then(|| (self.classes.clone(), Vec::new()));
        self.apply(change)
    }

    /// Says what pictures are for. One whose name is taken there gets a number.
    pub fn set_split(&mut self, ids: &[u32], split: Use) -> Touched {
        let others = self.pictures().filter(|picture| !ids.contains(&picture.id));
        let mut names = Names::of(others);
        let mut change = Change::default();
        for id in ids {
            if let Some(before) = self.pictures.get(id) {
                let name = names.take(split, &before.name);
                let after = Picture {
                    name,
                    split,
                    ..before.clone()
                };
                change.set(*id, Some(before.clone()), Some(after));
            }
        }
        self.apply(change)
    }

    /// Divides all pictures anew: every fourth by name is validated on.
    pub fn divide(&mut self) -> Touched {
        let mut order: Vec<&Picture> = self.pictures().collect();
        order.sort_unstable_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        let mut names = Names::default();
        let mut change = Change::default();
        for (place, before) in order.into_iter().enumerate() {
            let split = if place % VAL_SHARE == VAL_SHARE - 1 {
                Use::Val
            } else {
                Use::Train
            };
            let name = names.take(split, &before.name);
            let after = Picture {
                name,
                split,
                ..before.clone()
            };
            change.set(before.id, Some(before.clone()), Some(after));
        }
        self.apply(change)
    }

    /// Changes the boxes of a picture. Changes of the same `run` are undone together: the steps of one key that is held.
    pub fn edit(
        &mut self,
        id: u32,
        run: Option<u32>,
        edit: impl FnOnce(&mut Vec<LabelBox>),
    ) -> Touched {
        let Some(before) = self.pictures.get(&id).cloned() else {
            return Touched::default();
        };
        let mut after = before.clone();
        edit(&mut after.boxes);
        let known = self.classes.len();
        after
            .boxes
            .retain(|found| found.class < known && found.is_box());
        let mut change = Change {
            run,
            ..Change::default()
        };
        change.set(id, Some(before), Some(after));
        self.apply(change)
    }

    /// A new class; returns its index.
    ///
    /// # Errors
    /// Why the name cannot be taken.
    pub fn add_class(&mut self, name: &str) -> Result<(usize, Touched), WrongName> {
        let name = self.class_name(name, None)?;
        let mut classes = self.classes.clone();
        classes.push(name);
        let touched = self.set_classes(classes, Some);
        Ok((self.classes.len() - 1, touched))
    }

    /// Another name for a class.
    ///
    /// # Errors
    /// Why the name cannot be taken.
    pub fn rename_class(&mut self, class: usize, name: &str) -> Result<Touched, WrongName> {
        let name = self.class_name(name, Some(class))?;
        let mut classes = self.classes.clone();
        if let Some(known) = classes.get_mut(class) {
            *known = name;
        }
        Ok(self.set_classes(classes, Some))
    }

    /// Takes a class out, with its boxes.
    pub fn remove_class(&mut self, class: usize) -> Touched {
        let mut classes = self.classes.clone();
        if class < classes.len() {
            classes.remove(class);
        }
        self.set_classes(classes, move |found| match found.cmp(&class) {
            std::cmp::Ordering::Less => Some(found),
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Greater => Some(found - 1),
        })
    }

    /// Whether there is something to undo, and something to do again.
    pub fn can(&self) -> (bool, bool) {
        self.history.can()
    }

    /// Takes the last change back.
    pub fn undo(&mut self) -> Touched {
        let change = self.history.undo();
        change
            .map(|change| self.put(&change.reversed()))
            .unwrap_or_default()
    }

    /// Does what was taken back again.
    pub fn redo(&mut self) -> Touched {
        let change = self.history.redo();
        change.map(|change| self.put(&change)).unwrap_or_default()
    }

    /// The pictures as the engine takes them, with their ids: in their order.
    pub fn ask(&self) -> (Vec<u32>, Vec<LabelledPicture>) {
        let told = self.pictures().map(|picture| {
            let boxes = picture
                .boxes
                .iter()
                .map(|found| (found.class, found.cxcywh));
            let told = LabelledPicture {
                name: picture.name.clone(),
                boxes: boxes.collect(),
                split: picture.split,
            };
            (picture.id, told)
        });
        told.unzip()
    }

    fn class_name(&self, name: &str, but: Option<usize>) -> Result<String, WrongName> {
        let name = name.trim();
        let taken = self.classes.iter().enumerate();
        let taken = taken
            .into_iter()
            .any(|(class, known)| Some(class) != but && known == name);
        match name.chars().count() {
            0 => Err(WrongName::Empty),
            count if count > NAME_LETTERS => Err(WrongName::Long),
            _ if taken => Err(WrongName::Taken),
            _ => Ok(name.to_owned()),
        }
    }

    /// Other classes; `now` says which a box's class becomes, or that the box goes.
    fn set_classes(
        &mut self,
        classes: Vec<String>,
        now: impl Fn(usize) -> Option<usize>,
    ) -> Touched {
        let mut change = Change::default();
        for (id, before) in &self.pictures {
            let boxes = before.boxes.iter();
            let boxes = boxes.filter_map(|found| {
                Some(LabelBox {
                    class: now(found.class)?,
                    ..*found
                })
            });
            let after = Picture {
                boxes: boxes.collect(),
                ..before.clone()
            };
            if after != *before {
                change.set(*id, Some(before.clone()), Some(after));
            }
        }
        change.classes = Some((self.classes.clone(), classes));
        self.apply(change)
    }

    fn apply(&mut self, change: Change) -> Touched {
        if change.is_nothing() {
            return Touched::default();
        }
        let touched = self.put(&change);
        self.history.push(change);
        touched
    }

    fn put(&mut self, change: &Change) -> Touched {
        for (id, _, after) in &change.pictures {
            match after {
                Some(picture) => self.pictures.insert(*id, picture.clone()),
                None => self.pictures.remove(id),
            };
        }
        if let Some((_, classes)) = &change.classes {
            self.classes.clone_from(classes);
        }
        Touched {
            pictures: change.pictures.iter().map(|(id, ..)| *id).collect(),
            classes: change.classes.is_some(),
        }
    }
}

fn count(splits: impl Iterator<Item = Use>) -> Count {
    let mut count = Count::default();
    for split in splits {
        match split {
            Use::Train => count.train += 1,
            Use::Val => count.val += 1,
        }
    }
    count
}

/// Names of pictures that are taken, for each use: as two folders may hold files of one name.
#[derive(Debug, Default)]
struct Names(HashSet<(Use, String)>);

impl Names {
    fn of<'a>(pictures: impl Iterator<Item = &'a Picture>) -> Self {
        Self(
            pictures
                .map(|picture| (picture.split, picture.name.clone()))
                .collect(),
        )
    }

    /// A name that no other picture of this use has: `owl.jpg`, `owl (2).jpg`, …
    fn take(&mut self, split: Use, name: &str) -> String {
        let (stem, ending) = match name.rsplit_once('.') {
            Some((stem, ending)) => (stem, format!(".{ending}")),
            None => (name, String::new()),
        };
        let mut free = name.to_owned();
        let mut number = 2;
        while !self.0.insert((split, free.clone())) {
            free = format!("{stem} ({number}){ending}");
            number += 1;
        }
        free
    }
}
