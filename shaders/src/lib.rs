//! WGSL kernels of Frostline, each with its Rust binding and its CPU twin.
//!
//! A kernel here is text, the bytes of its uniforms and tables, and the size of its dispatch: it runs
//! under any library that speaks WebGPU, in a browser as well as natively. Naga validates every kernel
//! in this crate's tests, and kernel and twin must agree on whatever adapter the machine has.
//!
//! | kernel | what it does |
//! |---|---|
//! | [`Letterbox`] | RGBA bytes, as a canvas or a video frame gives them, to the network's input `[B, 3, H, W]` |
//!
//! It is the only one so far. Training is made of Burn's own kernels; one of ours joins this crate when
//! a measurement against Burn's composition says that it pays.
#![warn(missing_docs)]

mod letterbox;

pub use letterbox::{Letterbox, Misfit};

/// The text of a kernel and how to start it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kernel {
    /// A name for labels and messages.
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
    pub const ALL: [Self; 1] = [Letterbox::KERNEL];

    /// How many workgroups cover `invocations`.
    pub fn workgroups(&self, invocations: [u32; 3]) -> [u32; 3] {
        [0, 1, 2].map(|axis| invocations[axis].div_ceil(self.workgroup[axis]))
    }
}
