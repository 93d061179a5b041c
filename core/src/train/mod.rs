//! Training: hyperparameters, optimizer, schedule, EMA and the session.
pub mod hyp;
pub use hyp::Hyp;
