//! `train --evolve`: hyperparameters searched by training again and again, each time with a child of the best so far.
//!
//! Every generation is a `frostline train` in a process of its own. The same command again goes on where it was.

mod genes;
mod table;

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use frostline::Error;
use frostline::data::transform::rng_for;

use self::genes::child;
use self::table::{Generation, Table};
use crate::args::EvolveSettings;
use crate::progress::say;
use crate::{interrupt, results};

/// What was searched, to know it again.
const RECORD: &str = "evolve.json";
/// The best hyperparameters so far.
const BEST: &str = "hyp_evolve.yaml";
/// Weight of mAP50 in the fitness; mAP50-95 has the rest.
const FITNESS_MAP50: f64 = 0.1;
/// Runs that fail one after the other until the search ends.
const FAILURES: usize = 3;

/// Trains generation after generation.
///
/// # Errors
/// Another search lies in the folder, the first runs fail, a file cannot be written, or the person interrupts.
pub fn run(settings: &EvolveSettings) -> Result<()> {
    interrupt::install()?;
    let folder = &settings.folder;
    std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
    settle_record(settings)?;
    let mut table = Table::open(folder.join("evolve.csv"))?;
    if !table.generations.is_empty() {
        say(&format!(
            "going on after generation {}",
            table.generations.len()
        ));
    }
    let mut failures = 0;
    while table.generations.len() < settings.generations {
        let number = table.generations.len();
        let known = table.individuals();
        // From the seed and the number alone: one who interrupts gets the same child again.
        let hyp = child(
            &settings.base,
            &known,
            &mut rng_for(settings.seed, number, 0),
        );
        say(&format!(
            "generation {}/{}",
            number + 1,
            settings.generations
        ));
        let metrics = train(settings, number, &hyp)?;
        failures = if metrics.is_some() { 0 } else { failures + 1 };
        ensure!(
            failures < FAILURES && (number > 0 || metrics.is_some()),
            "generation {}: training failed, as said above. Mend that first: the same command then goes on",
            number + 1
        );
        let metrics = metrics.unwrap_or_default();
        table.append(Generation { hyp, metrics })?;
        write_best(folder, &table)?;
    }
    if let Some((number, best)) = table.best() {
        say(&format!(
            "best of {} generations: {}, fitness {:.4}; its hyperparameters are in {}",
            table.generations.len(),
            number + 1,
            best.fitness(),
            folder.join(BEST).display()
        ));
    }
    Ok(())
}

/// Trains with `hyp`: precision, recall, mAP50 and mAP50-95 of the best epoch; none when training failed, as it does
/// with rates that are too high.
fn train(
    settings: &EvolveSettings,
    number: usize,
    hyp: &frostline::train::Hyp,
) -> Result<Option<[f64; 4]>> {
    let folder = &settings.folder;
    let name = format!("generation{}", number + 1);
    let run = folder.join(&name);
    let file = folder.join("hyp_next.yaml");
    std::fs::write(&file, hyp.to_yaml()).map_err(Error::io(&file))?;
    let mut command = Command::new(std::env::current_exe().context("the path of this program")?);
    command
        .arg("train")
        .args(&settings.flags)
        .arg("--hyp")
        .arg(&file);
    command
        .arg("--project")
        .arg(folder)
        .args(["--name", &name, "--exist-ok", "--noplots"]);
    let status = command.status().context("a run of train")?;
    interrupt::check()?;
    let found = status.success().then(|| best_epoch(&run)).transpose()?;
    // Weights of thousands of runs would fill the disk; the table has what they came to.
    if run.exists() {
        std::fs::remove_dir_all(&run).map_err(Error::io(&run))?;
    }
    Ok(found)
}

fn best_epoch(run: &Path) -> Result<[f64; 4]> {
    let rows = results::read(&run.join("results.csv"))?;
    let metrics = rows.into_iter().filter_map(|row| row.metrics);
    let best = metrics.max_by(|a, b| fitness(a).total_cmp(&fitness(b)));
    Ok(best.unwrap_or_default())
}

fn fitness([_, _, map50, map]: &[f64; 4]) -> f64 {
    FITNESS_MAP50 * map50 + (1.0 - FITNESS_MAP50) * map
}

fn write_best(folder: &Path, table: &Table) -> Result<()> {
    let Some((number, best)) = table.best() else {
        return Ok(());
    };
    let path = folder.join(BEST);
    let [precision, recall, map50, map] = best.metrics;
    let text = format!(
        "# The best of {} generations, number {}: precision {precision:.4}, recall {recall:.4}, mAP50 {map50:.4}, mAP50-95 {map:.4}\n{}",
        table.generations.len(),
        number + 1,
        best.hyp.to_yaml()
    );
    std::fs::write(&path, text).map_err(Error::io(&path))?;
    Ok(())
}

/// Notes what is searched, or checks that the same was searched here before. More generations may follow.
fn settle_record(settings: &EvolveSettings) -> Result<()> {
    let path = settings.folder.join(RECORD);
    let flags: Vec<_> = settings
        .flags
        .iter()
        .map(|flag| flag.to_string_lossy())
        .collect();
    let wanted = serde_json::json!({ "flags": flags, "base": settings.base.to_yaml(), "seed": settings.seed });
    if path.exists() {
        let text = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
        let found: serde_json::Value = serde_json::from_str(&text)
            .with_context(|| format!("{}: expected what was searched", path.display()))?;
        if found != wanted {
            return Err(Error::input(
                path.display(),
                "another search",
                "the same flags, to go on with",
                "Name this one otherwise with --name",
            )
            .into());
        }
        return Ok(());
    }
    std::fs::write(&path, serde_json::to_string_pretty(&wanted)?).map_err(Error::io(&path))?;
    Ok(())
}
