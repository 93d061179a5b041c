//! Target assignment, CIoU, losses and gradients.

use burn::tensor::{Device, Tensor, TensorData};
use frostline::freeze::{FreezePlan, FreezeSpec};
use frostline::loss::DetectionLoss;
use frostline::loss::assign::{Matches, assign};
use frostline::loss::ciou::ciou;
use frostline::model::architecture::ParameterKind;
use frostline::model::{Architecture, Mode, Size, Visitor};
use frostline::train::{FreezeNorms, Hyp};
use frostline_tests::{golden_json, golden_tensors, largest_difference, relative};
use serde_json::Value;

use crate::network::{golden_batch, golden_model, targets};

/// The bounds.
const LOSS: f64 = 1e-5;
const GRADIENT_NORM: f64 = 1e-4;
/// Box positions are single-precision products; the order of operations is the reference's.
const BOX: f64 = 1e-5;

fn check_assignment(targets: &Value, goldens: &[Value], imgsz: usize) {
    let targets = crate::network::targets(targets);
    let architecture = Architecture::yolov5(Size::N, 3);
    for (scale, golden) in goldens.iter().enumerate() {
        let stride = architecture.strides()[scale] as f32;
        let anchors: Vec<[f32; 2]> = architecture.anchors[scale]
            .iter()
            .map(|a| a.map(|side| side / stride))
            .collect();
        let grid = match golden["grid_hw"].as_array() {
            Some(_) => numbers(&golden["grid_hw"])
                .iter()
                .map(|&v| v as usize)
                .collect(),
            None => vec![imgsz / architecture.strides()[scale]; 2],
        };
        let found = assign(&targets, &anchors, [grid[0], grid[1]], 4.0);
        let indices = |key: &str| {
            numbers(&golden[key])
                .iter()
                .map(|&v| v as usize)
                .collect::<Vec<_>>()
        };
        let Matches {
            picture,
            anchor,
            y,
            x,
            class,
            boxes,
        } = found;
        assert_eq!(picture, indices("b"), "scale {scale}");
        assert_eq!(anchor, indices("a"), "scale {scale}");
        assert_eq!(y, indices("gj"), "scale {scale}");
        assert_eq!(x, indices("gi"), "scale {scale}");
        assert_eq!(class, indices("cls"), "scale {scale}");
        let wanted: Vec<f64> = golden["tbox"]
            .as_array()
            .expect("tbox")
            .iter()
            .flat_map(numbers)
            .collect();
        for (a, b) in boxes.concat().iter().zip(&wanted) {
            assert!((f64::from(*a) - b).abs() < BOX, "scale {scale}: {a} {b}");
        }
        assert_eq!(boxes.len() * 4, wanted.len());
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .expect("numbers")
        .iter()
        .map(|v| v.as_f64().expect("number"))
        .collect()
}

#[test]
fn target_assignment_is_exact() {
    let case = golden_json("loss/loss_model_nc3.json");
    check_assignment(
        &case["targets_img_cls_xywhn"],
        case["build_targets"].as_array().expect("scales"),
        128,
    );
}

#[test]
fn centres_on_the_border_stay_in_the_grid() {
    let case = golden_json("loss/build_targets_edge.json");
    check_assignment(
        &case["targets"],
        case["layers"].as_array().expect("scales"),
        64,
    );
}

#[test]
fn ciou_and_its_gradient_agree() {
    let case = golden_json("loss/iou_unit.json");
    let device = Device::flex().autodiff();
    let rows = |key: &str| -> Tensor<2> {
        let values: Vec<f32> = case[key]
            .as_array()
            .expect("rows")
            .iter()
            .flat_map(numbers)
            .map(|v| v as f32)
            .collect();
        let count = values.len() / 4;
        Tensor::from_data(TensorData::new(values, [count, 4]), &device)
    };
    let a = rows("a").require_grad();
    let out = ciou(a.clone(), rows("b"));
    let values = out
        .clone()
        .without_autodiff()
        .into_data()
        .try_to_vec::<f32>()
        .expect("floats");
    for (row, (a, b)) in values.iter().zip(numbers(&case["ciou"])).enumerate() {
        assert!((f64::from(*a) - b).abs() < 2e-6, "row {row}: {a} {b}");
    }
    let gradient = a
        .grad(&out.sum().backward())
        .expect("gradient")
        .into_data()
        .try_to_vec::<f32>()
        .expect("floats");
    let wanted: Vec<f64> = case["ciou_grad_a"]
        .as_array()
        .expect("rows")
        .iter()
        .flat_map(numbers)
        .collect();
    // Row 0 is a box against itself: its minima and maxima tie, where the gradient is a convention.
    for (i, (a, b)) in gradient.iter().zip(&wanted).enumerate().skip(4) {
        assert!(
            (f64::from(*a) - b).abs() < 1e-5 * b.abs().max(1.0),
            "entry {i}: {a} {b}"
        );
    }
}

fn hyp_of(case: &Value) -> (Hyp, usize) {
    // The golden's gains are already scaled for 3 classes and 128 px; ours scales by itself.
    let mut hyp = Hyp::default();
    for (key, slot) in [
        ("cls_pw", &mut hyp.cls_pw),
        ("obj_pw", &mut hyp.obj_pw),
        ("fl_gamma", &mut hyp.fl_gamma),
        ("label_smoothing", &mut hyp.label_smoothing),
        ("anchor_t", &mut hyp.anchor_t),
    ] {
        if let Some(value) = case[key].as_f64() {
            *slot = value;
        }
    }
    (hyp, 128)
}

#[test]
fn losses_of_given_heads_agree_in_every_variant() {
    let case = golden_json("loss/iso_nc3.json");
    let tensors = golden_tensors("loss/iso_nc3.safetensors");
    let device = Device::flex().autodiff();
    let architecture = Architecture::yolov5(Size::N, 3);
    let targets = targets(&case["targets_img_cls_xywhn"]);
    for (name, variant) in case["variants"].as_object().expect("variants") {
        let (hyp, imgsz) = hyp_of(&variant["hyp"]);
        let leaves: Vec<Tensor<5>> = ["p3", "p4", "p5"]
            .iter()
            .map(|key| Tensor::from_data(tensors[*key].clone(), &device).require_grad())
            .collect();
        let heads = leaves
            .iter()
            .map(|leaf| {
                let [b, a, h, w, o] = leaf.dims();
                leaf.clone()
                    .permute([0, 1, 4, 2, 3])
                    .reshape([b, a * o, h, w])
            })
            .collect();
        let output = DetectionLoss::new(&architecture, &hyp, imgsz).forward(heads, &targets);
        let total = output
            .total
            .clone()
            .without_autodiff()
            .into_data()
            .try_to_vec::<f32>()
            .expect("float")[0];
        let wanted = variant["loss"].as_f64().expect("loss");
        let difference = relative(f64::from(total), wanted, 1e-9);
        assert!(difference < LOSS, "{name}: {total} {wanted}");
        if name == "default" {
            let gradients = output.total.backward();
            for (leaf, key) in leaves.iter().zip(["g3", "g4", "g5"]) {
                let found = leaf
                    .grad(&gradients)
                    .expect("gradient")
                    .into_data()
                    .try_to_vec::<f32>()
                    .expect("floats");
                let wanted = tensors[key].try_to_vec::<f32>().expect("floats");
                let scale = wanted.iter().fold(0.0f32, |m, v| m.max(v.abs()));
                let difference = largest_difference(&found, &wanted) / scale;
                assert!(difference < 1e-5, "{key}: {difference}");
            }
        }
    }
}

struct Norms<'a> {
    gradients: &'a mut burn::tensor::Gradients,
    found: Vec<(String, f64)>,
}

impl Visitor for Norms<'_> {
    fn parameter<const D: usize>(&mut self, name: &str, _: ParameterKind, tensor: &mut Tensor<D>) {
        if let Some(gradient) = tensor.grad_remove(self.gradients) {
            let values = gradient.into_data().try_to_vec::<f32>().expect("floats");
            self.found.push((
                name.to_owned(),
                values
                    .iter()
                    .map(|v| f64::from(*v).powi(2))
                    .sum::<f64>()
                    .sqrt(),
            ));
        }
    }
}

#[test]
fn losses_and_gradients_of_the_network_agree_for_every_freeze() {
    let case = golden_json("loss/loss_model_nc3.json");
    let batch = golden_batch(&case);
    for freeze in ["0", "10", "24"] {
        let golden = &case["freeze"][freeze];
        let spec: FreezeSpec = freeze.parse().expect("spec");
        let device = Device::flex();
        let model = golden_model(&device);
        let plan = FreezePlan::resolve(&spec, model.architecture()).expect("plan");
        let mut session = frostline::train::Session::new(
            model,
            plan,
            crate::trace::config(10, 4, FreezeNorms::Drift),
            &device,
        );
        let image = frostline::train::session::image_tensor(&batch, &device);
        let heads = session.model.forward(image, Mode::Train);
        let output = DetectionLoss::new(session.model.architecture(), &Hyp::default(), 128)
            .forward(heads, &batch.targets);
        let total = f64::from(
            output
                .total
                .clone()
                .without_autodiff()
                .into_data()
                .try_to_vec::<f32>()
                .expect("float")[0],
        );
        assert!(
            relative(total, golden["loss"].as_f64().expect("loss"), 0.0) < LOSS,
            "freeze {freeze}: loss {total}"
        );
        let items = output
            .items
            .without_autodiff()
            .into_data()
            .try_to_vec::<f32>()
            .expect("floats");
        // The reference reports the items without the batch, the gains already in.
        for (item, key) in items.iter().zip(["lbox", "lobj", "lcls"]) {
            assert!(
                relative(f64::from(*item), golden[key].as_f64().expect("item"), 0.0) < LOSS,
                "freeze {freeze}: {key} {item}"
            );
        }
        let mut gradients = output.total.backward();
        let mut norms = Norms {
            gradients: &mut gradients,
            found: Vec::new(),
        };
        session.model.visit(&mut norms);
        let wanted = golden["grads"].as_object().expect("gradients");
        assert_eq!(
            Some(norms.found.len() as u64),
            golden["n_grads"].as_u64(),
            "freeze {freeze}: number of gradients"
        );
        let total: f64 = norms
            .found
            .iter()
            .map(|(_, norm)| norm * norm)
            .sum::<f64>()
            .sqrt();
        let wanted_total = golden["total_grad_norm_before_clip"]
            .as_f64()
            .expect("norm");
        assert!(
            relative(total, wanted_total, 0.0) < GRADIENT_NORM,
            "freeze {freeze}: total norm {total} {wanted_total}"
        );
        for (name, norm) in &norms.found {
            let wanted = wanted[name]["l2"].as_f64().expect("l2");
            // Small gradients are sums that cancel: they are held to the total's precision.
            let difference = relative(*norm, wanted, 1e-2 * wanted_total);
            assert!(
                difference < GRADIENT_NORM,
                "freeze {freeze}: {name} {norm} {wanted}"
            );
        }
    }
}
