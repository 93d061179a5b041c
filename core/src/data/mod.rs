//! Data sets, labels, pictures, augmentation and batches.

/// One labelled box: class index and `[cx, cy, w, h]` as fractions of the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Label {
    /// Class index.
    pub class: usize,
    /// Centre and size, each in `0..=1`.
    pub cxcywh: [f32; 4],
}

/// How a picture was fitted into the network's input, so that boxes can be mapped back.
#[derive(Debug, Clone, PartialEq)]
pub struct Placement {
    /// Picture file, or its name in a data set.
    pub path: std::path::PathBuf,
    /// Size of the file's picture `[w, h]` in pixels after its EXIF orientation was applied.
    pub original: [usize; 2],
    /// Network pixels per original pixel.
    pub ratio: [f64; 2],
    /// Left and top padding in network pixels.
    pub pad: [f64; 2],
}

/// One picture ready for the network.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Pixels.
    pub image: image::RgbImage,
    /// Boxes relative to `image`.
    pub labels: Vec<Label>,
    /// Where it came from.
    pub placement: Placement,
}

/// Pictures of one size and their boxes.
#[derive(Debug, Clone)]
pub struct Batch {
    /// `[B, 3, H, W]`, RGB, row-major.
    pub pixels: Vec<u8>,
    /// `[B, 3, H, W]`.
    pub shape: [usize; 4],
    /// Boxes: index of the picture in the batch, and its label.
    pub targets: Vec<(usize, Label)>,
    /// One per picture.
    pub placements: Vec<Placement>,
}
