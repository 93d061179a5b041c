//! What can be frozen, and what that means for an architecture.

pub mod plan;
pub mod spec;

pub use plan::{Cut, FreezePlan, Stage};
pub use spec::FreezeSpec;
