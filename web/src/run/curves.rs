//! The curves of runs.

use super::Record;
use crate::chart::{Series, Wanted};

/// Room for the longest name of a line, in pixels.
const NAMES: f64 = 92.0;

/// The loss by step, and that of validation by epoch, over epochs. The names stand at the ends of the lines.
pub fn losses_chart(
    record: &Record,
    [train, val]: [&str; 2],
    (width, height): (f64, f64),
) -> Wanted {
    let steps = record.steps_per_epoch() as f64;
    let points = record.losses.points().iter();
    let train = Series {
        label: train.to_owned(),
        points: points
            .map(|point| (point.middle() / steps, point.sum()))
            .collect(),
    };
    let val = Series {
        label: val.to_owned(),
        points: (record.epochs.iter())
            .map(|epoch| ((epoch.epoch + 1) as f64, epoch.val_losses.iter().sum()))
            .collect(),
    };
    wanted(record, vec![train, val], (0.0, 0.0), (width, height))
}

/// A figure of validation by epoch, per named run, over epochs; from 0 to 1 as far as it is needed.
pub fn accuracy(
    lines: &[(&str, &Record, fn(&crate::messages::Reached) -> f64)],
    (width, height): (f64, f64),
) -> Wanted {
    let series = lines.iter().map(|(label, record, figure)| Series {
        label: (*label).to_owned(),
        points: (record.epochs.iter())
            .map(|epoch| ((epoch.epoch + 1) as f64, figure(&epoch.reached)))
            .collect(),
    });
    let series = series.collect();
    match lines.first() {
        Some((_, record, _)) => wanted(record, series, (0.0, 0.1), (width, height)),
        None => Wanted {
            width,
            height,
            right: NAMES,
            x: (0.0, 1.0),
            y: (0.0, 1.0),
            whole_x: true,
            series,
        },
    }
}

fn wanted(
    record: &Record,
    series: Vec<Series>,
    y: (f64, f64),
    (width, height): (f64, f64),
) -> Wanted {
    Wanted {
        width,
        height,
        right: NAMES,
        x: (0.0, record.epochs_in_all() as f64),
        y,
        whole_x: true,
        series,
    }
}
