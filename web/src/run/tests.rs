use super::*;
use crate::chart::Chart;
use crate::messages::{DeviceSaid, Reached};

pub(super) fn ask(freeze: &str, epochs: usize) -> TrainAsk {
    TrainAsk {
        freeze: freeze.to_owned(),
        epochs,
        lr0: None,
        imgsz: 320,
        batch: 8,
        seed: 0,
        views: None,
        optimizer: None,
    }
}

fn started(epochs: usize, from_epoch: usize) -> Said {
    Said::Started(RunSaid {
        transferred: 343,
        tensors: 349,
        explanation: Vec::new(),
        optimizer: "Adam".to_owned(),
        lr0: 0.001,
        epochs,
        steps: 8,
        views: 1,
        feature_bytes: 100,
        activation_bytes: 1000,
        flops: 8_000_000,
        new_anchors: false,
        from_epoch,
    })
}

fn step(epoch: usize, step: usize, loss: f64) -> Said {
    Said::Step(StepSaid {
        epoch,
        step,
        losses: [loss, 0.0, 0.0],
        gradients: vec![(24, loss)],
    })
}

fn epoch(number: usize, map50: f64, best: bool, val_loss: f64) -> Said {
    Said::Epoch(EpochSaid {
        epoch: number,
        losses: [1.0 / (number + 1) as f64, 0.0, 0.0],
        val_losses: [val_loss, 0.0, 0.0],
        reached: Reached {
            map50,
            map: map50 / 2.0,
            ..Reached::default()
        },
        best,
        steps_per_s: 4.0,
        left_s: 10.0,
        memory_bytes: 1,
        drift: Vec::new(),
    })
}

fn done(stopped: bool) -> Said {
    Said::Done(DoneSaid {
        epochs: 1,
        stopped,
        best_epoch: Some(0),
        best: Reached::default(),
        seconds: 6.0,
        receipts: vec![ReceiptSaid {
            from_epoch: 0,
            parameters: 0,
            statistics: 0,
            parameters_sha256: Default::default(),
            statistics_sha256: Default::default(),
            holds: true,
        }],
    })
}

/// A run that reached these mAP50s.
fn run(freeze: &str, reached: &[f64], val_loss: fn(usize) -> f64) -> Record {
    let mut record = Record::new(ask(freeze, reached.len()), "w".to_owned());
    record.hear(&started(reached.len(), 0), 0.0);
    let mut top = 0.0;
    for (number, &map50) in reached.iter().enumerate() {
        for at in 0..8 {
            record.hear(&step(number, at, 1.0), 0.0);
        }
        record.hear(&epoch(number, map50, map50 > top, val_loss(number)), 0.0);
        top = f64::max(top, map50);
    }
    record.hear(&done(false), 0.0);
    record
}

#[test]
fn a_record_is_stored_and_read_back() {
    let record = run("24", &[0.1, 0.2], |_| 1.0);
    let text = serde_json::to_string(&record).unwrap();
    let back: Record = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&back.epochs, &back.losses, &back.done),
        (&record.epochs, &record.losses, &record.done)
    );
    assert_eq!(back.steps_per_epoch(), 8);
}

#[test]
fn time_left_is_said_only_when_something_was_measured() {
    let mut record = Record::new(ask("24", 10), String::new());
    record.hear(&started(10, 0), 0.0);
    assert_eq!(record.left_s(), None);
    record.hear(&step(0, 0, 1.0), 5.0);
    assert_eq!((record.left_s(), record.steps_per_s()), (None, None));
    record.hear(&step(0, 1, 1.0), 5.5);
    assert_eq!(
        (record.left_s(), record.steps_per_s()),
        (Some(39.0), Some(2.0))
    );
    // A pause is nobody's pace.
    record.hold();
    record.hear(&step(0, 2, 1.0), 100.0);
    assert_eq!(record.steps_per_s(), Some(2.0));
    record.hear(&epoch(0, 0.1, true, 1.0), 101.0);
    assert_eq!(
        (record.left_s(), record.steps_per_s()),
        (Some(10.0), Some(4.0))
    );
    (0..8).for_each(|at| record.hear(&step(1, at, 1.0), 101.0));
    assert!((record.left_s().unwrap() - 10.0 * 8.0 / 9.0).abs() < 1e-9);
    record.hear(&done(true), 102.0);
    assert_eq!(record.left_s(), None);
}

#[test]
fn a_run_that_goes_on_forgets_what_it_does_again() {
    let mut record = run("24", &[0.1, 0.2, 0.3], |_| 1.0);
    record.done = None;
    record.hear(&started(3, 2), 0.0);
    assert_eq!((record.epochs.len(), record.losses.steps()), (2, 16));
    // Two epochs of eight steps at four a second.
    assert_eq!(record.earlier_s, 4.0);
    record.hear(&done(false), 0.0);
    assert_eq!(record.seconds(), Some(10.0));
}

#[test]
fn a_lost_gpu_is_remembered_and_the_run_goes_on() {
    let mut record = Record::new(ask("24", 3), String::new());
    record.hear(&started(3, 0), 0.0);
    (0..8).for_each(|at| record.hear(&step(0, at, 1.0), 0.0));
    record.hear(&epoch(0, 0.1, true, 1.0), 0.0);
    record.hear(&step(1, 0, 1.0), 0.0);
    let now = DeviceSaid {
        gpu: false,
        name: "CPU".to_owned(),
        why: String::new(),
    };
    let lost = Said::Lost {
        why: "gone".to_owned(),
        now,
        from_epoch: Some(1),
    };
    record.hear(&lost, 0.0);
    assert_eq!(
        (
            record.lost.len(),
            record.epochs.len(),
            record.losses.steps()
        ),
        (1, 1, 8)
    );
    assert!(!record.is_over());
}

#[test]
fn pace_foretells_other_runs() {
    let record = run("24", &[0.1, 0.2], |_| 1.0);
    // 8 million operations in two epochs of two seconds.
    assert_eq!(record.flops_per_s(), Some(2e6));
    assert_eq!(record.counted_bytes(), Some(1100));
    assert_eq!(record.receipts().count(), 0);
    assert_eq!(Record::new(ask("24", 2), String::new()).flops_per_s(), None);
}

#[test]
fn the_next_thing_to_try_follows_from_the_figures() {
    let flat = [0.1, 0.3, 0.5, 0.5, 0.5, 0.5];
    let rising = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6];
    let good = [0.5, 0.8, 0.9, 0.9, 0.9, 0.9];
    let same = |_| 1.0;
    assert_eq!(next(&run("24", &rising, same)), Some(Next::MoreEpochs(12)));
    assert_eq!(
        next(&run("24", &flat, same)),
        Some(Next::ThawNeck("10".to_owned()))
    );
    assert_eq!(
        next(&run("10", &flat, same)),
        Some(Next::ThawBackbone("0".to_owned()))
    );
    assert_eq!(
        next(&run("24; 10@5", &flat, same)),
        Some(Next::ThawBackbone("0".to_owned()))
    );
    assert_eq!(next(&run("0", &flat, same)), Some(Next::MorePictures));
    assert_eq!(
        next(&run("24", &flat, |at| 1.0 + at as f64)),
        Some(Next::MorePictures)
    );
    assert_eq!(next(&run("24", &good, same)), Some(Next::TryIt));
    assert_eq!(next(&run("24", &[0.5], same)), Some(Next::MoreEpochs(2)));
    let mut wild = run("24", &flat, same);
    wild.done = None;
    assert_eq!(next(&wild), None);
    wild.failed = Some(Refusal {
        place: "epoch 1, batch 1".to_owned(),
        found: "a loss of [NaN, 0.0, 0.0]".to_owned(),
        expected: "finite numbers".to_owned(),
        next: String::new(),
    });
    assert_eq!(next(&wild), Some(Next::LowerRate(0.0001)));
    assert_eq!(next(&Record::new(ask("24", 1), String::new())), None);
}

#[test]
fn a_race_runs_its_plans_in_order_and_marks_the_best_of_each_column() {
    let mut race = Race::new(ask("7", 2), "w".to_owned());
    let mut asked = Vec::new();
    while let Some(ask) = race.begin_next() {
        let index = race.runs.len();
        asked.push(ask.freeze.clone());
        *race.runs.last_mut().unwrap() = run(&ask.freeze, &[0.1 * index as f64, 0.2], |_| 1.0);
        if index == 1 {
            assert!(race.table().iter().all(|row| row.best == [false; 4]));
            assert!(!race.is_over());
        }
    }
    assert_eq!(asked, PLANS);
    assert!(race.is_over());
    race.runs[2].epochs[0].reached.map50 = 0.7;
    race.runs[2].done.as_mut().unwrap().seconds = 60.0;
    let table = race.table();
    assert_eq!(table[2].values[0], Some(0.7));
    assert_eq!(
        table.iter().map(|row| row.best[0]).collect::<Vec<_>>(),
        [false, false, true]
    );
    // Two are the quickest.
    assert_eq!(
        table.iter().map(|row| row.best[2]).collect::<Vec<_>>(),
        [true, true, false]
    );
    let text = serde_json::to_string(&race).unwrap();
    assert_eq!(serde_json::from_str::<Race>(&text).unwrap().runs.len(), 3);
}

#[test]
fn a_stopped_race_keeps_what_is_done() {
    let mut race = Race::new(ask("0", 2), "w".to_owned());
    race.begin_next();
    race.hear(&started(2, 0), 0.0);
    race.stopped = true;
    assert!(!race.is_over());
    race.hear(&done(true), 0.0);
    assert!(race.is_over());
    assert_eq!(race.begin_next(), None);
    assert_eq!(
        race.table()[0].values,
        [None, None, Some(6.0), Some(1100.0)]
    );
}

#[test]
fn curves_span_the_whole_run_and_count_epochs_from_one() {
    let record = run("24", &[0.1, 0.2], |_| 1.5);
    let wanted = losses_chart(&record, ["training", "validation"], (500.0, 200.0));
    assert_eq!(wanted.x, (0.0, 2.0));
    assert_eq!(wanted.series[1].points, [(1.0, 1.5), (2.0, 1.5)]);
    assert_eq!(wanted.series[0].points[0], (0.0625, 1.0));
    let wanted = accuracy(&[("a", &record, |reached| reached.map50)], (500.0, 200.0));
    assert_eq!(wanted.series[0].points, [(1.0, 0.1), (2.0, 0.2)]);
    assert_eq!(Chart::new(&wanted).lines.len(), 1);
    assert!(Chart::new(&accuracy(&[], (500.0, 200.0))).lines.is_empty());
}
