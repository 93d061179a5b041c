//! What was done, to be undone and done again.

use super::Picture;

/// Changes that can be undone.
const MOST: usize = 200;

/// A change: what was there before, and what is there after.
#[derive(Debug, Clone, Default)]
pub struct Change {
    pub pictures: Vec<(u32, Option<Picture>, Option<Picture>)>,
    pub classes: Option<(Vec<String>, Vec<String>)>,
    /// Changes of one run are one.
    pub run: Option<u32>,
}

impl Change {
    /// Notes what a picture becomes.
    pub fn set(&mut self, id: u32, before: Option<Picture>, after: Option<Picture>) {
        if before != after {
            self.pictures.push((id, before, after));
        }
    }

    pub fn is_nothing(&self) -> bool {
        self.pictures.is_empty()
            && self
                .classes
                .as_ref()
                .is_none_or(|(before, after)| before == after)
    }

    pub fn reversed(&self) -> Self {
        let pictures = self.pictures.iter().rev();
        Self {
            pictures: pictures
                .map(|(id, before, after)| (*id, after.clone(), before.clone()))
                .collect(),
            classes: self.classes.clone().map(|(before, after)| (after, before)),
            run: self.run,
        }
    }

    /// Whether a change goes on with this one.
    fn goes_on(&self, next: &Self) -> bool {
        let one = |change: &Self| match &*change.pictures {
            [(id, Some(_), Some(_))] => Some(*id),
            _ => None,
        };
        self.run.is_some() && self.run == next.run && one(self).is_some() && one(self) == one(next)
    }
}

/// Changes that were made, and those that were taken back.
#[derive(Debug, Clone, Default)]
pub struct History {
    done: Vec<Change>,
    undone: Vec<Change>,
}

impl History {
    pub fn push(&mut self, change: Change) {
        self.undone.clear();
        if let Some(last) = self.done.last_mut()
            && last.goes_on(&change)
            && let ([last], [next]) = (&mut *last.pictures, &*change.pictures)
        {
            last.2.clone_from(&next.2);
            return;
        }
        self.done.push(change);
        if self.done.len() > MOST {
            self.done.remove(0);
        }
    }

    pub fn can(&self) -> (bool, bool) {
        (!self.done.is_empty(), !self.undone.is_empty())
    }

    pub fn undo(&mut self) -> Option<Change> {
        let change = self.done.pop()?;
        self.undone.push(change.clone());
        Some(change)
    }

    pub fn redo(&mut self) -> Option<Change> {
        let change = self.undone.pop()?;
        self.done.push(change.clone());
        Some(change)
    }
}
