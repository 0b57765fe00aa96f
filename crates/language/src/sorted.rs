use inlay_base::{Result, Run};

use crate::room::{Numbers, Room};
use crate::table::{Found, NO_CELL};

/// Numbers between two questions whether the run goes on.
const STEP: usize = 1 << 16;

/// The n-grams of one order from 2 on in suffix order, as the estimation leaves them: an ARPA file is
/// written from them without a table. They can be asked as well, by binary searches.
pub struct Sorted {
    /// For each word and one more, where the n-grams begin that it is the newest word of.
    pub starts: Vec<u32>,
    /// Which n-gram of the order below is all words but the newest.
    pub context: Numbers,
    /// For each n-gram of the order below and one more, where the n-grams begin that it is the suffix of,
    /// all words but the oldest. Those of a suffix are in the order of their contexts.
    pub begins: Numbers,
    /// log10.
    pub probabilities: Numbers,
    /// log10; none at the highest order.
    pub backoffs: Option<Numbers>,
    /// How many n-grams there are.
    pub len: usize,
}

impl Sorted {
    /// The n-gram of a context, and of another as its suffix, which says its newest word.
    #[inline]
    pub fn find(&self, context: u32, suffix: u32) -> Found {
        if context == NO_CELL || suffix == NO_CELL {
            return Found::NOTHING;
        }
        let suffix = suffix as usize;
        let (start, end) = (self.begins[suffix] as usize, self.begins[suffix + 1] as usize);
        match self.context[start..end].binary_search(&context) {
            Ok(at) => self.found((start + at) as u32),
            Err(_) => Found::NOTHING,
        }
    }

    fn found(&self, slot: u32) -> Found {
        let probability = self.probabilities.reals()[slot as usize];
        Found { slot, probability, backoff: self.backoff(slot as usize) }
    }

    #[inline]
    pub fn backoff(&self, entry: usize) -> f32 {
        self.backoffs.as_ref().map_or(0.0, |backoffs| backoffs.reals()[entry])
    }

    /// The newest word of each n-gram of a range, in order.
    pub fn words(&self, range: std::ops::Range<usize>) -> impl Iterator<Item = u32> + '_ {
        let mut word = self.starts.partition_point(|&start| start as usize <= range.start) - 1;
        range.map(move |entry| {
            while self.starts[word + 1] as usize <= entry {
                word += 1;
            }
            word as u32
        })
    }

    /// Context and newest word of each n-gram.
    pub fn pairs(&self, room: &Room, run: &Run) -> Result<Numbers> {
        let mut pairs = room.unset(2 * self.len)?;
        for from in (0..self.len).step_by(STEP) {
            run.check()?;
            let range = from..self.len.min(from + STEP);
            let found = self.context[range.clone()].iter().zip(self.words(range.clone()));
            for (pair, (&context, word)) in pairs.pairs_mut()[range].iter_mut().zip(found) {
                *pair = [context, word];
            }
        }
        Ok(pairs)
    }

    /// Leaves out those whose probability is negative, and says where each is now. `below` says it of the
    /// order below, if some of that are gone: never one that an n-gram is left of.
    pub fn prune(&mut self, below: Option<&Numbers>, room: &Room) -> Result<Numbers> {
        let mut places = room.unset(self.len)?;
        let moved = |place: usize| below.map_or(place as u32, |below| below[place]);
        let (mut kept, mut suffixes, mut word, mut begin) = (0, 0, 0, 0);
        for suffix in 0..self.begins.len() - 1 {
            let entries = begin..self.begins[suffix + 1] as usize;
            begin = entries.end;
            if moved(suffix) != NO_CELL {
                self.begins[suffixes] = kept as u32;
                suffixes += 1;
            }
            for entry in entries {
                while self.starts[word] as usize <= entry && word + 1 < self.starts.len() {
                    self.starts[word] = kept as u32;
                    word += 1;
                }
                places[entry] = NO_CELL;
                if self.probabilities.reals()[entry].is_sign_negative() {
                    continue;
                }
                places[entry] = kept as u32;
                self.context[kept] = moved(self.context[entry] as usize);
                self.probabilities[kept] = self.probabilities[entry];
                if let Some(backoffs) = &mut self.backoffs {
                    backoffs[kept] = backoffs[entry];
                }
                kept += 1;
            }
        }
        self.begins[suffixes] = kept as u32;
        self.starts[word..].fill(kept as u32);
        self.len = kept;
        Ok(places)
    }

    /// Bytes of memory.
    pub fn weight(&self) -> usize {
        let backoffs = self.backoffs.as_ref().map_or(0, |backoffs| backoffs.len());
        let numbers = self.context.len() + self.begins.len() + self.probabilities.len() + backoffs;
        4 * (self.starts.len() + numbers)
    }
}
