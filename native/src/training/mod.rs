//! A training run: from settled settings to validated weights in a run folder.

mod begin;
pub mod checkpoints;
pub mod data;
mod epoch;
pub mod features;
mod finish;
mod foretold;
mod kept_classes;
mod log;
mod recovery;
pub mod run;
pub mod start;
mod tensorboard;
pub mod validation;

pub use begin::train;
