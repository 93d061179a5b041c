//! A training run: from settled settings to validated weights in a run folder.

pub mod checkpoints;
pub mod data;
mod epoch;
pub mod features;
mod foretold;
mod kept_classes;
mod log;
mod recovery;
pub mod run;
pub mod start;
pub mod validation;

pub use run::train;
