//! Raw heads to the boxes that a threshold lets through.

use crate::{Kernel, Misfit};

/// Words of a candidate.
const RECORD: usize = 7;
/// Anchors of a scale at most.
const ANCHORS: usize = 8;
/// Pictures of a batch at most: a dimension of a dispatch.
const PICTURES: usize = 65_535;
/// Values of a head at most, so that every index of the kernel stays within 32 bits.
const VALUES: usize = 1 << 30;

/// Decodes the raw output of one scale (FACTS 1) and keeps the best class of every box whose objectness
/// and confidence are each above a threshold, as NMS does before it suppresses.
///
/// Scales run one after the other into the same list. Its order is that of the GPU's threads; the row tells
/// the order that a CPU would have had. Bindings of group 0:
///
/// | binding | kind | content |
/// |---|---|---|
/// | 0 | storage | the head `[B, H, W, A, 5 + classes]`, single precision, channels last |
/// | 1 | storage | the list of [`Candidates::words`] words, zero before the first scale |
/// | 2 | uniform | [`Candidates::uniforms`] |
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidates {
    pictures: u32,
    size: [u32; 2],
    anchors: u32,
    sizes: [[f32; 2]; ANCHORS],
    outputs: u32,
    stride: f32,
    first: u32,
    confidence: f32,
    capacity: u32,
}

/// A box before suppression.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Number of its row: over scale, anchor, y, x.
    pub row: u32,
    /// The most probable class.
    pub class: u32,
    /// Centre x, centre y, width, height in pixels of the network's input.
    pub cxcywh: [f32; 4],
    /// Objectness times the probability of the class.
    pub confidence: f32,
}

impl Candidates {
    /// The kernel.
    pub const KERNEL: Kernel = Kernel {
        name: "candidates",
        wgsl: include_str!("candidates.wgsl"),
        entry: "main",
        workgroup: [256, 1, 1],
    };

    /// For a scale of `size` cells `[w, h]`, `stride` pixels each, with `classes` and the sizes of its `anchors` in
    /// pixels; its rows begin at `first`. `capacity` is the room for candidates of one picture.
    ///
    /// # Errors
    /// When there is nothing, too much, or more than 8 anchors.
    #[allow(clippy::too_many_arguments)]
    pub fn new(
        pictures: usize,
        size: [usize; 2],
        anchors: &[[f32; 2]],
        classes: usize,
        stride: f32,
        first: usize,
        confidence: f32,
        capacity: usize,
    ) -> Result<Self, Misfit> {
        let boxes = size[0]
            .saturating_mul(size[1])
            .saturating_mul(anchors.len());
        let values = boxes.saturating_mul(pictures).saturating_mul(5 + classes);
        let list = Self::words(pictures, capacity);
        let small = [values, list, boxes.saturating_add(first)]
            .iter()
            .all(|count| *count <= VALUES);
        if values == 0 || !small || pictures > PICTURES || anchors.len() > ANCHORS {
            return Err(Misfit {
                kernel: Self::KERNEL.name,
                found: format!(
                    "{pictures} pictures of {} x {} cells, {} anchors, {classes} classes",
                    size[0],
                    size[1],
                    anchors.len()
                ),
                expected: "up to 8 anchors, 65535 pictures and 2^30 values",
            });
        }
        let mut sizes = [[0.0; 2]; ANCHORS];
        sizes[..anchors.len()].copy_from_slice(anchors);
        Ok(Self {
            pictures: pictures as u32,
            size: size.map(|side| side as u32),
            anchors: anchors.len() as u32,
            sizes,
            outputs: 5 + classes as u32,
            stride,
            first: first as u32,
            confidence,
            capacity: capacity as u32,
        })
    }

    /// Words of the list of `pictures` with room for `capacity` candidates each.
    pub fn words(pictures: usize, capacity: usize) -> usize {
        let picture = capacity.saturating_mul(RECORD).saturating_add(1);
        picture.saturating_mul(pictures)
    }

    fn boxes(&self) -> u32 {
        self.size[0] * self.size[1] * self.anchors
    }

    /// Content of the uniform.
    pub fn uniforms(&self) -> [u32; 40] {
        let mut words = [0; 40];
        words[..8].copy_from_slice(&[
            self.size[0],
            self.size[0] * self.size[1],
            self.anchors,
            self.outputs,
            self.first,
            self.capacity,
            self.stride.to_bits(),
            self.confidence.to_bits(),
        ]);
        for (words, size) in words[8..].as_chunks_mut::<4>().0.iter_mut().zip(self.sizes) {
            words[..2].copy_from_slice(&size.map(f32::to_bits));
        }
        words
    }

    /// How many workgroups to dispatch.
    pub fn workgroups(&self) -> [u32; 3] {
        Self::KERNEL.workgroups([self.boxes(), self.pictures, 1])
    }

    /// The kernel's twin on the CPU: adds to `list` what the kernel adds.
    ///
    /// # Panics
    /// When the head or the list has another length than the sizes say.
    pub fn run(&self, head: &[f32], list: &mut [u32]) {
        let outputs = self.outputs as usize;
        let boxes = self.boxes() as usize;
        let pictures = self.pictures as usize;
        assert_eq!(head.len(), pictures * boxes * outputs, "head");
        let words = Self::words(1, self.capacity as usize);
        assert_eq!(list.len(), pictures * words, "list");
        for (rows, list) in head
            .chunks_exact(boxes * outputs)
            .zip(list.chunks_exact_mut(words))
        {
            for (i, row) in rows.chunks_exact(outputs).enumerate() {
                let Some(candidate) = self.candidate(i as u32, row) else {
                    continue;
                };
                let slot = list[0] as usize;
                list[0] += 1;
                if let Some(record) = list[1..].chunks_exact_mut(RECORD).nth(slot) {
                    record[..2].copy_from_slice(&[candidate.row, candidate.class]);
                    record[2..6].copy_from_slice(&candidate.cxcywh.map(f32::to_bits));
                    record[6] = candidate.confidence.to_bits();
                }
            }
        }
    }

    fn candidate(&self, index: u32, row: &[f32]) -> Option<Candidate> {
        let objectness = sigmoid(row[4]);
        let mut best = (0, -1.0);
        for (class, value) in row[5..].iter().enumerate() {
            let confidence = sigmoid(*value) * objectness;
            if confidence > best.1 {
                best = (class, confidence);
            }
        }
        if !(objectness > self.confidence && best.1 > self.confidence) {
            return None;
        }
        let (cell, anchor) = (index / self.anchors, index % self.anchors);
        let corner = [cell % self.size[0], cell / self.size[0]].map(|at| at as f32 - 0.5);
        let centre = [0, 1].map(|axis| (2.0 * sigmoid(row[axis]) + corner[axis]) * self.stride);
        let size = [0, 1].map(|axis| {
            let half = sigmoid(row[2 + axis]);
            4.0 * half * half * self.sizes[anchor as usize][axis]
        });
        Some(Candidate {
            row: self.first + anchor * self.size[0] * self.size[1] + cell,
            class: best.0 as u32,
            cxcywh: [centre[0], centre[1], size[0], size[1]],
            confidence: best.1,
        })
    }

    /// The candidates of each picture in the order of their rows. `None` where there was not room for all.
    pub fn read(list: &[u32], capacity: usize) -> Vec<Option<Vec<Candidate>>> {
        list.chunks_exact(Self::words(1, capacity))
            .map(|words| {
                let count = words[0] as usize;
                let mut found: Vec<Candidate> = words[1..]
                    .chunks_exact(RECORD)
                    .take(count)
                    .map(|record| Candidate {
                        row: record[0],
                        class: record[1],
                        cxcywh: [2, 3, 4, 5].map(|word| f32::from_bits(record[word])),
                        confidence: f32::from_bits(record[6]),
                    })
                    .collect();
                found.sort_unstable_by_key(|candidate| candidate.row);
                (count <= capacity).then_some(found)
            })
            .collect()
    }
}

fn sigmoid(value: f32) -> f32 {
    1.0 / (1.0 + (-value).min(80.0).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANCHOR: [[f32; 2]; 1] = [[10.0, 20.0]];
    /// A few roundings of single precision.
    const ROUNDING: f32 = 1e-5;

    fn scale(capacity: usize) -> Candidates {
        Candidates::new(1, [2, 1], &ANCHOR, 2, 8.0, 100, 0.25, capacity).expect("sizes")
    }

    /// Worked by hand: at zero every sigmoid is a half, so a box is its anchor around the middle of its cell.
    #[test]
    fn a_box_at_zero_is_its_anchor_in_its_cell() {
        let mut list = vec![0; Candidates::words(1, 4)];
        let head = [
            [0.0, 0.0, 0.0, 0.0, -9.0, 9.0, 9.0],
            [0.0, 0.0, 0.0, 0.0, 9.0, -9.0, 9.0],
        ]
        .concat();
        scale(4).run(&head, &mut list);
        let found = Candidates::read(&list, 4);
        let [Some(found)] = &found[..] else {
            panic!("{found:?}")
        };
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].row, found[0].class), (101, 1));
        for (found, wanted) in found[0].cxcywh.iter().zip([12.0, 4.0, 10.0, 20.0]) {
            assert!((found - wanted).abs() < ROUNDING, "{found} {wanted}");
        }
    }

    #[test]
    fn scores_at_the_threshold_and_broken_ones_are_dropped() {
        let row = |objectness: f32, class: f32| [0.0, 0.0, 0.0, 0.0, objectness, class, class];
        for (head, wanted) in [
            ([row(0.0, 0.0), row(9.0, 9.0)].concat(), 1),
            ([row(f32::NAN, 9.0), row(9.0, f32::NAN)].concat(), 0),
        ] {
            let mut list = vec![0; Candidates::words(1, 4)];
            // A half of a half is exactly the threshold.
            scale(4).run(&head, &mut list);
            assert_eq!(list[0], wanted);
        }
    }

    #[test]
    fn a_list_that_overflows_says_so() {
        let head = [[0.0, 0.0, 0.0, 0.0, 9.0, 9.0, 9.0]; 2].concat();
        let mut list = vec![0; Candidates::words(1, 1)];
        scale(1).run(&head, &mut list);
        assert_eq!(list[0], 2);
        assert_eq!(Candidates::read(&list, 1), [None]);
    }

    #[test]
    fn candidates_come_in_the_order_of_their_rows() {
        let mut list = vec![2];
        for row in [7, 3] {
            list.extend([row, 0, 0, 0, 0, 0, 0]);
        }
        let found = Candidates::read(&list, 2).remove(0).expect("room");
        assert_eq!(found.iter().map(|c| c.row).collect::<Vec<_>>(), [3, 7]);
    }

    #[test]
    fn sizes_that_the_kernel_cannot_take_are_refused() {
        let new = |pictures, size, anchors, capacity| {
            Candidates::new(
                pictures,
                size,
                &vec![[1.0; 2]; anchors],
                80,
                8.0,
                0,
                0.5,
                capacity,
            )
        };
        assert!(new(1, [80, 80], 3, 2048).is_ok());
        for (pictures, size, anchors, capacity) in [
            (0, [80, 80], 3, 2048),
            (1, [80, 0], 3, 2048),
            (1, [80, 80], 0, 2048),
            (1, [80, 80], 9, 2048),
            (1, [80, 80], 3, usize::MAX),
            (70_000, [1, 1], 1, 1),
        ] {
            assert!(new(pictures, size, anchors, capacity).is_err());
        }
    }
}
