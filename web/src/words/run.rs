//! What is said of a run.

use super::{Language, fill};
use crate::figures;
use crate::messages::{ReceiptSaid, RunSaid};
use crate::run::{Next, Record};

/// A share between 0 and 1 with three decimals, as mAP is told.
pub fn share(value: f64) -> String {
    format!("{value:.3}")
}

/// A learning rate without the noise of its last digits.
pub fn rate(value: f64) -> String {
    let digits = 1e9;
    ((value * digits).round() / digits).to_string()
}

/// A time: `40 s`, `2 min 5 s`, `1 h 12 min`.
pub fn duration(seconds: f64, language: Language) -> String {
    let words = language.words();
    let whole = seconds.max(0.0).round() as u64;
    let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60);
    let template = match (hours, minutes) {
        (0, 0) => words.seconds_short,
        (0, _) => words.minutes_short,
        _ => words.hours_short,
    };
    let [hours, minutes, rest] = [hours, minutes, rest].map(|part| part.to_string());
    fill(
        template,
        &[("hours", &hours), ("minutes", &minutes), ("seconds", &rest)],
    )
}

/// What a run would take. A time only where a pace in operations per second was measured.
pub fn forecast(run: &RunSaid, pace: Option<f64>, language: Language) -> [String; 2] {
    let words = language.words();
    let steps = figures::grouped((run.epochs * run.steps) as u64);
    let bytes = figures::bytes(run.activation_bytes + run.feature_bytes);
    let flops = figures::flops(run.flops);
    let values = [("bytes", &*bytes), ("flops", &flops), ("steps", &steps)];
    let first = match pace.filter(|pace| *pace > 0.0) {
        Some(pace) => {
            let time = duration((run.flops as f64 / pace).max(1.0), language);
            let mut values = values.to_vec();
            values.push(("time", &time));
            fill(words.forecast, &values)
        }
        None => fill(words.forecast_untimed, &values),
    };
    let second = fill(
        words.forecast_memory,
        &[
            ("activations", &figures::bytes(run.activation_bytes)),
            ("features", &figures::bytes(run.feature_bytes)),
            ("optimizer", &run.optimizer),
            ("rate", &rate(run.lr0)),
        ],
    );
    [first, second]
}

/// What a run has gained.
pub fn gained(record: &Record, language: Language) -> String {
    let words = language.words();
    let (Some(best), Some(first)) = (record.best(), record.epochs.first()) else {
        return words.gained_nothing.to_owned();
    };
    let template = match record.epochs.len() {
        1 => words.gained_one,
        _ => words.gained_some,
    };
    fill(
        template,
        &[
            ("epoch", &(best.epoch + 1).to_string()),
            ("map50", &share(best.reached.map50)),
            ("map", &share(best.reached.map)),
            ("first", &share(first.reached.map50)),
        ],
    )
}

/// A freeze receipt in a sentence; with the stage where there are several.
pub fn receipt(receipt: &ReceiptSaid, several: bool, language: Language) -> String {
    let words = language.words();
    let template = if receipt.holds {
        words.receipt_holds
    } else {
        words.receipt_broken
    };
    let text = fill(
        template,
        &[
            ("parameters", &receipt.parameters.to_string()),
            ("statistics", &receipt.statistics.to_string()),
        ],
    );
    if !several {
        return text;
    }
    let epoch = receipt.from_epoch.to_string();
    format!("{} {text}", fill(words.receipt_from, &[("epoch", &epoch)]))
}

/// The next thing to try.
pub fn next(next: &Next, language: Language) -> String {
    let words = language.words();
    match next {
        Next::MoreEpochs(epochs) => {
            fill(words.next_more_epochs, &[("epochs", &epochs.to_string())])
        }
        Next::ThawNeck(freeze) => fill(words.next_thaw_neck, &[("freeze", freeze)]),
        Next::ThawBackbone(freeze) => fill(words.next_thaw_backbone, &[("freeze", freeze)]),
        Next::MorePictures => words.next_more_pictures.to_owned(),
        Next::LowerRate(lr0) => fill(words.next_lower_rate, &[("rate", &rate(*lr0))]),
        Next::TryIt => words.next_try_it.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_two_units_at_most() {
        let said = |seconds| duration(seconds, Language::English);
        assert_eq!(said(0.4), "0 s");
        assert_eq!(said(59.6), "1 min 0 s");
        assert_eq!(said(125.0), "2 min 5 s");
        assert_eq!(said(4330.0), "1 h 12 min");
        assert_eq!(duration(125.0, Language::Korean), "2분 5초");
    }

    #[test]
    fn a_forecast_has_a_time_only_where_a_pace_was_measured() {
        let run = RunSaid {
            transferred: 0,
            tensors: 0,
            explanation: Vec::new(),
            optimizer: "Adam".to_owned(),
            lr0: 0.001,
            epochs: 30,
            steps: 8,
            views: 1,
            feature_bytes: 1 << 20,
            activation_bytes: 1 << 20,
            flops: 80_000_000_000,
            new_anchors: false,
            from_epoch: 0,
        };
        let [timed, memory] = forecast(&run, Some(2e9), Language::English);
        assert_eq!(timed, "About 40 s, 2.00 MiB, 80.0 GFLOPs in 240 steps.");
        assert!(memory.contains("Adam, learning rate 0.001"));
        let [untimed, _] = forecast(&run, None, Language::English);
        assert!(untimed.starts_with("2.00 MiB, 80.0 GFLOPs in 240 steps."));
    }

    #[test]
    fn a_receipt_that_does_not_hold_says_so() {
        let mut receipt_said = ReceiptSaid {
            from_epoch: 5,
            parameters: 343,
            statistics: 114,
            parameters_sha256: Default::default(),
            statistics_sha256: Default::default(),
            holds: true,
        };
        assert!(
            receipt(&receipt_said, false, Language::English)
                .contains("343 frozen tensors and 114 statistics")
        );
        receipt_said.holds = false;
        let text = receipt(&receipt_said, true, Language::English);
        assert!(text.starts_with("From epoch 5:") && text.contains("NOT"));
    }

    #[test]
    fn rates_have_no_noise() {
        assert_eq!(rate(0.003 / 10.0), "0.0003");
        assert_eq!(rate(0.01), "0.01");
    }
}
