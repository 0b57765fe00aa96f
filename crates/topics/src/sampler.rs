//! What a draw needs of its document and its word: one form for few topics, one for many.

mod dense;
mod sparse;

use inlay_base::{Random, Result};
use inlay_kernels::{Aligned, DRAW_WIDTH, Simd, Tree, share_word, share_word_at};

pub use dense::Dense;
pub use sparse::Sparse;

/// A word whose occurrences are being drawn: values for each topic, padded to `DRAW_WIDTH`.
pub struct Word {
    /// n_wt.
    pub counts: Aligned<f32>,
    /// (n_wt + β) / (n_t + Vβ).
    pub shares: Aligned<f32>,
    /// Of the shares, where the sampler uses one.
    pub tree: Tree,
}

/// What is the same for all draws of a cell.
pub struct Terms<'a> {
    /// α_t, padded.
    pub alpha: &'a [f32],
    /// β.
    pub beta: f32,
    /// 1 / (n_t + Vβ), padded with zeros.
    pub inverse: Aligned<f32>,
}

/// Topics and the room that values for them take.
pub fn padded(topics: usize) -> usize {
    topics.next_multiple_of(DRAW_WIDTH)
}

impl Word {
    #[inline(always)]
    fn share<S: Simd>(&mut self, simd: S, terms: &Terms<'_>) {
        share_word(simd, &self.counts, terms.beta, &terms.inverse, &mut self.shares);
    }

    #[inline(always)]
    fn change<S: Simd>(&mut self, simd: S, terms: &Terms<'_>, topic: usize, by: f32) {
        let values = (&mut self.counts[..], &mut self.shares[..]);
        share_word_at(simd, values, terms.beta, &terms.inverse, (topic, by));
    }
}

/// How often each topic occurs in the documents of a block, and how topics are drawn with it.
pub trait Sampler: Send + Sized {
    /// Documents of these lengths, of which nothing is counted yet.
    fn new(lengths: &[u32], topics: usize) -> Result<Self>;

    /// Counts one more occurrence of a topic.
    fn add(&mut self, document: usize, topic: u32);

    /// Orders what may lie in any order, so that it does not tell what was drawn before.
    fn settle(&mut self);

    /// Topics of a document with their counts.
    fn counts(&self, document: usize) -> impl Iterator<Item = (u32, u32)>;

    /// A word without counts.
    fn word(topics: usize) -> Word;

    /// The values that draws need as room.
    fn room(&self, topics: usize) -> usize;

    /// Works out what a word gives to draws, from its counts.
    fn begin<S: Simd>(simd: S, word: &mut Word, terms: &Terms<'_>);

    /// Asks for the memory of a document that is needed soon.
    fn prefetch<S: Simd>(&self, simd: S, document: usize);

    /// Takes an occurrence of a topic out of a document and the word, draws another for it, and puts
    /// that in. Gives it, and the sum of all weights.
    fn redraw<S: Simd>(
        &mut self,
        simd: S,
        document_and_old: (usize, usize),
        word: &mut Word,
        terms: &Terms<'_>,
        sums: &mut [f32],
        random: &mut Random,
    ) -> (usize, f32);
}
