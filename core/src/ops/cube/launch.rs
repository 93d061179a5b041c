//! A WGSL kernel on Burn's device, between Burn's own kernels.

use burn::backend::TensorMetadata;
use burn::tensor::{DType, Shape};
use burn_cubecl::cubecl::ir::metadata::Info;
use burn_cubecl::cubecl::ir::{AddressType, ElemType, Scope, UIntKind};
use burn_cubecl::cubecl::prelude::{
    BufferIOAttr, CubeCount, CubeKernel, ExecutionMode, KernelDefinition, KernelId, KernelMetadata,
    KernelSettings, PrecompiledSource,
};
use burn_cubecl::cubecl::server::{KernelArguments, MetadataBindingInfo};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::ops::{permute_nchw_to_nhwc, permute_nhwc_to_nchw};
use burn_cubecl::tensor::CubeTensor;
use frostline_shaders::Kernel;

/// A kernel as cubecl takes it: text that it need not compile.
struct Text(Kernel);

impl KernelMetadata for Text {
    fn name(&self) -> &'static str {
        self.0.name
    }

    fn id(&self) -> KernelId {
        let [x, y, z] = self.0.workgroup;
        // Every kernel has a name of its own. The kernels keep their own bounds, so that nothing need be
        // added to their loops.
        KernelId::new::<Self>()
            .info(self.0.name)
            .cube_dim((x, y, z).into())
            .mode(ExecutionMode::Unchecked)
    }

    fn address_type(&self) -> ElemType {
        UIntKind::U32.into()
    }
}

impl CubeKernel for Text {
    /// Nothing: the text stands for it.
    fn define(&self) -> KernelDefinition {
        let [x, y, z] = self.0.workgroup;
        let settings =
            KernelSettings::new((x, y, z).into(), ExecutionMode::Unchecked, AddressType::U32);
        KernelDefinition {
            body: Scope::root(settings.clone()),
            settings,
            info: Info::default(),
        }
    }

    fn source(&self) -> Option<PrecompiledSource> {
        Some(PrecompiledSource {
            source: self.0.wgsl.to_owned(),
            entrypoint_name: self.0.entry.to_owned(),
            lang: "wgsl",
        })
    }
}

/// Queues `kernel`. What it reads and writes is bound in this order, then the uniform.
pub fn launch(
    kernel: Kernel,
    reads: &[&CubeTensor],
    writes: &[(&CubeTensor, BufferIOAttr)],
    uniforms: &[u32],
    workgroups: [u32; 3],
) {
    let Some((first, _)) = writes.first() else {
        return;
    };
    let reads = reads.iter().map(|tensor| (*tensor, BufferIOAttr::ReadOnly));
    let mut arguments = KernelArguments::new();
    for (tensor, io) in reads.chain(writes.iter().copied()) {
        arguments = arguments.with_buffer_io(tensor.handle.clone().binding(), io);
    }
    let words = uniforms
        .chunks(2)
        .map(|pair| {
            u64::from(pair[0]) | u64::from(pair.get(1).copied().unwrap_or_default()) << u32::BITS
        })
        .collect();
    let [x, y, z] = workgroups;
    first.client.launch(
        Box::new(Text(kernel)),
        CubeCount::Static(x, y, z),
        arguments.with_info(MetadataBindingInfo::custom(words)),
    );
}

/// Room for a result beside `like`, in row-major order.
pub fn room(like: &CubeTensor, shape: impl Into<Shape>, dtype: DType) -> CubeTensor {
    empty_device_contiguous_dtype(
        like.client.clone(),
        like.device.clone(),
        shape.into(),
        dtype,
    )
}

/// `[B, C, H, W]` as `[B, H, W, C]` in row-major order: without a copy where a convolution made it.
pub fn channels_last(x: CubeTensor) -> CubeTensor {
    into_contiguous(permute_nchw_to_nhwc(x))
}

/// `[B, H, W, C]` seen as `[B, C, H, W]`.
pub fn channels_first(x: CubeTensor) -> CubeTensor {
    permute_nhwc_to_nchw(x)
}

/// The sizes of a tensor.
pub fn sizes<const D: usize>(x: &CubeTensor) -> [usize; D] {
    x.shape().dims()
}
