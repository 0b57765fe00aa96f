//! Frequent words are left out at random (Mikolov et al. 2013, section 2.3, in word2vec.c's form):
//! with f the word's share of the corpus and t the threshold, kept with
//!
//! ```text
//! P = min(1, (√(f/t) + 1) · t/f)
//! ```

use inlay_base::Random;

/// How likely each word is kept.
pub struct Subsample {
    /// Out of 2³²; empty: all are kept.
    keep: Vec<u32>,
}

impl Subsample {
    /// A threshold of 0 keeps all.
    pub fn new(counts: &[u64], threshold: f64) -> Self {
        let total: f64 = counts.iter().map(|&count| count as f64).sum();
        let chance = |&count: &u64| {
            let ratio = count.max(1) as f64 / (threshold * total);
            ((ratio.sqrt() + 1.0) / ratio * 4_294_967_296.0).min(4_294_967_295.0) as u32
        };
        Self {
            keep: if threshold > 0.0 { counts.iter().map(chance).collect() } else { Vec::new() },
        }
    }

    /// Whether this occurrence of the word stays.
    #[inline(always)]
    pub fn keeps(&self, word: u32, random: &mut Random) -> bool {
        match self.keep.get(word as usize) {
            None | Some(&u32::MAX) => true,
            Some(&keep) => ((random.bits() >> 32) as u32) < keep,
        }
    }

    /// Replaces what is in `kept` by the words that stay. It has no branches that depend on chance, and
    /// draws for each word.
    pub fn keep(&self, words: &[u32], random: &mut Random, kept: &mut Vec<u32>) {
        kept.clear();
        if self.keep.is_empty() {
            return kept.extend_from_slice(words);
        }
        kept.resize(words.len(), 0);
        let mut count = 0;
        for &word in words {
            kept[count] = word;
            let keep = self.keep[word as usize];
            count += usize::from((random.bits() >> 32) as u32 <= keep);
        }
        kept.truncate(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_kept_as_often_as_the_formula_says() {
        let counts = [90_000, 9_000, 900, 100];
        let subsample = Subsample::new(&counts, 1e-3);
        let mut random = Random::new(1, 0);
        for (word, &count) in counts.iter().enumerate() {
            let ratio = count as f64 / 1e5 / 1e-3;
            let chance = ((ratio.sqrt() + 1.0) / ratio).min(1.0);
            let kept = (0..100_000).filter(|_| subsample.keeps(word as u32, &mut random)).count();
            assert!((kept as f64 - chance * 1e5).abs() < 5.0 * 1e5f64.sqrt(), "{word}: {kept}");
        }
        let all = Subsample::new(&counts, 0.0);
        assert!((0..1000).all(|_| all.keeps(0, &mut random)));
    }
}
