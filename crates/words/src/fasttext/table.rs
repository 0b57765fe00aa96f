//! Which rows make a word: one of its own, and one for each of its character n-grams (Bojanowski et
//! al. 2017, arXiv:1607.04606, section 3.2). N-grams are hashed into buckets; only buckets that the
//! vocabulary meets have rows, which is a tenth of them.

use inlay_base::{Error, Random, Result, SharedMatrix};
use inlay_formats::Names;

use crate::subwords::Ngrams;

/// Rows of words: `0..words` their own, then one for each bucket that is met, by rising bucket.
pub struct Table {
    words: usize,
    /// By row less `words`: its bucket.
    buckets: Vec<u32>,
    /// Where each word's rows begin in `rows`: one value more than words.
    offsets: Vec<u32>,
    /// The rows of each word, its own first.
    rows: Vec<u32>,
}

impl Table {
    /// The rows of a vocabulary.
    ///
    /// # Errors
    /// `Unsupported`: more rows than can be numbered.
    pub fn new(names: &Names, ngrams: Ngrams) -> Result<Self> {
        let too_many = || Error::Unsupported { what: "so many n-grams of so many words".into() };
        let mut numbers = vec![u32::MAX; ngrams.bucket as usize];
        for word in names.iter() {
            ngrams.of_word(word, |bucket| numbers[bucket as usize] = 0);
        }
        let met = (0..).zip(&numbers).filter(|&(_, &number)| number == 0);
        let buckets: Vec<u32> = met.map(|(bucket, _)| bucket).collect();
        for (row, &bucket) in (names.len()..).zip(&buckets) {
            numbers[bucket as usize] = u32::try_from(row).map_err(|_| too_many())?;
        }
        let (mut offsets, mut rows) = (Vec::with_capacity(names.len() + 1), Vec::new());
        offsets.push(0);
        for (own, word) in (0..).zip(names.iter()) {
            rows.push(own);
            ngrams.of_word(word, |bucket| rows.push(numbers[bucket as usize]));
            offsets.push(u32::try_from(rows.len()).map_err(|_| too_many())?);
        }
        Ok(Self { words: names.len(), buckets, offsets, rows })
    }

    /// The rows of a word, its own first. A bucket that two of its n-grams share is there twice.
    #[inline(always)]
    pub fn rows(&self, word: u32) -> &[u32] {
        let (start, end) = (self.offsets[word as usize], self.offsets[word as usize + 1]);
        &self.rows[start as usize..end as usize]
    }

    /// All rows.
    pub fn len(&self) -> usize {
        self.words + self.buckets.len()
    }

    /// The buckets that have rows, rising.
    pub fn buckets(&self) -> &[u32] {
        &self.buckets
    }

    /// Rows of n-grams as they begin; those of words are the caller's.
    pub fn fill_ngrams(&self, input: &SharedMatrix, seed: u64) {
        let mut values = vec![0.0; input.columns()];
        for (row, &bucket) in (self.words as u32..).zip(&self.buckets) {
            first_values(seed, bucket, &mut values);
            input.write(row, &values);
        }
    }
}

/// What a bucket holds before anything is learnt: uniform in ±1 / dimensions, by seed and bucket
/// alone, so that a bucket that was never met needs no row.
pub fn first_values(seed: u64, bucket: u32, values: &mut [f32]) {
    // Streams below 2³² are the shards of a training.
    let mut random = Random::new(seed, 1 << 32 | u64::from(bucket));
    let scale = 2.0 / values.len() as f32;
    values.fill_with(|| (random.unit() - 0.5) * scale);
}
