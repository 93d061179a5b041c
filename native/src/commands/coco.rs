//! COCO's forms: detections as its results, and the labels that they are measured against.

use std::path::Path;

use frostline::data::dataset::Dataset;
use frostline::eval::Detection;
use serde_json::{Value, json};

/// A picture's id: its number when its name is one, else its name.
fn image_id(path: &Path) -> Value {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    name.parse::<u64>()
        .map_or_else(|_| Value::from(name.as_ref()), Value::from)
}

/// A detection, in pixels of the picture at `path`.
pub fn result(path: &Path, detection: &Detection) -> Value {
    let [x1, y1, x2, y2] = detection.xyxy.map(f64::from);
    let bbox = [x1, y1, x2 - x1, y2 - y1].map(|side| round(side, 1e3));
    json!({
        "image_id": image_id(path),
        "category_id": detection.class,
        "bbox": bbox,
        "score": round(f64::from(detection.confidence), 1e5),
    })
}

/// The pictures of `dataset` with their boxes and classes.
pub fn annotations(dataset: &Dataset) -> Value {
    let mut boxes = vec![];
    let mut images = vec![];
    for item in &dataset.items {
        let [width, height] = item.size.map(|side| side as f64);
        let id = image_id(&item.path);
        for label in &item.labels {
            let [cx, cy, w, h] = label.cxcywh.map(f64::from);
            let (w, h) = (w * width, h * height);
            let bbox =
                [cx * width - w / 2.0, cy * height - h / 2.0, w, h].map(|side| round(side, 1e3));
            boxes.push(json!({
                // COCO's own program takes 0 for no box at all.
                "id": boxes.len() + 1,
                "image_id": id,
                "category_id": label.class,
                "bbox": bbox,
                "area": round(w * h, 1e3),
                "iscrowd": 0,
            }));
        }
        let file = item.path.file_name().unwrap_or_default().to_string_lossy();
        images.push(
            json!({ "id": id, "file_name": file, "width": item.size[0], "height": item.size[1] }),
        );
    }
    let categories = dataset.names.iter().enumerate();
    let categories: Vec<Value> = categories
        .map(|(id, name)| json!({ "id": id, "name": name }))
        .collect();
    json!({ "info": {}, "images": images, "annotations": boxes, "categories": categories })
}

fn round(value: f64, places: f64) -> f64 {
    (value * places).round() / places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_is_its_corner_and_its_size_in_pixels() {
        let detection = Detection {
            xyxy: [10.0, 20.5, 40.0, 60.0],
            confidence: 0.912_352,
            class: 2,
        };
        let row = result(Path::new("set/000042.jpg"), &detection);
        assert_eq!(row["image_id"], 42);
        assert_eq!(row["bbox"], json!([10.0, 20.5, 30.0, 39.5]));
        assert_eq!(row["score"], json!(0.91235));
        assert_eq!(
            result(Path::new("a/cat.png"), &detection)["image_id"],
            "cat"
        );
    }
}
