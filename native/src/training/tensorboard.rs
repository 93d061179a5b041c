//! A file of events that TensorBoard shows: figures by name and epoch.
//!
//! A file is a row of records: length (8 bytes), its checksum, an `Event` as protobuf, its checksum; all little-endian
//! (<https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details>).

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use frostline::protobuf::Message;
use frostline::{Error, Result};

/// What the first record of every file says.
const VERSION: &str = "brain.Event:2";

/// A file of events, open to be added to.
#[derive(Debug)]
pub struct EventFile {
    path: PathBuf,
    file: File,
}

impl EventFile {
    /// Makes a new file in `folder`. A run that goes on makes another one; TensorBoard reads all in the order of their names.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(folder: &Path) -> Result<Self> {
        let name = format!(
            "events.out.tfevents.{:010}.frostline.{}",
            now() as u64,
            std::process::id()
        );
        let path = folder.join(name);
        let file = OpenOptions::new().append(true).create(true).open(&path);
        let file = file.map_err(Error::io(&path))?;
        let mut events = Self { path, file };
        let mut first = Message::default();
        first.double(1, now());
        first.text(3, VERSION);
        events.append(&first.into_bytes())?;
        Ok(events)
    }

    /// Adds figures of an epoch, which counts from 0.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn scalars(&mut self, epoch: usize, figures: &[(&str, f64)]) -> Result<()> {
        let mut event = Message::default();
        event.double(1, now());
        event.int(2, epoch as i64);
        event.message(5, |summary| {
            for (tag, value) in figures {
                summary.message(1, |figure| {
                    figure.text(1, tag);
                    figure.float(2, *value as f32);
                });
            }
        });
        self.append(&event.into_bytes())
    }

    fn append(&mut self, event: &[u8]) -> Result<()> {
        // One write a record: a reader never sees half of one.
        self.file
            .write_all(&record(event))
            .map_err(Error::io(&self.path))
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}

fn record(event: &[u8]) -> Vec<u8> {
    let length = (event.len() as u64).to_le_bytes();
    let parts = [
        &length[..],
        &checksum(&length).to_le_bytes(),
        event,
        &checksum(event).to_le_bytes(),
    ];
    parts.concat()
}

/// CRC-32C, turned and moved, so that a checksum over checksums means something.
fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use frostline::protobuf::{Field, fields};

    use super::*;

    /// The events of a file, its checksums looked at.
    fn read(path: &Path) -> Vec<Vec<u8>> {
        let bytes = std::fs::read(path).unwrap();
        let mut rest = &bytes[..];
        let mut events = Vec::new();
        while !rest.is_empty() {
            let length = rest.split_off(..8).unwrap();
            let sum = |rest: &mut &[u8]| rest.split_off(..4).unwrap().to_vec();
            assert_eq!(sum(&mut rest), checksum(length).to_le_bytes());
            let length = u64::from_le_bytes(length.try_into().unwrap()) as usize;
            let event = rest.split_off(..length).unwrap();
            assert_eq!(sum(&mut rest), checksum(event).to_le_bytes());
            events.push(event.to_vec());
        }
        events
    }

    #[test]
    fn the_first_record_names_the_version_and_each_epoch_has_its_figures() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = EventFile::create(folder.path()).unwrap();
        file.scalars(3, &[("train/box_loss", 0.5), ("metrics/mAP_0.5", 0.25)])
            .unwrap();
        let events = read(&file.path);
        let fields_of = |bytes| fields(bytes).collect::<Option<Vec<_>>>().unwrap();
        let first = fields_of(&events[0]);
        assert_eq!(first[1], (3, Field::Bytes(VERSION.as_bytes())));
        let second = fields_of(&events[1]);
        assert_eq!(second[1], (2, Field::Int(3)));
        let (5, Field::Bytes(summary)) = second[2] else {
            panic!("{second:?}");
        };
        let figures: Vec<_> = fields_of(summary)
            .into_iter()
            .map(|(_, figure)| match figure {
                Field::Bytes(figure) => fields_of(figure),
                other => panic!("{other:?}"),
            })
            .collect();
        let figure = |tag: &'static str, value: f32| {
            vec![
                (1, Field::Bytes(tag.as_bytes())),
                (2, Field::Fixed32(value.to_bits())),
            ]
        };
        assert_eq!(
            figures,
            [
                figure("train/box_loss", 0.5),
                figure("metrics/mAP_0.5", 0.25)
            ]
        );
    }

    /// CRC-32C of "123456789" is 0xe3069283 in every catalogue of checksums.
    #[test]
    fn the_checksum_is_crc_32c_turned_by_15_and_moved() {
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        // Turned: 0x2507c60d.
        assert_eq!(checksum(b"123456789"), 0xc78a_b0e5);
    }
}
