//! A corpus as lines with labels: what each of its words is to a model is looked up once.

use inlay_base::{Result, Run};
use inlay_corpus::{Corpus, SENTENCE_END};
use inlay_formats::fasttext::Dictionary;

use super::features::{ABSENT, Buckets, Features, Found};
use crate::subwords::{END_OF_LINE, Ngrams, hash};

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

    /// The whole corpus, to be cut into shards.
    pub fn ids(&self) -> &'a [u32] {
        self.ids
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
        line.found.rows.extend_from_slice(&self.rows[start..start + count]);
        line.found.zeros += token.zeros;
        line.hashes.push(token.hash);
    }
}

/// The buckets that a corpus touches, numbered as they are first met.
pub(super) fn touched(
    corpus: &Corpus,
    ngrams: Ngrams,
    label_prefix: &[u8],
    run: &Run,
) -> Result<(Buckets, usize)> {
    let mut rows = vec![ABSENT; ngrams.bucket as usize];
    let mut count = 0u32;
    let mut touch = |bucket: u32| {
        if rows[bucket as usize] == ABSENT {
            rows[bucket as usize] = count;
            count += 1;
        }
    };
    let is_label: Vec<bool> =
        corpus.names().iter().map(|name| name.starts_with(label_prefix)).collect();
    let mut hashes = Vec::with_capacity(is_label.len());
    for (number, (word, is_label)) in corpus.names().iter().zip(&is_label).enumerate() {
        if number.is_multiple_of(TOGETHER) {
            run.check()?;
        }
        hashes.push(hash(word));
        if !is_label {
            ngrams.of_word(word, &mut touch);
        }
    }
    let end = hash(END_OF_LINE);
    let spelled_end = corpus.names().find(END_OF_LINE);
    let mut line = Vec::new();
    for &id in corpus.ids() {
        if id != SENTENCE_END && Some(id) != spelled_end {
            if !is_label[id as usize] {
                line.push(hashes[id as usize]);
            }
            continue;
        }
        line.push(end);
        ngrams.of_line(&line, &mut touch);
        line.clear();
        if run.stopped() {
            run.check()?;
        }
    }
    Ok((Buckets::Touched(rows), count as usize))
}
