//! `compare`: the same data, order and seeds under several freeze plans; what each gains and what it costs.
//!
//! Every run is a `frostline train` in a process of its own and a run folder like any other, so that memory
//! is that run's alone. The same command again goes on where it was: runs that have ended stay, one that was
//! interrupted resumes.

mod chart;
mod figures;
mod html;
mod runs;
mod svg;
mod words;

use std::path::Path;

use anyhow::{Context, Result};
use frostline::Error;

use crate::args::CompareSettings;
use crate::interrupt;
use crate::progress::say;

use self::chart::Chart;
use self::figures::Comparison;
use self::runs::Run;

/// What was compared, to know it again.
const RECORD: &str = "compare.json";

/// Trains what is missing and writes the report after every run.
///
/// # Errors
/// Another comparison lies in the folder, a run fails, a file cannot be written, or the person interrupts.
pub fn run(settings: &CompareSettings) -> Result<()> {
    interrupt::install()?;
    let folder = &settings.folder;
    std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
    settle_record(settings)?;
    let seeds = &settings.seeds;
    // Seed after seed: a first answer for all plans comes early.
    let runs: Vec<Run> = (seeds.iter())
        .flat_map(|&seed| {
            (settings.plans.iter().enumerate()).map(move |(plan, freeze)| Run {
                plan,
                freeze: freeze.clone(),
                seed,
            })
        })
        .collect();
    for (number, run) in runs.iter().enumerate() {
        say(&format!(
            "compare {}/{}: freeze {}, seed {}",
            number + 1,
            runs.len(),
            run.freeze,
            run.seed
        ));
        run.train(settings)?;
        report(settings, &runs[..=number])?;
    }
    say(&format!("report: {}", folder.join("report.html").display()));
    Ok(())
}

/// The settings as they are known again: plans, seeds and flags, in words.
fn record(settings: &CompareSettings) -> serde_json::Value {
    let flags: Vec<_> = settings
        .flags
        .iter()
        .map(|flag| flag.to_string_lossy())
        .collect();
    serde_json::json!({ "plans": settings.plans, "seeds": settings.seeds, "flags": flags })
}

/// Notes what is compared, or checks that the same was compared here before. More seeds may follow.
fn settle_record(settings: &CompareSettings) -> Result<()> {
    let path = settings.folder.join(RECORD);
    let wanted = record(settings);
    if path.exists() {
        let text = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
        let found: serde_json::Value = serde_json::from_str(&text)
            .with_context(|| format!("{}: expected what was compared", path.display()))?;
        if found["plans"] != wanted["plans"] || found["flags"] != wanted["flags"] {
            return Err(Error::input(
                path.display(),
                "another comparison",
                "the same plans and flags, to go on with",
                "Name this one otherwise with --name",
            )
            .into());
        }
    }
    std::fs::write(&path, serde_json::to_string_pretty(&wanted)?).map_err(Error::io(&path))?;
    Ok(())
}

/// Writes `report.html`, `report.csv` and the charts.
fn report(settings: &CompareSettings, runs: &[Run]) -> Result<()> {
    let folder = &settings.folder;
    let comparison = Comparison::read(settings, runs)?;
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(Error::io(&path))
    };
    write("report.csv", &comparison.csv())?;
    let charts = Chart::all(&comparison);
    for chart in &charts {
        write(&format!("{}.svg", chart.file), &svg::document(chart))?;
        chart.save_png(&folder.join(format!("{}.png", chart.file)))?;
    }
    write("report.html", &html::page(settings, &comparison, &charts))?;
    Ok(())
}

/// Where a run of a comparison lies.
fn run_path(folder: &Path, run: &Run) -> std::path::PathBuf {
    folder.join(run.name())
}
