//! Plans side by side: runs that go on where they were, and a report.

use std::fs;
use std::path::Path;

use crate::program::{borrowed, run, training};

fn comparison(epochs: usize, freeze: &[&str], more: &[&str]) -> Vec<String> {
    let flags = ["--noplots", "--noforecast"];
    let mut args = training(epochs, &[&flags, more].concat());
    args[0] = "compare".to_owned();
    args.push("--freeze".to_owned());
    args.extend(freeze.iter().map(|&plan| plan.to_owned()));
    args
}

fn compare(folder: &Path, freeze: &[&str], more: &[&str], code: i32) -> crate::program::Outcome {
    run(folder, &borrowed(&comparison(2, freeze, more))).expect_code(code)
}

#[test]
fn plans_are_compared_and_what_was_run_is_not_run_again() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("runs/compare/exp");
    compare(folder.path(), &["0", "24"], &[], 0);
    let page = fs::read_to_string(report.join("report.html")).unwrap();
    assert!(page.contains("Freeze 0, 24 compared"));
    for chart in ["map50", "map50-95", "epoch-time", "memory", "use"] {
        assert!(image::open(report.join(format!("{chart}.png"))).is_ok());
        assert!(report.join(format!("{chart}.svg")).exists());
    }
    let rows = |text: &str| text.lines().count() - 1;
    let csv = || fs::read_to_string(report.join("report.csv")).unwrap();
    assert_eq!(rows(&csv()), 2);

    // A run that did not end is trained, one that did is not.
    let untouched = fs::read(report.join("plan1-0-seed0/results.csv")).unwrap();
    fs::remove_dir_all(report.join("plan2-24-seed0")).unwrap();
    let outcome = compare(folder.path(), &["0", "24"], &["--seeds", "2"], 0);
    let begun = outcome.stderr.matches("writing to").count();
    assert_eq!(begun, 3, "{}", outcome.stderr);
    assert_eq!(
        fs::read(report.join("plan1-0-seed0/results.csv")).unwrap(),
        untouched
    );
    assert_eq!(rows(&csv()), 4);
}

#[test]
fn another_comparison_in_the_same_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("runs/compare/exp");
    fs::create_dir_all(&report).unwrap();
    fs::write(
        report.join("compare.json"),
        r#"{"plans":["0","10"],"seeds":[0],"flags":[]}"#,
    )
    .unwrap();
    let outcome = compare(folder.path(), &["0", "24"], &[], 2);
    assert!(outcome.stderr.contains("--name"), "{}", outcome.stderr);
    let outcome = compare(folder.path(), &["10"], &["--name", "other"], 2);
    assert!(outcome.stderr.contains("two or more"), "{}", outcome.stderr);
}

#[cfg(target_os = "linux")]
#[test]
fn a_comparison_that_was_interrupted_goes_on() {
    use crate::program::{start, wait, wait_until};
    let folder = tempfile::tempdir().unwrap();
    let args = comparison(6, &["0", "24"], &[]);
    let report = folder.path().join("runs/compare/exp");
    let mut child = start(folder.path(), &borrowed(&args));
    let first = report.join("plan1-0-seed0/results.csv");
    let begun = wait_until(&mut child, || {
        fs::read_to_string(&first).is_ok_and(|text| text.lines().count() > 1)
    });
    assert!(begun, "the first run has an epoch");
    // As a terminal does: to the run and to the comparison. It ends only after its run has.
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    let run_id = fs::read_to_string(children).unwrap();
    for id in [run_id.trim(), &child.id().to_string()] {
        let sent = std::process::Command::new("kill")
            .args(["-INT", id])
            .status();
        assert!(sent.unwrap().success());
    }
    let outcome = wait(child);
    if outcome.code == Some(130) {
        assert!(!report.join("plan2-24-seed0").exists());
    }
    let outcome = run(folder.path(), &borrowed(&args)).expect_code(0);
    assert!(outcome.stderr.contains("compare 2/2"), "{}", outcome.stderr);
    let csv = fs::read_to_string(report.join("report.csv")).unwrap();
    assert!(csv.lines().skip(1).all(|row| row.contains(",6,")), "{csv}");
}
