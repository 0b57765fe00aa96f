//! A corpus as lines with labels: what each of its words is to a model is looked up once.

use std::ops::Range;

use inlay_base::{Result, Run};
use inlay_corpus::{Corpus, SENTENCE_END};
use inlay_formats::fasttext::Dictionary;

use super::features::{Features, Found};
use crate::shards::shards;
use crate::subwords::{END_OF_LINE, hash};

/// Lines between two looks at the signal.
const TOGETHER: usize = 1024;

pub(super) struct Lines<'a> {
    ids: &'a [u32],
    /// By word of the corpus.
    tokens: Vec<Token>,
    /// The rows of each word and its subwords.
    rows: Vec<u32>,
    end: Token,
    /// The word of the corpus that ends a line as a line's end does.
    spelled_end: Option<u32>,
}

#[derive(Clone, Copy)]
struct Token {
    kind: Kind,
    hash: u32,
    /// Where its rows begin and how many there are.
    rows: (u32, u32),
    /// How many of its features are zero.
    zeros: u32,
}

#[derive(Clone, Copy)]
enum Kind {
    Word,
    Label(u32),
    /// A label that the model does not know.
    Nothing,
}

/// A line as a model sees it.
#[derive(Default)]
pub(super) struct Line {
    pub found: Found,
    pub labels: Vec<u32>,
    hashes: Vec<u32>,
}

impl<'a> Lines<'a> {
    /// # Errors
    /// `Aborted`.
    pub fn new(
        corpus: &'a Corpus,
        features: &Features,
        dictionary: &Dictionary,
        label_prefix: &[u8],
        run: &Run,
    ) -> Result<Self> {
        let mut lines = Self {
            ids: corpus.ids(),
            tokens: Vec::with_capacity(corpus.names().len()),
            rows: Vec::new(),
            end: Token { kind: Kind::Nothing, hash: 0, rows: (0, 0), zeros: 0 },
            spelled_end: corpus.names().find(END_OF_LINE),
        };
        for (number, word) in corpus.names().iter().enumerate() {
            if number.is_multiple_of(TOGETHER) {
                run.check()?;
            }
            let token = lines.token(word, features, dictionary, label_prefix);
            lines.tokens.push(token);
        }
        lines.end = lines.token(END_OF_LINE, features, dictionary, label_prefix);
        Ok(lines)
    }

    fn token(
        &mut self,
        word: &[u8],
        features: &Features,
        dictionary: &Dictionary,
        label_prefix: &[u8],
    ) -> Token {
        let words = dictionary.words as u32;
        let start = self.rows.len() as u32;
        let nothing = Token { kind: Kind::Nothing, hash: hash(word), rows: (start, 0), zeros: 0 };
        match dictionary.names.find(word) {
            Some(id) if id >= words => Token { kind: Kind::Label(id - words), ..nothing },
            None if word.starts_with(label_prefix) => nothing,
            id => {
                let mut found = Found { rows: std::mem::take(&mut self.rows), zeros: 0 };
                features.word(id, word, &mut found);
                self.rows = found.rows;
                let rows = (start, self.rows.len() as u32 - start);
                Token { kind: Kind::Word, rows, zeros: found.zeros, ..nothing }
            }
        }
    }

    /// Whether any word is a label that the model knows.
    pub fn have_labels(&self) -> bool {
        self.tokens.iter().any(|token| matches!(token.kind, Kind::Label(_)))
    }

    /// How many rows all lines have, at most, where each word is there so often.
    pub fn most_rows(&self, counts: &[u64], features: &Features) -> u64 {
        let ngrams = u64::from(features.ngrams.words.saturating_sub(1));
        let of_words =
            self.tokens.iter().zip(counts).map(|(token, count)| u64::from(token.rows.1) * count);
        of_words.sum::<u64>() + ngrams * self.words()
    }

    /// How many lines there are, at most.
    pub fn most_lines(&self, corpus: &Corpus) -> u64 {
        let spelled = self.spelled_end.map_or(0, |id| corpus.counts()[id as usize]);
        // A shard that ends within a line makes two of it.
        corpus.sentences() + spelled + self.shards().len() as u64
    }

    /// How many words, labels and ends there are.
    pub fn words(&self) -> u64 {
        self.ids.len() as u64
    }

    /// Pieces of whole lines; one that is very long is cut, and each part is a line.
    pub fn shards(&self) -> Vec<Range<usize>> {
        shards(self.ids, false)
    }

    /// Reads a line that begins at `position`, not beyond `limit`; returns where the next one
    /// begins, and how many words and labels this one has, its end counted as one.
    #[inline]
    pub fn read(
        &self,
        position: usize,
        limit: usize,
        features: &Features,
        line: &mut Line,
    ) -> (usize, u64) {
        line.found.clear();
        line.labels.clear();
        line.hashes.clear();
        let mut next = position;
        while next < limit {
            let id = self.ids[next];
            next += 1;
            if id == SENTENCE_END || Some(id) == self.spelled_end {
                break;
            }
            let token = &self.tokens[id as usize];
            match token.kind {
                Kind::Word => self.add(token, line),
                Kind::Label(label) => line.labels.push(label),
                Kind::Nothing => {}
            }
        }
        self.add(&self.end, line);
        features.line(&line.hashes, &mut line.found);
        (next, (next - position) as u64)
    }

    #[inline]
    fn add(&self, token: &Token, line: &mut Line) {
        let (start, count) = (token.rows.0 as usize, token.rows.1 as usize);
        match self.rows[start..start + count] {
            // No call for one.
            [row] => line.found.rows.push(row),
            ref rows => line.found.rows.extend_from_slice(rows),
        }
        line.found.zeros += token.zeros;
        line.hashes.push(token.hash);
    }
}
