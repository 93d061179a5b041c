//! Golden checkpoints: every number that the reference wrote comes out, under its name.

use std::collections::BTreeMap;

use burn::tensor::{DType, TensorData};
use sha2::{Digest, Sha256};

use super::*;
use crate::model::Size;
use crate::weights::transfer;

fn golden(name: &str) -> String {
    format!(
        "{}/../tests/golden/model/{name}",
        env!("CARGO_MANIFEST_DIR")
    )
}

fn values(tensors: &StateDict) -> BTreeMap<&str, (Vec<usize>, Vec<f32>)> {
    tensors
        .iter()
        .map(|(name, data)| {
            (
                name.as_str(),
                (data.shape().to_vec(), data.iter().collect()),
            )
        })
        .collect()
}

#[test]
fn the_pickled_half_model_has_the_references_names_classes_and_architecture() {
    let checkpoint = Checkpoint::read(golden("yolov5n_nc3_pickled_half.pt")).unwrap();
    assert_eq!(checkpoint.tensors.len(), 349);
    assert_eq!(checkpoint.tensors[0].0, "model.0.conv.weight");
    assert_eq!(checkpoint.tensors[0].1.dtype(), DType::F16);
    assert_eq!(checkpoint.tensors[0].1.shape().to_vec(), [16, 3, 6, 6]);
    let names: Vec<_> = checkpoint
        .tensors
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(
        &names[1..7],
        [
            "model.0.bn.weight",
            "model.0.bn.bias",
            "model.0.bn.running_mean",
            "model.0.bn.running_var",
            "model.0.bn.num_batches_tracked",
            "model.1.conv.weight",
        ]
    );
    assert!(names.contains(&"model.24.anchors"));
    assert_eq!(checkpoint.names.as_ref().map(Vec::len), Some(3));
    assert_eq!(
        checkpoint.architecture,
        Some(Architecture::yolov5(Size::N, 3)),
        "{:?}",
        checkpoint.metadata
    );
}

#[test]
fn a_training_checkpoint_gives_the_ema_and_equals_its_golden_values() {
    let checkpoint = Checkpoint::read(golden("tiny_midrun_last.pt")).unwrap();
    assert_eq!(checkpoint.epoch, Some(4));
    assert!(
        checkpoint
            .best_fitness
            .is_some_and(|best| (0.0..=1.0).contains(&best))
    );
    assert_eq!(checkpoint.metadata["source"], "ema");
    assert_eq!(checkpoint.metadata["updates"], "3");
    assert_eq!(checkpoint.names.as_ref().unwrap()[2], "class2");
    assert_eq!(checkpoint.architecture.as_ref().unwrap().nc, 3);

    // The values file holds `ema.…` and `model.…`; reading it prefers the EMA too.
    let expected = Checkpoint::read(golden("tiny_midrun_values.safetensors")).unwrap();
    assert_eq!(expected.tensors.len(), 349);
    assert_eq!(values(&checkpoint.tensors), values(&expected.tensors));

    let (all, _) = safetensors::read(
        &fs::read(golden("tiny_midrun_values.safetensors")).unwrap(),
        "values",
    )
    .unwrap();
    let raw = all
        .iter()
        .find(|(name, _)| name == "model.model.0.bn.running_mean")
        .unwrap();
    let ema = values(&checkpoint.tensors)["model.0.bn.running_mean"]
        .1
        .clone();
    assert_ne!(
        raw.1.iter::<f32>().collect::<Vec<_>>(),
        ema,
        "the two differ"
    );
}

#[test]
fn the_pickled_half_model_keeps_its_numbers_through_safetensors() {
    let read = Checkpoint::read(golden("yolov5n_nc3_pickled_half.pt")).unwrap();
    for precision in [Precision::Half, Precision::Full] {
        let bytes = read.to_safetensors(precision).unwrap();
        assert_eq!(bytes, read.to_safetensors(precision).unwrap());
        let back = Checkpoint::from_bytes(&bytes, "again").unwrap();
        assert_eq!(values(&back.tensors), values(&read.tensors));
        assert_eq!(back.names, read.names);
        assert_eq!(back.architecture, read.architecture);
        assert_eq!(back.metadata, read.metadata);
        assert_eq!(
            (back.epoch, back.best_fitness),
            (read.epoch, read.best_fitness)
        );
        let counter = back
            .tensors
            .iter()
            .find(|(name, _)| name.ends_with("tracked"))
            .unwrap();
        assert_eq!(counter.1.dtype(), DType::I64);
    }
}

#[test]
fn the_pickled_half_model_equals_the_references_float32_state_dict_bit_for_bit() {
    // SHA-256 over name and little-endian bytes of every item, by name, of the reference's float32
    // state dict of this model; all its values are representable in half precision.
    const EXPECTED: &str = "6c85e88f92fe250e0aef96869124249953108ac836b06eb7be4ed45ab9cad427";
    let read = Checkpoint::read(golden("yolov5n_nc3_pickled_half.pt")).unwrap();
    let full =
        Checkpoint::from_bytes(&read.to_safetensors(Precision::Full).unwrap(), "full").unwrap();
    let by_name: BTreeMap<_, _> = full
        .tensors
        .iter()
        .map(|(name, data)| (name, data))
        .collect();
    let mut hash = Sha256::new();
    for (name, data) in by_name {
        hash.update(name);
        hash.update(data.as_bytes());
    }
    let found: String = hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(found, EXPECTED);
}

/// Folder with files too large for the repository.
fn fixtures() -> Option<std::path::PathBuf> {
    let folder = std::env::var_os("FROSTLINE_FIXTURES");
    if folder.is_none() {
        eprintln!("skipped: FROSTLINE_FIXTURES does not name the folder with weights/yolov5n.pt");
    }
    folder.map(Into::into)
}

#[test]
fn the_official_model_is_read_whole_and_transfers_to_new_classes() {
    let Some(folder) = fixtures() else { return };
    let checkpoint = Checkpoint::read(folder.join("weights/yolov5n.pt")).unwrap();
    assert_eq!(checkpoint.tensors.len(), 349);
    assert_eq!(checkpoint.epoch, Some(-1));
    assert_eq!(checkpoint.best_fitness, None);
    assert_eq!(checkpoint.metadata["source"], "model");
    let names = checkpoint.names.unwrap();
    assert_eq!(
        (names.len(), names[0].as_str(), names[79].as_str()),
        (80, "person", "toothbrush")
    );
    assert_eq!(
        checkpoint.architecture,
        Some(Architecture::yolov5(Size::N, 80))
    );

    // FACTS 2: the same size with other classes takes all but the three heads.
    let other = Checkpoint::read(golden("yolov5n_nc3_pickled_half.pt")).unwrap();
    let into: Vec<_> = other
        .tensors
        .iter()
        .map(|(name, data)| (name.clone(), data.shape().to_vec()))
        .collect();
    let moved = transfer(&checkpoint.tensors, &into, &[]);
    assert_eq!(moved.to_string(), "transferred 343/349 items");
    assert_eq!(
        moved.incomplete_modules().into_iter().collect::<Vec<_>>(),
        [24]
    );
    assert!(
        moved
            .taken
            .iter()
            .all(|(_, data)| matches!(data.dtype(), DType::F32 | DType::I64))
    );
}

#[test]
fn anchors_fitted_to_a_data_set_come_from_the_tensor() {
    let mut checkpoint = Checkpoint {
        architecture: Some(Architecture::yolov5(Size::N, 3)),
        ..Checkpoint::default()
    };
    let cells: Vec<f32> = (1..=18).map(|cell| cell as f32).collect();
    let tensor = TensorData::new(cells, [3, 3, 2]);
    checkpoint.tensors.push(("model.24.anchors".into(), tensor));
    checkpoint.take_anchors();
    let anchors = &checkpoint.architecture.as_ref().unwrap().anchors;
    assert_eq!(anchors[0][0], [8.0, 16.0]);
    assert_eq!(anchors[2][2], [17.0 * 32.0, 18.0 * 32.0]);

    checkpoint.tensors[0].1 = TensorData::new(vec![f32::NAN; 18], [3, 3, 2]);
    let before = checkpoint.architecture.clone();
    checkpoint.take_anchors();
    assert_eq!(checkpoint.architecture, before);
}

#[test]
fn class_names_of_another_number_than_the_network_has_are_dropped_with_a_note() {
    let checkpoint = Checkpoint {
        architecture: Some(Architecture::yolov5(Size::N, 3)),
        ..Checkpoint::default()
    };
    let checkpoint = checkpoint.with_names(Some(vec!["cat".into()]), None);
    assert_eq!(checkpoint.names, None);
    assert_eq!(checkpoint.metadata["names_problem"], "1 class names");
}

#[test]
fn metadata_that_cannot_be_read_names_its_key() {
    for (key, text) in [
        (NAMES, "[1]"),
        (ARCHITECTURE, "{"),
        (ARCHITECTURE, "{}"),
        (EPOCH, "soon"),
        (BEST_FITNESS, "best"),
    ] {
        let metadata = BTreeMap::from([(key.to_owned(), text.to_owned())]);
        let bytes = safetensors::write(&StateDict::new(), &metadata, Precision::Full).unwrap();
        let error = Checkpoint::from_bytes(&bytes, "x.safetensors")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&format!("x.safetensors, metadata {key}")),
            "{error}"
        );
    }
}

#[test]
fn foreign_files_are_named_with_a_next_step() {
    for (bytes, word) in [
        (&b""[..], "empty"),
        (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.", "torch.save"),
        (b"<!DOCTYPE html><html>", "web page"),
        (
            b"version https://git-lfs.github.com/spec/v1\n",
            "git lfs pull",
        ),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\0", "gzip"),
        (b"nonsense of some length", "Download"),
        (b"PK\x03\x04 and nothing more", "zip"),
    ] {
        let error = Checkpoint::from_bytes(bytes, "x.pt")
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("x.pt: found ") && error.contains(word),
            "{error}"
        );
    }
    let error = Checkpoint::read("no/such/file.pt").unwrap_err().to_string();
    assert!(error.contains("no/such/file.pt"));
}
