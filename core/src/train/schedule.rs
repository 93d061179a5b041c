//! Learning rates, momentum and accumulation over a run (FACTS 4).

use super::hyp::Hyp;

/// The shortest warm-up of the reference, in iterations.
const LEAST_WARMUP: usize = 100;
/// The largest share of a run that warm-up may take, unless the reference's rule is asked for.
const WARMUP_SHARE: usize = 3;

/// What a step uses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Learning rate of biases.
    pub bias: f64,
    /// Learning rate of convolution weights.
    pub weight: f64,
    /// Learning rate of BatchNorm weights.
    pub norm: f64,
    /// Momentum (beta1 for Adam and AdamW).
    pub momentum: f64,
    /// Batches per optimizer step.
    pub accumulate: usize,
}

impl Rates {
    /// The same with every learning rate times `factor`.
    pub fn times(&self, factor: f64) -> Self {
        Self {
            bias: self.bias * factor,
            weight: self.weight * factor,
            norm: self.norm * factor,
            ..*self
        }
    }
}

/// The plan of rates for a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    epochs: usize,
    batches: usize,
    warmup: usize,
    cosine: bool,
    accumulate: f64,
    lr0: f64,
    lrf: f64,
    momentum: f64,
    warmup_momentum: f64,
    warmup_bias_lr: f64,
}

impl Schedule {
    /// A schedule for `epochs` of `batches` iterations of `batch` pictures, stepping about every `nominal` pictures.
    /// Without `reference_warmup`, warm-up takes no more than a third of the run.
    pub fn new(
        hyp: &Hyp,
        epochs: usize,
        batches: usize,
        batch: usize,
        nominal: usize,
        cosine: bool,
        reference_warmup: bool,
    ) -> Self {
        let mut warmup =
            ((hyp.warmup_epochs * batches as f64).round_ties_even() as usize).max(LEAST_WARMUP);
        if !reference_warmup {
            warmup = warmup.min(epochs * batches / WARMUP_SHARE);
        }
        if hyp.warmup_epochs <= 0.0 {
            warmup = 0;
        }
        Self {
            epochs,
            batches: batches.max(1),
            warmup,
            cosine,
            accumulate: nominal as f64 / batch as f64,
            lr0: hyp.lr0,
            lrf: hyp.lrf,
            momentum: hyp.momentum,
            warmup_momentum: hyp.warmup_momentum,
            warmup_bias_lr: hyp.warmup_bias_lr,
        }
    }

    /// Iterations of warm-up.
    pub fn warmup(&self) -> usize {
        self.warmup
    }

    /// The factor on the learning rate in `epoch`.
    pub fn factor(&self, epoch: usize) -> f64 {
        let progress = epoch as f64 / self.epochs as f64;
        if self.cosine {
            (1.0 - (progress * std::f64::consts::PI).cos()) / 2.0 * (self.lrf - 1.0) + 1.0
        } else {
            (1.0 - progress) * (1.0 - self.lrf) + self.lrf
        }
    }

    /// What iteration `iteration` (counted over the whole run) uses.
    pub fn at(&self, iteration: usize) -> Rates {
        let rate = self.lr0 * self.factor(iteration / self.batches);
        if iteration > self.warmup || self.warmup == 0 {
            let accumulate = self.whole(self.accumulate);
            return Rates {
                bias: rate,
                weight: rate,
                norm: rate,
                momentum: self.momentum,
                accumulate,
            };
        }
        let progress = iteration as f64 / self.warmup as f64;
        let blend = |from: f64, to: f64| from + (to - from) * progress;
        let other = blend(0.0, rate);
        Rates {
            bias: blend(self.warmup_bias_lr, rate),
            weight: other,
            norm: other,
            momentum: blend(self.warmup_momentum, self.momentum),
            accumulate: self.whole(blend(1.0, self.accumulate)),
        }
    }

    fn whole(&self, batches: f64) -> usize {
        (batches.round_ties_even() as usize).max(1)
    }
}

/// Weight decay for batches of `batch` pictures that step about every `nominal` (FACTS 4).
pub fn scaled_weight_decay(weight_decay: f64, batch: usize, nominal: usize) -> f64 {
    let accumulate = ((nominal as f64 / batch as f64).round_ties_even()).max(1.0);
    weight_decay * batch as f64 * accumulate / nominal as f64
}
