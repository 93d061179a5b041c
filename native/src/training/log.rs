//! `--log`: what happens in a run, a JSON object per line, for programs that watch it.

use std::cell::RefCell;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};

use frostline::train::Rates;
use frostline::{Error, Result};
use serde_json::{Value, json};

use crate::args::LogTo;
use crate::results::EpochRow;

/// Where the lines go.
pub struct StepLog {
    place: String,
    out: RefCell<Option<Box<dyn Write>>>,
}

impl StepLog {
    /// Opens the log. A file is continued, so that a resumed run adds to it.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(to: Option<&LogTo>) -> Result<Self> {
        let (place, out): (_, Option<Box<dyn Write>>) = match to {
            None => (String::new(), None),
            Some(LogTo::Stdout) => (
                "standard output".to_owned(),
                Some(Box::new(std::io::stdout())),
            ),
            Some(LogTo::File(path)) => {
                let file = OpenOptions::new().append(true).create(true).open(path);
                let file = file.map_err(Error::io(path))?;
                (path.display().to_string(), Some(Box::new(file)))
            }
        };
        let out = RefCell::new(out);
        Ok(Self { place, out })
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
    /// When the line cannot be written.
    pub fn epoch(&self, row: &EpochRow) -> Result<()> {
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
        let mut out = self.out.borrow_mut();
        let Some(writer) = out.as_mut() else {
            return Ok(());
        };
        // One write per line: a reader never sees half of one.
        let done = writer.write_all(format!("{}\n", line()).as_bytes());
        match done.and_then(|()| writer.flush()) {
            Ok(()) => Ok(()),
            // Nobody listens any more, which is no reason to end a training run.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                *out = None;
                Ok(())
            }
            Err(error) => Err(Error::io(&self.place)(error)),
        }
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
            let log = StepLog::open(Some(&LogTo::File(path.clone()))).unwrap();
            log.step(0, batch, &[1.0, 2.0, 3.0], &rates).unwrap();
        }
        let log = StepLog::open(Some(&LogTo::File(path.clone()))).unwrap();
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
        StepLog::open(None)
            .unwrap()
            .event("end", json!({}))
            .unwrap();
    }
}
