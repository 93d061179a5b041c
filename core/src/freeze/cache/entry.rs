//! One view of one picture as bytes: its labels, then the maps that cross the cut.
//!
//! Little-endian: the number of labels (u32), per label class (u32) and centre and size (4 × f32), then
//! the values of all maps, in half or single precision.

use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::data::Label;
use crate::error::{Error, Result};

/// Bytes of the number of labels, and of a label.
const COUNT_BYTES: usize = 4;
const LABEL_BYTES: usize = 20;
/// Values that are converted at a time: they stay in the first cache.
const BLOCK: usize = 512;

/// How features are kept.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum FeaturePrecision {
    /// 16 bits: half the memory, eleven significant bits.
    #[default]
    Half,
    /// 32 bits: exactly what the prefix computed.
    Single,
}

impl FeaturePrecision {
    /// Bytes of a value.
    pub fn bytes(self) -> usize {
        match self {
            Self::Half => 2,
            Self::Single => 4,
        }
    }
}

impl std::str::FromStr for FeaturePrecision {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "half" => Ok(Self::Half),
            "single" => Ok(Self::Single),
            _ => Err(Error::input(
                "precision of cached features",
                format!("`{text}`"),
                "half or single",
                "",
            )),
        }
    }
}

impl std::fmt::Display for FeaturePrecision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Half => "half",
            Self::Single => "single",
        })
    }
}

/// Bytes of an entry with `labels` labels and `values` values.
pub fn entry_bytes(labels: usize, values: usize, precision: FeaturePrecision) -> usize {
    COUNT_BYTES + labels * LABEL_BYTES + values * precision.bytes()
}

/// Encodes a view. Values beyond the range of half precision become its largest.
pub fn encode<'a>(
    labels: &[Label],
    maps: impl IntoIterator<Item = &'a [f32]>,
    precision: FeaturePrecision,
) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend((labels.len() as u32).to_le_bytes());
    for label in labels {
        out.extend((label.class as u32).to_le_bytes());
        out.extend(label.cxcywh.iter().flat_map(|side| side.to_le_bytes()));
    }
    for map in maps {
        out.reserve(map.len() * precision.bytes());
        for block in map.chunks(BLOCK) {
            match precision {
                FeaturePrecision::Single => {
                    out.extend(block.iter().flat_map(|value| value.to_le_bytes()));
                }
                FeaturePrecision::Half => {
                    let mut clamped = [0.0; BLOCK];
                    let mut halves = [f16::ZERO; BLOCK];
                    let (clamped, halves) =
                        (&mut clamped[..block.len()], &mut halves[..block.len()]);
                    for (clamped, value) in clamped.iter_mut().zip(block) {
                        *clamped = value.clamp(f16::MIN.to_f32(), f16::MAX.to_f32());
                    }
                    halves.convert_from_f32_slice(clamped);
                    out.extend(halves.iter().flat_map(|value| value.to_le_bytes()));
                }
            }
        }
    }
    out
}

/// Decodes a view into `maps`, whose lengths say how many values each has. `None`, and `maps` in an
/// unknown state, when the bytes are not such an entry.
pub fn decode(
    bytes: &[u8],
    maps: &mut [&mut [f32]],
    precision: FeaturePrecision,
) -> Option<Vec<Label>> {
    let (count, rest) = bytes.split_first_chunk::<COUNT_BYTES>()?;
    let count = u32::from_le_bytes(*count) as usize;
    let values: usize = maps.iter().map(|map| map.len()).sum();
    if rest.len()
        != count
            .checked_mul(LABEL_BYTES)?
            .checked_add(values * precision.bytes())?
    {
        return None;
    }
    let (labels, mut rest) = rest.split_at(count * LABEL_BYTES);
    for map in maps {
        let (own, after) = rest.split_at(map.len() * precision.bytes());
        rest = after;
        match precision {
            FeaturePrecision::Single => {
                let (own, _) = own.as_chunks::<4>();
                for (value, own) in map.iter_mut().zip(own) {
                    *value = f32::from_le_bytes(*own);
                }
            }
            FeaturePrecision::Half => {
                for (map, own) in map.chunks_mut(BLOCK).zip(own.chunks(2 * BLOCK)) {
                    let mut halves = [f16::ZERO; BLOCK];
                    let (own, _) = own.as_chunks::<2>();
                    for (half, own) in halves.iter_mut().zip(own) {
                        *half = f16::from_le_bytes(*own);
                    }
                    halves[..map.len()].convert_to_f32_slice(map);
                }
            }
        }
    }
    let (labels, _) = labels.as_chunks::<LABEL_BYTES>();
    Some(labels.iter().map(label).collect())
}

fn label(bytes: &[u8; LABEL_BYTES]) -> Label {
    let (words, _) = bytes.as_chunks::<4>();
    let side = |axis: usize| f32::from_le_bytes(words[1 + axis]);
    Label {
        class: u32::from_le_bytes(words[0]) as usize,
        cxcywh: [side(0), side(1), side(2), side(3)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABELS: [Label; 2] = [
        Label {
            class: 3,
            cxcywh: [0.5, 0.25, 0.125, 1.0],
        },
        Label {
            class: 70_000,
            cxcywh: [0.1, 0.2, 0.3, 0.4],
        },
    ];

    fn round_trip(maps: &[Vec<f32>], precision: FeaturePrecision) -> (Vec<u8>, Vec<Vec<f32>>) {
        let bytes = encode(&LABELS, maps.iter().map(Vec::as_slice), precision);
        let values = maps.iter().map(Vec::len).sum();
        assert_eq!(bytes.len(), entry_bytes(2, values, precision));
        let mut out: Vec<Vec<f32>> = maps.iter().map(|map| vec![9.0; map.len()]).collect();
        let mut slices: Vec<&mut [f32]> = out.iter_mut().map(Vec::as_mut_slice).collect();
        assert_eq!(decode(&bytes, &mut slices, precision).unwrap(), LABELS);
        (bytes, out)
    }

    #[test]
    fn single_precision_comes_back_bit_for_bit() {
        let maps = [
            vec![1.1, -0.0, f32::MIN_POSITIVE, 3e38],
            vec![],
            vec![0.1; 1500],
        ];
        let (_, out) = round_trip(&maps, FeaturePrecision::Single);
        assert_eq!(out, maps);
    }

    #[test]
    fn half_precision_rounds_once_and_saturates() {
        // Lengths around the block and the conversion's lanes.
        for length in [1, 7, 511, 512, 513, 1031] {
            let map: Vec<f32> = (0..length).map(|i| (i as f32 - 300.0) * 0.37).collect();
            let (_, out) = round_trip(std::slice::from_ref(&map), FeaturePrecision::Half);
            for (value, out) in map.iter().zip(&out[0]) {
                assert_eq!(*out, f16::from_f32(*value).to_f32());
            }
            // What was rounded stays.
            assert_eq!(round_trip(&out, FeaturePrecision::Half).1, out);
        }
        let (_, out) = round_trip(&[vec![1e9, -1e9]], FeaturePrecision::Half);
        assert_eq!(out[0], [65504.0, -65504.0]);
    }

    #[test]
    fn bytes_that_are_no_such_entry_are_refused() {
        let (bytes, _) = round_trip(&[vec![1.0; 10]], FeaturePrecision::Half);
        let decoded = |bytes: &[u8], length: usize, precision| {
            decode(bytes, &mut [&mut vec![0.0; length][..]], precision).is_some()
        };
        assert!(decoded(&bytes, 10, FeaturePrecision::Half));
        assert!(!decoded(&bytes, 11, FeaturePrecision::Half));
        assert!(!decoded(&bytes, 10, FeaturePrecision::Single));
        assert!(!decoded(
            &bytes[..bytes.len() - 1],
            10,
            FeaturePrecision::Half
        ));
        assert!(!decoded(&bytes[..3], 0, FeaturePrecision::Half));
        let mut many = bytes.clone();
        many[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(!decoded(&many, 10, FeaturePrecision::Half));
    }
}
