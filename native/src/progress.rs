//! Progress on standard error: a bar in a terminal, a plain line now and then everywhere else.

use std::cell::RefCell;
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Time between two plain lines, so that a log file stays readable.
const PLAIN_PERIOD: Duration = Duration::from_secs(10);

const COLOURED: &str =
    "{prefix:>14.bold} {bar:28.cyan/blue} {pos}/{len} {elapsed}<{eta} {wide_msg}";
const COLOURLESS: &str = "{prefix:>14} [{bar:28}] {pos}/{len} {elapsed}<{eta} {wide_msg}";

/// Long work that shows how far it is: the batches of an epoch, the epochs of a run, the files of a
/// scan.
#[derive(Debug)]
pub struct Progress {
    output: Output,
}

#[derive(Debug)]
enum Output {
    Bar(ProgressBar),
    Plain(RefCell<Plain>),
}

impl Progress {
    /// Starts `total` pieces of work called `label`, such as `epoch 3/15` or `scanning labels`.
    pub fn new(label: impl Into<String>, total: usize) -> Self {
        let label = label.into();
        let output = if is_fancy() {
            let bar = ProgressBar::new(total as u64).with_prefix(label);
            bar.set_style(style());
            Output::Bar(bar)
        } else {
            Output::Plain(RefCell::new(Plain::new(label, total, Instant::now())))
        };
        Self { output }
    }

    /// `pieces` more are done.
    pub fn inc(&self, pieces: usize) {
        match &self.output {
            Output::Bar(bar) => bar.inc(pieces as u64),
            Output::Plain(plain) => {
                let mut plain = plain.borrow_mut();
                plain.done += pieces;
                if let Some(line) = plain.due(Instant::now()) {
                    say(&line);
                }
            }
        }
    }

    /// `pieces` are done in all.
    pub fn set_done(&self, pieces: usize) {
        match &self.output {
            Output::Bar(bar) => bar.set_position(pieces as u64),
            Output::Plain(plain) => {
                let missing = pieces.saturating_sub(plain.borrow().done);
                self.inc(missing);
            }
        }
    }

    /// `pieces` of `total` are done in all, for work whose size shows only once it runs.
    pub fn set_range(&self, pieces: usize, total: usize) {
        match &self.output {
            Output::Bar(bar) => bar.set_length(total as u64),
            Output::Plain(plain) => plain.borrow_mut().total = total,
        }
        self.set_done(pieces);
    }

    /// Figures shown beside the bar, such as the losses so far.
    pub fn set_message(&self, message: impl Into<String>) {
        match &self.output {
            Output::Bar(bar) => bar.set_message(message.into()),
            Output::Plain(plain) => plain.borrow_mut().message = message.into(),
        }
    }

    /// Prints a line above the bar.
    pub fn println(&self, line: impl AsRef<str>) {
        match &self.output {
            Output::Bar(bar) => bar.println(line),
            Output::Plain(_) => say(line.as_ref()),
        }
    }

    /// Ends the work; the last state stays on the screen as a line.
    pub fn finish(&self) {
        match &self.output {
            Output::Bar(bar) => bar.abandon(),
            Output::Plain(plain) => say(&plain.borrow().line(Instant::now())),
        }
    }

    /// Ends the work and leaves nothing of it on the screen.
    pub fn clear(&self) {
        if let Output::Bar(bar) = &self.output {
            bar.finish_and_clear();
        }
    }
}

/// One line on standard error. A closed standard error is no reason to end a training run.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

fn is_fancy() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// <https://no-color.org>: set and not empty means no colour.
fn is_colourless() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

fn style() -> ProgressStyle {
    let template = if is_colourless() {
        COLOURLESS
    } else {
        COLOURED
    };
    // The templates are constants; a default bar is still better than no training.
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars(if is_colourless() { "=> " } else { "━╸─" })
}

/// State of plain lines.
#[derive(Debug)]
struct Plain {
    label: String,
    total: usize,
    done: usize,
    message: String,
    started: Instant,
    said: Instant,
}

impl Plain {
    fn new(label: String, total: usize, now: Instant) -> Self {
        Self {
            label,
            total,
            done: 0,
            message: String::new(),
            started: now,
            said: now,
        }
    }

    /// The line, when enough time has passed since the one before.
    fn due(&mut self, now: Instant) -> Option<String> {
        if self.done >= self.total || now.duration_since(self.said) < PLAIN_PERIOD {
            return None;
        }
        self.said = now;
        Some(self.line(now))
    }

    fn line(&self, now: Instant) -> String {
        let seconds = now.duration_since(self.started).as_secs_f64();
        let mut line = format!("{} {}/{} {seconds:.1}s", self.label, self.done, self.total);
        if !self.message.is_empty() {
            line.push_str("  ");
            line.push_str(&self.message);
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_lines_come_at_most_once_per_period() {
        let start = Instant::now();
        let mut plain = Plain::new("epoch 1/3".to_owned(), 100, start);
        let mut lines = Vec::new();
        for second in 1..=35 {
            plain.done += 1;
            lines.extend(plain.due(start + Duration::from_secs(second)));
        }
        assert_eq!(
            lines,
            [
                "epoch 1/3 10/100 10.0s",
                "epoch 1/3 20/100 20.0s",
                "epoch 1/3 30/100 30.0s"
            ]
        );
    }

    #[test]
    fn the_last_piece_is_left_to_finish_and_messages_are_shown() {
        let start = Instant::now();
        let mut plain = Plain::new("scan".to_owned(), 2, start);
        plain.done = 2;
        plain.message = "1 problem".to_owned();
        let later = start + Duration::from_secs(60);
        assert_eq!(plain.due(later), None);
        assert_eq!(plain.line(later), "scan 2/2 60.0s  1 problem");
    }

    #[test]
    fn both_templates_are_well_formed() {
        for template in [COLOURED, COLOURLESS] {
            assert!(ProgressStyle::with_template(template).is_ok());
        }
    }
}
