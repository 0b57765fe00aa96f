//! The parameters of the Dirichlet priors: what a document (α, one for each topic) and a topic (β, one
//! for all words) are before anything is seen; and how the counts make them better.
//!
//! Minka 2000, "Estimating a Dirichlet distribution", equation 55, with counts of counts as Wallach 2008
//! (thesis, section 2.3):
//!
//! ```text
//! α_t ← α_t · Σ_d [ψ(n_dt + α_t) - ψ(α_t)] / Σ_d [ψ(n_d + Σα) - ψ(Σα)]
//! β   ← β · Σ_wt [ψ(n_wt + β) - ψ(β)] / (V · Σ_t [ψ(n_t + Vβ) - ψ(Vβ)])
//! ```

use inlay_kernels::{Aligned, DRAW_WIDTH};
use serde::{Deserialize, Serialize};

/// Steps of the fixed point at a time; the counts change between two times.
const STEPS: usize = 5;
/// Below this a topic could hardly come back.
const LEAST: f64 = 1e-5;
/// Counts below this are counted by value.
const SMALL: usize = 1 << 12;

/// α and β.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Priors {
    /// α_t.
    pub alpha: Vec<f64>,
    /// β.
    pub beta: f64,
}

/// How often each count occurs.
#[derive(Debug, Clone, Default)]
pub struct Histogram {
    /// By count, those below `SMALL`.
    small: Vec<u64>,
    large: Vec<u64>,
}

impl Histogram {
    /// Adds a count.
    pub fn add(&mut self, count: u64) {
        if count >= SMALL as u64 {
            self.large.push(count);
            return;
        }
        let count = count as usize;
        if self.small.len() <= count {
            self.small.resize(count + 1, 0);
        }
        self.small[count] += 1;
    }

    /// Σ over the counts of ψ(n + a) - ψ(a).
    fn rise(&self, a: f64) -> f64 {
        // ψ(x + 1) = ψ(x) + 1/x
        let (mut rise, mut sum) = (0.0, 0.0);
        for (below, &times) in self.small.iter().skip(1).enumerate() {
            rise += 1.0 / (below as f64 + a);
            sum += times as f64 * rise;
        }
        let large = self.large.iter().map(|&count| digamma(count as f64 + a) - digamma(a));
        sum + large.sum::<f64>()
    }
}

impl Priors {
    /// α as draws take it.
    pub fn padded_alpha(&self) -> Aligned<f32> {
        let mut padded = Aligned::new(0.0, self.alpha.len().next_multiple_of(DRAW_WIDTH));
        padded.iter_mut().zip(&self.alpha).for_each(|(value, &alpha)| *value = alpha as f32);
        padded
    }

    /// Brings α nearer to what makes the documents most likely: `topics` has for each topic its counts
    /// in documents, `lengths` the words of documents.
    pub fn fit_alpha(&mut self, topics: &[Histogram], lengths: &Histogram) {
        for _ in 0..STEPS {
            let sum: f64 = self.alpha.iter().sum();
            let all = lengths.rise(sum);
            if all <= 0.0 {
                return; // no document has a word
            }
            for (alpha, counts) in self.alpha.iter_mut().zip(topics) {
                *alpha = (*alpha * counts.rise(*alpha) / all).max(LEAST);
            }
        }
    }

    /// Brings β nearer to what makes the topics most likely: `pairs` are the counts of words in topics,
    /// `totals` the words of topics.
    pub fn fit_beta(&mut self, pairs: &Histogram, totals: &Histogram, vocabulary: usize) {
        let vocabulary = vocabulary as f64;
        for _ in 0..STEPS {
            let all = vocabulary * totals.rise(vocabulary * self.beta);
            if all <= 0.0 {
                return;
            }
            self.beta = (self.beta * pairs.rise(self.beta) / all).max(LEAST);
        }
    }
}

/// ψ(x), x > 0, to 1e-12: moved up to where the asymptotic series holds.
fn digamma(mut x: f64) -> f64 {
    let mut below = 0.0;
    while x < 12.0 {
        below -= 1.0 / x;
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    let series = [1.0 / 12.0, -1.0 / 120.0, 1.0 / 252.0, -1.0 / 240.0, 1.0 / 132.0];
    let tail = series.iter().rev().fold(0.0, |sum, term| (sum + term) * square);
    below + x.ln() - 0.5 / x - tail
}

#[cfg(test)]
mod tests {
    use inlay_base::Random;

    use super::*;

    #[test]
    fn digamma_is_right_where_it_is_known() {
        let euler = 0.577_215_664_901_532_9;
        let half = -euler - 2.0 * std::f64::consts::LN_2;
        for (x, wanted) in [(1.0, -euler), (2.0, 1.0 - euler), (0.5, half)] {
            assert!((digamma(x) - wanted).abs() < 1e-12, "{x}: {}", digamma(x));
        }
    }

    #[test]
    fn large_and_small_counts_rise_alike() {
        for count in [1, 7, SMALL as u64 - 1, SMALL as u64, 100_000] {
            for a in [1e-3, 0.1, 30.0] {
                let mut histogram = Histogram::default();
                histogram.add(count);
                let wanted: f64 = (0..count).map(|below| 1.0 / (below as f64 + a)).sum();
                assert!((histogram.rise(a) / wanted - 1.0).abs() < 1e-9, "{count} {a}");
            }
        }
    }

    /// Counts drawn by Pólya's urn, which is what the prior says of them.
    fn urn(alpha: &[f64], length: u32, random: &mut Random) -> Vec<u64> {
        let mut counts = vec![0; alpha.len()];
        for before in 0..length {
            let all = alpha.iter().sum::<f64>() + f64::from(before);
            let mut at = f64::from(random.unit()) * all;
            let chosen = alpha.iter().zip(&counts).position(|(alpha, &count)| {
                at -= alpha + count as f64;
                at < 0.0
            });
            counts[chosen.unwrap_or(0)] += 1;
        }
        counts
    }

    #[test]
    fn the_priors_that_counts_were_drawn_with_are_found_again() {
        let truth = [0.05, 0.1, 0.4, 1.0];
        let mut random = Random::new(3, 0);
        let mut topics = vec![Histogram::default(); truth.len()];
        let (mut lengths, mut pairs) = (Histogram::default(), Histogram::default());
        for _ in 0..4000 {
            lengths.add(60);
            for (topic, count) in topics.iter_mut().zip(urn(&truth, 60, &mut random)) {
                topic.add(count);
            }
        }
        let mut totals = Histogram::default();
        for _ in 0..200 {
            totals.add(500);
            urn(&[0.2; 50], 500, &mut random).into_iter().for_each(|count| pairs.add(count));
        }
        let mut priors = Priors { alpha: vec![0.5; truth.len()], beta: 0.01 };
        for _ in 0..40 {
            priors.fit_alpha(&topics, &lengths);
            priors.fit_beta(&pairs, &totals, 50);
        }
        for (alpha, wanted) in priors.alpha.iter().zip(truth) {
            assert!((alpha / wanted - 1.0).abs() < 0.1, "{:?}", priors.alpha);
        }
        assert!((priors.beta / 0.2 - 1.0).abs() < 0.1, "{}", priors.beta);
    }

    #[test]
    fn no_words_leave_the_priors_as_they_are() {
        let mut priors = Priors { alpha: vec![0.1; 3], beta: 0.01 };
        let before = priors.clone();
        priors.fit_alpha(&vec![Histogram::default(); 3], &Histogram::default());
        priors.fit_beta(&Histogram::default(), &Histogram::default(), 5);
        assert_eq!(priors, before);
    }
}
