//! Checkpoints read as data, written with the reference's names, and transferred by name and shape.
//!
//! A `.pt` file is a zip with a pickle inside. Python *executes* a pickle; here it is *read*: the
//! opcodes build plain values, and classes and functions stay names. Nothing in a file can run.

pub mod atomic;
pub mod checkpoint;
pub mod classes;
pub(crate) mod elements;
#[cfg(test)]
mod hostile_tests;
mod machine;
mod modules;
pub mod names;
pub mod pickle;
pub mod safetensors;
mod torch_zip;
pub mod transfer;
pub mod value;

pub use atomic::write_atomically;
pub use checkpoint::Checkpoint;
pub use classes::KeptClasses;
pub use safetensors::Precision;
pub use transfer::{Transfer, Why, transfer};

/// Named tensors in file order.
pub type StateDict = Vec<(String, burn::tensor::TensorData)>;
