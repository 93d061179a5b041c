//! What a person reads when something is wrong: the file, what was found, what to do; and the exit code.

use std::fs;

use crate::program::{Outcome, borrowed, command, run, training, training_from, weights, world};

/// Exit code for wrong input.
const WRONG_INPUT: i32 = 2;

#[test]
fn the_guides_own_line_is_understood_and_stops_only_at_what_cannot_be_fetched() {
    let folder = tempfile::tempdir().unwrap();
    let line = "train --batch 48 --weights yolov5m.pt --data voc.yaml --epochs 50 --cache --img 512 \
                --hyp data/hyps/hyp.VOC.yaml --freeze 10 --device cpu";
    let args: Vec<&str> = line.split_whitespace().collect();
    let alone = |args: &[&str]| {
        let mut command = command(folder.path(), args);
        command
            .env("FROSTLINE_CACHE", folder.path().join("cache"))
            .env("FROSTLINE_MIRROR", "http://127.0.0.1:1")
            .env("NO_PROXY", "127.0.0.1");
        Outcome::from(command.output().unwrap())
    };
    alone(&args).expect_code(1).expect_words(&[
        "yolov5m.pt could not be fetched",
        "name a file of your own with --weights",
    ]);
    let weights = weights();
    let args: Vec<&str> = args
        .into_iter()
        .map(|arg| if arg == "yolov5m.pt" { &weights } else { arg })
        .collect();
    alone(&args).expect_code(1).expect_words(&[
        "VOCtrainval_06-Nov-2007.zip could not be fetched",
        "with --data",
    ]);
    assert!(
        !folder.path().join("runs/train").exists(),
        "a run that cannot start leaves no run folder"
    );
}

#[test]
fn an_unknown_flag_is_named_with_the_nearest_one() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &["train", "--epoch-count", "3"])
        .expect_code(WRONG_INPUT)
        .expect_words(&["--epoch-count"]);
    run(folder.path(), &["train", "--frezee", "3"])
        .expect_code(WRONG_INPUT)
        .expect_words(&["--frezee", "--freeze"]);
    run(folder.path(), &["tarin"])
        .expect_code(WRONG_INPUT)
        .expect_words(&["tarin", "train"]);
}

#[test]
fn damaged_weights_are_named_with_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let whole = fs::read(weights()).unwrap();
    let mut flipped = whole.clone();
    for byte in &mut flipped[60..400] {
        *byte ^= 0x55;
    }
    for (name, bytes, words) in [
        ("cut.pt", &whole[..whole.len() / 2], &["cut.pt"][..]),
        ("flipped.pt", &flipped, &["flipped.pt"]),
        (
            "empty.pt",
            &[],
            &["empty.pt", "a .pt or .safetensors checkpoint"],
        ),
        (
            "text.safetensors",
            b"hello, I am no checkpoint at all",
            &["text.safetensors", "checkpoint"],
        ),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let path = path.display().to_string();
        let data = world().display().to_string();
        let pictures = world()
            .parent()
            .unwrap()
            .join("images/val")
            .display()
            .to_string();
        let train = training_from(&path, 1, &[]);
        for args in [
            &["inspect", "--weights", &path][..],
            &[
                "detect",
                "--weights",
                &path,
                "--source",
                &pictures,
                "--device",
                "cpu",
            ],
            &[
                "val",
                "--weights",
                &path,
                "--data",
                &data,
                "--device",
                "cpu",
            ],
            &borrowed(&train),
        ] {
            run(folder.path(), args)
                .expect_code(WRONG_INPUT)
                .expect_words(&["found", "expected"])
                .expect_words(words);
        }
    }
}

#[test]
fn data_without_labels_cannot_be_trained_on_and_the_error_says_where_they_were_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    let pictures = world().parent().unwrap().join("images/train");
    let images = folder.path().join("bare/images");
    fs::create_dir_all(&images).unwrap();
    for entry in fs::read_dir(pictures).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), images.join(entry.file_name())).unwrap();
    }
    let yaml = folder.path().join("bare.yaml");
    fs::write(
        &yaml,
        "path: bare\ntrain: images\nval: images\nnames: [a, b]\n",
    )
    .unwrap();
    let args = [
        "train",
        "--device",
        "cpu",
        "--data",
        "bare.yaml",
        "--weights",
        &weights(),
        "--imgsz",
        "64",
    ];
    run(folder.path(), &args)
        .expect_code(WRONG_INPUT)
        .expect_words(&["bare", "labels", "expected"]);
}

#[test]
fn a_set_that_is_not_where_the_yaml_says_is_named_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("lost.yaml"),
        "names: [a]\ntrain: nowhere/images\nval: nowhere/images\n",
    )
    .unwrap();
    let args = [
        "train",
        "--device",
        "cpu",
        "--data",
        "lost.yaml",
        "--weights",
        &weights(),
        "--imgsz",
        "64",
    ];
    run(folder.path(), &args)
        .expect_code(WRONG_INPUT)
        .expect_words(&["lost.yaml:2", "nowhere/images", "expected"]);
}

#[test]
fn freeze_plans_that_cannot_work_are_refused_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    for (freeze, words) in [
        ("25", &["25", "expected"][..]),
        ("all", &["all", "expected"]),
        ("model.99.*", &["model.99.*", "expected"]),
        ("7-3", &["7-3", "expected"]),
        ("10@3; 5@2", &["expected"]),
    ] {
        let args = ["inspect", "--cfg", "yolov5n", "--freeze", freeze];
        run(folder.path(), &args)
            .expect_code(WRONG_INPUT)
            .expect_words(words);
    }
    // Weights of another size leave the backbone random, and frozen random weights never get better.
    let args = training(1, &["--cfg", "yolov5s", "--freeze", "10"]);
    run(folder.path(), &borrowed(&args))
        .expect_code(WRONG_INPUT)
        .expect_words(&["without transferred weights", "--allow-untransferred"]);
}

#[test]
fn sources_and_runs_that_are_not_there_are_wrong_input() {
    let folder = tempfile::tempdir().unwrap();
    let args = [
        "detect",
        "--weights",
        &weights(),
        "--source",
        "no/pictures",
        "--device",
        "cpu",
    ];
    run(folder.path(), &args)
        .expect_code(WRONG_INPUT)
        .expect_words(&["--source", "no/pictures"]);
    run(folder.path(), &["train", "--resume"])
        .expect_code(WRONG_INPUT)
        .expect_words(&["--resume", "runs/train"]);
    run(folder.path(), &["train", "--resume", "gone"])
        .expect_code(WRONG_INPUT)
        .expect_words(&["gone"]);
    run(folder.path(), &["train", "--hyp", "none.yaml"])
        .expect_code(WRONG_INPUT)
        .expect_words(&["--hyp", "none.yaml"]);
    let args = [
        "val",
        "--weights",
        &weights(),
        "--data",
        &world().display().to_string(),
        "--device",
        "cpu",
    ];
    run(folder.path(), &args)
        .expect_code(WRONG_INPUT)
        .expect_words(&["found 4 classes", "the 3 of"]);
}
