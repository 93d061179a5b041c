//! Frozen means frozen: whatever a plan freezes is bit-identical after training, and all the rest learns.
#![allow(clippy::unwrap_used)]

mod at_cut;
mod network;
mod plans;
mod specs;
