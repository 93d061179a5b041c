//! What a run does when memory runs out or a loss is no number: it goes back to its last snapshot, with half the
//! pictures per batch or a lower rate.

use std::any::Any;
use std::fmt;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::panic::{self, AssertUnwindSafe};

use anyhow::{Context, ensure};
use frostline::model::Yolov5;
use frostline::train::Session;
use frostline::train::record::RunRecord;
use frostline::weights::{Checkpoint, StateDict};

use super::checkpoints::read_last;
use super::run::{Progression, Run};
use super::start::start;
use crate::progress::say;

/// What the rate is multiplied by when a loss is no number.
const LOWER: f64 = 0.25;
/// How often a run goes on at a lower rate.
const TRIES: usize = 4;
/// How often it does so from its last snapshot; after that from its start.
const FROM_SNAPSHOT: usize = 2;
/// What weights are shared in ends here.
const LARGEST_HALF: f32 = 65504.0;
/// Tensors of a snapshot that are no weights of the network, which are kept in full precision.
const ONLY_TRAINING: &str = "train.";
const HEADER: &str = "epoch,batch,why,batch_size,lr0";

/// Why a run goes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The device has too little memory for a batch.
    OutOfMemory(String),
    /// A loss is no number, or a weight beyond all bounds.
    Diverged(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfMemory(what) => write!(f, "out of memory: {what}"),
            Self::Diverged(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Trouble {}

impl Trouble {
    /// The trouble that `error` tells of.
    ///
    /// # Errors
    /// `error` itself, when going back would not help.
    pub fn of(error: anyhow::Error) -> anyhow::Result<Self> {
        if let Some(trouble) = error.chain().find_map(|cause| cause.downcast_ref::<Self>()) {
            return Ok(trouble.clone());
        }
        let said = format!("{error:#}");
        if says_out_of_memory(&said) {
            return Ok(Self::OutOfMemory(first_line(&said)));
        }
        Err(error)
    }
}

/// Does `work`. A device that runs out of memory may panic: that becomes an error.
///
/// # Errors
/// As `work`, or [`Trouble::OutOfMemory`].
pub fn caught<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    // Whoever catches memory that ran out throws away what `work` held.
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let said = words(&*payload);
        if says_out_of_memory(said) {
            return Err(Trouble::OutOfMemory(first_line(said)).into());
        }
        panic::resume_unwind(payload)
    })
}

fn words(payload: &(dyn Any + Send)) -> &str {
    let owned = payload.downcast_ref::<String>().map(String::as_str);
    owned
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or_default()
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// The words of Burn's devices and their drivers.
fn says_out_of_memory(text: &str) -> bool {
    const WORDS: [&str; 5] = [
        "out of memory",
        "out-of-memory",
        "outofmemory",
        "out of device memory",
        "can't allocate buffer",
    ];
    let text = text.to_lowercase();
    WORDS.iter().any(|words| text.contains(words))
}

/// Refuses weights that have grown beyond what a checkpoint holds, and a snapshot that a run could not go on from.
///
/// # Errors
/// Names the tensor that holds such a value.
pub fn check_held(tensors: &StateDict) -> Result<(), Trouble> {
    let held = |name: &str, data: &burn::tensor::TensorData| {
        let largest = if name.starts_with(ONLY_TRAINING) {
            f32::MAX
        } else {
            LARGEST_HALF
        };
        // Which no number fulfils that is none.
        data.iter::<f32>().all(|value| value.abs() <= largest)
    };
    match tensors.iter().find(|(name, data)| !held(name, data)) {
        Some((name, _)) => Err(Trouble::Diverged(format!(
            "{name} holds a value beyond {LARGEST_HALF}, the largest that weights are saved with"
        ))),
        None => Ok(()),
    }
}

impl Run<'_> {
    /// Puts `session` where `record` was written.
    ///
    /// # Errors
    /// When the checkpoint does not fit the session.
    pub(super) fn restore(
        &self,
        session: &mut Session,
        checkpoint: &Checkpoint,
        record: RunRecord,
    ) -> anyhow::Result<Progression> {
        let written = (record.batch.or(self.settings.batch_size)).unwrap_or(self.batch_size);
        let record = if written == self.batch_size {
            record
        } else {
            record.recut(self.train.cut(written), self.train.cut(self.batch_size))
        };
        session.restore(&checkpoint.tensors, &record.session)?;
        Ok(Progression {
            epoch: record.session.next_epoch,
            batch: record.next_batch,
            loss_sums: record.loss_sums,
            best_fitness: record.best_fitness,
            best_epoch: record.best_epoch,
            class_map: record.class_map,
            ..Progression::new(self.names.len())
        })
    }

    /// A session at the last snapshot that goes on in another way.
    ///
    /// # Errors
    /// When there is no other way, or none that was not tried.
    pub(super) fn recover(
        &mut self,
        session: Session,
        trouble: &Trouble,
        at: &Progression,
    ) -> anyhow::Result<(Session, Progression)> {
        let place = format!("epoch {}, batch {}", at.epoch + 1, at.batch);
        let last = self.files.last();
        ensure!(
            last.is_file(),
            "{place}: {trouble}. There is no snapshot to go back to: leave --nosave out, so that one is kept"
        );
        let architecture = session.model.architecture().clone();
        let plan = session.plan().clone();
        let mut config = session.config().clone();
        drop(session);
        frostline::ops::release();
        self.device.memory_cleanup();

        let does = match trouble {
            Trouble::OutOfMemory(_) => {
                ensure!(
                    self.batch_size > 1,
                    "{place}: {trouble}, with one picture per batch. Train at a smaller --imgsz, freeze more, or use \
                     another --device"
                );
                self.batch_size /= 2;
                self.rebatch();
                format!("batches of {}, as many optimizer steps", self.batch_size)
            }
            Trouble::Diverged(_) => {
                self.tries += 1;
                ensure!(
                    self.tries <= TRIES,
                    "{place}: {trouble}, after {TRIES} tries with ever lower rates, the last lr0 {}. Look at the data with \
                     `frostline data check`, or start again with --hyp-set lr0={:.1e}",
                    self.hyp.lr0,
                    self.hyp.lr0 / 10.0
                );
                self.hyp.lr0 *= LOWER;
                self.hyp.warmup_bias_lr *= LOWER;
                format!("lr0 {}", self.hyp.lr0)
            }
        };
        config.batch = self.batch_size;
        config.batches = self.train.batches();
        config.hyp = self.hyp.clone();
        let (mut session, there) = if self.tries > FROM_SNAPSHOT {
            // The snapshot itself is spoiled: what learnt at too high a rate does not come back.
            let dataset = &*self.train.dataset;
            let begun = start(self.settings, &dataset.names, dataset, &self.device)?;
            let session = Session::new(begun.start.model, plan, config, &self.device);
            (session, Progression::new(self.names.len()))
        } else {
            let network = Yolov5::new(architecture, self.settings.seed, &self.device);
            let mut session = Session::new(network, plan, config, &self.device);
            let (checkpoint, record) = read_last(&last)?;
            let there = self.restore(&mut session, &checkpoint, record)?;
            (session, there)
        };
        say(&format!(
            "{place}: {trouble}. Going on from epoch {}, batch {} with {does}",
            there.epoch + 1,
            there.batch + 1
        ));
        self.note(trouble, at)?;
        // Who resumes need not find out again.
        self.save(&mut session, &there)?;
        Ok((session, there))
    }

    /// Cuts training and validation into batches of the size in force.
    fn rebatch(&mut self) {
        self.train = self.train.in_batches_of(self.batch_size);
        self.val = self.val.in_batches_of(2 * self.batch_size);
    }

    /// Adds a line to `recoveries.csv`.
    fn note(&self, trouble: &Trouble, at: &Progression) -> anyhow::Result<()> {
        let to = self.folder.file("recoveries.csv");
        let new = !to.exists();
        let why = match trouble {
            Trouble::OutOfMemory(_) => "out of memory",
            Trouble::Diverged(_) => "diverged",
        };
        let mut text = if new {
            format!("{HEADER}\n")
        } else {
            String::new()
        };
        let (batch, lr0) = (self.batch_size, self.hyp.lr0);
        text.push_str(&format!("{},{},{why},{batch},{lr0}\n", at.epoch, at.batch));
        self.log.event("recovery", serde_json::json!({ "epoch": at.epoch, "batch": at.batch, "why": why, "batch_size": batch, "lr0": lr0 }))?;
        let file = OpenOptions::new().append(true).create(true).open(&to);
        file.and_then(|mut file| file.write_all(text.as_bytes()))
            .with_context(|| to.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;
    use burn::tensor::TensorData;

    use super::*;

    #[test]
    fn memory_that_ran_out_is_told_from_other_failures() {
        let device = "An out-of-memory error happened during launch\nCaused by:\n  heap 0";
        for said in [
            device,
            "out of device memory allocating 7 bytes",
            "Not enough: Out of Memory",
        ] {
            let trouble = Trouble::of(anyhow!(said.to_owned()).context("a step")).unwrap();
            assert!(matches!(trouble, Trouble::OutOfMemory(_)), "{said}");
        }
        assert!(Trouble::of(anyhow!("lost the device")).is_err());
        let diverged = Trouble::Diverged("a loss".to_owned());
        let wrapped = anyhow::Error::from(diverged.clone()).context("epoch 3");
        assert_eq!(Trouble::of(wrapped).unwrap(), diverged);
    }

    #[test]
    fn a_panic_without_memory_becomes_an_error_and_any_other_goes_on() {
        let silent = panic::take_hook();
        panic::set_hook(Box::new(|_| {}));
        let error = caught::<()>(|| panic!("can't allocate buffer of size: 9")).unwrap_err();
        let other = panic::catch_unwind(|| caught::<()>(|| panic!("a defect")));
        panic::set_hook(silent);
        assert!(matches!(Trouble::of(error), Ok(Trouble::OutOfMemory(_))));
        assert!(other.is_err());
        assert_eq!(caught(|| Ok(7)).unwrap(), 7);
    }

    #[test]
    fn weights_that_no_checkpoint_could_hold_are_refused() {
        let tensor = |value: f32| TensorData::new(vec![1.0, value], [2]);
        let mut tensors = vec![("model.0.conv.weight".to_owned(), tensor(2.0))];
        assert_eq!(check_held(&tensors), Ok(()));
        tensors.push(("train.first/model.1.conv.weight".to_owned(), tensor(1e9)));
        assert_eq!(check_held(&tensors), Ok(()));
        for bad in [f32::NAN, f32::INFINITY, -1e5] {
            let mut tensors = tensors.clone();
            tensors.push(("model.1.conv.weight".to_owned(), tensor(bad)));
            let trouble = check_held(&tensors).unwrap_err().to_string();
            assert!(trouble.starts_with("model.1.conv.weight"), "{trouble}");
        }
    }
}
