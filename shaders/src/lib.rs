//! WGSL kernels of Frostline, each with its Rust binding and its CPU twin.
//!
//! A kernel here is text, the words of its uniform and the size of its dispatch: it runs under any library
//! that speaks WebGPU, in a browser as well as natively. Frostline runs them on Burn's device, between
//! Burn's own kernels. Naga validates every kernel in this crate's tests, and kernel and twin must agree on
//! whatever adapter the machine has.
//!
//! | kernel | what it does |
//! |---|---|
//! | [`Letterbox`] | RGBA bytes, as a canvas or a video frame gives them, to the network's input `[B, 3, H, W]` |
//! | [`Pixels`] | a batch of bytes to the network's input, channels last |
//! | [`BnSilu`] | BatchNorm and SiLU, forward and backward, in six kernels |
//! | [`Candidates`] | raw heads to the boxes that a threshold lets through |
//! | [`ColourMap`] | feature planes to pictures |
//!
//! Buffers are bound in group 0, in the order of the tables, the uniform last. All are declared to be read and
//! written: a library may place several tensors in one buffer, and a buffer that is bound for reading
//! cannot be bound for writing in the same dispatch.
//!
//! Which ones pay, and by how much, is in this crate's README.
#![warn(missing_docs)]

mod bn_silu;
mod candidates;
#[cfg(feature = "check")]
pub mod check;
mod colour_map;
mod letterbox;
mod misfit;
#[cfg(any(test, feature = "check"))]
mod noise;
mod pixels;

pub use bn_silu::{Backward, BnSilu, Forward};
pub use candidates::{Candidate, Candidates};
pub use colour_map::{ColourMap, frost};
pub use letterbox::Letterbox;
pub use misfit::Misfit;
pub use pixels::Pixels;

/// The text of a kernel and how to start it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kernel {
    /// A name of its own.
    pub name: &'static str,
    /// The WGSL module. Its bindings are all in group 0.
    pub wgsl: &'static str,
    /// The compute entry point.
    pub entry: &'static str,
    /// Invocations of a workgroup.
    pub workgroup: [u32; 3],
}

impl Kernel {
    /// Every kernel of this crate.
    pub const ALL: [Self; 10] = [
        Letterbox::KERNEL,
        Pixels::KERNEL,
        BnSilu::MOMENTS,
        BnSilu::NORMALISE,
        BnSilu::ACTIVATE,
        BnSilu::SLOPES,
        BnSilu::SPREAD,
        BnSilu::PASS,
        Candidates::KERNEL,
        ColourMap::KERNEL,
    ];

    /// How many workgroups cover `invocations`.
    pub fn workgroups(&self, invocations: [u32; 3]) -> [u32; 3] {
        [0, 1, 2].map(|axis| invocations[axis].div_ceil(self.workgroup[axis]))
    }
}
