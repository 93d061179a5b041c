//! What can be frozen, and what that means for an architecture.

pub mod cache;
pub mod costs;
mod parse;
pub mod plan;
pub mod prefix;
mod resolve;
pub mod spec;

pub use cache::{FeatureCache, FeaturePrecision};
pub use costs::Costs;
pub use plan::{Counts, Cut, FreezePlan, ModuleState, Stage};
pub use prefix::Prefix;
pub use resolve::matches;
pub use spec::FreezeSpec;
