//! `watch`: the curves of a run in the terminal, while it goes on or afterwards. It reads the run's files and touches nothing.

mod view;

use std::io::{IsTerminal as _, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use frostline::Error;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};

use crate::args::{TrainSettings, WatchSettings};
use crate::results::{self, EpochRow};
use crate::usage::{self, EpochUsage};

/// Time between two looks at the files.
const PERIOD: Duration = Duration::from_secs(1);
/// Columns and rows where there is no terminal.
const PLAIN: (u16, u16) = (100, 30);

/// A run as its files tell of it.
#[derive(Debug)]
struct Seen {
    run: PathBuf,
    epochs: usize,
    freeze: String,
    rows: Vec<EpochRow>,
    usage: Vec<EpochUsage>,
    /// The receipt is the last thing that a run writes.
    ended: bool,
}

impl Seen {
    fn read(run: &std::path::Path) -> frostline::Result<Self> {
        if !run.join("opt.yaml").exists() {
            return Err(Error::input(
                run.display(),
                "no opt.yaml",
                "the folder of a run",
                "Name one, such as runs/train/exp; a run has its files once training begins",
            ));
        }
        let settings = TrainSettings::read(run)?;
        let table = run.join("results.csv");
        let of_usage = run.join("usage.csv");
        Ok(Self {
            run: run.to_path_buf(),
            epochs: settings.epochs,
            freeze: settings.freeze.to_string(),
            rows: match table.exists() {
                true => results::read(&table)?,
                false => Vec::new(),
            },
            usage: match of_usage.exists() {
                true => usage::read(&of_usage)?,
                false => Vec::new(),
            },
            ended: run.join("receipt.json").exists(),
        })
    }
}

/// Shows the run until the person has seen enough; once and as plain text where `out` is not read by a person.
///
/// # Errors
/// When the folder is not that of a run, or the terminal fails.
pub fn run(settings: &WatchSettings, out: &mut impl Write) -> Result<()> {
    let seen = Seen::read(&settings.run)?;
    if settings.once || !std::io::stdout().is_terminal() {
        out.write_all(plain(&seen)?.as_bytes())?;
        return Ok(());
    }
    let mut terminal = ratatui::try_init()?;
    let watched = watch(&mut terminal, seen);
    ratatui::restore();
    watched
}

fn watch(terminal: &mut ratatui::DefaultTerminal, mut seen: Seen) -> Result<()> {
    loop {
        terminal.draw(|frame| view::draw(frame, &seen))?;
        if event::poll(PERIOD)?
            && let Event::Key(key) = event::read()?
            && key.kind == KeyEventKind::Press
        {
            let control = key.modifiers.contains(KeyModifiers::CONTROL);
            match key.code {
                KeyCode::Char('q') | KeyCode::Esc => return Ok(()),
                KeyCode::Char('c') if control => return Ok(()),
                _ => {}
            }
        }
        // A table in the middle of being written is read a second later.
        if let Ok(now) = Seen::read(&seen.run) {
            seen = now;
        }
    }
}

/// The view as lines of text.
fn plain(seen: &Seen) -> Result<String> {
    let mut terminal = Terminal::new(TestBackend::new(PLAIN.0, PLAIN.1))?;
    terminal.draw(|frame| view::draw(frame, seen))?;
    let buffer = terminal.backend().buffer();
    let mut text = String::new();
    for row in buffer.content().chunks(usize::from(PLAIN.0)) {
        let line: String = row.iter().map(|cell| cell.symbol()).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(epochs: usize) -> Seen {
        let rows = (0..epochs).map(|epoch| {
            let learnt = 1.0 - 1.0 / (epoch as f64 + 1.0);
            EpochRow {
                epoch,
                train: [0.1, 0.2, 0.3].map(|loss| loss * (1.0 - 0.5 * learnt)),
                metrics: Some([0.5, 0.6, 0.9 * learnt, 0.5 * learnt]),
                val: None,
                lr: [0.01; 3],
            }
        });
        let usage = (0..epochs).map(|epoch| EpochUsage {
            epoch,
            seconds: 5.0,
            steps: 10,
            compute_share: 0.95,
            cpu_share: Some(0.8),
            process_mib: Some(321.0),
            device_mib: None,
        });
        Seen {
            run: PathBuf::from("runs/train/exp"),
            epochs: 20,
            freeze: "10".to_owned(),
            rows: rows.collect(),
            usage: usage.collect(),
            ended: false,
        }
    }

    #[test]
    fn a_run_shows_its_curves_and_the_figures_of_its_last_and_best_epoch() {
        let text = plain(&seen(10)).unwrap();
        for words in [
            "runs/train/exp",
            "freeze 10",
            "epoch 10 of 20",
            "mAP50-95 0.450",
            "best 0.450 in epoch 10",
            "box",
            "mAP50",
            "500 ms a step",
            "321 MiB",
        ] {
            assert!(text.contains(words), "{words:?} is missing in:\n{text}");
        }
        // Curves are drawn in the dots of Braille.
        let dots = |c: &char| ('\u{2801}'..='\u{28ff}').contains(c);
        assert!(text.chars().filter(dots).count() > 40, "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 100));
    }

    #[test]
    fn before_the_first_epoch_and_in_a_small_window_it_says_what_it_can() {
        assert!(plain(&seen(0)).unwrap().contains("no epoch has ended yet"));
        for (columns, rows) in [(1, 1), (20, 5), (40, 60), (300, 10)] {
            let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
            terminal.draw(|frame| view::draw(frame, &seen(3))).unwrap();
        }
    }

    #[test]
    fn losses_that_are_no_numbers_do_not_stop_it() {
        let mut seen = seen(3);
        seen.rows[1].train = [f64::NAN; 3];
        seen.rows[2].metrics = None;
        plain(&seen).unwrap();
        seen.rows
            .iter_mut()
            .for_each(|row| row.train = [f64::NAN; 3]);
        plain(&seen).unwrap();
    }

    #[test]
    fn a_folder_that_is_no_run_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = Seen::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("opt.yaml"), "{error}");
    }
}
