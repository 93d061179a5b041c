//! The seeded golden network (yolov5n, 3 classes).

use burn::tensor::Device;
use frostline::data::{Batch, Label, Placement};
use frostline::model::{Architecture, Size, Yolov5};
use frostline::weights::Checkpoint;
use frostline_tests::{golden, golden_tensors};
use serde_json::Value;

pub fn golden_model(device: &Device) -> Yolov5 {
    let checkpoint = Checkpoint::read(golden("model/yolov5n_nc3_pickled_half.pt"))
        .expect("the golden checkpoint");
    let mut model = Yolov5::new(Architecture::yolov5(Size::N, 3), 0, device);
    model.load(&checkpoint.tensors, device);
    model
}

/// The four golden pictures and their boxes.
pub fn golden_batch(case: &Value) -> Batch {
    let images = golden_tensors("loss/images_4x3x128x128_u8.safetensors")
        .remove("images")
        .expect("images");
    let placement = Placement {
        path: "golden".into(),
        original: [128, 128],
        ratio: [1.0, 1.0],
        pad: [0.0, 0.0],
    };
    Batch {
        pixels: images.try_to_vec::<u8>().expect("bytes"),
        shape: [4, 3, 128, 128],
        targets: targets(&case["targets_img_cls_xywhn"]),
        placements: vec![placement; 4],
    }
}

/// Rows `[picture, class, cx, cy, w, h]`.
pub fn targets(rows: &Value) -> Vec<(usize, Label)> {
    let rows = rows.as_array().expect("rows");
    rows.iter()
        .map(|row| {
            let v: Vec<f64> = row
                .as_array()
                .expect("row")
                .iter()
                .map(|v| v.as_f64().expect("number"))
                .collect();
            let label = Label {
                class: v[1] as usize,
                cxcywh: [v[2] as f32, v[3] as f32, v[4] as f32, v[5] as f32],
            };
            (v[0] as usize, label)
        })
        .collect()
}
