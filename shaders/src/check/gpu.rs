//! One dispatch on a plain WebGPU device.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

use wgpu::util::{BufferInitDescriptor, DeviceExt as _};
use wgpu::{BufferUsages, Device, Queue};

use crate::{Kernel, Misfit};

pub struct Gpu<'a> {
    pub device: &'a Device,
    pub queue: &'a Queue,
}

/// The bits of floats.
pub fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Floats of bits.
pub fn values(words: &[u32]) -> Vec<f32> {
    words.iter().map(|word| f32::from_bits(*word)).collect()
}

fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

impl Gpu<'_> {
    /// Runs `kernel` once over `reads` and `writes`, bound in that order before the uniform. The writes come
    /// back as the kernel left them.
    pub async fn run<const N: usize>(
        &self,
        kernel: &Kernel,
        reads: &[&[u32]],
        writes: [Vec<u32>; N],
        uniforms: &[u32],
        workgroups: [u32; 3],
    ) -> Result<[Vec<u32>; N], Misfit> {
        let device = self.device;
        let buffer = |words: &[u32], usage| {
            device.create_buffer_init(&BufferInitDescriptor {
                label: None,
                contents: &bytes(words),
                usage,
            })
        };
        let results =
            writes.map(|words| buffer(&words, BufferUsages::STORAGE | BufferUsages::COPY_SRC));
        let mut buffers: Vec<wgpu::Buffer> = reads
            .iter()
            .map(|words| buffer(words, BufferUsages::STORAGE))
            .collect();
        buffers.extend(results.iter().cloned());
        buffers.push(buffer(uniforms, BufferUsages::UNIFORM));

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
        let mut encoder = device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&pipeline);
            pass.set_bind_group(0, &group, &[]);
            let [x, y, z] = workgroups;
            pass.dispatch_workgroups(x, y, z);
        }
        let copies = results.map(|result| {
            let copy = device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: result.size(),
                usage: BufferUsages::MAP_READ | BufferUsages::COPY_DST,
                mapped_at_creation: false,
            });
            encoder.copy_buffer_to_buffer(&result, 0, &copy, 0, result.size());
            copy
        });
        self.queue.submit([encoder.finish()]);
        let mut found = [const { Vec::new() }; N];
        for (found, copy) in found.iter_mut().zip(&copies) {
            *found = self.read(copy).await.map_err(|found| Misfit {
                kernel: kernel.name,
                found,
                expected: "a result that can be read",
            })?;
        }
        Ok(found)
    }

    async fn read(&self, buffer: &wgpu::Buffer) -> Result<Vec<u32>, String> {
        #[derive(Default)]
        struct Mapping {
            result: Option<Result<(), wgpu::BufferAsyncError>>,
            waker: Option<Waker>,
        }
        let mapping = Arc::new(Mutex::new(Mapping::default()));
        let shared = Arc::clone(&mapping);
        buffer.map_async(wgpu::MapMode::Read, .., move |result| {
            let mut mapping = shared.lock().unwrap_or_else(PoisonError::into_inner);
            mapping.result = Some(result);
            if let Some(waker) = mapping.waker.take() {
                waker.wake();
            }
        });
        // A browser does this by itself.
        #[cfg(not(target_arch = "wasm32"))]
        self.device
            .poll(wgpu::PollType::wait_indefinitely())
            .map_err(|error| error.to_string())?;
        poll_fn(|context| {
            let mut mapping = mapping.lock().unwrap_or_else(PoisonError::into_inner);
            mapping.waker = Some(context.waker().clone());
            match mapping.result.take() {
                Some(result) => Poll::Ready(result),
                None => Poll::Pending,
            }
        })
        .await
        .map_err(|error| error.to_string())?;
        let view = buffer
            .get_mapped_range(..)
            .map_err(|error| error.to_string())?;
        let words = view.as_chunks::<4>().0;
        Ok(words.iter().map(|word| u32::from_le_bytes(*word)).collect())
    }
}
