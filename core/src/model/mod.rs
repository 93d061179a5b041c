//! The network: its architecture as data, its blocks, and the runner that can be cut anywhere.

pub mod architecture;
pub mod costs;
mod rows;
mod yaml;

pub use architecture::{Architecture, Size};
