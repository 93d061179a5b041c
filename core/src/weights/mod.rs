//! Checkpoints read as data, written with the reference's names, and transferred by name and shape.

/// Named tensors in file order.
pub type StateDict = Vec<(String, burn::tensor::TensorData)>;
