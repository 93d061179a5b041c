//! The machine's adapter, real or software, and one dispatch on it.

use std::future::Future;
use std::io::Write as _;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use frostline_shaders::Kernel;
use wgpu::util::{BufferInitDescriptor, DeviceExt as _};
use wgpu::{BufferUsages, Device, Queue};

/// Natively wgpu's futures are done when they are made, or soon after.
fn wait<F: Future>(future: F) -> F::Output {
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
    let limits = adapter.limits();
    let descriptor = wgpu::DeviceDescriptor {
        required_limits: limits,
        ..Default::default()
    };
    Some(wait(adapter.request_device(&descriptor)).expect("a device of the adapter"))
}

/// Runs `kernel` once. `inputs` are bindings 0 (uniform) and up (storage); the last binding holds
/// `output`, which comes back as the kernel left it.
pub fn dispatch(
    gpu: &(Device, Queue),
    kernel: &Kernel,
    inputs: &[&[u8]],
    output: &[f32],
    workgroups: [u32; 3],
) -> Vec<f32> {
    let (device, queue) = gpu;
    let buffer = |contents: &[u8], usage| {
        device.create_buffer_init(&BufferInitDescriptor {
            label: None,
            contents,
            usage,
        })
    };
    let bytes: Vec<u8> = output
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let mut buffers: Vec<wgpu::Buffer> = Vec::new();
    for (binding, contents) in inputs.iter().enumerate() {
        buffers.push(buffer(
            contents,
            if binding == 0 {
                BufferUsages::UNIFORM
            } else {
                BufferUsages::STORAGE
            },
        ));
    }
    let result = buffer(&bytes, BufferUsages::STORAGE | BufferUsages::COPY_SRC);
    buffers.push(result.clone());

    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some(kernel.name),
        source: wgpu::ShaderSource::Wgsl(kernel.wgsl.into()),
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(kernel.name),
        layout: None,
        module: &module,
        entry_point: Some(kernel.entry),
        compilation_options: Default::default(),
        cache: None,
    });
    let entries: Vec<_> = (0..)
        .zip(&buffers)
        .map(|(binding, buffer)| wgpu::BindGroupEntry {
            binding,
            resource: buffer.as_entire_binding(),
        })
        .collect();
    let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(0),
        entries: &entries,
    });
    let read = device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: bytes.len() as u64,
        usage: BufferUsages::MAP_READ | BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    let mut encoder = device.create_command_encoder(&Default::default());
    {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &group, &[]);
        pass.dispatch_workgroups(workgroups[0], workgroups[1], workgroups[2]);
    }
    encoder.copy_buffer_to_buffer(&result, 0, &read, 0, bytes.len() as u64);
    queue.submit([encoder.finish()]);
    read.map_async(wgpu::MapMode::Read, .., |mapped| {
        mapped.expect("a mapped buffer")
    });
    device
        .poll(wgpu::PollType::wait_indefinitely())
        .expect("a finished dispatch");
    let view = read.get_mapped_range(..).expect("a mapped buffer");
    view.as_chunks::<4>()
        .0
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect()
}
