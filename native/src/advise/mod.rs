//! `advise`: which freeze depth suits data, weights and a budget, from short probes. Nothing is written.

mod candidate;
mod probe;
mod report;
mod verdict;

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use frostline::Error;
use frostline::data::dataset::{DataConfig, Split};
use frostline::freeze::FeatureCache;
use frostline::model::Architecture;
use frostline::weights::Transfer;

use self::candidate::{Candidate, Common};
use self::probe::{Probes, ShortRun};
use self::report::{Row, Signs};
use self::verdict::{Outcome, Verdict};
use crate::args::{AdviseSettings, BATCH_SIZE, ProbeBudget, TrainSettings};
use crate::forecast;
use crate::interrupt::{self, Interrupted};
use crate::progress::say;
use crate::training::data::{TrainData, ValData, open};
use crate::training::start::{Begun, start};

/// The largest share of a run that its long probe takes.
const MOST_SHARE: f64 = 0.5;
/// Pictures per step of a probe are a quarter of the run's, and no fewer than these: early on it is steps that teach.
const LEAST_BATCH: usize = 4;
const BATCH_PART: usize = 4;
/// Fewest steps of a short and of a long probe.
const FEWEST: [usize; 2] = [8, 16];
/// A long probe that is not this much longer than the short one says nothing about what length gains.
const LONGER: f64 = 1.25;
/// Share of the time of the advice that validation may take.
const VALIDATION_SHARE: f64 = 0.3;
/// Beyond so many times what it was given, nothing goes on.
const PATIENCE: f64 = 1.5;

/// Advises and prints.
///
/// # Errors
/// When an input does not say what it should, the device fails or the person interrupts.
pub fn run(settings: &AdviseSettings, out: &mut impl Write) -> Result<()> {
    interrupt::install()?;
    let started = Instant::now();
    let chosen = frostline::device::choose(settings.train.device)?;
    say(&format!(
        "device: {} ({}), {}",
        chosen.info.id, chosen.info.name, chosen.why
    ));
    let (device_id, device) = (chosen.info.id.to_string(), chosen.info.device);
    let train_settings = &settings.train;
    let config = DataConfig::read(&train_settings.data)?;
    let open = |split| {
        let TrainSettings {
            imgsz, single_cls, ..
        } = *train_settings;
        let cache = train_settings.cache_mode();
        open(&config, split, imgsz, single_cls, cache, None, false).map(Arc::new)
    };
    let (train_set, val_set) = (open(Split::Train)?, open(Split::Val)?);
    let Begun {
        start: begun,
        names,
        ..
    } = start(train_settings, &train_set.names, &*train_set, &device)?;
    let architecture = begun.model.architecture().clone();
    let of_batches = |batch_size| {
        TrainData::new(
            Arc::clone(&train_set),
            &train_settings.hyp,
            train_settings.imgsz,
            train_settings.rect,
            batch_size,
            train_settings.seed,
            train_settings.workers,
        )
    };
    let batch_size = train_settings.batch_size.unwrap_or(BATCH_SIZE);
    let train = of_batches(batch_size);
    let probe_batch = probe_batch(batch_size);
    let val = ValData::new(
        val_set,
        train_settings.imgsz,
        batch_size * 2,
        train_settings.workers,
    );
    let mut probes = Probes {
        settings: train_settings,
        model: begun.model,
        val_batches: (0..val.batches()).collect(),
        train: of_batches(probe_batch),
        batch_size: probe_batch,
        val,
        device,
        deadline: started + Duration::from_secs(86_400),
    };
    let per_batch_s = probes.seconds_per_validation_batch()?;
    let common = Common {
        settings: train_settings,
        architecture: &architecture,
        batches: train.batches(),
        validation_s: per_batch_s * probes.val.batches() as f64,
    };
    let foretold = Foretold {
        settings,
        common: &common,
        train: &train,
        device_id: &device_id,
    };
    let mut candidates = Vec::new();
    let mut left_out = Vec::new();
    for text in plans(settings, &architecture) {
        match foretold.candidate(&text, begun.transfer.as_ref()) {
            Ok(candidate) => candidates.push(candidate),
            Err(error) if error.is::<Interrupted>() => return Err(error),
            Err(error) => left_out.push((text, format!("{error:#}"))),
        }
    }
    if candidates.is_empty() {
        let (text, reason) = left_out.remove(0);
        return Err(Error::input(
            "--freeze",
            format!("no candidate that can train; {text}: {reason}"),
            "at least one",
            "Name others, or take a larger --memory",
        )
        .into());
    }
    let seconds = |candidate: &Candidate| common.seconds(candidate, candidate.epochs);
    let longest = candidates.iter().map(seconds).fold(0.0, f64::max);
    let budget_s = match settings.probe {
        ProbeBudget::Seconds(seconds) => seconds,
        ProbeBudget::Share(share) => share * longest,
    };
    probes.deadline = started + Duration::from_secs_f64(budget_s * PATIENCE);
    probes.val_batches = spread(
        probes.val.batches(),
        budget_s * VALIDATION_SHARE / (2.0 * candidates.len() as f64 * per_batch_s.max(1e-3)),
    );
    let validation_s = per_batch_s * probes.val_batches.len() as f64;

    let rounds = Rounds {
        probes: &probes,
        candidates: &candidates,
        batches: probes.train.batches(),
        part: probe_batch as f64 / batch_size as f64,
        validation_s,
        end: started + Duration::from_secs_f64(budget_s),
    };
    let runs = if candidates.len() > 1 {
        rounds.run()?
    } else {
        Vec::new()
    };
    let outcomes: Vec<Outcome> = (runs.iter().zip(&candidates))
        .map(|([short, long], candidate)| Outcome {
            short: short.reached.clone(),
            long: long.reached.clone(),
            steps: candidate.epochs * probes.train.batches(),
            seconds: seconds(candidate),
        })
        .collect();
    let verdict = if candidates.len() == 1 {
        Verdict::Clear(0)
    } else {
        Verdict::of(&outcomes)
    };
    let signs = Signs {
        gradients: runs.first().map_or_else(Vec::new, |[_, long]| {
            report::by_part(&long.gradients, &architecture)
        }),
        gradients_of: candidates[0].text.clone(),
        shift: probes.shift(&candidates[0])?,
    };
    let rows: Vec<Row> = (candidates.iter().enumerate())
        .map(|(index, candidate)| {
            let memory = memory_mib(candidate, &train);
            Row::new(candidate, seconds(candidate), memory, outcomes.get(index))
        })
        .collect();
    let report = report::Report {
        pictures: train_set.items.len(),
        classes: names.len(),
        budget_s,
        took_s: started.elapsed().as_secs_f64(),
        validated: probes.val_batches.len() as f64 / probes.val.batches().max(1) as f64,
        rows,
        outcomes: &outcomes,
        left_out,
        signs,
        verdict,
        flags: &settings.flags,
    };
    report.print(settings.json, out)
}

/// The candidates: those that were named, or nothing, the backbone and all but Detect.
fn plans(settings: &AdviseSettings, architecture: &Architecture) -> Vec<String> {
    if !settings.plans.is_empty() {
        return settings.plans.clone();
    }
    let detect = architecture.modules.len().saturating_sub(1);
    [0, architecture.backbone, detect]
        .map(|count| count.to_string())
        .into()
}

/// Pictures per step of a probe of a run of `batch_size`.
fn probe_batch(batch_size: usize) -> usize {
    (batch_size / BATCH_PART).max(LEAST_BATCH).min(batch_size)
}

/// About `wanted` of `count` batches, evenly spread; at least one.
fn spread(count: usize, wanted: f64) -> Vec<usize> {
    let wanted = (wanted as usize).clamp(1, count.max(1));
    (0..wanted).map(|index| index * count / wanted).collect()
}

/// Growth of memory by a run's training in MiB.
fn memory_mib(candidate: &Candidate, train: &TrainData) -> Option<f64> {
    let beside = train.held_bytes() as f64 + candidate.kept_bytes as f64;
    let step = candidate.forecast.memory_mib?;
    Some(step + beside / f64::from(1 << 20))
}

/// Makes candidates of plans.
struct Foretold<'a> {
    settings: &'a AdviseSettings,
    common: &'a Common<'a>,
    /// In the run's own batches.
    train: &'a TrainData,
    device_id: &'a str,
}

impl Foretold<'_> {
    /// The candidate that freezes `text`, with what it takes here.
    ///
    /// # Errors
    /// Why it is left out.
    fn candidate(&self, text: &str, transfer: Option<&Transfer>) -> Result<Candidate> {
        let AdviseSettings {
            time_s,
            memory,
            keeping_given,
            ..
        } = *self.settings;
        let (settings, architecture) = (&self.settings.train, self.common.architecture);
        let plan = candidate::plan(text, architecture)?;
        if !settings.allow_untransferred {
            let lacking = match transfer {
                Some(transfer) => transfer.incomplete_modules(),
                None => (0..architecture.modules.len()).collect(),
            };
            plan.check_transferred(architecture, &lacking)?;
        }
        say(&format!("freeze {text}: {}", plan.human()));
        let dataset = &*self.train.dataset;
        let mut views = self.common.views(&plan, keeping_given, time_s.is_some());
        let mut forecast = forecast::foretell(&forecast::Subject {
            architecture,
            plan: &plan,
            freeze_norms: settings.freeze_bn,
            optimizer: settings.optimizer,
            imgsz: settings.imgsz,
            batch_size: settings.batch_size.unwrap_or(BATCH_SIZE),
            device: self.device_id,
            kept: views.is_some(),
        })?;
        if self.device_id == "cpu" {
            // The workers that make pictures ask for the same cores.
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            forecast.step_ms += self.train.seconds_per_batch()? * 1e3 / cores as f64;
        }
        let kept_bytes =
            candidate::kept_bytes(&plan, views, dataset, architecture, settings.imgsz)?;
        let mut candidate = Candidate {
            text: text.to_owned(),
            prefix_share: candidate::prefix_share(&plan, architecture, settings.imgsz)?,
            plan,
            views,
            kept_bytes,
            forecast,
            epochs: settings.epochs,
            optimizer: settings.optimizer,
            hyp: settings.hyp.clone(),
        };
        let mut epochs = match time_s {
            None => settings.epochs,
            Some(seconds) => self.common.epochs_within(&candidate, seconds),
        };
        // What no view is seen twice of is not kept; nor what does not fit into memory.
        let free = frostline::data::cache::free_memory_bytes() / 3;
        if views.is_some_and(|views| epochs <= views.count) || kept_bytes > free {
            views = None;
            (candidate.views, candidate.kept_bytes) = (views, 0);
            if let Some(seconds) = time_s {
                epochs = self.common.epochs_within(&candidate, seconds);
            }
        }
        candidate.settle(epochs, self.common);
        if let (Some(most), Some(mib)) = (memory, memory_mib(&candidate, self.train)) {
            let most_mib = most as f64 / f64::from(1 << 20);
            anyhow::ensure!(
                mib <= most_mib,
                "training would ask for {mib:.0} MiB, and {most_mib:.0} MiB are allowed"
            );
        }
        if let Some(seconds) = time_s {
            let takes = self.common.seconds(&candidate, candidate.epochs);
            anyhow::ensure!(
                takes <= seconds,
                "a single epoch would take {takes:.0} s, and {seconds:.0} s are allowed"
            );
        }
        Ok(candidate)
    }
}

/// Short and long probes of all candidates.
struct Rounds<'a> {
    probes: &'a Probes<'a>,
    candidates: &'a [Candidate],
    /// Batches of a probe that show every picture once.
    batches: usize,
    /// Pictures of such a batch as a part of the run's.
    part: f64,
    /// Seconds that the validation of a probe takes.
    validation_s: f64,
    /// When they should be done.
    end: Instant,
}

impl Rounds<'_> {
    /// Per candidate its short and its long run; nothing when the time does not suffice.
    fn run(&self) -> Result<Vec<[ShortRun; 2]>> {
        let mut caches: Vec<Option<FeatureCache>> = (self.candidates.iter())
            .map(|candidate| self.probes.cache(candidate))
            .collect::<frostline::Result<_>>()?;
        // A short run is half as long as a long one.
        let share = self.share(1.0, &[0.5, 1.0]);
        let short_lengths = self.lengths(share, 0.5, FEWEST[0]);
        let Some(short) = self.round(&short_lengths, &mut caches)? else {
            return Ok(Vec::new());
        };
        // How much slower this machine is than it was foretold to be.
        let took: f64 = short.iter().map(|run| run.steps_s).sum();
        let foretold: f64 = (self.candidates.iter().zip(&short_lengths))
            .map(|(candidate, &steps)| self.part * candidate.steps_ms(steps, self.batches) / 1e3)
            .sum();
        let slower = (took / foretold.max(1e-9)).clamp(0.2, 20.0);
        let long_lengths = self.lengths(self.share(slower, &[1.0]), 1.0, FEWEST[1]);
        let longer = (short_lengths.iter().zip(&long_lengths))
            .all(|(&short, &long)| long as f64 >= LONGER * short as f64);
        if !longer {
            say("the time for probes is over: there is no telling what longer runs gain");
            return Ok(Vec::new());
        }
        let Some(long) = self.round(&long_lengths, &mut caches)? else {
            return Ok(Vec::new());
        };
        Ok(short.into_iter().zip(long).map(|(a, b)| [a, b]).collect())
    }

    fn lengths(&self, share: f64, part: f64, fewest: usize) -> Vec<usize> {
        lengths(self.candidates, self.batches, share, part, fewest)
    }

    fn round(
        &self,
        lengths: &[usize],
        caches: &mut [Option<FeatureCache>],
    ) -> Result<Option<Vec<ShortRun>>> {
        let mut runs = Vec::new();
        for ((candidate, &steps), cache) in self.candidates.iter().zip(lengths).zip(caches) {
            let Some(run) = self.probes.run(candidate, steps, cache)? else {
                say("the time for probes is over");
                return Ok(None);
            };
            say(&format!(
                "freeze {}: {steps} steps in {:.1} s, mAP50 {:.3} mAP50-95 {:.3}",
                candidate.text, run.steps_s, run.reached.map50, run.reached.map
            ));
            runs.push(run);
        }
        Ok(Some(runs))
    }

    /// The largest share of each candidate's run whose `parts` fit into the time that is left, when steps are
    /// `slower` times slower than foretold.
    fn share(&self, slower: f64, parts: &[f64]) -> f64 {
        let left = self.end.saturating_duration_since(Instant::now());
        let left = left.as_secs_f64();
        let takes = |share: f64| -> f64 {
            let part = |part: &f64| -> f64 {
                let lengths = self.lengths(share, *part, 0);
                let runs = self.candidates.iter().zip(lengths);
                runs.map(|(candidate, steps)| {
                    let steps_s = self.part * candidate.steps_ms(steps, self.batches) / 1e3;
                    steps_s * slower + self.validation_s
                })
                .sum()
            };
            parts.iter().map(part).sum()
        };
        let (mut low, mut high) = (0.0, MOST_SHARE);
        if takes(high) <= left {
            return high;
        }
        for _ in 0..30 {
            let middle = f64::midpoint(low, high);
            if takes(middle) <= left {
                low = middle;
            } else {
                high = middle;
            }
        }
        low
    }
}

/// Steps of each candidate's long run when it takes `share` of the whole one, times `part`. All take the same
/// share, so that what is wrong with extrapolating is wrong with all alike; but one whose whole run takes no longer
/// than the longest share of another runs whole.
fn lengths(
    candidates: &[Candidate],
    batches: usize,
    share: f64,
    part: f64,
    fewest: usize,
) -> Vec<usize> {
    let whole = |candidate: &Candidate| candidate.epochs * batches;
    let takes = |candidate: &Candidate, share: f64| {
        let steps = (share * whole(candidate) as f64) as usize;
        candidate.steps_ms(steps, batches)
    };
    let shares = candidates.iter().map(|it| takes(it, share));
    let longest = shares.fold(0.0, f64::max);
    let of = |candidate: &Candidate| {
        let share = if takes(candidate, 1.0) <= longest {
            1.0
        } else {
            share
        };
        let steps = share * part * whole(candidate) as f64;
        (steps as usize).max(fewest).min(whole(candidate))
    };
    candidates.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::candidate::tests::candidate;
    use super::*;

    #[test]
    fn candidates_take_the_same_share_and_cheap_ones_run_whole() {
        let candidates = [
            candidate("0", None, 100.0, 0.0),
            candidate("10", None, 60.0, 0.0),
            candidate("24", Some(1), 50.0, 1.0),
        ];
        // 15 epochs of 10 batches. A quarter of the first takes 3.75 s; the last takes 0.64 s in all.
        assert_eq!(lengths(&candidates, 10, 0.25, 1.0, 16), [37, 37, 150]);
        assert_eq!(lengths(&candidates, 10, 0.25, 0.5, 8), [18, 18, 75]);
        assert_eq!(lengths(&candidates, 10, 0.01, 1.0, 16), [16, 16, 16]);
    }

    #[test]
    fn probes_take_a_quarter_of_the_batch() {
        let of = [1, 4, 8, 16, 64].map(probe_batch);
        assert_eq!(of, [1, 4, 4, 4, 16]);
    }

    #[test]
    fn batches_are_spread_evenly_and_there_is_at_least_one() {
        assert_eq!(spread(10, 5.0), [0, 2, 4, 6, 8]);
        assert_eq!(spread(3, 100.0), [0, 1, 2]);
        assert_eq!(spread(3, 0.2), [0]);
    }
}
