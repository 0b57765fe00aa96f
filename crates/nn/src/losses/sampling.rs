//! The classes that a sampled softmax compares with (Jean et al. 2015, arXiv:1412.2007): so many different
//! ones, drawn one after the other, and one that is there already drawn again.
//!
//! ```text
//! log-uniform: P(c) = ln((c + 2) / (c + 1)) / ln(classes + 1)      ids are ranks: 0 the most frequent class
//! uniform:     P(c) = 1 / classes
//! expected(c) = 1 - (1 - P(c))^tries      how often c is among them, by how often was drawn
//! ```
//!
//! TensorFlow's `log_uniform_candidate_sampler` and `uniform_candidate_sampler`, with `unique`.

use inlay_base::Random;
use serde::{Deserialize, Serialize};

/// How classes are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Distribution {
    /// By their ranks, as of words (Zipf's law).
    LogUniform,
    /// All alike.
    Uniform,
}

/// Which classes, and how many of them, a batch is compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// How many.
    pub samples: usize,
    /// How they are drawn.
    pub distribution: Distribution,
}

/// What was drawn for a batch.
pub struct Draw {
    sampling: Sampling,
    classes: usize,
    /// Drawings that it took.
    tries: f64,
}

impl Sampling {
    /// Draws classes, which come in order. `seen` has a bit for each class, none of which is set; so it is
    /// afterwards.
    pub fn draw(
        self,
        classes: usize,
        random: &mut Random,
        seen: &mut [u32],
        drawn: &mut Vec<u32>,
    ) -> Draw {
        drawn.clear();
        if self.samples >= classes {
            drawn.extend(0..classes as u32);
            return Draw { sampling: self, classes, tries: f64::INFINITY };
        }
        let (mut tries, mut found) = (0u64, 0);
        while found < self.samples {
            let class = self.distribution.draw(classes, random);
            let (word, bit) = (&mut seen[class / 32], 1 << (class % 32));
            found += usize::from(*word & bit == 0);
            *word |= bit;
            tries += 1;
        }
        for (number, word) in seen.iter_mut().enumerate() {
            while *word != 0 {
                drawn.push(32 * number as u32 + word.trailing_zeros());
                *word &= *word - 1;
            }
        }
        Draw { sampling: self, classes, tries: tries as f64 }
    }
}

impl Distribution {
    fn draw(self, classes: usize, random: &mut Random) -> usize {
        match self {
            Self::Uniform => random.below(classes as u32) as usize,
            Self::LogUniform => {
                let unit = (random.bits() >> 11) as f64 / (1u64 << 53) as f64;
                let rank = (unit * ((classes + 1) as f64).ln()).exp() as usize;
                // Rounding may lead to either end.
                rank.clamp(1, classes) - 1
            }
        }
    }

    fn probability(self, class: u32, classes: usize) -> f64 {
        match self {
            Self::Uniform => 1.0 / classes as f64,
            Self::LogUniform => {
                (1.0 / (f64::from(class) + 1.0)).ln_1p() / ((classes + 1) as f64).ln()
            }
        }
    }
}

impl Draw {
    /// The logarithm of how often a class is expected among those that were drawn.
    pub fn expected(&self, class: u32) -> f64 {
        if self.tries.is_infinite() {
            return 0.0;
        }
        let probability = self.sampling.distribution.probability(class, self.classes);
        (-(self.tries * (-probability).ln_1p()).exp_m1()).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLASSES: usize = 100;

    fn draws(sampling: Sampling, times: u64, mut heard: impl FnMut(&[u32], &Draw)) {
        let (mut seen, mut drawn) = (vec![0; CLASSES.div_ceil(32)], Vec::new());
        for stream in 0..times {
            let draw = sampling.draw(CLASSES, &mut Random::new(1, stream), &mut seen, &mut drawn);
            assert!(seen.iter().all(|&word| word == 0));
            assert!(drawn.is_sorted_by(|a, b| a < b) && drawn.len() == sampling.samples);
            heard(&drawn, &draw);
        }
    }

    #[test]
    fn each_class_is_drawn_as_often_as_is_expected() {
        for distribution in [Distribution::LogUniform, Distribution::Uniform] {
            let all: f64 =
                (0..CLASSES as u32).map(|class| distribution.probability(class, CLASSES)).sum();
            assert!((all - 1.0).abs() < 1e-12, "{all}");
            let (times, sampling) = (100_000, Sampling { samples: 20, distribution });
            let (mut found, mut expected) = ([0.0; CLASSES], [0.0; CLASSES]);
            draws(sampling, times, |drawn, draw| {
                drawn.iter().for_each(|&class| found[class as usize] += 1.0);
                for (class, sum) in expected.iter_mut().enumerate() {
                    *sum += draw.expected(class as u32).exp();
                }
            });
            for (class, (found, expected)) in found.iter().zip(expected).enumerate() {
                // The tries depend on what was drawn, so the expectation is near, as TensorFlow's is.
                let error = (found - expected).abs();
                let limit = 5.0 * expected.sqrt() + 0.01 * expected;
                assert!(error < limit, "{distribution:?} {class}: {found}, {expected}");
            }
        }
    }

    #[test]
    fn as_many_as_there_are_is_all_of_them() {
        let sampling = Sampling { samples: CLASSES, distribution: Distribution::LogUniform };
        draws(sampling, 2, |_, draw| {
            assert_eq!(draw.expected(0), 0.0);
            assert_eq!(draw.expected(99), 0.0);
        });
    }
}
