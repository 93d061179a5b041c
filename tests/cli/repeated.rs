//! The same seed gives the same run on the CPU, bit for bit.

use crate::program::{assert_same_run, borrowed, run, training};

#[test]
fn the_same_seed_gives_the_same_bits_with_any_number_of_workers() {
    let folder = tempfile::tempdir().unwrap();
    for (name, workers) in [("none", "0"), ("two", "2"), ("again", "2")] {
        let args = training(
            2,
            &[
                "--freeze",
                "10",
                "--noplots",
                "--noforecast",
                "--seed",
                "7",
                "--workers",
                workers,
                "--name",
                name,
            ],
        );
        run(folder.path(), &borrowed(&args)).expect_code(0);
    }
    let of = |name: &str| folder.path().join("runs/train").join(name);
    assert_same_run(&of("two"), &of("none"), "workers");
    assert_same_run(&of("again"), &of("two"), "a second time");
    let args = training(
        2,
        &[
            "--freeze",
            "10",
            "--noplots",
            "--noforecast",
            "--seed",
            "8",
            "--name",
            "other",
        ],
    );
    run(folder.path(), &borrowed(&args)).expect_code(0);
    let [ours, theirs] =
        ["two", "other"].map(|name| std::fs::read(of(name).join("results.csv")).unwrap());
    assert_ne!(ours, theirs, "another seed, another run");
}
