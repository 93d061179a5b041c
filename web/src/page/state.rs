//! What a person has chosen, and everything that follows from it.

use frostline::error::Problem;
use frostline::freeze::FreezePlan;
use frostline::model::Size;
use leptos::prelude::*;

use super::browser;
use crate::address::{self, Address, Theme, View};
use crate::edit;
use crate::messages::Wish;
use crate::scene::{Network, Scene};
use crate::words::{self, Language, Words};

/// A plan, and what is wrong with the text when it is not that text's plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    pub plan: FreezePlan,
    pub problem: Option<Problem>,
}

/// The opposite; of one type to the page's views whatever it follows.
pub fn not(signal: Signal<bool>) -> Signal<bool> {
    Signal::derive(move || !signal.get())
}

/// The page's state. Texts are as typed; what follows from them keeps its last right value.
#[derive(Debug, Clone, Copy)]
pub struct State {
    pub embedded: bool,
    pub view: RwSignal<View>,
    pub size: RwSignal<Size>,
    pub classes: RwSignal<String>,
    pub imgsz: RwSignal<String>,
    pub batch: RwSignal<String>,
    pub freeze: RwSignal<String>,
    /// The stage that the picture shows.
    pub stage: RwSignal<usize>,
    /// Chosen by the person or the address; otherwise the browser's.
    pub chosen_language: RwSignal<Option<Language>>,
    pub theme: RwSignal<Theme>,
    /// What the engine is to compute on.
    pub device: RwSignal<Wish>,
    /// The origin of the page around this one.
    pub host: StoredValue<Option<String>>,

    pub language: Memo<Language>,
    pub imgsz_problem: Memo<Option<Problem>>,
    pub network: Memo<Network>,
    pub planned: Memo<Planned>,
    pub scene: Memo<Scene>,
    pub stops: Memo<Vec<usize>>,
}

impl State {
    pub fn from_address(query: String, embedded: bool) -> Self {
        let address = Address::from_query(&query);
        let view = RwSignal::new(address.view);
        let size = RwSignal::new(address.size);
        let classes = RwSignal::new(address.classes);
        let imgsz = RwSignal::new(address.imgsz);
        let batch = RwSignal::new(address.batch);
        let freeze = RwSignal::new(address.freeze);
        let stage = RwSignal::new(0);
        let chosen_language = RwSignal::new(address.language);
        let preferred = browser::language();
        let language = Memo::new(move |_| chosen_language.get().unwrap_or(preferred));

        let network = Memo::new(move |last: Option<&Network>| {
            let last_classes = last.map_or(80, |network| network.architecture.nc);
            let (side, pictures) = last.map_or((640, 16), |last| (last.imgsz, last.batch));
            let classes = address::classes(&classes.read()).unwrap_or(last_classes);
            let imgsz = address::number(&imgsz.read(), 1, usize::MAX).unwrap_or(side);
            let batch = address::batch(&batch.read()).unwrap_or(pictures);
            let size = size.get();
            Network::new(size, classes, imgsz, batch)
                .or_else(|_| Network::new(size, classes, side, batch))
                .expect("640 pixels and the last right size fit the network's strides")
        });
        let imgsz_problem = Memo::new(move |_| {
            let imgsz = imgsz.read();
            let side = address::number(&imgsz, 0, usize::MAX);
            let network = network.read();
            match side {
                Some(side) => {
                    (network.architecture.check_image_size(side, side).err()).map(words::said)
                }
                None => Some(Problem {
                    place: String::new(),
                    found: if imgsz.trim().is_empty() {
                        "nothing".to_owned()
                    } else {
                        imgsz.clone()
                    },
                    expected: "a multiple of 32, at most 16384".to_owned(),
                    next: "Take 640".to_owned(),
                }),
            }
        });
        let planned = Memo::new(move |last: Option<&Planned>| {
            let network = network.read();
            match network.plan(&freeze.read()) {
                Ok(plan) => Planned {
                    plan,
                    problem: None,
                },
                Err(error) => {
                    let architecture = &network.architecture;
                    let last = last
                        .and_then(|last| FreezePlan::resolve(&last.plan.spec, architecture).ok());
                    Planned {
                        plan: last.unwrap_or_else(|| FreezePlan::none(architecture)),
                        problem: Some(words::said(error)),
                    }
                }
            }
        });
        let scene =
            Memo::new(move |_| Scene::new(&network.read(), &planned.read().plan, stage.get()));
        let stops = Memo::new(move |_| edit::stops(&network.read().architecture));
        Self {
            embedded,
            view,
            size,
            classes,
            imgsz,
            batch,
            freeze,
            stage,
            chosen_language,
            theme: RwSignal::new(address.theme),
            device: RwSignal::new(address.device),
            host: StoredValue::new(address.host),
            language,
            imgsz_problem,
            network,
            planned,
            scene,
            stops,
        }
    }

    /// The words of the page's language; follows it.
    pub fn words(&self) -> &'static Words {
        self.language.get().words()
    }

    /// One word of the page's language; follows it. Words by a pointer are one type to the page's views, closures one
    /// each: that makes the program a good deal smaller.
    pub fn word(&self, pick: fn(&'static Words) -> &'static str) -> Signal<&'static str> {
        let language = self.language;
        Signal::derive(move || pick(language.get().words()))
    }

    /// The stage that the picture shows, counted only as far as there are stages.
    pub fn stage_index(&self) -> usize {
        let last = self.planned.read().plan.stages.len().saturating_sub(1);
        self.stage.get().min(last)
    }

    /// Where the frost line stands: how many leading modules are frozen.
    pub fn line(&self) -> usize {
        let prefix = self.scene.read().stage.cut.prefix;
        edit::stop_for(&self.stops.read(), prefix)
    }

    /// Moves the frost line: the leading modules freeze, everything else learns.
    pub fn move_line(&self, leading: usize) {
        let stop = edit::stop_for(&self.stops.read_untracked(), leading);
        self.replace_set(&stop.to_string());
    }

    /// Freezes or thaws one module alone; says whether that could be.
    pub fn toggle(&self, module: usize) -> bool {
        let toggled = {
            let planned = self.planned.read_untracked();
            let plan = planned.plan.spec.to_string();
            let index = self
                .stage
                .get_untracked()
                .min(planned.plan.stages.len().saturating_sub(1));
            edit::toggled(
                &self.network.read_untracked().architecture,
                &self.scene.read_untracked().stage,
                edit::set_of_stage(&plan, index),
                module,
            )
        };
        if let Some(set) = &toggled {
            self.replace_set(set);
        }
        toggled.is_some()
    }

    fn replace_set(&self, set: &str) {
        let (plan, index) = {
            let planned = self.planned.read_untracked();
            let last = planned.plan.stages.len().saturating_sub(1);
            (
                planned.plan.spec.to_string(),
                self.stage.get_untracked().min(last),
            )
        };
        let text = edit::with_set(&plan, index, set);
        if *self.freeze.read_untracked() != text {
            self.freeze.set(text);
        }
    }

    /// The state as an address says it.
    pub fn address(&self) -> Address {
        Address {
            view: self.view.get(),
            size: self.size.get(),
            classes: self.classes.get(),
            imgsz: self.imgsz.get(),
            batch: self.batch.get(),
            freeze: self.freeze.get(),
            language: self.chosen_language.get(),
            theme: self.theme.get(),
            device: self.device.get(),
            host: None,
        }
    }

    /// Takes over what an address says; what it does not say stays.
    pub fn take(&self, address: Address) {
        fn put<T: PartialEq + Clone + Send + Sync + 'static>(signal: RwSignal<T>, value: T) {
            if *signal.read_untracked() != value {
                signal.set(value);
            }
        }
        if cfg!(not(feature = "studio")) && address.view != View::Freeze {
            // Another program has that view.
            return browser::go_to(&Address {
                host: self.host.get_value(),
                ..address
            });
        }
        put(self.view, address.view);
        put(self.size, address.size);
        put(self.classes, address.classes);
        put(self.imgsz, address.imgsz);
        put(self.batch, address.batch);
        put(self.freeze, address.freeze);
        put(self.chosen_language, address.language);
        put(self.theme, address.theme);
    }
}
