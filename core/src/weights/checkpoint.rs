//! A checkpoint: named tensors with what the file says about them.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;

use super::StateDict;
use super::modules::{flatten, is_module, tensors_of};
use super::names::canonical;
use super::safetensors::{self, Precision};
use super::torch_zip::{Archive, MAX_TOTAL_BYTES};
use super::value::{Pickle, Ref, Value, short};
use crate::error::{Error, Result};
use crate::model::Architecture;
use crate::model::norm::EPSILON;
use crate::onnx::read as onnx;

/// Tensors under the reference's names, with classes and architecture where the file has them.
#[derive(Debug, Clone, Default)]
pub struct Checkpoint {
    /// Names such as `model.0.conv.weight`, in file order, in the precision of the file.
    pub tensors: StateDict,
    /// Class names, if the file has them and their number is the network's.
    pub names: Option<Vec<String>>,
    /// The architecture, if the file describes one that this program can build; otherwise
    /// `metadata["architecture_problem"]` may say why not.
    pub architecture: Option<Architecture>,
    /// Everything else that is text or a number.
    pub metadata: BTreeMap<String, String>,
    /// The last finished epoch; the reference writes −1 when training has ended.
    pub epoch: Option<i64>,
    /// The best fitness so far (FACTS 5).
    pub best_fitness: Option<f64>,
}

const NAMES: &str = "names";
const ARCHITECTURE: &str = "architecture";
const EPOCH: &str = "epoch";
const BEST_FITNESS: &str = "best_fitness";
/// How many plain entries of a `.pt` become metadata, and how long each may be.
const MAX_NOTES: usize = 64;
const MAX_NOTE_BYTES: usize = 4096;

impl Checkpoint {
    /// Reads a `.pt` (a whole module or a state dict), a `.safetensors`, or an `.onnx` that this program wrote; the
    /// content decides, not the ending.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read, [`Error::Input`] as [`Checkpoint::from_bytes`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let place = path.display().to_string();
        let size = match fs::metadata(path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::input(
                    place,
                    "no such file",
                    "a .pt or .safetensors checkpoint",
                    "Mend the path; the official yolov5n.pt to yolov5x.pt are assets of release v6.0 of the YOLOv5 project, and \
                     `frostline` fetches them by their bare names",
                ));
            }
            Err(error) => return Err(Error::io(path)(error)),
        };
        if size > MAX_TOTAL_BYTES {
            return Err(Error::input(
                place,
                format!("a file of {size} bytes"),
                format!("at most {MAX_TOTAL_BYTES} bytes"),
                "Name a YOLOv5 checkpoint",
            ));
        }
        Self::from_bytes(&fs::read(path).map_err(Error::io(path))?, &place)
    }

    /// Reads a checkpoint from memory; `place` names it in errors. No code of the file is run.
    ///
    /// # Errors
    /// Says where the file is damaged, hostile or of a kind that is not read, and what to do.
    pub fn from_bytes(bytes: &[u8], place: &str) -> Result<Self> {
        match Format::of(bytes) {
            Format::Zip => Self::from_torch(bytes, place),
            Format::Safetensors => Self::from_safetensors(bytes, place),
            Format::Onnx => {
                let stored = onnx::read(bytes, place)?;
                let checkpoint = Self {
                    tensors: stored.tensors,
                    architecture: Some(stored.architecture),
                    ..Self::default()
                };
                Ok(checkpoint.with_names(stored.names, None))
            }
            Format::Foreign { found, next } => Err(Error::input(
                place,
                found,
                "a .pt or .safetensors checkpoint",
                next,
            )),
        }
    }

    /// Whether every BatchNorm was folded into the convolution before it, as in an `.onnx`, and now only adds the bias: its
    /// variance is 1 − ε, that of a new network 1. The network computes what it did, but cannot go on learning where
    /// BatchNorm sees batches.
    pub fn is_folded(&self) -> bool {
        let mut variances = (self.tensors.iter())
            .filter(|(name, _)| name.ends_with("bn.running_var"))
            .flat_map(|(_, data)| data.iter::<f32>())
            .peekable();
        let one = |variance: f32| (variance + EPSILON as f32 - 1.0).abs() < 1e-4;
        variances.peek().is_some() && variances.all(one)
    }

    /// The checkpoint as a `.safetensors` file: the same content gives the same bytes. The metadata
    /// holds `names` and `architecture` as JSON.
    ///
    /// # Errors
    /// Names a tensor that the file cannot hold.
    pub fn to_safetensors(&self, precision: Precision) -> Result<Vec<u8>> {
        let mut metadata = self.metadata.clone();
        let mut put = |key: &str, text: Option<String>| {
            if let Some(text) = text {
                metadata.insert(key.to_owned(), text);
            }
        };
        let unwritable = |error| Error::input("checkpoint", error, "text as JSON", "");
        put(
            NAMES,
            self.names
                .as_ref()
                .map(serde_json::to_string)
                .transpose()
                .map_err(unwritable)?,
        );
        put(
            ARCHITECTURE,
            self.architecture
                .as_ref()
                .map(serde_json::to_string)
                .transpose()
                .map_err(unwritable)?,
        );
        put(EPOCH, self.epoch.map(|epoch| epoch.to_string()));
        put(BEST_FITNESS, self.best_fitness.map(|best| best.to_string()));
        safetensors::write(&self.tensors, &metadata, precision)
    }

    fn from_safetensors(bytes: &[u8], place: &str) -> Result<Self> {
        let (tensors, mut metadata) = safetensors::read(bytes, place)?;
        let mut take = |key: &str| {
            let text = metadata.remove(key);
            text.map(|text| (format!("{place}, metadata {key}"), text))
        };
        let names = take(NAMES)
            .map(|(place, text)| {
                serde_json::from_str(&text).map_err(|error| {
                    Error::input(
                        place,
                        error,
                        "a JSON list of class names",
                        "Correct the metadata",
                    )
                })
            })
            .transpose()?;
        let architecture = take(ARCHITECTURE)
            .map(|(place, text)| {
                let value = serde_json::from_str(&text).map_err(|error| {
                    Error::input(
                        &place,
                        error,
                        "an architecture as JSON",
                        "Correct the metadata",
                    )
                })?;
                Architecture::from_value(&value, &place, None)
            })
            .transpose()?;
        fn number<T: std::str::FromStr>(entry: Option<(String, String)>) -> Result<Option<T>> {
            entry
                .map(|(place, text)| {
                    text.parse().map_err(|_| {
                        let found = format!("`{}`", short(&text));
                        Error::input(place, found, "a number", "Correct the metadata")
                    })
                })
                .transpose()
        }
        let epoch = number(take(EPOCH))?;
        let best_fitness = number(take(BEST_FITNESS))?;
        let checkpoint = Self {
            tensors: canonical_names(tensors, place)?,
            names: None,
            architecture,
            metadata,
            epoch,
            best_fitness,
        };
        Ok(checkpoint.with_names(names, None))
    }

    fn from_torch(bytes: &[u8], place: &str) -> Result<Self> {
        let mut archive = Archive::open(bytes, place)?;
        let pickle = archive.pickle()?;
        let model = Model::find(&pickle, place)?;
        let mut tensors = StateDict::new();
        for (name, at) in &model.tensors {
            tensors.push((name.clone(), archive.tensor(&pickle, *at, name)?));
        }
        let root = |key| pickle.field(pickle.root(), key);
        // A module's attributes say more than the file around it.
        let attribute = |key| {
            let own = model.attributes.and_then(|state| pickle.field(state, key));
            own.or_else(|| root(key))
        };
        let mut checkpoint = Self {
            tensors: canonical_names(tensors, place)?,
            names: None,
            architecture: None,
            metadata: notes(&pickle, model.attributes),
            epoch: root(EPOCH).and_then(|at| pickle.integer(at)),
            best_fitness: root(BEST_FITNESS).and_then(|at| pickle.number(at)),
        };
        checkpoint.note("source", model.source);
        let nc = attribute("nc")
            .and_then(|at| pickle.integer(at))
            .and_then(|nc| usize::try_from(nc).ok());
        if let Some(yaml) = attribute("yaml").filter(|at| pickle.pairs(*at).is_some()) {
            let place = format!("{place}, yaml");
            let architecture = pickle
                .to_json(yaml)
                .map_err(|found| Error::input(&place, found, "plain data", ""))
                .and_then(|yaml| Architecture::from_value(&yaml, &place, nc));
            match architecture {
                Ok(architecture) => checkpoint.architecture = Some(architecture),
                // The weights may still fit another network.
                Err(error) => checkpoint.note("architecture_problem", &error.to_string()),
            }
        }
        checkpoint.take_anchors();
        let names = attribute(NAMES).and_then(|at| pickle.names(at));
        Ok(checkpoint.with_names(names, nc))
    }

    /// Keeps class names if there are as many as the network has classes.
    fn with_names(mut self, names: Option<Vec<String>>, nc: Option<usize>) -> Self {
        let nc = self.architecture.as_ref().map(|it| it.nc).or(nc);
        match names {
            Some(names) if nc.is_some_and(|nc| nc != names.len()) => {
                self.note("names_problem", &format!("{} class names", names.len()));
            }
            names => self.names = names,
        }
        self
    }

    /// The reference may fit new anchors to a data set; it then writes them into the tensor (in
    /// cells) and leaves the yaml (in pixels) as it was.
    fn take_anchors(&mut self) {
        let Some(architecture) = &mut self.architecture else {
            return;
        };
        let Some(detect) = architecture.modules.last() else {
            return;
        };
        let name = format!("model.{}.anchors", detect.index);
        let Some((_, cells)) = self.tensors.iter().find(|(other, _)| *other == name) else {
            return;
        };
        let strides: Vec<_> = detect
            .from
            .iter()
            .filter_map(|index| architecture.modules.get(*index))
            .map(|module| module.stride as f32)
            .collect();
        let anchors = &mut architecture.anchors;
        let count = anchors.first().map_or(0, Vec::len);
        if strides.len() != anchors.len()
            || anchors.iter().any(|scale| scale.len() != count)
            || cells.shape().as_slice() != [anchors.len(), count, 2]
        {
            return;
        }
        let cells: Vec<f32> = cells.iter::<f32>().collect();
        if !cells.iter().all(|cell| cell.is_finite() && *cell > 0.0) {
            return;
        }
        let scales = cells.chunks_exact(count * 2).zip(strides);
        for (scale, (cells, stride)) in anchors.iter_mut().zip(scales) {
            for (anchor, cells) in scale.iter_mut().zip(cells.chunks_exact(2)) {
                *anchor = [cells[0] * stride, cells[1] * stride];
            }
        }
    }

    fn note(&mut self, key: &str, text: &str) {
        self.metadata.insert(key.to_owned(), text.to_owned());
    }
}

/// Where the weights of a `.pt` are.
struct Model<'p> {
    tensors: Vec<(String, Ref)>,
    /// The module's attributes, unless the file has a bare state dict.
    attributes: Option<Ref>,
    source: &'p str,
}

impl<'p> Model<'p> {
    /// The EMA comes before the raw weights, a module before a state dict (FACTS 7).
    fn find(pickle: &Pickle, place: &str) -> Result<Model<'p>> {
        let root = pickle.root();
        let field = |key| pickle.field(root, key);
        let candidates = [
            ("ema", field("ema")),
            ("model", field("model")),
            ("module", Some(root)),
        ];
        for (source, at) in candidates {
            if let Some(at) = at.filter(|at| is_module(pickle, *at)) {
                let tensors = flatten(pickle, at, place)?;
                if !tensors.is_empty() {
                    let attributes = pickle.state(at);
                    return Ok(Model {
                        tensors,
                        attributes,
                        source,
                    });
                }
            }
        }
        let candidates = [
            ("ema", field("ema")),
            ("state_dict", field("state_dict")),
            ("model", field("model")),
            ("model_state_dict", field("model_state_dict")),
            ("state dict", Some(root)),
        ];
        for (source, at) in candidates {
            let Some(at) = at else { continue };
            let tensors = tensors_of(pickle, at, place)?;
            if !tensors.is_empty() {
                return Ok(Model {
                    tensors,
                    attributes: None,
                    source,
                });
            }
        }
        Err(Error::input(
            place,
            pickle.describe(root),
            "a model under `ema` or `model`, or a state dict with tensors",
            "Use the best or last file of a YOLOv5 run, or the official yolov5n.pt to yolov5x.pt",
        ))
    }
}

/// The plain entries around the model, and the name of its architecture file.
fn notes(pickle: &Pickle, attributes: Option<Ref>) -> BTreeMap<String, String> {
    let plain = |at| match pickle.get(at) {
        Value::Str(text) if text.len() <= MAX_NOTE_BYTES => Some(text.clone()),
        Value::Int(value) => Some(value.to_string()),
        Value::Float(value) => Some(value.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    };
    let mut notes: BTreeMap<_, _> = pickle
        .pairs(pickle.root())
        .unwrap_or(&[])
        .iter()
        .filter_map(|(key, value)| Some((pickle.text(*key)?, *value)))
        .filter(|(key, _)| ![EPOCH, BEST_FITNESS, NAMES, ARCHITECTURE].contains(key))
        .filter(|(key, _)| key.len() <= MAX_NOTE_BYTES)
        .filter_map(|(key, value)| Some((key.to_owned(), plain(value)?)))
        .take(MAX_NOTES)
        .collect();
    let file = attributes.and_then(|state| pickle.field(state, "yaml_file"));
    if let Some(file) = file.and_then(plain) {
        notes.insert("yaml_file".to_owned(), file);
    }
    notes
}

/// The reference's spelling for every name. Where a file holds an EMA beside the raw weights, the
/// EMA is taken.
fn canonical_names(mut tensors: StateDict, place: &str) -> Result<StateDict> {
    if tensors.iter().any(|(name, _)| name.starts_with("ema.")) {
        tensors.retain(|(name, _)| name.starts_with("ema."));
    }
    let mut seen = HashSet::new();
    for (name, _) in &mut tensors {
        let found = std::mem::take(name);
        *name = canonical(&found);
        if !seen.insert(name.clone()) {
            return Err(Error::input(
                place,
                format!("two tensors for {}", short(name)),
                "one tensor per name",
                "Save the model alone, without the wrapper around it",
            ));
        }
    }
    Ok(tensors)
}

/// What a file is, by its first bytes.
enum Format {
    Zip,
    Safetensors,
    Onnx,
    Foreign {
        found: &'static str,
        next: &'static str,
    },
}

impl Format {
    fn of(bytes: &[u8]) -> Self {
        const LEGACY: &str = "Open it once with PyTorch 1.6 or newer and save it again with torch.save, \
                              or convert it to .safetensors";
        const DOWNLOAD: &str = "Download the checkpoint again";
        let foreign = |found, next| Self::Foreign { found, next };
        let starts = |prefix: &[u8]| bytes.starts_with(prefix);
        if bytes.is_empty() {
            foreign("an empty file", DOWNLOAD)
        } else if starts(b"PK\x03\x04") || starts(b"PK\x05\x06") {
            Self::Zip
        } else if bytes.get(8) == Some(&b'{') {
            Self::Safetensors
        } else if onnx::is_onnx(bytes) {
            Self::Onnx
        } else if bytes.get(257..262) == Some(b"ustar") {
            foreign("a tar archive (PyTorch before 0.2)", LEGACY)
        } else if matches!(bytes, [0x80, 0..=5, ..]) {
            foreign("a bare pickle (PyTorch before 1.6)", LEGACY)
        } else if starts(b"version https://git-lfs") {
            foreign(
                "a Git LFS pointer",
                "Fetch the file itself with git lfs pull",
            )
        } else if bytes.trim_ascii_start().starts_with(b"<") {
            foreign(
                "a web page",
                "Download the file itself, not the page about it",
            )
        } else if starts(b"\x1f\x8b") {
            foreign("a gzip archive", "Unpack it first")
        } else if starts(b"GGUF") {
            foreign("a GGUF file", "Convert it to .safetensors")
        } else {
            foreign("a file of another kind, or the rest of one", DOWNLOAD)
        }
    }
}

#[cfg(test)]
#[path = "checkpoint_tests.rs"]
mod tests;
