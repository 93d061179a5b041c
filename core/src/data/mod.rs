//! Data sets, labels, pictures, augmentation and batches.
//!
//! Two orders, used throughout: a picture's *size* is `[w, h]`, a network's *shape* is `[h, w]`.

pub mod affine;
pub mod anchors;
pub mod archive;
pub mod augment;
pub mod cache;
pub mod check;
pub mod class_weights;
pub mod config;
pub mod copy_paste;
pub mod dataset;
#[cfg(test)]
mod golden;
pub mod hsv;
pub mod kmeans;
pub mod labels;
pub mod letterbox;
mod listing;
pub mod memory;
pub mod mosaic;
pub mod picture;
pub mod problem;
pub mod rect;
pub mod resize;
mod scan;
pub mod transform;
mod warp;

use std::path::Path;
use std::sync::Arc;

use crate::Result;

pub mod synth;

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

/// A decoded picture, already resized for the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Pixels; the longer side is the image size that the source was opened with.
    pub image: image::RgbImage,
    /// Size `[w, h]` of the file's picture in pixels after its EXIF orientation was applied.
    pub original: [usize; 2],
}

/// Where training and validation take labelled pictures from: a folder on a disk, or memory.
pub trait Source: Send + Sync {
    /// How many pictures there are.
    fn len(&self) -> usize;

    /// Whether there is nothing to learn from.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The picture `index`, resized so that its longer side is the image size.
    ///
    /// # Errors
    /// When the picture cannot be read, or `index` is beyond the end.
    fn picture(&self, index: usize) -> Result<Arc<Picture>>;

    /// The boxes of picture `index`; none when it is a background or `index` is beyond the end.
    fn labels(&self, index: usize) -> &[Label];

    /// The outline of each label of picture `index` in fractions of the picture, where the label
    /// was given as a polygon: what copy-paste cuts out. Empty when there is no outline at all.
    fn segments(&self, index: usize) -> &[Option<Vec<[f32; 2]>>] {
        let _ = index;
        &[]
    }

    /// The file of picture `index`, or its name.
    fn path(&self, index: usize) -> &Path;

    /// Size `[w, h]` of picture `index` in pixels, known without decoding it.
    fn original_size(&self, index: usize) -> [usize; 2];
}
