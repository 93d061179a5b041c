//! Everything that an exact resume needs: as named tensors and a small record, which together make one
//! safetensors file. Under their plain names the tensors are the EMA's, so that the file is also an
//! ordinary checkpoint; what only training needs stands under `train.…/`.

use std::collections::{BTreeMap, HashMap};

use burn::tensor::{Tensor, TensorData};

use super::optimizer::Moments;
use super::receipt::{FrozenHash, Receipt};
use super::record::Batches;
use super::session::Session;
use crate::error::{Error, Result};
use crate::model::state::{Gather, Held, read_all};
use crate::weights::StateDict;

const MODEL: &str = "train.model/";
const FIRST: &str = "train.first/";
const SECOND: &str = "train.second/";
const PENDING: &str = "train.pending/";

/// The part of a session that is no tensor.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SessionRecord {
    /// First epoch that has not been trained.
    pub next_epoch: usize,
    /// Index of the freeze stage in force.
    stage: usize,
    iteration: usize,
    stepped_at: i64,
    ema_updates: u64,
    frozen_hash: Option<FrozenHash>,
    /// Of the stages that have ended.
    receipts: Vec<Receipt>,
    /// Optimizer steps by parameter.
    steps: BTreeMap<String, u32>,
}

impl SessionRecord {
    /// The same moment where an epoch is cut into `new` batches instead of `old` ones, `next` of which are done.
    pub(super) fn recut(&mut self, old: Batches, new: Batches, next: usize) {
        let waited = (self.iteration as i64 - self.stepped_at) as f64;
        let waited = (waited * old.size as f64 / new.size as f64).round() as i64;
        self.iteration = self.next_epoch * new.count + next;
        self.stepped_at = self.iteration as i64 - waited.max(1);
    }
}

impl Session {
    /// The whole state after `next_epoch` epochs.
    ///
    /// # Errors
    /// When the device fails.
    pub async fn snapshot(&mut self, next_epoch: usize) -> Result<(StateDict, SessionRecord)> {
        let mut state = self.ema.model.state_dict().await?;
        let mut held = Vec::new();
        let mut gather = Gather::new(&|_| true);
        self.model.visit(&mut gather);
        held.extend(
            gather
                .state
                .into_iter()
                .map(|(name, value)| (format!("{MODEL}{name}"), value)),
        );
        let mut steps = BTreeMap::new();
        for (name, moments) in &self.optimizer.memory {
            steps.insert(name.clone(), moments.steps);
            held.push((format!("{FIRST}{name}"), Held::float(&moments.first)));
            if let Some(second) = &moments.second {
                held.push((format!("{SECOND}{name}"), Held::float(second)));
            }
        }
        let mut pending: Vec<_> = self.pending.iter().collect();
        pending.sort_by_key(|(name, _)| name.as_str());
        held.extend(
            pending
                .into_iter()
                .map(|(name, value)| (format!("{PENDING}{name}"), Held::float(value))),
        );
        state.extend(read_all(held).await?);
        let record = SessionRecord {
            next_epoch,
            stage: self.stage,
            iteration: self.iteration,
            stepped_at: self.stepped_at,
            ema_updates: self.ema.updates,
            frozen_hash: self.frozen_hash().cloned(),
            receipts: self.receipts.clone(),
            steps,
        };
        Ok((state, record))
    }

    /// Goes on exactly where [`Session::snapshot`] was taken, in a session made with the same settings.
    ///
    /// # Errors
    /// When the snapshot lacks a tensor or holds one of another shape.
    pub fn restore(&mut self, state: &StateDict, record: &SessionRecord) -> Result<()> {
        let device = self.device().clone();
        let mut gather = Gather::new(&|_| true);
        self.model.visit(&mut gather);
        let by_name: HashMap<&str, &TensorData> = state
            .iter()
            .map(|(name, data)| (name.as_str(), data))
            .collect();
        for (name, held) in &gather.state {
            let wanted = match held {
                Held::Float { shape, .. } => shape.clone(),
                Held::Count(_) => Vec::new(),
            };
            for key in [name.clone(), format!("{MODEL}{name}")] {
                let found = by_name.get(key.as_str()).map(|data| data.shape().to_vec());
                if found.as_ref() != Some(&wanted) {
                    return Err(Error::input(
                        format!("the checkpoint's tensor {key}"),
                        found.map_or("nothing".to_owned(), |shape| format!("shape {shape:?}")),
                        format!("shape {wanted:?}"),
                        "Resume with the settings and the program version of the interrupted run",
                    ));
                }
            }
        }
        let with_prefix = |prefix: &str| -> StateDict {
            state
                .iter()
                .filter_map(|(name, data)| {
                    Some((name.strip_prefix(prefix)?.to_owned(), data.clone()))
                })
                .collect()
        };
        self.ema.model.load(state, &device);
        self.ema.updates = record.ema_updates;
        let model = with_prefix(MODEL);
        self.model.load(&model, &device);
        let flat = |data: TensorData| Tensor::<1>::from_data(data.convert::<f32>(), &device);
        let mut second: HashMap<String, TensorData> = with_prefix(SECOND).into_iter().collect();
        self.optimizer.memory = with_prefix(FIRST)
            .into_iter()
            .map(|(name, first)| {
                let steps = record.steps.get(&name).copied().unwrap_or(1);
                let second = second.remove(&name).map(flat);
                (
                    name,
                    Moments {
                        first: flat(first),
                        second,
                        steps,
                    },
                )
            })
            .collect();
        self.pending = with_prefix(PENDING)
            .into_iter()
            .map(|(name, data)| (name, flat(data)))
            .collect();
        self.iteration = record.iteration;
        self.stepped_at = record.stepped_at;
        if record.stage >= self.plan().stages.len() {
            return Err(Error::input(
                "the checkpoint's freeze stage",
                record.stage,
                format!("one of the plan's {}", self.plan().stages.len()),
                "Resume with the freeze plan of the interrupted run",
            ));
        }
        self.apply_stage(record.stage);
        self.receipts = record.receipts.clone();
        if let Some(hash) = &record.frozen_hash {
            self.set_frozen_hash(hash.clone());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_the_batch_is_the_same_moment_of_the_epoch() {
        let mut record = SessionRecord {
            next_epoch: 2,
            stage: 0,
            iteration: 23,
            stepped_at: 21,
            ema_updates: 5,
            frozen_hash: None,
            receipts: vec![],
            steps: BTreeMap::new(),
        };
        let old = Batches { count: 10, size: 8 };
        let new = Batches { count: 20, size: 4 };
        record.recut(old, new, 6);
        // 16 pictures wait for their optimizer step, before and after.
        assert_eq!((record.iteration, record.stepped_at), (46, 42));
    }
}
