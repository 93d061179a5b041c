//! Checkpoints: damaged `.pt` and `.safetensors` files.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use burn::tensor::TensorData;
use frostline::model::{Architecture, Size};
use frostline::weights::{Checkpoint, Precision};
use frostline_tests::golden;
use proptest::prelude::*;

use crate::mutate::{bounded, cases, damage, damaged};

/// A case copies and reads a file of a megabyte.
const CASES: u32 = 120;

/// A whole training checkpoint of the reference.
fn torch() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| std::fs::read(golden("model/tiny_midrun_last.pt")).unwrap())
}

/// The pickle inside, found by its first local header: it is stored, not compressed.
fn pickle() -> std::ops::Range<usize> {
    const NAME: &[u8] = b"data.pkl";
    let bytes = torch();
    let start = bytes
        .windows(NAME.len())
        .position(|window| window == NAME)
        .unwrap();
    let next = bytes[start..]
        .windows(4)
        .position(|window| window == b"PK\x03\x04")
        .unwrap();
    start..start + next
}

/// A small file of this program, most of it header.
fn safetensors() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        let tensors = (0..6)
            .map(|i| {
                (
                    format!("model.{i}.conv.weight"),
                    TensorData::new(vec![0.5_f32; 12], [3, 4]),
                )
            })
            .collect();
        let checkpoint = Checkpoint {
            tensors,
            names: Some(vec!["a".to_owned(), "b".to_owned(), "c".to_owned()]),
            architecture: Some(Architecture::yolov5(Size::N, 3)),
            metadata: BTreeMap::from([("note".to_owned(), "made for a test".to_owned())]),
            epoch: Some(3),
            best_fitness: Some(0.25),
        };
        checkpoint.to_safetensors(Precision::Half).unwrap()
    })
}

/// An error says which file; whatever is read is consistent enough to be written again.
fn read(bytes: &[u8]) -> Result<(), TestCaseError> {
    match bounded(|| Checkpoint::from_bytes(bytes, "file.pt")) {
        Err(error) => {
            let error = error.to_string();
            prop_assert!(
                error.contains("file.pt") && error.contains("expected"),
                "{}",
                error
            );
        }
        Ok(checkpoint) => {
            for (name, data) in &checkpoint.tensors {
                let elements: usize = data.shape().iter().product();
                prop_assert_eq!(data.iter::<f32>().count(), elements, "{}", name);
            }
            let _ = bounded(|| checkpoint.to_safetensors(Precision::Half));
        }
    }
    Ok(())
}

#[test]
fn the_good_files_are_read() {
    for bytes in [torch(), safetensors()] {
        assert!(
            !Checkpoint::from_bytes(bytes, "file.pt")
                .unwrap()
                .tensors
                .is_empty()
        );
    }
    assert!(pickle().len() > 1000, "the pickle is found");
}

proptest! {
    #![proptest_config(cases(CASES))]

    #[test]
    fn a_damaged_torch_file_is_refused_or_read(damages in prop::collection::vec(damage(), 1..4)) {
        read(&damaged(torch(), &damages))?;
    }

    #[test]
    fn a_damaged_pickle_in_a_torch_file_is_refused_or_read(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = torch().to_vec();
        let pickle = pickle();
        for (at, byte) in changes {
            bytes[pickle.start + at.index(pickle.len())] = byte;
        }
        read(&bytes)?;
    }

    #[test]
    fn a_damaged_safetensors_file_is_refused_or_read(damages in prop::collection::vec(damage(), 1..5)) {
        read(&damaged(safetensors(), &damages))?;
    }

    #[test]
    fn any_bytes_behind_a_magic_number_are_refused(
        magic in prop::sample::select(vec![&b"PK\x03\x04"[..], b"\x80\x02", b"\x10\0\0\0\0\0\0\0{", b"{\"", b""]),
        bytes in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        read(&[magic, &bytes].concat())?;
    }
}
