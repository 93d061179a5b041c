//! The exponential moving average of the weights, which is what validates and is saved (FACTS 4).

use burn::tensor::Tensor;

use crate::model::architecture::ParameterKind;
use crate::model::state::{Gather, Held, take};
use crate::model::{BatchNorm, Visitor, Yolov5};
use crate::ops;

const DECAY: f64 = 0.9999;
/// Updates over which the decay ramps up.
const RAMP: f64 = 2000.0;

/// A moving average of a network. What does not move (frozen parameters, fixed statistics) is
/// never averaged: it stays bit-identical.
#[derive(Debug, Clone)]
pub struct Ema {
    /// The averaged network, on the plain device.
    pub model: Yolov5,
    /// Updates so far.
    pub updates: u64,
}

/// The decay after `updates` updates.
pub fn decay(updates: u64) -> f64 {
    DECAY * (1.0 - (-(updates as f64) / RAMP).exp())
}

impl Ema {
    /// Starts as a copy of `model`.
    pub fn new(model: &Yolov5) -> Self {
        let mut model = model.clone();
        model.visit(&mut Plain);
        Self { model, updates: 0 }
    }

    /// Moves the average towards `model`.
    pub fn update(&mut self, model: &mut Yolov5) {
        self.updates += 1;
        let mut moving = Moving::default();
        model.visit(&mut moving);
        let mut blend = Blend {
            decay: decay(self.updates),
            moving: moving.0.into_iter(),
        };
        self.model.visit(&mut blend);
    }

    /// Makes what does not move in `model` the same here, when a stage of the plan begins.
    pub fn settle(&mut self, model: &mut Yolov5) {
        let mut moving = Moving::default();
        model.visit(&mut moving);
        let still = moving
            .0
            .into_iter()
            .map(|now| matches!(now, Now::Still))
            .collect::<Vec<_>>();
        let mut held = Gather::new(&|_| true);
        model.visit(&mut held);
        self.model.visit(&mut Settle {
            held: still
                .into_iter()
                .zip(held.state)
                .collect::<Vec<_>>()
                .into_iter(),
        });
    }
}

struct Plain;

impl Visitor for Plain {
    fn parameter<const D: usize>(&mut self, _: &str, _: ParameterKind, tensor: &mut Tensor<D>) {
        *tensor = tensor.clone().without_autodiff();
    }
}

/// One entry of the walk: what it is now, if it moves.
enum Now {
    Still,
    Moves(Tensor<1>),
    Count(i64),
}

#[derive(Default)]
struct Moving(Vec<Now>);

impl Visitor for Moving {
    fn parameter<const D: usize>(&mut self, _: &str, _: ParameterKind, tensor: &mut Tensor<D>) {
        self.0.push(if tensor.is_autodiff() {
            Now::Moves(flat(tensor))
        } else {
            Now::Still
        });
    }

    fn statistic(&mut self, _: &str, tensor: &mut Tensor<1>) {
        self.0.push(Now::Moves(tensor.clone()));
    }

    fn count(&mut self, _: &str, value: &mut i64) {
        self.0.push(Now::Count(*value));
    }

    fn norm(&mut self, path: &str, norm: &mut BatchNorm) {
        let start = self.0.len();
        norm.visit_parts(path, self);
        if norm.fixed {
            // weight, bias, then both statistics and the counter
            self.0.truncate(start + 2);
            self.0.extend([Now::Still, Now::Still, Now::Still]);
        }
    }
}

/// Takes over what stands still.
struct Settle {
    held: std::vec::IntoIter<(bool, (String, Held))>,
}

impl Settle {
    fn settle<const D: usize>(&mut self, average: &mut Tensor<D>) {
        if let Some((true, (_, Held::Float { flat, .. }))) = self.held.next() {
            *average = flat.reshape(average.dims());
        }
    }
}

impl Visitor for Settle {
    fn parameter<const D: usize>(&mut self, _: &str, _: ParameterKind, tensor: &mut Tensor<D>) {
        self.settle(tensor);
    }

    fn statistic(&mut self, _: &str, tensor: &mut Tensor<1>) {
        self.settle(tensor);
    }

    fn count(&mut self, _: &str, value: &mut i64) {
        if let Some((true, (_, Held::Count(now)))) = self.held.next() {
            *value = now;
        }
    }
}

struct Blend {
    decay: f64,
    moving: std::vec::IntoIter<Now>,
}

impl Blend {
    fn blend<const D: usize>(&mut self, average: &mut Tensor<D>) {
        if let Some(Now::Moves(now)) = self.moving.next() {
            let shape = average.dims();
            let before = take(average).reshape([shape.iter().product::<usize>()]);
            *average = ops::blend(before, now, self.decay, 1.0 - self.decay).reshape(shape);
        }
    }
}

impl Visitor for Blend {
    fn parameter<const D: usize>(&mut self, _: &str, _: ParameterKind, tensor: &mut Tensor<D>) {
        self.blend(tensor);
    }

    fn statistic(&mut self, _: &str, tensor: &mut Tensor<1>) {
        self.blend(tensor);
    }

    fn count(&mut self, _: &str, value: &mut i64) {
        if let Some(Now::Count(now)) = self.moving.next() {
            *value = now;
        }
    }
}

fn flat<const D: usize>(tensor: &Tensor<D>) -> Tensor<1> {
    let count = tensor.dims().iter().product::<usize>();
    tensor.clone().without_autodiff().reshape([count])
}
