//! Parity with the golden numbers.

mod loss;
mod model;
mod network;
mod official;
mod trace;
