//! The run of the page: what it is to be told, what is known of it, and what is done with it. It goes on whatever view is shown.

use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::Blob;

use super::kept::{self, Kept};
use crate::address;
use crate::dataset::DataSet;
use crate::messages::{Refusal, RunSaid, Said, TrainAsk};
use crate::page::browser;
use crate::page::host;
use crate::page::lab::Lab;
use crate::page::link::{Lost, Phase};
use crate::run::{PLANS, Race, Record};

/// Most epochs that may be asked for.
pub const MAX_EPOCHS: usize = 10_000;
/// Longest side that the engine takes, in pixels.
const MAX_SIDE: usize = 4096;
/// What suits the shipped pictures, and a first try.
const FIRST: [(&str, &str); 3] = [("freeze", "24"), ("imgsz", "320"), ("batch", "8")];

/// What the engine is doing for these views.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    Idle,
    /// Weights and pictures are on the way to the engine.
    Preparing,
    Runs,
    Paused,
    /// It was told to end.
    Stopping,
}

/// The runs of the page. It may be copied; all copies are one. What is shared with the Freeze view is in `State`.
#[derive(Debug, Clone, Copy)]
pub struct Runs {
    pub epochs: RwSignal<String>,
    /// Empty when it is left to the engine.
    pub lr0: RwSignal<String>,
    pub seed: RwSignal<String>,
    pub activity: RwSignal<Activity>,
    /// The run under way, or the last one.
    pub record: RwSignal<Option<Record>>,
    /// The race under way, or the last one.
    pub race: RwSignal<Option<Race>>,
    /// Whether what is under way is a race.
    pub races: RwSignal<bool>,
    /// Why the last thing did not work.
    pub problem: RwSignal<Option<Refusal>>,
    /// What a run would take.
    pub forecast: RwSignal<Option<Result<RunSaid, Refusal>>>,
    /// Operations per second of the last run on this device.
    pub pace: RwSignal<Option<f64>>,
    /// A run of an earlier visit that was not finished.
    pub kept: RwSignal<Option<Kept>, LocalStorage>,
    /// The best weights of the last run, as a file.
    pub(super) best: StoredValue<Option<Blob>, LocalStorage>,
    /// Whether there is such a file.
    pub has_best: RwSignal<bool>,
    begun: StoredValue<bool>,
}

impl Runs {
    pub fn new() -> Self {
        Self {
            epochs: RwSignal::new("30".to_owned()),
            lr0: RwSignal::new(String::new()),
            seed: RwSignal::new("0".to_owned()),
            activity: RwSignal::new(Activity::Idle),
            record: RwSignal::new(None),
            race: RwSignal::new(None),
            races: RwSignal::new(false),
            problem: RwSignal::new(None),
            forecast: RwSignal::new(None),
            pace: RwSignal::new(None),
            kept: RwSignal::new_local(None),
            best: StoredValue::new_local(None),
            has_best: RwSignal::new(false),
            begun: StoredValue::new(false),
        }
    }

    /// Whether something is under way.
    pub fn is_busy(self) -> bool {
        self.activity.get() != Activity::Idle
    }

    /// The same, as a signal.
    pub fn busy(self) -> Signal<bool> {
        Signal::derive(move || self.is_busy())
    }

    /// Whether a race is under way, or a run alone.
    pub fn is_under_way(self, race: bool) -> Signal<bool> {
        Signal::derive(move || self.is_busy() && self.races.get() == race)
    }

    /// The learning rate: none when it is left to the engine.
    ///
    /// # Errors
    /// When what is written is no rate.
    pub fn rate(self) -> Result<Option<f64>, ()> {
        let text = self.lr0.read();
        match text.trim() {
            "" => Ok(None),
            text => match text.parse::<f64>() {
                Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(Some(rate)),
                _ => Err(()),
            },
        }
    }

    /// The number of epochs, when it is one.
    pub fn epochs(self) -> Option<usize> {
        address::number(&self.epochs.read(), 1, MAX_EPOCHS)
    }

    /// The seed, when it is one.
    pub fn seed(self) -> Option<usize> {
        address::number(&self.seed.read(), 0, usize::MAX)
    }
}

impl Lab {
    /// Whether a run may begin, or a race: there are pictures, and nothing in the fields is wrong.
    pub fn may_begin(self, race: bool) -> Signal<bool> {
        Signal::derive(move || {
            let none = self.pictures.set.with(DataSet::is_empty);
            let ask = if race {
                self.race_ask()
            } else {
                self.train_ask()
            };
            !none && !self.runs.is_busy() && ask.is_some()
        })
    }

    /// What is to be asked for; none while something in the fields is wrong.
    pub fn train_ask(self) -> Option<TrainAsk> {
        let state = self.state;
        let right = state.planned.read().problem.is_none();
        right.then(|| self.ask_for(state.freeze.get().trim()))?
    }

    /// What all runs of a race have in common; the race has its own plans.
    pub fn race_ask(self) -> Option<TrainAsk> {
        self.ask_for(PLANS[0])
    }

    fn ask_for(self, freeze: &str) -> Option<TrainAsk> {
        let (state, runs) = (self.state, self.runs);
        if state.imgsz_problem.read().is_some() {
            return None;
        }
        Some(TrainAsk {
            freeze: freeze.to_owned(),
            epochs: runs.epochs()?,
            lr0: runs.rate().ok()?,
            imgsz: address::number(&state.imgsz.read(), 1, MAX_SIDE)?,
            batch: address::batch(&state.batch.read())?,
            seed: runs.seed()? as u64,
            views: None,
            optimizer: None,
        })
    }

    /// Once in the page's life, when a view that trains is first shown: settings that suit the shipped pictures, where the
    /// address named none, and what an earlier visit left.
    pub fn begin_runs(self) {
        if self.runs.begun.get_value() {
            return;
        }
        self.runs.begun.set_value(true);
        let query = browser::query();
        let state = self.state;
        let usual = address::Address::default();
        let fields = [
            (state.freeze, usual.freeze),
            (state.imgsz, usual.imgsz),
            (state.batch, usual.batch),
        ];
        for ((name, first), (field, usual)) in FIRST.into_iter().zip(fields) {
            if !query.contains(&format!("{name}=")) && *field.read_untracked() == usual {
                field.set(first.to_owned());
            }
        }
        leptos::task::spawn_local(kept::recall(self));
    }

    /// Listens for devices that go away and for the one that is in use, as long as the page.
    pub fn watch_device(self) {
        Effect::new(move || {
            // A device that was lost belongs to whatever is under way.
            if let Some(lost) = self.engine.lost.get() {
                untrack(|| self.hear_of_loss(&lost));
            }
        });
        Effect::new(move || {
            if let Phase::Ready(device) = self.engine.phase.get() {
                leptos::task::spawn_local(kept::recall_pace(self, device.name));
            }
        });
    }

    fn hear_of_loss(self, lost: &Lost) {
        let said = Said::Lost {
            why: lost.why.clone(),
            now: lost.now.clone(),
            from_epoch: lost.from_epoch,
        };
        self.hear(&said);
    }

    /// Takes in what is said of the run under way.
    pub(super) fn hear(self, said: &Said) {
        let now_s = browser::now_ms() / 1e3;
        let runs = self.runs;
        if runs.races.get_untracked() {
            runs.race.update(|race| {
                if let Some(race) = race {
                    race.hear(said, now_s);
                }
            });
        } else {
            runs.record.update(|record| {
                if let Some(record) = record {
                    record.hear(said, now_s);
                }
            });
        }
        match said {
            // A pause that came too late for one run of a race is not one of the next.
            Said::Started(_)
                if matches!(
                    runs.activity.get_untracked(),
                    Activity::Preparing | Activity::Paused
                ) =>
            {
                runs.activity.set(Activity::Runs);
            }
            Said::Epoch(epoch) => host::tell_epoch(self.state, epoch),
            Said::Done(done) => host::tell_done(self.state, done),
            _ => {}
        }
    }
}

/// A value as the browser keeps it, as text.
pub(super) fn text_of(value: JsValue) -> Option<String> {
    value.as_string()
}

/// A value as the browser keeps it, as a file.
pub(super) fn blob_of(value: JsValue) -> Option<Blob> {
    value.dyn_into().ok()
}
