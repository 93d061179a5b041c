//! NMS, average precision, confusion matrix, validation.

pub mod activation;
pub mod augment;
pub mod average_precision;
pub mod confusion;
pub mod detect;
pub mod evaluator;
pub mod kept;
pub mod matching;
pub mod nms;
pub mod validate;

pub use activation::{Activation, activation};
pub use confusion::ConfusionMatrix;
pub use detect::{detect, detect_rgba, from_heads};
pub use evaluator::{ClassMetrics, Curves, Evaluator, Metrics};
pub use kept::KeptValidation;
pub use nms::{NmsOptions, nms};
pub use validate::{ValidateOptions, Validation, Validator};

/// One detected object.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// Corners `[x1, y1, x2, y2]` in pixels.
    pub xyxy: [f32; 4],
    /// Objectness times class probability.
    pub confidence: f32,
    /// Class index.
    pub class: usize,
}
