//! Kept features as a person uses them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::program::{Outcome, assert_same_run, borrowed, run, training};

/// Exit code for wrong input.
const WRONG_INPUT: i32 = 2;

fn train(folder: &Path, name: &str, more: &[&str]) -> Outcome {
    let mut flags = vec!["--noplots", "--noforecast", "--name", name];
    if !more.contains(&"--freeze") {
        flags.extend(["--freeze", "10"]);
    }
    run(folder, &borrowed(&training(4, &[&flags, more].concat())))
}

fn kept_files(folder: &Path) -> Vec<PathBuf> {
    let items = fs::read_dir(folder.join("runs/train/cache")).unwrap();
    items.map(|item| item.unwrap().path()).collect()
}

#[test]
fn a_second_run_on_the_disk_computes_nothing_and_comes_to_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let disk = ["--cache-features", "disk", "--views", "2"];
    let of = |name: &str| folder.path().join("runs/train").join(name);
    train(folder.path(), "first", &disk)
        .expect_code(0)
        .expect_words(&[
            "features after module 9: 2 views of 12 pictures",
            "which holds 0 already",
            "features: computed 24 times, taken 24 times",
            "99 frozen parameters unchanged",
        ]);
    let [file] = &kept_files(folder.path())[..] else {
        panic!("{:?}", kept_files(folder.path()));
    };
    train(folder.path(), "second", &disk)
        .expect_code(0)
        .expect_words(&["which holds 24 already", "computed 0 times, taken 48 times"]);
    assert_same_run(&of("second"), &of("first"), "all features were there");
    // In memory the same is learnt: where features lie is no matter.
    train(
        folder.path(),
        "memory",
        &["--cache-features", "ram", "--views", "2"],
    )
    .expect_code(0)
    .expect_words(&["MiB of memory", "computed 24 times, taken 24 times"]);
    assert_same_run(&of("memory"), &of("first"), "in memory");

    // Half a file and a damaged one cost time and nothing else.
    let whole = fs::read(file).unwrap();
    fs::write(file, &whole[..whole.len() / 2]).unwrap();
    train(folder.path(), "cut", &disk).expect_code(0);
    assert_same_run(&of("cut"), &of("first"), "the file was cut");
    let mut damaged = whole;
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(file, damaged).unwrap();
    train(folder.path(), "damaged", &disk)
        .expect_code(0)
        .expect_words(&["computed 1 times"]);
    assert_same_run(&of("damaged"), &of("first"), "a byte was damaged");

    // Everything that features depend on makes another file.
    for (more, computed) in [
        (&["--views", "1"][..], 12),
        (&["--views", "2", "--seed", "1"], 24),
        (&["--views", "2", "--cache-precision", "single"], 24),
        (&["--views", "2", "--hyp-set", "degrees=3"], 24),
        (&["--views", "2", "--freeze", "12"], 24),
    ] {
        let words = format!("computed {computed} times");
        let args: Vec<&str> = ["--cache-features", "disk"]
            .iter()
            .chain(more)
            .copied()
            .collect();
        train(folder.path(), "other", &args)
            .expect_code(0)
            .expect_words(&["which holds 0 already", &words]);
    }
    assert_eq!(kept_files(folder.path()).len(), 6);
}

#[test]
fn a_plan_of_stages_keeps_the_features_of_each() {
    let folder = tempfile::tempdir().unwrap();
    let args = training(
        5,
        &[
            "--noplots",
            "--noforecast",
            "--freeze",
            "24; 10@2; 0@4",
            "--cache-features",
            "ram",
            "--views",
            "1",
        ],
    );
    run(folder.path(), &borrowed(&args))
        .expect_code(0)
        .expect_words(&[
            "features after module 23: 1 view (not augmented) of 12 pictures",
            "features after module 9: 1 view (not augmented) of 12 pictures",
            "computed 12 times, taken 12 times",
        ]);
}

#[test]
fn auto_keeps_features_where_it_can_and_says_why_not_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let auto = ["--cache-features", "auto"];
    let with = |more: &[&str]| train(folder.path(), "exp", &[&auto, more].concat()).expect_code(0);
    with(&["--views", "2"]).expect_words(&["2 views of 12 pictures", "MiB of memory"]);
    with(&["--freeze", "24"]).expect_words(&["1 view (not augmented) of 12 pictures"]);
    with(&[]).expect_words(&["not kept", "4 epochs would see none of 4 views twice"]);
    with(&["--rect", "--views", "1"]).expect_words(&["not kept", "--rect"]);
    with(&["--freeze-bn", "drift"]).expect_words(&["not kept", "--freeze-bn drift"]);
}

#[test]
fn features_that_cannot_be_kept_are_an_error_that_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let ram = ["--cache-features", "ram"];
    for (more, words) in [
        (
            &["--freeze", "=3"][..],
            &["no leading module", "--cache-features"][..],
        ),
        (&["--freeze-bn", "drift"], &["drift"]),
        (&["--multi-scale"], &["--multi-scale"]),
        (
            &["--views", "9999999"],
            &["9999999 views of 12 pictures need", "MiB", "fewer --views"],
        ),
    ] {
        train(folder.path(), "exp", &[&ram, more].concat())
            .expect_code(WRONG_INPUT)
            .expect_words(words);
    }
    train(folder.path(), "exp", &["--views", "2"])
        .expect_code(WRONG_INPUT)
        .expect_words(&["--views", "--cache-features ram, disk or auto"]);
    assert!(!folder.path().join("runs/train/exp").exists());
}

#[test]
fn without_augmentation_kept_features_in_single_precision_change_no_bit() {
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str| folder.path().join("runs/train").join(name);
    let plain = ["--hyp", "no-aug", "--seed", "2"];
    train(folder.path(), "pixels", &plain).expect_code(0);
    let keep = [
        "--cache-features",
        "ram",
        "--views",
        "1",
        "--cache-precision",
        "single",
    ];
    train(folder.path(), "features", &[&plain[..], &keep].concat()).expect_code(0);
    // Validation too, whose figures are in results.csv, takes its features from the first epoch.
    assert_same_run(&of("features"), &of("pixels"), "features were kept");
}
