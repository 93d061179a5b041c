//! The race: several plans on the same pictures from the same seed, one after another.

use serde::{Deserialize, Serialize};

use super::Record;
use crate::messages::{Said, TrainAsk};

/// What freezes all but Detect, the backbone, nothing.
pub const PLANS: [&str; 3] = ["24", "10", "0"];

/// Runs that differ in what they freeze and in nothing else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Race {
    /// Settings of all runs, but for what is frozen.
    pub ask: TrainAsk,
    /// Name of the weights that all begin with.
    pub weights: String,
    /// Runs that have begun, in their order; the last one may be under way.
    pub runs: Vec<Record>,
    /// Whether a person ended it.
    pub stopped: bool,
}

/// A column of the table of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// Of the best epoch; more is better.
    Map50,
    /// Of the best epoch; more is better.
    Map,
    /// Computing; less is better.
    Seconds,
    /// Activations and features by count; less is better.
    Bytes,
}

impl Column {
    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::Map50, Self::Map, Self::Seconds, Self::Bytes];
}

/// A row of the table of results.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What was frozen.
    pub freeze: String,
    /// Values in the order of [`Column::ALL`], those that are known.
    pub values: [Option<f64>; 4],
    /// Whether each is the best of its column; ties are shared, and a value alone is no best.
    pub best: [bool; 4],
}

impl Race {
    /// A race that is about to begin.
    pub fn new(ask: TrainAsk, weights: String) -> Self {
        Self {
            ask,
            weights,
            runs: Vec::new(),
            stopped: false,
        }
    }

    /// Begins the next run: what is to be asked for. `None` when all were run, or a person ended it.
    pub fn begin_next(&mut self) -> Option<TrainAsk> {
        if self.stopped {
            return None;
        }
        let freeze = *PLANS.get(self.runs.len())?;
        let ask = TrainAsk {
            freeze: freeze.to_owned(),
            ..self.ask.clone()
        };
        self.runs
            .push(Record::new(ask.clone(), self.weights.clone()));
        Some(ask)
    }

    /// Takes in what is said of the run under way.
    pub fn hear(&mut self, said: &Said, now_s: f64) {
        if let Some(run) = self.runs.last_mut() {
            run.hear(said, now_s);
        }
    }

    /// Whether nothing is to come.
    pub fn is_over(&self) -> bool {
        let ended = self.runs.last().is_some_and(Record::is_over);
        ended && (self.stopped || self.runs.len() >= PLANS.len())
    }

    /// The table of results so far, a row per plan.
    pub fn table(&self) -> Vec<Row> {
        let mut rows: Vec<Row> = (PLANS.iter().enumerate())
            .map(|(index, freeze)| {
                let run = self.runs.get(index);
                let best = run.and_then(Record::best);
                Row {
                    freeze: (*freeze).to_owned(),
                    values: [
                        best.map(|epoch| epoch.reached.map50),
                        best.map(|epoch| epoch.reached.map),
                        run.and_then(Record::seconds),
                        run.and_then(Record::counted_bytes)
                            .map(|bytes| bytes as f64),
                    ],
                    best: [false; 4],
                }
            })
            .collect();
        for (at, column) in Column::ALL.into_iter().enumerate() {
            mark_best(&mut rows, at, column);
        }
        rows
    }
}

fn mark_best(rows: &mut [Row], at: usize, column: Column) {
    let value = |row: &Row| row.values.get(at).copied().flatten();
    let known: Vec<f64> = rows.iter().filter_map(value).collect();
    let best = match column {
        Column::Map50 | Column::Map => known.iter().copied().reduce(f64::max),
        Column::Seconds | Column::Bytes => known.iter().copied().reduce(f64::min),
    };
    if known.len() < 2 {
        return;
    }
    for row in rows {
        let is_best = value(row).is_some() && value(row) == best;
        if let Some(mark) = row.best.get_mut(at) {
            *mark = is_best;
        }
    }
}
