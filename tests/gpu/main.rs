//! A smoke set for the machine's GPU, which may be a software one: forward, gradients, a training step
//! and a resumed session against the CPU. `cubecl.toml` beside this folder keeps autotune short.

mod adapter;
mod forward;
mod letterbox;
#[path = "../parity/network.rs"]
mod network;
mod ops;
mod training;
