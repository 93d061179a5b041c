use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use frostline::device::DeviceChoice;
use frostline::freeze::FeaturePrecision;
use frostline::model::Size;
use frostline::train::{FreezeNorms, Hyp, OptimizerKind};

use super::train_settings::ResumeFrom;
use super::values::CacheMode;
use super::*;
use crate::run_folder::RunFolder;

fn parsed(line: &str) -> Result<Parsed, Refusal> {
    let words = std::iter::once("frostline").chain(line.split_whitespace());
    parse(words.map(OsString::from))
}

fn train(line: &str) -> TrainSettings {
    match parsed(&format!("train {line}")).map(|parsed| parsed.command) {
        Ok(Command::Train(settings)) => *settings,
        other => panic!("{line}: {other:?}"),
    }
}

/// What a person reads when a line is refused.
fn refused(line: &str) -> String {
    match parsed(line) {
        Err(Refusal::Usage(error)) => error.to_string(),
        Err(Refusal::Input(error)) => error.to_string(),
        Ok(parsed) => panic!("{line}: {parsed:?}"),
    }
}

#[test]
fn the_command_definitions_are_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn the_guides_line_is_understood_word_for_word() {
    let settings = train(
        "--batch 48 --weights yolov5m.pt --data voc.yaml --epochs 50 --cache --img 512 \
         --hyp data/hyps/hyp.VOC.yaml --freeze 10",
    );
    assert_eq!(settings.batch_size, Some(48));
    assert_eq!(settings.weights.as_deref(), Some(Path::new("yolov5m.pt")));
    assert_eq!(settings.data, Path::new("voc.yaml"));
    assert_eq!(settings.epochs, 50);
    assert_eq!(settings.cache, Some(CacheMode::Ram));
    assert_eq!(settings.imgsz, 512);
    assert_eq!(Some(settings.hyp), Hyp::named("voc"));
    assert_eq!(settings.freeze, "10".parse().unwrap());
    assert!(settings.lr0_given);
}

#[test]
fn train_alone_is_the_demonstration_and_says_so() {
    let parsed = parsed("train").unwrap();
    let [note] = &parsed.notes[..] else {
        panic!("{:?}", parsed.notes);
    };
    assert!(
        note.contains("--freeze 10 --epochs 15 --imgsz 320 --batch-size 8"),
        "{note}"
    );
    let Command::Train(settings) = parsed.command else {
        panic!("not train");
    };
    assert!(settings.weights.unwrap().ends_with(shipped::WEIGHTS));
    assert!(settings.data.ends_with(shipped::DATA));
    assert_eq!(settings.freeze, "10".parse().unwrap());
    assert_eq!(
        (settings.epochs, settings.imgsz, settings.batch_size),
        (15, 320, Some(8))
    );
    let settings = train("--epochs 3 --freeze 24");
    assert_eq!((settings.epochs, settings.imgsz), (3, 320));
    assert_eq!(settings.freeze, "24".parse().unwrap());
}

#[test]
fn with_data_or_weights_the_reference_defaults_apply() {
    for line in ["--data mine.yaml", "--weights mine.pt", "--cfg yolov5s"] {
        let settings = train(line);
        assert_eq!(settings.epochs, 300, "{line}");
        assert_eq!(settings.batch_size, Some(16), "{line}");
        assert_eq!(settings.imgsz, 640, "{line}");
        assert_eq!(settings.freeze, "none".parse().unwrap(), "{line}");
        assert_eq!(settings.freeze_bn, FreezeNorms::Fixed, "{line}");
        assert_eq!(settings.hyp, Hyp::default(), "{line}");
        assert_eq!(settings.optimizer, OptimizerKind::Sgd, "{line}");
        assert_eq!(settings.patience, 100, "{line}");
        assert_eq!(settings.seed, 0, "{line}");
        assert_eq!(settings.save_period, None, "{line}");
        assert_eq!(settings.nominal_batch, None, "{line}");
        assert_eq!(settings.device, DeviceChoice::Auto, "{line}");
        assert_eq!(settings.project, Path::new("runs/train"), "{line}");
        assert_eq!(settings.name, "exp", "{line}");
        assert_eq!(settings.cache, None, "{line}");
        let cores = std::thread::available_parallelism().unwrap().get();
        assert_eq!(settings.workers, cores.min(8), "{line}");
        assert!(
            !settings.lr0_given && !settings.reference_schedule,
            "{line}"
        );
    }
    assert_eq!(train("--cfg yolov5s").weights, None);
    assert!(
        train("--data mine.yaml")
            .weights
            .unwrap()
            .ends_with(shipped::WEIGHTS)
    );
}

#[test]
fn freeze_takes_one_or_several_values() {
    for (line, spec) in [
        ("--freeze 10", "10"),
        ("--freeze 0 1 2", "0 1 2"),
        ("--freeze 0,1,2", "0,1,2"),
        ("--freeze=0-9", "0-9"),
        ("--freeze all-but-detect --epochs 3", "all-but-detect"),
        ("--freeze backbone,!9", "backbone,!9"),
        ("--freeze model.2.cv1.* --cache", "model.2.cv1.*"),
        ("--freeze 24; 10@5; 0@20", "24; 10@5; 0@20"),
        ("--freeze 5 5", "5 5"),
        ("--freeze 0", "none"),
    ] {
        assert_eq!(train(line).freeze, spec.parse().unwrap(), "{line}");
    }
    for bad in ["--freeze -1", "--freeze spine", "--freeze 3-1"] {
        assert!(refused(&format!("train {bad}")).contains("freeze"), "{bad}");
    }
    assert!(refused("train --freeze").contains("--freeze"));
}

#[test]
fn aliases_prefixes_and_underscores_work() {
    for line in [
        "--batch 8 --img 320",
        "--batch-size 8 --imgsz 320",
        "--batch_size 8 --img_size 320",
        "--batch-size=8 --image-size=320",
        "--batch_size=8 --imgs 320 320",
    ] {
        let settings = train(line);
        assert_eq!(
            (settings.batch_size, settings.imgsz),
            (Some(8), 320),
            "{line}"
        );
    }
    let Command::Detect(settings) =
        parsed("detect --source a.jpg --weights w.pt --conf 0.4 --iou_thres 0.5 --classes 0 2 --line_thick 1")
            .unwrap()
            .command
    else {
        panic!("not detect");
    };
    assert_eq!((settings.conf_thres, settings.iou_thres), (0.4, 0.5));
    assert_eq!(settings.classes, Some(vec![0, 2]));
    assert_eq!(settings.line_thickness, 1);
    assert_eq!((settings.imgsz, settings.max_det), (640, 1000));
}

#[test]
fn flags_that_take_an_optional_value_leave_the_next_flag_alone() {
    assert_eq!(train("--cache disk").cache, Some(CacheMode::Disk));
    assert_eq!(train("--cache RAM").cache, Some(CacheMode::Ram));
    let settings = train("--cache --rect --optimizer adamw --save-period 5");
    assert_eq!(settings.cache, Some(CacheMode::Ram));
    assert!(settings.rect);
    assert_eq!(settings.optimizer, OptimizerKind::AdamW);
    assert_eq!(settings.save_period, Some(5));
}

#[test]
fn hyperparameters_are_changed_one_by_one() {
    let settings = train("--hyp med --hyp-set lr0=0.002 --hyp-set mosaic=0 --label-smoothing 0.1");
    let expected = Hyp {
        lr0: 0.002,
        mosaic: 0.0,
        label_smoothing: 0.1,
        ..Hyp::named("med").unwrap()
    };
    assert_eq!(settings.hyp, expected);
    assert!(refused("train --hyp-set lr=1").contains("Did you mean `lr0`?"));
    assert!(refused("train --hyp-set lr0").contains("KEY=NUMBER"));
    assert!(refused("train --hyp strong").contains("low, med, high"));
}

#[test]
fn a_hyperparameter_file_on_disk_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hyp.VOC.yaml");
    std::fs::write(&file, "lr0: 0.5\n").unwrap();
    let settings = train(&format!("--hyp {}", file.display()));
    assert_eq!(settings.hyp.lr0, 0.5);
    std::fs::write(&file, "lr0: 0.5\nlr1: 1\n").unwrap();
    let message = refused(&format!("train --hyp {}", file.display()));
    assert!(message.contains("hyp.VOC.yaml:2"), "{message}");
}

#[test]
fn val_has_the_reference_defaults() {
    let Command::Val(settings) = parsed("val --weights w.pt --data d.yaml").unwrap().command else {
        panic!("not val");
    };
    assert_eq!(settings.batch_size, 32);
    assert_eq!((settings.conf_thres, settings.iou_thres), (0.001, 0.6));
    assert_eq!((settings.max_det, settings.task), (300, Task::Val));
    assert_eq!(settings.project, Path::new("runs/val"));
}

#[test]
fn inspect_takes_an_architecture_and_a_freeze() {
    let Command::Inspect(settings) =
        parsed("inspect --cfg models/yolov5n.yaml --freeze 0 1 2 --json --parameters")
            .unwrap()
            .command
    else {
        panic!("not inspect");
    };
    assert_eq!(
        settings.subject,
        Subject::Cfg(ArchitectureSource::Builtin(Size::N))
    );
    assert_eq!(settings.freeze, Some("0 1 2".parse().unwrap()));
    assert_eq!(settings.parameters.as_deref(), Some("*"));
    assert!(settings.json);
    assert!(refused("inspect --cfg yolov5n --weights w.pt").contains("cannot be used with"));
    assert!(refused("inspect --weights w.pt --nc 3").contains("--cfg"));
}

#[test]
fn bad_values_are_refused_with_what_is_expected() {
    for (line, part) in [
        ("train --epochs 0", "1 or more"),
        ("train --batch -1 --noforecast", "a forecast"),
        ("train --batch 0", "-1 for as many as fit"),
        ("val --batch-size=-1", "not supported"),
        ("train --log steps.txt", "run.jsonl"),
        ("train --device tpu", "auto, cpu, gpu or gpu:N"),
        ("train --device 0,1", "one device"),
        ("train --optimizer lion", "SGD"),
        ("train --imgsz 640 480", "one side length"),
        ("train --cfg yolov9", "yolov5n"),
        ("train --freeze-bn thaw", "fixed or drift"),
        ("train --evolve 0", "1 or more"),
        ("train --evolve 3 --resume", "goes on where it was"),
        ("compare --freeze 0 10 --evolve", "Search first"),
        ("val --task study --save-json --weights w.pt", "one side"),
        ("train --sync-bn", "one device"),
        ("train --label-smoothing 1", "below 1"),
        ("val --conf-thres 2", "from 0 to 1"),
        ("detect", "--source"),
        ("train --foo", "--foo"),
        ("data synth out --world moon", "source or target"),
    ] {
        let message = refused(line);
        assert!(message.contains(part), "{line}: {message}");
    }
    let empty = ["frostline", "train", "--weights", ""].map(OsString::from);
    assert!(
        matches!(parse(empty), Err(Refusal::Input(error)) if error.to_string().contains("--cfg"))
    );
}

#[test]
fn help_documents_the_exit_codes() {
    for line in [
        "--help",
        "train --help",
        "val --help",
        "detect --help",
        "inspect --help",
    ] {
        let Err(Refusal::Usage(help)) = parsed(line) else {
            panic!("{line}");
        };
        assert_eq!(help.kind(), ErrorKind::DisplayHelp);
        let help = help.to_string();
        assert!(
            help.contains("Exit codes:") && help.contains("130"),
            "{line}: {help}"
        );
    }
}

fn write(settings: &TrainSettings, run: &RunFolder) {
    std::fs::write(run.file("opt.yaml"), settings.to_yaml().unwrap()).unwrap();
    std::fs::write(run.file("hyp.yaml"), settings.hyp.to_yaml()).unwrap();
}

#[test]
fn settings_written_to_a_run_are_resumed_unchanged() {
    let root = tempfile::tempdir().unwrap();
    let run = RunFolder::create(root.path(), "exp", false).unwrap();
    let mut settings = train(
        "--weights w.pt --data d.yaml --freeze 24; 10@5 --hyp voc --hyp-set lr0=0.002 --optimizer Adam \
         --cache disk --save-period 3 --nominal-batch 32 --cos-lr --freeze-bn drift --device cpu \
         --cfg yolov5s --seed 7 --label-smoothing 0.05 --project my/runs \
         --cache-features disk --views 3 --cache-precision single --log json",
    );
    assert_eq!(settings.cache_features, FeatureMode::Disk);
    assert_eq!(settings.views, Some(3));
    assert_eq!(settings.cache_precision, FeaturePrecision::Single);
    write(&settings, &run);
    // Paths are written absolute, so that a run can be resumed from any folder.
    settings.weights = Some(std::path::absolute("w.pt").unwrap());
    settings.data = std::path::absolute("d.yaml").unwrap();
    assert_eq!(TrainSettings::read(run.path()).unwrap(), settings);

    let last = run.weights().unwrap().join("last.safetensors");
    std::fs::write(&last, "").unwrap();
    let from = |checkpoint: Option<&PathBuf>| {
        Some(ResumeFrom {
            run: run.path().to_path_buf(),
            checkpoint: checkpoint.cloned(),
            batch_size: None,
        })
    };
    let newest = train(&format!("--resume --project {}", root.path().display()));
    assert_eq!(newest.resume, from(None));
    let folder = train(&format!("--resume {}", run.path().display()));
    assert_eq!(folder.resume, from(None));
    let named = train(&format!("--resume {} --device gpu:1", last.display()));
    assert_eq!(named.resume, from(Some(&last)));
    assert_eq!(named.device, DeviceChoice::Gpu(Some(1)));
    let elsewhere = train(&format!("--resume {} --cache-features ram", last.display()));
    assert_eq!(elsewhere.cache_features, FeatureMode::Ram);
    let original = TrainSettings {
        device: DeviceChoice::Cpu,
        resume: None,
        ..named
    };
    assert_eq!(original, settings);

    let message = refused(&format!(
        "train --resume {} --freeze 0",
        run.path().display()
    ));
    assert!(message.contains("found --freeze beside it"), "{message}");
    assert!(message.contains("--cache-features"), "{message}");
    let message = refused(&format!(
        "train --resume {} --views 2",
        run.path().display()
    ));
    assert!(message.contains("found --views beside it"), "{message}");
    assert!(
        refused("train --resume --project no/such/folder").contains("no run with a checkpoint")
    );
    assert!(refused("train --resume no/such/file.pt").contains("no/such/file.pt"));
}

#[test]
fn how_features_are_kept_needs_that_they_are() {
    let settings = train("--freeze 10");
    assert_eq!(settings.cache_features, FeatureMode::Off);
    let settings = train("--freeze 10 --cache-features RAM");
    assert_eq!(settings.cache_features, FeatureMode::Ram);
    assert_eq!(settings.cache_precision, FeaturePrecision::Half);
    assert_eq!(settings.views, None);
    for flag in ["--views 2", "--cache-precision single"] {
        let message = refused(&format!("train --freeze 10 {flag}"));
        assert!(message.contains("--cache-features"), "{message}");
    }
    assert!(refused("train --cache-features ram --views 0").contains("1 or more"));
    assert!(refused("train --cache-features tape").contains("ram"));
    assert!(refused("train --cache-features ram --cache-precision double").contains("half"));
}

#[test]
fn opt_yaml_that_was_damaged_names_its_line() {
    let root = tempfile::tempdir().unwrap();
    let run = RunFolder::create(root.path(), "exp", false).unwrap();
    write(&train("--data d.yaml"), &run);
    let path = run.file("opt.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("nonsense: 1\n{text}")).unwrap();
    let message = TrainSettings::read(run.path()).unwrap_err().to_string();
    assert!(message.contains("opt.yaml:1"), "{message}");
}

#[test]
fn data_commands_are_understood() {
    let Command::DataSynth(settings) = parsed("data synth out --world target --train 8 --seed 3")
        .unwrap()
        .command
    else {
        panic!("not synth");
    };
    assert_eq!(
        (
            settings.options.train,
            settings.options.val,
            settings.options.seed
        ),
        (8, 32, 3)
    );
    let Command::DataCheck(settings) = parsed("data check mine.yaml --json").unwrap().command
    else {
        panic!("not check");
    };
    assert_eq!(settings.data, Path::new("mine.yaml"));
}
