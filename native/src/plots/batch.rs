//! `train_batchN.jpg`, `val_batchN_labels.jpg`, `val_batchN_pred.jpg`: a batch as the network
//! sees it, with boxes.

use std::path::Path;

use anyhow::{Result, ensure};
use frostline::data::Batch;
use frostline::eval::Detection;
use image::{RgbImage, imageops};

use super::annotate::{Pen, TaggedBox};
use super::axes::blank;
use super::color::{BLACK, WHITE};
use super::draw::fill_rect;
use super::text::{Align, Style, draw_text, fitted, line_height, width};
use super::{class_name, save};

const MOST_PICTURES: usize = 16;
/// The longer side of the grid.
const LARGEST_SIDE_PX: f32 = 1920.0;
/// Small pictures are enlarged up to this, so that names can be read.
const LARGEST_SCALE: f32 = 4.0;
const GAP_PX: u32 = 6;
/// Less confident detections would only hide the others.
const LEAST_CONFIDENCE: f32 = 0.25;

/// Draws up to 16 pictures of a batch with their labels and file names to `to`.
///
/// # Errors
/// When the batch's pixels do not fill its shape, or the file cannot be written.
pub fn plot_batch_labels(to: &Path, batch: &Batch, names: &[String]) -> Result<()> {
    let mut boxes = vec![Vec::new(); batch.shape[0]];
    let [_, _, h, w] = batch.shape;
    for (picture, label) in &batch.targets {
        let [cx, cy, bw, bh] = label.cxcywh;
        let (w, h) = (w as f32, h as f32);
        if let Some(boxes) = boxes.get_mut(*picture) {
            boxes.push(TaggedBox {
                xyxy: [
                    (cx - bw / 2.0) * w,
                    (cy - bh / 2.0) * h,
                    (cx + bw / 2.0) * w,
                    (cy + bh / 2.0) * h,
                ],
                class: label.class,
                tag: class_name(names, label.class),
            });
        }
    }
    save(&grid(batch, &boxes)?, to)
}

/// Draws up to 16 pictures of a batch with what was detected in each (corners in pixels of
/// the batch's pictures, above 0.25 confidence) and their file names to `to`.
///
/// # Errors
/// When the batch's pixels do not fill its shape, or the file cannot be written.
pub fn plot_batch_detections(
    to: &Path,
    batch: &Batch,
    detections: &[Vec<Detection>],
    names: &[String],
) -> Result<()> {
    let tagged = |detection: &Detection| TaggedBox {
        xyxy: detection.xyxy,
        class: detection.class,
        tag: format!(
            "{} {:.1}",
            class_name(names, detection.class),
            detection.confidence
        ),
    };
    let boxes: Vec<Vec<TaggedBox>> = detections
        .iter()
        .map(|detections| {
            // NMS gives the most confident first; that one is drawn last, on top.
            let confident = detections
                .iter()
                .filter(|d| d.confidence > LEAST_CONFIDENCE);
            confident.rev().map(tagged).collect()
        })
        .collect();
    save(&grid(batch, &boxes)?, to)
}

fn grid(batch: &Batch, boxes: &[Vec<TaggedBox>]) -> Result<RgbImage> {
    let [pictures, channels, h, w] = batch.shape;
    ensure!(
        channels == 3 && batch.pixels.len() == pictures * 3 * h * w,
        "a batch of shape {:?} holds {} values, expected {}",
        batch.shape,
        batch.pixels.len(),
        pictures * 3 * h * w
    );
    let shown = pictures.min(MOST_PICTURES);
    let columns = (1..=shown.max(1)).find(|n| n * n >= shown).unwrap_or(1);
    let rows = shown.div_ceil(columns).max(1);
    let longer = (columns * w).max(rows * h).max(1) as f32;
    let scale = (LARGEST_SIDE_PX / longer).min(LARGEST_SCALE);
    let cell = [w, h].map(|side| ((side as f32 * scale).round() as u32).max(1));

    let side = |count: usize, cell: u32| count as u32 * (cell + GAP_PX) + GAP_PX;
    let mut image = blank(side(columns, cell[0]), side(rows, cell[1]));
    for index in 0..shown {
        let mut picture = picture(batch, index, cell);
        let pen = grid_pen(&picture);
        let boxes = boxes.get(index).into_iter().flatten();
        let scaled: Vec<TaggedBox> = boxes
            .map(|tagged| TaggedBox {
                xyxy: tagged.xyxy.map(|v| v * scale),
                ..tagged.clone()
            })
            .collect();
        pen.draw_boxes(&mut picture, &scaled);
        if let Some(name) = batch.placements.get(index).and_then(|p| p.path.file_name()) {
            file_name(&mut picture, &name.to_string_lossy(), pen.font);
        }
        let x = GAP_PX + (index % columns) as u32 * (cell[0] + GAP_PX);
        let y = GAP_PX + (index / columns) as u32 * (cell[1] + GAP_PX);
        imageops::replace(&mut image, &picture, i64::from(x), i64::from(y));
    }
    Ok(image)
}

fn picture(batch: &Batch, index: usize, cell: [u32; 2]) -> RgbImage {
    let [_, _, h, w] = batch.shape;
    let planes = &batch.pixels[index * 3 * h * w..][..3 * h * w];
    let pixel = |x: u32, y: u32| {
        let at = y as usize * w + x as usize;
        image::Rgb([planes[at], planes[h * w + at], planes[2 * h * w + at]])
    };
    let full = RgbImage::from_fn(w as u32, h as u32, pixel);
    if [full.width(), full.height()] == cell {
        full
    } else {
        imageops::resize(&full, cell[0], cell[1], imageops::FilterType::Triangle)
    }
}

/// In a grid the pictures are small and their boxes many.
fn grid_pen(picture: &RgbImage) -> Pen {
    let mean_side = (picture.width() + picture.height()) as f32 / 2.0;
    Pen {
        line: (mean_side * 0.004).clamp(1.5, 4.0),
        font: (mean_side * 0.038).clamp(12.0, 24.0),
    }
}

/// A dark strip with the file's name, in the lower left corner, where it hides no tag.
fn file_name(picture: &mut RgbImage, name: &str, font: f32) {
    let padding = font * 0.3;
    let name = fitted(name, font, picture.width() as f32 - 2.0 * padding);
    let bottom = picture.height() as f32;
    let top = (bottom - line_height(font) - padding * 0.6).round();
    let right = (width(&name, font) + 2.0 * padding).ceil();
    fill_rect(picture, [0.0, top, right, bottom], BLACK.alpha(0.6));
    let style = Style::new(font, WHITE).align(Align::Start, Align::Middle);
    draw_text(picture, &name, [padding, (top + bottom) / 2.0], style);
}
