use super::*;
use serde_json::Value;

/// The reference's facts about one architecture.
pub(crate) fn golden(name: &str) -> Value {
    let path = format!(
        concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../tests/golden/arch/arch_{}.json"
        ),
        name
    );
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Every golden architecture with ours.
pub(crate) fn all() -> Vec<(Value, Architecture)> {
    ["n", "s", "m", "l", "x", "n_nc20", "m_nc20"]
        .into_iter()
        .map(|name| {
            let golden = golden(name);
            let size = golden["size"].as_str().unwrap().parse().unwrap();
            let nc = golden["nc"].as_u64().unwrap() as usize;
            (golden, Architecture::yolov5(size, nc))
        })
        .collect()
}

#[test]
fn parameters_have_the_reference_names_shapes_and_order() {
    for (golden, ours) in all() {
        let ours: Value = (ours.parameters().iter())
            .map(|p| serde_json::json!([p.name, p.shape]))
            .collect();
        assert_eq!(ours, golden["named_parameters"], "{}", golden["size"]);
    }
}

#[test]
fn state_has_the_reference_names_shapes_types_and_order() {
    for (golden, ours) in all() {
        let ours: Value = (ours.state().iter())
            .map(|item| {
                let kind = if item.integer { "int64" } else { "float32" };
                serde_json::json!([item.name, item.shape, kind])
            })
            .collect();
        assert_eq!(ours, golden["state_dict"], "{}", golden["size"]);
    }
}

#[test]
fn modules_read_the_same_inputs_and_have_the_same_parameter_counts() {
    for (golden, ours) in all() {
        let rows = golden["modules"].as_array().unwrap();
        assert_eq!(rows.len(), ours.modules.len());
        let counts = ours.module_parameters();
        for ((row, module), count) in rows.iter().zip(&ours.modules).zip(counts) {
            let kind = row["type"].as_str().unwrap().rsplit('.').next().unwrap();
            assert_eq!(module.kind.name(), kind);
            assert_eq!(
                row["params"].as_u64().unwrap(),
                count,
                "module {}",
                module.index
            );
            let list = match &row["f"] {
                Value::Array(list) => list.clone(),
                one => vec![one.clone()],
            };
            let from: Vec<i64> = (list.iter().map(|f| f.as_i64().unwrap()))
                .map(|f| if f < 0 { f + module.index as i64 } else { f })
                .filter(|&f| f >= 0)
                .collect();
            assert_eq!(
                module.from.iter().map(|&f| f as i64).collect::<Vec<_>>(),
                from
            );
            assert_eq!(module.kind.has_parameters(), count > 0);
        }
    }
}

#[test]
fn totals_layers_strides_anchors_and_saved_outputs_equal_the_reference() {
    for (golden, ours) in all() {
        assert_eq!(golden["params_total"], ours.parameter_count());
        assert_eq!(golden["layers"], ours.layers());
        assert_eq!(golden["layers_leaf"], ours.leaf_layers());
        assert_eq!(golden["save"], serde_json::json!(ours.saved()));
        let strides: Vec<f64> = ours.strides().iter().map(|&s| s as f64).collect();
        assert_eq!(golden["stride"], serde_json::json!(strides));
        assert_eq!(
            golden["anchors_grid"],
            serde_json::json!(ours.anchors_grid())
        );
        assert_eq!(ours.backbone, 10);
        assert_eq!(ours.max_stride(), 32);
    }
}

#[test]
fn parameter_kinds_are_the_three_optimizer_groups() {
    let parameters = Architecture::yolov5(Size::N, 80).parameters();
    let count = |kind| parameters.iter().filter(|p| p.kind == kind).count();
    assert_eq!(count(ParameterKind::Weight), 60); // 57 blocks and 3 of Detect's
    assert_eq!(count(ParameterKind::NormWeight), 57);
    assert_eq!(count(ParameterKind::Bias), 60);
}

#[test]
fn sizes_are_understood_by_letter_name_and_file() {
    for text in [
        "n",
        "N",
        "yolov5n",
        "yolov5n.yaml",
        "models/yolov5n.yaml",
        "models\\yolov5n.yml",
    ] {
        assert_eq!(text.parse::<Size>().unwrap(), Size::N, "{text}");
    }
    for text in [
        "", "yolov5", "yolov5n6", "yolov8n", "nn", "n.pt", "yolov5n/",
    ] {
        let error = text.parse::<Size>().unwrap_err().to_string();
        assert!(error.contains("yolov5n, yolov5s"), "{error}");
    }
    for size in Size::ALL {
        assert_eq!(size.to_string().parse::<Size>().unwrap(), size);
    }
}

#[test]
fn class_counts_outside_the_limits_are_taken_to_the_nearest() {
    assert_eq!(Architecture::yolov5(Size::N, 0).nc, 1);
    assert_eq!(Architecture::yolov5(Size::N, usize::MAX).nc, MAX_CLASSES);
}

#[test]
fn architectures_survive_serialization() {
    for (_, ours) in all() {
        let json = serde_json::to_string(&ours).unwrap();
        assert_eq!(serde_json::from_str::<Architecture>(&json).unwrap(), ours);
    }
    assert!(serde_json::from_str::<Architecture>("{}").is_err());
}
