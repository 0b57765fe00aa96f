//! Phrases: words that stand together more often than chance would have it (Mikolov et al. 2013,
//! arXiv:1310.4546, section 4; Bouma 2009, "Normalized (Pointwise) Mutual Information in Collocation
//! Extraction"), and a reader's way to join them.
//!
//! ```text
//! corpus of all words ─▶ counts of words and pairs ─▶ scores ─▶ phrases ─▶ joined ─▶ once more
//!        joiner.rs           counter.rs, train.rs
//! ```

mod counter;
pub(crate) mod joiner;
mod saved;
mod tokens;
mod train;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use inlay_base::{Error, Result};
use inlay_formats::Names;
use serde::{Deserialize, Serialize};

use joiner::{Joiner, Parts, UNKNOWN};
use tokens::Tokens;
pub use train::train;

/// How phrases are found. What is a word is said by the corpus.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// How often a pair occurs at least; for the default score, more often than this.
    pub min_count: u64,
    /// Pairs with a greater score are phrases.
    pub threshold: f64,
    /// How a pair is scored.
    pub scoring: Scoring,
    /// Words that may stand inside a phrase and are counted with it only.
    pub connector_words: Vec<String>,
    /// How often phrases are looked for: each time in the text with those before joined.
    pub passes: usize,
    /// What stands between the words of a phrase.
    pub delimiter: char,
    /// Where temporary files go. Default the system's place.
    #[serde(skip)]
    pub spool_directory: Option<PathBuf>,
}

/// How a pair is scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scoring {
    /// (count(ab) - `min_count`) / (count(a) count(b)) times the number of different words and pairs.
    Default,
    /// ln(p(ab) / (p(a) p(b))) / -ln p(ab), from -1 to 1.
    Npmi,
}

impl Options {
    /// The score of a pair, if it is a phrase; the order of operations is gensim's.
    fn score(&self, (a, b, ab): (u64, u64, u64), different: u64, words: u64) -> Option<f64> {
        if a == 0 || b == 0 || ab < self.min_count {
            return None;
        }
        let (a, b, ab) = (a as f64, b as f64, ab as f64);
        let score = match self.scoring {
            Scoring::Default => (ab - self.min_count as f64) / (a * b) * different as f64,
            Scoring::Npmi => {
                let words = words as f64;
                let (a, b, ab) = (a / words, b / words, ab / words);
                (ab / (a * b)).ln() / -ab.ln()
            }
        };
        (score.is_finite() && score > self.threshold).then_some(score)
    }
}

/// A phrase that was found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Phrase {
    pub parts: Parts,
    pub score: f64,
    pub count: u64,
}

/// A phrase, for whoever lists them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Listed<'a> {
    /// Joined by the delimiter.
    pub text: &'a [u8],
    /// By which it was accepted.
    pub score: f64,
    /// How often it occurred; as the pass that found it counted.
    pub count: u64,
    /// That pass, from 1.
    pub pass: usize,
}

/// Phrases, ready to be joined. Cheap to clone; nothing in it changes.
#[derive(Debug, Clone)]
pub struct Phrases(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Connector words, then whatever a phrase is made of or becomes.
    names: Names,
    /// For each pass, best first.
    passes: Vec<Vec<Phrase>>,
    options: Options,
    joiner: Joiner,
}

impl Phrases {
    /// Numbers what the phrases use.
    fn of_training(
        tokens: &Tokens<'_>,
        found: Vec<Vec<Phrase>>,
        options: &Options,
    ) -> Result<Self> {
        let mut names: Vec<Vec<u8>> = Vec::new();
        let mut numbers: HashMap<Vec<u8>, u32> = HashMap::new();
        let mut number = |name: &[u8]| {
            *numbers.entry(name.to_vec()).or_insert_with(|| {
                names.push(name.to_vec());
                names.len() as u32 - 1
            })
        };
        for word in &options.connector_words {
            number(word.as_bytes());
        }
        let mut passes = found;
        for phrase in passes.iter_mut().flatten() {
            let Parts { parts, joined } = &mut phrase.parts;
            parts.iter_mut().chain([joined]).for_each(|token| *token = number(tokens.text(*token)));
        }
        Self::new(Names::new(names)?, passes, options.clone())
    }

    fn new(names: Names, passes: Vec<Vec<Phrase>>, options: Options) -> Result<Self> {
        let find = |word: &String| names.find(word.as_bytes());
        let connectors: Vec<u32> = options.connector_words.iter().filter_map(find).collect();
        let parts = |pass: &Vec<Phrase>| pass.iter().map(|phrase| phrase.parts.clone()).collect();
        let parts: Vec<Vec<Parts>> = passes.iter().map(parts).collect();
        let tokens = u32::try_from(names.len())
            .map_err(|_| Error::Unsupported { what: "more than four billion phrases".into() })?;
        let joiner = Joiner::new(tokens, &connectors, &parts);
        Ok(Self(Arc::new(Inner { names, passes, options, joiner })))
    }

    /// How they were found.
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// How many there are, of all passes.
    pub fn len(&self) -> usize {
        self.0.passes.iter().map(Vec::len).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory.
    pub fn weight(&self) -> u64 {
        // A phrase, its edge and its parts in their tables.
        (self.0.names.bytes().len() + self.0.names.len() * 32 + self.len() * 128) as u64
    }

    /// A phrase by its number: first those of the first pass, best first.
    pub fn get(&self, mut number: usize) -> Option<Listed<'_>> {
        for (phrases, pass) in self.0.passes.iter().zip(1..) {
            if let Some(Phrase { parts, score, count }) = phrases.get(number) {
                let text = self.0.names.get(parts.joined);
                return Some(Listed { text, score: *score, count: *count, pass });
            }
            number -= phrases.len();
        }
        None
    }

    /// All phrases, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = Listed<'_>> {
        (0..self.len()).filter_map(|number| self.get(number))
    }

    /// The words of a sentence, phrases joined.
    pub fn apply<'a>(&'a self, words: &[&'a [u8]]) -> Vec<&'a [u8]> {
        let token = |word: &&[u8]| self.0.names.find(word).unwrap_or(UNKNOWN);
        let (mut spans, mut spare) = (Vec::new(), Vec::new());
        self.0.joiner.join(words.iter().map(token), &mut spans, &mut spare);
        let text = |span: &joiner::Span| match span.end - span.first {
            1 => words[span.first as usize],
            _ => self.0.names.get(span.token),
        };
        spans.iter().map(text).collect()
    }

    pub(crate) fn joiner(&self) -> &Joiner {
        &self.0.joiner
    }

    pub(crate) fn names(&self) -> &Names {
        &self.0.names
    }
}
