//! Many topics: each document has a list of those it has, and the rest of the weights, αₜ·shareₜ, is
//! a tree that changes at two leaves a draw (the F+ tree of Yu et al. 2015, arXiv:1412.4986, with
//! branches of 16).
//!
//! ```text
//! Σ (n_dt + α_t) · share_t = Σ over the list n_dt · share_t  +  Σ over the tree α_t · share_t
//! ```

use inlay_base::{Random, Result};
use inlay_kernels::{
    Aligned, DRAW_WIDTH, List, Simd, Tree, add_at, draw_sparse, weigh_word, weigh_word_at,
};

use super::{Sampler, Terms, Word, padded};

/// What stands in a list where no topic does.
const NOBODY: u32 = u32::MAX;
/// Values that a cache line holds.
const LINE: usize = 16;
/// Cache lines of a list that are asked for ahead of its use.
const AHEAD: usize = 3;

/// Lists of the topics of each document.
pub struct Sparse {
    /// Where the list of each document begins; the end of all. Multiples of `DRAW_WIDTH`.
    starts: Vec<usize>,
    /// Topics in each list.
    lengths: Vec<u32>,
    /// `NOBODY` beyond a list's length.
    topics: Aligned<u32>,
    /// 0 beyond a list's length.
    counts: Aligned<f32>,
    topics_in_all: usize,
}

impl Sampler for Sparse {
    fn new(lengths: &[u32], topics: usize) -> Result<Self> {
        let mut starts = vec![0];
        let mut end = 0;
        starts.extend(lengths.iter().map(|&length| {
            end += (length as usize).min(topics).next_multiple_of(DRAW_WIDTH);
            end
        }));
        Ok(Self {
            starts,
            lengths: vec![0; lengths.len()],
            topics: Aligned::new(NOBODY, end),
            counts: Aligned::new(0.0, end),
            topics_in_all: topics,
        })
    }

    fn add(&mut self, document: usize, topic: u32) {
        let start = self.starts[document];
        let length = self.lengths[document] as usize;
        let known = self.topics[start..start + length].iter().position(|&other| other == topic);
        match known {
            Some(place) => self.counts[start + place] += 1.0,
            None => {
                self.topics[start + length] = topic;
                self.counts[start + length] = 1.0;
                self.lengths[document] += 1;
            }
        }
    }

    fn settle(&mut self) {
        let mut list: Vec<(u32, f32)> = Vec::new();
        for (document, &length) in self.lengths.iter().enumerate() {
            let range = self.starts[document]..self.starts[document] + length as usize;
            let (topics, counts) = (&mut self.topics[range.clone()], &mut self.counts[range]);
            if topics.is_sorted() {
                continue;
            }
            list.clear();
            list.extend(topics.iter().copied().zip(counts.iter().copied()));
            list.sort_unstable_by_key(|&(topic, _)| topic);
            for ((topic, count), &sorted) in topics.iter_mut().zip(counts).zip(&list) {
                (*topic, *count) = sorted;
            }
        }
    }

    fn counts(&self, document: usize) -> impl Iterator<Item = (u32, u32)> {
        let range = self.starts[document]..;
        let pairs = self.topics[range.clone()].iter().zip(&self.counts[range]);
        pairs.take(self.lengths[document] as usize).map(|(&topic, &count)| (topic, count as u32))
    }

    fn word(topics: usize) -> Word {
        let values = || Aligned::new(0.0, padded(topics));
        Word { counts: values(), shares: values(), tree: Tree::new(padded(topics)) }
    }

    fn room(&self, topics: usize) -> usize {
        let longest = self.starts.windows(2).map(|ends| ends[1] - ends[0]).max().unwrap_or(0);
        longest.max(padded(padded(topics) / DRAW_WIDTH))
    }

    #[inline(always)]
    fn begin<S: Simd>(simd: S, word: &mut Word, terms: &Terms<'_>) {
        word.share(simd, terms);
        weigh_word(simd, terms.alpha, &word.shares, &mut word.tree);
    }

    #[inline(always)]
    fn prefetch<S: Simd>(&self, simd: S, document: usize) {
        let start = self.starts[document];
        for i in 0..AHEAD {
            simd.prefetch(self.topics.as_ptr().wrapping_add(start + i * LINE).cast());
            simd.prefetch(self.counts.as_ptr().wrapping_add(start + i * LINE));
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
        let start = self.starts[document];
        let length = self.lengths[document] as usize;
        // One vector more where the list could grow into it.
        let end = self.starts[document + 1].min(start + (length + 1).next_multiple_of(DRAW_WIDTH));
        let (topics, counts) = (&mut self.topics[start..end], &mut self.counts[start..end]);
        let place = find(simd, topics, old as u32);
        add_at(simd, counts, place, -1.0);
        word.change(simd, terms, old, -1.0);
        weigh_word_at(simd, terms.alpha, &word.shares, &mut word.tree, old);
        let used = length.next_multiple_of(DRAW_WIDTH);
        let list = List { topics: &topics[..used], counts: &counts[..used] };
        let bits = random.bits();
        let unit = |bits: u64| bits as u32 as f32 * (1.0 / (1u64 << 32) as f32);
        let units = (unit(bits >> 40 << 8), unit(bits & 0xffff_ff00));
        let (new, drawn, total) = draw_sparse(simd, list, &word.shares, &word.tree, sums, units);
        let new = new.min(self.topics_in_all - 1);
        let known = match drawn {
            Some(place) if place < length => place,
            _ => find(simd, topics, new as u32),
        };
        let emptied = counts[place] == 0.0 && known != place;
        if known < length {
            add_at(simd, counts, known, 1.0);
            if emptied {
                // The last one takes the empty place.
                let last = length - 1;
                (topics[place], counts[place]) = (topics[last], counts[last]);
                (topics[last], counts[last]) = (NOBODY, 0.0);
                self.lengths[document] -= 1;
            }
        } else {
            // A new topic takes the place of one that is gone, or a place of its own.
            let free = if emptied { place } else { length };
            (topics[free], counts[free]) = (new as u32, 1.0);
            self.lengths[document] += u32::from(!emptied);
        }
        word.change(simd, terms, new, 1.0);
        weigh_word_at(simd, terms.alpha, &word.shares, &mut word.tree, new);
        (new, total)
    }
}

/// The place of a topic in a padded list; its length if it is not there.
#[inline(always)]
fn find<S: Simd>(simd: S, topics: &[u32], topic: u32) -> usize {
    for first in (0..topics.len()).step_by(S::LANES) {
        let found = simd.matches(&topics[first..], topic);
        if found != 0 {
            return first + found.trailing_zeros() as usize;
        }
    }
    topics.len()
}
