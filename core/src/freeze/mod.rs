//! What can be frozen, and what that means for an architecture.

pub mod costs;
mod parse;
pub mod plan;
mod resolve;
pub mod spec;

pub use costs::Costs;
pub use plan::{Counts, Cut, FreezePlan, ModuleState, Stage};
pub use resolve::matches;
pub use spec::FreezeSpec;
