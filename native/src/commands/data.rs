//! `data check` and `data synth`.

use std::io::Write;

use anyhow::Result;
use frostline::Error;
use frostline::data::check::{self, Report};
use frostline::data::config::{DataConfig, Split};
use frostline::data::problem::Severity;
use frostline::data::synth;

use crate::args::{CheckSettings, SynthSettings};
use crate::progress::Progress;

/// Looks at every picture and label of a data set and prints what is wrong with it.
///
/// # Errors
/// The yaml cannot be read, the output cannot be written, or something would be left out of
/// training.
pub fn check(settings: &CheckSettings, out: &mut impl Write) -> Result<()> {
    let config = DataConfig::read(&settings.data)?;
    let mut bar: Option<(Split, Progress)> = None;
    let report = check::check(&config, &mut |split, done, total| {
        if bar.as_ref().is_none_or(|(of, _)| *of != split) {
            let next = Progress::new(format!("checking {}", split.name()), total);
            if let Some((_, before)) = bar.replace((split, next)) {
                before.clear();
            }
        }
        if let Some((_, bar)) = &bar {
            bar.set_done(done);
        }
    });
    if let Some((_, bar)) = bar {
        bar.clear();
    }
    if settings.json {
        serde_json::to_writer_pretty(&mut *out, &report).map_err(std::io::Error::from)?;
        writeln!(out)?;
    } else {
        print(&report, out)?;
    }
    let errors = report.count(Severity::Error);
    if errors > 0 {
        return Err(Error::input(
            settings.data.display(),
            counted(errors, "error"),
            "a data set of which nothing is left out",
            "Mend the lines above; training goes on without what they name",
        )
        .into());
    }
    Ok(())
}

fn print(report: &Report, out: &mut impl Write) -> std::io::Result<()> {
    writeln!(
        out,
        "{}: {}",
        report.file.display(),
        counted(report.names.len(), "class"),
    )?;
    for split in &report.splits {
        let mut line = format!(
            "{:>5}: {}, {} with boxes, {}, {}",
            split.split.name(),
            counted(split.pictures, "picture"),
            split.labelled,
            counted(split.backgrounds, "background"),
            counted(split.boxes, "box"),
        );
        for (count, what) in [
            (split.unreadable, "unreadable"),
            (split.polygons, "from polygons"),
            (split.tiny_boxes, "tiny"),
        ] {
            if count > 0 {
                line.push_str(&format!(", {count} {what}"));
            }
        }
        writeln!(out, "{line}")?;
    }
    let widest = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
    let width = widest(&mut report.names.iter().map(|name| name.chars().count()));
    for (class, name) in report.names.iter().enumerate() {
        let mut line = format!("  {class:>3} {name:width$}");
        for split in &report.splits {
            let boxes = split.boxes_per_class.get(class).unwrap_or(&0);
            line.push_str(&format!("  {boxes:>6} {}", split.split.name()));
        }
        writeln!(out, "{line}")?;
    }
    // The findings come sorted by kind.
    for group in report.problems.chunk_by(|a, b| a.kind == b.kind) {
        let kind = group[0].kind;
        let word = match kind.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "note",
        };
        writeln!(out, "\n{word}: {} ({})", kind.title(), group.len())?;
        for problem in group {
            writeln!(out, "  {problem}")?;
        }
    }
    writeln!(
        out,
        "\n{}, {}, {}",
        counted(report.count(Severity::Error), "error"),
        counted(report.count(Severity::Warning), "warning"),
        counted(report.count(Severity::Info), "note"),
    )
}

fn counted(count: usize, one: &str) -> String {
    match (count, one) {
        (1, _) => format!("1 {one}"),
        (_, "class" | "box") => format!("{count} {one}es"),
        _ => format!("{count} {one}s"),
    }
}

/// Draws a synthetic data set.
///
/// # Errors
/// The folder has content already or cannot be written.
pub fn synth(settings: &SynthSettings) -> Result<()> {
    let options = &settings.options;
    let bar = Progress::new(
        format!("drawing {}", options.world),
        options.train + options.val,
    );
    synth::write(options, &settings.folder, |done, _| bar.set_done(done))?;
    bar.finish();
    crate::progress::say(&format!(
        "{} train and {} val pictures of the {} world: {}",
        options.train,
        options.val,
        options.world,
        settings
            .folder
            .join(format!("{}.yaml", options.world))
            .display(),
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(yaml: &std::path::Path, json: bool) -> (Result<()>, String) {
        let mut out = Vec::new();
        let settings = CheckSettings {
            data: yaml.to_path_buf(),
            json,
        };
        let result = check(&settings, &mut out);
        (result, String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_drawn_world_is_clean_until_a_label_is_broken() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("target");
        let mut options = synth::SynthOptions::new(synth::World::Target);
        (options.train, options.val, options.imgsz) = (3, 2, 64);
        synth(&SynthSettings {
            folder: folder.clone(),
            options,
        })
        .unwrap();
        let yaml = folder.join("target.yaml");
        let (result, text) = run(&yaml, false);
        result.unwrap();
        assert!(text.contains("train: 3 pictures"), "{text}");
        assert!(text.contains("\n0 errors, "), "{text}");

        let labels = folder.join("labels/train");
        let label = std::fs::read_dir(labels)
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        std::fs::write(&label, "0 0.5 0.5 0.2 0.2\n0 0.5 0.5 0.2\n").unwrap();
        let (result, text) = run(&yaml, false);
        assert!(result.unwrap_err().to_string().contains("found 1 error"));
        assert!(text.contains("error: bad label rows (1)"), "{text}");
        assert!(text.contains(&format!("{}:2: ", label.display())), "{text}");
        let (_, json) = run(&yaml, true);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert!(
            json["problems"]
                .as_array()
                .unwrap()
                .iter()
                .any(|p| p["kind"] == "bad_row")
        );
    }
}
