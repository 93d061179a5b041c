//! How a run ends: the best weights validated and drawn, the receipt, and the last weights without what a resume needs.

use anyhow::Context;
use burn::tensor::read_sync;
use frostline::eval::ValidateOptions;
use frostline::train::{FreezeNorms, Receipt, Session};

use super::kept_classes;
use super::run::{DRAWN_BATCHES, Progression, Run};
use super::validation::{print_table, validate};
use crate::plots;
use crate::progress::say;

impl Run<'_> {
    /// Validates the best weights, draws the plots, prints the receipt, and strips `last` at the very end: until then
    /// the run can be resumed.
    pub(super) fn finish(&self, session: &mut Session, at: &Progression) -> anyhow::Result<()> {
        let receipts = read_sync(session.receipts())?;
        let epochs = at.epoch;
        let mut best_epoch = at.best_epoch;
        if self.settings.nosave {
            // Nothing was kept on the way: what there is now is the best there is.
            best_epoch = epochs.saturating_sub(1);
            self.files.save_weights(
                &mut session.ema.model,
                best_epoch,
                at.best_fitness.unwrap_or(0.0),
                &self.files.best(),
            )?;
        }
        let (best, _) = super::start::trained(&self.files.best(), &self.device)?;
        let mut draw = |number: usize,
                        batch: &frostline::data::Batch,
                        found: &[Vec<frostline::eval::Detection>]| {
            if self.settings.noplots || number >= DRAWN_BATCHES {
                return Ok(());
            }
            plots::plot_batch_labels(
                &self.folder.file(&format!("val_batch{number}_labels.jpg")),
                batch,
                &self.names,
            )?;
            let to = self.folder.file(&format!("val_batch{number}_pred.jpg"));
            plots::plot_batch_detections(&to, batch, found, &self.names)
        };
        let validation = validate(
            &mut best.fold(),
            &self.val,
            None,
            ValidateOptions::default(),
            &self.device,
            &mut draw,
        )?;
        say(&format!("best weights, epoch {}:", best_epoch + 1));
        print_table(&validation.metrics, &self.names, false);
        if self.settings.keep_classes {
            kept_classes::after(&self.folder, &validation.metrics)?;
        }
        if !self.settings.noplots {
            plots::plot_results(
                &self.folder.file("results.csv"),
                &self.folder.file("results.png"),
            )?;
            plots::plot_curves(self.folder.path(), &validation.metrics, &self.names)?;
            plots::plot_confusion_matrix(
                &self.folder.file("confusion_matrix.png"),
                &validation.confusion,
                &self.names,
            )?;
        }
        let fitness = at.best_fitness.unwrap_or(0.0);
        self.files.save_weights(
            &mut session.ema.model,
            epochs.saturating_sub(1),
            fitness,
            &self.files.last(),
        )?;
        self.log.event(
            "end",
            serde_json::json!({ "epochs": epochs, "best_epoch": best_epoch, "fitness": fitness }),
        )?;
        let hours = self.started.elapsed().as_secs_f64() / 3600.0;
        say(&format!(
            "{epochs} epochs in {hours:.3} h; weights in {}",
            self.files.best().display()
        ));
        self.check_receipts(&receipts)
    }

    /// Writes and prints the receipts.
    ///
    /// # Errors
    /// When something moved that must not.
    fn check_receipts(&self, receipts: &[Receipt]) -> anyhow::Result<()> {
        let to = self.folder.file("receipt.json");
        std::fs::write(&to, serde_json::to_string_pretty(receipts)?)
            .with_context(|| to.display().to_string())?;
        let drifts = self.settings.freeze_bn == FreezeNorms::Drift;
        for receipt in receipts.iter().filter(|receipt| !receipt.is_empty()) {
            let from = if receipts.len() > 1 {
                format!(" from epoch {}", receipt.from_epoch + 1)
            } else {
                String::new()
            };
            say(&format!("freeze receipt{from}: {receipt}"));
            anyhow::ensure!(
                receipt.parameters_held() && (drifts || receipt.statistics_held()),
                "something frozen moved, which is a defect of this program: please report it with {}",
                to.display()
            );
        }
        Ok(())
    }
}
