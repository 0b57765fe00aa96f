use serde::{Deserialize, Serialize};

/// Learning rates over the steps of a training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// The highest rate.
    pub rate: f64,
    /// Steps at the beginning over which the rate rises from nothing.
    pub warmup: u64,
    /// How it goes on.
    pub shape: Curve,
}

/// How a rate goes on after its rise.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Curve {
    /// As it is.
    Constant,
    /// To zero, in a straight line.
    Linear,
    /// To zero, along half a cosine (Loshchilov and Hutter 2017, arXiv:1608.03983).
    Cosine,
    /// Multiplied by `factor` when `after` of all steps are done, and after each `share` of them from there on.
    Steps {
        /// By which it is multiplied.
        factor: f64,
        /// Of all steps, before the first.
        after: f64,
        /// Of all steps, from one to the next.
        share: f64,
    },
}

impl Schedule {
    /// The rate of step `at` of `steps`, from 0.
    pub fn rate(&self, at: u64, steps: u64) -> f32 {
        if at < self.warmup {
            return (self.rate * (at + 1) as f64 / self.warmup as f64) as f32;
        }
        let left = (steps.max(1) - self.warmup.min(steps.max(1) - 1)) as f64;
        // A stream may go on for longer than was said.
        let done = ((at - self.warmup) as f64 / left).min(1.0);
        let part = match self.shape {
            Curve::Constant => 1.0,
            Curve::Linear => 1.0 - done,
            Curve::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * done).cos()),
            // A step that is a whole number of shares away is one that counts.
            Curve::Steps { factor, after, share } => {
                factor.powf((1.0 + (done - after) / share + 1e-9).floor().max(0.0))
            }
        };
        (self.rate * part) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(warmup: u64, shape: Curve) -> Vec<f32> {
        let schedule = Schedule { rate: 1.0, warmup, shape };
        (0..8).map(|at| schedule.rate(at, 8)).collect()
    }

    #[test]
    fn rates_rise_and_fall_as_their_curves_say() {
        assert_eq!(rates(0, Curve::Constant), [1.0; 8]);
        let linear = [0.25, 0.5, 0.75, 1.0, 1.0, 0.75, 0.5, 0.25];
        assert_eq!(rates(4, Curve::Linear), linear);
        let steps = [1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125];
        assert_eq!(rates(0, Curve::Steps { factor: 0.5, after: 0.25, share: 0.25 }), steps);
        let late = [1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.25, 0.125];
        assert_eq!(rates(0, Curve::Steps { factor: 0.5, after: 0.625, share: 0.125 }), late);
        assert_eq!(rates(0, Curve::Steps { factor: 0.5, after: 0.0, share: 1.0 }), [0.5; 8]);
        let cosine = rates(0, Curve::Cosine);
        assert_eq!((cosine[0], (cosine[4] - 0.5).abs() < 1e-6), (1.0, true));
        assert!(cosine.is_sorted_by(|a, b| a > b));
    }

    #[test]
    fn a_warmup_longer_than_the_training_only_rises() {
        assert!(rates(100, Curve::Cosine).is_sorted());
    }
}
