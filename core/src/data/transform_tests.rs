use std::path::{Path, PathBuf};

use super::*;
use crate::data::letterbox::{FILL, scale_boxes};
use image::Rgb;

struct Memory {
    pictures: Vec<Arc<Picture>>,
    labels: Vec<Vec<Label>>,
    path: PathBuf,
}

impl Memory {
    /// Grey-free pictures of several shapes, each with one bright square and its label.
    fn new(count: usize, imgsz: u32) -> Self {
        let mut pictures = Vec::new();
        let mut labels = Vec::new();
        for index in 0..count as u32 {
            let height = imgsz - index % 4 * imgsz / 8;
            let (x0, y0, side) = (imgsz / 8 + index % 7, height / 4, height / 3);
            let image = RgbImage::from_fn(imgsz, height, |x, y| {
                let inside = (x0..x0 + side).contains(&x) && (y0..y0 + side).contains(&y);
                if inside {
                    Rgb([250, 40, (index * 16) as u8])
                } else {
                    Rgb([10, (x % 60) as u8, (y % 50) as u8])
                }
            });
            let [w, h] = [imgsz as f32, height as f32];
            let half = side as f32 / 2.0;
            labels.push(vec![Label {
                class: index as usize % 3,
                cxcywh: [
                    (x0 as f32 + half) / w,
                    (y0 as f32 + half) / h,
                    side as f32 / w,
                    side as f32 / h,
                ],
            }]);
            let original = [imgsz as usize * 2, height as usize * 2];
            pictures.push(Arc::new(Picture { image, original }));
        }
        Self {
            pictures,
            labels,
            path: "memory".into(),
        }
    }
}

impl Source for Memory {
    fn len(&self) -> usize {
        self.pictures.len()
    }
    fn picture(&self, index: usize) -> Result<Arc<Picture>> {
        Ok(Arc::clone(&self.pictures[index]))
    }
    fn labels(&self, index: usize) -> &[Label] {
        &self.labels[index]
    }
    fn path(&self, _: usize) -> &Path {
        &self.path
    }
    fn original_size(&self, index: usize) -> [usize; 2] {
        self.pictures[index].original
    }
}

fn transform(imgsz: usize) -> TrainTransform {
    TrainTransform {
        imgsz,
        hyp: Hyp::default(),
        augment: true,
        mosaic: true,
        rect: None,
        pool: None,
    }
}

/// The box around the bright red pixels, in pixels.
fn red_box(image: &RgbImage) -> Option<[f32; 4]> {
    let red = image
        .enumerate_pixels()
        .filter(|(_, _, p)| p.0[0] > 180 && p.0[1] < 80);
    red.fold(None, |seen: Option<[f32; 4]>, (x, y, _)| {
        let [x, y] = [x as f32, y as f32];
        let [x1, y1, x2, y2] = seen.unwrap_or([x, y, x, y]);
        Some([x1.min(x), y1.min(y), x2.max(x + 1.0), y2.max(y + 1.0)])
    })
}

fn corners(label: &Label, size: [f32; 2]) -> [f32; 4] {
    PixelBox::from_label(label, size, [0.0; 2]).xyxy
}

#[test]
fn the_same_seed_epoch_and_position_give_the_same_sample() {
    let source = Memory::new(12, 64);
    let mut transform = transform(64);
    transform.hyp.mixup = 0.5;
    transform.hyp.degrees = 10.0;
    let make = |seed, epoch, position| {
        let sample = transform.sample(&source, 3, &mut rng_for(seed, epoch, position));
        let sample = sample.expect("a sample");
        (sample.image, sample.labels)
    };
    assert_eq!(make(1, 2, 3), make(1, 2, 3));
    for other in [(2, 2, 3), (1, 3, 3), (1, 2, 4)] {
        assert_ne!(make(1, 2, 3).0, make(other.0, other.1, other.2).0);
    }
}

#[test]
fn a_view_depends_on_the_picture_and_not_on_its_place() {
    let source = Memory::new(6, 64);
    let transform = transform(64);
    let of = |view, pictures: &[usize]| transform.view_batch(&source, 3, view, pictures).unwrap();
    let (some, other) = (of(1, &[4, 2]), of(1, &[2, 5, 4]));
    let picture = |batch: &Batch, place: usize| {
        let own = batch.targets.iter().filter(|(of, _)| *of == place);
        let labels: Vec<Label> = own.map(|(_, label)| *label).collect();
        let length = 3 * 64 * 64;
        (batch.pixels[place * length..][..length].to_vec(), labels)
    };
    assert_eq!(picture(&some, 0), picture(&other, 2));
    assert_eq!(picture(&some, 1), picture(&other, 0));
    assert_ne!(picture(&some, 0), picture(&of(2, &[4]), 0), "another view");
}

#[test]
fn samples_are_square_and_their_labels_lie_inside() {
    let source = Memory::new(9, 64);
    let mut transform = transform(64);
    transform.hyp.mixup = 0.3;
    transform.hyp.mosaic = 0.7;
    transform.hyp.shear = 4.0;
    transform.hyp.perspective = 0.0005;
    let mut labels = 0;
    for position in 0..60 {
        let sample = transform.sample(&source, position % 9, &mut rng_for(0, 0, position));
        let sample = sample.expect("a sample");
        assert_eq!(sample.image.dimensions(), (64, 64));
        for label in &sample.labels {
            let [x1, y1, x2, y2] = corners(label, [1.0, 1.0]);
            assert!(x1 >= -1e-6 && y1 >= -1e-6 && x2 <= 1.000_001 && y2 <= 1.000_001);
            labels += 1;
        }
    }
    assert!(labels > 60, "{labels}");
}

#[test]
fn boxes_follow_their_objects_through_every_change() {
    let source = Memory::new(8, 128);
    let mut transform = transform(128);
    transform.hyp.mosaic = 0.0;
    transform.hyp.flipud = 0.5;
    transform.hyp.hsv_h = 0.0;
    transform.hyp.hsv_s = 0.0;
    transform.hyp.hsv_v = 0.0;
    let mut checked = 0;
    for position in 0..40 {
        let sample = transform.sample(&source, position % 8, &mut rng_for(4, 0, position));
        let sample = sample.expect("a sample");
        let (Some(found), Some(label)) = (red_box(&sample.image), sample.labels.first()) else {
            continue;
        };
        // Blended edges count as object or not; letterbox pads are halves.
        for (a, b) in found.iter().zip(corners(label, [128.0; 2])) {
            assert!((a - b).abs() <= 2.0, "{found:?} {label:?}");
        }
        checked += 1;
    }
    assert!(checked > 30, "{checked}");
}

#[test]
fn without_augmentation_a_sample_is_the_letterboxed_picture() {
    let source = Memory::new(4, 64);
    let mut transform = transform(64);
    transform.augment = false;
    let sample = transform
        .sample(&source, 2, &mut rng_for(0, 0, 0))
        .expect("a sample");
    let val = val_sample(&source, 2, [64, 64]).expect("a sample");
    assert_eq!(sample.image, val.image);
    assert_eq!(sample.labels, val.labels);
    // Picture 2 is 48 px high: eight rows of grey above and below.
    assert_eq!(sample.image.get_pixel(5, 7).0, [FILL; 3]);
    assert_ne!(sample.image.get_pixel(5, 8).0, [FILL; 3]);
    assert_eq!(sample.placement.pad, [0.0, 8.0]);
    assert_eq!(sample.placement.ratio, [0.5, 0.5]);
}

#[test]
fn validation_boxes_return_to_the_original_picture() {
    // Half a pixel's 32-bit rounding at this size is far smaller.
    const TOLERANCE_PX: f32 = 1e-3;
    let source = Memory::new(4, 64);
    for index in 0..4 {
        let sample = val_sample(&source, index, [96, 96]).expect("a sample");
        let original = source.original_size(index).map(|side| side as f32);
        let mut boxes = [corners(&sample.labels[0], [96.0, 96.0])];
        scale_boxes(&mut boxes, &sample.placement);
        for (a, b) in boxes[0]
            .iter()
            .zip(corners(&source.labels[index][0], original))
        {
            assert!((a - b).abs() < TOLERANCE_PX, "{a} {b}");
        }
    }
}

#[test]
fn rect_training_uses_the_shape_of_the_batch() {
    let source = Memory::new(8, 128);
    let sizes: Vec<_> = (0..8).map(|index| source.original_size(index)).collect();
    let rect = Arc::new(RectBatches::new(&sizes, 128, 2, 32, 0.0));
    let mut transform = transform(128);
    transform.rect = Some(Arc::clone(&rect));
    for (position, (indices, [height, width])) in rect.batches().enumerate() {
        let samples = indices
            .iter()
            .map(|&index| transform.sample(&source, index, &mut rng_for(0, 0, position)))
            .collect::<Result<Vec<_>>>();
        let batch = batch(samples.expect("samples")).expect("one shape");
        assert_eq!(batch.shape, [indices.len(), 3, height, width]);
    }
    assert!(rect.shapes.iter().any(|shape| shape[0] != shape[1]));
}

#[test]
fn a_pool_restricts_the_other_pictures() {
    let source = Memory::new(30, 64);
    let mut transform = transform(64);
    transform.pool = Some(Arc::from([4, 7, 10]));
    let classes = (0..20).flat_map(|position| {
        let sample = transform.sample(&source, 1, &mut rng_for(0, 0, position));
        sample.expect("a sample").labels
    });
    // Pictures 1, 4, 7 and 10 all hold class 1.
    assert!(classes.into_iter().all(|label| label.class == 1));
}

#[test]
fn batches_hold_planes_and_number_their_targets() {
    let source = Memory::new(5, 32);
    let samples: Vec<Sample> = (0..3)
        .map(|index| val_sample(&source, index, [32, 32]).expect("a sample"))
        .collect();
    let images: Vec<RgbImage> = samples.iter().map(|sample| sample.image.clone()).collect();
    let batch = batch(samples).expect("one size");
    assert_eq!(batch.shape, [3, 3, 32, 32]);
    let at = |b: usize, c: usize, y: usize, x: usize| batch.pixels[((b * 3 + c) * 32 + y) * 32 + x];
    for (b, image) in images.iter().enumerate() {
        for (x, y, pixel) in image.enumerate_pixels() {
            let found = [0, 1, 2].map(|c| at(b, c, y as usize, x as usize));
            assert_eq!(found, pixel.0);
        }
    }
    let numbers: Vec<usize> = batch.targets.iter().map(|(index, _)| *index).collect();
    assert_eq!(numbers, [0, 1, 2]);
}

#[test]
fn a_batch_of_unequal_samples_is_an_error_that_names_the_picture() {
    let source = Memory::new(2, 32);
    let samples = vec![
        val_sample(&source, 0, [32, 32]).expect("a sample"),
        val_sample(&source, 1, [64, 32]).expect("a sample"),
    ];
    let error = batch(samples).expect_err("two sizes").to_string();
    assert!(
        error.contains("memory") && error.contains("32 × 64 px"),
        "{error}"
    );
    assert_eq!(batch(Vec::new()).expect("nothing").shape, [0, 3, 0, 0]);
}

#[test]
fn an_epoch_sees_every_picture_once_in_its_own_order() {
    let first = order(7, 0, 100);
    let mut sorted = first.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (0..100).collect::<Vec<_>>());
    assert_eq!(first, order(7, 0, 100));
    assert_ne!(first, order(7, 1, 100));
    assert_ne!(first, order(8, 0, 100));
    assert!(order(7, 0, 0).is_empty());
}

#[test]
fn multi_scale_sizes_are_multiples_of_the_stride_around_the_image_size() {
    let mut rng = rng_for(0, 0, 0);
    let drawn: Vec<usize> = (0..2000)
        .map(|_| multi_scale_size(640, 32, &mut rng))
        .collect();
    assert!(drawn.iter().all(|size| size % 32 == 0));
    assert_eq!(drawn.iter().min(), Some(&320));
    assert_eq!(drawn.iter().max(), Some(&960));
}

#[test]
fn a_resized_batch_keeps_its_targets_and_scales_its_placements() {
    let source = Memory::new(2, 64);
    let samples = (0..2).map(|index| val_sample(&source, index, [64, 64]).expect("a sample"));
    let before = batch(samples.collect()).expect("one size");
    let after = resize_batch(before.clone(), 96, 32);
    assert_eq!(after.shape, [2, 3, 96, 96]);
    assert_eq!(after.targets, before.targets);
    assert_eq!(
        after.placements[1].ratio,
        before.placements[1].ratio.map(|r| r * 1.5)
    );
    assert_eq!(
        after.placements[1].pad,
        before.placements[1].pad.map(|p| p * 1.5)
    );
    // A plane is resized like a picture of that channel.
    let picture = RgbImage::from_fn(
        64,
        64,
        |x, y| Rgb([before.pixels[(y * 64 + x) as usize]; 3]),
    );
    let expected = crate::data::resize::resize_linear(&picture, [96, 96]);
    let red: Vec<u8> = expected.pixels().map(|pixel| pixel.0[0]).collect();
    assert_eq!(after.pixels[..96 * 96], red);
    assert_eq!(resize_batch(before.clone(), 64, 32).pixels, before.pixels);
}

#[test]
fn a_mosaic_sample_is_made_in_a_few_milliseconds() {
    // Ten times what it takes on one slow core: fails only when something is badly wrong.
    const LIMIT_MS: f64 = 40.0;
    let source = Memory::new(16, 320);
    let transform = transform(320);
    let start = std::time::Instant::now();
    let count = 50;
    for position in 0..count {
        let rng = &mut rng_for(0, 0, position);
        transform
            .sample(&source, position % 16, rng)
            .expect("a sample");
    }
    let each_ms = start.elapsed().as_secs_f64() * 1e3 / count as f64;
    println!("a 320 px mosaic sample takes {each_ms:.2} ms");
    assert!(cfg!(debug_assertions) || each_ms < LIMIT_MS, "{each_ms} ms");
}
