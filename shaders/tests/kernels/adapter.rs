//! The machine's adapter, real or software.

use std::future::Future;
use std::io::Write as _;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use wgpu::{Device, Queue};

/// Natively wgpu's futures are done when they are made, or soon after.
pub fn wait<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        std::thread::yield_now();
    }
}

/// The first adapter with compute shaders. Without one the test says that it is skipped.
pub fn open() -> Option<(Device, Queue)> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapters = wait(instance.enumerate_adapters(wgpu::Backends::PRIMARY));
    let Some(adapter) = adapters.into_iter().next() else {
        // Past the capture of passing tests: a skipped check must be seen.
        let _ = writeln!(
            std::io::stderr(),
            "skipped: no GPU adapter, real or software (Debian's mesa-vulkan-drivers brings one)"
        );
        return None;
    };
    // What every browser has: eight storage buffers, workgroups of 256.
    let descriptor = wgpu::DeviceDescriptor::default();
    Some(wait(adapter.request_device(&descriptor)).expect("a device of the adapter"))
}
