//! One epoch of steps, on pixels or on features at the cut.

use std::time::{Duration, Instant};

use burn::tensor::{Tensor, read_sync};
use frostline::data::Batch;
use frostline::data::class_weights::{
    class_weights, class_weights_by_map, image_weight, weighted_order,
};
use frostline::data::transform::{epoch_rng, multi_scale_size, resize_batch, rng_for};
use frostline::eval::KeptValidation;
use frostline::freeze::FeatureCache;
use frostline::train::{Session, StepReport};

use super::data::ViewData;
use super::features::Subject;
use super::recovery::Trouble;
use super::run::{DRAWN_BATCHES, Progression, Run};
use crate::interrupt;
use crate::plots;
use crate::progress::{Progress, say};

/// How often losses are read: a read waits until the device has done its steps.
const READ_EVERY: Duration = Duration::from_millis(500);

/// Kept features of a freeze stage, and the views that they are of.
pub(super) struct Kept {
    cache: FeatureCache,
    views: ViewData,
    /// Those of validation, when there is memory for them.
    validation: Option<KeptValidation>,
}

/// The features that are kept in the stage under way.
#[derive(Default)]
pub(super) struct StageCache {
    /// First epoch of that stage.
    from_epoch: Option<usize>,
    pub(super) features: Option<Kept>,
}

impl StageCache {
    /// Opens the cache of the stage that `session` is in, unless it is open.
    pub(super) fn enter_stage(&mut self, run: &Run, session: &mut Session) -> anyhow::Result<()> {
        let from_epoch = session.stage().from_epoch;
        let Some(keeping) = run.keeping else {
            return Ok(());
        };
        if self.from_epoch == Some(from_epoch) {
            return Ok(());
        }
        self.say_counts();
        // The old one's room is free before the new one asks for some.
        self.features = None;
        self.from_epoch = Some(from_epoch);
        let plan = session.plan().clone();
        let architecture = session.model.architecture().clone();
        let subject = Subject {
            settings: run.settings,
            plan: &plan,
            architecture: &architecture,
            dataset: &run.train.dataset,
        };
        let cache = subject.open(keeping, session, &run.computed_by)?;
        let Some(cache) = cache else {
            return Ok(());
        };
        let cut = &session.stage().cut;
        let fits = subject.fits_beside(keeping, &run.val, cut)?;
        self.features = Some(Kept {
            cache,
            views: run.train.in_views(keeping.views.count),
            validation: fits.then(|| KeptValidation::new(cut.prefix)),
        });
        Ok(())
    }

    /// What validation keeps.
    pub(super) fn validation(&mut self) -> Option<&mut KeptValidation> {
        self.features.as_mut()?.validation.as_mut()
    }

    /// How many features were computed so far, where they are kept.
    pub(super) fn computed(&self) -> Option<usize> {
        Some(self.features.as_ref()?.cache.counts()[0])
    }

    /// Says what the cache of the stage was good for.
    pub(super) fn say_counts(&self) {
        if let Some(Kept { cache, .. }) = &self.features {
            let [computed, taken] = cache.counts();
            say(&format!(
                "features: computed {computed} times, taken {taken} times"
            ));
            if let Some(message) = cache.message() {
                say(message);
            }
        }
    }
}

impl Run<'_> {
    /// One epoch, from `at.batch` on.
    pub(super) fn epoch(
        &self,
        session: &mut Session,
        at: &mut Progression,
        kept: Option<&mut Kept>,
    ) -> anyhow::Result<()> {
        let label = format!("epoch {}/{}", at.epoch + 1, self.settings.epochs);
        let progress = Progress::new(label, self.train.batches());
        progress.set_done(at.batch);
        let picks = self.settings.image_weights.then(|| self.weighted_picks(at));
        match kept {
            None => self.epoch_of_pixels(session, at, picks, &progress)?,
            Some(kept) => self.epoch_of_features(session, at, picks, kept, &progress)?,
        }
        progress.clear();
        Ok(())
    }

    fn epoch_of_pixels(
        &self,
        session: &mut Session,
        at: &mut Progression,
        picks: Option<Vec<usize>>,
        progress: &Progress,
    ) -> anyhow::Result<()> {
        let mut batches = self.train.epoch(at.epoch, at.batch, picks)?;
        while let Some(batch) = at.meter.wait(|| batches.next()) {
            let mut batch = batch?;
            if at.batch < self.drawn_batches(at) {
                self.draw(at, &batch)?;
            }
            if self.settings.multi_scale {
                let mut rng = rng_for(self.settings.seed, at.epoch, usize::MAX - at.batch);
                let size = multi_scale_size(self.settings.imgsz, 32, &mut rng);
                batch = resize_batch(batch, size, 32);
            }
            let report = session.step(&batch);
            self.after_step(session, at, report, progress)?;
        }
        Ok(())
    }

    fn epoch_of_features(
        &self,
        session: &mut Session,
        at: &mut Progression,
        picks: Option<Vec<usize>>,
        Kept { cache, views, .. }: &mut Kept,
        progress: &Progress,
    ) -> anyhow::Result<()> {
        let view = cache.view(at.epoch);
        let (kept, drawn) = (cache.kept(view), self.drawn_batches(at));
        let mut batches = views.epoch(at.epoch, view, at.batch, picks, kept, drawn)?;
        while let Some(batch) = at.meter.wait(|| batches.next()) {
            let mut batch = batch?;
            if let Some(drawn) = batch.drawn.take() {
                self.draw(at, &drawn)?;
            }
            let pictures = std::mem::take(&mut batch.pictures);
            let make = |missing: &[usize]| batch.pixels(views, view, missing);
            let features = read_sync(session.cached_features(cache, view, &pictures, make))?;
            let report = session.step_features(&features);
            self.after_step(session, at, report, progress)?;
        }
        Ok(())
    }

    /// Counts a step, shows it now and then, and ends the run when it must end.
    fn after_step(
        &self,
        session: &mut Session,
        at: &mut Progression,
        report: StepReport,
        progress: &Progress,
    ) -> anyhow::Result<()> {
        at.unread.push(report.items);
        at.batch += 1;
        progress.inc(1);
        let interrupted = interrupt::requested();
        if interrupted || at.read_at.elapsed() >= READ_EVERY || at.batch == self.train.batches() {
            self.read_losses(session, at)?;
            let mean = at.loss_sums.map(|sum| sum / at.batch as f64);
            progress.set_message(format!(
                "box {:.4} obj {:.4} cls {:.4}",
                mean[0], mean[1], mean[2]
            ));
        }
        if interrupted {
            return self.stop(session, at);
        }
        Ok(())
    }

    /// Reads the losses of the steps since the last time, all at once.
    ///
    /// # Errors
    /// When one is not a number.
    fn read_losses(&self, session: &Session, at: &mut Progression) -> anyhow::Result<()> {
        let unread = std::mem::take(&mut at.unread);
        at.read_at = Instant::now();
        if unread.is_empty() {
            return Ok(());
        }
        let first = at.batch - unread.len();
        let items: Vec<f64> = Tensor::cat(unread, 0).try_into_data()?.iter().collect();
        for (step, items) in items.chunks_exact(at.loss_sums.len()).enumerate() {
            if items.iter().any(|item| !item.is_finite()) {
                let step = first + step + 1;
                let trouble =
                    format!("the losses of step {step} are {items:?}, which are no numbers");
                return Err(Trouble::Diverged(trouble).into());
            }
            let now = session.iteration() - (at.batch - first) + step;
            self.log
                .step(at.epoch, first + step, items, &session.schedule().at(now))?;
            for (sum, item) in at.loss_sums.iter_mut().zip(items) {
                *sum += item;
            }
        }
        Ok(())
    }

    /// How many batches of this epoch are drawn.
    fn drawn_batches(&self, at: &Progression) -> usize {
        if at.epoch == 0 && !self.settings.noplots {
            DRAWN_BATCHES
        } else {
            0
        }
    }

    fn draw(&self, at: &Progression, batch: &Batch) -> anyhow::Result<()> {
        let to = self.folder.file(&format!("train_batch{}.jpg", at.batch));
        plots::plot_batch_labels(&to, batch, &self.names)
    }

    fn weighted_picks(&self, at: &Progression) -> Vec<usize> {
        let items = &self.train.dataset.items;
        let by_class = class_weights(items.iter().flat_map(|item| &item.labels), self.names.len());
        let by_class = class_weights_by_map(&by_class, &at.class_map);
        let by_picture: Vec<f64> = items
            .iter()
            .map(|item| image_weight(&item.labels, &by_class))
            .collect();
        weighted_order(&by_picture, &mut epoch_rng(self.settings.seed, at.epoch))
    }
}
