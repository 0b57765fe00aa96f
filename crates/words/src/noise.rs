//! Noise words by Walker's alias method: exact, one table look-up a draw, eight bytes a word, so
//! that it stays in the cache (word2vec.c's table of 400 MB is what its speed waits for).

use std::hint::select_unpredictable;

use inlay_base::Random;

/// P(w) ∝ count(w)^exponent.
pub struct NoiseTable {
    /// For each slot: the chance out of 2³² to stay, and the word to go to otherwise.
    slots: Vec<(u32, u32)>,
}

impl NoiseTable {
    /// An exponent of 0.75 is the paper's, 1 the words' own frequency, 0 all alike; below 0 rare
    /// words are drawn more often (for items: Caselles-Dupré et al. 2018, arXiv:1804.04212).
    pub fn new(counts: &[u64], exponent: f64) -> Self {
        let weights: Vec<f64> =
            counts.iter().map(|&count| (count.max(1) as f64).powf(exponent)).collect();
        let mean = weights.iter().sum::<f64>() / weights.len().max(1) as f64;
        let mut left: Vec<f64> = weights.iter().map(|weight| weight / mean).collect();
        let (mut poor, mut rich): (Vec<u32>, Vec<u32>) =
            (0..counts.len() as u32).partition(|&word| left[word as usize] < 1.0);
        let mut slots: Vec<_> = (0..counts.len() as u32).map(|word| (u32::MAX, word)).collect();
        while let (Some(&little), Some(&much)) = (poor.last(), rich.last()) {
            poor.pop();
            let stay = left[little as usize];
            slots[little as usize] = ((stay * 4_294_967_296.0) as u32, much);
            left[much as usize] -= 1.0 - stay;
            if left[much as usize] < 1.0 {
                rich.pop();
                poor.push(much);
            }
        }
        Self { slots }
    }

    /// A word.
    #[inline(always)]
    pub fn draw(&self, random: &mut Random) -> u32 {
        let bits = random.bits();
        let slot = (((bits >> 32) * self.slots.len() as u64) >> 32) as u32;
        let (stay, other) = self.slots[slot as usize];
        // A branch on chance would be guessed wrongly every third time.
        select_unpredictable((bits as u32) <= stay, slot, other)
    }
}

/// Noise words of a thread, drawn before they are needed: the table is looked up for many at a time, so
/// that nobody waits for one.
#[derive(Default)]
pub struct Drawn {
    words: Vec<u32>,
    next: usize,
    /// How many more the sentence will need, about.
    wanted: usize,
}

impl Drawn {
    /// At most so many at a time.
    const MOST: usize = 256;
    /// At least so many, where more are needed than was thought.
    const LEAST: usize = 16;

    /// Before a sentence that will need about so many. What is left of the one before is forgotten, so
    /// that a sentence depends on its own random numbers alone.
    #[inline(always)]
    pub fn begin(&mut self, wanted: usize) {
        self.words.clear();
        self.next = 0;
        self.wanted = wanted;
    }

    /// The next word.
    #[inline(always)]
    pub fn next(&mut self, table: &NoiseTable, random: &mut Random) -> u32 {
        if self.next == self.words.len() {
            self.draw(table, random);
        }
        self.next += 1;
        self.words[self.next - 1]
    }

    #[inline(never)]
    fn draw(&mut self, table: &NoiseTable, random: &mut Random) {
        let count = self.wanted.clamp(Self::LEAST, Self::MOST);
        self.wanted = self.wanted.saturating_sub(count);
        self.words.clear();
        self.words.extend((0..count).map(|_| table.draw(random)));
        self.next = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_drawn_ahead_are_those_of_the_table_and_a_sentence_begins_anew() {
        let table = NoiseTable::new(&[1000, 300, 200, 50, 7, 1], 0.75);
        let mut drawn = Drawn::default();
        for (wanted, taken) in [(0, 5), (40, 40), (40, 90), (1000, 1000)] {
            let [mut ahead, mut alone] = [Random::new(7, 0), Random::new(7, 0)];
            drawn.begin(wanted);
            let words: Vec<_> = (0..taken).map(|_| drawn.next(&table, &mut ahead)).collect();
            let wanted: Vec<_> = (0..taken).map(|_| table.draw(&mut alone)).collect();
            assert_eq!(words, wanted);
        }
    }

    #[test]
    fn words_are_drawn_by_their_weights() {
        let counts = [1000, 300, 200, 50, 7, 1];
        for exponent in [0.75, 1.0, 0.0, -0.5] {
            let table = NoiseTable::new(&counts, exponent);
            let mut random = Random::new(1, 0);
            let draws = 400_000;
            let mut drawn = [0u32; 6];
            (0..draws).for_each(|_| drawn[table.draw(&mut random) as usize] += 1);
            let weights: Vec<f64> = counts.iter().map(|&c| (c as f64).powf(exponent)).collect();
            let total: f64 = weights.iter().sum();
            for (word, weight) in weights.iter().enumerate() {
                let expected = weight / total * f64::from(draws);
                let error = (f64::from(drawn[word]) - expected).abs();
                assert!(error < 5.0 * expected.sqrt() + 1.0, "{exponent} {word}: {drawn:?}");
            }
        }
    }
}
