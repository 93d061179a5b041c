//! What becomes of the classes that a run keeps: their average precision before the first step and at the end.

use burn::tensor::Device;
use frostline::eval::{Metrics, ValidateOptions};
use frostline::model::Yolov5;
use frostline::weights::KeptClasses;
use frostline::{Error, Result};
use serde::{Deserialize, Serialize};

use super::data::ValData;
use super::validation::validate;
use crate::progress::say;
use crate::run_folder::RunFolder;

/// In the run folder; written before the first step, and once more at the end.
const FILE: &str = "kept_classes.json";

/// A class that is kept and that the validation data shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct KeptClass {
    /// Index in the network.
    class: usize,
    name: String,
    /// mAP50 and mAP50-95 before the first step.
    before: [f64; 2],
    /// The same of the best weights; none before the end.
    after: Option<[f64; 2]>,
}

/// Says which classes are kept and which are new, and validates the network before it learns.
///
/// # Errors
/// As [`validate`].
pub(super) fn before(
    keep: &KeptClasses,
    model: &Yolov5,
    val: &ValData,
    device: &Device,
) -> anyhow::Result<Vec<KeptClass>> {
    say(&format!(
        "classes: {} kept ({}), {} new ({})",
        keep.names_that_are(true).len(),
        keep.names_that_are(true).join(", "),
        keep.names_that_are(false).len(),
        keep.names_that_are(false).join(", "),
    ));
    let shown = val.dataset.items.iter().flat_map(|item| &item.labels);
    let shown: Vec<usize> = shown.map(|label| label.class).collect();
    let is_kept = |class: usize| keep.from.get(class).is_some_and(Option::is_some);
    if !shown.iter().any(|&class| is_kept(class)) {
        say("no kept class has a box in the validation data: what becomes of them is not measured");
        return Ok(Vec::new());
    }
    let options = ValidateOptions::default();
    let mut see = |_: usize, _: &_, _: &[Vec<_>]| Ok(());
    let found = validate(&mut model.fold(), val, None, options, device, &mut see)?;
    let kept: Vec<KeptClass> = (found.metrics.per_class.iter())
        .filter(|class| is_kept(class.class))
        .map(|class| KeptClass {
            class: class.class,
            name: keep.names[class.class].clone(),
            before: [class.ap50, class.ap],
            after: None,
        })
        .collect();
    for class in &kept {
        let [map50, map] = class.before;
        say(&format!(
            "  {} before: mAP50 {map50:.3} mAP50-95 {map:.3}",
            class.name
        ));
    }
    Ok(kept)
}

/// Writes them into the run folder.
///
/// # Errors
/// When the disk fails.
pub(super) fn write(folder: &RunFolder, kept: &[KeptClass]) -> anyhow::Result<()> {
    let to = folder.file(FILE);
    let text = serde_json::to_string_pretty(kept)?;
    Ok(std::fs::write(&to, text).map_err(Error::io(&to))?)
}

/// Adds what the best weights reach, prints it beside what was before and writes it.
///
/// # Errors
/// When the file that [`write`] left cannot be read, or written.
pub(super) fn after(folder: &RunFolder, metrics: &Metrics) -> anyhow::Result<()> {
    let mut kept = read(folder)?;
    for class in &mut kept {
        let found = metrics.per_class.iter().find(|it| it.class == class.class);
        class.after = found.map(|found| [found.ap50, found.ap]);
    }
    if kept.is_empty() {
        return Ok(());
    }
    say("kept classes, before and after:");
    for line in lines(&kept) {
        say(&line);
    }
    write(folder, &kept)
}

fn read(folder: &RunFolder) -> Result<Vec<KeptClass>> {
    let from = folder.file(FILE);
    let text = std::fs::read_to_string(&from).map_err(Error::io(&from))?;
    serde_json::from_str(&text).map_err(|error| {
        Error::input(
            from.display(),
            error,
            "what the run wrote when it started",
            "Start a new run if the file was changed",
        )
    })
}

fn lines(kept: &[KeptClass]) -> Vec<String> {
    let row = |name: &str, before: [f64; 2], after: [f64; 2]| {
        format!(
            "{name:>22}  mAP50 {:.3} → {:.3}  mAP50-95 {:.3} → {:.3} ({:+.3})",
            before[0],
            after[0],
            before[1],
            after[1],
            after[1] - before[1]
        )
    };
    let known: Vec<(&KeptClass, [f64; 2])> = (kept.iter())
        .filter_map(|class| Some((class, class.after?)))
        .collect();
    let mean = |of: &dyn Fn(&(&KeptClass, [f64; 2])) -> f64| {
        known.iter().map(of).sum::<f64>() / known.len().max(1) as f64
    };
    let mut lines: Vec<String> = (known.iter())
        .map(|(class, after)| row(&class.name, class.before, *after))
        .collect();
    if known.len() > 1 {
        let before = [0, 1].map(|part| mean(&|(class, _)| class.before[part]));
        let after = [0, 1].map(|part| mean(&|(_, after)| after[part]));
        lines.push(row("all of them", before, after));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_told_one_by_one_and_together() {
        let class = |name: &str, before, after| KeptClass {
            class: 0,
            name: name.to_owned(),
            before,
            after,
        };
        let kept = [
            class("cat", [0.8, 0.6], Some([0.7, 0.5])),
            class("dog", [0.6, 0.4], Some([0.7, 0.5])),
            class("cow", [0.6, 0.4], None),
        ];
        let lines = lines(&kept);
        assert_eq!(
            lines[0].trim(),
            "cat  mAP50 0.800 → 0.700  mAP50-95 0.600 → 0.500 (-0.100)"
        );
        assert_eq!(
            lines[2].trim(),
            "all of them  mAP50 0.700 → 0.700  mAP50-95 0.500 → 0.500 (+0.000)"
        );
        assert_eq!(lines.len(), 3);
    }
}
