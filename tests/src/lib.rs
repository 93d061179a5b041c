//! What the tests across crates share: the golden numbers and the fixtures.

use std::collections::HashMap;
use std::path::PathBuf;

use burn::tensor::TensorData;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

/// A golden file's path.
pub fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("golden")
        .join(name)
}

/// A golden JSON file.
///
/// # Panics
/// When it cannot be read.
pub fn golden_json(name: &str) -> Value {
    let path = golden(name);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All tensors of a golden safetensors file.
///
/// # Panics
/// When it cannot be read.
pub fn golden_tensors(name: &str) -> HashMap<String, TensorData> {
    let path = golden(name);
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file = SafeTensors::deserialize(&bytes)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    file.tensors()
        .into_iter()
        .map(|(name, view)| {
            let shape = view.shape().to_vec();
            let data = match view.dtype() {
                Dtype::F32 => {
                    let values: Vec<f32> = view
                        .data()
                        .chunks_exact(4)
                        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                        .collect();
                    TensorData::new(values, shape)
                }
                Dtype::U8 => TensorData::new(view.data().to_vec(), shape),
                Dtype::I64 => {
                    let values: Vec<i64> = view
                        .data()
                        .chunks_exact(8)
                        .map(|b| {
                            i64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]])
                        })
                        .collect();
                    TensorData::new(values, shape)
                }
                other => panic!("{name}: {other:?} is not used in the goldens"),
            };
            (name.to_string(), data)
        })
        .collect()
}

/// A fixture (real weights and pictures that are not part of the project), when they are at hand.
pub fn fixture(name: &str) -> Option<PathBuf> {
    let Some(root) = std::env::var_os("FROSTLINE_FIXTURES") else {
        eprintln!("skipped: FROSTLINE_FIXTURES is not set, {name} is not at hand");
        return None;
    };
    let path = PathBuf::from(root).join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {} does not exist", path.display());
    None
}

/// Largest absolute difference.
///
/// # Panics
/// When the lengths differ.
pub fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len(), "lengths differ");
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
}

/// `|a − b| / max(|b|, floor)`.
pub fn relative(a: f64, b: f64, floor: f64) -> f64 {
    (a - b).abs() / b.abs().max(floor)
}
