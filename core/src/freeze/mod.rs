//! What can be frozen, and what that means for an architecture.

#[cfg(feature = "engine")]
pub mod cache;
pub mod costs;
mod group;
mod parse;
pub mod plan;
#[cfg(feature = "engine")]
pub mod prefix;
mod resolve;
pub mod spec;

#[cfg(feature = "engine")]
pub use cache::{FeatureCache, FeaturePrecision};
pub use costs::Costs;
pub use group::Group;
pub use plan::{Counts, Cut, FreezePlan, ModuleState, Stage};
#[cfg(feature = "engine")]
pub use prefix::Prefix;
pub use resolve::matches;
pub use spec::FreezeSpec;
