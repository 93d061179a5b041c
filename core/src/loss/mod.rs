//! The detection loss (FACTS 3): which cells must find which box, how well they do, and how sure they are.

pub mod assign;
pub mod ciou;
pub mod detection;
mod scale;

pub use detection::{DetectionLoss, LossOutput};
