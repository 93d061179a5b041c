//! `last` and `best`: written atomically; `last` holds everything for an exact resume.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use burn::tensor::read_sync;
use frostline::Error;
use frostline::model::Yolov5;
use frostline::train::Session;
use frostline::train::record::{RUN, RunRecord};
use frostline::train::snapshot::SessionRecord;
use frostline::weights::atomic::write_atomically;
use frostline::weights::{Checkpoint, Precision};

use super::recovery::check_held;

/// The files of a run.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    folder: PathBuf,
    names: Vec<String>,
}

impl Checkpoints {
    /// Checkpoints in `folder` for classes `names`.
    pub fn new(folder: PathBuf, names: Vec<String>) -> Self {
        Self { folder, names }
    }

    /// The newest state.
    pub fn last(&self) -> PathBuf {
        self.folder.join("last.safetensors")
    }

    /// The state with the best fitness.
    pub fn best(&self) -> PathBuf {
        self.folder.join("best.safetensors")
    }

    /// Writes `last`.
    ///
    /// # Errors
    /// When the device or the disk fails, or a weight has grown beyond all bounds.
    pub fn save_last(
        &self,
        session: &mut Session,
        next_epoch: usize,
        record: impl FnOnce(SessionRecord) -> RunRecord,
    ) -> anyhow::Result<()> {
        let (tensors, part) = read_sync(session.snapshot(next_epoch))?;
        check_held(&tensors)?;
        let record = record(part);
        let mut metadata = BTreeMap::new();
        metadata.insert(RUN.to_owned(), serde_json::to_string(&record)?);
        let checkpoint = Checkpoint {
            tensors,
            names: Some(self.names.clone()),
            architecture: Some(session.model.architecture().clone()),
            metadata,
            epoch: Some(next_epoch as i64 - 1),
            best_fitness: record.best_fitness,
        };
        write_atomically(self.last(), &checkpoint.to_safetensors(Precision::Full)?)?;
        Ok(())
    }

    /// Writes the EMA's weights in half precision, as they are shared.
    ///
    /// # Errors
    /// When the device or the disk fails.
    pub fn save_weights(
        &self,
        model: &mut Yolov5,
        epoch: usize,
        fitness: f64,
        to: &Path,
    ) -> anyhow::Result<()> {
        let tensors = read_sync(model.state_dict())?;
        check_held(&tensors)?;
        let checkpoint = Checkpoint {
            tensors,
            names: Some(self.names.clone()),
            architecture: Some(model.architecture().clone()),
            metadata: BTreeMap::new(),
            epoch: Some(epoch as i64),
            best_fitness: Some(fitness),
        };
        write_atomically(to, &checkpoint.to_safetensors(Precision::Half)?)?;
        Ok(())
    }

    /// Writes the EMA's weights after `epoch` under a name of their own.
    ///
    /// # Errors
    /// When the device or the disk fails.
    pub fn save_epoch(&self, model: &mut Yolov5, epoch: usize, fitness: f64) -> anyhow::Result<()> {
        self.save_weights(
            model,
            epoch,
            fitness,
            &self.folder.join(format!("epoch{epoch}.safetensors")),
        )
    }
}

/// Reads a `last` for a resume.
///
/// # Errors
/// When the file is no interrupted run.
pub fn read_last(path: &Path) -> anyhow::Result<(Checkpoint, RunRecord)> {
    let checkpoint = Checkpoint::read(path)?;
    let Some(record) = checkpoint.metadata.get(RUN) else {
        let next = format!("Start a new run with --weights {}", path.display());
        return Err(Error::input(
            path.display(),
            "weights of a finished run",
            "the state of an interrupted one",
            next,
        )
        .into());
    };
    let record = serde_json::from_str(record)
        .with_context(|| format!("{}: the run's record cannot be read", path.display()))?;
    Ok((checkpoint, record))
}
