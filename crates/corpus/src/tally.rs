//! What a thread makes of a block: the numbers of its words, and where sentences end.

use inlay_base::{Result, Run};

use crate::options::{Options, Sentences};
use crate::separators::{CHUNK, separators};
use crate::table::{BATCH, OVERHANG, Seed, Table};
use crate::tokenizer::Tokenizer;

/// White space that stands behind a text when it is split.
const PADDING: usize = CHUNK + OVERHANG;

/// Bytes between two questions whether the run goes on.
const STEP: usize = 1 << 16;

/// The words of a block by their numbers in the thread's table.
#[derive(Debug, Default, Clone)]
pub struct Numbered {
    /// All words.
    pub words: Vec<u32>,
    /// Where a sentence ends, by the number of words before. Rising, none twice. Only what the
    /// block itself can tell: nothing of the line feeds at its start and its end. Of documents that
    /// are lines it tells all, a number for every line feed.
    pub ends: Vec<u32>,
    /// Whether there is nothing but white space.
    pub blank: bool,
    /// Line feeds before anything else; no more than matter.
    pub leading: u32,
    /// Line feeds behind everything else, if the block is not blank; no more than matter.
    pub trailing: u32,
    /// Whether anything but white space stands behind the last end.
    pub open: bool,
}

/// Splits and counts.
pub struct Tally<'a> {
    pub table: Table<'a>,
    pub block: Numbered,
    tokenizer: Tokenizer,
    /// Line feeds in a row that end a sentence.
    needed: u32,
    /// Whether sentences are documents, which count also without words.
    documents: bool,
    /// Line feeds since the block's start or since anything but white space.
    gap: u32,
    /// From which gap on what comes next has to be looked at: 0 at a block's start.
    limit: u32,
    starts: [usize; BATCH],
    lengths: [u32; BATCH],
    queued: usize,
}

/// Line feeds in a row that end a sentence.
pub fn needed(sentences: Sentences) -> u32 {
    match sentences {
        Sentences::Line => 1,
        Sentences::Paragraph => 2,
    }
}

impl<'a> Tally<'a> {
    pub fn new(options: &Options, seed: Seed, run: &'a Run) -> Self {
        Self {
            table: Table::new(seed, run),
            block: Numbered::default(),
            tokenizer: options.tokenizer,
            needed: needed(options.sentences),
            documents: options.documents,
            gap: 0,
            limit: 0,
            starts: [0; BATCH],
            lengths: [0; BATCH],
            queued: 0,
        }
    }

    /// Splits a text from `begin` on; padding is appended to it.
    pub fn text(&mut self, text: &mut Vec<u8>, begin: usize, run: &Run) -> Result<()> {
        self.begin();
        let length = text.len();
        text.resize(length + PADDING, b' ');
        match self.tokenizer {
            Tokenizer::Whitespace => {
                self.split(text, begin, length, run, |tally, text, start, end| {
                    tally.close_gap();
                    tally.push(text, start, end - start);
                })?;
            }
            tokenizer => {
                self.split(text, begin, length, run, |tally, text, start, end| {
                    tally.close_gap(); // punctuation is dropped, but its line is not blank
                    tokenizer.words(&text[start..end], |from, to| {
                        tally.push(text, start + from, to - from);
                    });
                })?
            }
        }
        self.finish(text);
        Ok(())
    }

    /// Takes words that lie end to end, and end where `word_ends` says; sentences end after the
    /// numbers of words that `sentence_ends` gives; words behind the last of these begin a sentence
    /// that goes on. Padding is appended to the words.
    pub fn words(
        &mut self,
        words: &mut Vec<u8>,
        word_ends: &[usize],
        sentence_ends: &[usize],
        run: &Run,
    ) -> Result<()> {
        self.begin();
        words.resize(words.len() + PADDING, b' ');
        let (mut start, mut first) = (0, 0);
        let rest = sentence_ends.last().is_none_or(|&last| last < word_ends.len());
        for &sentence_end in sentence_ends.iter().chain(rest.then_some(&word_ends.len())) {
            for &end in &word_ends[first..sentence_end] {
                if start / STEP != end / STEP {
                    run.check()?;
                }
                self.close_gap();
                self.push(words, start, end - start);
                start = end;
            }
            first = sentence_end;
            self.gap = if self.by_lines() { self.gap + 1 } else { self.needed };
        }
        if rest {
            self.gap = 0;
        }
        self.finish(words);
        Ok(())
    }

    fn begin(&mut self) {
        self.block.words.clear();
        self.block.ends.clear();
        (self.block.leading, self.block.trailing) = (0, 0);
        (self.gap, self.limit) = (0, 0);
        self.queued = 0; // of a block that failed
    }

    #[inline(always)]
    fn split(
        &mut self,
        text: &[u8],
        begin: usize,
        length: usize,
        run: &Run,
        found: impl Fn(&mut Self, &[u8], usize, usize),
    ) -> Result<()> {
        let mut start = begin;
        for base in (begin..=length).step_by(CHUNK) {
            if (base - begin).is_multiple_of(STEP) {
                run.check()?;
            }
            let chunk = text[base..base + CHUNK].try_into().expect("a chunk");
            let mut bits = separators(chunk);
            while bits != 0 {
                let end = base + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                if end > start {
                    found(self, text, start, end);
                }
                self.gap += u32::from(text[end] == b'\n');
                start = end + 1;
            }
        }
        Ok(())
    }

    /// Something else than white space comes.
    #[inline(always)]
    fn close_gap(&mut self) {
        if self.gap >= self.limit {
            self.end_sentence();
        }
        self.gap = 0;
    }

    #[cold]
    fn end_sentence(&mut self) {
        let words = (self.block.words.len() + self.queued) as u32;
        let first = self.limit == 0;
        self.limit = self.needed;
        if self.by_lines() {
            self.block.ends.extend((0..self.gap).map(|_| words));
            return;
        }
        if first {
            self.block.leading = self.gap.min(self.needed);
            return;
        }
        if self.documents || self.block.ends.last() != Some(&words) {
            self.block.ends.push(words);
        }
    }

    /// Whether each line feed ends a document.
    fn by_lines(&self) -> bool {
        self.documents && self.needed == 1
    }

    #[inline(always)]
    fn push(&mut self, text: &[u8], start: usize, length: usize) {
        self.starts[self.queued] = start;
        self.lengths[self.queued] = length as u32;
        self.queued += 1;
        if self.queued == BATCH {
            self.flush(text);
        }
    }

    fn flush(&mut self, text: &[u8]) {
        let (starts, lengths) = (&self.starts[..self.queued], &self.lengths[..self.queued]);
        self.table.add(text, starts, lengths, &mut self.block.words);
        self.queued = 0;
    }

    fn finish(&mut self, text: &[u8]) {
        self.flush(text);
        if self.by_lines() {
            let words = self.block.words.len() as u32;
            self.block.ends.extend((0..self.gap).map(|_| words));
            self.block.open = self.limit > 0 && self.gap == 0;
            self.block.blank = !self.block.open && self.block.ends.is_empty();
            return;
        }
        let gap = self.gap.min(self.needed);
        self.block.blank = self.limit == 0;
        self.block.open = !self.block.blank;
        if self.block.blank {
            self.block.leading = gap;
        } else {
            self.block.trailing = gap;
        }
    }
}
