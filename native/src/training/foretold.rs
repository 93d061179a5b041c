//! The forecast of a run, and what became of it.

use std::cell::Cell;

use frostline::model::Architecture;

use super::data::TrainData;
use crate::forecast::{self, Forecast};
use crate::memory::PeakGrowth;
use crate::progress::say;
use crate::usage::EpochUsage;

const MEBIBYTE: f64 = (1 << 20) as f64;

/// What was foretold, and the memory that is watched since.
#[derive(Debug)]
pub(super) struct Foretold {
    forecast: Forecast,
    /// Since before the network was there.
    memory: PeakGrowth,
    /// Growth at the end of the first epoch's steps in MiB: validation comes after.
    grown_mib: Cell<Option<f64>>,
}

impl Foretold {
    /// Foretells and says it. A probe that fails is no reason not to train.
    ///
    /// # Errors
    /// When the person interrupts.
    pub(super) fn new(
        subject: &forecast::Subject,
        train: &TrainData,
        kept_bytes: u64,
        memory: PeakGrowth,
    ) -> anyhow::Result<Option<Self>> {
        match forecast::foretell(subject) {
            Ok(mut forecast) => {
                if subject.device == "cpu" {
                    // The workers that make pictures ask for the same cores.
                    let cores = std::thread::available_parallelism().map_or(1, usize::from);
                    forecast.step_ms += train.seconds_per_batch()? * 1e3 / cores as f64;
                }
                if let Some(mib) = &mut forecast.memory_mib {
                    // Saving comes before the first step and leaves it its memory.
                    let beside = train.held_bytes() as f64 + kept_bytes as f64;
                    let save = saving_bytes(subject.architecture) as f64;
                    *mib = mib.max(save / MEBIBYTE) + beside / MEBIBYTE;
                }
                say(&format!("forecast: {forecast}"));
                Ok(Some(Self {
                    forecast,
                    memory,
                    grown_mib: Cell::new(None),
                }))
            }
            Err(error) if error.is::<crate::interrupt::Interrupted>() => Err(error),
            Err(error) => {
                say(&format!("no forecast: {error:#}"));
                Ok(None)
            }
        }
    }
}

/// Bytes of a network in single precision while it is saved before its first step: itself, and with its
/// average, which is still the same, once as bytes by tensor and once as the file.
fn saving_bytes(architecture: &Architecture) -> u64 {
    (1 + 2 * 2) * 4 * architecture.parameter_count()
}

/// What steps really took.
#[derive(Debug, Default)]
pub(super) struct Truth {
    /// Milliseconds of the steps of each epoch that computed its features, or had none to keep.
    fresh: Vec<f64>,
    /// Of those that found them kept.
    kept: Vec<f64>,
    last: Option<EpochUsage>,
}

impl Truth {
    /// Counts an epoch.
    pub(super) fn add(&mut self, used: &EpochUsage, found_kept: bool, foretold: Option<&Foretold>) {
        if let Some(foretold) = foretold
            && self.last.is_none()
        {
            foretold.grown_mib.set(foretold.memory.mib());
        }
        let list = if found_kept {
            &mut self.kept
        } else {
            &mut self.fresh
        };
        list.push(used.step_ms());
        self.last = Some(*used);
    }

    /// Says what steps took beside what was foretold.
    pub(super) fn say(&self, foretold: Option<&Foretold>) {
        if let Some(last) = &self.last {
            say(&format!("last epoch: {last}"));
        }
        let Some(Foretold {
            forecast,
            grown_mib,
            ..
        }) = foretold
        else {
            return;
        };
        let figures = [
            ("a step", median(&self.fresh), Some(forecast.step_ms), "ms"),
            (
                "a step on kept features",
                median(&self.kept),
                forecast.kept_step_ms,
                "ms",
            ),
            ("memory", grown_mib.get(), forecast.memory_mib, "MiB"),
        ];
        let told: Vec<String> = figures
            .into_iter()
            .filter_map(|(what, truth, foretold, unit)| {
                let (truth, foretold) = (truth?, foretold?);
                let off = 100.0 * (foretold / truth - 1.0);
                Some(format!(
                    "{what} {truth:.1} {unit}, foretold {foretold:.1} ({off:+.0} %)"
                ))
            })
            .collect();
        if !told.is_empty() {
            say(&format!("forecast and truth: {}", told.join("; ")));
        }
    }
}

fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
