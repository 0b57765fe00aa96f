//! Counts the n-grams of every order in suffix order: by their newest word, then the one before it,
//! and so on.
//!
//! The places of a text are sorted by their newest word first. Places sorted by their last m - 1 words
//! give those sorted by m: whoever comes before is taken in that order, and the place after it is put
//! behind the others of its own word.
//!
//! ```text
//! for q in places by the last m-1 words:   put q+1 at the end of the places of word[q+1]
//! ```
//!
//! That is one pass over the text for each order, whatever the vocabulary; and q brings along the
//! number of its (m-1)-gram, which is the context of the m-gram at q+1.

use std::sync::Mutex;

use inlay_base::{Result, Run, Workers, lock};

use crate::room::{Numbers, Room};
use crate::shares::{self, Shares};
use crate::sorted::Sorted;
use crate::text::Text;

/// The highest bit of a count: the n-gram is too rare to be kept. It is the sign of the probability that
/// takes the place of the count.
pub const PRUNED: u32 = 1 << 31;
/// N-grams of a part that one thread works on at a time.
const PART: usize = 1 << 16;
/// Counts that are told apart.
pub const TOLD: usize = 5;

/// The n-grams of one order, in suffix order.
pub struct Level {
    /// Which n-gram of the order below is its context, all words but the newest. None at order 1.
    pub context: Numbers,
    /// For each n-gram of the order below and one more, where the n-grams begin whose suffix it is, all
    /// words but the oldest. None at order 1.
    pub begins: Numbers,
    /// Adjusted counts: how many words it is seen after; at the highest order and at the beginning
    /// of a sentence how often it is seen. `PRUNED` marks some.
    pub counts: Numbers,
    /// How many n-grams there are.
    pub len: usize,
    /// For each word and one more, where the n-grams begin that it is the newest word of.
    pub starts: Vec<u32>,
    /// How many n-grams have the adjusted count 0, 1, 2, 3, 4.
    pub tally: [u64; TOLD],
    /// How often the last n-gram occurs, where the last place of all has one of this order.
    pub last: Option<u32>,
}

impl Level {
    /// The same n-grams with what was found of them.
    pub fn into_sorted(self, probabilities: Numbers, backoffs: Option<Numbers>) -> Sorted {
        let Self { context, begins, starts, len, .. } = self;
        Sorted { starts, context, begins, probabilities, backoffs, len }
    }

    /// Makes adjusted counts of counts, by the n-grams of the order above, and marks what occurs too rarely.
    fn adjust(&mut self, above: Option<&Level>, threshold: u32, run: &Run) -> Result<()> {
        let parts: Vec<_> = self.counts.chunks_mut(PART).map(Mutex::new).collect();
        let tally = Mutex::new([0; TOLD]);
        run.each(parts.len(), &|part| {
            let mut found = [0; TOLD];
            for (entry, count) in (part * PART..).zip(lock(&parts[part]).iter_mut()) {
                let children =
                    above.map_or(0, |above| above.begins[entry + 1] - above.begins[entry]);
                let mark = if *count <= threshold && threshold > 0 { PRUNED } else { 0 };
                let adjusted = if children > 0 { children } else { *count };
                if let Some(found) = found.get_mut(adjusted as usize) {
                    *found += 1;
                }
                *count = mark | adjusted;
            }
            lock(&tally).iter_mut().zip(found).for_each(|(all, found)| *all += found);
            Ok(())
        })?;
        self.tally = *lock(&tally);
        Ok(())
    }
}

/// The n-grams of all orders from 1 to `order`. Those that occur `thresholds[order - 1]` times or less
/// are marked. Phase "count" in words, all orders together.
pub fn count(
    text: &Text,
    order: usize,
    thresholds: &[u32],
    room: &Room,
    run: &Run,
) -> Result<Vec<Level>> {
    let places = text.len();
    run.phase("count", "words", 0, Some((order * places) as u64));
    let mut both = room.unset(4 * places)?;
    let (mut sorted, mut next) = both.pairs_mut().split_at_mut(places);
    let shares = Shares::of(text, run.threads());
    shares::words(text, sorted, run)?;
    let ends = shares.ends(text, sorted, room, run)?;
    let mut levels = vec![words(text, room)?];
    for m in 2..=order {
        shares.extend(text, sorted, next, &ends, m, run)?;
        let below = &mut levels[m - 2];
        let level = shares.number(text, sorted, next, below, room, run)?;
        below.adjust(Some(&level), thresholds[m - 2], run)?;
        levels.push(level);
        (sorted, next) = (next, sorted);
    }
    levels[order - 1].adjust(None, thresholds[order - 1], run)?;
    Ok(levels)
}

/// Order 1: every word, whether it occurs or not.
fn words(text: &Text, room: &Room) -> Result<Level> {
    let len = text.names.len();
    let mut counts = room.unset(len)?;
    for (count, ends) in counts.iter_mut().zip(text.starts.windows(2)) {
        *count = ends[1] - ends[0];
    }
    Ok(Level {
        context: room.numbers(0)?,
        begins: room.numbers(0)?,
        len,
        starts: (0..=len as u32).collect(),
        tally: [0; TOLD],
        last: counts.last().copied(),
        counts,
    })
}
