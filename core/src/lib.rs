//! Transfer learning for object detection with frozen layers: YOLOv5 v6.0 on Burn.
//!
//! Freezing is a **cut through the network**. What lies before the cut is a fixed function of the
//! image; what lies after it learns.
//!
//! ```text
//! image ─▶ letterbox/augment ─▶ batch ─▶ FROZEN PREFIX ─▶ features at the cut ─▶ TRAINABLE SUFFIX ─▶ heads ─▶ loss
//!                                         plain device                            autodiff device
//! ```
//!
//! | room | what lives there |
//! |---|---|
//! | [`model`] | the architecture as data, its blocks, the network that runs modules `i..j` |
//! | [`freeze`] | what a person may freeze, and what that means for an architecture |
//! | [`weights`] | checkpoints read as data, transfer by name and shape |
//! | [`ops`] | the model's own operations where Burn's are slow, on the CPU and on a GPU |
//! | [`loss`] | target assignment, CIoU, the detection loss |
//! | [`onnx`] | a network as a graph for other programs, and out of such a file again |
//! | [`protobuf`] | the bytes of ONNX and TensorBoard files |
//! | [`train`] | hyperparameters, optimizer, schedule, EMA, the training session |
//! | [`data`] | data sets, labels, pictures, augmentation, batches |
//! | [`eval`] | NMS, average precision, confusion, validation |
//!
//! Without the feature `engine` only what needs no tensor is there: architectures, freeze plans, their costs and
//! hyperparameters.
#![warn(missing_docs)]

#[cfg(feature = "engine")]
pub mod data;
#[cfg(feature = "engine")]
pub mod device;
pub mod error;
#[cfg(feature = "engine")]
pub mod eval;
pub mod freeze;
#[cfg(feature = "engine")]
pub mod loss;
pub mod model;
#[cfg(feature = "engine")]
pub mod onnx;
#[cfg(feature = "engine")]
pub mod ops;
#[cfg(feature = "engine")]
pub mod protobuf;
pub mod train;
#[cfg(feature = "engine")]
pub mod weights;

pub use error::{Error, Result};
