//! Label files.

use std::path::Path;

use frostline::data::labels;
use proptest::prelude::*;

use crate::mutate::{bounded, cases, damage, damaged};

/// Cheap cases.
const CASES: u32 = 600;

const GOOD: &str = "0 0.5 0.5 0.2 0.3\n1 0.25 0.25 0.1 0.1\r\n2 .1 .1 .2 .2 .3 .1\n\n1 1e-3 0.5 0.002 1.0\n0 0.5 0.5 0.2 0.3\n";

fn field() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => (0.0..1.0_f32).prop_map(|value| value.to_string()),
        2 => (0..5_u8).prop_map(|class| class.to_string()),
        1 => any::<f32>().prop_map(|value| value.to_string()),
        1 => prop::sample::select(vec!["nan", "-0", "1e400", "0x1", "+1", "", ",", "99999999999999999999"]).prop_map(str::to_owned),
    ]
}

fn rows() -> impl Strategy<Value = Vec<u8>> {
    let row = prop::collection::vec(field(), 0..12).prop_map(|fields| fields.join(" "));
    let end = prop::sample::select(vec!["\n", "\r\n", "\r", " "]);
    prop::collection::vec((row, end), 0..12).prop_map(|rows| {
        rows.into_iter()
            .map(|(row, end)| row + end)
            .collect::<String>()
            .into_bytes()
    })
}

proptest! {
    #![proptest_config(cases(CASES))]

    #[test]
    fn any_label_file_gives_boxes_that_can_be_learnt_and_problems_with_their_lines(
        bytes in prop_oneof![
            rows(),
            prop::collection::vec(damage(), 0..6).prop_map(|damages| damaged(GOOD.as_bytes(), &damages)),
            prop::collection::vec(any::<u8>(), 0..400),
        ],
        nc in prop_oneof![0..4_usize, Just(usize::MAX)],
    ) {
        let file = bounded(|| labels::parse(&bytes, Path::new("a.txt"), nc));
        let lines = bytes.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() + 1;
        prop_assert_eq!(file.labels.len(), file.segments.len());
        prop_assert_eq!(file.labels.len(), file.lines.len());
        for (label, line) in file.labels.iter().zip(&file.lines) {
            prop_assert!(label.class < nc);
            prop_assert!(label.cxcywh.iter().all(|value| (0.0..=1.0).contains(value)), "{:?}", label);
            prop_assert!(label.cxcywh[2] > 0.0 && label.cxcywh[3] > 0.0, "{:?}", label);
            prop_assert!((1..=lines).contains(line));
        }
        for problem in &file.problems {
            prop_assert!(problem.line.is_some_and(|line| (1..=lines).contains(&line)), "{}", problem);
        }
    }
}
