//! Files that lie, end early or were flipped: an error or a checkpoint, never a panic, never long.

use std::io::{Cursor, Write};
use std::time::{Duration, Instant};

use burn::tensor::TensorData;
use proptest::prelude::*;
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

use super::*;

/// No file here may take longer; all of them together take about a second on an idle core.
const PATIENCE: Duration = Duration::from_secs(60);

/// Writes pickles by hand, as protocol 2.
#[derive(Default)]
struct Pickler(Vec<u8>);

impl Pickler {
    fn new() -> Self {
        Self(b"\x80\x02".to_vec())
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    fn text(self, text: &str) -> Self {
        let length = (text.len() as u32).to_le_bytes();
        self.raw(b"X").raw(&length).raw(text.as_bytes())
    }

    fn int(self, value: i32) -> Self {
        self.raw(b"J").raw(&value.to_le_bytes())
    }

    fn tuple(self, values: &[i32]) -> Self {
        let open = self.raw(b"(");
        values
            .iter()
            .fold(open, |it, value| it.int(*value))
            .raw(b"t")
    }

    /// A tensor as `torch.save` writes it.
    fn tensor(
        self,
        storage: (&str, &str, i32),
        offset: i32,
        shape: &[i32],
        strides: &[i32],
    ) -> Self {
        let (class, key, count) = storage;
        self.raw(b"ctorch._utils\n_rebuild_tensor_v2\n((")
            .text("storage")
            .raw(format!("ctorch\n{class}\n").as_bytes())
            .text(key)
            .text("cpu")
            .int(count)
            .raw(b"tQ")
            .int(offset)
            .tuple(shape)
            .tuple(strides)
            .raw(b"\x89ccollections\nOrderedDict\n)RtR")
    }

    fn zip(self, storages: &[(&str, &[u8])]) -> Vec<u8> {
        zip(&self.raw(b".").0, storages, CompressionMethod::Stored)
    }
}

fn zip(pickle: &[u8], storages: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    zip.start_file("archive/data.pkl", options).unwrap();
    zip.write_all(pickle).unwrap();
    for (name, bytes) in storages {
        zip.start_file(format!("archive/{name}"), options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// `{"state_dict": {two views of one storage}}` with its storage.
fn small() -> Vec<u8> {
    let storage: Vec<u8> = (0..6)
        .flat_map(|value| (value as f32).to_le_bytes())
        .collect();
    let float = ("FloatStorage", "0", 6);
    Pickler::new()
        .raw(b"}(")
        .text("epoch")
        .int(7)
        .text("state_dict")
        .raw(b"}(")
        .text("model.0.conv.weight")
        .tensor(float, 0, &[2, 3], &[3, 1])
        .text("module.model.1.conv.weight")
        .tensor(float, 1, &[2, 2], &[1, 2])
        .raw(b"uu")
        .zip(&[("data/0", &storage)])
}

fn one(
    storage: (&str, &str, i32),
    offset: i32,
    shape: &[i32],
    strides: &[i32],
    data: &[u8],
) -> Result<Checkpoint, String> {
    let bytes = Pickler::new()
        .raw(b"}")
        .text("w")
        .tensor(storage, offset, shape, strides)
        .raw(b"s")
        .zip(&[("data/0", data)]);
    Checkpoint::from_bytes(&bytes, "x.pt").map_err(|error| error.to_string())
}

fn quick<T>(work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    assert!(start.elapsed() < PATIENCE, "took {:?}", start.elapsed());
    result
}

#[test]
fn views_of_a_shared_storage_are_read_with_offset_and_strides() {
    let checkpoint = Checkpoint::from_bytes(&small(), "small.pt").unwrap();
    assert_eq!(checkpoint.epoch, Some(7));
    assert_eq!(checkpoint.metadata["source"], "state_dict");
    let expected: StateDict = vec![
        (
            "model.0.conv.weight".into(),
            TensorData::new(vec![0f32, 1., 2., 3., 4., 5.], [2, 3]),
        ),
        (
            "model.1.conv.weight".into(),
            TensorData::new(vec![1f32, 3., 2., 4.], [2, 2]),
        ),
    ];
    assert_eq!(checkpoint.tensors, expected);
}

#[test]
fn every_storage_type_and_both_byte_orders_are_read() {
    for (class, bytes) in [
        ("FloatStorage", &1f32.to_le_bytes()[..]),
        ("HalfStorage", &[0x00, 0x3c]),
        ("BFloat16Storage", &[0x80, 0x3f]),
        ("DoubleStorage", &1f64.to_le_bytes()),
        ("LongStorage", &1i64.to_le_bytes()),
        ("IntStorage", &1i32.to_le_bytes()),
        ("ShortStorage", &1i16.to_le_bytes()),
        ("CharStorage", &[1]),
        ("ByteStorage", &[1]),
        ("BoolStorage", &[1]),
    ] {
        let read = one((class, "0", 1), 0, &[1], &[1], bytes).unwrap();
        assert_eq!(read.tensors[0].1.iter::<f32>().next(), Some(1.0), "{class}");

        let big: Vec<u8> = bytes.iter().rev().copied().collect();
        let file = Pickler::new()
            .raw(b"}")
            .text("w")
            .tensor((class, "0", 1), 0, &[1], &[1])
            .raw(b"s")
            .zip(&[("data/0", &big), ("byteorder", b"big\n")]);
        let read = Checkpoint::from_bytes(&file, "x.pt").unwrap();
        assert_eq!(
            read.tensors[0].1.iter::<f32>().next(),
            Some(1.0),
            "{class}, big"
        );
    }
    let error = one(("QInt8Storage", "0", 1), 0, &[1], &[1], &[1]).unwrap_err();
    assert!(error.contains("x.pt, tensor w"), "{error}");
}

#[test]
fn views_that_leave_or_unfold_their_storage_are_errors() {
    let data = [0u8; 24];
    let float = ("FloatStorage", "0", 6);
    assert!(one(float, 0, &[6], &[1], &data).is_ok());
    assert!(one(float, 2, &[2, 2], &[1, 2], &data).is_ok());
    for (storage, offset, shape, strides) in [
        (float, 1, &[6][..], &[1][..]),
        (float, 3, &[2, 2], &[1, 2]),
        (float, -1, &[1], &[1]),
        (float, 0, &[-1], &[1]),
        (float, 0, &[2], &[-1]),
        (float, 0, &[i32::MAX, i32::MAX, i32::MAX], &[0, 0, 0]),
        (float, 0, &[7], &[0]),
        (float, 0, &[2, 3], &[1]),
        (float, 0, &[1; 9], &[1; 9]),
        (float, i32::MAX, &[2], &[i32::MAX]),
        (("FloatStorage", "0", 7), 0, &[6], &[1]),
        (("FloatStorage", "0", i32::MAX), 0, &[6], &[1]),
        (("FloatStorage", "1", 6), 0, &[6], &[1]),
        (("FloatStorage", "../data.pkl", 6), 0, &[6], &[1]),
    ] {
        let error = one(storage, offset, shape, strides, &data).unwrap_err();
        assert!(error.contains("x.pt, tensor w"), "{error}");
    }
}

#[test]
fn many_views_of_one_storage_cannot_unfold_a_small_file() {
    let data = vec![0u8; 1 << 20];
    let storage = ("ByteStorage", "0", 1 << 20);
    let mut pickle = Pickler::new().raw(b"}(");
    for view in 0..100 {
        pickle = pickle
            .text(&format!("w{view}"))
            .tensor(storage, 0, &[1 << 20], &[1]);
    }
    let bytes = pickle.raw(b"u").zip(&[("data/0", &data)]);
    let error = quick(|| Checkpoint::from_bytes(&bytes, "x.pt")).unwrap_err();
    assert!(
        error.to_string().contains("more bytes of tensors"),
        "{error}"
    );
}

#[test]
fn a_zip_that_unpacks_to_far_more_than_it_holds_is_refused() {
    let pickle = Pickler::new()
        .raw(b"}")
        .text("w")
        .tensor(("ByteStorage", "0", 1 << 26), 0, &[1 << 26], &[1])
        .raw(b"s.")
        .0;
    let bytes = zip(
        &pickle,
        &[("data/0", &vec![0; 1 << 26])],
        CompressionMethod::Deflated,
    );
    assert!(bytes.len() < 1 << 18);
    let error = quick(|| Checkpoint::from_bytes(&bytes, "bomb.pt")).unwrap_err();
    assert!(
        error.to_string().contains("more bytes to unpack"),
        "{error}"
    );
}

#[test]
fn sizes_that_a_zip_lies_about_are_errors() {
    let honest = small();
    let storage_size = 24u32.to_le_bytes();
    let places: Vec<usize> = (0..honest.len() - 4)
        .filter(|at| honest[*at..at + 4] == storage_size)
        .collect();
    assert!(
        places.len() >= 4,
        "packed and unpacked size, local and central: {places:?}"
    );
    // The central directory stands last and is the one that counts.
    for at in places.iter().rev().take(2) {
        for lie in [0u32, 23, 25, 1 << 30, u32::MAX - 1] {
            let mut bytes = honest.clone();
            bytes[*at..at + 4].copy_from_slice(&lie.to_le_bytes());
            let result = quick(|| Checkpoint::from_bytes(&bytes, "lie.pt"));
            assert!(result.is_err(), "{lie} at {at}");
        }
    }
}

#[test]
fn archives_without_a_checkpoint_say_what_they_are() {
    let error = |bytes: Vec<u8>| {
        Checkpoint::from_bytes(&bytes, "x.pt")
            .unwrap_err()
            .to_string()
    };
    let mut other = ZipWriter::new(Cursor::new(Vec::new()));
    other
        .start_file("readme.txt", SimpleFileOptions::default())
        .unwrap();
    assert!(error(other.finish().unwrap().into_inner()).contains("without data.pkl"));
    let script = zip(
        b"N.",
        &[("constants.pkl", b"N.")],
        CompressionMethod::Stored,
    );
    assert!(error(script).contains("TorchScript"));
    assert!(error(zip(b"}.", &[], CompressionMethod::Stored)).contains("a dictionary of 0 items"));
    let words = Pickler::new()
        .raw(b"}")
        .text("greeting")
        .text("hello")
        .raw(b"s")
        .zip(&[]);
    assert!(error(words).contains("greeting"));
    let order = zip(
        b"}.",
        &[("byteorder", b"middle")],
        CompressionMethod::Stored,
    );
    assert!(error(order).contains("little or big"));
}

/// A module whose `_modules` are given by `children`, all of them as `name: memo index`.
fn module(pickle: Pickler, children: &[(&str, u8)], memo: u8) -> Pickler {
    let mut pickle = pickle
        .raw(b"cm\nM\n)\x81q")
        .raw(&[memo])
        .raw(b"}")
        .text("_modules")
        .raw(b"}(");
    for (name, index) in children {
        pickle = pickle.text(name).raw(b"h").raw(&[*index]);
    }
    pickle.raw(b"usb")
}

#[test]
fn modules_that_hold_themselves_or_share_without_end_are_errors() {
    let own = module(Pickler::new(), &[("a", 0)], 0).zip(&[]);
    let error = quick(|| Checkpoint::from_bytes(&own, "own.pt"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("nested deeper"), "{error}");

    // Thirty floors, each of which holds the one below twice: 2^30 paths.
    let mut pickle = module(Pickler::new(), &[], 0).raw(b"0");
    for floor in 1..30 {
        pickle = module(pickle, &[("a", floor - 1), ("b", floor - 1)], floor).raw(b"0");
    }
    let tower = pickle.raw(b"h\x1d").zip(&[]);
    let error = quick(|| Checkpoint::from_bytes(&tower, "tower.pt"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("without end"), "{error}");
}

#[test]
fn names_that_collide_after_unwrapping_are_an_error() {
    let storage = ("ByteStorage", "0", 1);
    let bytes = Pickler::new()
        .raw(b"}(")
        .text("model.0.w")
        .tensor(storage, 0, &[1], &[1])
        .text("module.model.0.w")
        .tensor(storage, 0, &[1], &[1])
        .raw(b"u")
        .zip(&[("data/0", &[1])]);
    let error = Checkpoint::from_bytes(&bytes, "x.pt")
        .unwrap_err()
        .to_string();
    assert!(error.contains("two tensors for model.0.w"), "{error}");
}

#[test]
fn every_truncation_is_an_error() {
    let pt = small();
    for length in 0..pt.len() {
        assert!(
            Checkpoint::from_bytes(&pt[..length], "cut.pt").is_err(),
            "{length}"
        );
    }
    let checkpoint = Checkpoint::from_bytes(&pt, "small.pt").unwrap();
    let safe = checkpoint.to_safetensors(Precision::Full).unwrap();
    for length in 0..safe.len() {
        assert!(
            Checkpoint::from_bytes(&safe[..length], "cut.safetensors").is_err(),
            "{length}"
        );
    }
}

#[test]
fn truncated_and_flipped_golden_checkpoints_never_panic() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/golden/model/tiny_midrun_last.pt"
    );
    let whole = std::fs::read(path).unwrap();
    for part in 0..40 {
        let cut = &whole[..whole.len() * part / 40];
        assert!(quick(|| Checkpoint::from_bytes(cut, "cut.pt")).is_err());
    }
    // The pickle stands first and the directory last; both matter more than the numbers between.
    let mut bytes = whole.clone();
    for flip in 0..60 {
        let at = match flip % 3 {
            0 => flip * 3001 % 180_000,
            1 => whole.len() - 1 - flip * 997 % 60_000,
            _ => flip * 21_001 % whole.len(),
        };
        bytes[at] ^= 1 << (flip % 8);
        let _ = quick(|| Checkpoint::from_bytes(&bytes, "flipped.pt"));
        bytes[at] = whole[at];
    }
}

proptest! {
    #[test]
    fn flipped_bytes_of_a_small_checkpoint_never_panic(
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = small();
        for (at, value) in &flips {
            let at = at.index(bytes.len());
            bytes[at] = *value;
        }
        let _ = quick(|| Checkpoint::from_bytes(&bytes, "flipped.pt"));
    }

    /// The zip's checksum guards the pickle; here the checksum is right and the pickle is not.
    #[test]
    fn flipped_pickles_in_an_honest_zip_never_panic(
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut pickle = Pickler::new()
            .raw(b"}(")
            .text("model.0.w")
            .tensor(("FloatStorage", "0", 6), 1, &[2, 2], &[1, 2])
            .text("names")
            .raw(b"](")
            .text("cat")
            .raw(b"eu.")
            .0;
        for (at, value) in &flips {
            let at = at.index(pickle.len());
            pickle[at] = *value;
        }
        let bytes = zip(&pickle, &[("data/0", &[7; 24])], CompressionMethod::Stored);
        let _ = quick(|| Checkpoint::from_bytes(&bytes, "flipped.pt"));
    }

    #[test]
    fn flipped_bytes_of_safetensors_never_panic(
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let tensors = vec![("model.0.w".to_owned(), TensorData::new(vec![1f32; 4], [2, 2]))];
        let checkpoint = Checkpoint {
            tensors,
            names: Some(vec!["cat".into()]),
            ..Checkpoint::default()
        };
        let mut bytes = checkpoint.to_safetensors(Precision::Half).unwrap();
        for (at, value) in &flips {
            let at = at.index(bytes.len());
            bytes[at] = *value;
        }
        let _ = quick(|| Checkpoint::from_bytes(&bytes, "flipped.safetensors"));
    }
}
