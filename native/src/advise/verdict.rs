//! From two short runs of each candidate to what a whole run would reach, and whether that tells them apart.

use frostline::eval::{Detection, Evaluator};

use crate::commands::bench::draw;

/// What a doubling of a run gains, as a share of what the doubling before it gained: at the slowest, as usual, and
/// at the fastest (docs/advise.md).
const SHARES: [f64; 3] = [0.4, 0.65, 0.9];
/// The fastest below a mAP50-95 of [`RISING`], where doublings may still gain more than those before.
const FASTEST_WHILE_RISING: f64 = 1.3;
const RISING: f64 = 0.3;
/// Below this a run that is not at its end may still become anything.
const OPEN: f64 = 0.1;
/// How far runs of other seeds lie apart, as one standard deviation of a difference of two.
const SEED_NOISE: f64 = 0.012;
/// Standard deviations beyond which a difference counts: one-sided, 95 %.
const DEVIATIONS: f64 = 1.64;
/// What is this close counts as equal.
const EQUAL: f64 = 0.01;
/// No detector does better.
const MOST: f64 = 0.99;
/// Draws of the validation pictures.
const DRAWS: u64 = 40;

/// What was found in a validation picture, and what is there, in pixels.
#[derive(Debug, Clone)]
pub struct Seen {
    pub found: Vec<Detection>,
    pub labels: Vec<(usize, [f32; 4])>,
}

/// How good a short run became.
#[derive(Debug, Clone, PartialEq)]
pub struct Reached {
    /// Its steps.
    pub steps: usize,
    pub map50: f64,
    /// mAP50-95.
    pub map: f64,
    /// mAP50-95 over pictures drawn anew, the same draws for all runs.
    pub draws: Vec<f64>,
}

impl Reached {
    /// Measures what a run of `steps` steps found.
    pub fn new(steps: usize, classes: usize, seen: &[Seen]) -> Self {
        let all: Vec<usize> = (0..seen.len()).collect();
        let whole = evaluate(classes, seen, &all);
        let draws = (0..DRAWS).map(|stream| {
            let picks = draw(stream, seen.len()).map(|bits| (bits % seen.len() as u64) as usize);
            evaluate(classes, seen, &picks.collect::<Vec<_>>())[1]
        });
        Self {
            steps,
            map50: whole[0],
            map: whole[1],
            draws: draws.collect(),
        }
    }
}

fn evaluate(classes: usize, seen: &[Seen], picks: &[usize]) -> [f64; 2] {
    let mut evaluator = Evaluator::new(classes);
    for &pick in picks {
        evaluator.push(&seen[pick].found, &seen[pick].labels);
    }
    let metrics = evaluator.finish();
    [metrics.map50, metrics.map]
}

/// A candidate that ran twice.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub short: Reached,
    pub long: Reached,
    /// Steps of the whole run.
    pub steps: usize,
    /// Seconds of the whole run.
    pub seconds: f64,
}

impl Outcome {
    /// mAP50-95 of the whole run, at worst, as usual and at best.
    pub fn expected(&self) -> [f64; 3] {
        self.shares()
            .map(|share| self.at(share, self.short.map, self.long.map))
    }

    /// [`SHARES`] for this run.
    fn shares(&self) -> [f64; 3] {
        match SHARES {
            [slow, usual, _] if self.long.map < RISING => [slow, usual, FASTEST_WHILE_RISING],
            shares => shares,
        }
    }

    /// Whether the run may still become anything: it has hardly begun to find objects, and goes on.
    pub fn is_open(&self) -> bool {
        self.long.map < OPEN && self.long.steps < self.steps
    }

    /// The whole run's figure when every doubling gains `share` of what the one before it gained.
    fn at(&self, share: f64, short: f64, long: f64) -> f64 {
        let doublings = |from: usize, to: usize| (to as f64 / from.max(1) as f64).log2();
        let between = doublings(self.short.steps, self.long.steps);
        if between <= 0.0 {
            return long;
        }
        // A run that got worse by being longer is noise.
        let gain = (long - short).max(0.0) / between;
        let left = doublings(self.long.steps, self.steps).max(0.0);
        let sum = share * (1.0 - share.powf(left)) / (1.0 - share);
        (long + gain * sum).min(MOST)
    }
}

/// How one candidate compares with another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// Expected mAP50-95 of the first less that of the second, over the shares of gain.
    pub least: f64,
    pub usual: f64,
    pub most: f64,
    /// One standard deviation, of pictures and seeds.
    pub noise: f64,
}

impl Difference {
    pub fn between(a: &Outcome, b: &Outcome) -> Self {
        let of =
            |share| a.at(share, a.short.map, a.long.map) - b.at(share, b.short.map, b.long.map);
        let [low, usual, high] = SHARES.map(of);
        let share = SHARES[1];
        let drawn: Vec<f64> = (0..a.long.draws.len().min(b.long.draws.len()))
            .map(|i| {
                a.at(share, a.short.draws[i], a.long.draws[i])
                    - b.at(share, b.short.draws[i], b.long.draws[i])
            })
            .collect();
        Self {
            least: low.min(usual).min(high),
            usual,
            most: low.max(usual).max(high),
            noise: deviation(&drawn).hypot(SEED_NOISE),
        }
    }

    /// Whether the first is better beyond noise, whatever runs gain later.
    pub fn is_better(&self) -> bool {
        self.least > DEVIATIONS * self.noise
    }
}

fn deviation(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return 0.0;
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / (values.len() - 1) as f64).sqrt()
}

/// What the probes say.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// This one is better than all others, or as good as any and cheaper.
    Clear(usize),
    /// These are within noise of each other; the first is the one to try.
    Cannot(Vec<usize>),
    /// Nothing was learnt.
    Nothing,
}

impl Verdict {
    /// Of the candidates that ran.
    pub fn of(outcomes: &[Outcome]) -> Self {
        let usual = |index: usize| outcomes[index].expected()[1];
        let all = 0..outcomes.len();
        let Some(best) = all.clone().max_by(|&a, &b| usual(a).total_cmp(&usual(b))) else {
            return Self::Nothing;
        };
        if outcomes.iter().all(Outcome::is_open) {
            return Self::Nothing;
        }
        let mut near: Vec<usize> = all
            .filter(|&other| {
                other == best
                    || outcomes[other].is_open()
                    || !Difference::between(&outcomes[best], &outcomes[other]).is_better()
            })
            .collect();
        if near.len() == 1 {
            return Self::Clear(best);
        }
        // What is equal is taken for what it costs; what costs the same, for what it reaches.
        near.sort_by(|&a, &b| {
            let (first, second) = (outcomes[a].seconds, outcomes[b].seconds);
            if (first - second).abs() <= 0.1 * first.max(second) {
                usual(b).total_cmp(&usual(a))
            } else {
                first.total_cmp(&second)
            }
        });
        let cheapest = near[0];
        let equal = near.iter().all(|&other| {
            if outcomes[other].is_open() {
                return false;
            }
            let difference = Difference::between(&outcomes[other], &outcomes[cheapest]);
            difference.most + DEVIATIONS * difference.noise <= EQUAL
        });
        if equal {
            Self::Clear(cheapest)
        } else {
            // Of those that cannot be told apart the likeliest first.
            near.sort_by(|&a, &b| usual(b).total_cmp(&usual(a)));
            Self::Cannot(near)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reached(steps: usize, map: f64, spread: f64) -> Reached {
        Reached {
            steps,
            map50: map,
            map,
            draws: (0..40)
                .map(|i| map + spread * if i % 2 == 0 { 1.0 } else { -1.0 })
                .collect(),
        }
    }

    fn outcome(maps: [f64; 2], seconds: f64) -> Outcome {
        Outcome {
            short: reached(25, maps[0], 0.0),
            long: reached(50, maps[1], 0.0),
            steps: 200,
            seconds,
        }
    }

    /// Worked by hand: the last doubling gained 0.1, two are left: 0.4 + 0.1 · (0.65 + 0.65²).
    #[test]
    fn later_doublings_gain_a_share_of_earlier_ones() {
        let [low, usual, high] = outcome([0.3, 0.4], 1.0).expected();
        assert!((usual - 0.50725).abs() < 1e-9, "{usual}");
        assert!((low - 0.456).abs() < 1e-9 && (high - 0.571).abs() < 1e-9);
        // What got worse is not extrapolated downwards.
        assert_eq!(outcome([0.4, 0.35], 1.0).expected(), [0.35; 3]);
        // A whole run needs no extrapolation.
        let whole = Outcome {
            steps: 50,
            ..outcome([0.3, 0.4], 1.0)
        };
        assert_eq!(whole.expected(), [0.4; 3]);
    }

    #[test]
    fn what_is_far_better_is_advised_whatever_it_costs() {
        let outcomes = [
            outcome([0.35, 0.5], 100.0),
            outcome([0.3, 0.4], 60.0),
            outcome([0.1, 0.15], 10.0),
        ];
        assert_eq!(Verdict::of(&outcomes), Verdict::Clear(0));
    }

    #[test]
    fn what_lies_within_noise_is_not_told_apart() {
        let outcomes = [
            outcome([0.35, 0.45], 100.0),
            outcome([0.34, 0.44], 60.0),
            outcome([0.1, 0.15], 10.0),
        ];
        assert_eq!(Verdict::of(&outcomes), Verdict::Cannot(vec![0, 1]));
        // A lead that pictures drawn anew turn around is none.
        let mut noisy = [outcome([0.4, 0.5], 100.0), outcome([0.3, 0.4], 60.0)];
        assert_eq!(Verdict::of(&noisy), Verdict::Clear(0));
        noisy[0].long = reached(50, 0.5, 0.1);
        assert!(matches!(Verdict::of(&noisy), Verdict::Cannot(_)));
    }

    #[test]
    fn a_lead_that_faster_gains_may_turn_around_is_none() {
        // The first leads now; the second gains three times as much with every doubling.
        let outcomes = [outcome([0.45, 0.5], 100.0), outcome([0.25, 0.4], 100.0)];
        assert!(matches!(Verdict::of(&outcomes), Verdict::Cannot(_)));
    }

    #[test]
    fn without_anything_learnt_nothing_is_said() {
        assert_eq!(
            Verdict::of(&[outcome([0.0, 0.01], 1.0), outcome([0.0, 0.0], 1.0)]),
            Verdict::Nothing
        );
        // One that has not begun to learn may yet become better than one that has.
        let open = [outcome([0.2, 0.3], 2.0), outcome([0.01, 0.02], 1.0)];
        assert_eq!(Verdict::of(&open), Verdict::Cannot(vec![0, 1]));
        // At its end it is what it is.
        let ended = Outcome {
            steps: 50,
            ..outcome([0.01, 0.02], 1.0)
        };
        assert_eq!(Verdict::of(&[open[0].clone(), ended]), Verdict::Clear(0));
        assert_eq!(Verdict::of(&[]), Verdict::Nothing);
    }

    #[test]
    fn a_run_is_measured_once_and_over_draws() {
        let labels = vec![(0, [10.0, 10.0, 50.0, 50.0])];
        let hit = Detection {
            xyxy: [10.0, 10.0, 50.0, 50.0],
            confidence: 0.9,
            class: 0,
        };
        let seen = |found| Seen {
            found,
            labels: labels.clone(),
        };
        let of = |first: Vec<Detection>| Reached::new(7, 1, &[seen(first), seen(vec![hit])]);
        let (one, both) = (of(vec![]), of(vec![hit]));
        assert!(both.map > 0.99 && one.map < 0.9, "{} {}", both.map, one.map);
        let reached = one;
        assert_eq!(reached.draws.len() as u64, DRAWS);
        assert!(deviation(&reached.draws) > 0.1);
    }
}
