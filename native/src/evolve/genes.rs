//! Hyperparameters that are searched, their ranges, and how a child differs from its parents.

use frostline::train::Hyp;
use rand::{Rng, RngExt};

/// Share of the genes that change in a child.
const CHANGES: f64 = 0.6;
/// Spread of a factor, for hyperparameters above 0, in powers of e.
const FACTOR: f64 = 0.25;
/// Spread of a difference, for those that may be 0, as a share of their range.
const DIFFERENCE: f64 = 0.1;
/// So many of the best are parents.
const PARENTS: usize = 5;

/// Name, least and largest value. Chosen by what a detector still learns with; the focal loss's gamma, the number of
/// anchors and label smoothing stay, because losses of other kinds cannot be compared.
const GENES: [(&str, f64, f64); 25] = [
    ("lr0", 1e-5, 0.1),
    ("lrf", 0.01, 1.0),
    ("momentum", 0.6, 0.98),
    ("weight_decay", 0.0, 0.001),
    ("warmup_epochs", 0.0, 5.0),
    ("warmup_momentum", 0.0, 0.95),
    ("warmup_bias_lr", 0.0, 0.2),
    ("box", 0.02, 0.2),
    ("cls", 0.2, 4.0),
    ("cls_pw", 0.5, 2.0),
    ("obj", 0.2, 4.0),
    ("obj_pw", 0.5, 2.0),
    ("anchor_t", 2.0, 8.0),
    ("hsv_h", 0.0, 0.1),
    ("hsv_s", 0.0, 0.9),
    ("hsv_v", 0.0, 0.9),
    ("degrees", 0.0, 45.0),
    ("translate", 0.0, 0.5),
    ("scale", 0.0, 0.9),
    ("shear", 0.0, 10.0),
    ("perspective", 0.0, 0.001),
    ("flipud", 0.0, 1.0),
    ("fliplr", 0.0, 1.0),
    ("mosaic", 0.0, 1.0),
    ("mixup", 0.0, 1.0),
];

/// What a set of hyperparameters came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Individual {
    pub hyp: Hyp,
    pub fitness: f64,
}

/// A child of one of the best of `known`, the more likely the better that one is; the first is `base` itself.
pub fn child(base: &Hyp, known: &[Individual], rng: &mut impl Rng) -> Hyp {
    let mut best: Vec<&Individual> = known.iter().filter(|one| one.fitness > 0.0).collect();
    best.sort_by(|a, b| b.fitness.total_cmp(&a.fitness));
    best.truncate(PARENTS);
    if known.is_empty() {
        return base.clone();
    }
    let total: f64 = best.iter().map(|one| one.fitness).sum();
    let mut pick = rng.random::<f64>() * total;
    let parent = best.iter().find(|one| {
        pick -= one.fitness;
        pick <= 0.0
    });
    let parent = parent.map_or(base, |one| &one.hyp);
    loop {
        let hyp = mutated(parent, rng);
        if &hyp != parent {
            return hyp;
        }
    }
}

fn mutated(parent: &Hyp, rng: &mut impl Rng) -> Hyp {
    let mut hyp = parent.clone();
    for (key, least, largest) in GENES {
        let change = rng.random::<f64>() < CHANGES;
        let step = normal(rng);
        if !change {
            continue;
        }
        let old = hyp.get(key).unwrap_or(least);
        let new = if least > 0.0 {
            old * (FACTOR * step).exp()
        } else {
            old + DIFFERENCE * (largest - least) * step
        };
        // As it will stand in a file.
        let new = (new.clamp(least, largest) * 1e5).round() / 1e5;
        // Every range lies within what is allowed.
        let _ = hyp.set(key, new, key);
    }
    hyp
}

/// From the standard normal distribution (Box and Muller 1958).
fn normal(rng: &mut impl Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

#[cfg(test)]
mod tests {
    use frostline::data::transform::rng_for;

    use super::*;

    #[test]
    fn children_stay_within_ranges_and_the_same_seed_gives_the_same_child() {
        let base = Hyp::default();
        let mut known = vec![];
        assert_eq!(child(&base, &known, &mut rng_for(1, 0, 0)), base);
        for generation in 0..200 {
            known.push(Individual {
                hyp: child(&base, &known, &mut rng_for(1, generation, 0)),
                fitness: 0.1 + generation as f64 / 1e3,
            });
            let again = child(&base, &known, &mut rng_for(2, generation, 0));
            assert_eq!(again, child(&base, &known, &mut rng_for(2, generation, 0)));
            for (key, least, largest) in GENES {
                let value = again.get(key).unwrap();
                assert!((least..=largest).contains(&value), "{key} {value}");
            }
            assert_eq!(again.fl_gamma, base.fl_gamma);
        }
        let names: Vec<_> = GENES.iter().map(|(key, ..)| key).collect();
        assert!(names.iter().all(|key| Hyp::KEYS.contains(key)));
    }

    #[test]
    fn steps_are_normally_distributed() {
        let mut rng = rng_for(5, 0, 0);
        let steps: Vec<f64> = (0..20_000).map(|_| normal(&mut rng)).collect();
        let mean = steps.iter().sum::<f64>() / 20_000.0;
        let square = steps.iter().map(|step| step * step).sum::<f64>() / 20_000.0;
        assert!(
            mean.abs() < 0.03 && (square - 1.0).abs() < 0.05,
            "{mean} {square}"
        );
    }

    #[test]
    fn what_came_to_nothing_is_no_parent() {
        let base = Hyp::default();
        let bad = Hyp {
            lrf: 0.9,
            fl_gamma: 1.5,
            ..base.clone()
        };
        let known = [Individual {
            hyp: bad,
            fitness: 0.0,
        }];
        for seed in 0..20 {
            assert_eq!(child(&base, &known, &mut rng_for(seed, 1, 0)).fl_gamma, 0.0);
        }
    }
}
