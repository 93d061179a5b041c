//! `data check` and `data synth`.

use std::fs;

use serde_json::Value;

use crate::program::{hashes, run, world};

#[test]
fn a_broken_set_is_listed_with_file_and_line_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let args = [
        "data", "synth", "set", "--world", "target", "--train", "4", "--val", "2", "--imgsz", "64",
        "--seed", "3",
    ];
    run(folder.path(), &args).expect_code(0);
    let set = folder.path().join("set");
    let labels = set.join("labels/train");
    let mut files: Vec<_> = fs::read_dir(&labels)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    fs::write(
        &files[0],
        "0 0.5 0.5 0.2 0.2\n0 0.5 0.5 0.2\n\n1 0.5 1.5 0.1 0.1\n9 0.5 0.5 0.1 0.1\n",
    )
    .unwrap();
    fs::write(&files[1], "0 0.5 0.5 0.2 0.2\n0 0.5 0.5 0.2 0.2\n").unwrap();
    let images = set.join("images/train");
    let picture = fs::read_dir(&images)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    fs::write(&picture, "no picture").unwrap();
    let before = hashes(&set);

    let outcome = run(folder.path(), &["data", "check", "set/target.yaml"]).expect_code(2);
    let name = files[0].file_name().unwrap().to_string_lossy().into_owned();
    for line in [2, 4, 5] {
        assert!(
            outcome.stdout.contains(&format!("{name}:{line}: ")),
            "line {line}:\n{}",
            outcome.stdout
        );
    }
    let repeated = files[1].file_name().unwrap().to_string_lossy().into_owned();
    assert!(
        outcome.stdout.contains(&format!("{repeated}:2: ")),
        "{}",
        outcome.stdout
    );
    assert!(
        outcome
            .stdout
            .contains(&*picture.file_name().unwrap().to_string_lossy()),
        "{}",
        outcome.stdout
    );
    outcome.expect_words(&["set/target.yaml: found 4 errors"]);

    let json = run(
        folder.path(),
        &["data", "check", "set/target.yaml", "--json"],
    )
    .expect_code(2);
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    let lines = json["problems"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|problem| problem["severity"] == "error")
        .count();
    assert_eq!(lines, 4);
    assert_eq!(hashes(&set), before);
}

#[test]
fn a_drawn_set_is_clean_and_the_same_seed_draws_it_again() {
    let outcome = run(world().parent().unwrap(), &["data", "check", "target.yaml"]).expect_code(0);
    assert!(outcome.stdout.contains("0 errors"), "{}", outcome.stdout);
    let folder = tempfile::tempdir().unwrap();
    for name in ["a", "b"] {
        let args = [
            "data", "synth", name, "--world", "source", "--train", "3", "--val", "1", "--imgsz",
            "64",
        ];
        run(folder.path(), &args).expect_code(0);
    }
    for part in ["images", "labels", "source.yaml"] {
        let of = |name: &str| {
            hashes(&folder.path().join(name).join(part))
                .into_values()
                .collect::<Vec<_>>()
        };
        assert_eq!(of("a"), of("b"), "{part}");
    }
    let args = [
        "data", "synth", "a", "--world", "source", "--train", "3", "--val", "1", "--imgsz", "64",
    ];
    run(folder.path(), &args)
        .expect_code(2)
        .expect_words(&["a", "expected"]);
}
