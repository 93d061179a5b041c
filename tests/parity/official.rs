//! The official weights on real photos.

use burn::tensor::{Device, read_sync};
use frostline::data::picture;
use frostline::eval::{NmsOptions, detect};
use frostline::model::Yolov5;
use frostline::weights::Checkpoint;
use frostline_tests::{fixture, golden_json};

/// The bounds: decoding a JPEG and resizing it differ between libraries.
const BOX_PX: f64 = 2.0;
const CONFIDENCE: f64 = 0.01;

#[test]
fn the_official_weights_find_what_the_reference_finds() {
    let (Some(weights), Some(images)) = (fixture("weights/yolov5n.pt"), fixture("images")) else {
        return;
    };
    let checkpoint = Checkpoint::read(&weights).unwrap();
    let names = checkpoint.names.clone().unwrap();
    let device = Device::flex();
    let mut model = Yolov5::new(checkpoint.architecture.clone().unwrap(), 0, &device);
    model.load(&checkpoint.tensors, &device);
    let mut model = model.fold();
    let goldens = golden_json("official_yolov5n_detections.json");
    let cases = goldens["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 4);
    for case in cases {
        let name = case["image"].as_str().unwrap();
        let imgsz = case["imgsz"].as_u64().unwrap() as usize;
        let path = images.join(format!("{name}.jpg"));
        let options = NmsOptions {
            conf: 0.25,
            iou: 0.45,
            ..NmsOptions::default()
        };
        let image = picture::read(&path).unwrap();
        let (found, _) = read_sync(detect(
            &mut model, &image, &path, imgsz, &options, false, &device,
        ))
        .unwrap();
        let wanted = case["detections"].as_array().unwrap();
        assert_eq!(found.len(), wanted.len(), "{name} at {imgsz} px: {found:?}");
        for golden in wanted {
            let corners: Vec<f64> = golden["xyxy"]
                .as_array()
                .unwrap()
                .iter()
                .map(|v| v.as_f64().unwrap())
                .collect();
            let near = found.iter().find(|detection| {
                detection.class as u64 == golden["cls"].as_u64().unwrap()
                    && (f64::from(detection.confidence) - golden["conf"].as_f64().unwrap()).abs()
                        < CONFIDENCE
                    && detection
                        .xyxy
                        .iter()
                        .zip(&corners)
                        .all(|(a, b)| (f64::from(*a) - b).abs() < BOX_PX)
            });
            assert!(
                near.is_some(),
                "{name} at {imgsz} px: {golden} is not among {found:?}"
            );
            assert_eq!(
                names[golden["cls"].as_u64().unwrap() as usize],
                golden["class"].as_str().unwrap()
            );
        }
    }
}

#[test]
fn test_time_augmentation_gives_the_golden_rows() {
    use burn::tensor::Tensor;
    use frostline_tests::{golden_tensors, largest_difference};
    let device = Device::flex();
    let mut model = crate::network::golden_model(&device).fold();
    let input = golden_tensors("model/inputs_u8.safetensors")
        .remove("in96x160")
        .unwrap();
    let image = Tensor::<4>::from_data(input.convert::<f32>(), &device).div_scalar(255.0);
    let rows = frostline::eval::augment::predict(&mut model, image)
        .into_data()
        .try_to_vec::<f32>()
        .unwrap();
    let wanted = golden_tensors("extra/tta.safetensors")["tta_in96x160"]
        .try_to_vec::<f32>()
        .unwrap();
    // Pixels; the resized views carry the rounding of two interpolations.
    let difference = largest_difference(&rows, &wanted);
    assert!(difference < 5e-3, "{difference} px");
}
