//! Training: hyperparameters, optimizer, schedule, EMA and the session.

pub mod at_cut;
pub mod ema;
pub mod hyp;
pub mod optimizer;
pub mod receipt;
pub mod schedule;
pub mod session;
pub mod snapshot;

pub use at_cut::FeatureBatch;
pub use hyp::Hyp;
pub use optimizer::OptimizerKind;
pub use receipt::Receipt;
pub use schedule::{Rates, Schedule};
pub use session::{FreezeNorms, Session, SessionConfig, StepReport};
