//! Batches of pictures of like shape, so that little padding is computed (FACTS 5: validation).

use std::cmp::Ordering;

/// Which pictures share a batch, and the shape of each batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RectBatches {
    /// Indices of the pictures, widest first.
    pub order: Vec<usize>,
    /// Shape `[h, w]` in pixels of each batch.
    pub shapes: Vec<[usize; 2]>,
    /// Pictures in each batch but the last.
    pub batch_size: usize,
    /// Batch of each picture, by index.
    batch_of: Vec<usize>,
}

impl RectBatches {
    /// Sorts pictures of the given sizes `[w, h]` by height over width and cuts them into batches.
    /// A batch's shape holds the longer side at `imgsz`, and grows by `pad` strides before it is
    /// rounded up to whole strides.
    pub fn new(
        sizes: &[[usize; 2]],
        imgsz: usize,
        batch_size: usize,
        stride: usize,
        pad: f64,
    ) -> Self {
        let batch_size = batch_size.max(1);
        let stride = stride.max(1);
        let aspect: Vec<f64> = sizes
            .iter()
            .map(|&[width, height]| height.max(1) as f64 / width.max(1) as f64)
            .collect();
        let mut order: Vec<usize> = (0..sizes.len()).collect();
        order.sort_by(|&a, &b| aspect[a].partial_cmp(&aspect[b]).unwrap_or(Ordering::Equal));
        let mut batch_of = vec![0; sizes.len()];
        let mut shapes = Vec::with_capacity(sizes.len().div_ceil(batch_size));
        for (batch, indices) in order.chunks(batch_size).enumerate() {
            for &index in indices {
                batch_of[index] = batch;
            }
            // Sorted, so the first is the widest and the last the highest.
            let widest = aspect[indices[0]];
            let highest = aspect[indices[indices.len() - 1]];
            let sides = if highest < 1.0 {
                [highest, 1.0]
            } else if widest > 1.0 {
                [1.0, 1.0 / widest]
            } else {
                [1.0, 1.0]
            };
            shapes.push(sides.map(|side| {
                let strides = (side * imgsz as f64 / stride as f64 + pad).ceil();
                (strides as usize).max(1) * stride
            }));
        }
        Self {
            order,
            shapes,
            batch_size,
            batch_of,
        }
    }

    /// Each batch: its pictures and its shape `[h, w]`.
    pub fn batches(&self) -> impl ExactSizeIterator<Item = (&[usize], [usize; 2])> {
        self.order
            .chunks(self.batch_size)
            .zip(self.shapes.iter().copied())
    }

    /// Shape `[h, w]` of the batch that a picture belongs to; `None` for an unknown picture.
    pub fn shape_of(&self, index: usize) -> Option<[usize; 2]> {
        self.batch_of.get(index).map(|&batch| self.shapes[batch])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::golden;

    #[test]
    fn batches_equal_the_reference() {
        let golden = golden::json("nms/letterbox_scale.json");
        let cases = golden["rect"].as_array().unwrap();
        for case in cases {
            let sizes = golden::rows(&case["wh"]);
            let sizes: Vec<[usize; 2]> = sizes
                .iter()
                .map(|wh| [wh[0] as usize, wh[1] as usize])
                .collect();
            let number = |name: &str| case[name].as_u64().unwrap() as usize;
            let found = RectBatches::new(
                &sizes,
                number("img_size"),
                number("batch"),
                number("stride"),
                case["pad"].as_f64().unwrap(),
            );
            let order: Vec<f64> = found.order.iter().map(|&index| index as f64).collect();
            assert_eq!(order, golden::numbers(&case["order"]));
            let shapes: Vec<Vec<f64>> = found
                .shapes
                .iter()
                .map(|shape| shape.map(|s| s as f64).to_vec())
                .collect();
            assert_eq!(shapes, golden::rows(&case["batch_shapes_hw"]));
            for (indices, shape) in found.batches() {
                assert!(
                    indices
                        .iter()
                        .all(|&index| found.shape_of(index) == Some(shape))
                );
            }
        }
        assert_eq!(cases.len(), 4);
    }

    #[test]
    fn no_pictures_make_no_batches() {
        let empty = RectBatches::new(&[], 640, 16, 32, 0.5);
        assert_eq!(empty.batches().len(), 0);
        assert_eq!(empty.shape_of(0), None);
    }
}
