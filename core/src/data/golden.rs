//! Reads the golden numbers for the tests beside the code.

use std::collections::HashMap;

use image::RgbImage;

fn path(name: &str) -> String {
    format!("{}/../tests/golden/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// A golden json file.
pub fn json(name: &str) -> serde_json::Value {
    let text = std::fs::read_to_string(path(name)).expect("golden file");
    serde_json::from_str(&text).expect("golden json")
}

/// All pictures `[H, W, 3]` u8 of a golden safetensors file; channels as stored (BGR).
pub fn pictures(name: &str) -> HashMap<String, RgbImage> {
    let bytes = std::fs::read(path(name)).expect("golden file");
    let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("golden tensors");
    tensors
        .iter()
        .map(|(name, view)| {
            let [height, width] = [view.shape()[0] as u32, view.shape()[1] as u32];
            let image = RgbImage::from_raw(width, height, view.data().to_vec());
            (name.to_string(), image.expect("golden shape"))
        })
        .collect()
}

/// Swaps red and blue.
pub fn swap_red_blue(image: &RgbImage) -> RgbImage {
    let mut out = image.clone();
    for pixel in out.chunks_exact_mut(3) {
        pixel.swap(0, 2);
    }
    out
}

/// A json value as a vector of numbers.
pub fn numbers(value: &serde_json::Value) -> Vec<f64> {
    let list = value.as_array().expect("a list");
    list.iter().map(|x| x.as_f64().expect("a number")).collect()
}

/// A json value as a vector of vectors of numbers.
pub fn rows(value: &serde_json::Value) -> Vec<Vec<f64>> {
    value
        .as_array()
        .expect("a list")
        .iter()
        .map(numbers)
        .collect()
}

/// A json value as `[a, b]` integers.
pub fn pair(value: &serde_json::Value) -> [usize; 2] {
    let values = numbers(value);
    [values[0] as usize, values[1] as usize]
}

/// Compares bytes: how many differ, and by how much at most.
pub fn difference(a: &[u8], b: &[u8]) -> (usize, u8) {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).fold((0, 0), |(count, most), (&x, &y)| {
        (count + usize::from(x != y), most.max(x.abs_diff(y)))
    })
}

/// Lists of rows `class, cx, cy, w, h`.
pub fn label_lists(value: &serde_json::Value) -> Vec<Vec<super::Label>> {
    let label = |row: Vec<f64>| super::Label {
        class: row[0] as usize,
        cxcywh: [1, 2, 3, 4].map(|i| row[i] as f32),
    };
    let lists = value.as_array().expect("a list").iter();
    lists
        .map(|list| rows(list).into_iter().map(label).collect())
        .collect()
}
