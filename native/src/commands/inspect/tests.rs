use frostline::model::Size;
use serde_json::Value;

use super::*;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/arch/");

fn settings(size: Size, nc: usize, freeze: Option<&str>) -> InspectSettings {
    InspectSettings {
        subject: Subject::Cfg(ArchitectureSource::Builtin(size)),
        freeze: freeze.map(|spec| spec.parse().unwrap()),
        lr_factor: Default::default(),
        imgsz: 640,
        batch_size: 16,
        nc: Some(nc),
        parameters: None,
        forecast: None,
        json: true,
    }
}

fn printed(settings: &InspectSettings) -> String {
    let mut out = Vec::new();
    run(settings, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn json(settings: &InspectSettings) -> Value {
    serde_json::from_str(&printed(settings)).unwrap()
}

#[test]
fn the_json_has_the_golden_counts_and_names_of_every_size_and_freeze() {
    let mut freezes = 0;
    for (file, size) in [
        ("arch_n", Size::N),
        ("arch_s", Size::S),
        ("arch_m", Size::M),
        ("arch_l", Size::L),
        ("arch_x", Size::X),
        ("arch_n_nc20", Size::N),
        ("arch_m_nc20", Size::M),
    ] {
        let text = std::fs::read_to_string(format!("{GOLDEN}{file}.json")).unwrap();
        let golden: Value = serde_json::from_str(&text).unwrap();
        let nc = golden["nc"].as_u64().unwrap() as usize;
        let found = json(&settings(size, nc, None));
        for (ours, theirs) in [
            ("parameters", "params_total"),
            ("tensors", "n_named_parameters"),
            ("state_items", "n_state_dict"),
            ("layers", "layers"),
            ("leaf_layers", "layers_leaf"),
            ("saved", "save"),
        ] {
            assert_eq!(found[ours], golden[theirs], "{file} {ours}");
        }
        assert_eq!(found["gflops"], golden["model_info_return"][3], "{file}");
        for (ours, theirs) in array(&found["modules"])
            .iter()
            .zip(array(&golden["modules"]))
        {
            assert_eq!(ours["parameters"], theirs["params"], "{file} {theirs}");
            let kind = theirs["type"].as_str().unwrap().rsplit('.').next();
            assert_eq!(ours["kind"].as_str(), kind, "{file}");
        }
        let named: Vec<Value> = array(&found["named_parameters"])
            .iter()
            .map(|p| serde_json::json!([p["name"], p["shape"]]))
            .collect();
        assert_eq!(&named, array(&golden["named_parameters"]), "{file}");

        for (spec, expected) in golden["freeze"].as_object().unwrap() {
            let found = json(&settings(size, nc, Some(spec)));
            let stage = &found["freeze"]["stages"][0];
            for (ours, theirs) in [
                ("frozen_tensors", "frozen_tensors"),
                ("frozen_parameters", "frozen_params"),
                ("trainable_tensors", "trainable_tensors"),
                ("trainable_parameters", "trainable_params"),
                ("frozen_names", "frozen_names"),
            ] {
                assert_eq!(stage[ours], expected[theirs], "{file} freeze {spec} {ours}");
            }
            freezes += 1;
        }
    }
    assert!(freezes > 10, "{freezes}");
}

fn array(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

#[test]
fn the_table_says_in_words_what_is_frozen() {
    let mut settings = settings(Size::N, 80, Some("10"));
    settings.json = false;
    let text = printed(&settings);
    assert!(
        text.contains("1,872,157 parameters in 177 tensors (349 state items)"),
        "{text}"
    );
    assert!(
        text.contains("freeze 10: 0–9 frozen, 10–24 train"),
        "{text}"
    );
    assert!(
        text.contains("99 of 177 tensors and 1,046,368 of 1,872,157 parameters frozen"),
        "{text}"
    );
    assert!(
        text.contains(
            "cut after module 9; crossing it: outputs 4 (64×80×80), 6 (128×40×40), 9 (256×20×20)"
        ),
        "{text}"
    );
    assert_eq!(text.matches("❄ frozen").count(), 10);
    assert!(!text.contains("model.0.conv.weight"), "{text}");
}

#[test]
fn freezing_more_costs_less() {
    let costs = |spec| {
        let found = json(&settings(Size::N, 80, Some(spec)));
        let costs = &found["freeze"]["stages"][0]["costs"];
        let number = |key: &str| costs[key].as_u64().unwrap();
        (
            number("weight_gradients"),
            number("activation_bytes"),
            number("cut_bytes"),
        )
    };
    let (none, ten, all) = (costs("0"), costs("10"), costs("24"));
    assert!(
        none.0 > ten.0 && ten.0 > all.0 && all.0 > 0,
        "{none:?} {ten:?} {all:?}"
    );
    assert!(
        none.1 > ten.1 && ten.1 > all.1 && all.1 > 0,
        "{none:?} {ten:?} {all:?}"
    );
    // Outputs 4, 6 and 9 of 16 pictures in f32.
    assert_eq!(
        ten.2,
        16 * 4 * (64 * 80 * 80 + 128 * 40 * 40 + 256 * 20 * 20)
    );
    assert_eq!(none.2, 0);
}

#[test]
fn stages_are_told_one_after_the_other() {
    let mut settings = settings(Size::N, 3, Some("24; 10@5; 0@20"));
    settings.json = false;
    settings.parameters = Some("model.9.cv1.*".to_owned());
    let text = printed(&settings);
    assert!(
        text.contains(", epochs 0–4: 0–23 frozen, 24 trains"),
        "{text}"
    );
    assert!(
        text.contains(", epochs 5–19: 0–9 frozen, 10–24 train"),
        "{text}"
    );
    assert!(
        text.contains(", from epoch 20: nothing frozen, 0–24 train"),
        "{text}"
    );
    assert!(text.contains("❄❄✦ by stage"), "{text}");
    assert!(text.contains("3 tensors, "), "{text}");
}

#[test]
fn a_partly_frozen_module_is_told_apart() {
    let mut settings = settings(Size::N, 3, Some("model.2.cv1.*"));
    settings.json = false;
    let text = printed(&settings);
    assert!(text.contains("◐ 3 of 15 tensors frozen"), "{text}");
    assert!(
        text.contains("2 partly frozen, 0–1 and 3–24 train"),
        "{text}"
    );
    assert!(text.contains("no cut: module 0 trains"), "{text}");
}

#[test]
fn factors_on_the_rate_are_listed_beside_their_parameters() {
    let mut settings = settings(Size::N, 3, Some("5"));
    settings.lr_factor = "backbone=0.1,9=0.25".parse().unwrap();
    settings.parameters = Some("*.cv2.conv.weight".to_owned());
    let found = json(&settings);
    let factor = |name: &str| {
        let list = array(&found["named_parameters"]);
        let of = list.iter().find(|parameter| parameter["name"] == name);
        of.unwrap()["rate_factor"].as_f64().unwrap()
    };
    assert_eq!(factor("model.6.cv2.conv.weight"), 0.1);
    assert_eq!(factor("model.9.cv2.conv.weight"), 0.25);
    assert_eq!(factor("model.13.cv2.conv.weight"), 1.0);
    settings.json = false;
    assert!(printed(&settings).contains("rate ×0.25"));
    settings.lr_factor = "0-4=0.1".parse().unwrap();
    let error = run(&settings, &mut Vec::new()).unwrap_err().to_string();
    assert!(error.contains("--freeze 5 never trains"), "{error}");
}

#[test]
fn a_pattern_that_matches_nothing_is_an_error() {
    let mut settings = settings(Size::N, 3, None);
    settings.parameters = Some("model.99.*".to_owned());
    let error = run(&settings, &mut Vec::new()).unwrap_err();
    assert!(
        error.to_string().contains("matches no parameter"),
        "{error}"
    );
}

#[test]
fn weights_know_their_architecture() {
    let mut settings = settings(Size::N, 3, None);
    let file = format!("{GOLDEN}../model/yolov5n_nc3_pickled_half.pt");
    settings.subject = Subject::Weights(file.into());
    settings.nc = None;
    let found = json(&settings);
    assert_eq!(found["nc"], 3);
    assert_eq!(found["parameters"], 1_767_976);
}
