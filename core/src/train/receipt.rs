//! The freeze receipt: hashes of everything that a plan freezes, before and after.

use std::collections::{BTreeSet, HashSet};
use std::fmt;

use crate::error::Result;
use crate::freeze::Stage;
use crate::model::Yolov5;
use crate::model::state::{Gather, digest};

/// SHA-256 (hex) of the frozen parts at one moment.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FrozenHash {
    /// Frozen parameter tensors.
    pub parameters: usize,
    /// Hash of their names, shapes and values.
    pub parameters_sha256: String,
    /// Statistic tensors of frozen BatchNorms.
    pub statistics: usize,
    /// Hash of their names, shapes and values.
    pub statistics_sha256: String,
}

/// What a stage of the plan froze when it began against what it is now, or was when the stage ended.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Receipt {
    /// First epoch of the stage.
    pub from_epoch: usize,
    /// When the freeze began.
    pub before: FrozenHash,
    /// Now, or when the stage ended.
    pub after: FrozenHash,
}

impl Receipt {
    /// Whether no frozen parameter moved.
    pub fn parameters_held(&self) -> bool {
        self.before.parameters_sha256 == self.after.parameters_sha256
    }

    /// Whether no statistic of a frozen BatchNorm moved.
    pub fn statistics_held(&self) -> bool {
        self.before.statistics_sha256 == self.after.statistics_sha256
    }

    /// Whether nothing moved.
    pub fn holds(&self) -> bool {
        self.parameters_held() && self.statistics_held()
    }

    /// Whether anything is frozen.
    pub fn is_empty(&self) -> bool {
        self.after.parameters + self.after.statistics == 0
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |count: usize, what: &str, held: bool, before: &str, after: &str| {
            let verdict = if held { "unchanged" } else { "MOVED" };
            format!(
                "{count} {what} {verdict} (sha256 {} before, {} after)",
                short(before),
                short(after)
            )
        };
        let (before, after) = (&self.before, &self.after);
        f.write_str(&part(
            after.parameters,
            "frozen parameters",
            self.parameters_held(),
            &before.parameters_sha256,
            &after.parameters_sha256,
        ))?;
        f.write_str(", ")?;
        f.write_str(&part(
            after.statistics,
            "statistics",
            self.statistics_held(),
            &before.statistics_sha256,
            &after.statistics_sha256,
        ))
    }
}

fn short(hash: &str) -> &str {
    hash.get(..16).unwrap_or(hash)
}

/// Whether `name` is a running statistic of a norm in `norms`.
fn is_statistic(name: &str, norms: &BTreeSet<String>) -> bool {
    name.rsplit_once('.')
        .is_some_and(|(norm, part)| part.starts_with("running_") && norms.contains(norm))
}

/// Hashes what `stage` freezes.
///
/// # Errors
/// When the device fails.
pub async fn hash_frozen(model: &mut Yolov5, stage: &Stage) -> Result<FrozenHash> {
    let frozen: HashSet<String> = model
        .architecture()
        .parameters()
        .into_iter()
        .zip(&stage.frozen)
        .filter_map(|(parameter, &frozen)| frozen.then_some(parameter.name))
        .collect();
    let keep = |name: &str| frozen.contains(name) || is_statistic(name, &stage.fixed_norms);
    let mut gather = Gather::new(&keep);
    model.visit(&mut gather);
    let (parameters, statistics): (Vec<_>, Vec<_>) = gather
        .state
        .into_iter()
        .partition(|(name, _)| frozen.contains(name));
    Ok(FrozenHash {
        parameters: parameters.len(),
        parameters_sha256: digest(parameters).await?,
        statistics: statistics.len(),
        statistics_sha256: digest(statistics).await?,
    })
}
