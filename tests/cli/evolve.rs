//! `train --evolve`: a search that goes on where it was.

use std::fs;

use crate::program::{borrowed, run, training};

#[test]
fn a_search_keeps_a_table_and_the_best_and_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let search = |generations: &str, more: &[&str]| {
        let flags = [&["--freeze", "24", "--evolve", generations], more].concat();
        run(folder.path(), &borrowed(&training(1, &flags)))
    };
    search("1", &[])
        .expect_code(0)
        .expect_words(&["generation 1/1", "best of 1 generations"]);
    let place = folder.path().join("runs/evolve/exp");
    let first = fs::read_to_string(place.join("evolve.csv")).unwrap();
    search("3", &[])
        .expect_code(0)
        .expect_words(&["going on after generation 1", "generation 3/3"]);
    let table = fs::read_to_string(place.join("evolve.csv")).unwrap();
    assert!(table.starts_with(&first), "{table}");
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split(',').collect())
        .collect();
    assert_eq!(rows.len(), 4);
    assert!(rows.iter().all(|row| row.len() == rows[0].len()));
    assert_ne!(
        rows[1][6..],
        rows[2][6..],
        "a child differs from its parent"
    );
    // What was found can be trained with.
    let best = place.join("hyp_evolve.yaml");
    assert!(
        fs::read_to_string(&best)
            .unwrap()
            .starts_with("# The best of 3 generations")
    );
    let best = best.display().to_string();
    let args = training(
        1,
        &[
            "--freeze",
            "24",
            "--hyp",
            &best,
            "--noplots",
            "--noforecast",
        ],
    );
    run(folder.path(), &borrowed(&args)).expect_code(0);
    search("3", &["--cos-lr"])
        .expect_code(2)
        .expect_words(&["another search", "--name"]);
}
