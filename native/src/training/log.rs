//! `--log`: what happens in a run, for programs that watch it: a JSON object per line, or figures for TensorBoard.

use std::cell::RefCell;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

use frostline::train::Rates;
use frostline::{Error, Result};
use serde_json::{Value, json};

use super::tensorboard::EventFile;
use crate::args::LogTo;
use crate::results::EpochRow;

/// Where it is told.
#[derive(Default)]
pub struct StepLog {
    lines: RefCell<Vec<Lines>>,
    events: Option<RefCell<EventFile>>,
}

struct Lines {
    place: String,
    /// Nothing once nobody listens any more.
    out: Option<Box<dyn Write>>,
}

impl StepLog {
    /// Opens what was asked for; events go into the run's `folder`. A file of lines is continued, so that a resumed run
    /// adds to it.
    ///
    /// # Errors
    /// When a file cannot be opened.
    pub fn open(to: &[LogTo], folder: &Path) -> Result<Self> {
        let mut log = Self::default();
        for to in to {
            let (place, out): (_, Box<dyn Write>) = match to {
                LogTo::TensorBoard => {
                    log.events = Some(RefCell::new(EventFile::create(folder)?));
                    continue;
                }
                LogTo::Stdout => ("standard output".to_owned(), Box::new(std::io::stdout())),
                LogTo::File(path) => {
                    let file = OpenOptions::new().append(true).create(true).open(path);
                    let file = file.map_err(Error::io(path))?;
                    (path.display().to_string(), Box::new(file))
                }
            };
            let out = Some(out);
            log.lines.get_mut().push(Lines { place, out });
        }
        Ok(log)
    }

    /// A step of the network. `epoch` and `batch` count from 0, as in `results.csv`.
    ///
    /// # Errors
    /// When the line cannot be written.
    pub fn step(&self, epoch: usize, batch: usize, losses: &[f64], rates: &Rates) -> Result<()> {
        self.write(|| {
            json!({
                "event": "step", "epoch": epoch, "batch": batch,
                "box": losses[0], "obj": losses[1], "cls": losses[2],
                "lr": [rates.bias, rates.weight, rates.norm], "momentum": rates.momentum,
            })
        })
    }

    /// An epoch with the figures of `results.csv`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn epoch(&self, row: &EpochRow) -> Result<()> {
        if let Some(events) = &self.events {
            events.borrow_mut().scalars(row.epoch, &row.figures())?;
        }
        self.write(|| {
            let named = |names: &[&str], values: &[f64]| -> Value {
                let pairs = names.iter().zip(values);
                pairs.map(|(name, value)| (name.to_string(), json!(value))).collect()
            };
            let losses = ["box", "obj", "cls"];
            json!({
                "event": "epoch", "epoch": row.epoch,
                "train": named(&losses, &row.train),
                "metrics": row.metrics.map(|values| named(&["precision", "recall", "map50", "map"], &values)),
                "val": row.val.map(|values| named(&losses, &values)),
                "lr": row.lr,
            })
        })
    }

    /// Anything else, such as a recovery or the end.
    ///
    /// # Errors
    /// When the line cannot be written.
    pub fn event(&self, name: &str, what: Value) -> Result<()> {
        self.write(|| {
            let mut line = json!({ "event": name });
            if let (Value::Object(line), Value::Object(what)) = (&mut line, what) {
                line.extend(what);
            }
            line
        })
    }

    fn write(&self, line: impl FnOnce() -> Value) -> Result<()> {
        let mut lines = self.lines.borrow_mut();
        if lines.is_empty() {
            return Ok(());
        }
        let line = format!("{}\n", line());
        for Lines { place, out } in lines.iter_mut() {
            let Some(writer) = out else { continue };
            // One write per line: a reader never sees half of one.
            let done = writer.write_all(line.as_bytes());
            match done.and_then(|()| writer.flush()) {
                Ok(()) => {}
                // Nobody listens any more, which is no reason to end a training run.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => *out = None,
                Err(error) => return Err(Error::io(&*place)(error)),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_an_object_and_a_resumed_run_adds_to_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        let rates = Rates {
            bias: 0.1,
            weight: 0.01,
            norm: 0.01,
            momentum: 0.9,
            accumulate: 1,
        };
        for batch in 0..2 {
            let log = StepLog::open(&[LogTo::File(path.clone())], folder.path()).unwrap();
            log.step(0, batch, &[1.0, 2.0, 3.0], &rates).unwrap();
        }
        let both = [LogTo::File(path.clone()), LogTo::TensorBoard];
        let log = StepLog::open(&both, folder.path()).unwrap();
        let row = EpochRow {
            epoch: 0,
            train: [1.0; 3],
            metrics: None,
            val: None,
            lr: [0.1; 3],
        };
        log.epoch(&row).unwrap();
        log.event("end", json!({ "epochs": 1 })).unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[1]["batch"], 1);
        assert_eq!(lines[1]["obj"], 2.0);
        assert_eq!(lines[2]["metrics"], Value::Null);
        assert_eq!(lines[3]["epochs"], 1);
        let made = std::fs::read_dir(folder.path()).unwrap().flatten();
        let events = made
            .filter(|entry| entry.file_name().to_string_lossy().contains("tfevents"))
            .count();
        assert_eq!(events, 1);
        StepLog::default().event("end", json!({})).unwrap();
    }
}
