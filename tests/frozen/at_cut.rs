//! The frozen prefix folded, and its features kept: what is learnt behind the cut is the same.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, read_sync};
use frostline::data::Batch;
use frostline::freeze::cache::{FeatureCache, RamStore};
use frostline::freeze::{FeaturePrecision, FreezePlan, Prefix};
use frostline::model::{Features, Mode};
use frostline::train::session::image_tensor;
use frostline::train::{FeatureBatch, FreezeNorms, OptimizerKind, Rates, Session, StepReport};
use proptest::prelude::*;

use crate::network::{RATES, SIDE, architecture, batch, both, network, plan, session};
use crate::specs::{config, fitting};

/// Folding moves a rounding from after the sum to before it, once per convolution; through up to 60 of them that
/// reaches some 1e-5 of the largest value.
const FOLDED: f32 = 1e-4;
/// Gradients sum over whole maps. Statistics of a few values magnify what folding rounds, so that some plans part
/// farther: then by no more than [`MAGNIFIED`] times what noise of the same size in the features does.
const FOLDED_GRADIENTS: f32 = 1e-3;
const MAGNIFIED: f32 = 4.0;
/// Half precision rounds to 11 bits, 5e-4 of a value; the box and class losses average over a handful of matches only.
const HALF: f32 = 1e-2;
/// Gathers gradients and takes no step.
const GATHER: Rates = Rates {
    accumulate: 1000,
    ..RATES
};

fn floats<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    tensor.to_data().convert::<f32>().try_into_vec().unwrap()
}

/// The largest difference against the largest value.
fn difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let largest = b
        .iter()
        .fold(f32::MIN_POSITIVE, |most, x| most.max(x.abs()));
    let pairs = a.iter().zip(b);
    pairs.fold(0.0f32, |most, (a, b)| most.max((a - b).abs())) / largest
}

/// What crosses the cut of a plan's first stage, by the network as it was loaded.
fn unfolded(plan: &FreezePlan, batch: &Batch) -> Features {
    let device = Device::flex();
    let image = Features::image(image_tensor(batch, &device));
    network(&device).run(0..plan.stages[0].cut.prefix, image, Mode::Infer)
}

/// The same features, every value off by `relative` of its map's largest, up or down.
fn with_noise(features: &Features, relative: f32) -> Features {
    let mut noisy = features.clone();
    for map in noisy.outputs.values_mut() {
        let mut values = floats(map);
        let largest = values.iter().fold(0.0f32, |most, x| most.max(x.abs()));
        for (i, value) in values.iter_mut().enumerate() {
            // Signs without a pattern that a kernel could share: bits of Knuth's multiplicative hash.
            let up = (i as u32).wrapping_mul(2_654_435_761) >> 31 == 0;
            *value += if up { relative } else { -relative } * largest;
        }
        let data = burn::tensor::TensorData::new(values, map.dims());
        *map = Tensor::from_data(data, &map.device());
    }
    noisy
}

/// Gathered gradients by name.
fn gradients(session: &mut Session) -> BTreeMap<String, Vec<f32>> {
    let (state, _) = read_sync(session.snapshot(0)).unwrap();
    state
        .into_iter()
        .filter_map(|(name, data)| {
            let name = name.strip_prefix("train.pending/")?.to_owned();
            Some((name, data.try_into_vec::<f32>().unwrap()))
        })
        .collect()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_folded_prefix_of_any_spec_gives_the_same_features_and_gradients(plan in fitting()) {
        let batch = batch(7);
        let cut = plan.stages[0].cut.clone();
        let expected = unfolded(&plan, &batch);
        let mut folded = session(plan.clone(), FreezeNorms::Fixed, OptimizerKind::Sgd);
        let mut plain = session(plan.clone(), FreezeNorms::Fixed, OptimizerKind::Sgd);
        let found = folded.features(&batch).features;
        prop_assert_eq!(found.image.is_some(), cut.prefix == 0);
        let crossing: Vec<usize> = found.outputs.keys().copied().collect();
        prop_assert_eq!(&crossing, &cut.crossing);
        let mut rounded = 0.0f32;
        for (module, map) in &found.outputs {
            let difference = difference(&floats(map), &floats(&expected.outputs[module]));
            prop_assert!(difference < FOLDED, "{}: module {module}: {difference}", plan.spec);
            rounded = rounded.max(difference);
        }

        let report = folded.step_with(&batch, GATHER);
        let noisy = FeatureBatch {
            features: with_noise(&expected, rounded),
            targets: batch.targets.clone(),
        };
        let mut magnified = session(plan.clone(), FreezeNorms::Fixed, OptimizerKind::Sgd);
        magnified.step_features_with(&noisy, GATHER);
        let at_cut = FeatureBatch { features: expected, targets: batch.targets };
        let wanted = plain.step_features_with(&at_cut, GATHER);
        let loss = difference(&floats(&report.items), &floats(&wanted.items));
        prop_assert!(loss < FOLDED, "{}: loss {loss}", plan.spec);
        let (ours, theirs) = (gradients(&mut folded), gradients(&mut plain));
        prop_assert_eq!(ours.len(), plan.stages[0].counts.trainable_tensors);
        let noise = gradients(&mut magnified)
            .iter()
            .map(|(name, gradient)| difference(gradient, &theirs[name]))
            .fold(0.0, f32::max);
        let bound = FOLDED_GRADIENTS.max(MAGNIFIED * noise);
        for (name, gradient) in &ours {
            let difference = difference(gradient, &theirs[name]);
            prop_assert!(difference < bound, "{}: {name}: {difference}, noise {noise}", plan.spec);
        }
    }
}

#[test]
fn drifting_statistics_are_not_folded() {
    let plan = plan("10").unwrap();
    let batch = batch(3);
    let mut drifting = session(plan.clone(), FreezeNorms::Drift, OptimizerKind::Sgd);
    let found = drifting.features(&batch).features;
    let fixed = unfolded(&plan, &batch);
    let difference = difference(&floats(&found.outputs[&9]), &floats(&fixed.outputs[&9]));
    assert!(
        difference > 0.01,
        "the batch's own statistics: {difference}"
    );
}

#[test]
fn features_of_a_picture_do_not_depend_on_the_batch_it_is_in() {
    let device = Device::flex();
    let batch = batch(5);
    for spec in ["3", "10", "24"] {
        let plan = plan(spec).unwrap();
        let mut prefix = Prefix::new(&network(&device), &plan.stages[0]).unwrap();
        let image = image_tensor(&batch, &device);
        let both = prefix.run(image.clone());
        for picture in 0..2 {
            let alone = prefix.run(image.clone().narrow(0, picture, 1));
            for (module, map) in &both.outputs {
                let own = map.clone().narrow(0, picture, 1);
                assert_eq!(
                    floats(&own),
                    floats(&alone.outputs[module]),
                    "{spec}, module {module}"
                );
            }
        }
    }
}

fn cache(spec: &str, precision: FeaturePrecision) -> FeatureCache {
    let cut = &plan(spec).unwrap().stages[0].cut;
    let maps = cut.maps(&architecture(), SIDE, SIDE).unwrap();
    FeatureCache::new(maps, precision, 8, 1, Box::new(RamStore::new(u64::MAX)))
}

/// A step on features; pictures `2n` and `2n + 1` are those of `batch(n)`.
fn cached_step(session: &mut Session, cache: &mut FeatureCache, number: u8) -> StepReport {
    let first = 2 * usize::from(number);
    let make = |missing: &[usize]| {
        assert_eq!(missing, [first, first + 1], "both are made at once");
        Ok(batch(number))
    };
    let pictures = [first, first + 1];
    let features = read_sync(session.cached_features(cache, 0, &pictures, make)).unwrap();
    assert_eq!(features.targets, batch(number).targets);
    session.step_features_with(&features, RATES)
}

#[test]
fn a_run_on_features_in_single_precision_has_the_bits_of_one_on_pixels() {
    for spec in ["3", "10", "backbone,=13", "24"] {
        let [mut pixels, mut features] = [(); 2].map(|()| {
            session(
                plan(spec).unwrap(),
                FreezeNorms::Fixed,
                OptimizerKind::AdamW,
            )
        });
        let mut cache = cache(spec, FeaturePrecision::Single);
        for number in [0, 1, 0, 1] {
            let expected = pixels.step_with(&batch(number), RATES);
            let found = cached_step(&mut features, &mut cache, number);
            assert_eq!(floats(&found.items), floats(&expected.items), "{spec}");
        }
        assert_eq!(cache.counts(), [4, 4], "{spec}: computed once, then taken");
        assert_eq!(both(&mut features), both(&mut pixels), "{spec}");
    }
}

#[test]
fn features_in_half_precision_give_nearly_the_losses_of_pixels() {
    let spec = "10";
    let [mut pixels, mut features] =
        [(); 2].map(|()| session(plan(spec).unwrap(), FreezeNorms::Fixed, OptimizerKind::Sgd));
    let mut cache = cache(spec, FeaturePrecision::Half);
    for number in [0, 1, 0] {
        let expected = floats(&pixels.step_with(&batch(number), GATHER).items);
        let first = 2 * usize::from(number);
        let pictures = [first, first + 1];
        let make = |_: &[usize]| Ok(batch(number));
        let kept = read_sync(features.cached_features(&mut cache, 0, &pictures, make)).unwrap();
        let found = floats(&features.step_features_with(&kept, GATHER).items);
        let difference = difference(&found, &expected);
        assert!(difference < HALF, "{difference}");
        assert_ne!(found, expected, "rounded");
    }
}

#[test]
fn pixels_of_another_size_are_refused_with_both_shapes() {
    let mut session = session(plan("10").unwrap(), FreezeNorms::Fixed, OptimizerKind::Sgd);
    let cut = &session.stage().cut.clone();
    let maps = cut.maps(&architecture(), 2 * SIDE, 2 * SIDE).unwrap();
    let store = Box::new(RamStore::new(u64::MAX));
    let mut cache = FeatureCache::new(maps, FeaturePrecision::Half, 2, 1, store);
    let made = session.cached_features(&mut cache, 0, &[0, 1], |_| Ok(batch(0)));
    let error = read_sync(made).unwrap_err().to_string();
    assert!(
        error.contains("module 4") && error.contains("[2, 64, 16, 16]"),
        "{error}"
    );
}
