//! Few topics: each document has a count for every topic, and every weight is worked out at every
//! draw.

use inlay_base::{Pages, Random, Result};
use inlay_kernels::{Aligned, Simd, Tree, add_at, draw_dense};

use super::{Sampler, Terms, Word, padded};

/// Values that a cache line holds.
const LINE: usize = 16;

/// Counts of all topics of each document.
pub struct Dense {
    /// [documents, padded topics].
    counts: Pages,
    width: usize,
    topics: usize,
}

impl Dense {
    fn row(&self, document: usize) -> &[f32] {
        &self.counts.as_slice()[document * self.width..][..self.width]
    }
}

impl Sampler for Dense {
    fn new(lengths: &[u32], topics: usize) -> Result<Self> {
        let width = padded(topics);
        let counts = Pages::zeroed(lengths.len().saturating_mul(width))?;
        Ok(Self { counts, width, topics })
    }

    fn add(&mut self, document: usize, topic: u32) {
        self.counts.as_mut_slice()[document * self.width + topic as usize] += 1.0;
    }

    fn settle(&mut self) {}

    fn counts(&self, document: usize) -> impl Iterator<Item = (u32, u32)> {
        let counts = (0..).zip(self.row(document)).map(|(topic, &count)| (topic, count as u32));
        counts.filter(|&(_, count)| count > 0)
    }

    fn word(topics: usize) -> Word {
        let values = || Aligned::new(0.0, padded(topics));
        Word { counts: values(), shares: values(), tree: Tree::new(0) }
    }

    fn room(&self, _topics: usize) -> usize {
        self.width
    }

    #[inline(always)]
    fn begin<S: Simd>(simd: S, word: &mut Word, terms: &Terms<'_>) {
        word.share(simd, terms);
    }

    #[inline(always)]
    fn prefetch<S: Simd>(&self, simd: S, document: usize) {
        let row = &self.row(document);
        for i in (0..self.width).step_by(LINE) {
            simd.prefetch(&raw const row[i]);
        }
    }

    #[inline(always)]
    fn redraw<S: Simd>(
        &mut self,
        simd: S,
        (document, old): (usize, usize),
        word: &mut Word,
        terms: &Terms<'_>,
        sums: &mut [f32],
        random: &mut Random,
    ) -> (usize, f32) {
        let row = &mut self.counts.as_mut_slice()[document * self.width..][..self.width];
        add_at(simd, row, old, -1.0);
        word.change(simd, terms, old, -1.0);
        let (new, total) = draw_dense(simd, (row, terms.alpha), &word.shares, sums, random.unit());
        let new = new.min(self.topics - 1);
        add_at(simd, row, new, 1.0);
        word.change(simd, terms, new, 1.0);
        (new, total)
    }
}
