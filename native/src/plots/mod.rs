//! The pictures of a run: results, curves, confusion matrix, label statistics, batches with boxes.
//!
//! Everything is drawn on an [`image::RgbImage`] with the few strokes of [`draw`] and [`text`]: lines
//! and letters come out antialiased and are placed to a fraction of a pixel, in charts and on photographs alike.

pub mod axes;
pub mod color;
pub mod draw;
pub mod text;

pub mod annotate;
pub mod batch;
pub mod confusion;
pub mod curves;
pub mod labels;
pub mod results;

pub use annotate::{DetectionStyle, draw_detections};
pub use batch::{plot_batch_detections, plot_batch_labels};
pub use confusion::plot_confusion_matrix;
pub use curves::plot_curves;
pub use labels::plot_labels;
pub use results::plot_results;

use std::path::Path;

use anyhow::{Context, Result};
use image::RgbImage;

/// High enough that the edges of boxes and letters stay clean.
const JPEG_QUALITY: u8 = 93;

/// Writes a picture; the file's extension chooses the format.
///
/// # Errors
/// When the format is not known or the file cannot be written.
pub fn save(image: &RgbImage, path: &Path) -> Result<()> {
    let is_jpeg = path
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("jpg") || e.eq_ignore_ascii_case("jpeg"));
    let write = || -> Result<()> {
        if is_jpeg {
            let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
            image::codecs::jpeg::JpegEncoder::new_with_quality(&mut file, JPEG_QUALITY)
                .encode_image(image)?;
            std::io::Write::flush(&mut file)?;
        } else {
            image.save(path)?;
        }
        Ok(())
    };
    write().with_context(|| format!("could not write the picture {}", path.display()))
}

/// A class's name, or its number where the names end.
pub fn class_name(names: &[String], class: usize) -> String {
    names
        .get(class)
        .cloned()
        .unwrap_or_else(|| class.to_string())
}

#[cfg(test)]
mod tests;
