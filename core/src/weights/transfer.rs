//! Which tensors of a checkpoint go into a network: those of equal name and shape (FACTS 2).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use burn::tensor::TensorData;

use super::StateDict;
use super::names::{is_counter, module_index};

/// How many tensors an explanation names before it counts the rest.
const SHOWN: usize = 3;

/// Why an item was not transferred.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The checkpoint has no tensor of this name.
    Missing,
    /// The checkpoint's tensor has another shape.
    Shape {
        /// The shape in the checkpoint.
        found: Vec<usize>,
        /// The shape in the network.
        expected: Vec<usize>,
    },
    /// It was left out on purpose.
    Excluded,
    /// It was transferred, and new classes came beside what it holds.
    Grown,
}

/// What was transferred. `Display` is the reference's line: `transferred 343/349 items`.
#[derive(Debug, Clone)]
pub struct Transfer {
    /// Name and elements of every item that fits: floats as f32, counters as i64.
    pub taken: Vec<(String, TensorData)>,
    /// The items of the network that did not come from the checkpoint, or not wholly.
    pub unmatched: Vec<(String, Why)>,
    /// How many items the network has.
    pub total: usize,
}

/// Chooses from a checkpoint what fits a network. `into` lists the network's items with their
/// shapes in state-dict order; items whose name contains one of `exclude` are left out.
pub fn transfer(from: &StateDict, into: &[(String, Vec<usize>)], exclude: &[&str]) -> Transfer {
    let by_name: HashMap<&str, &TensorData> = from
        .iter()
        .map(|(name, data)| (name.as_str(), data))
        .collect();
    let mut result = Transfer {
        taken: Vec::new(),
        unmatched: Vec::new(),
        total: into.len(),
    };
    for (name, shape) in into {
        let why = match by_name.get(name.as_str()) {
            _ if exclude.iter().any(|part| name.contains(part)) => Why::Excluded,
            None => Why::Missing,
            Some(data) if data.shape().as_slice() != shape.as_slice() => Why::Shape {
                found: data.shape().to_vec(),
                expected: shape.clone(),
            },
            Some(data) => {
                let data = if is_counter(name) {
                    TensorData::new(data.iter::<i64>().collect(), shape.clone())
                } else {
                    TensorData::new(data.iter::<f32>().collect(), shape.clone())
                };
                result.taken.push((name.clone(), data));
                continue;
            }
        };
        result.unmatched.push((name.clone(), why));
    }
    result
}

impl Transfer {
    /// Indices of the modules that lack a weight or a statistic of the checkpoint: what the freeze
    /// check must not freeze. Items left out on purpose and the counters of batches, which inference
    /// does not use, do not count.
    pub fn incomplete_modules(&self) -> BTreeSet<usize> {
        self.unmatched
            .iter()
            .filter(|(name, why)| *why != Why::Excluded && !is_counter(name))
            .filter_map(|(name, _)| module_index(name))
            .collect()
    }

    /// Notes that these items hold new classes beside what was transferred.
    pub fn mark_grown(&mut self, names: Vec<String>) {
        let grown = names.into_iter().map(|name| (name, Why::Grown));
        self.unmatched.extend(grown);
    }

    /// A few lines on what was not transferred and why; empty when everything was.
    pub fn explanation(&self) -> Vec<String> {
        let mut groups: BTreeMap<u8, Vec<String>> = BTreeMap::new();
        for (name, why) in &self.unmatched {
            let (group, item) = match why {
                Why::Shape { found, expected } => (
                    0,
                    format!(
                        "{name} ({} in the file, {} in the network)",
                        Shape(found),
                        Shape(expected)
                    ),
                ),
                Why::Missing => (1, name.clone()),
                Why::Excluded => (2, name.clone()),
                Why::Grown => (3, name.clone()),
            };
            groups.entry(group).or_default().push(item);
        }
        groups
            .into_iter()
            .map(|(group, items)| {
                let reason = match group {
                    0 => "of another shape",
                    1 => "not in the file",
                    2 => "left out on purpose",
                    _ => "transferred and grown by new classes",
                };
                let mut line = format!("{} {reason}: ", items.len());
                line += &items[..items.len().min(SHOWN)].join(", ");
                if items.len() > SHOWN {
                    line += &format!(", and {} more", items.len() - SHOWN);
                }
                line
            })
            .collect()
    }
}

impl fmt::Display for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "transferred {}/{} items", self.taken.len(), self.total)
    }
}

/// `255×128×1×1`.
struct Shape<'a>(&'a [usize]);

impl fmt::Display for Shape<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(if sizes.is_empty() {
            "a single number"
        } else {
            ""
        })?;
        f.write_str(&sizes.join("×"))
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, f16};

    use super::*;

    fn item(name: &str, shape: &[usize]) -> (String, Vec<usize>) {
        (name.to_owned(), shape.to_vec())
    }

    #[test]
    fn equal_names_and_shapes_go_over_as_f32_and_i64() {
        let half = vec![f16::from_f32(0.5); 2];
        let from = vec![
            ("model.0.conv.weight".into(), TensorData::new(half, [2])),
            (
                "model.0.bn.num_batches_tracked".into(),
                TensorData::new(vec![9i32], Vec::<usize>::new()),
            ),
            (
                "model.24.m.0.bias".into(),
                TensorData::new(vec![0f32; 5], [5]),
            ),
            (
                "model.24.anchors".into(),
                TensorData::new(vec![0f32; 3], [3]),
            ),
        ];
        let into = [
            item("model.0.conv.weight", &[2]),
            item("model.0.bn.num_batches_tracked", &[]),
            item("model.7.bn.num_batches_tracked", &[]),
            item("model.9.bn.running_mean", &[4]),
            item("model.24.m.0.bias", &[4]),
            item("model.24.anchors", &[3]),
        ];
        let result = transfer(&from, &into, &["anchor"]);
        assert_eq!(result.to_string(), "transferred 2/6 items");
        assert_eq!(result.taken[0].1, TensorData::new(vec![0.5f32; 2], [2]));
        assert_eq!(result.taken[1].1.dtype(), DType::I64);
        assert_eq!(result.incomplete_modules(), BTreeSet::from([9, 24]));
        assert_eq!(
            result.explanation(),
            [
                "1 of another shape: model.24.m.0.bias (5 in the file, 4 in the network)",
                "2 not in the file: model.7.bn.num_batches_tracked, model.9.bn.running_mean",
                "1 left out on purpose: model.24.anchors",
            ]
        );
        let with_anchors = transfer(&from, &into, &[]);
        assert_eq!(with_anchors.to_string(), "transferred 3/6 items");
    }

    #[test]
    fn long_lists_are_cut_and_a_full_transfer_needs_no_words() {
        let into: Vec<_> = (0..9)
            .map(|i| item(&format!("model.{i}.w"), &[1]))
            .collect();
        let result = transfer(&StateDict::new(), &into, &[]);
        let lines = result.explanation();
        assert_eq!(
            lines,
            ["9 not in the file: model.0.w, model.1.w, model.2.w, and 6 more"]
        );
        let from: StateDict = into
            .iter()
            .map(|(name, _)| (name.clone(), TensorData::new(vec![1f32], [1])))
            .collect();
        assert!(transfer(&from, &into, &[]).explanation().is_empty());
    }
}
