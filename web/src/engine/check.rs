//! What tests compare: the engine that is shipped is the one that is tested.

use frostline::train::run::{Piece, Run};
use frostline::{Error, Result};

use super::device::Gpu;

/// Every kernel of the GPU against its twin.
///
/// # Errors
/// Without a GPU, or when it cannot run a kernel.
pub async fn kernels(gpu: Option<&Gpu>) -> Result<Vec<(String, f64)>> {
    let Some(gpu) = gpu else {
        return Err(Error::input(
            "the device",
            "the CPU",
            "a GPU to run kernels on",
            "Start with the GPU",
        ));
    };
    let (device, queue) = &gpu.handles;
    let found = frostline_shaders::check::all(device, queue).await;
    let found = found.map_err(|misfit| {
        Error::input(
            "the kernels",
            misfit,
            "a GPU that runs them",
            "Choose the CPU",
        )
    })?;
    let found = found.into_iter();
    Ok(found
        .map(|agreement| (agreement.what, agreement.worst))
        .collect())
}

/// The losses of the first steps of a run.
///
/// # Errors
/// As [`Run::advance`].
pub async fn steps(run: &mut Run, count: usize) -> Result<Vec<[f64; 3]>> {
    let mut losses = Vec::with_capacity(count);
    while losses.len() < count {
        match run.advance().await? {
            Piece::Step(step) => losses.push(step.losses),
            Piece::End(_) => break,
            Piece::Validated | Piece::Epoch(_) => {}
        }
    }
    Ok(losses)
}
