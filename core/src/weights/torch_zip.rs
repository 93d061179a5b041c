//! A `.pt` file of PyTorch 1.6 or newer: a zip with `data.pkl` and one entry per storage.
//!
//! Entry names are only looked up inside the archive; none is ever used as a path.

use std::collections::HashMap;
use std::fmt::Display;
use std::io::{Cursor, Read};
use std::rc::Rc;

use burn::tensor::{BoolStore, DType, TensorData};
use zip::{CompressionMethod, ZipArchive};

use super::elements::{ByteOrder, decode, element_count};
use super::pickle;
use super::value::{Pickle, Ref, Value, short};
use crate::error::{Error, Result};

/// The most bytes that are unpacked from one file, and the most that its tensors may take.
/// The largest official checkpoint (x, with EMA and optimizer) has 0.7 GB.
pub(super) const MAX_TOTAL_BYTES: u64 = if cfg!(target_pointer_width = "32") {
    1 << 30
} else {
    2 << 30
};
/// How many times larger than the file the unpacked data may be. PyTorch does not compress.
const MAX_EXPANSION: u64 = 32;
/// What any file may unpack to, however small it is.
const FREE_EXPANSION: u64 = 1 << 20;
/// Deflate cannot compress better than 1032 : 1.
const DEFLATE_LIMIT: u64 = 1032;
const MAX_RANK: usize = 8;
const DAMAGED: &str = "The file is damaged: copy or download it again";

/// An opened `.pt` file.
pub(super) struct Archive<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    place: &'a str,
    file_bytes: u64,
    /// The folder that holds everything, with its slash.
    prefix: String,
    order: ByteOrder,
    /// Bytes that may still be unpacked.
    unpack_left: u64,
    /// Bytes that tensors may still take.
    tensors_left: u64,
    storages: HashMap<String, Rc<Vec<u8>>>,
}

impl<'a> Archive<'a> {
    /// Opens a zip and finds its pickle.
    pub(super) fn open(bytes: &'a [u8], place: &'a str) -> Result<Self> {
        let zip = ZipArchive::new(Cursor::new(bytes)).map_err(|error| {
            Error::input(
                place,
                format!("a zip that cannot be read ({error})"),
                "a complete .pt file",
                DAMAGED,
            )
        })?;
        if zip.has_duplicate_names() {
            return Err(Error::input(
                place,
                "a zip with two entries of one name",
                "a .pt file as PyTorch writes it",
                DAMAGED,
            ));
        }
        let Some(prefix) = zip.file_names_raw().find_map(|name| {
            let name = std::str::from_utf8(name).ok()?;
            let prefix = name.strip_suffix("data.pkl")?;
            let folders = prefix.matches('/').count();
            (folders == 0 && prefix.is_empty() || folders == 1 && prefix.ends_with('/'))
                .then(|| prefix.to_owned())
        }) else {
            return Err(Error::input(
                place,
                "a zip without data.pkl",
                "a .pt file that torch.save wrote, or .safetensors",
                "Name the checkpoint itself; unpack archives that only contain it",
            ));
        };
        if zip
            .index_for_name(&format!("{prefix}constants.pkl"))
            .is_some()
        {
            return Err(Error::input(
                place,
                "a TorchScript program",
                "a training checkpoint (.pt) or .safetensors",
                "Use the .pt file that this program was exported from",
            ));
        }
        let budget = (bytes.len() as u64)
            .saturating_mul(MAX_EXPANSION)
            .saturating_add(FREE_EXPANSION)
            .min(MAX_TOTAL_BYTES);
        let mut archive = Self {
            zip,
            place,
            file_bytes: bytes.len() as u64,
            prefix,
            order: ByteOrder::Little,
            unpack_left: budget,
            tensors_left: budget,
            storages: HashMap::new(),
        };
        archive.order = match archive
            .entry("byteorder")?
            .as_deref()
            .map(<[u8]>::trim_ascii)
        {
            None | Some(b"little") => ByteOrder::Little,
            Some(b"big") => ByteOrder::Big,
            Some(other) => {
                let found = short(&String::from_utf8_lossy(other));
                return Err(Error::input(
                    format!("{place}, {}byteorder", archive.prefix),
                    format!("`{found}`"),
                    "little or big",
                    DAMAGED,
                ));
            }
        };
        Ok(archive)
    }

    /// Reads `data.pkl`.
    pub(super) fn pickle(&mut self) -> Result<Pickle> {
        let place = format!("{}, {}data.pkl", self.place, short(&self.prefix));
        let bytes = self.entry("data.pkl")?;
        pickle::read(&bytes.unwrap_or_default(), &place)
    }

    /// Unpacks one entry; `None` if there is no such entry.
    fn entry(&mut self, name: &str) -> Result<Option<Vec<u8>>> {
        let name = format!("{}{name}", self.prefix);
        let place = format!("{}, {}", self.place, short(&name));
        let fault =
            |found: &dyn Display, expected: &str| Error::input(&place, found, expected, DAMAGED);
        let Some(index) = self.zip.index_for_name(&name) else {
            return Ok(None);
        };
        let file_bytes = self.file_bytes;
        let entry = self
            .zip
            .by_index(index)
            .map_err(|error| fault(&format_args!("an unreadable entry ({error})"), "an entry"))?;
        let (size, packed) = (entry.size(), entry.compressed_size());
        let possible = match entry.compression() {
            CompressionMethod::Stored => packed,
            _ => packed.saturating_mul(DEFLATE_LIMIT),
        };
        if packed > file_bytes || size > possible {
            return Err(fault(
                &format_args!(
                    "an entry of {size} bytes in {packed} bytes of a file of {file_bytes}"
                ),
                "sizes that fit each other",
            ));
        }
        if size > self.unpack_left {
            return Err(fault(
                &format_args!("{size} more bytes to unpack"),
                &format!("at most {} more from a file of this size", self.unpack_left),
            ));
        }
        let mut bytes = Vec::new();
        let reserved = bytes.try_reserve_exact(size as usize);
        reserved.map_err(|_| fault(&format_args!("{size} bytes"), "what fits into memory"))?;
        entry
            .take(size + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| fault(&format_args!("an unreadable entry ({error})"), "an entry"))?;
        if bytes.len() as u64 != size {
            return Err(fault(
                &format_args!("{} bytes or more", bytes.len()),
                &format!("the declared {size} bytes"),
            ));
        }
        self.unpack_left -= size;
        Ok(Some(bytes))
    }

    fn storage(&mut self, key: &str) -> Result<Option<Rc<Vec<u8>>>> {
        if let Some(bytes) = self.storages.get(key) {
            return Ok(Some(Rc::clone(bytes)));
        }
        let Some(bytes) = self.entry(&format!("data/{key}"))? else {
            return Ok(None);
        };
        let bytes = Rc::new(bytes);
        self.storages.insert(key.to_owned(), Rc::clone(&bytes));
        Ok(Some(bytes))
    }

    /// Builds the tensor that a `_rebuild_…` call describes; `name` names it in errors.
    pub(super) fn tensor(&mut self, pickle: &Pickle, at: Ref, name: &str) -> Result<TensorData> {
        let place = format!("{}, tensor {}", self.place, short(name));
        let fault = |found: &dyn Display, expected: &dyn Display| {
            Error::input(&place, found, expected, DAMAGED)
        };
        let Some(View {
            dtype,
            key,
            declared,
            offset,
            shape,
            strides,
        }) = View::of(pickle, at)
        else {
            return Err(fault(
                &pickle.describe(at),
                &"a tensor in a storage of float, half, bfloat16, double, long, int, short, char, byte or bool",
            ));
        };
        let Some(storage) = self.storage(key)? else {
            return Err(fault(
                &format_args!("no storage `{}`", short(key)),
                &"an entry in the zip for it",
            ));
        };
        let width = dtype.size();
        if declared.checked_mul(width) != Some(storage.len()) {
            return Err(fault(
                &format_args!("a storage of {} bytes", storage.len()),
                &format_args!("{declared} elements of {width} bytes"),
            ));
        }
        let bounds = || {
            fault(
                &format_args!("a view of shape {shape:?}, strides {strides:?} from {offset}"),
                &format_args!("a view within its storage of {declared} elements"),
            )
        };
        let count = element_count(&shape).ok_or_else(bounds)?;
        // A view that repeats elements could unfold a small file into a large tensor.
        if count > declared {
            return Err(bounds());
        }
        let bytes = count * width;
        self.tensors_left = self.tensors_left.checked_sub(bytes as u64).ok_or_else(|| {
            fault(
                &format_args!("{bytes} more bytes of tensors"),
                &format_args!(
                    "at most {} more from a file of this size",
                    self.tensors_left
                ),
            )
        })?;
        let gathered;
        let elements = if count == 0 {
            &[][..]
        } else if is_contiguous(&shape, &strides) {
            let end = offset.checked_add(count).filter(|end| *end <= declared);
            &storage[offset * width..end.ok_or_else(bounds)? * width]
        } else {
            gathered = gather(&storage, width, offset, &shape, &strides).ok_or_else(bounds)?;
            &gathered
        };
        decode(elements, dtype, &shape, self.order).ok_or_else(bounds)
    }
}

/// A tensor as the pickle describes it: a strided view of a storage.
struct View<'p> {
    dtype: DType,
    key: &'p str,
    /// Elements of the storage.
    declared: usize,
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

impl<'p> View<'p> {
    fn of(pickle: &'p Pickle, at: Ref) -> Option<Self> {
        let (storage, offset, shape, strides) = match pickle.call(at)? {
            ("_rebuild_parameter" | "_rebuild_parameter_with_state", [tensor, ..]) => {
                // A parameter wraps a tensor, never another parameter.
                return match pickle.call(*tensor)? {
                    ("_rebuild_parameter" | "_rebuild_parameter_with_state", _) => None,
                    _ => Self::of(pickle, *tensor),
                };
            }
            ("_rebuild_tensor_v2" | "_rebuild_tensor", [storage, offset, shape, strides, ..]) => {
                (*storage, *offset, *shape, *strides)
            }
            _ => return None,
        };
        let Value::Persistent(id) = pickle.get(storage) else {
            return None;
        };
        let [kind, class, key, _device, declared, ..] = pickle.sequence(*id)? else {
            return None;
        };
        if pickle.text(*kind)? != "storage" {
            return None;
        }
        let view = Self {
            dtype: storage_dtype(pickle.global(*class)?.1)?,
            key: pickle.text(*key)?,
            declared: size(pickle, *declared)?,
            offset: size(pickle, offset)?,
            shape: sizes(pickle, shape)?,
            strides: sizes(pickle, strides)?,
        };
        (view.shape.len() == view.strides.len()).then_some(view)
    }
}

/// Whether a value is a tensor or parameter.
pub(super) fn is_tensor(pickle: &Pickle, at: Ref) -> bool {
    pickle
        .call(at)
        .is_some_and(|(name, _)| name.starts_with("_rebuild_"))
}

fn size(pickle: &Pickle, at: Ref) -> Option<usize> {
    usize::try_from(pickle.integer(at)?).ok()
}

/// A shape or strides: a tuple, or torch's `Size` of a tuple.
fn sizes(pickle: &Pickle, at: Ref) -> Option<Vec<usize>> {
    let items = match pickle.call(at) {
        Some(("Size", [tuple])) => pickle.sequence(*tuple)?,
        _ => pickle.sequence(at)?,
    };
    if items.len() > MAX_RANK {
        return None;
    }
    items.iter().map(|item| size(pickle, *item)).collect()
}

fn storage_dtype(class: &str) -> Option<DType> {
    Some(match class {
        "FloatStorage" => DType::F32,
        "HalfStorage" => DType::F16,
        "BFloat16Storage" => DType::BF16,
        "DoubleStorage" => DType::F64,
        "LongStorage" => DType::I64,
        "IntStorage" => DType::I32,
        "ShortStorage" => DType::I16,
        "CharStorage" => DType::I8,
        "ByteStorage" => DType::U8,
        "BoolStorage" => DType::Bool(BoolStore::Native),
        _ => return None,
    })
}

fn is_contiguous(shape: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1usize;
    shape.iter().zip(strides).rev().all(|(size, stride)| {
        let fits = *size == 1 || *stride == expected;
        expected = expected.saturating_mul(*size);
        fits
    })
}

/// Copies a strided view; `None` if it leaves the storage. No size is 0 here.
fn gather(
    storage: &[u8],
    width: usize,
    offset: usize,
    shape: &[usize],
    strides: &[usize],
) -> Option<Vec<u8>> {
    let last = shape
        .iter()
        .zip(strides)
        .try_fold(offset, |last, (size, stride)| {
            last.checked_add(stride.checked_mul(size - 1)?)
        })?;
    if last >= storage.len() / width {
        return None;
    }
    let mut bytes = Vec::with_capacity(element_count(shape)? * width);
    let mut index = vec![0; shape.len()];
    let mut from = offset;
    loop {
        bytes.extend_from_slice(&storage[from * width..(from + 1) * width]);
        // Count up like an odometer, the last dimension fastest.
        let mut dimension = shape.len();
        loop {
            if dimension == 0 {
                return Some(bytes);
            }
            dimension -= 1;
            index[dimension] += 1;
            // A stride of a dimension of size 1 may be any number: it is added and taken back.
            from = from.wrapping_add(strides[dimension]);
            if index[dimension] < shape[dimension] {
                break;
            }
            from = from.wrapping_sub(strides[dimension].wrapping_mul(shape[dimension]));
            index[dimension] = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transposed_view_is_gathered_in_row_order() {
        let storage: Vec<u8> = (0..7).collect();
        assert_eq!(
            gather(&storage, 1, 1, &[3, 2], &[1, 3]).unwrap(),
            [1, 4, 2, 5, 3, 6]
        );
        assert_eq!(
            gather(&storage, 1, 2, &[3, 2], &[1, 3]),
            None,
            "one too far"
        );
        assert_eq!(gather(&storage, 1, 0, &[2], &[usize::MAX]), None);
    }

    #[test]
    fn strides_of_size_one_do_not_matter_for_contiguity() {
        assert!(is_contiguous(&[2, 1, 3], &[3, 99, 1]));
        assert!(is_contiguous(&[], &[]));
        assert!(!is_contiguous(&[2, 3], &[1, 2]));
    }
}
