//! What is told: the table, the reasons in words, and the command.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write;

use anyhow::Result;
use frostline::model::Architecture;
use serde_json::{Value, json};

use super::candidate::Candidate;
use super::verdict::{Difference, Outcome, Verdict};

/// A part of the gradient from which on there is something to learn in a part of the network.
const MUCH: f64 = 0.25;

/// A candidate in the table.
#[derive(Debug, Clone)]
pub struct Row {
    pub freeze: String,
    pub frozen: String,
    pub epochs: usize,
    pub views: Option<usize>,
    pub step_ms: f64,
    pub kept_step_ms: Option<f64>,
    pub memory_mib: Option<f64>,
    pub run_s: f64,
    /// Steps and mAP50-95 of both probes, and what they extrapolate to for the whole run.
    pub probed: Option<Probed>,
}

#[derive(Debug, Clone, Copy)]
pub struct Probed {
    pub steps: [usize; 2],
    pub map: [f64; 2],
    pub expected: [f64; 3],
}

impl Row {
    pub fn new(
        candidate: &Candidate,
        run_s: f64,
        memory_mib: Option<f64>,
        outcome: Option<&Outcome>,
    ) -> Self {
        Self {
            freeze: candidate.text.clone(),
            frozen: candidate.plan.human(),
            epochs: candidate.epochs,
            views: candidate.views.map(|views| views.count),
            step_ms: candidate.forecast.step_ms,
            kept_step_ms: candidate.views.and(candidate.forecast.kept_step_ms),
            memory_mib,
            run_s,
            probed: outcome.map(|outcome| Probed {
                steps: [outcome.short.steps, outcome.long.steps],
                map: [outcome.short.map, outcome.long.map],
                expected: outcome.expected(),
            }),
        }
    }

    fn cells(&self) -> [String; 8] {
        let or_dash = |value: Option<f64>| match value {
            Some(value) => format!("{value:.0}"),
            None => "–".to_owned(),
        };
        let (probe, expected) = match self.probed {
            None => ("–".to_owned(), "–".to_owned()),
            Some(Probed {
                steps: [first, second],
                map: [before, after],
                expected: [low, usual, high],
            }) => (
                format!("{before:.3}, {after:.3} at {first}, {second} steps"),
                format!("{usual:.2} ({low:.2} to {high:.2})"),
            ),
        };
        [
            self.freeze.clone(),
            self.epochs.to_string(),
            format!("{:.0}", self.step_ms),
            or_dash(self.kept_step_ms),
            or_dash(self.memory_mib),
            duration(self.run_s),
            probe,
            expected,
        ]
    }

    fn json(&self) -> Value {
        json!({
            "freeze": self.freeze,
            "frozen": self.frozen,
            "epochs": self.epochs,
            "views": self.views,
            "step_ms": self.step_ms,
            "kept_step_ms": self.kept_step_ms,
            "memory_mib": self.memory_mib,
            "run_s": self.run_s,
            "probe_steps": self.probed.map(|probed| probed.steps),
            "probe_map": self.probed.map(|probed| probed.map),
            "extrapolated_map": self.probed.map(|probed| probed.expected),
        })
    }
}

/// What else points to one depth or another.
#[derive(Debug)]
pub struct Signs {
    /// Share of the squared gradient norm in backbone, neck and Detect.
    pub gradients: Vec<(&'static str, f64)>,
    /// The candidate that they are of.
    pub gradients_of: String,
    /// Per module, how far this data's feature statistics are from the weights'.
    pub shift: Vec<(usize, f64)>,
}

/// Shares of squared norms by part of the network.
pub fn by_part(squares: &[(usize, f64)], architecture: &Architecture) -> Vec<(&'static str, f64)> {
    let detect = architecture.modules.len().saturating_sub(1);
    let mut sums = BTreeMap::new();
    for &(module, square) in squares {
        let part = match module {
            module if module < architecture.backbone => "backbone",
            module if module < detect => "neck",
            _ => "Detect",
        };
        *sums.entry(part).or_insert(0.0) += square;
    }
    let all: f64 = sums.values().sum();
    let parts = ["backbone", "neck", "Detect"].into_iter();
    parts
        .filter_map(|part| Some((part, sums.get(part)? / all.max(f64::MIN_POSITIVE))))
        .collect()
}

/// The advice.
#[derive(Debug)]
pub struct Report<'a> {
    pub pictures: usize,
    pub classes: usize,
    pub budget_s: f64,
    pub took_s: f64,
    /// Share of the validation batches that probes were measured on.
    pub validated: f64,
    pub rows: Vec<Row>,
    pub outcomes: &'a [Outcome],
    /// Plans that cannot be advised, and why.
    pub left_out: Vec<(String, String)>,
    pub signs: Signs,
    pub verdict: Verdict,
    /// The flags of train that were typed.
    pub flags: &'a [OsString],
}

impl Report<'_> {
    /// Prints it, as json or for people.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn print(&self, as_json: bool, out: &mut impl Write) -> Result<()> {
        if as_json {
            serde_json::to_writer_pretty(&mut *out, &self.json()).map_err(std::io::Error::from)?;
            writeln!(out)?;
            return Ok(());
        }
        let head = [
            "freeze",
            "epochs",
            "ms a step",
            "kept",
            "MiB",
            "run",
            "mAP50-95 of probes",
            "extrapolated",
        ];
        let mut table = vec![head.map(str::to_owned)];
        table.extend(self.rows.iter().map(Row::cells));
        let width = |column: usize| {
            let cells = table.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        for row in &table {
            let cells = row.iter().zip(&widths);
            let line: Vec<String> = cells
                .map(|(cell, &width)| format!("{cell:width$}"))
                .collect();
            writeln!(out, "{}", line.join("  ").trim_end())?;
        }
        writeln!(out)?;
        for line in self.words() {
            writeln!(out, "{line}")?;
        }
        if let Some(index) = self.first() {
            writeln!(out, "\n  {}", self.command(index))?;
        }
        Ok(())
    }

    /// The candidate to try.
    fn first(&self) -> Option<usize> {
        match &self.verdict {
            Verdict::Clear(index) => Some(*index),
            Verdict::Cannot(near) if !near.iter().any(|&it| self.outcomes[it].is_open()) => {
                near.first().copied()
            }
            Verdict::Cannot(_) | Verdict::Nothing => None,
        }
    }

    fn words(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (text, reason) in &self.left_out {
            lines.push(format!("freeze {text} is left out: {reason}"));
        }
        let name = |index: usize| format!("freeze {}", self.rows[index].freeze);
        match &self.verdict {
            Verdict::Clear(index) => {
                lines.push(format!(
                    "advice: {} ({})",
                    name(*index),
                    self.rows[*index].frozen
                ));
                for other in (0..self.outcomes.len()).filter(|other| other != index) {
                    lines.push(self.against(*index, other));
                }
            }
            Verdict::Cannot(near) => {
                let names: Vec<String> = near.iter().map(|&index| name(index)).collect();
                lines.push(format!("cannot tell {} apart", names.join(" and ")));
                for &other in &near[1..] {
                    lines.push(self.against(near[0], other));
                }
                for other in (0..self.outcomes.len()).filter(|other| !near.contains(other)) {
                    lines.push(self.against(near[0], other));
                }
                let open: Vec<String> = (near.iter())
                    .filter(|&&index| self.outcomes[index].is_open())
                    .map(|&index| name(index))
                    .collect();
                if !open.is_empty() {
                    lines.push(format!(
                        "  {} had hardly begun to learn when the probe ended: it may become anything",
                        open.join(" and ")
                    ));
                }
                let plans: Vec<String> = (near.iter())
                    .map(|&index| quoted(&self.rows[index].freeze))
                    .collect();
                lines.push(format!(
                    "A longer --probe may tell; `frostline compare --freeze {}` trains them.",
                    plans.join(" ")
                ));
                if open.is_empty() {
                    lines.push(format!("{} seems likeliest.", name(near[0])));
                }
            }
            Verdict::Nothing => lines.push(
                "cannot tell: the probes were too short to learn anything. A longer --probe, or fewer candidates, may"
                    .to_owned(),
            ),
        }
        lines.extend(self.signs());
        if self.validated < 1.0 {
            lines.push(format!(
                "Probes were measured on {:.0} % of the validation pictures.",
                100.0 * self.validated
            ));
        }
        lines.push(format!(
            "This took {} of the {} that --probe gives.",
            duration(self.took_s),
            duration(self.budget_s)
        ));
        lines
    }

    /// How the better one compares with another.
    fn against(&self, index: usize, other: usize) -> String {
        let Difference {
            least,
            usual,
            most,
            noise,
        } = Difference::between(&self.outcomes[index], &self.outcomes[other]);
        let cost = self.outcomes[other].seconds / self.outcomes[index].seconds.max(1e-9);
        format!(
            "  against freeze {}: {usual:+.3} mAP50-95 extrapolated ({least:+.3} to {most:+.3}, noise ±{noise:.3}), \
             which takes {cost:.2} times as long",
            self.rows[other].freeze
        )
    }

    fn signs(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let Signs {
            gradients,
            gradients_of,
            shift,
        } = &self.signs;
        if !gradients.is_empty() {
            let parts: Vec<String> = (gradients.iter())
                .map(|(part, share)| format!("{:.0} % in {part}", 100.0 * share))
                .collect();
            let backbone = gradients.iter().find(|(part, _)| *part == "backbone");
            let meaning = match backbone {
                Some((_, share)) if *share >= MUCH => ": there is much to learn before the neck",
                Some(_) => ": there is little to learn before the neck",
                None => "",
            };
            lines.push(format!(
                "The gradient of freeze {gradients_of} lies {}{meaning}.",
                parts.join(", ")
            ));
        }
        let farthest = shift.iter().max_by(|a, b| a.1.total_cmp(&b.1));
        if let Some((module, most)) = farthest {
            let mean = shift.iter().map(|(_, shift)| shift).sum::<f64>() / shift.len() as f64;
            lines.push(format!(
                "Feature statistics of this data are {:.0} % off those of the weights, most in module {module} ({:.0} %).",
                100.0 * mean,
                100.0 * most
            ));
        }
        lines
    }

    /// The run of a candidate as one types it.
    fn command(&self, index: usize) -> String {
        let row = &self.rows[index];
        let mut words = vec!["frostline".to_owned(), "train".to_owned()];
        words.extend((self.flags.iter()).map(|flag| quoted(&flag.to_string_lossy())));
        words.extend(["--freeze".to_owned(), quoted(&row.freeze)]);
        words.extend(["--epochs".to_owned(), row.epochs.to_string()]);
        if row.views.is_some() {
            words.extend(["--cache-features".to_owned(), "ram".to_owned()]);
        }
        words.join(" ")
    }

    fn json(&self) -> Value {
        let (verdict, near) = match &self.verdict {
            Verdict::Clear(index) => ("clear", vec![*index]),
            Verdict::Cannot(near) => ("cannot tell", near.clone()),
            Verdict::Nothing => ("cannot tell", vec![]),
        };
        let near: Vec<&str> = (near.iter())
            .map(|&index| self.rows[index].freeze.as_str())
            .collect();
        json!({
            "verdict": verdict,
            "freeze": self.first().map(|index| &self.rows[index].freeze),
            "candidates_within_noise": near,
            "command": self.first().map(|index| self.command(index)),
            "pictures": self.pictures,
            "classes": self.classes,
            "candidates": self.rows.iter().map(Row::json).collect::<Vec<_>>(),
            "left_out": self.left_out.iter().map(|(text, reason)| json!({"freeze": text, "reason": reason})).collect::<Vec<_>>(),
            "gradient_shares": self.signs.gradients.iter().map(|(part, share)| json!({"part": part, "share": share})).collect::<Vec<_>>(),
            "statistics_shift": self.signs.shift.iter().map(|(module, shift)| json!({"module": module, "shift": shift})).collect::<Vec<_>>(),
            "validated": self.validated,
            "probe_s": self.budget_s,
            "took_s": self.took_s,
            "reasons": self.words(),
        })
    }
}

/// Hours, minutes and seconds.
fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s:02} s"),
        (h, m, _) => format!("{h} h {m:02} min"),
    }
}

/// A word as a shell wants it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,%+@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use frostline::model::Size;

    #[test]
    fn gradients_are_shared_among_the_parts_that_train() {
        let architecture = Architecture::yolov5(Size::N, 3);
        let squares = [(3, 1.0), (9, 2.0), (12, 2.0), (24, 5.0)];
        assert_eq!(
            by_part(&squares, &architecture),
            [("backbone", 0.3), ("neck", 0.2), ("Detect", 0.5)]
        );
        assert_eq!(by_part(&[(24, 5.0)], &architecture), [("Detect", 1.0)]);
        assert!(by_part(&[], &architecture).is_empty());
    }

    #[test]
    fn words_of_a_command_are_quoted_where_a_shell_needs_it() {
        assert_eq!(quoted("data/a.yaml"), "data/a.yaml");
        assert_eq!(quoted("24; 10@5"), "'24; 10@5'");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }

    #[test]
    fn durations_are_told_in_the_units_that_matter() {
        assert_eq!(duration(59.4), "59 s");
        assert_eq!(duration(61.0), "1 min 01 s");
        assert_eq!(duration(3700.0), "1 h 01 min");
    }
}
