//! The arithmetic of an optimizer's step and of a moving average over one flat tensor: on flex in one
//! pass and in place, elsewhere composed of Burn's operations. All tensors are plain.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;

use super::backend::{Flat, tensor, values};
use super::lanes::{self, Kernel, mul_add, sum};
use super::{parallel, served};

/// Elements of one task.
const PIECE: usize = 1 << 14;
/// Elements whose sums are taken in f32 before they join an f64.
const BLOCK: usize = 1024;
/// Operations per element, for the division of labour.
const COST: usize = 8;

/// One step of stochastic gradient descent with Nesterov momentum.
#[derive(Debug, Clone, Copy)]
pub struct Sgd {
    /// Step length.
    pub rate: f64,
    /// Share of the parameter added to its gradient.
    pub decay: f64,
    /// Share of the memory that stays.
    pub momentum: f64,
}

/// One step of Adam.
#[derive(Debug, Clone, Copy)]
pub struct Adam {
    /// Step length, the first moment's correction included.
    pub rate: f64,
    /// Share of the parameter added to its gradient.
    pub decay: f64,
    /// What the parameter itself is multiplied by before it moves: AdamW's decay.
    pub keep: f64,
    /// Shares of the moments that stay.
    pub betas: [f64; 2],
    /// Root of the second moment's correction.
    pub correction: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
}

#[backend_extension(Flex)]
pub(super) trait Update: Backend {
    fn sgd(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        memory: FloatTensor<Self>,
        factor: FloatTensor<Self>,
        rule: Sgd,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    fn adam(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        factor: FloatTensor<Self>,
        rule: Adam,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    fn blend(
        average: FloatTensor<Self>,
        now: FloatTensor<Self>,
        keep: f64,
        take: f64,
    ) -> FloatTensor<Self>;

    fn square_sum(x: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// Moves a parameter and its memory, all `[N]`, by `gradient · factor`; `factor` is `[1]`.
pub fn sgd(
    parameter: Tensor<1>,
    gradient: Tensor<1>,
    memory: Tensor<1>,
    factor: Tensor<1>,
    rule: Sgd,
) -> (Tensor<1>, Tensor<1>) {
    if served(&parameter) {
        let (parameter, memory) = <Dispatch as Update>::sgd(
            parameter.into_dispatch(),
            gradient.into_dispatch(),
            memory.into_dispatch(),
            factor.into_dispatch(),
            rule,
        );
        return (
            Tensor::from_dispatch(parameter),
            Tensor::from_dispatch(memory),
        );
    }
    composed_sgd(parameter, gradient, memory, factor, rule)
}

fn composed_sgd(
    parameter: Tensor<1>,
    gradient: Tensor<1>,
    memory: Tensor<1>,
    factor: Tensor<1>,
    rule: Sgd,
) -> (Tensor<1>, Tensor<1>) {
    let gradient = scaled(gradient, factor, &parameter, rule.decay);
    let memory = memory.mul_scalar(rule.momentum) + gradient.clone();
    let direction = gradient + memory.clone().mul_scalar(rule.momentum);
    (parameter - direction.mul_scalar(rule.rate), memory)
}

/// Moves a parameter and its two moments, all `[N]`, by `gradient · factor`; `factor` is `[1]`.
pub fn adam(
    parameter: Tensor<1>,
    gradient: Tensor<1>,
    moments: [Tensor<1>; 2],
    factor: Tensor<1>,
    rule: Adam,
) -> (Tensor<1>, [Tensor<1>; 2]) {
    if served(&parameter) {
        let [first, second] = moments;
        let (parameter, first, second) = <Dispatch as Update>::adam(
            parameter.into_dispatch(),
            gradient.into_dispatch(),
            first.into_dispatch(),
            second.into_dispatch(),
            factor.into_dispatch(),
            rule,
        );
        let moments = [Tensor::from_dispatch(first), Tensor::from_dispatch(second)];
        return (Tensor::from_dispatch(parameter), moments);
    }
    composed_adam(parameter, gradient, moments, factor, rule)
}

fn composed_adam(
    parameter: Tensor<1>,
    gradient: Tensor<1>,
    moments: [Tensor<1>; 2],
    factor: Tensor<1>,
    rule: Adam,
) -> (Tensor<1>, [Tensor<1>; 2]) {
    let [first, second] = moments;
    let gradient = scaled(gradient, factor, &parameter, rule.decay);
    let parameter = if rule.keep == 1.0 {
        parameter
    } else {
        parameter.mul_scalar(rule.keep)
    };
    let [beta1, beta2] = rule.betas;
    let first = first.mul_scalar(beta1) + gradient.clone().mul_scalar(1.0 - beta1);
    let second = second.mul_scalar(beta2) + gradient.square().mul_scalar(1.0 - beta2);
    let denominator = second
        .clone()
        .sqrt()
        .div_scalar(rule.correction)
        .add_scalar(rule.epsilon);
    let moved = parameter - (first.clone() / denominator).mul_scalar(rule.rate);
    (moved, [first, second])
}

fn scaled(gradient: Tensor<1>, factor: Tensor<1>, parameter: &Tensor<1>, decay: f64) -> Tensor<1> {
    let gradient = gradient * factor.expand(parameter.dims());
    if decay > 0.0 {
        gradient + parameter.clone().mul_scalar(decay)
    } else {
        gradient
    }
}

/// `average · keep + now · take`, both `[N]`.
pub fn blend(average: Tensor<1>, now: Tensor<1>, keep: f64, take: f64) -> Tensor<1> {
    if served(&average) {
        return Tensor::from_dispatch(<Dispatch as Update>::blend(
            average.into_dispatch(),
            now.into_dispatch(),
            keep,
            take,
        ));
    }
    average.mul_scalar(keep) + now.mul_scalar(take)
}

/// Sum of the squares of `[N]`, as `[1]`.
pub fn square_sum(x: Tensor<1>) -> Tensor<1> {
    if served(&x) {
        return Tensor::from_dispatch(<Dispatch as Update>::square_sum(x.into_dispatch()));
    }
    x.square().sum()
}

/// The tensor alone in its storage, as [`values_mut`] needs it.
fn whole(x: Flat) -> Flat {
    x.to_contiguous()
}

/// The values to change: a copy of them where somebody else holds them too.
fn values_mut(x: &mut Flat) -> &mut [f32] {
    x.storage_mut()
}

impl Update for Flex {
    fn sgd(p: Flat, g: Flat, m: Flat, factor: Flat, rule: Sgd) -> (Flat, Flat) {
        let (mut p, g, mut m) = (whole(p), whole(g), whole(m));
        let rule = SgdRule {
            factor: values(&factor)[0],
            rate: rule.rate as f32,
            decay: rule.decay as f32,
            momentum: rule.momentum as f32,
        };
        let pieces = values_mut(&mut p)
            .chunks_mut(PIECE)
            .zip(values_mut(&mut m).chunks_mut(PIECE))
            .zip(values(&g).chunks(PIECE))
            .map(|((p, m), g)| SgdStep { p, m, g, rule })
            .collect();
        parallel::for_each(pieces, COST * PIECE, lanes::run);
        (p, m)
    }

    fn adam(
        p: Flat,
        g: Flat,
        first: Flat,
        second: Flat,
        factor: Flat,
        rule: Adam,
    ) -> (Flat, Flat, Flat) {
        let (mut p, g, mut first, mut second) = (whole(p), whole(g), whole(first), whole(second));
        let rule = AdamRule {
            factor: values(&factor)[0],
            rate: rule.rate as f32,
            decay: rule.decay as f32,
            keep: rule.keep as f32,
            betas: rule.betas.map(|beta| beta as f32),
            rests: rule.betas.map(|beta| (1.0 - beta) as f32),
            correction: rule.correction as f32,
            epsilon: rule.epsilon as f32,
        };
        let pieces = values_mut(&mut p)
            .chunks_mut(PIECE)
            .zip(values_mut(&mut first).chunks_mut(PIECE))
            .zip(values_mut(&mut second).chunks_mut(PIECE))
            .zip(values(&g).chunks(PIECE))
            .map(|(((p, first), second), g)| AdamStep {
                p,
                first,
                second,
                g,
                rule,
            })
            .collect();
        parallel::for_each(pieces, 2 * COST * PIECE, lanes::run);
        (p, first, second)
    }

    fn blend(average: Flat, now: Flat, keep: f64, take: f64) -> Flat {
        let (mut average, now) = (whole(average), whole(now));
        let pieces = values_mut(&mut average)
            .chunks_mut(PIECE)
            .zip(values(&now).chunks(PIECE))
            .map(|(average, now)| Blend {
                average,
                now,
                keep: keep as f32,
                take: take as f32,
            })
            .collect();
        parallel::for_each(pieces, COST * PIECE, lanes::run);
        average
    }

    fn square_sum(x: Flat) -> Flat {
        let x = whole(x);
        let pieces = values(&x).chunks(PIECE).map(|x| Squares { x }).collect();
        let sums = parallel::map(pieces, COST * PIECE, lanes::run);
        tensor(vec![sums.into_iter().sum::<f64>() as f32], [1])
    }
}

#[derive(Clone, Copy)]
struct SgdRule {
    factor: f32,
    rate: f32,
    decay: f32,
    momentum: f32,
}

struct SgdStep<'a> {
    p: &'a mut [f32],
    m: &'a mut [f32],
    g: &'a [f32],
    rule: SgdRule,
}

impl Kernel for SgdStep<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let SgdRule {
            factor,
            rate,
            decay,
            momentum,
        } = self.rule;
        for ((p, m), g) in self.p.iter_mut().zip(self.m).zip(self.g) {
            let g = mul_add::<FMA>(decay, *p, g * factor);
            *m = mul_add::<FMA>(momentum, *m, g);
            *p = mul_add::<FMA>(-rate, mul_add::<FMA>(momentum, *m, g), *p);
        }
    }
}

#[derive(Clone, Copy)]
struct AdamRule {
    factor: f32,
    rate: f32,
    decay: f32,
    keep: f32,
    betas: [f32; 2],
    rests: [f32; 2],
    correction: f32,
    epsilon: f32,
}

struct AdamStep<'a> {
    p: &'a mut [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
    g: &'a [f32],
    rule: AdamRule,
}

impl Kernel for AdamStep<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let AdamRule {
            factor,
            rate,
            decay,
            keep,
            betas,
            rests,
            correction,
            epsilon,
        } = self.rule;
        let moments = self.first.iter_mut().zip(self.second);
        for ((p, (first, second)), g) in self.p.iter_mut().zip(moments).zip(self.g) {
            let g = mul_add::<FMA>(decay, *p, g * factor);
            *first = mul_add::<FMA>(betas[0], *first, rests[0] * g);
            *second = mul_add::<FMA>(betas[1], *second, rests[1] * (g * g));
            let denominator = second.sqrt() / correction + epsilon;
            *p = mul_add::<FMA>(-rate, *first / denominator, *p * keep);
        }
    }
}

struct Blend<'a> {
    average: &'a mut [f32],
    now: &'a [f32],
    keep: f32,
    take: f32,
}

impl Kernel for Blend<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (average, now) in self.average.iter_mut().zip(self.now) {
            *average = mul_add::<FMA>(*average, self.keep, now * self.take);
        }
    }
}

struct Squares<'a> {
    x: &'a [f32],
}

impl Kernel for Squares<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> f64 {
        let mut squares = [0f32; BLOCK];
        self.x
            .chunks(BLOCK)
            .map(|block| {
                for (square, x) in squares.iter_mut().zip(block) {
                    *square = x * x;
                }
                sum(&squares[..block.len()])
            })
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Fused and separate multiplications and additions differ in the last place.
    const RELATIVE: f32 = 1e-6;
    /// One task, several, and one that ends within a vector.
    const SIZES: [usize; 3] = [5, PIECE, 3 * PIECE + 17];

    fn random(size: usize, from: f32, rng: &mut ChaCha8Rng) -> Tensor<1> {
        let values: Vec<f32> = (0..size).map(|_| rng.random_range(from..2.0)).collect();
        Tensor::from_data(TensorData::new(values, [size]), &Device::flex())
    }

    fn assert_close(what: &str, got: Tensor<1>, want: Tensor<1>) {
        let values = |tensor: Tensor<1>| tensor.into_data().try_to_vec::<f32>().expect("floats");
        let (got, want) = (values(got), values(want));
        assert_eq!(got.len(), want.len(), "{what}");
        for (got, want) in got.iter().zip(&want) {
            let difference = (got - want).abs();
            assert!(
                difference <= RELATIVE * want.abs().max(1.0),
                "{what}: {got} {want}"
            );
        }
    }

    #[test]
    fn a_step_in_one_pass_is_the_composed_step() {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        let factor = || Tensor::<1>::from_floats([0.7], &Device::flex());
        for size in SIZES {
            let mut signed = || random(size, -2.0, &mut rng);
            let (p, g, m) = (signed(), signed(), signed());
            let second = random(size, 0.1, &mut rng);
            for decay in [0.0, 0.01] {
                let rule = Sgd {
                    rate: 0.05,
                    decay,
                    momentum: 0.9,
                };
                let ours = sgd(p.clone(), g.clone(), m.clone(), factor(), rule);
                let theirs = composed_sgd(p.clone(), g.clone(), m.clone(), factor(), rule);
                assert_close("parameter", ours.0, theirs.0);
                assert_close("memory", ours.1, theirs.1);

                let rule = Adam {
                    rate: 0.05,
                    decay,
                    keep: 1.0 - decay,
                    betas: [0.9, 0.999],
                    correction: 0.3,
                    epsilon: 1e-8,
                };
                let moments = || [m.clone(), second.clone()];
                let ours = adam(p.clone(), g.clone(), moments(), factor(), rule);
                let theirs = composed_adam(p.clone(), g.clone(), moments(), factor(), rule);
                assert_close("parameter", ours.0, theirs.0);
                for (ours, theirs) in ours.1.into_iter().zip(theirs.1) {
                    assert_close("moment", ours, theirs);
                }
            }
            let theirs = p.clone().mul_scalar(0.9) + g.clone().mul_scalar(0.1);
            assert_close("average", blend(p.clone(), g.clone(), 0.9, 0.1), theirs);
            let sum = p.clone().square().sum().mul_scalar(1.0 / size as f64);
            assert_close("squares", square_sum(p).mul_scalar(1.0 / size as f64), sum);
        }
    }

    #[test]
    fn who_else_holds_a_tensor_keeps_its_values() {
        let device = Device::flex();
        let average = Tensor::<1>::from_floats([1.0, 2.0], &device);
        let kept = average.clone();
        let now = Tensor::<1>::from_floats([3.0, 3.0], &device);
        let moved = blend(average, now, 0.5, 0.5);
        assert_close("moved", moved, Tensor::from_floats([2.0, 2.5], &device));
        assert_close("kept", kept, Tensor::from_floats([1.0, 2.0], &device));
    }
}
