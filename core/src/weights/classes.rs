//! A Detect head that grows: classes of a checkpoint stay what they are, and new ones come beside them.

use burn::tensor::TensorData;

use super::StateDict;
use crate::error::{Error, Result};

/// Outputs of an anchor before its classes: the box and objectness (FACTS 1).
const BEFORE_CLASSES: usize = 5;

/// The classes of a network that keeps those of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptClasses {
    /// Class names: those of the data in their order, then those of the checkpoint that the data does not name.
    pub names: Vec<String>,
    /// Per class, which one of the checkpoint it is; `None` for new ones.
    pub from: Vec<Option<usize>>,
    /// Classes of the checkpoint.
    old: usize,
}

impl KeptClasses {
    /// Finds the classes of `data` among those of the checkpoint by name; `place` names the checkpoint in errors.
    ///
    /// # Errors
    /// The checkpoint does not name its classes.
    pub fn new(data: &[String], checkpoint: Option<&[String]>, place: &str) -> Result<Self> {
        let Some(old) = checkpoint else {
            return Err(Error::input(
                place,
                "weights without class names",
                "names of the classes to keep",
                "Leave --keep-classes out, or take weights that `frostline train` wrote",
            ));
        };
        let mut names = data.to_vec();
        let mut from: Vec<Option<usize>> = (data.iter())
            .map(|name| old.iter().position(|old| old == name))
            .collect();
        for (index, name) in old.iter().enumerate() {
            if !data.contains(name) {
                names.push(name.clone());
                from.push(Some(index));
            }
        }
        Ok(Self {
            names,
            from,
            old: old.len(),
        })
    }

    /// The names of the classes that are kept, or of those that are new.
    pub fn names_that_are(&self, kept: bool) -> Vec<&str> {
        let classes = self.names.iter().zip(&self.from);
        classes
            .filter(|(_, from)| from.is_some() == kept)
            .map(|(name, _)| name.as_str())
            .collect()
    }

    /// Makes the tensors of Detect in `state` as large as those in `fresh`, which is the state of a new network of
    /// these classes: each anchor's box, objectness and kept classes are the checkpoint's values, the rest is
    /// `fresh`. Returns the names of the tensors that have grown; those whose shapes do not fit are left alone.
    pub fn grow(&self, state: &mut StateDict, fresh: &StateDict, detect: &str) -> Vec<String> {
        let (old, new) = (BEFORE_CLASSES + self.old, BEFORE_CLASSES + self.from.len());
        let mut grown = Vec::new();
        for (name, data) in state.iter_mut() {
            if !name.starts_with(detect) || !name.contains(".m.") {
                continue;
            }
            let Some((_, wanted)) = fresh.iter().find(|(fresh, _)| fresh == name) else {
                continue;
            };
            let (from, to) = (data.shape().to_vec(), wanted.shape().to_vec());
            let anchors = to.first().map_or(0, |rows| rows / new);
            let fits = from.len() == to.len()
                && !from.is_empty()
                && from[1..] == to[1..]
                && [from[0], to[0]] == [anchors * old, anchors * new];
            if !fits {
                continue;
            }
            let row: usize = to[1..].iter().product();
            let before: Vec<f32> = data.iter::<f32>().collect();
            let mut after: Vec<f32> = wanted.iter::<f32>().collect();
            for anchor in 0..anchors {
                let kept = (0..BEFORE_CLASSES).map(|output| (output, output));
                let classes = self.from.iter().enumerate().filter_map(|(to, from)| {
                    let from = (*from)?;
                    Some((BEFORE_CLASSES + from, BEFORE_CLASSES + to))
                });
                for (from, to) in kept.chain(classes) {
                    let (from, to) = ((anchor * old + from) * row, (anchor * new + to) * row);
                    after[to..to + row].copy_from_slice(&before[from..from + row]);
                }
            }
            *data = TensorData::new(after, to);
            grown.push(name.clone());
        }
        grown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn old_classes_are_found_by_name_and_those_that_the_data_lacks_come_last() {
        let old = names(&["cat", "dog", "cow"]);
        let kept = KeptClasses::new(&names(&["fox", "dog"]), Some(&old), "old.pt").unwrap();
        assert_eq!(kept.names, ["fox", "dog", "cat", "cow"]);
        assert_eq!(kept.from, [None, Some(1), Some(0), Some(2)]);
        assert_eq!(kept.names_that_are(true), ["dog", "cat", "cow"]);
        assert_eq!(kept.names_that_are(false), ["fox"]);
        let error = KeptClasses::new(&old, None, "old.pt").unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("old.pt: found weights without class names")
        );
    }

    #[test]
    fn every_anchor_keeps_its_rows_and_new_classes_have_fresh_ones() {
        let old = names(&["cat", "dog"]);
        let kept = KeptClasses::new(&names(&["dog", "fox", "cat"]), Some(&old), "").unwrap();
        // Two anchors of 5 + 2 outputs, each row two values wide: 100, 101, 102, …
        let tensor = |rows: usize, width: usize, base: f32| {
            let values: Vec<f32> = (0..rows * width).map(|i| base + i as f32).collect();
            let shape = if width > 1 {
                vec![rows, width, 1, 1]
            } else {
                vec![rows]
            };
            TensorData::new(values, shape)
        };
        let mut state = vec![
            ("model.24.m.0.weight".to_owned(), tensor(14, 2, 100.0)),
            ("model.24.m.0.bias".to_owned(), tensor(14, 1, 500.0)),
            ("model.24.anchors".to_owned(), tensor(14, 1, 0.0)),
            ("model.9.cv1.m.0.bias".to_owned(), tensor(14, 1, 0.0)),
        ];
        let untouched = state[2..].to_vec();
        let fresh = vec![
            ("model.24.m.0.weight".to_owned(), tensor(16, 2, -100.0)),
            ("model.24.m.0.bias".to_owned(), tensor(16, 1, -500.0)),
            ("model.24.anchors".to_owned(), tensor(16, 1, 0.0)),
            ("model.9.cv1.m.0.bias".to_owned(), tensor(16, 1, 0.0)),
        ];
        let grown = kept.grow(&mut state, &fresh, "model.24.");
        assert_eq!(grown, ["model.24.m.0.weight", "model.24.m.0.bias"]);
        assert_eq!(state[2..], untouched[..]);
        let bias: Vec<f32> = state[1].1.iter::<f32>().collect();
        let anchor = |base: f32, fresh: f32| {
            let [b0, b1, b2, b3, obj] = [0.0, 1.0, 2.0, 3.0, 4.0].map(|i| base + i);
            vec![b0, b1, b2, b3, obj, base + 6.0, fresh, base + 5.0]
        };
        let expected = [anchor(500.0, -494.0), anchor(507.0, -486.0)].concat();
        assert_eq!(bias, expected);
        let weight: Vec<f32> = state[0].1.iter::<f32>().collect();
        assert_eq!(&weight[10..16], [112.0, 113.0, -88.0, -87.0, 110.0, 111.0]);
    }

    #[test]
    fn a_head_of_another_shape_is_left_alone() {
        let old = names(&["cat"]);
        let kept = KeptClasses::new(&names(&["cat", "fox"]), Some(&old), "").unwrap();
        let tensor = |rows: usize| TensorData::new(vec![0f32; rows], [rows]);
        let mut state = vec![("model.24.m.0.bias".to_owned(), tensor(12))];
        let fresh = vec![("model.24.m.0.bias".to_owned(), tensor(21))];
        assert!(kept.grow(&mut state, &fresh, "model.24.").is_empty());
    }
}
