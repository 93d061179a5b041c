//! Pictures into the network, and activations out of it as pictures: on a GPU where there is one.

use burn::tensor::{Device, Tensor, TensorData};
use frostline_shaders::{ColourMap, Letterbox, Misfit};

use super::pixels::unit_range;
use crate::error::Result;

/// Bytes `[B, 3, H, W]` as `0..=1` on `device`.
pub fn image(bytes: &[u8], shape: [usize; 4], device: &Device) -> Tensor<4> {
    #[cfg(feature = "gpu")]
    if super::cube::runs_on(device)
        && let Some(image) = super::cube::image(bytes, shape, device)
    {
        return image;
    }
    Tensor::from_data(TensorData::new(unit_range(bytes), shape), device)
}

/// RGBA bytes, row after row, as the network's input `[1, 3, H, W]`: resized, padded and placed as `plan` says.
///
/// # Errors
/// When the bytes are not a picture of the plan's size.
pub fn letterbox(
    rgba: &[u8],
    plan: Letterbox,
    device: &Device,
) -> std::result::Result<Tensor<4>, Misfit> {
    #[cfg(feature = "gpu")]
    if rgba.len() == plan.picture_bytes() && super::cube::runs_on(device) {
        return Ok(super::cube::letterbox(rgba, plan, device));
    }
    let mut values = vec![0.0; plan.picture_values()];
    plan.run(rgba, &mut values)?;
    let [width, height] = plan.size().map(|side| side as usize);
    let shape = [1, 3, height, width];
    Ok(Tensor::from_data(TensorData::new(values, shape), device))
}

/// Activations `[planes, H, W]` as RGBA bytes, every plane a picture between its own least and greatest value.
///
/// # Errors
/// When there are no activations, or the device fails.
pub async fn colour_map(planes: Tensor<3>) -> Result<Vec<u8>> {
    #[cfg(feature = "gpu")]
    if super::cube::runs_on(&planes.device())
        && let Some(words) = super::cube::colour_map(planes.clone())
    {
        let words = words.into_data_async().await;
        let words = words.map_err(crate::device::failed)?;
        return Ok(words.iter::<i32>().flat_map(i32::to_le_bytes).collect());
    }
    let [count, height, width] = planes.dims();
    let map = ColourMap::new(count, height * width).map_err(|misfit| {
        crate::Error::input(
            "the activations",
            misfit,
            "planes of at least one value",
            "Name a module that has an output",
        )
    })?;
    let values = planes.into_data_async().await;
    let values = values.map_err(crate::device::failed)?;
    let values: Vec<f32> = values.iter::<f32>().collect();
    Ok(map
        .run(&values)
        .into_iter()
        .flat_map(u32::to_le_bytes)
        .collect())
}
