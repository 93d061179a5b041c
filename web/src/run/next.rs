//! The next thing to try after a run, from its figures alone.

use frostline::freeze::FreezePlan;
use frostline::model::{Architecture, Size};

use super::Record;

/// Gain in mAP50 over the last third of a run from which on it counts as still rising.
const RISING: f64 = 0.02;
/// mAP50 that is well worth a try with other pictures.
const GOOD: f64 = 0.85;
/// How far the loss of validation may stand above its least before learning by heart is the likely reason.
const BY_HEART: f64 = 1.15;
/// Fewest epochs that say anything about a trend.
const TREND: usize = 3;

/// What to try.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// mAP50 still rose: so many epochs.
    MoreEpochs(usize),
    /// It stopped rising and only Detect learns: this plan lets the neck learn too.
    ThawNeck(String),
    /// It stopped rising and the backbone is frozen: this plan freezes nothing.
    ThawBackbone(String),
    /// The loss of validation rises while that of training falls.
    MorePictures,
    /// The loss is no number any more: this learning rate.
    LowerRate(f64),
    /// It is good: look at it.
    TryIt,
}

/// The next thing to try after a run that has ended; `None` before that, and where too little was done to say.
pub fn next(record: &Record) -> Option<Next> {
    let run = record.started.as_ref()?;
    if !record.is_over() {
        return None;
    }
    // The library ends a run whose loss is no number, and says what to do; see `frostline::train::run`.
    let diverged = |refusal: &crate::messages::Refusal| refusal.expected == "finite numbers";
    if record.failed.as_ref().is_some_and(diverged) {
        return Some(Next::LowerRate(run.lr0 / 10.0));
    }
    let best = record.best()?;
    let count = record.epochs.len();
    let stopped = record.done.as_ref().is_some_and(|done| done.stopped);
    let more = Next::MoreEpochs(if stopped { run.epochs } else { run.epochs * 2 });
    if count < TREND {
        return Some(more);
    }
    let tail = count - (count / 3).max(1);
    let top = |epochs: &[crate::messages::EpochSaid]| {
        epochs.iter().map(|e| e.reached.map50).fold(0.0, f64::max)
    };
    let (head, all) = (top(record.epochs.get(..tail)?), top(&record.epochs));
    if all - head >= RISING {
        return Some(more);
    }
    if best.reached.map50 >= GOOD {
        return Some(Next::TryIt);
    }
    let sum = |losses: &[f64; 3]| losses.iter().sum::<f64>();
    let least = record
        .epochs
        .iter()
        .map(|e| sum(&e.val_losses))
        .fold(f64::INFINITY, f64::min);
    let first = record.epochs.first()?;
    if let Some(last) = record.epochs.last()
        && sum(&last.val_losses) > least * BY_HEART
        && sum(&last.losses) < sum(&first.losses)
    {
        return Some(Next::MorePictures);
    }
    Some(thaw(&record.ask.freeze).unwrap_or(Next::MorePictures))
}

/// The plan that lets more learn; `None` where the backbone learns already. Built-in networks of all sizes have the same modules.
fn thaw(freeze: &str) -> Option<Next> {
    let architecture = Architecture::yolov5(Size::N, 1);
    let plan = FreezePlan::resolve(&freeze.parse().ok()?, &architecture).ok()?;
    let prefix = plan.stages.last()?.cut.prefix;
    let backbone = architecture.backbone;
    match prefix {
        0 => None,
        prefix if prefix > backbone => Some(Next::ThawNeck(backbone.to_string())),
        _ => Some(Next::ThawBackbone("0".to_owned())),
    }
}
