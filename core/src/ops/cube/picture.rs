//! Pictures into the network, and activations out of it as pictures.

use burn::backend::fusion::custom::TensorSpec;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{DType, Device, Int, Shape, Tensor, TensorData};
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl::prelude::BufferIOAttr::{ReadWrite, WriteOnly};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use frostline_shaders::{ColourMap, Letterbox, Pixels};

use super::launch::{channels_first, launch, room, sizes};

/// Bytes travel as words, of which a tensor of 32-bit integers is made.
#[backend_extension(Cube, Fusion)]
pub trait Pictures: Backend {
    /// RGBA words, one a pixel, to `[1, 3, H, W]`.
    #[fusion(meta = |rgba, taps, plan| {
        let (_, _) = (rgba, taps);
        TensorSpec::new(input_shape(plan), DType::F32)
    })]
    fn letterbox(
        rgba: IntTensor<Self>,
        taps: IntTensor<Self>,
        plan: Letterbox,
    ) -> FloatTensor<Self>;

    /// Bytes `[B, 3, H, W]` of `shape`, four a word, to `0..=1`.
    #[fusion(meta = |words, plan, shape| {
        let (_, _) = (words, plan);
        TensorSpec::new(Shape::new(*shape), DType::F32)
    })]
    fn pixels(words: IntTensor<Self>, plan: Pixels, shape: [usize; 4]) -> FloatTensor<Self>;

    /// `[planes, H, W]` to RGBA words, one a pixel.
    #[fusion(meta = |planes, plan| {
        let _ = plan;
        TensorSpec::new(planes.shape.clone(), DType::I32)
    })]
    fn colour_map(planes: FloatTensor<Self>, plan: ColourMap) -> IntTensor<Self>;
}

fn input_shape(plan: &Letterbox) -> Shape {
    let [width, height] = plan.size().map(|side| side as usize);
    Shape::new([1, 3, height, width])
}

impl Pictures for CubeBackend {
    fn letterbox(rgba: CubeTensor, taps: CubeTensor, plan: Letterbox) -> CubeTensor {
        let input = room(&rgba, input_shape(&plan), DType::F32);
        launch(
            Letterbox::KERNEL,
            &[&rgba, &taps],
            &[(&input, WriteOnly)],
            &plan.uniforms(),
            plan.workgroups(),
        );
        input
    }

    fn pixels(
        words: CubeTensor,
        plan: Pixels,
        [batch, channels, height, width]: [usize; 4],
    ) -> CubeTensor {
        let input = room(&words, [batch, height, width, channels], DType::F32);
        launch(
            Pixels::KERNEL,
            &[&words],
            &[(&input, WriteOnly)],
            &plan.uniforms(),
            plan.workgroups(),
        );
        channels_first(input)
    }

    fn colour_map(planes: CubeTensor, plan: ColourMap) -> CubeTensor {
        let planes = into_contiguous(planes);
        let rgba = room(&planes, sizes::<3>(&planes), DType::I32);
        launch(
            ColourMap::KERNEL,
            &[&planes],
            &[(&rgba, ReadWrite)],
            &plan.uniforms(),
            plan.workgroups(),
        );
        rgba
    }
}

/// Words of four bytes each on `device`.
fn words(bytes: &[u8], device: &Device) -> Tensor<1, Int> {
    let words: Vec<i32> = bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|bytes| i32::from_le_bytes(*bytes))
        .collect();
    integers(words, device)
}

fn integers(words: Vec<i32>, device: &Device) -> Tensor<1, Int> {
    let count = words.len();
    let plain = device.clone().without_autodiff();
    Tensor::from_data(TensorData::new(words, [count]), (&plain, DType::I32))
}

/// Bytes `[B, 3, H, W]` as `0..=1`. `None` where the kernel does not take the sizes.
pub fn image(bytes: &[u8], shape: [usize; 4], device: &Device) -> Option<Tensor<4>> {
    let [batch, channels, height, width] = shape;
    let plan = Pixels::new(batch, [width, height]).ok()?;
    if channels != 3 || bytes.len() != plan.values() {
        return None;
    }
    let words = words(bytes, device).into_dispatch();
    Some(Tensor::from_dispatch(<Dispatch as Pictures>::pixels(
        words, plan, shape,
    )))
}

/// RGBA bytes, as many as `plan` says, to the network's input.
pub fn letterbox(rgba: &[u8], plan: Letterbox, device: &Device) -> Tensor<4> {
    let taps = integers(plan.taps(), device);
    Tensor::from_dispatch(<Dispatch as Pictures>::letterbox(
        words(rgba, device).into_dispatch(),
        taps.into_dispatch(),
        plan,
    ))
}

/// Activations `[planes, H, W]` as RGBA words. `None` where the kernel does not take the sizes.
pub fn colour_map(planes: Tensor<3>) -> Option<Tensor<3, Int>> {
    let [count, height, width] = planes.dims();
    let plan = ColourMap::new(count, height * width).ok()?;
    if planes.dtype() != DType::F32 {
        return None;
    }
    let planes = planes.without_autodiff().into_dispatch();
    Some(Tensor::from_dispatch(<Dispatch as Pictures>::colour_map(
        planes, plan,
    )))
}
