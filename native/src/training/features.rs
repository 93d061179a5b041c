//! Whether features at the cut are kept in a run, where, and how many views of a picture.

use burn::tensor::read_sync;
use frostline::data::cache::free_memory_bytes;
use frostline::data::dataset::Dataset;
use frostline::freeze::cache::{
    Augmentation, FeatureCache, FeatureStore, FileStore, Key, RamStore,
};
use frostline::freeze::prefix::Crossing;
use frostline::freeze::{Cut, FreezePlan, Stage};
use frostline::model::Architecture;
use frostline::train::choice::{self, FeatureRoom, reason_against_keeping};
use frostline::train::record::Views;
use frostline::train::{FreezeNorms, Session};
use frostline::{Error, Result};

use super::data::ValData;
use super::validation::features_bytes;
use crate::args::{FeatureMode, TrainSettings};
use crate::progress::say;

/// Share of the free memory that features may take.
const MEMORY_SHARE: u64 = 3;

/// Where features are kept. What is learnt does not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In memory.
    Ram,
    /// In the project's cache folder.
    Disk,
}

/// Features are kept like this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keeping {
    /// What is learnt from.
    pub views: Views,
    /// Where it is kept.
    pub place: Place,
}

/// What a run keeps features of.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Settings of the run.
    pub settings: &'a TrainSettings,
    /// What is frozen when.
    pub plan: &'a FreezePlan,
    /// The network.
    pub architecture: &'a Architecture,
    /// The pictures.
    pub dataset: &'a Dataset,
}

impl Subject<'_> {
    /// Decides whether features are kept, and says what was decided and why.
    ///
    /// # Errors
    /// They were asked for and cannot be kept.
    pub fn decide(&self) -> Result<Option<Keeping>> {
        let views = Views {
            count: (self.settings.views)
                .unwrap_or_else(|| choice::views(self.plan, self.architecture)),
            precision: self.settings.cache_precision,
        };
        let place = match self.settings.cache_features {
            FeatureMode::Off => return Ok(None),
            // With nothing frozen nobody expects any.
            FeatureMode::Auto if !self.has_prefix() => return Ok(None),
            FeatureMode::Auto => match self.reason_against(views)? {
                None => Place::Ram,
                Some(reason) => {
                    say(&format!("features at the cut are not kept: {reason}"));
                    return Ok(None);
                }
            },
            FeatureMode::Ram => Place::Ram,
            FeatureMode::Disk => Place::Disk,
        };
        self.check(place, views).map(Some)
    }

    /// As [`Subject::decide`] when a run goes on that learns from `views`, or from fresh augmentation.
    ///
    /// # Errors
    /// Another way than the run's was asked for, or its features cannot be kept.
    pub fn decide_again(&self, views: Option<Views>) -> Result<Option<Keeping>> {
        let mode = self.settings.cache_features;
        let place = match (views, mode) {
            (None, FeatureMode::Off | FeatureMode::Auto) => return Ok(None),
            (Some(views), FeatureMode::Auto) => {
                let fits = self.most_bytes(views)? <= memory_bytes();
                if fits { Place::Ram } else { Place::Disk }
            }
            (Some(_), FeatureMode::Ram) => Place::Ram,
            (Some(_), FeatureMode::Disk) => Place::Disk,
            (Some(_), FeatureMode::Off) => {
                return Err(other_way(
                    "off",
                    "a run of kept features",
                    "ram, disk or auto",
                ));
            }
            (None, _) => return Err(other_way("ram or disk", "a run of fresh pictures", "off")),
        };
        views.map(|views| self.check(place, views)).transpose()
    }

    fn check(&self, place: Place, views: Views) -> Result<Keeping> {
        let flag = match place {
            Place::Ram => "--cache-features ram",
            Place::Disk => "--cache-features disk",
        };
        if let Some(obstacle) = self.obstacle() {
            return Err(Error::input(
                flag,
                obstacle,
                "frozen leading modules with fixed statistics, and pictures of one size",
                "Leave it out, or take --cache-features auto",
            ));
        }
        let (need, may) = (self.most_bytes(views)?, memory_bytes());
        if place == Place::Ram && need > may {
            return Err(Error::input(
                flag,
                self.figures(views, need, may),
                "enough memory for all of them",
                "Take --cache-features disk, fewer --views, --cache-precision half or a smaller --imgsz",
            ));
        }
        Ok(Keeping { views, place })
    }

    fn has_prefix(&self) -> bool {
        self.plan.stages.iter().any(|stage| stage.cut.prefix > 0)
    }

    /// Why features cannot be kept.
    fn obstacle(&self) -> Option<String> {
        let settings = self.settings;
        Some(if !self.has_prefix() {
            "a plan that freezes no leading module".to_owned()
        } else if settings.freeze_bn == FreezeNorms::Drift {
            "statistics that drift (--freeze-bn drift)".to_owned()
        } else if settings.rect {
            "batches of several shapes (--rect)".to_owned()
        } else if settings.multi_scale {
            "pictures of changing size (--multi-scale)".to_owned()
        } else {
            return None;
        })
    }

    /// Why `auto` does not keep features.
    fn reason_against(&self, views: Views) -> Result<Option<String>> {
        if let Some(obstacle) = self.obstacle() {
            return Ok(Some(obstacle));
        }
        let against = reason_against_keeping(self.plan, self.settings.epochs, views.count);
        if against.is_some() {
            return Ok(against);
        }
        let (need, may) = (self.most_bytes(views)?, memory_bytes());
        let reason = "; --cache-features disk keeps them on the disk";
        Ok((need > may).then(|| self.figures(views, need, may) + reason))
    }

    fn figures(&self, views: Views, need: u64, may: u64) -> String {
        format!(
            "{} of {} pictures need {} MiB in {} precision and may take {} MiB of memory",
            view_count(views.count),
            self.dataset.items.len(),
            mebibytes(need),
            views.precision,
            may >> 20
        )
    }

    /// Bytes of the stage that needs most.
    fn most_bytes(&self, views: Views) -> Result<u64> {
        let mut most = 0;
        for stage in &self.plan.stages {
            most = most.max(self.bytes(&self.maps(stage)?, views));
        }
        Ok(most)
    }

    fn maps(&self, stage: &Stage) -> Result<Vec<Crossing>> {
        let side = self.settings.imgsz;
        stage.cut.maps(self.architecture, side, side)
    }

    /// Bytes of memory that the first epoch's features take: one view in the first stage.
    ///
    /// # Errors
    /// A shape that does not fit the network.
    pub fn first_bytes(&self, keeping: Keeping) -> Result<u64> {
        let stage = &self.plan.stages[0];
        if keeping.place == Place::Disk || stage.cut.prefix == 0 {
            return Ok(0);
        }
        let views = Views {
            count: 1,
            ..keeping.views
        };
        Ok(self.bytes(&self.maps(stage)?, views))
    }

    /// Bytes of all views of all pictures, with room for their boxes.
    fn bytes(&self, maps: &[Crossing], views: Views) -> u64 {
        let room = FeatureRoom {
            pictures: self.dataset.items.len(),
            boxes: self.dataset.counts.boxes,
            views: views.count,
            precision: views.precision,
        };
        room.bytes(maps)
    }

    /// Whether the features of validation fit into memory beside those of training.
    ///
    /// # Errors
    /// A shape that does not fit the network.
    pub fn fits_beside(&self, keeping: Keeping, val: &ValData, cut: &Cut) -> Result<bool> {
        let training = match keeping.place {
            Place::Ram => self.most_bytes(keeping.views)?,
            Place::Disk => 0,
        };
        let validation = features_bytes(val, cut, self.architecture)?;
        Ok(training.saturating_add(validation) <= memory_bytes())
    }

    /// The cache for the stage that `session` is in; none when no leading module is frozen in it.
    ///
    /// # Errors
    /// When the device or the disk fails.
    pub fn open(
        &self,
        keeping: Keeping,
        session: &mut Session,
        computed_by: &str,
    ) -> Result<Option<FeatureCache>> {
        let stage = session.stage().clone();
        if stage.cut.prefix == 0 {
            return Ok(None);
        }
        let maps = self.maps(&stage)?;
        let Keeping { views, place } = keeping;
        let need = self.bytes(&maps, views);
        let pictures = self.dataset.items.len();
        let store: Box<dyn FeatureStore> = match place {
            Place::Ram => {
                say(&format!(
                    "features after module {}: {} of {pictures} pictures, {} precision, {} MiB of the {} MiB \
                     of memory that they may take",
                    stage.cut.prefix - 1,
                    view_count(views.count),
                    views.precision,
                    mebibytes(need),
                    memory_bytes() >> 20
                ));
                Box::new(RamStore::new(memory_bytes().max(need)))
            }
            Place::Disk => {
                let contents: Vec<[u8; 32]> = (self.dataset.items.iter())
                    .map(|item| item.content.unwrap_or_default())
                    .collect();
                let settings = self.settings;
                let key = Key {
                    maps: &maps,
                    precision: views.precision,
                    imgsz: settings.imgsz,
                    augmentation: (views.count > 1).then_some(Augmentation {
                        hyp: &settings.hyp,
                        seed: settings.seed,
                    }),
                    computed_by,
                    contents: &contents,
                };
                let key = read_sync(key.hash(&mut session.model, &stage, self.dataset))?;
                let folder = settings.project.join("cache");
                let store = FileStore::open(&folder, &key, need)?;
                say(&format!(
                    "features after module {}: {} of {pictures} pictures, {} precision, {} MiB in {}, \
                     which holds {} already",
                    stage.cut.prefix - 1,
                    view_count(views.count),
                    views.precision,
                    mebibytes(need),
                    store.path().display(),
                    store.len()
                ));
                Box::new(store)
            }
        };
        let cache = FeatureCache::new(maps, views.precision, pictures, views.count, store);
        Ok(Some(cache))
    }
}

/// Memory that features may take.
fn memory_bytes() -> u64 {
    free_memory_bytes() / MEMORY_SHARE
}

fn mebibytes(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

fn view_count(views: usize) -> String {
    match views {
        1 => "1 view (not augmented)".to_owned(),
        _ => format!("{views} views"),
    }
}

fn other_way(mode: &str, run: &str, expected: &str) -> Error {
    Error::input(
        "--cache-features",
        format!("{mode} for {run}"),
        expected,
        "A resumed run goes on learning from what it began with",
    )
}
