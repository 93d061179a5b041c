//! What the targets share: how many cases, how long an answer may take, and how a good file is damaged.

use std::time::{Duration, Instant};

use proptest::prelude::*;

/// Far more than any answer takes on a busy machine; what takes longer grows with the input as it should not.
const PATIENCE: Duration = Duration::from_secs(60);

/// `cases` of them, or as many as `PROPTEST_CASES` says.
pub fn cases(cases: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(cases);
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Runs `work`; too slow is a failure, and so is a panic.
pub fn bounded<T>(work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = work();
    let took = started.elapsed();
    assert!(took < PATIENCE, "the answer took {took:?}");
    result
}

/// One damage to a file. Positions are shares of its length, so that they fit any.
#[derive(Debug, Clone)]
pub enum Damage {
    Set(f64, u8),
    Flip(f64, u8),
    Insert(f64, Vec<u8>),
    Remove(f64, usize),
    Repeat(f64, usize, usize),
    Cut(f64),
    /// A little-endian number, where lengths and offsets stand.
    Number(f64, u64, usize),
}

pub fn damage() -> impl Strategy<Value = Damage> {
    let at = || {
        prop_oneof![
            3 => 0.0..1.0_f64,
            // Headers stand at the start and directories at the end.
            2 => 0.0..0.002_f64,
            2 => 0.98..1.0_f64,
        ]
    };
    let number = prop_oneof![
        any::<u64>(),
        0..100_u64,
        Just(u64::MAX),
        Just(1 << 31),
        Just(u64::from(u32::MAX))
    ];
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        (at(), 0..8_u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        (at(), prop::collection::vec(any::<u8>(), 1..9))
            .prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        (at(), 1..64_usize).prop_map(|(at, count)| Damage::Remove(at, count)),
        (at(), 1..64_usize, 1..200_usize)
            .prop_map(|(at, count, times)| Damage::Repeat(at, count, times)),
        at().prop_map(Damage::Cut),
        (at(), number, prop::sample::select(vec![2_usize, 4, 8]))
            .prop_map(|(at, number, width)| Damage::Number(at, number, width)),
    ]
}

/// `bytes` with all `damages`, one after the other.
pub fn damaged(bytes: &[u8], damages: &[Damage]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for damage in damages {
        let length = bytes.len();
        let place = |at: f64| ((length as f64 * at) as usize).min(length);
        match damage {
            Damage::Set(at, byte) => {
                if let Some(slot) = bytes.get_mut(place(*at)) {
                    *slot = *byte;
                }
            }
            Damage::Flip(at, bit) => {
                if let Some(slot) = bytes.get_mut(place(*at)) {
                    *slot ^= 1 << bit;
                }
            }
            Damage::Insert(at, more) => {
                let at = place(*at);
                bytes.splice(at..at, more.iter().copied());
            }
            Damage::Remove(at, count) => {
                let at = place(*at);
                bytes.drain(at..(at + count).min(length));
            }
            Damage::Repeat(at, count, times) => {
                let at = place(*at);
                let part = bytes[at..(at + count).min(length)].repeat(*times);
                bytes.splice(at..at, part);
            }
            Damage::Cut(at) => bytes.truncate(place(*at)),
            Damage::Number(at, number, width) => {
                for (slot, byte) in bytes
                    .iter_mut()
                    .skip(place(*at))
                    .zip(number.to_le_bytes())
                    .take(*width)
                {
                    *slot = byte;
                }
            }
        }
    }
    bytes
}

/// A good text with some damage, or anything at all.
pub fn text(good: &'static [&'static str]) -> impl Strategy<Value = String> {
    let mended = (
        prop::sample::select(good),
        prop::collection::vec(damage(), 0..5),
    )
        .prop_map(|(text, damages)| {
            String::from_utf8_lossy(&damaged(text.as_bytes(), &damages)).into_owned()
        });
    // Words of the good texts in another order reach deeper than single bytes do.
    let words: Vec<&str> = good
        .iter()
        .flat_map(|text| text.split_inclusive([' ', '\n', ',', ':']))
        .collect();
    let shuffled =
        prop::collection::vec(prop::sample::select(words), 0..40).prop_map(|words| words.concat());
    let ends = prop::sample::select(vec![
        "-1",
        "0",
        "1e308",
        "99999999999999999999",
        "nan",
        "[[[[",
        "{",
        "&a [*a]",
        "!!binary x",
        "~",
        "'",
        "\u{feff}",
        "\t",
    ]);
    let extreme = (
        prop::sample::select(good),
        any::<prop::sample::Index>(),
        ends,
    )
        .prop_map(|(text, at, end)| {
            let places: Vec<usize> = text.char_indices().map(|(place, _)| place).collect();
            let place = places[at.index(places.len())];
            format!("{}{end}{}", &text[..place], &text[place..])
        });
    prop_oneof![4 => mended, 2 => shuffled, 3 => extreme, 1 => any::<String>(), 1 => "\\PC*"]
}
