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
    /// Which n-gram of the order below is all words but the oldest. Within a word, n-grams are in the
    /// order of their suffixes, and of their contexts where these are the same.
    pub suffix: Numbers,
    /// log10.
    pub probabilities: Numbers,
    /// log10; none at the highest order.
    pub backoffs: Option<Numbers>,
    /// How many n-grams there are.
    pub len: usize,
}

impl Sorted {
    /// The n-gram of a context and a word, by the n-gram that is its suffix.
    #[inline]
    pub fn find(&self, context: u32, suffix: u32, word: u32) -> Found {
        if context == NO_CELL || suffix == NO_CELL {
            return Found::NOTHING;
        }
        let (start, end) =
            (self.starts[word as usize] as usize, self.starts[word as usize + 1] as usize);
        let suffixes = &self.suffix[start..end];
        // The suffixes that are equal are few, mostly one.
        let first = start + suffixes.partition_point(|&found| found < suffix);
        let contexts = &self.context[first..end];
        let same =
            |&(at, found): &(usize, &u32)| self.suffix[first + at] == suffix && *found < context;
        let at = first + contexts.iter().enumerate().take_while(same).count();
        let is_there = at < end && self.suffix[at] == suffix && self.context[at] == context;
        if is_there { self.found(at as u32) } else { Found::NOTHING }
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

    /// Leaves out what is not kept. `below` are the new places of the order below, of which those of
    /// this one come.
    pub fn prune(
        &mut self,
        is_kept: impl Fn(usize) -> bool,
        below: Option<&Numbers>,
        room: &Room,
    ) -> Result<Numbers> {
        let mut places = room.unset(self.len)?;
        let moved = |place: u32| below.map_or(place, |below| below[place as usize]);
        let (mut kept, mut word) = (0, 0);
        for entry in 0..self.len {
            while self.starts[word] as usize <= entry && word + 1 < self.starts.len() {
                self.starts[word] = kept as u32;
                word += 1;
            }
            places[entry] = NO_CELL;
            if !is_kept(entry) {
                continue;
            }
            places[entry] = kept as u32;
            self.context[kept] = moved(self.context[entry]);
            self.suffix[kept] = moved(self.suffix[entry]);
            self.probabilities[kept] = self.probabilities[entry];
            if let Some(backoffs) = &mut self.backoffs {
                backoffs[kept] = backoffs[entry];
            }
            kept += 1;
        }
        self.starts[word..].fill(kept as u32);
        self.len = kept;
        Ok(places)
    }

    /// Bytes of memory.
    pub fn weight(&self) -> usize {
        let backoffs = self.backoffs.as_ref().map_or(0, |backoffs| backoffs.len());
        let numbers = self.context.len() + self.suffix.len() + self.probabilities.len() + backoffs;
        4 * (self.starts.len() + numbers)
    }
}
