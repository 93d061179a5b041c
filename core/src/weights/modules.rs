//! From a pickled module tree to the flat names of its state dict.

use super::torch_zip::is_tensor;
use super::value::{Pickle, Ref, Value, short};
use crate::error::{Error, Result};

/// How deep modules may nest; the networks here nest five deep.
const MAX_DEPTH: usize = 32;
/// The most tensors of one model; the largest official one has 745.
const MAX_TENSORS: usize = 50_000;
/// The longest name of a tensor, in bytes.
const MAX_NAME: usize = 512;
/// How many pairs of dictionaries the walk may look at. The largest official model needs some
/// 100 000; a hostile file could otherwise share one large dictionary among many modules.
const MAX_WORK: usize = 20_000_000;

/// Whether a value is a pickled `torch.nn.Module`.
pub(super) fn is_module(pickle: &Pickle, at: Ref) -> bool {
    pickle
        .state(at)
        .and_then(|state| pickle.field(state, "_modules"))
        .is_some()
}

/// The parameters and persistent buffers of a module tree in state-dict order: a module's own
/// parameters, its buffers, then its children (FACTS 7).
///
/// # Errors
/// Names the module that is nested too deeply, or the limit that the tree exceeds.
pub(super) fn flatten(pickle: &Pickle, root: Ref, place: &str) -> Result<Vec<(String, Ref)>> {
    let mut walk = Walk {
        pickle,
        place,
        found: Vec::new(),
        work: 0,
    };
    walk.module(root, "", 0)?;
    Ok(walk.found)
}

/// The tensors of a pickled state dict in file order.
///
/// # Errors
/// Names the limit that the dictionary exceeds.
pub(super) fn tensors_of(pickle: &Pickle, dict: Ref, place: &str) -> Result<Vec<(String, Ref)>> {
    let mut walk = Walk {
        pickle,
        place,
        found: Vec::new(),
        work: 0,
    };
    walk.collect(dict, "", &[])?;
    Ok(walk.found)
}

struct Walk<'p> {
    pickle: &'p Pickle,
    place: &'p str,
    found: Vec<(String, Ref)>,
    work: usize,
}

impl Walk<'_> {
    fn module(&mut self, at: Ref, prefix: &str, depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(self.fault(
                format!(
                    "modules nested deeper than {MAX_DEPTH} at {}",
                    short(prefix)
                ),
                "the modules of a network",
            ));
        }
        let Some(state) = self.pickle.state(at) else {
            return Err(self.fault(
                format!("{} as module {}", self.pickle.describe(at), short(prefix)),
                "a module with its parameters, buffers and modules",
            ));
        };
        if let Some(parameters) = self.attribute(state, "_parameters")? {
            self.collect(parameters, prefix, &[])?;
        }
        if let Some(buffers) = self.attribute(state, "_buffers")? {
            let hidden = self.attribute(state, "_non_persistent_buffers_set")?;
            let hidden: Vec<&str> = match hidden.map(|set| self.pickle.get(set)) {
                Some(Value::Set(items)) => {
                    let pickle = self.pickle;
                    items
                        .iter()
                        .take(64)
                        .filter_map(|item| pickle.text(*item))
                        .collect()
                }
                _ => Vec::new(),
            };
            self.collect(buffers, prefix, &hidden)?;
        }
        let pickle = self.pickle;
        let children = self.attribute(state, "_modules")?;
        for (key, child) in children.and_then(|dict| pickle.pairs(dict)).unwrap_or(&[]) {
            self.spend(1)?;
            // A module may be registered as None.
            if let (Some(key), Value::Object { .. }) = (pickle.text(*key), pickle.get(*child)) {
                self.module(
                    *child,
                    &format!("{}.", self.joined(prefix, key)?),
                    depth + 1,
                )?;
            }
        }
        Ok(())
    }

    fn collect(&mut self, dict: Ref, prefix: &str, hidden: &[&str]) -> Result<()> {
        let pickle = self.pickle;
        for (key, value) in pickle.pairs(dict).unwrap_or(&[]) {
            self.spend(1)?;
            let Some(key) = pickle.text(*key) else {
                continue;
            };
            // A parameter may be None (a convolution without bias).
            if hidden.contains(&key) || !is_tensor(pickle, *value) {
                continue;
            }
            if self.found.len() >= MAX_TENSORS {
                return Err(self.fault(
                    format!("more than {MAX_TENSORS} tensors"),
                    "the tensors of a network",
                ));
            }
            let name = self.joined(prefix, key)?;
            self.found.push((name, *value));
        }
        Ok(())
    }

    /// `prefix` ends with its dot.
    fn joined(&self, prefix: &str, key: &str) -> Result<String> {
        if prefix.len() + key.len() > MAX_NAME {
            return Err(self.fault(
                format!("a name that begins {}", short(&format!("{prefix}{key}"))),
                &format!("a name of at most {MAX_NAME} bytes"),
            ));
        }
        Ok(format!("{prefix}{key}"))
    }

    fn attribute(&mut self, state: Ref, name: &str) -> Result<Option<Ref>> {
        self.spend(self.pickle.pairs(state).map_or(0, <[_]>::len))?;
        Ok(self.pickle.field(state, name))
    }

    fn spend(&mut self, work: usize) -> Result<()> {
        self.work = self.work.saturating_add(work);
        if self.work > MAX_WORK {
            return Err(self.fault(
                "modules that share each other without end".to_owned(),
                "the modules of a network",
            ));
        }
        Ok(())
    }

    fn fault(&self, found: String, expected: &str) -> Error {
        Error::input(
            self.place,
            found,
            expected,
            "Use a checkpoint that YOLOv5 v6.0 or this program wrote",
        )
    }
}
