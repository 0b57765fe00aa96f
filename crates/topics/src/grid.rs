//! A text laid out for Gibbs sampling: a fixed grid of blocks of documents x blocks of words.
//!
//! ```text
//!                words 0   words 1   words 2
//! documents 0       a         b         c        a round takes one cell of each row and column:
//! documents 1       c         a         b        cells of a round share neither documents nor
//! documents 2       b         c         a        words, so they can be worked on at once
//! ```
//!
//! The grid depends on the text alone, each cell has random numbers of its own, and the totals of the
//! topics are those at the start of the round: what comes out is the same for any number of threads.
//! Occurrences lie word by word: what a word gives to a draw is worked out once for all of them.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard};

use inlay_base::{Error, Random, Result, Run, lock};
use inlay_corpus::{Corpus, SENTENCE_END};

/// Words of text for which one more row and column are worth having: a small cell begins each of its
/// words for few occurrences.
const CELL: u64 = 1 << 14;
/// Rows and columns at most.
pub const WIDEST: usize = 32;
/// The most words that a document may have: counts are f32, which holds all integers up to here.
const LONGEST: usize = 1 << 24;
/// Words of text between two looks at the signal.
const STEP: usize = 1 << 18;
/// A word keeps a row of counts from so many occurrences on: topics over this. Counting so many
/// anew takes as long as reading a row.
const ROW: usize = 4;
/// No row of counts.
const NO_ROW: u32 = u32::MAX;

/// The text, its topics, and where the blocks of documents begin.
pub struct Grid {
    blocks: Vec<Mutex<Words>>,
    /// The first document of each block, and the number of all.
    firsts: Vec<usize>,
    /// Words in each document.
    lengths: Vec<u32>,
    /// Of each word of the vocabulary: its block, and its place there.
    places: Vec<(u32, u32)>,
    tokens: u64,
}

/// A block of words: their occurrences, word by word and document by document.
pub struct Words {
    /// Which words, most frequent first.
    ids: Vec<u32>,
    /// Where the occurrences of each word begin in each block of documents; the end of all.
    starts: Vec<usize>,
    columns: usize,
    /// Of each occurrence: its document, counted within its block.
    pub documents: Vec<u32>,
    /// Of each occurrence.
    pub topics: Vec<u16>,
    /// Of each word: where its counts lie in `counts`, if it has so many occurrences that counting
    /// them anew would take longer than reading a row.
    rows: Vec<u32>,
    counts: Vec<u32>,
    topics_in_all: usize,
    /// Counts that are there before any document, by word: where they begin in `base`.
    base_starts: Vec<usize>,
    base: Vec<(u16, u32)>,
}

/// Counts of words that other documents left, by word.
pub trait Before: Sync {
    /// Topics and counts of a word.
    fn of_word(&self, word: u32) -> impl Iterator<Item = (u16, u32)>;
}

/// No other documents.
pub struct Nothing;

impl Before for Nothing {
    fn of_word(&self, _word: u32) -> impl Iterator<Item = (u16, u32)> {
        std::iter::empty()
    }
}

impl Grid {
    /// Lays out the sentences of a corpus as documents.
    ///
    /// # Errors
    /// `InvalidInput`: an id that no word has; `Unsupported`: a document of more than 16,777,216
    /// words; `Aborted`.
    pub fn new(corpus: &Corpus, topics: usize, before: &impl Before, run: &Run) -> Result<Self> {
        let ids = corpus.ids();
        let (lengths, counts) = measure(ids, corpus.names().len(), run)?;
        let tokens: u64 = counts.iter().sum();
        let size = (tokens / CELL).isqrt().clamp(1, WIDEST as u64) as usize;
        let firsts = cut(&lengths, tokens, size);
        let size = firsts.len() - 1;
        let (places, members) = deal(&counts, size);
        let mut blocks: Vec<Words> =
            members.into_iter().map(|ids| Words::new(ids, size, topics)).collect();
        fill(ids, &firsts, &places, &mut blocks, run)?;
        for block in &mut blocks {
            block.keep_rows(before);
            run.check()?;
        }
        let blocks = blocks.into_iter().map(Mutex::new).collect();
        Ok(Self { blocks, firsts, lengths, places, tokens })
    }

    /// Rows, and columns.
    pub fn size(&self) -> usize {
        self.blocks.len()
    }

    /// Words of text.
    pub fn tokens(&self) -> u64 {
        self.tokens
    }

    /// Words in each document of a block.
    pub fn lengths_of(&self, block: usize) -> &[u32] {
        &self.lengths[self.range(block)]
    }

    /// The documents of a block.
    pub fn range(&self, block: usize) -> Range<usize> {
        self.firsts[block]..self.firsts[block + 1]
    }

    /// A block of words, for whoever works on it alone.
    pub fn words(&self, block: usize) -> MutexGuard<'_, Words> {
        lock(&self.blocks[block])
    }

    /// Topics of a word of the vocabulary and how often each occurs, counts before included.
    pub fn pairs_of(&self, word: usize, into: &mut Vec<(u16, u32)>) {
        let (block, place) = self.places[word];
        self.words(block as usize).pairs_of(place as usize, into);
    }

    /// Gives every occurrence a topic at random.
    pub fn scatter(&self, topics: usize, run: &Run) -> Result<()> {
        for block in 0..self.size() {
            run.check()?;
            // The streams from 0 on are those of the cells.
            let mut random = Random::new(run.seed(), u64::MAX - block as u64);
            let mut words = self.words(block);
            words.topics.fill_with(|| random.below(topics as u32) as u16);
            words.count();
        }
        Ok(())
    }

    /// All topics, block by block.
    pub fn topics(&self, into: &mut Vec<u16>) {
        into.clear();
        (0..self.size()).for_each(|block| into.extend_from_slice(&self.words(block).topics));
    }

    /// Takes what `topics` gave; false if it is of another text or number of topics.
    pub fn set_topics(&self, given: &[u16], topics: usize) -> bool {
        if given.len() as u64 != self.tokens || given.iter().any(|&t| usize::from(t) >= topics) {
            return false;
        }
        let mut rest = given;
        for block in 0..self.size() {
            let mut words = self.words(block);
            let (own, others) = rest.split_at(words.topics.len());
            words.topics.copy_from_slice(own);
            words.count();
            rest = others;
        }
        true
    }
}

/// Lengths of documents and counts of words.
fn measure(ids: &[u32], words: usize, run: &Run) -> Result<(Vec<u32>, Vec<u64>)> {
    let (mut lengths, mut counts) = (Vec::new(), vec![0u64; words]);
    let (mut length, mut open) = (0, false);
    for (at, &id) in ids.iter().enumerate() {
        if at % STEP == 0 {
            run.check()?;
        }
        if id == SENTENCE_END {
            lengths.push(length);
            (length, open) = (0, false);
            continue;
        }
        let count = counts.get_mut(id as usize).ok_or_else(|| {
            let problem = format!("the id {id} belongs to no word");
            Error::InvalidInput { source: "the corpus".into(), offset: None, problem }
        })?;
        *count += 1;
        length += 1;
        open = true;
        if length as usize > LONGEST {
            let what = format!("a document of more than {LONGEST} words");
            return Err(Error::Unsupported { what });
        }
    }
    if open {
        lengths.push(length);
    }
    Ok((lengths, counts))
}

/// The first document of each block: blocks of about as many words.
fn cut(lengths: &[u32], tokens: u64, size: usize) -> Vec<usize> {
    let mut firsts = vec![0];
    let mut words = 0;
    for (document, &length) in lengths.iter().enumerate() {
        words += u64::from(length);
        if words * size as u64 >= tokens * firsts.len() as u64 && document + 1 < lengths.len() {
            firsts.push(document + 1);
        }
        if firsts.len() == size {
            break;
        }
    }
    firsts.push(lengths.len());
    firsts
}

/// Deals words out, the most frequent first, each to the block with the fewest occurrences: for each
/// word its block and its place there, and for each block its words.
fn deal(counts: &[u64], size: usize) -> (Vec<(u32, u32)>, Vec<Vec<u32>>) {
    let mut loads = vec![0u64; size];
    let mut members = vec![Vec::new(); size];
    let dealt = counts.iter().enumerate().map(|(word, &count)| {
        let block = (0..size).min_by_key(|&block| loads[block]).unwrap_or(0);
        loads[block] += count;
        members[block].push(word as u32);
        (block as u32, members[block].len() as u32 - 1)
    });
    (dealt.collect(), members)
}

/// Counts, then places the occurrences.
fn fill(
    ids: &[u32],
    firsts: &[usize],
    places: &[(u32, u32)],
    blocks: &mut [Words],
    run: &Run,
) -> Result<()> {
    for placing in [false, true] {
        let (mut document, mut column) = (0, 0);
        for (at, &id) in ids.iter().enumerate() {
            if at % STEP == 0 {
                run.check()?;
            }
            if id == SENTENCE_END {
                document += 1;
                // Blocks hold at least one document each.
                column += usize::from(firsts.get(column + 1) == Some(&document));
                continue;
            }
            let (block, place) = places[id as usize];
            let words = &mut blocks[block as usize];
            // One further: starts move to the ends of their ranges while these are filled.
            let cell = place as usize * words.columns + column + 1;
            if placing {
                words.documents[words.starts[cell]] = (document - firsts[column]) as u32;
            }
            words.starts[cell] += 1;
        }
        if !placing {
            for words in &mut *blocks {
                let mut before = 0;
                for start in &mut words.starts {
                    before += std::mem::replace(start, before);
                }
                words.documents = vec![0; before];
                words.topics = vec![0; before];
            }
        }
    }
    Ok(())
}

impl Words {
    fn new(ids: Vec<u32>, columns: usize, topics: usize) -> Self {
        let starts = vec![0; ids.len() * columns + 1];
        Self {
            ids,
            starts,
            columns,
            documents: Vec::new(),
            topics: Vec::new(),
            rows: Vec::new(),
            counts: Vec::new(),
            topics_in_all: topics,
            base_starts: vec![0],
            base: Vec::new(),
        }
    }

    /// Chooses the words with rows, and takes the counts before.
    fn keep_rows(&mut self, before: &impl Before) {
        let mut rows = 0;
        for place in 0..self.ids.len() {
            let frequent = self.occurrences(place).len() > self.topics_in_all / ROW;
            self.rows.push(if frequent { rows } else { NO_ROW });
            rows += u32::from(frequent);
            self.base.extend(before.of_word(self.ids[place]));
            self.base_starts.push(self.base.len());
        }
        self.counts = vec![0; rows as usize * self.topics_in_all];
    }

    /// Words.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// All occurrences of a word.
    fn occurrences(&self, place: usize) -> Range<usize> {
        self.starts[place * self.columns]..self.starts[(place + 1) * self.columns]
    }

    /// The occurrences of a word in a block of documents.
    pub fn cell(&self, place: usize, column: usize) -> Range<usize> {
        let at = place * self.columns + column;
        self.starts[at]..self.starts[at + 1]
    }

    fn base_of(&self, place: usize) -> &[(u16, u32)] {
        &self.base[self.base_starts[place]..self.base_starts[place + 1]]
    }

    /// How often each topic occurs in a word, counts before included: `into` are as many values as
    /// there are topics, or more.
    pub fn counts_of(&self, place: usize, into: &mut [f32]) {
        let (counts, beyond) = into.split_at_mut(self.topics_in_all);
        beyond.fill(0.0);
        let row = self.rows[place];
        if row == NO_ROW {
            counts.fill(0.0);
            for &topic in &self.topics[self.occurrences(place)] {
                counts[usize::from(topic)] += 1.0;
            }
            for &(topic, count) in self.base_of(place) {
                counts[usize::from(topic)] += count as f32;
            }
        } else {
            let row = &self.counts[row as usize * self.topics_in_all..][..self.topics_in_all];
            counts.iter_mut().zip(row).for_each(|(count, &own)| *count = own as f32);
        }
    }

    fn pairs_of(&self, place: usize, into: &mut Vec<(u16, u32)>) {
        into.clear();
        if let Some(row) = self.row(place) {
            let row = &self.counts[row..row + self.topics_in_all];
            let pairs = row.iter().enumerate().filter(|&(_, &count)| count > 0);
            into.extend(pairs.map(|(topic, &count)| (topic as u16, count)));
            return;
        }
        into.extend(self.topics[self.occurrences(place)].iter().map(|&topic| (topic, 1)));
        into.extend_from_slice(self.base_of(place));
        into.sort_unstable();
        into.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            kept.1 = kept.1.saturating_add(if same { next.1 } else { 0 });
            same
        });
    }

    /// Where a word keeps its counts, if it does.
    #[inline(always)]
    pub fn row(&self, place: usize) -> Option<usize> {
        let row = self.rows[place];
        (row != NO_ROW).then(|| row as usize * self.topics_in_all)
    }

    /// Gives an occurrence another topic; `row` is its word's.
    #[inline(always)]
    pub fn set(&mut self, occurrence: usize, topic: usize, row: Option<usize>) {
        let old = std::mem::replace(&mut self.topics[occurrence], topic as u16);
        if let Some(row) = row {
            let old = &mut self.counts[row + usize::from(old)];
            *old = old.wrapping_sub(1);
            let new = &mut self.counts[row + topic];
            *new = new.wrapping_add(1);
        }
    }

    /// Counts the rows anew.
    fn count(&mut self) {
        self.counts.fill(0);
        for place in 0..self.ids.len() {
            let Some(row) = self.row(place) else { continue };
            for &topic in &self.topics[self.occurrences(place)] {
                self.counts[row + usize::from(topic)] += 1;
            }
            for &(topic, count) in &self.base[self.base_starts[place]..self.base_starts[place + 1]]
            {
                let own = &mut self.counts[row + usize::from(topic)];
                *own = own.saturating_add(count); // a file can say anything
            }
        }
    }
}
