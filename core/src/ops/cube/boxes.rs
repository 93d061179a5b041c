//! Raw heads to the boxes that a threshold lets through.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{DType, Int, Tensor};
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl::prelude::BufferIOAttr::ReadWrite;
use burn_cubecl::tensor::CubeTensor;
use frostline_shaders::{Candidate, Candidates};

use super::launch::{channels_last, launch};
use super::runs_on;
use crate::error::Result;

/// Candidates of a picture at most: some 57 kB. A crowd of a hundred, each found by twenty boxes, fits.
const CAPACITY: usize = 2048;

#[backend_extension(Cube, Fusion)]
pub trait Boxes: Backend {
    /// `list` with the candidates of one more head `[B, A·(5+C), H, W]`.
    #[fusion(dtype = list, shape = list)]
    fn candidates(
        head: FloatTensor<Self>,
        list: IntTensor<Self>,
        plan: Candidates,
    ) -> IntTensor<Self>;
}

impl Boxes for CubeBackend {
    fn candidates(head: CubeTensor, list: CubeTensor, plan: Candidates) -> CubeTensor {
        let head = channels_last(head);
        let list = if list.can_mut() { list } else { list.copy() };
        launch(
            Candidates::KERNEL,
            &[&head],
            &[(&list, ReadWrite)],
            &plan.uniforms(),
            plan.workgroups(),
        );
        list
    }
}

/// Candidates on the device.
#[derive(Debug)]
pub struct Found(Tensor<1, Int>);

/// Boxes of raw heads `[B, A·(5+C), H, W]` whose objectness and confidence are each above `confidence`, with
/// their best class. `None` where the kernel does not run or does not take the sizes.
pub fn candidates(
    heads: &[Tensor<4>],
    anchors: &[Vec<[f32; 2]>],
    strides: &[usize],
    nc: usize,
    confidence: f32,
) -> Option<Found> {
    let first = heads.first()?;
    let device = first.device().without_autodiff();
    if !runs_on(&device) || heads.iter().any(|head| head.dtype() != DType::F32) {
        return None;
    }
    let [batch, ..] = first.dims();
    let mut rows = 0;
    let mut plans = Vec::with_capacity(heads.len());
    for ((head, anchors), &stride) in heads.iter().zip(anchors).zip(strides) {
        let [_, channels, height, width] = head.dims();
        if channels != anchors.len() * (5 + nc) {
            return None;
        }
        let size = [width, height];
        let plan = Candidates::new(
            batch,
            size,
            anchors,
            nc,
            stride as f32,
            rows,
            confidence,
            CAPACITY,
        );
        plans.push(plan.ok()?);
        rows += anchors.len() * height * width;
    }
    let words = Candidates::words(batch, CAPACITY);
    let list = Tensor::<1, Int>::zeros([words], (&device, DType::I32)).into_dispatch();
    let list = heads.iter().zip(plans).fold(list, |list, (head, plan)| {
        let head = head.clone().without_autodiff().into_dispatch();
        <Dispatch as Boxes>::candidates(head, list, plan)
    });
    Some(Found(Tensor::from_dispatch(list)))
}

impl Found {
    /// Reads them, per picture, in the order of the rows. `None` for a picture with more than there is room for.
    ///
    /// # Errors
    /// When the device fails.
    pub async fn read(self) -> Result<Vec<Option<Vec<Candidate>>>> {
        let list = self.0.into_data_async().await;
        let words = list.map_err(crate::device::failed)?;
        let words: Vec<u32> = words.iter::<i32>().map(i32::cast_unsigned).collect();
        Ok(Candidates::read(&words, CAPACITY))
    }
}
