//! From a source's pictures to samples and batches: the training sample maker, the validation
//! sample, and the random numbers they use.
//!
//! Every sample has its own random numbers, made from the run's seed, the epoch and the sample's
//! position in it. The number of workers and an interrupted run change nothing.

use std::sync::Arc;

use image::RgbImage;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::augment::{
    AffineDraw, HsvDraw, MosaicDraw, PixelBox, flip_left_right, flip_up_down, happens, index_below,
    mixup, mixup_ratio,
};
use super::letterbox::{Letterbox, LetterboxOptions};
use super::mosaic::Tile;
use super::rect::RectBatches;
use super::resize::resize_plane;
use super::{Batch, Label, Picture, Placement, Sample, Source, copy_paste};
use crate::error::{Error, Result};
use crate::train::hyp::Hyp;

/// What the random numbers are for; keeps the streams apart.
#[derive(Clone, Copy)]
enum Stream {
    Sample = 0,
    Order = 1,
}

fn stream(seed: u64, epoch: usize, position: usize, stream: Stream) -> ChaCha8Rng {
    let words = [seed, epoch as u64, position as u64, stream as u64];
    let mut key = [0; 32];
    for (bytes, word) in key.chunks_exact_mut(8).zip(words) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

/// The random numbers of the sample at `position` of an epoch.
pub fn rng_for(seed: u64, epoch: usize, position: usize) -> ChaCha8Rng {
    stream(seed, epoch, position, Stream::Sample)
}

/// The random numbers of an epoch as a whole: its order, its weighted choice of pictures.
pub fn epoch_rng(seed: u64, epoch: usize) -> ChaCha8Rng {
    stream(seed, epoch, 0, Stream::Order)
}

/// The order in which an epoch sees `n` pictures.
pub fn order(seed: u64, epoch: usize, n: usize) -> Vec<usize> {
    let mut rng = epoch_rng(seed, epoch);
    let mut order: Vec<usize> = (0..n).collect();
    for place in (1..n).rev() {
        order.swap(place, index_below(&mut rng, place + 1));
    }
    order
}

/// Makes training samples.
#[derive(Debug, Clone)]
pub struct TrainTransform {
    /// Side of a sample in pixels.
    pub imgsz: usize,
    /// Limits and probabilities.
    pub hyp: Hyp,
    /// Change pictures at random; without it they are only letterboxed.
    pub augment: bool,
    /// Allow mosaics, with the probability that `hyp` gives.
    pub mosaic: bool,
    /// Shapes by batch instead of squares; turns mosaics off.
    pub rect: Option<Arc<RectBatches>>,
    /// Indices from which a mosaic's other pictures are drawn, with their weight in repetitions;
    /// all pictures evenly when absent.
    pub pool: Option<Arc<[usize]>>,
}

impl TrainTransform {
    /// The sample for picture `index`.
    ///
    /// # Errors
    /// Names the picture that cannot be read.
    pub fn sample(
        &self,
        source: &dyn Source,
        index: usize,
        rng: &mut ChaCha8Rng,
    ) -> Result<Sample> {
        let wants_mosaic = self.augment && self.mosaic && self.rect.is_none();
        let (mut image, boxes, placement) = if wants_mosaic && happens(rng, self.hyp.mosaic) {
            self.mosaic_sample(source, index, rng)?
        } else {
            self.single(source, index, rng)?
        };
        let mut labels = relative(&boxes, &image);
        if self.augment {
            HsvDraw::draw(&self.hyp, rng).apply(&mut image);
            if happens(rng, self.hyp.flipud) {
                flip_up_down(&mut image, &mut labels);
            }
            if happens(rng, self.hyp.fliplr) {
                flip_left_right(&mut image, &mut labels);
            }
        }
        Ok(Sample {
            image,
            labels,
            placement,
        })
    }

    /// `pictures` in a fixed `view`: what each shows depends on seed, view and picture, and not on its
    /// place in an epoch. With a single view per picture, [`TrainTransform::augment`] belongs off.
    ///
    /// # Errors
    /// Names the picture that cannot be read.
    pub fn view_batch(
        &self,
        source: &dyn Source,
        seed: u64,
        view: usize,
        pictures: &[usize],
    ) -> Result<Batch> {
        let samples = pictures.iter().map(|&picture| {
            let mut rng = rng_for(seed, view, picture);
            self.sample(source, picture, &mut rng)
        });
        batch(samples.collect::<Result<Vec<_>>>()?)
    }

    /// A mosaic, perhaps blended with a second one. Its placement names the picture that it was
    /// made for; there is no way back to one original.
    fn mosaic_sample(
        &self,
        source: &dyn Source,
        index: usize,
        rng: &mut ChaCha8Rng,
    ) -> Result<(RgbImage, Vec<PixelBox>, Placement)> {
        let (mut image, mut boxes) = self.one_mosaic(source, index, rng)?;
        if happens(rng, self.hyp.mixup) {
            let other = self.any(source, rng);
            let (other, other_boxes) = self.one_mosaic(source, other, rng)?;
            mixup(&mut image, &other, mixup_ratio(rng));
            boxes.extend(other_boxes);
        }
        let placement = Placement {
            path: source.path(index).to_path_buf(),
            original: source.original_size(index),
            ratio: [1.0; 2],
            pad: [0.0; 2],
        };
        Ok((image, boxes, placement))
    }

    fn one_mosaic(
        &self,
        source: &dyn Source,
        index: usize,
        rng: &mut ChaCha8Rng,
    ) -> Result<(RgbImage, Vec<PixelBox>)> {
        let draw = MosaicDraw::draw(index, self.imgsz, rng, |rng| self.any(source, rng));
        let [a, b, c, d] = draw.tiles;
        let pictures = [
            source.picture(a)?,
            source.picture(b)?,
            source.picture(c)?,
            source.picture(d)?,
        ];
        let copies = self.hyp.copy_paste > 0.0;
        let tiles = [0, 1, 2, 3].map(|place| Tile {
            image: &pictures[place].image,
            labels: source.labels(draw.tiles[place]),
            outlines: if copies {
                source.segments(draw.tiles[place])
            } else {
                &[]
            },
        });
        let mut canvas = draw.assemble(tiles, self.imgsz);
        if copies {
            let chosen = copy_paste::draw(&canvas.outlines, self.hyp.copy_paste, rng);
            copy_paste::paste(
                &mut canvas.image,
                &mut canvas.boxes,
                &canvas.outlines,
                &chosen,
            );
        }
        let affine = AffineDraw::draw(&self.hyp, rng);
        Ok(affine.apply(&canvas.image, &canvas.boxes, [self.imgsz; 2]))
    }

    fn single(
        &self,
        source: &dyn Source,
        index: usize,
        rng: &mut ChaCha8Rng,
    ) -> Result<(RgbImage, Vec<PixelBox>, Placement)> {
        let rect = self.rect.as_ref();
        let shape = rect.and_then(|rect| rect.shape_of(index));
        let shape = shape.unwrap_or([self.imgsz; 2]);
        let (image, boxes, placement) = letterboxed(source, index, shape, self.augment)?;
        if !self.augment {
            return Ok((image, boxes, placement));
        }
        let affine = AffineDraw::draw(&self.hyp, rng);
        let (image, boxes) = affine.apply(&image, &boxes, [shape[1], shape[0]]);
        Ok((image, boxes, placement))
    }

    fn any(&self, source: &dyn Source, rng: &mut ChaCha8Rng) -> usize {
        match self.pool.as_deref() {
            Some(pool) if !pool.is_empty() => pool[index_below(rng, pool.len())],
            _ => index_below(rng, source.len()),
        }
    }
}

/// The sample of picture `index` for validation, letterboxed into `shape` `[h, w]` and not enlarged.
///
/// # Errors
/// Names the picture that cannot be read.
pub fn val_sample(source: &dyn Source, index: usize, shape: [usize; 2]) -> Result<Sample> {
    let (image, boxes, placement) = letterboxed(source, index, shape, false)?;
    Ok(Sample {
        labels: relative(&boxes, &image),
        image,
        placement,
    })
}

fn letterboxed(
    source: &dyn Source,
    index: usize,
    shape: [usize; 2],
    scale_up: bool,
) -> Result<(RgbImage, Vec<PixelBox>, Placement)> {
    let picture: Arc<Picture> = source.picture(index)?;
    let size = [
        picture.image.width() as usize,
        picture.image.height() as usize,
    ];
    let options = LetterboxOptions {
        auto: false,
        scale_up,
        ..LetterboxOptions::default()
    };
    let letterbox = Letterbox::new(size, shape, options);
    let resized = letterbox.resized.map(|side| side as f32);
    let pad = letterbox.pad.map(|pad| pad as f32);
    let labels = source.labels(index).iter();
    let boxes = labels.map(|label| PixelBox::from_label(label, resized, pad));
    let ratio = |axis: usize| letterbox.resized[axis] as f64 / picture.original[axis].max(1) as f64;
    let placement = Placement {
        path: source.path(index).to_path_buf(),
        original: picture.original,
        ratio: [ratio(0), ratio(1)],
        pad: letterbox.pad,
    };
    Ok((letterbox.apply(&picture.image), boxes.collect(), placement))
}

/// Boxes as labels of the picture; nothing remains of those that lie beside it.
fn relative(boxes: &[PixelBox], image: &RgbImage) -> Vec<Label> {
    let size = [image.width() as usize, image.height() as usize];
    let labels = boxes.iter().map(|pixel_box| pixel_box.to_label(size));
    labels
        .filter(|label| label.cxcywh[2] > 0.0 && label.cxcywh[3] > 0.0)
        .collect()
}

/// Joins samples of one size: pixels become `[B, 3, H, W]`.
///
/// # Errors
/// When the pictures differ in size; names the first that does.
pub fn batch(samples: Vec<Sample>) -> Result<Batch> {
    let (width, height) = samples
        .first()
        .map_or((0, 0), |sample| sample.image.dimensions());
    let plane = width as usize * height as usize;
    let mut out = Batch {
        pixels: vec![0; samples.len() * 3 * plane],
        shape: [samples.len(), 3, height as usize, width as usize],
        targets: Vec::new(),
        placements: Vec::with_capacity(samples.len()),
    };
    for (index, sample) in samples.into_iter().enumerate() {
        if sample.image.dimensions() != (width, height) {
            let (found_width, found_height) = sample.image.dimensions();
            return Err(Error::input(
                sample.placement.path.display(),
                format!("a sample of {found_width} × {found_height} px"),
                format!("{width} × {height} px like the others of its batch"),
                "Make all samples of a batch with one shape.",
            ));
        }
        let planes = &mut out.pixels[index * 3 * plane..][..3 * plane];
        let (red, rest) = planes.split_at_mut(plane);
        let (green, blue) = rest.split_at_mut(plane);
        let pixels = sample.image.chunks_exact(3);
        for (((pixel, r), g), b) in pixels.zip(red).zip(green).zip(blue) {
            *r = pixel[0];
            *g = pixel[1];
            *b = pixel[2];
        }
        out.targets
            .extend(sample.labels.into_iter().map(|label| (index, label)));
        out.placements.push(sample.placement);
    }
    Ok(out)
}

/// A size for a batch of multi-scale training: a multiple of `stride` from half of `imgsz` to one
/// and a half.
pub fn multi_scale_size(imgsz: usize, stride: usize, rng: &mut ChaCha8Rng) -> usize {
    let stride = stride.max(1);
    let low = imgsz / 2;
    let high = imgsz * 3 / 2 + stride;
    let drawn = low + index_below(rng, high - low);
    (drawn / stride * stride).max(stride)
}

/// Resizes a batch (bilinear) so that its longer side is near `size`; both sides are rounded up to
/// multiples of `stride`. Labels are relative and stay.
pub fn resize_batch(batch: Batch, size: usize, stride: usize) -> Batch {
    let [count, channels, height, width] = batch.shape;
    let longer = height.max(width);
    if longer == size || longer == 0 || size == 0 {
        return batch;
    }
    let stride = stride.max(1);
    let factor = size as f64 / longer as f64;
    let to = [width, height].map(|side| {
        let strides = (side as f64 * factor / stride as f64).ceil() as usize;
        strides.max(1) * stride
    });
    let mut pixels = vec![0; count * channels * to[0] * to[1]];
    let planes = batch.pixels.chunks_exact(width * height);
    for (plane, out) in planes.zip(pixels.chunks_exact_mut(to[0] * to[1])) {
        resize_plane(plane, [width, height], out, to);
    }
    let growth = [to[0] as f64 / width as f64, to[1] as f64 / height as f64];
    let mut placements = batch.placements;
    for placement in &mut placements {
        placement.ratio = [0, 1].map(|axis| placement.ratio[axis] * growth[axis]);
        placement.pad = [0, 1].map(|axis| placement.pad[axis] * growth[axis]);
    }
    Batch {
        pixels,
        shape: [count, channels, to[1], to[0]],
        targets: batch.targets,
        placements,
    }
}

#[cfg(test)]
#[path = "transform_tests.rs"]
mod tests;
