use burn::tensor::read_sync;

use super::*;
use crate::data::Label;
use crate::data::memory::{MemoryItem, MemorySet};
use crate::data::picture::tests::{jpeg, quadrants};
use crate::data::resize::Purpose;
use crate::freeze::cache::RamStore;
use crate::model::{Architecture, Size, Yolov5};

const SIDE: usize = 64;

fn data() -> RunData {
    let bytes: Arc<[u8]> = jpeg(&quadrants()).into();
    let set = |count: usize, purpose| {
        let items = (0..count).map(|number| {
            let label = Label {
                class: number % 2,
                cxcywh: [0.3 + 0.1 * number as f32, 0.5, 0.4, 0.4],
            };
            let name = format!("{number}.jpg");
            MemoryItem::new(name, bytes.clone(), vec![label], 2).unwrap()
        });
        Arc::new(MemorySet::new(items.collect(), SIDE, purpose).unwrap())
    };
    RunData {
        names: vec!["a".to_owned(), "b".to_owned()],
        train: set(3, Purpose::Train),
        val: set(2, Purpose::Val),
    }
}

fn weights() -> Checkpoint {
    let architecture = Architecture::yolov5(Size::N, 2);
    let mut model = Yolov5::new(architecture.clone(), 3, &Device::flex());
    Checkpoint {
        tensors: read_sync(model.state_dict()).unwrap(),
        architecture: Some(architecture),
        ..Checkpoint::default()
    }
}

fn settings(freeze: &str) -> RunSettings {
    RunSettings {
        freeze: freeze.parse().unwrap(),
        epochs: 3,
        lr0: None,
        optimizer: None,
        imgsz: SIDE,
        batch: 2,
        seed: 7,
        views: None,
    }
}

fn store() -> MakeStore {
    Box::new(|bytes| Box::new(RamStore::new(bytes)))
}

fn run(freeze: &str) -> Result<Run> {
    read_sync(Run::new(
        settings(freeze),
        &weights(),
        "weights",
        data(),
        u64::MAX,
        store(),
        &Device::flex(),
    ))
}

fn resume(snapshot: Snapshot, data: RunData) -> Result<Run> {
    read_sync(Run::resume(snapshot, data, store(), &Device::flex()))
}

/// The losses of all steps to come, the reports of the epochs, and the end.
fn finish(run: &mut Run) -> (Vec<[f64; 3]>, Vec<EpochReport>, RunReport) {
    let (mut losses, mut epochs) = (Vec::new(), Vec::new());
    loop {
        match read_sync(run.advance()).unwrap() {
            Piece::Step(step) => losses.push(step.losses),
            Piece::Validated => {}
            Piece::Epoch(report) => epochs.push(*report),
            Piece::End(report) => return (losses, epochs, *report),
        }
    }
}

#[test]
fn a_run_keeps_features_and_what_is_frozen_and_says_what_it_reached() {
    let mut run = run("24").unwrap();
    assert_eq!(run.plan().views.unwrap().count, 1);
    let (losses, epochs, end) = finish(&mut run);
    assert_eq!((losses.len(), epochs.len(), end.epochs), (6, 3, 3));
    assert_eq!(run.cache.as_ref().unwrap().counts(), [3, 6]);
    // What is minimised is their sum; a part may rise for a while.
    let sum = |step: usize| losses[step].iter().sum::<f64>();
    assert!(sum(5) < sum(0), "{losses:?}");
    assert!(end.receipts.iter().all(Receipt::holds));
    assert!(!end.receipts[0].is_empty());
    let still = |report: &EpochReport| report.drift.iter().all(|(_, drift)| *drift == 0.0);
    assert!(epochs.iter().all(still));
    let best = Checkpoint::from_bytes(run.best().unwrap(), "best").unwrap();
    assert_eq!(best.names.unwrap(), ["a", "b"]);
    assert_eq!(best.epoch, end.best_epoch.map(|epoch| epoch as i64));
}

#[test]
fn a_run_that_freezes_nothing_is_validated_after_every_epoch() {
    let mut run = run("0").unwrap();
    let (losses, epochs, end) = finish(&mut run);
    assert_eq!((losses.len(), epochs.len(), end.epochs), (6, 3, 3));
    assert!(end.receipts.iter().all(Receipt::is_empty));
}

#[test]
fn a_run_that_goes_on_from_a_snapshot_learns_the_same() {
    for freeze in ["24", "10"] {
        let mut whole = run(freeze).unwrap();
        let (losses, epochs, end) = finish(&mut whole);
        let mut first = run(freeze).unwrap();
        while !matches!(read_sync(first.advance()).unwrap(), Piece::Epoch(_)) {}
        let bytes = read_sync(first.snapshot()).unwrap();
        let snapshot = Snapshot::from_bytes(&bytes).unwrap();
        assert_eq!(snapshot.settings().unwrap(), settings(freeze));
        let mut resumed = resume(snapshot, data()).unwrap();
        let (rest, reports, again) = finish(&mut resumed);
        assert_eq!(rest, losses[2..], "freeze {freeze}");
        assert_eq!(reports[1].drift, epochs[2].drift);
        assert_eq!(again.best_epoch, end.best_epoch);
        assert_eq!(again.receipts, end.receipts);
        assert_eq!(resumed.best(), whole.best());
    }
}

#[test]
fn other_pictures_are_refused_when_a_run_goes_on() {
    let mut run = run("24").unwrap();
    let bytes = read_sync(run.snapshot()).unwrap();
    let mut other = data();
    other.names.pop();
    let snapshot = Snapshot::from_bytes(&bytes).unwrap();
    let message = resume(snapshot, other).unwrap_err().to_string();
    assert!(message.contains("the pictures that the run"), "{message}");
}

#[test]
fn a_run_that_is_stopped_ends_with_what_it_has() {
    let mut stopped = run("24").unwrap();
    read_sync(stopped.advance()).unwrap();
    stopped.stop().unwrap();
    let (losses, _, end) = finish(&mut stopped);
    assert!(losses.is_empty() && end.best.is_none() && end.best_epoch.is_none());
    let mut stopped = run("24").unwrap();
    while !matches!(read_sync(stopped.advance()).unwrap(), Piece::Epoch(_)) {}
    stopped.stop().unwrap();
    let (_, _, end) = finish(&mut stopped);
    assert_eq!((end.epochs, end.best_epoch), (1, Some(0)));
    assert!(end.best.is_some());
}

#[test]
fn gradients_are_told_by_module() {
    let mut run = run("10").unwrap();
    let Piece::Step(step) = read_sync(run.advance()).unwrap() else {
        panic!("a run begins with a step");
    };
    let gradients = read_sync(step.report.gradients.unwrap().by_module()).unwrap();
    let modules: Vec<usize> = gradients.iter().map(|(module, _)| *module).collect();
    assert_eq!(modules, [10, 13, 14, 17, 18, 20, 21, 23, 24]);
    let total = read_sync(step.report.gradient_norm.unwrap().into_data_async());
    let total = total.unwrap().iter::<f64>().next().unwrap();
    let sum: f64 = gradients.iter().map(|(_, norm)| norm * norm).sum();
    assert!((sum.sqrt() / total - 1.0).abs() < 1e-4);
}

#[test]
fn settings_that_cannot_be_are_named() {
    let refused = |settings: RunSettings| {
        let architecture = Architecture::yolov5(Size::N, 2);
        let data = data();
        let settled = settings.settle(&architecture, &*data.train, 0);
        settled.unwrap_err().to_string()
    };
    let of = |change: fn(&mut RunSettings)| {
        let mut settings = settings("24");
        change(&mut settings);
        refused(settings)
    };
    assert!(of(|settings| settings.imgsz = 100).contains("a multiple of 32"));
    assert!(of(|settings| settings.epochs = 0).starts_with("epochs"));
    assert!(of(|settings| settings.batch = 0).starts_with("the batch"));
    assert!(of(|settings| settings.lr0 = Some(f64::NAN)).contains("learning rate"));
}

#[test]
fn features_that_do_not_fit_are_not_kept_unless_asked_for() {
    let architecture = Architecture::yolov5(Size::N, 2);
    let data = data();
    let settle = |settings: RunSettings, most_bytes| {
        settings
            .settle(&architecture, &*data.train, most_bytes)
            .unwrap()
    };
    assert!(settle(settings("24"), u64::MAX).views.is_some());
    assert!(settle(settings("24"), 0).views.is_none());
    let asked = RunSettings {
        views: Some(2),
        ..settings("24")
    };
    let plan = settle(asked, 0);
    assert_eq!(plan.views.unwrap().count, 2);
    assert!(plan.feature_bytes > 0);
    assert!(plan.flops < settle(settings("24"), 0).flops);
}
