//! The forecast of a run, and what became of it.

use std::cell::Cell;

use frostline::model::Architecture;
use frostline::{Error, Result};

use super::data::TrainData;
use crate::forecast::{self, Forecast};
use crate::memory::{PeakGrowth, available_mib};
use crate::progress::say;
use crate::usage::EpochUsage;

const MEBIBYTE: f64 = (1 << 20) as f64;
/// Share of the available memory that a step may take by its forecast.
const MARGIN: f64 = 0.8;

/// What was foretold, and the memory that is watched since.
#[derive(Debug)]
pub(super) struct Foretold {
    /// Pictures per batch that fit into memory.
    pub(super) batch_size: usize,
    forecast: Forecast,
    /// Since before the network was there.
    memory: PeakGrowth,
    /// Growth at the end of the first epoch's steps in MiB: validation comes after.
    grown_mib: Cell<Option<f64>>,
}

impl Foretold {
    /// Foretells and says it. A probe that fails is no reason not to train, unless the batch is to be `automatic`. A
    /// batch that does not fit into memory is halved until it does, or as large as fits when it is automatic.
    ///
    /// # Errors
    /// When the person interrupts, or not even one picture fits an automatic batch.
    pub(super) fn new(
        subject: &forecast::Subject,
        train: &TrainData,
        kept_bytes: u64,
        memory: PeakGrowth,
        automatic: bool,
    ) -> anyhow::Result<Option<Self>> {
        match forecast::foretell(subject) {
            Ok(forecast) => {
                // Saving comes before the first step and leaves it its memory.
                let save = saving_bytes(subject.architecture) as f64 / MEBIBYTE;
                let needs = |batch: usize| {
                    let step = forecast.with_batch(batch).memory_mib?;
                    let held = train.in_batches_of(batch).held_bytes() as f64 + kept_bytes as f64;
                    Some(step.max(save) + held / MEBIBYTE)
                };
                let batch_size = if subject.device == "cpu" {
                    let room = Room {
                        available_mib: available_mib(),
                        automatic,
                    };
                    room.batch(subject.batch_size, needs)?
                } else if automatic {
                    probed(subject)?
                } else {
                    subject.batch_size
                };
                let train = &train.in_batches_of(batch_size);
                let mut forecast = forecast.with_batch(batch_size);
                if subject.device == "cpu" {
                    // The workers that make pictures ask for the same cores.
                    let cores = std::thread::available_parallelism().map_or(1, usize::from);
                    forecast.step_ms += train.seconds_per_batch()? * 1e3 / cores as f64;
                }
                forecast.memory_mib = needs(batch_size);
                say(&format!("forecast: {forecast}"));
                Ok(Some(Self {
                    batch_size,
                    forecast,
                    memory,
                    grown_mib: Cell::new(None),
                }))
            }
            Err(error) if automatic || error.is::<crate::interrupt::Interrupted>() => Err(error),
            Err(error) => {
                say(&format!("no forecast: {error:#}"));
                Ok(None)
            }
        }
    }
}

/// Memory that a step may take.
#[derive(Debug, Clone, Copy)]
struct Room {
    available_mib: f64,
    automatic: bool,
}

impl Room {
    /// Pictures per batch: `asked` when its need fits with a margin, otherwise fewer, which is said.
    fn batch(self, asked: usize, needs: impl Fn(usize) -> Option<f64>) -> Result<usize> {
        let room = self.available_mib * MARGIN;
        let fits = |batch: usize| needs(batch).is_none_or(|mib| mib <= room);
        let need = needs(asked).unwrap_or_default();
        let told = |batch: usize| match self.automatic {
            true => say(&format!(
                "--batch-size -1: batches of {batch}, for which {:.0} MiB of memory are enough, of {:.0} MiB available",
                needs(batch).unwrap_or_default(),
                self.available_mib
            )),
            false => say(&format!(
                "batches of {batch} instead of {asked}, as many optimizer steps: {need:.0} MiB of memory would be needed, \
                 {:.0} MiB are available",
                self.available_mib
            )),
        };
        let fewer = if self.automatic {
            (1..=asked).rev().find(|&batch| fits(batch))
        } else {
            std::iter::successors(Some(asked), |&batch| (batch > 1).then_some(batch / 2))
                .find(|&batch| fits(batch))
        };
        match fewer {
            Some(batch) => {
                if self.automatic || batch != asked {
                    told(batch);
                }
                Ok(batch)
            }
            // A forecast may be wrong, and a person may know better.
            None if !self.automatic => {
                told(1);
                Ok(1)
            }
            None => Err(too_little(self.available_mib)),
        }
    }
}

fn too_little(available_mib: f64) -> Error {
    Error::input(
        "--batch-size -1",
        format!("{available_mib:.0} MiB of memory"),
        "room for one picture",
        "Train at a smaller --imgsz, freeze more, or close other programs",
    )
}

/// Half and half again of `subject`'s batch, until a step runs.
fn probed(subject: &forecast::Subject) -> anyhow::Result<usize> {
    let mut batch_size = subject.batch_size;
    while !forecast::runs(&forecast::Subject {
        batch_size,
        ..*subject
    })? {
        anyhow::ensure!(
            batch_size > 1,
            "--batch-size -1: a step on one picture does not run on {}. Train at a smaller --imgsz or freeze more",
            subject.device
        );
        batch_size /= 2;
    }
    say(&format!(
        "--batch-size -1: batches of {batch_size}, with which a step ran on {}",
        subject.device
    ));
    Ok(batch_size)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// 100 MiB and 10 more for each picture.
    fn needs(batch: usize) -> Option<f64> {
        Some(100.0 + 10.0 * batch as f64)
    }

    #[test]
    fn a_batch_that_does_not_fit_is_halved_and_an_automatic_one_is_as_large_as_fits() {
        let batch = |available_mib, automatic, asked| {
            let room = Room {
                available_mib,
                automatic,
            };
            room.batch(asked, needs)
        };
        // 80 % of 325 MiB are 260 MiB: 16 pictures.
        assert_eq!(batch(325.0, false, 16).unwrap(), 16);
        assert_eq!(batch(325.0, false, 24).unwrap(), 12);
        assert_eq!(batch(325.0, true, 64).unwrap(), 16);
        assert_eq!(batch(1e6, true, 64).unwrap(), 64);
        assert_eq!(batch(10.0, false, 8).unwrap(), 1);
        let error = batch(10.0, true, 8).unwrap_err().to_string();
        assert!(error.contains("room for one picture"), "{error}");
    }

    #[test]
    fn where_the_system_tells_nothing_the_batch_stays() {
        let room = Room {
            available_mib: 1.0,
            automatic: false,
        };
        assert_eq!(room.batch(16, |_| None).unwrap(), 16);
    }
}
