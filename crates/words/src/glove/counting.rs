//! Counts which words meet within a window, in bounded memory. Pairs of frequent words are counted
//! in a table; the others are written down as they come, sorted when there are too many of them, and
//! left as sorted runs in a temporary file.
//!
//! Counts are whole numbers of 2⁻³²: their sums do not depend on their order, so the result is the
//! same for any number of threads and any memory.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use inlay_base::{Error, Pages, Result, Run};
use inlay_corpus::{Corpus, SENTENCE_END, Spool};

use super::cooccurrence::Counting;
use super::merge::Merge;
use crate::shards::shards;

/// A pair, its place in the order of pairs, and how often it was met in units of 2⁻³².
pub type Count = [u64; 2];

/// What a weight of 1 is in units.
pub const UNIT: f64 = (1u64 << 32) as f64;

/// Bits of an event that hold the distance: windows are 1000 wide at most.
const DISTANCE_BITS: u32 = 10;
/// Events that are sorted at once, within a few hundredths of a second.
const SORTED: usize = 1 << 20;
/// Counts of a run that are written at once.
const WRITTEN: usize = 1 << 12;
/// Words between two questions whether the run goes on.
const STEP: usize = 1 << 9;

/// What one thread has left: a temporary file of sorted runs.
pub struct Runs {
    /// The file.
    pub spool: Spool,
    /// Where each run lies in it, in counts.
    pub places: Vec<Range<usize>>,
}

/// Counts the pairs of a corpus: (later word, earlier word) by number where both orders are one,
/// else (word to the left, word to the right).
pub fn count(corpus: &Corpus, counting: &Counting, run: &Run) -> Result<Vec<Runs>> {
    let ids = corpus.ids();
    let vocabulary = corpus.names().len();
    let bits = usize::BITS - vocabulary.leading_zeros();
    if 2 * bits + DISTANCE_BITS > u64::BITS {
        let what = format!("{vocabulary} words are more than pairs are counted of: 2^27");
        return Err(Error::Unsupported { what });
    }
    let share = (counting.room.memory / run.threads() as u64) as usize;
    let most = corpus.tokens().saturating_mul(counting.window as u64);
    let cells = (share / 2 / 8).min(usize::try_from(most).unwrap_or(usize::MAX));
    let layout = Triangle::new(vocabulary, counting.symmetric, cells, run)?;
    let weights = weights(counting);
    let (shards, next) = (shards(ids, false), AtomicUsize::new(0));
    run.phase("count", "words", 0, Some(corpus.tokens()));
    run.workers(|_| {
        let events = (share / 2 / 8).max(2 * STEP * counting.window);
        let mut tally = Tally {
            layout: &layout,
            weights: &weights,
            bits,
            table: Pages::zeroed(2 * layout.cells())?,
            events: Vec::with_capacity(events.min(usize::try_from(most).unwrap_or(events))),
            most: events,
            runs: Runs {
                spool: Spool::create(counting.room.directory.as_deref())?,
                places: Vec::new(),
            },
            run,
        };
        while let Some(shard) = shards.get(next.fetch_add(1, Relaxed)) {
            tally.read(ids, shard, counting)?;
            corpus.release(shard.clone());
        }
        tally.finish()
    })
}

/// The weight of each distance, in units.
fn weights(counting: &Counting) -> Vec<u64> {
    let weight = |distance| match counting.distance_weighting {
        true => (UNIT / distance as f64).round() as u64,
        false => UNIT as u64,
    };
    (0..=counting.window).map(|distance| if distance == 0 { 0 } else { weight(distance) }).collect()
}

/// Which pairs have a cell of the table: those whose ranks have the smallest products, as in the C
/// tool; with words by frequency these are the pairs that meet most.
struct Triangle {
    /// Where the cells of each first word begin.
    starts: Vec<usize>,
}

impl Triangle {
    fn new(vocabulary: usize, symmetric: bool, cells: usize, run: &Run) -> Result<Self> {
        let width = |word: usize, product: usize| {
            let most = if symmetric { word + 1 } else { vocabulary };
            most.min(product / (word + 1))
        };
        let size = |product: usize| -> usize {
            (0..vocabulary.min(product)).map(|word| width(word, product)).sum()
        };
        let (mut fits, mut beyond) = (0, vocabulary.saturating_mul(vocabulary).saturating_add(1));
        while beyond - fits > 1 {
            run.check()?;
            let middle = fits + (beyond - fits) / 2;
            if size(middle) <= cells { fits = middle } else { beyond = middle }
        }
        let mut starts = Vec::with_capacity(vocabulary + 1);
        let mut start = 0;
        starts.push(0);
        for word in 0..vocabulary {
            start += width(word, fits);
            starts.push(start);
        }
        Ok(Self { starts })
    }

    fn cells(&self) -> usize {
        self.starts.last().copied().unwrap_or(0)
    }

    #[inline(always)]
    fn cell(&self, first: u32, second: u32) -> Option<usize> {
        let (start, end) = (self.starts[first as usize], self.starts[first as usize + 1]);
        let cell = start + second as usize;
        (cell < end).then_some(cell)
    }
}

/// What one thread counts.
struct Tally<'a> {
    layout: &'a Triangle,
    weights: &'a [u64],
    /// Bits of a word's number in an event.
    bits: u32,
    table: Pages,
    /// Pairs that have no cell: first word, second word, distance, from the highest bit down.
    events: Vec<u64>,
    /// How many events there may be.
    most: usize,
    runs: Runs,
    run: &'a Run,
}

impl Tally<'_> {
    fn read(&mut self, ids: &[u32], shard: &Range<usize>, counting: &Counting) -> Result<()> {
        let vocabulary = self.layout.starts.len() - 1;
        let mut from = shard.start;
        while from < shard.end {
            self.run.check()?;
            let to = shard.end.min(from + STEP);
            let mut words = 0;
            for place in from..to {
                let word = ids[place];
                if word == SENTENCE_END {
                    continue;
                }
                if word as usize >= vocabulary {
                    let problem = format!("word {word} of a vocabulary of {vocabulary}");
                    return Err(Error::InvalidInput {
                        source: "corpus".into(),
                        offset: None,
                        problem,
                    });
                }
                words += 1;
                // A shard may begin inside a sentence: its left words are in the one before.
                let before = &ids[place.saturating_sub(counting.window)..place];
                self.meet(word, before, counting.symmetric, vocabulary);
            }
            if self.events.len() + STEP * counting.window > self.most {
                self.spill()?;
            }
            self.run.advance(words);
            from = to;
        }
        Ok(())
    }

    /// Counts a word with those before it, up to the sentence's beginning.
    #[inline(always)]
    fn meet(&mut self, word: u32, before: &[u32], symmetric: bool, vocabulary: usize) {
        let table: &mut [u64] = bytemuck::cast_slice_mut(self.table.as_mut_slice());
        for (distance, &other) in (1..).zip(before.iter().rev()) {
            if other as usize >= vocabulary {
                break;
            }
            let (first, second) = match symmetric {
                true => (word.max(other), word.min(other)),
                false => (other, word),
            };
            match self.layout.cell(first, second) {
                Some(cell) => table[cell] += self.weights[distance],
                None => {
                    let pair = u64::from(first) << self.bits | u64::from(second);
                    self.events.push(pair << DISTANCE_BITS | distance as u64);
                }
            }
        }
    }

    /// Leaves the events as one sorted run: sorted in parts, so that the run can be stopped, which
    /// are merged on their way to the file.
    fn spill(&mut self) -> Result<()> {
        let mut events = std::mem::take(&mut self.events);
        for part in events.chunks_mut(SORTED) {
            self.run.check()?;
            part.sort_unstable();
        }
        let (bits, weights) = (self.bits, self.weights);
        let count = move |event: u64| {
            let pair = event >> DISTANCE_BITS;
            let (first, second) = (pair >> bits, pair & ((1 << bits) - 1));
            let distance = event & ((1 << DISTANCE_BITS) - 1);
            [first << 32 | second, weights[distance as usize]]
        };
        let merged = Merge::new(events.chunks(SORTED).map(|part| part.iter().map(|&e| count(e))));
        self.leave(merged)?;
        events.clear();
        self.events = events;
        Ok(())
    }

    /// Leaves the events and the table.
    fn finish(mut self) -> Result<Runs> {
        self.spill()?;
        self.events = Vec::new();
        let table = std::mem::replace(&mut self.table, Pages::zeroed(0)?);
        let table: &[u64] = bytemuck::cast_slice(table.as_slice());
        let starts = &self.layout.starts;
        let cells = starts.windows(2).zip(0u64..).flat_map(|(ends, first)| {
            let cells = table[ends[0]..ends[1]].iter().zip(0u64..);
            cells
                .filter(|(units, _)| **units > 0)
                .map(move |(&units, second)| [first << 32 | second, units])
        });
        self.leave(cells)?;
        Ok(self.runs)
    }

    /// Appends counts in their order to the file, as one run.
    fn leave(&mut self, counts: impl Iterator<Item = Count>) -> Result<()> {
        let Runs { spool, places } = &mut self.runs;
        let start = places.last().map_or(0, |place| place.end);
        let mut end = start;
        let mut block = Vec::with_capacity(WRITTEN);
        for count in counts {
            block.push(count);
            if block.len() == WRITTEN {
                self.run.check()?;
                spool.append(&block)?;
                end += block.len();
                block.clear();
            }
        }
        spool.append(&block)?;
        end += block.len();
        if start < end {
            places.push(start..end);
        }
        Ok(())
    }
}
