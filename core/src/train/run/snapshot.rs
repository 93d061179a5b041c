//! A run between two epochs as one file, to go on from after a browser was closed or a device was lost.

use std::collections::BTreeMap;

use burn::tensor::{Device, TensorData};

use super::{At, Begun, Best, MakeStore, Phase, Run, RunData, RunSettings};
use crate::error::{Error, Result};
use crate::model::Yolov5;
use crate::train::Session;
use crate::train::drift::NormStatistics;
use crate::train::record::{RUN, RunRecord};
use crate::weights::{Checkpoint, Precision};

/// The metadata keys of what a run over pictures in memory needs beside its record.
const SETTINGS: &str = "settings";
const PICTURES: &str = "pictures";
/// The file of the best weights, as a tensor of bytes.
const BEST: &str = "train.best";
/// The statistics that drift is measured from.
const START: &str = "train.start/";

/// The file. It is a checkpoint too: its plain names are the moving average's.
pub struct Snapshot(Checkpoint);

impl Snapshot {
    /// Reads it.
    ///
    /// # Errors
    /// When it is no snapshot of a run.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Checkpoint::from_bytes(bytes, PLACE).map(Self)
    }

    /// What the run was told.
    ///
    /// # Errors
    /// When the file does not say it.
    pub fn settings(&self) -> Result<RunSettings> {
        self.json(SETTINGS)
    }

    fn json<T: serde::de::DeserializeOwned>(&self, key: &str) -> Result<T> {
        let text = self.0.metadata.get(key);
        let text = text.ok_or_else(|| unreadable(format!("nothing under {key}")))?;
        serde_json::from_str(text).map_err(|error| unreadable(format!("{key}: {error}")))
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Snapshot")
            .field(&self.0.metadata.get(SETTINGS))
            .finish()
    }
}

const PLACE: &str = "the snapshot of the run";

fn unreadable(found: String) -> Error {
    Error::input(
        PLACE,
        found,
        "what a run wrote after an epoch",
        "Start the run again",
    )
}

impl Run {
    /// The run as it stands between two epochs.
    ///
    /// # Errors
    /// When the device fails.
    pub async fn snapshot(&mut self) -> Result<Vec<u8>> {
        let (mut tensors, session) = self.session.snapshot(self.at.epoch).await?;
        let (start, best) = (self.statistics.state(), self.best.as_ref());
        let start = start.iter();
        tensors.extend(start.map(|(name, data)| (format!("{START}{name}"), data.clone())));
        if let Some(Best { file, .. }) = best {
            let bytes = TensorData::new(file.clone(), [file.len()]);
            tensors.push((BEST.to_owned(), bytes));
        }
        let record = RunRecord {
            session,
            next_batch: 0,
            loss_sums: [0.0; 3],
            best_fitness: best.map(|best| best.fitness),
            best_epoch: best.map_or(0, |best| best.epoch),
            class_map: Vec::new(),
            lr0: self.plan.config.hyp.lr0,
            optimizer: self.plan.config.optimizer,
            nominal: self.plan.config.nominal,
            batch: Some(self.plan.config.batch),
            views: self.plan.views,
        };
        let unwritable = |error| Error::input(PLACE, error, "text as JSON", "");
        let pictures = [self.data.train.len(), self.data.val.len()];
        let metadata = [
            (RUN, serde_json::to_string(&record)),
            (SETTINGS, serde_json::to_string(&self.settings)),
            (PICTURES, serde_json::to_string(&pictures)),
        ];
        let mut texts = BTreeMap::new();
        for (key, text) in metadata {
            texts.insert(key.to_owned(), text.map_err(unwritable)?);
        }
        let checkpoint = Checkpoint {
            tensors,
            names: Some(self.data.names.clone()),
            architecture: Some(self.session.model.architecture().clone()),
            metadata: texts,
            epoch: Some(self.at.epoch as i64 - 1),
            best_fitness: record.best_fitness,
        };
        checkpoint.to_safetensors(Precision::Full)
    }

    /// Goes on with a run, on any device.
    ///
    /// # Errors
    /// When the pictures are not the run's, or the device fails.
    pub async fn resume(
        snapshot: Snapshot,
        data: RunData,
        make_store: MakeStore,
        device: &Device,
    ) -> Result<Self> {
        let settings = snapshot.settings()?;
        let record: RunRecord = snapshot.json(RUN)?;
        let pictures: [usize; 2] = snapshot.json(PICTURES)?;
        let there = [data.train.len(), data.val.len()];
        if there != pictures || snapshot.0.names.as_ref() != Some(&data.names) {
            return Err(Error::input(
                "the data",
                format!("{there:?} pictures of {} classes", data.names.len()),
                format!(
                    "the {pictures:?} of the run, and its classes {:?}",
                    snapshot.0.names.clone().unwrap_or_default()
                ),
                "Give the pictures that the run learns from, or start another",
            ));
        }
        let Some(architecture) = snapshot.0.architecture.clone() else {
            return Err(unreadable("no architecture".to_owned()));
        };
        let mut plan = settings.settle(&architecture, &*data.train, u64::MAX)?;
        plan.config.hyp.lr0 = record.lr0;
        plan.config.optimizer = record.optimizer;
        plan.config.nominal = record.nominal;
        plan.views = record.views;
        let model = Yolov5::new(architecture, settings.seed, device);
        let mut session = Session::new(model, plan.freeze.clone(), plan.config.clone(), device);
        session.restore(&snapshot.0.tensors, &record.session)?;
        let mut run = Self::over(
            settings,
            plan,
            session,
            data,
            Begun::default(),
            make_store,
            device,
        )
        .await?;
        run.at = At {
            epoch: record.session.next_epoch,
            batch: 0,
            loss_sums: [0.0; 3],
            phase: Phase::Begin,
        };
        let mut start = Vec::new();
        for (name, data) in snapshot.0.tensors {
            if let Some(name) = name.strip_prefix(START) {
                start.push((name.to_owned(), data));
            } else if name == BEST {
                run.best = Some(Best {
                    epoch: record.best_epoch,
                    fitness: record.best_fitness.unwrap_or_default(),
                    file: data.iter::<u8>().collect(),
                });
            }
        }
        run.statistics = NormStatistics::from(start);
        Ok(run)
    }
}
