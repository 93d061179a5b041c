//! The figures of a comparison, read from its runs' tables.

use std::path::Path;

use anyhow::{Context, Result};

use super::runs::Run;
use crate::args::CompareSettings;
use crate::results::{self, EpochRow};
use crate::usage::{self, EpochUsage};

/// Weight of mAP50 in the fitness that chooses the best epoch; mAP50-95 has the rest.
const FITNESS_MAP50: f64 = 0.1;

/// What one run came to.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub run: Run,
    pub rows: Vec<EpochRow>,
    /// An entry per epoch; an interrupted epoch has its last part only.
    pub usage: Vec<EpochUsage>,
}

impl Outcome {
    fn read(folder: &Path, run: &Run) -> Result<Self> {
        let path = super::run_path(folder, run);
        let rows = results::read(&path.join("results.csv"))?;
        let usage = usage::read(&path.join("usage.csv"))
            .with_context(|| path.join("usage.csv").display().to_string())?;
        Ok(Self {
            run: run.clone(),
            rows,
            usage,
        })
    }

    /// mAP50 and mAP50-95 of the best epoch.
    pub fn best(&self) -> [f64; 2] {
        let metrics = self.rows.iter().filter_map(|row| row.metrics);
        let maps = metrics.map(|[_, _, map50, map]| [map50, map]);
        let fitness = |[map50, map]: &[f64; 2]| FITNESS_MAP50 * map50 + (1.0 - FITNESS_MAP50) * map;
        maps.max_by(|a, b| fitness(a).total_cmp(&fitness(b)))
            .unwrap_or_default()
    }

    /// Seconds of all epochs' steps.
    pub fn seconds(&self) -> f64 {
        self.usage.iter().map(|usage| usage.seconds).sum()
    }

    /// Seconds of steps until mAP50 is first `map50`; nothing when it never is.
    pub fn seconds_to(&self, map50: f64) -> Option<f64> {
        let reached = |row: &&EpochRow| row.metrics.is_some_and(|[_, _, found, _]| found >= map50);
        let epoch = self.rows.iter().find(reached)?.epoch;
        let until = self.usage.iter().filter(|usage| usage.epoch <= epoch);
        Some(until.map(|usage| usage.seconds).sum())
    }

    /// Seconds of an epoch's steps, the median.
    pub fn epoch_seconds(&self) -> f64 {
        let mut seconds: Vec<f64> = self.usage.iter().map(|usage| usage.seconds).collect();
        seconds.sort_by(f64::total_cmp);
        seconds.get(seconds.len() / 2).copied().unwrap_or_default()
    }

    /// The most memory at an epoch's end: on the device where it has its own, else the process's, in MiB.
    pub fn memory_mib(&self) -> Option<f64> {
        self.usage.iter().filter_map(memory_mib).reduce(f64::max)
    }

    /// Mean use of device or processor, 0 to 1.
    pub fn use_share(&self) -> Option<f64> {
        let shares: Option<Vec<f64>> = self.usage.iter().map(use_share).collect();
        let shares = shares.filter(|shares| !shares.is_empty())?;
        Some(shares.iter().sum::<f64>() / shares.len() as f64)
    }
}

/// Of the device where it has memory of its own, else of the process.
pub fn memory_mib(usage: &EpochUsage) -> Option<f64> {
    usage
        .device_mib
        .map(|[_, reserved]| reserved)
        .or(usage.process_mib)
}

/// On a device with memory of its own, the share of time in which it had work; else the processor's.
pub fn use_share(usage: &EpochUsage) -> Option<f64> {
    match usage.device_mib {
        Some(_) => Some(usage.compute_share),
        None => usage.cpu_share,
    }
}

/// Mean, least and largest over seeds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Spread {
    pub mean: f64,
    pub low: f64,
    pub high: f64,
}

impl Spread {
    /// Of at least one value.
    pub fn of(values: &[f64]) -> Option<Self> {
        let fold = |f: fn(f64, f64) -> f64| values.iter().copied().reduce(f);
        Some(Self {
            mean: values.iter().sum::<f64>() / values.len() as f64,
            low: fold(f64::min)?,
            high: fold(f64::max)?,
        })
    }
}

/// A plan over its seeds.
#[derive(Debug, Clone)]
pub struct Plan {
    pub freeze: String,
    pub outcomes: Vec<Outcome>,
    pub map50: Spread,
    pub map: Spread,
    pub seconds: Spread,
    pub epoch_seconds: Spread,
    /// Seconds until the mAP50 that all are to reach; nothing when a seed does not reach it.
    pub seconds_to_reach: Option<Spread>,
    pub memory_mib: Option<Spread>,
    pub use_share: Option<Spread>,
}

/// All plans that have at least one run.
#[derive(Debug, Clone)]
pub struct Comparison {
    pub plans: Vec<Plan>,
    /// The mAP50 that all are to reach.
    pub reach: Option<f64>,
    /// Whether memory and use are those of a device with memory of its own.
    pub on_device: bool,
    /// The machine's memory in MiB, where memory is the process's and the system tells.
    pub total_mib: Option<f64>,
}

impl Comparison {
    /// Reads the runs that have ended.
    ///
    /// # Errors
    /// When a table cannot be read.
    pub fn read(settings: &CompareSettings, runs: &[Run]) -> Result<Self> {
        let outcomes: Vec<Outcome> = runs
            .iter()
            .map(|run| Outcome::read(&settings.folder, run))
            .collect::<Result<_>>()?;
        Ok(Self::of(&settings.plans, settings.reach, &outcomes))
    }

    /// Groups outcomes by plan.
    pub fn of(plans: &[String], reach: Option<f64>, outcomes: &[Outcome]) -> Self {
        let on_device = (outcomes.iter())
            .flat_map(|outcome| &outcome.usage)
            .any(|usage| usage.device_mib.is_some());
        let plans = plans.iter().enumerate().filter_map(|(number, freeze)| {
            let own = outcomes.iter().filter(|outcome| outcome.run.plan == number);
            let own: Vec<Outcome> = own.cloned().collect();
            let spread =
                |f: &dyn Fn(&Outcome) -> f64| Spread::of(&own.iter().map(f).collect::<Vec<_>>());
            let known = |f: &dyn Fn(&Outcome) -> Option<f64>| {
                let values: Option<Vec<f64>> = own.iter().map(f).collect();
                Spread::of(&values?)
            };
            Some(Plan {
                freeze: freeze.clone(),
                map50: spread(&|o| o.best()[0])?,
                map: spread(&|o| o.best()[1])?,
                seconds: spread(&Outcome::seconds)?,
                epoch_seconds: spread(&Outcome::epoch_seconds)?,
                seconds_to_reach: known(&|outcome| outcome.seconds_to(reach?)),
                memory_mib: known(&Outcome::memory_mib),
                use_share: known(&Outcome::use_share),
                outcomes: own,
            })
        });
        Self {
            plans: plans.collect(),
            reach,
            on_device,
            total_mib: if on_device {
                None
            } else {
                crate::memory::total_mib()
            },
        }
    }

    /// A row per run.
    pub fn csv(&self) -> String {
        let mut csv = String::from(
            "freeze,seed,epochs,map50,map50_95,train_seconds,epoch_seconds,memory_mib,use_share,seconds_to_reach\n",
        );
        for outcome in self.plans.iter().flat_map(|plan| &plan.outcomes) {
            let [map50, map] = outcome.best();
            let cell =
                |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.3}"));
            csv += &format!(
                "\"{}\",{},{},{map50:.5},{map:.5},{:.3},{:.3},{},{},{}\n",
                outcome.run.freeze.replace('"', "\"\""),
                outcome.run.seed,
                outcome.rows.len(),
                outcome.seconds(),
                outcome.epoch_seconds(),
                cell(outcome.memory_mib()),
                cell(outcome.use_share()),
                cell(self.reach.and_then(|map50| outcome.seconds_to(map50))),
            );
        }
        csv
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A run whose mAP50-95 per epoch is `maps`, mAP50 half as much again, and every epoch takes `seconds`.
    pub fn outcome(plan: usize, freeze: &str, seed: u64, maps: &[f64], seconds: f64) -> Outcome {
        let rows = maps.iter().enumerate().map(|(epoch, map)| EpochRow {
            epoch,
            train: [0.1; 3],
            metrics: Some([0.5, 0.5, map * 1.5, *map]),
            val: Some([0.1; 3]),
            lr: [0.01; 3],
        });
        let usage = (0..maps.len()).map(|epoch| EpochUsage {
            epoch,
            seconds,
            steps: 4,
            compute_share: 0.9,
            cpu_share: Some(0.8),
            process_mib: Some(100.0 + 10.0 * plan as f64),
            device_mib: None,
        });
        Outcome {
            run: Run {
                plan,
                freeze: freeze.to_owned(),
                seed,
            },
            rows: rows.collect(),
            usage: usage.collect(),
        }
    }

    #[test]
    fn plans_have_mean_and_spread_over_their_seeds() {
        let outcomes = [
            outcome(0, "0", 0, &[0.1, 0.4, 0.3], 2.0),
            outcome(0, "0", 1, &[0.1, 0.2, 0.6], 2.0),
            outcome(1, "10", 0, &[0.3, 0.3, 0.3], 1.0),
        ];
        let plans = ["0".to_owned(), "10".to_owned(), "24".to_owned()];
        let comparison = Comparison::of(&plans, Some(0.5), &outcomes);
        assert_eq!(comparison.plans.len(), 2, "nothing was run of the third");
        let first = &comparison.plans[0];
        assert_eq!(
            (first.map.mean, first.map.low, first.map.high),
            (0.5, 0.4, 0.6)
        );
        assert_eq!(first.seconds.mean, 6.0);
        // mAP50 0.6 in the second epoch, and 0.9 in the third; never above 0.45.
        assert_eq!(
            first.seconds_to_reach.map(|s| (s.low, s.high)),
            Some((4.0, 6.0))
        );
        assert_eq!(comparison.plans[1].seconds_to_reach, None);
        assert_eq!(first.memory_mib.unwrap().mean, 100.0);
        let csv = comparison.csv();
        assert_eq!(csv.lines().count(), 4);
        assert!(
            csv.contains("\"10\",0,3,0.45000,0.30000,3.000,1.000,110.000,0.800,\n"),
            "{csv}"
        );
    }
}
