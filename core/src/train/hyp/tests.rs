use super::*;

const GOLDEN: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tests/golden/data/hyps.json"
));

#[test]
fn every_built_in_set_has_exactly_the_reference_values() {
    let golden: serde_json::Value = serde_json::from_str(GOLDEN).unwrap();
    for (name, values) in golden.as_object().unwrap() {
        let mut hyp = Hyp::named(&format!("data/hyps/hyp.{name}.yaml")).unwrap();
        for (key, value) in values.as_object().unwrap() {
            assert_eq!(hyp.get(key), value.as_f64(), "{name} {key}");
            hyp.put(key, 0.0);
        }
        // Nothing but label smoothing, which is a flag, is left over.
        for key in Hyp::KEYS.iter().filter(|key| **key != "label_smoothing") {
            assert!(matches!(hyp.get(key), None | Some(0.0)), "{name} {key}");
        }
    }
    assert_eq!(golden.as_object().unwrap().len(), Hyp::SETS.len());
}

#[test]
fn short_names_and_file_names_mean_the_same_set() {
    for (short, file) in [
        ("low", "hyp.scratch-low.yaml"),
        ("med", "hyp.scratch-med.yaml"),
        ("high", "data/hyps/hyp.scratch-high.yaml"),
        ("no-aug", "hyp.no-augmentation.yaml"),
        ("voc", "data/hyps/hyp.VOC.yaml"),
        ("objects365", "data\\hyps\\hyp.Objects365.yaml"),
    ] {
        assert!(Hyp::named(short).is_some(), "{short}");
        assert_eq!(Hyp::named(short), Hyp::named(file), "{short}");
    }
    assert_eq!(Hyp::named("mine.yaml"), None);
}

#[test]
fn yaml_reads_back_what_it_wrote() {
    for name in Hyp::SETS {
        let mut hyp = Hyp::named(name).unwrap();
        hyp.label_smoothing = 0.1;
        hyp.weight_decay = 0.000_001;
        assert_eq!(Hyp::from_yaml(&hyp.to_yaml(), "hyp.yaml").unwrap(), hyp);
    }
    assert!(!Hyp::default().to_yaml().contains("anchors:"));
}

#[test]
fn a_partial_file_keeps_the_defaults_and_takes_exponents() {
    let hyp = Hyp::from_yaml("# mine\nlr0: 1e-3\nmosaic: 0\n", "mine.yaml").unwrap();
    let expected = Hyp {
        lr0: 0.001,
        mosaic: 0.0,
        ..Hyp::default()
    };
    assert_eq!(hyp, expected);
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_key() {
    let error = Hyp::from_yaml("lr0: 0.01\nmomentun: 0.9\n", "mine.yaml").unwrap_err();
    let message = error.to_string();
    assert!(
        message.starts_with("mine.yaml:2: found unknown hyperparameter `momentun`"),
        "{message}"
    );
    assert!(message.ends_with("Did you mean `momentum`?"), "{message}");
}

#[test]
fn bad_values_are_named_with_their_line() {
    for (text, start) in [
        ("lr0: fast\n", "mine.yaml:1: found lr0: `fast`"),
        ("lr0: 0.1\nfliplr: 1.5\n", "mine.yaml:2: found fliplr = 1.5"),
        ("momentum: 1.0\n", "mine.yaml:1: found momentum = 1"),
        ("\n\nlr0: [1, 2]\n", "mine.yaml:3: found lr0: a list"),
        ("lr0: .nan\n", "mine.yaml:1: found"),
        ("- 1\n- 2\n", "mine.yaml:1: found"),
        ("lr0: 0.1\nlr0: 0.2\n", "mine.yaml:2: found"),
    ] {
        let message = Hyp::from_yaml(text, "mine.yaml").unwrap_err().to_string();
        assert!(message.starts_with(start), "{text:?}: {message}");
    }
}

#[test]
fn evolved_sets_ask_for_three_anchors_per_scale() {
    assert_eq!(Hyp::default().anchors_per_scale(), None);
    for name in ["voc", "objects365"] {
        assert_eq!(Hyp::named(name).unwrap().anchors_per_scale(), Some(3));
    }
}
