//! The building blocks between image and Detect, named as in the checkpoint.

use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::architecture::ParameterKind;
use super::norm::BatchNorm;
use super::state::{Mode, Visitor};
use crate::ops::{concat, conv2d, pool_pyramid};

/// Uniform in `±1/√fan_in`, the field's default for convolutions. Drawn on the host, so that a seed
/// gives the same network on every device.
pub(super) fn uniform<const D: usize>(
    shape: [usize; D],
    fan_in: usize,
    rng: &mut ChaCha8Rng,
    device: &Device,
) -> Tensor<D> {
    let bound = 1.0 / (fan_in as f32).sqrt();
    let count = shape.iter().product();
    let values: Vec<f32> = (0..count)
        .map(|_| rng.random_range(-bound..bound))
        .collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// A convolution with what normalises and activates it: [`Conv`], or
/// [`FoldedConv`](super::folded::FoldedConv) where nothing of it can change.
pub trait ConvBlock {
    /// `[B, C_in, H, W]` to `[B, C_out, H/stride, W/stride]`.
    fn forward(&mut self, x: Tensor<4>, mode: Mode) -> Tensor<4>;
}

/// Convolution without bias, BatchNorm, SiLU.
#[derive(Debug, Clone)]
pub struct Conv {
    /// `[C_out, C_in, K, K]`.
    pub weight: Tensor<4>,
    /// The normalisation behind it.
    pub bn: BatchNorm,
    pub(super) stride: usize,
    pub(super) padding: usize,
}

impl Conv {
    /// A seeded block.
    pub fn new(
        c1: usize,
        c2: usize,
        kernel: usize,
        stride: usize,
        padding: usize,
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Self {
        Self {
            weight: uniform([c2, c1, kernel, kernel], c1 * kernel * kernel, rng, device),
            bn: BatchNorm::new(c2, device),
            stride,
            padding,
        }
    }

    fn square(c1: usize, c2: usize, kernel: usize, rng: &mut ChaCha8Rng, device: &Device) -> Self {
        Self::new(c1, c2, kernel, 1, kernel / 2, rng, device)
    }

    /// Visits `conv.weight` and the norm.
    pub fn visit<V: Visitor>(&mut self, path: &str, visitor: &mut V) {
        visitor.parameter(
            &format!("{path}.conv.weight"),
            ParameterKind::Weight,
            &mut self.weight,
        );
        visitor.norm(&format!("{path}.bn"), &mut self.bn);
    }
}

impl ConvBlock for Conv {
    fn forward(&mut self, x: Tensor<4>, mode: Mode) -> Tensor<4> {
        let x = conv2d(x, self.weight.clone(), None, self.stride, self.padding);
        self.bn.forward_silu(x, mode)
    }
}

/// 1×1 then 3×3 convolution, added to the input when `shortcut`.
#[derive(Debug, Clone)]
pub struct Bottleneck<C = Conv> {
    cv1: C,
    cv2: C,
    shortcut: bool,
}

impl Bottleneck {
    /// `c → c` with hidden width `c`, as C3 uses it.
    pub fn new(c: usize, shortcut: bool, rng: &mut ChaCha8Rng, device: &Device) -> Self {
        Self {
            cv1: Conv::square(c, c, 1, rng, device),
            cv2: Conv::square(c, c, 3, rng, device),
            shortcut,
        }
    }

    /// Visits both convolutions.
    pub fn visit<V: Visitor>(&mut self, path: &str, visitor: &mut V) {
        self.cv1.visit(&format!("{path}.cv1"), visitor);
        self.cv2.visit(&format!("{path}.cv2"), visitor);
    }
}

impl<C> Bottleneck<C> {
    /// The same block of other convolutions.
    pub(super) fn map<D>(&self, make: &impl Fn(&C) -> D) -> Bottleneck<D> {
        Bottleneck {
            cv1: make(&self.cv1),
            cv2: make(&self.cv2),
            shortcut: self.shortcut,
        }
    }

    /// Shows both convolutions by name.
    pub(super) fn each(&self, path: &str, see: &mut impl FnMut(String, &C)) {
        see(format!("{path}.cv1"), &self.cv1);
        see(format!("{path}.cv2"), &self.cv2);
    }
}

impl<C: ConvBlock> Bottleneck<C> {
    /// Shape is kept.
    pub fn forward(&mut self, x: Tensor<4>, mode: Mode) -> Tensor<4> {
        let y = self.cv1.forward(x.clone(), mode);
        let y = self.cv2.forward(y, mode);
        if self.shortcut { x + y } else { y }
    }
}

/// `cv3(cat(m(cv1 x), cv2 x))` with `n` bottlenecks in `m`.
#[derive(Debug, Clone)]
pub struct C3<C = Conv> {
    cv1: C,
    cv2: C,
    cv3: C,
    m: Vec<Bottleneck<C>>,
}

impl C3 {
    /// Hidden width is `c2 / 2`.
    pub fn new(
        c1: usize,
        c2: usize,
        n: usize,
        shortcut: bool,
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Self {
        let hidden = c2 / 2;
        Self {
            cv1: Conv::square(c1, hidden, 1, rng, device),
            cv2: Conv::square(c1, hidden, 1, rng, device),
            cv3: Conv::square(2 * hidden, c2, 1, rng, device),
            m: (0..n)
                .map(|_| Bottleneck::new(hidden, shortcut, rng, device))
                .collect(),
        }
    }

    /// Visits in state-dict order.
    pub fn visit<V: Visitor>(&mut self, path: &str, visitor: &mut V) {
        self.cv1.visit(&format!("{path}.cv1"), visitor);
        self.cv2.visit(&format!("{path}.cv2"), visitor);
        self.cv3.visit(&format!("{path}.cv3"), visitor);
        for (i, bottleneck) in self.m.iter_mut().enumerate() {
            bottleneck.visit(&format!("{path}.m.{i}"), visitor);
        }
    }
}

impl<C> C3<C> {
    /// The same block of other convolutions.
    pub(super) fn map<D>(&self, make: &impl Fn(&C) -> D) -> C3<D> {
        C3 {
            cv1: make(&self.cv1),
            cv2: make(&self.cv2),
            cv3: make(&self.cv3),
            m: self.m.iter().map(|block| block.map(make)).collect(),
        }
    }

    /// Shows every convolution by name.
    pub(super) fn each(&self, path: &str, see: &mut impl FnMut(String, &C)) {
        see(format!("{path}.cv1"), &self.cv1);
        see(format!("{path}.cv2"), &self.cv2);
        see(format!("{path}.cv3"), &self.cv3);
        for (i, bottleneck) in self.m.iter().enumerate() {
            bottleneck.each(&format!("{path}.m.{i}"), see);
        }
    }
}

impl<C: ConvBlock> C3<C> {
    /// `[B, C_in, H, W]` to `[B, C_out, H, W]`.
    pub fn forward(&mut self, x: Tensor<4>, mode: Mode) -> Tensor<4> {
        let mut deep = self.cv1.forward(x.clone(), mode);
        for bottleneck in &mut self.m {
            deep = bottleneck.forward(deep, mode);
        }
        let shallow = self.cv2.forward(x, mode);
        self.cv3.forward(concat(deep, shallow), mode)
    }
}

/// Spatial pyramid pooling, fast: three chained max pools, concatenated.
#[derive(Debug, Clone)]
pub struct Sppf<C = Conv> {
    cv1: C,
    cv2: C,
    kernel: usize,
}

impl Sppf {
    /// Hidden width is `c1 / 2`.
    pub fn new(c1: usize, c2: usize, kernel: usize, rng: &mut ChaCha8Rng, device: &Device) -> Self {
        let hidden = c1 / 2;
        Self {
            cv1: Conv::square(c1, hidden, 1, rng, device),
            cv2: Conv::square(4 * hidden, c2, 1, rng, device),
            kernel,
        }
    }

    /// Visits in state-dict order.
    pub fn visit<V: Visitor>(&mut self, path: &str, visitor: &mut V) {
        self.cv1.visit(&format!("{path}.cv1"), visitor);
        self.cv2.visit(&format!("{path}.cv2"), visitor);
    }
}

impl<C> Sppf<C> {
    /// The same block of other convolutions.
    pub(super) fn map<D>(&self, make: &impl Fn(&C) -> D) -> Sppf<D> {
        Sppf {
            cv1: make(&self.cv1),
            cv2: make(&self.cv2),
            kernel: self.kernel,
        }
    }

    /// Shows both convolutions by name.
    pub(super) fn each(&self, path: &str, see: &mut impl FnMut(String, &C)) {
        see(format!("{path}.cv1"), &self.cv1);
        see(format!("{path}.cv2"), &self.cv2);
    }
}

impl<C: ConvBlock> Sppf<C> {
    /// `[B, C_in, H, W]` to `[B, C_out, H, W]`.
    pub fn forward(&mut self, x: Tensor<4>, mode: Mode) -> Tensor<4> {
        let x = self.cv1.forward(x, mode);
        self.cv2.forward(pool_pyramid(x, self.kernel), mode)
    }
}
