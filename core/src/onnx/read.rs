//! A network out of a file that [`super::write`] made: weights by name, class names, architecture.

use std::collections::HashMap;

use burn::tensor::{DType, TensorData};

use super::proto::{DataType, entry};
use super::{ARCHITECTURE, NAMES};
use crate::error::{Error, Result};
use crate::model::Architecture;
use crate::model::norm::EPSILON;
use crate::protobuf::{Field, fields, varints};
use crate::weights::StateDict;
use crate::weights::elements::{ByteOrder, decode};

/// What a file holds.
#[derive(Debug)]
pub struct Stored {
    /// The whole state dict. Each BatchNorm changes nothing but adds the bias that it was folded into.
    pub tensors: StateDict,
    /// Class names.
    pub names: Option<Vec<String>>,
    /// The network.
    pub architecture: Architecture,
}

/// Whether the first bytes are those of an ONNX model: the format's version, then who wrote it or the graph.
pub fn is_onnx(bytes: &[u8]) -> bool {
    matches!(bytes, [0x08, 1..=32, 0x12 | 0x1a | 0x3a | 0x42, ..])
}

/// Reads the weights of a network; `place` names the file in errors. Nodes are not looked at: the architecture in the
/// metadata says what there is.
///
/// # Errors
/// When the file ends early, was not written by this program, or lacks a weight.
pub fn read(bytes: &[u8], place: &str) -> Result<Stored> {
    let damaged = || {
        Error::input(
            place,
            "an ONNX file that ends early or is damaged",
            "a complete .onnx file",
            "Export or copy it again",
        )
    };
    let mut constants = HashMap::new();
    let mut metadata = HashMap::new();
    for field in fields(bytes) {
        match field.ok_or_else(damaged)? {
            (7, Field::Bytes(graph)) => {
                for field in fields(graph) {
                    if let (5, Field::Bytes(tensor)) = field.ok_or_else(damaged)? {
                        let tensor = Constant::read(tensor).ok_or_else(damaged)?;
                        constants.insert(tensor.name, tensor);
                    }
                }
            }
            (14, Field::Bytes(pair)) => {
                let (key, value) = entry(pair).ok_or_else(damaged)?;
                metadata.insert(key, value);
            }
            _ => {}
        }
    }
    let Some(architecture) = metadata.get(ARCHITECTURE) else {
        return Err(Error::input(
            place,
            "an ONNX file without an architecture in its metadata",
            "one that `frostline export` wrote",
            "Use the .pt or .safetensors file that it was made from",
        ));
    };
    let wrong = |key: &str, error: serde_json::Error| {
        Error::input(
            format!("{place}, metadata {key}"),
            error,
            "JSON as `frostline export` writes it",
            "Export the file again",
        )
    };
    let architecture =
        serde_json::from_str(architecture).map_err(|error| wrong(ARCHITECTURE, error))?;
    let architecture =
        Architecture::from_value(&architecture, &format!("{place}, {ARCHITECTURE}"), None)?;
    let names = metadata.get(NAMES).map(|text| serde_json::from_str(text));
    let names = names.transpose().map_err(|error| wrong(NAMES, error))?;
    let tensors = state(&architecture, &constants, place)?;
    Ok(Stored {
        tensors,
        names,
        architecture,
    })
}

/// The whole state dict from folded weights.
fn state(
    architecture: &Architecture,
    constants: &HashMap<&str, Constant<'_>>,
    place: &str,
) -> Result<StateDict> {
    let weights = |name: String, shape: Vec<usize>| {
        let constant = constants.get(name.as_str());
        constant.and_then(|it| it.data(&shape)).ok_or_else(|| {
            Error::input(
                format!("{place}, weights {name}"),
                constant.map_or_else(
                    || "none".to_owned(),
                    |it| format!("{:?}, {} bytes", it.shape, it.raw_data.len()),
                ),
                format!("{shape:?} in single or half precision"),
                "Export the file again, and leave its weights as they are: other programs may change them",
            )
        })
    };
    let mut tensors = StateDict::new();
    for conv in architecture.convolutions() {
        let prefix = &conv.prefix;
        let channels = conv.c2;
        let shape = vec![channels, conv.c1, conv.kernel, conv.kernel];
        let weight = weights(format!("{prefix}.weight"), shape)?;
        let bias = weights(format!("{prefix}.bias"), vec![channels])?;
        tensors.push((conv.weight_name(), weight));
        if !conv.norm {
            tensors.push((format!("{prefix}.bias"), bias));
            continue;
        }
        let all = |value: f32| TensorData::new(vec![value; channels], [channels]);
        let mut norm = |suffix: &str, data| tensors.push((format!("{prefix}.bn.{suffix}"), data));
        norm("weight", all(1.0));
        norm("bias", bias);
        norm("running_mean", all(0.0));
        norm("running_var", all(1.0 - EPSILON as f32));
        norm("num_batches_tracked", TensorData::new(vec![0i64], [0; 0]));
    }
    let strides = architecture.strides();
    let cells: Vec<f32> = (architecture.anchors.iter().zip(&strides))
        .flat_map(|(scale, &stride)| scale.iter().flatten().map(move |px| px / stride as f32))
        .collect();
    let detect = architecture.modules.len().saturating_sub(1);
    let shape = [strides.len(), architecture.anchors_per_scale(), 2];
    tensors.push((
        format!("model.{detect}.anchors"),
        TensorData::new(cells, shape),
    ));
    Ok(tensors)
}

/// `TensorProto`, as far as weights need it.
struct Constant<'a> {
    name: &'a str,
    data_type: u64,
    shape: Vec<u64>,
    raw_data: &'a [u8],
}

impl<'a> Constant<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut constant = Self {
            name: "",
            data_type: 0,
            shape: Vec::new(),
            raw_data: &[],
        };
        for field in fields(bytes) {
            match field? {
                (1, Field::Int(side)) => constant.shape.push(side),
                // Packed, as newer versions of protobuf write lists.
                (1, Field::Bytes(sides)) => constant.shape.extend(varints(sides)?),
                (2, Field::Int(kind)) => constant.data_type = kind,
                (8, Field::Bytes(name)) => constant.name = str::from_utf8(name).ok()?,
                (9, Field::Bytes(raw)) => constant.raw_data = raw,
                _ => {}
            }
        }
        Some(constant)
    }

    /// The elements, if they are floats of this shape.
    fn data(&self, shape: &[usize]) -> Option<TensorData> {
        let dtype = match self.data_type {
            it if it == DataType::Float as u64 => DType::F32,
            it if it == DataType::Float16 as u64 => DType::F16,
            _ => return None,
        };
        let same = (self.shape.iter().copied()).eq(shape.iter().map(|&side| side as u64));
        same.then(|| decode(self.raw_data, dtype, shape, ByteOrder::Little))?
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tolerance, read_sync};

    use super::super::{OPSET, OnnxOptions, write};
    use super::*;
    use crate::error::Error;
    use crate::model::{Size, Yolov5};
    use crate::train::start::trained;
    use crate::weights::Checkpoint;

    fn options(half: bool) -> OnnxOptions {
        OnnxOptions {
            imgsz: [64, 64],
            batch: 1,
            dynamic: false,
            half,
            nms: None,
            opset: OPSET,
        }
    }

    fn file(half: bool) -> (Yolov5, Vec<u8>) {
        let architecture = Architecture::yolov5(Size::N, 2);
        let mut model = Yolov5::new(architecture, 3, &Device::flex());
        model.set_anchors(vec![vec![[9.0, 11.0]; 3]; 3]);
        let names = ["나무".to_owned(), "b".to_owned()];
        let bytes = read_sync(write(&model.fold(), &names, &options(half))).expect("a file");
        (model, bytes)
    }

    #[test]
    fn what_was_written_computes_the_same_again() {
        let device = Device::flex();
        let image = burn::tensor::Tensor::<4>::random(
            [1, 3, 64, 64],
            burn::tensor::Distribution::Uniform(0.0, 1.0),
            &device,
        );
        for (half, off) in [(false, 1e-3), (true, 0.5)] {
            let (mut model, bytes) = file(half);
            let checkpoint = Checkpoint::from_bytes(&bytes, "a.onnx").expect("a checkpoint");
            assert!(checkpoint.is_folded());
            let unfolded = Checkpoint {
                tensors: read_sync(model.state_dict()).expect("its state"),
                ..Checkpoint::default()
            };
            assert!(!unfolded.is_folded());
            let (again, names) = trained(&checkpoint, "a.onnx", &device).expect("a network");
            assert_eq!(names, ["나무", "b"]);
            assert_eq!(again.architecture().anchors, model.architecture().anchors);
            let expected = model.fold().predict(image.clone()).into_data();
            let found = again.fold().predict(image.clone()).into_data();
            found.assert_approx_eq::<f32>(&expected, Tolerance::absolute(off));
        }
    }

    #[test]
    fn cut_short_or_changed_it_is_refused_and_says_so() {
        let (_, bytes) = file(false);
        let refusal = |bytes: &[u8]| match Checkpoint::from_bytes(bytes, "a.onnx") {
            Err(Error::Input(error)) => error.to_string(),
            other => panic!("{other:?}"),
        };
        for length in [4, 100, bytes.len() / 2, bytes.len() - 1] {
            let message = refusal(&bytes[..length]);
            assert!(message.contains("a.onnx"), "{message}");
        }
        let place = |text: &[u8]| {
            let found = bytes.windows(text.len()).position(|part| part == text);
            found.expect("the text is there")
        };
        let mut other = bytes.clone();
        other[place(b"architecture")] = b'A';
        assert!(refusal(&other).contains("frostline export"));
        // The name of a weight in the list of constants, after those of the nodes.
        let mut renamed = bytes.clone();
        let text = b"model.9.cv2.bias";
        let last = bytes.windows(text.len()).rposition(|part| part == text);
        renamed[last.expect("the last")] = b'M';
        assert!(refusal(&renamed).contains("model.9.cv2.bias"));
    }
}
