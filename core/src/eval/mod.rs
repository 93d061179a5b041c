//! NMS, average precision, confusion matrix, validation.

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
