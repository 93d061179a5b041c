//! The freeze receipt: a hash of everything that must not move, before and after.

use sha2::{Digest, Sha256};

use crate::error::Result;
use crate::freeze::Stage;
use crate::model::Yolov5;
use crate::model::architecture::Architecture;
use crate::model::state::{Gather, read_all};

/// Hashes of the frozen parameters and fixed statistics at two moments.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Receipt {
    /// Frozen parameter tensors.
    pub parameters: usize,
    /// Fixed statistic tensors.
    pub statistics: usize,
    /// SHA-256 (hex) when the freeze began.
    pub before: String,
    /// SHA-256 (hex) now.
    pub after: String,
}

impl Receipt {
    /// Whether nothing moved.
    pub fn holds(&self) -> bool {
        self.before == self.after
    }
}

impl std::fmt::Display for Receipt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let verdict = if self.holds() { "unchanged" } else { "CHANGED" };
        write!(f, "{} frozen parameters and {} fixed statistics {verdict}: ", self.parameters, self.statistics)?;
        write!(f, "sha256 {} before, {} after", short(&self.before), short(&self.after))
    }
}

fn short(hash: &str) -> &str {
    hash.get(..16).unwrap_or(hash)
}

/// Whether `name` is a statistic of a norm in `norms`.
fn is_statistic(name: &str, norms: &std::collections::BTreeSet<String>) -> bool {
    name.rsplit_once('.').is_some_and(|(norm, part)| part.starts_with("running_") && norms.contains(norm))
}

/// Hashes names, shapes and single-precision values of what `stage` freezes; returns the hex digest and
/// the number of parameters and statistics.
///
/// # Errors
/// When the device fails.
pub async fn hash_frozen(model: &mut Yolov5, architecture: &Architecture, stage: &Stage) -> Result<(String, usize, usize)> {
    let frozen: std::collections::HashSet<String> = architecture
        .parameters()
        .into_iter()
        .zip(&stage.frozen)
        .filter_map(|(parameter, &frozen)| frozen.then_some(parameter.name))
        .collect();
    let keep = |name: &str| frozen.contains(name) || is_statistic(name, &stage.fixed_norms);
    let mut gather = Gather::new(&keep);
    model.visit(&mut gather);
    let total = gather.state.len();
    let mut hasher = Sha256::new();
    for (name, data) in read_all(gather.state).await? {
        hasher.update(name.as_bytes());
        for side in data.shape().iter() {
            hasher.update((*side as u64).to_le_bytes());
        }
        hasher.update(data.as_bytes());
    }
    let digest: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((digest, frozen.len(), total - frozen.len()))
}
