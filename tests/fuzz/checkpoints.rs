//! Checkpoints: damaged `.pt` and `.safetensors` files.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _, Write as _};
use std::sync::OnceLock;

use burn::tensor::TensorData;
use frostline::model::{Architecture, Size};
use frostline::weights::{Checkpoint, Precision};
use frostline_tests::golden;
use proptest::prelude::*;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::mutate::{bounded, cases, damage, damaged};

/// A case copies and reads a file of a megabyte.
const CASES: u32 = 120;

/// Opcodes that build, call, refer, mark and repeat.
const OPCODES: [u8; 16] = *b"(.012NR}]tuaqhbc";

/// A whole training checkpoint of the reference.
fn torch() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| std::fs::read(golden("model/tiny_midrun_last.pt")).unwrap())
}

/// The archive with its pickle replaced: a zip of stored entries as the reference writes it, with true checksums, so
/// that the damage is not found before the pickle is read.
fn with_pickle(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut archive = ZipArchive::new(Cursor::new(torch())).unwrap();
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut change = Some(change);
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let name = entry.name().unwrap().into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        if name.ends_with("data.pkl") {
            change.take().unwrap()(&mut bytes);
        }
        writer.start_file(name, stored).unwrap();
        writer.write_all(&bytes).unwrap();
    }
    assert!(change.is_none(), "the archive has a pickle");
    writer.finish().unwrap().into_inner()
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
    let [plain, packed] = [torch(), &with_pickle(|_| {})]
        .map(|bytes| Checkpoint::from_bytes(bytes, "file.pt").unwrap());
    assert_eq!(plain.tensors.len(), packed.tensors.len());
}

proptest! {
    #![proptest_config(cases(CASES))]

    #[test]
    fn a_damaged_torch_file_is_refused_or_read(damages in prop::collection::vec(damage(), 1..4)) {
        read(&damaged(torch(), &damages))?;
    }

    #[test]
    fn a_damaged_pickle_in_a_torch_file_is_refused_or_read(
        damages in prop::collection::vec(damage(), 0..4),
        changes in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(&OPCODES[..])), 0..4),
    ) {
        let bytes = with_pickle(|pickle| {
            *pickle = damaged(pickle, &damages);
            for (at, opcode) in changes {
                if !pickle.is_empty() {
                    let at = at.index(pickle.len());
                    pickle[at] = opcode;
                }
            }
        });
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
