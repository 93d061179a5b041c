//! Data sets, architectures and hyperparameters as yaml.

use std::path::Path;

use frostline::data::config::{DataConfig, Split};
use frostline::freeze::FreezePlan;
use frostline::model::Architecture;
use frostline::train::Hyp;
use proptest::prelude::*;

use crate::mutate::{bounded, cases, text};

/// Cases of each target, milliseconds apiece.
const CASES: u32 = 300;

const DATA: [&str; 3] = [
    "path: ../sets/cells\ntrain: images/train\nval: images/val\ntest: # none\nnc: 3\nnames: ['RBC', 'WBC', 'Platelets']\n",
    "train: [a/images, b.txt]\nval: a/images\nnames:\n  0: cat\n  1: dog\ndownload: |\n  import os\n",
    "{train: x, val: x, names: [a, b, c], nc: 3}",
];

/// The published schema, short.
const ARCHITECTURE: [&str; 2] = [
    "nc: 80\ndepth_multiple: 0.33\nwidth_multiple: 0.25\nanchors:\n  - [10,13, 16,30, 33,23]\n  - [30,61, 62,45, 59,119]\n\
     backbone:\n  [[-1, 1, Conv, [64, 6, 2, 2]],\n   [-1, 1, Conv, [128, 3, 2]],\n   [-1, 3, C3, [128]],\n   [-1, 1, Conv, [256, 3, 2]],\n   [-1, 1, SPPF, [256, 5]],\n  ]\n\
     head:\n  [[-1, 1, Conv, [128, 1, 1]],\n   [-1, 1, nn.Upsample, [None, 2, 'nearest']],\n   [[-1, 2], 1, Concat, [1]],\n   [-1, 3, C3, [128, False]],\n   [[8, 4], 1, Detect, [nc, anchors]],\n  ]\n",
    "{nc: 2, depth_multiple: 1.0, width_multiple: 1.0, anchors: [[10, 13]], backbone: [[-1, 1, Conv, [16, 3, 2]]], head: [[[0], 1, Detect, [nc, anchors]]]}",
];

const HYP: [&str; 2] = [
    "lr0: 0.01\nlrf: 0.1\nmomentum: 0.937\nweight_decay: 0.0005\nwarmup_epochs: 3.0\nbox: 0.05\ncls: 0.5\nhsv_h: 0.015\nmosaic: 1.0\n# anchors: 3\n",
    "{lr0: 1e-3, anchors: 3, degrees: 0.0, fl_gamma: 0.0}",
];

#[test]
fn the_good_texts_are_read() {
    for text in DATA {
        DataConfig::parse(text, Path::new("set.yaml")).unwrap();
    }
    for text in ARCHITECTURE {
        Architecture::from_yaml(text, "a.yaml", None).unwrap();
    }
    for text in HYP {
        Hyp::from_yaml(text, "h.yaml").unwrap();
    }
}

proptest! {
    #![proptest_config(cases(CASES))]

    #[test]
    fn any_data_yaml_is_refused_with_its_name_or_read(text in text(&DATA)) {
        match bounded(|| DataConfig::parse(&text, Path::new("nowhere/set.yaml"))) {
            Err(error) => prop_assert!(error.to_string().starts_with("nowhere/set.yaml"), "{}", error),
            Ok(config) => {
                prop_assert_eq!(config.nc(), config.names.len());
                // Nothing is looked for where there may be something.
                if !text.contains("..") && !text.contains(": .") && !text.contains(": /") {
                    for split in [Split::Train, Split::Val, Split::Test] {
                        let _ = bounded(|| config.images(split));
                    }
                }
            }
        }
    }

    #[test]
    fn any_architecture_yaml_is_refused_with_its_name_or_computes(text in text(&ARCHITECTURE), nc in prop::option::of(0..5_usize)) {
        match bounded(|| Architecture::from_yaml(&text, "a.yaml", nc)) {
            Err(error) => {
                let error = error.to_string();
                prop_assert!(error.contains("a.yaml") && error.contains("expected"), "{}", error);
            }
            Ok(architecture) => bounded(|| {
                let parameters: u64 = architecture.parameters().iter().map(|parameter| parameter.elements()).sum();
                assert_eq!(parameters, architecture.parameter_count());
                let _ = (architecture.layers(), architecture.leaf_layers(), architecture.strides(), architecture.saved());
                let _ = architecture.module_costs(64, 64);
                let plan = FreezePlan::none(&architecture);
                let _ = plan.stages[0].costs(&architecture, 64, 64, 1);
                let _ = plan.describe(&architecture);
                let again = Architecture::from_value(&architecture.to_value(), "a.yaml", None).unwrap();
                assert_eq!(again, architecture, "it reads back as it is written");
            }),
        }
    }

    #[test]
    fn any_hyperparameter_yaml_is_refused_with_its_name_or_reads_back(text in text(&HYP)) {
        match bounded(|| Hyp::from_yaml(&text, "h.yaml")) {
            Err(error) => prop_assert!(error.to_string().starts_with("h.yaml:"), "{}", error),
            Ok(hyp) => prop_assert_eq!(Hyp::from_yaml(&hyp.to_yaml(), "again.yaml").unwrap(), hyp),
        }
    }
}
