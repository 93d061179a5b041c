//! `train`.

use crate::args::TrainSettings;

/// Trains a network.
///
/// # Errors
/// As [`crate::training::train`].
pub fn run(settings: TrainSettings) -> anyhow::Result<()> {
    crate::training::train(&settings)
}
