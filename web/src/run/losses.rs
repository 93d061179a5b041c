//! Losses of many steps in few points.

use serde::{Deserialize, Serialize};

/// Points that are kept, at most.
const MOST: usize = 400;

/// Losses by step, thinned: each point is the mean over as many steps as it takes to stay below [`MOST`] points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Losses {
    every: usize,
    points: Vec<LossPoint>,
}

/// Neighbouring steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LossPoint {
    /// The first step, counted from 0 over all epochs.
    pub from: usize,
    /// How many.
    pub count: usize,
    /// Means of box, objectness and class loss.
    pub losses: [f64; 3],
}

impl LossPoint {
    /// The middle of its steps.
    pub fn middle(&self) -> f64 {
        self.from as f64 + self.count as f64 / 2.0
    }

    /// The sum of the three losses: what is minimised.
    pub fn sum(&self) -> f64 {
        self.losses.iter().sum()
    }

    fn join(&mut self, other: &Self) {
        let (a, b) = (self.count as f64, other.count as f64);
        for (mine, theirs) in self.losses.iter_mut().zip(other.losses) {
            *mine = (*mine * a + theirs * b) / (a + b);
        }
        self.count += other.count;
    }
}

impl Default for Losses {
    fn default() -> Self {
        Self {
            every: 1,
            points: Vec::new(),
        }
    }
}

impl Losses {
    /// Takes in a step.
    pub fn push(&mut self, step: usize, losses: [f64; 3]) {
        let new = LossPoint {
            from: step,
            count: 1,
            losses,
        };
        match self.points.last_mut() {
            Some(last) if last.count < self.every && last.from + last.count == step => {
                last.join(&new)
            }
            _ => self.points.push(new),
        }
        if self.points.len() > MOST {
            self.thin();
        }
    }

    fn thin(&mut self) {
        self.every *= 2;
        let mut pairs = Vec::with_capacity(MOST / 2 + 1);
        for pair in self.points.chunks(2) {
            if let [first, rest @ ..] = pair {
                let mut joined = *first;
                rest.iter().for_each(|other| joined.join(other));
                pairs.push(joined);
            }
        }
        self.points = pairs;
    }

    /// Forgets a step and all later ones.
    pub fn forget_from(&mut self, step: usize) {
        self.points.retain(|point| point.from < step);
    }

    /// The points in their order.
    pub fn points(&self) -> &[LossPoint] {
        &self.points
    }

    /// Steps that were done.
    pub fn steps(&self) -> usize {
        self.points
            .last()
            .map_or(0, |point| point.from + point.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_steps_become_few_points_with_the_same_mean() {
        let mut losses = Losses::default();
        for step in 0..10_000 {
            losses.push(step, [step as f64, 1.0, 2.0]);
        }
        assert!(losses.points().len() <= MOST && losses.points().len() > MOST / 4);
        assert_eq!(losses.steps(), 10_000);
        let sum: f64 = losses
            .points()
            .iter()
            .map(|p| p.losses[0] * p.count as f64)
            .sum();
        assert!((sum / 10_000.0 - 4999.5).abs() < 1e-6);
        let last = losses.points().last().unwrap();
        assert!((last.sum() - last.losses[0] - 3.0).abs() < 1e-9);
        assert!(
            losses
                .points()
                .windows(2)
                .all(|pair| pair[0].from + pair[0].count == pair[1].from)
        );
    }

    #[test]
    fn steps_that_are_done_again_replace_their_first_time() {
        let mut losses = Losses::default();
        (0..10).for_each(|step| losses.push(step, [9.0, 0.0, 0.0]));
        losses.forget_from(4);
        assert_eq!(losses.steps(), 4);
        losses.push(4, [1.0, 0.0, 0.0]);
        assert_eq!(losses.points().len(), 5);
    }
}
