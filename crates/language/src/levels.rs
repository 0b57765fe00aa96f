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

use inlay_base::{Result, Run};
use inlay_kernels::fetch;

use crate::room::{Numbers, Room};
use crate::sorted::Sorted;
use crate::text::{BEGIN, END, Text};

/// No n-gram: it would begin before the beginning of its sentence.
const NONE: u32 = u32::MAX;
/// The highest bit of a count: the n-gram is too rare to be kept.
const PRUNED: u32 = 1 << 31;
/// Places between two questions whether the run goes on.
const STEP: usize = 1 << 15;
/// Places whose words are asked for together.
const TOGETHER: usize = 128;

/// The n-grams of one order, in suffix order.
pub struct Level {
    /// Which n-gram of the order below is its context, all words but the newest. None at order 1.
    pub context: Numbers,
    /// Which n-gram of the order below is its suffix, all words but the oldest. None at order 1.
    pub suffix: Numbers,
    counts: Numbers,
    /// How many n-grams there are.
    pub len: usize,
    /// For each word and one more, where the n-grams begin that it is the newest word of.
    pub starts: Vec<u32>,
    /// How often the last n-gram occurs, where the last place of all has one of this order.
    pub last: Option<u32>,
}

impl Level {
    /// Its adjusted count: how many words it is seen after; at the highest order and at the beginning
    /// of a sentence how often it is seen.
    #[inline]
    pub fn count(&self, entry: usize) -> u32 {
        self.counts[entry] & !PRUNED
    }

    /// The same n-grams with what was found of them. The counts stay.
    pub fn sorted(
        &mut self,
        probabilities: Numbers,
        backoffs: Option<Numbers>,
        room: &Room,
    ) -> Result<Sorted> {
        let (context, suffix) = (room.numbers(0)?, room.numbers(0)?);
        Ok(Sorted {
            starts: std::mem::take(&mut self.starts),
            context: std::mem::replace(&mut self.context, context),
            suffix: std::mem::replace(&mut self.suffix, suffix),
            probabilities,
            backoffs,
            len: self.len,
        })
    }

    /// Gives its memory back.
    pub fn free(&mut self, room: &Room) -> Result<()> {
        (self.context, self.suffix, self.counts) =
            (room.numbers(0)?, room.numbers(0)?, room.numbers(0)?);
        Ok(())
    }

    /// Whether it is too rare to be kept.
    #[inline]
    pub fn is_pruned(&self, entry: usize) -> bool {
        self.counts[entry] & PRUNED != 0
    }
}

/// A place of the text, and its n-gram.
type Place = [u32; 2];

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
    let (mut sorted, mut next) = (room.unset(2 * places)?, room.unset(2 * places)?);
    let mut levels = vec![words(text, sorted.pairs_mut(), room, run)?];
    for m in 2..=order {
        extend(text, sorted.pairs(), next.pairs_mut(), m, run)?;
        let below = &mut levels[m - 2];
        let (level, children) =
            number(text, sorted.pairs(), next.pairs_mut(), below.len, room, run)?;
        adjust(below, &children, thresholds[m - 2], run)?;
        levels.push(level);
        (sorted, next) = (next, sorted);
    }
    // The highest order counts as it is.
    let highest = &mut levels[order - 1];
    let children = room.numbers(highest.len)?;
    adjust(highest, &children, thresholds[order - 1], run)?;
    Ok(levels)
}

/// Order 1: every word, whether it occurs or not.
fn words(text: &Text, sorted: &mut [Place], room: &Room, run: &Run) -> Result<Level> {
    let vocabulary = text.names.len();
    let mut next = text.starts.clone();
    for (from, words) in (1..).step_by(STEP).zip(text.words[1..].chunks(STEP)) {
        run.check()?;
        for (place, &word) in (from..).zip(words) {
            let to = &mut next[word as usize];
            sorted[*to as usize] = [place, word];
            *to += 1;
        }
        run.advance(words.len() as u64);
    }
    let mut counts = room.numbers(vocabulary)?;
    for (count, ends) in counts.iter_mut().zip(text.starts.windows(2)) {
        *count = ends[1] - ends[0];
    }
    let last = counts.last().copied();
    let last = if vocabulary == text_end() { Some(counts[END as usize]) } else { last };
    Ok(Level {
        context: room.numbers(0)?,
        suffix: room.numbers(0)?,
        counts,
        len: vocabulary,
        starts: (0..=vocabulary as u32).collect(),
        last,
    })
}

/// The size of a vocabulary without a word.
fn text_end() -> usize {
    END as usize + 1
}

/// Sorts the places by one word more: `next` gets each place with the n-gram that ends before it.
fn extend(
    text: &Text,
    sorted: &[Place],
    next: &mut [Place],
    order: usize,
    run: &Run,
) -> Result<()> {
    let words: &[u32] = &text.words;
    let mut ends = text.starts.clone();
    let before = |word: u32| text.starts[word as usize] as usize;
    let mut found = Vec::with_capacity(TOGETHER);
    let mut follow = |places: &[Place]| -> Result<()> {
        for places in places.chunks(STEP) {
            run.check()?;
            for block in places.chunks(TOGETHER) {
                // What is met at random is asked for a block ahead: words first, then their places.
                block.iter().for_each(|&[place, _]| fetch(words, place as usize + 1));
                found.clear();
                for &[place, _] in block {
                    let word = words[place as usize + 1];
                    fetch(next, ends[word as usize] as usize);
                    found.push(word);
                }
                for (&[place, context], &word) in block.iter().zip(&found) {
                    let to = &mut ends[word as usize];
                    next[*to as usize] = [place + 1, context];
                    *to += 1;
                }
            }
            run.advance(places.len() as u64);
        }
        Ok(())
    };
    follow(&sorted[..before(END)])?;
    // What follows an end is a beginning.
    let context = if order == 2 { BEGIN } else { NONE };
    let last = words.len() as u32 - 1;
    let at_end = |&[place, _]: &Place| (place != last).then_some([place, context]);
    follow(&[[0, context]])?;
    for ends in sorted[before(END)..before(END + 1)].chunks(STEP) {
        let ends: Vec<Place> = ends.iter().filter_map(at_end).collect();
        follow(&ends)?;
    }
    follow(&sorted[before(END + 1)..])
}

/// Numbers the n-grams of sorted places: `next` gets them in the place of their contexts. Also counts,
/// for each n-gram of the order below, by how many words it is extended.
fn number(
    text: &Text,
    sorted: &[Place],
    next: &mut [Place],
    below: usize,
    room: &Room,
    run: &Run,
) -> Result<(Level, Numbers)> {
    let most = distinct(sorted, next, run)?;
    let (mut context, mut suffix) = (room.unset(most)?, room.unset(most)?);
    let (mut counts, mut children) = (room.numbers(most)?, room.numbers(below)?);
    let mut starts = Vec::with_capacity(text.starts.len());
    let (mut len, mut current, mut last) = (0, [NONE, NONE], None);
    for ends in text.starts.windows(2) {
        starts.push(len as u32);
        let range = ends[0] as usize..ends[1] as usize;
        let blocks = sorted[range.clone()].chunks(STEP).zip(next[range].chunks_mut(STEP));
        for (sorted, next) in blocks {
            run.check()?;
            for ([_, below], [_, before]) in sorted.iter().zip(next) {
                last = None;
                if *before == NONE {
                    continue;
                }
                if current != [*below, *before] {
                    current = [*below, *before];
                    (suffix[len], context[len]) = (*below, *before);
                    children[*below as usize] += 1;
                    len += 1;
                }
                counts[len - 1] += 1;
                *before = len as u32 - 1;
                last = Some(len - 1);
            }
        }
    }
    starts.push(len as u32);
    let last = last.map(|entry| counts[entry]);
    Ok((Level { context, suffix, counts, len, starts, last }, children))
}

/// How many n-grams `number` will find.
fn distinct(sorted: &[Place], next: &[Place], run: &Run) -> Result<usize> {
    let (mut found, mut current) = (0, [NONE, NONE]);
    for (sorted, next) in sorted.chunks(STEP).zip(next.chunks(STEP)) {
        run.check()?;
        for (&[_, below], &[_, before]) in sorted.iter().zip(next) {
            if before != NONE && current != [below, before] {
                current = [below, before];
                found += 1;
            }
        }
    }
    Ok(found)
}

/// Makes adjusted counts of counts, and marks what occurs too rarely.
fn adjust(level: &mut Level, children: &[u32], threshold: u32, run: &Run) -> Result<()> {
    let counts = level.counts[..level.len].chunks_mut(STEP);
    for (counts, children) in counts.zip(children.chunks(STEP)) {
        run.check()?;
        for (count, &children) in counts.iter_mut().zip(children) {
            let mark = if *count <= threshold && threshold > 0 { PRUNED } else { 0 };
            *count = mark | if children > 0 { children } else { *count };
        }
    }
    Ok(())
}
