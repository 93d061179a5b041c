//! A freeze spec resolved against an architecture.
/// The resolved plan: one stage per epoch range.
#[derive(Debug, Clone, PartialEq)]
pub struct FreezePlan {
    /// Stages in order of their first epoch; never empty, the first starts at 0.
    pub stages: Vec<Stage>,
}
/// What is frozen from `from_epoch` on.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// First epoch of this stage.
    pub from_epoch: usize,
    /// Per parameter of [`crate::model::Architecture::parameters`], whether it is frozen.
    pub frozen: Vec<bool>,
    /// Per module: all its parameters are frozen (modules without parameters: everything they read is frozen).
    pub frozen_modules: Vec<bool>,
    /// Prefixes of BatchNorms whose statistics are fixed, such as `model.2.cv1.bn`.
    pub fixed_norms: std::collections::BTreeSet<String>,
    /// The cut.
    pub cut: Cut,
}
/// Where the frozen prefix ends and what crosses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// Modules `0..prefix` form the frozen prefix.
    pub prefix: usize,
    /// Indices of the prefix's outputs that later modules read.
    pub crossing: Vec<usize>,
}
