//! `.safetensors` in and out: tensors and text metadata, the same bytes for the same content.

use std::collections::BTreeMap;

use burn::tensor::{BoolStore, DType, TensorData, f16};
use serde_json::{Map, Value, json};

use super::StateDict;
use super::elements::{ByteOrder, decode, encode, is_float};
use super::value::short;
use crate::error::{Error, Result};

/// The largest header that is read; the largest official model has one of 0.1 MB.
const MAX_HEADER_BYTES: usize = 16 << 20;

/// The float type that is written. Integers stay integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Precision {
    /// 16 bits, as the reference keeps finished weights.
    Half,
    /// 32 bits, for an exact resume.
    Full,
}

/// Reads tensors in file order and the metadata; `place` names the file in errors.
///
/// # Errors
/// Says what is wrong with the header, or which tensor has a type that is not read.
pub fn read(bytes: &[u8], place: &str) -> Result<(StateDict, BTreeMap<String, String>)> {
    let fault = |found: String| {
        Error::input(
            place,
            found,
            "a complete .safetensors file",
            "The file is damaged: copy or download it again",
        )
    };
    let header_bytes = bytes
        .first_chunk::<8>()
        .map(|length| u64::from_le_bytes(*length));
    if header_bytes.is_none_or(|length| length > MAX_HEADER_BYTES as u64) {
        return Err(fault(match header_bytes {
            Some(length) => format!("a header of {length} bytes"),
            None => format!("a file of {} bytes", bytes.len()),
        }));
    }
    let file = ::safetensors::SafeTensors::deserialize(bytes)
        .map_err(|error| fault(format!("a broken file ({})", short(&error.to_string()))))?;
    let (_, header) = ::safetensors::SafeTensors::read_metadata(bytes)
        .map_err(|error| fault(format!("a broken header ({})", short(&error.to_string()))))?;
    let mut tensors = StateDict::new();
    for name in header.offset_keys() {
        let view = file
            .tensor(&name)
            .map_err(|error| fault(format!("a broken tensor ({})", short(&error.to_string()))))?;
        let data = dtype_of(view.dtype())
            .and_then(|dtype| decode(view.data(), dtype, view.shape(), ByteOrder::Little))
            .ok_or_else(|| {
                Error::input(
                    format!("{place}, tensor {}", short(&name)),
                    format!("type {}", view.dtype()),
                    "floats of 16, 32 or 64 bits, integers or truth values",
                    "Convert the file to F16 or F32",
                )
            })?;
        tensors.push((name, data));
    }
    let metadata = header.metadata().clone().unwrap_or_default();
    Ok((tensors, metadata.into_iter().collect()))
}

/// Writes tensors and metadata. Wider elements come first, so that all are aligned; within one
/// width the order stays.
///
/// # Errors
/// Names a tensor that does not fit into half precision, that is quantised, or whose name occurs
/// twice.
pub fn write(
    tensors: &[(String, TensorData)],
    metadata: &BTreeMap<String, String>,
    precision: Precision,
) -> Result<Vec<u8>> {
    let mut parts = Vec::with_capacity(tensors.len());
    for (name, data) in tensors {
        let dtype = match (is_float(data.dtype()), precision) {
            (true, Precision::Half) => DType::F16,
            (true, Precision::Full) => DType::F32,
            (false, _) => data.dtype(),
        };
        let unwritable = |found: &str, next: &str| {
            let place = format!("tensor {}", short(name));
            Error::input(place, found, "numbers that the file can hold", next)
        };
        if dtype == DType::F16 && overflows(data) {
            return Err(unwritable(
                "a value beyond 65504",
                "Write full precision: half precision ends at 65504",
            ));
        }
        let part = dtype_name(dtype).zip(encode(data, dtype));
        let (label, bytes) =
            part.ok_or_else(|| unwritable("quantised numbers", "Convert it to floats first"))?;
        parts.push((dtype.size(), name, label, data.shape().to_vec(), bytes));
    }
    parts.sort_by_key(|(width, ..)| std::cmp::Reverse(*width));

    let mut header = Map::new();
    if !metadata.is_empty() {
        header.insert("__metadata__".to_owned(), json!(metadata));
    }
    let mut end = 0;
    for (_, name, label, shape, bytes) in &parts {
        let begin = end;
        end += bytes.len();
        let entry = json!({"dtype": label, "shape": shape, "data_offsets": [begin, end]});
        if header.insert((*name).clone(), entry).is_some() {
            return Err(Error::input(
                format!("tensor {}", short(name)),
                "a name that occurs twice",
                "one tensor per name",
                "Rename or drop one of them",
            ));
        }
    }
    let mut header = Value::Object(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut file = Vec::with_capacity(8 + header.len() + end);
    file.extend((header.len() as u64).to_le_bytes());
    file.extend(header);
    for (.., bytes) in parts {
        file.extend(bytes);
    }
    Ok(file)
}

/// Whether a finite value becomes infinite in half precision.
fn overflows(data: &TensorData) -> bool {
    data.iter::<f64>()
        .any(|value| value.is_finite() && f16::from_f64(value).is_infinite())
}

fn dtype_of(dtype: ::safetensors::Dtype) -> Option<DType> {
    use ::safetensors::Dtype;
    Some(match dtype {
        Dtype::F64 => DType::F64,
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        Dtype::I64 => DType::I64,
        Dtype::I32 => DType::I32,
        Dtype::I16 => DType::I16,
        Dtype::I8 => DType::I8,
        Dtype::U64 => DType::U64,
        Dtype::U32 => DType::U32,
        Dtype::U16 => DType::U16,
        Dtype::U8 => DType::U8,
        Dtype::BOOL => DType::Bool(BoolStore::Native),
        _ => return None,
    })
}

fn dtype_name(dtype: DType) -> Option<&'static str> {
    Some(match dtype {
        DType::F64 => "F64",
        DType::F32 => "F32",
        DType::F16 => "F16",
        DType::BF16 => "BF16",
        DType::I64 => "I64",
        DType::I32 => "I32",
        DType::I16 => "I16",
        DType::I8 => "I8",
        DType::U64 => "U64",
        DType::U32 => "U32",
        DType::U16 => "U16",
        DType::U8 => "U8",
        DType::Bool(BoolStore::Native | BoolStore::U8) => "BOOL",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> StateDict {
        vec![
            ("w".into(), TensorData::new(vec![0.5f32, -3.0], [2, 1])),
            ("n".into(), TensorData::new(vec![7i64], Vec::<usize>::new())),
            ("empty".into(), TensorData::new(Vec::<f32>::new(), [0, 4])),
        ]
    }

    #[test]
    fn full_precision_comes_back_bit_for_bit_and_integers_stay_integers() {
        let metadata = BTreeMap::from([("names".to_owned(), "[\"é\"]".to_owned())]);
        let bytes = write(&sample(), &metadata, Precision::Full).unwrap();
        let (tensors, read_metadata) = read(&bytes, "test").unwrap();
        assert_eq!(read_metadata, metadata);
        for (name, data) in sample() {
            let back = &tensors.iter().find(|(other, _)| *other == name).unwrap().1;
            assert_eq!(back, &data);
        }
        assert_eq!(write(&sample(), &metadata, Precision::Full).unwrap(), bytes);
    }

    #[test]
    fn half_precision_halves_floats_and_refuses_what_it_cannot_hold() {
        let bytes = write(&sample(), &BTreeMap::new(), Precision::Half).unwrap();
        let (tensors, _) = read(&bytes, "test").unwrap();
        assert_eq!(tensors[0].1.dtype(), DType::I64);
        assert_eq!(tensors[1].1.dtype(), DType::F16);
        let large = vec![("v".to_owned(), TensorData::new(vec![70_000f32], [1]))];
        let error = write(&large, &BTreeMap::new(), Precision::Half).unwrap_err();
        assert!(error.to_string().contains("tensor v"));
    }

    #[test]
    fn a_lying_header_is_a_clear_error() {
        let with_header = |header: &str, data: &[u8]| {
            let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
            bytes.extend(header.as_bytes());
            bytes.extend(data);
            read(&bytes, "lying.safetensors").unwrap_err().to_string()
        };
        for (header, data) in [
            (
                r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#,
                &[0; 4][..],
            ),
            (
                r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
                &[0; 9],
            ),
            (
                r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
                &[0; 8],
            ),
            (
                r#"{"a":{"dtype":"F32","shape":[18446744073709551615,2],"data_offsets":[0,0]}}"#,
                &[],
            ),
            (
                r#"{"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}"#,
                &[0],
            ),
            (r#"{"a":7}"#, &[]),
            ("[]", &[]),
        ] {
            assert!(with_header(header, data).contains("lying.safetensors"));
        }
        let huge = [&u64::MAX.to_le_bytes()[..], b"{}"].concat();
        assert!(read(&huge, "x").unwrap_err().to_string().contains("header"));
        assert!(read(&[1, 2], "x").is_err());
    }
}
