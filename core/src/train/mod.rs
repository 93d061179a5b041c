//! Training: hyperparameters, optimizer, schedule, EMA and the session.

#[cfg(feature = "engine")]
pub mod at_cut;
#[cfg(feature = "engine")]
pub mod choice;
#[cfg(feature = "engine")]
pub mod drift;
#[cfg(feature = "engine")]
pub mod ema;
pub mod hyp;
#[cfg(feature = "engine")]
pub mod optimizer;
pub mod rate_factors;
#[cfg(feature = "engine")]
pub mod receipt;
#[cfg(feature = "engine")]
pub mod record;
#[cfg(feature = "engine")]
pub mod run;
#[cfg(feature = "engine")]
pub mod schedule;
#[cfg(feature = "engine")]
pub mod session;
#[cfg(test)]
#[cfg(feature = "engine")]
mod session_tests;
#[cfg(feature = "engine")]
pub mod snapshot;
#[cfg(feature = "engine")]
pub mod start;

#[cfg(feature = "engine")]
pub use at_cut::FeatureBatch;
pub use hyp::Hyp;
#[cfg(feature = "engine")]
pub use optimizer::OptimizerKind;
pub use rate_factors::RateFactors;
#[cfg(feature = "engine")]
pub use receipt::Receipt;
#[cfg(feature = "engine")]
pub use run::{Run, RunSettings};
#[cfg(feature = "engine")]
pub use schedule::{Rates, Schedule};
#[cfg(feature = "engine")]
pub use session::{FreezeNorms, GradientSquares, Session, SessionConfig, StepReport};
