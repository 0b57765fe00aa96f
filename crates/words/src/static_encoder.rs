//! Texts as the mean of the rows of their tokens: no network, a table (Tulkens, van Dongen 2024, "Model2Vec"; Aarsen 2025,
//! "Train 400x faster Static Embedding Models with Sentence Transformers").
//!
//! ```text
//!     v(text) = 1/n Σ w(token) row(token)          n: the tokens that count
//! ```

mod distill;
mod table;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use inlay_base::{Result, Run, Workers, lock};
use inlay_corpus::{Part, Reading, Remembering, Sentences, Source, Subwords, each_part};

pub use distill::{Weights, distill};
pub use table::Table;

/// Texts that one task encodes.
const TASK: usize = 64;

/// What is read of a text, and what of it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Tokens of a text at most; `usize::MAX`: all of them.
    pub limit: usize,
    /// Whether only so many characters are read as so many tokens of middling length have, and tokens that the tokenizer does
    /// not know do not count: model2vec's way.
    pub model2vec: bool,
}

/// Encodes texts. Nothing in it changes.
pub struct StaticEncoder {
    subwords: Arc<Subwords>,
    table: Table,
    rule: Rule,
    /// Characters of a text at most.
    characters: Option<usize>,
    /// The token that does not count.
    ignored: Option<u32>,
}

/// What is wanted of vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Only the first values of each.
    pub dimensions: usize,
    /// Whether they are 1 long; zeros stay.
    pub normalize: bool,
}

/// Vectors of texts.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Encoded {
    /// Rows end to end.
    pub values: Vec<f32>,
    /// Tokens of each text, those that were not read among them.
    pub tokens: Vec<u32>,
    /// Of how many tokens each row is the mean: a text without any has a row of zeros.
    pub known: Vec<u32>,
    /// Texts that were not read to their end.
    pub truncated: Vec<u32>,
}

impl StaticEncoder {
    /// An encoder of a tokenizer and a table that has a row for each of its tokens.
    pub fn new(subwords: Arc<Subwords>, table: Table, rule: Rule) -> Self {
        let characters = (rule.model2vec && rule.limit < usize::MAX)
            .then(|| rule.limit.saturating_mul(subwords.middling_length()));
        let ignored = subwords.unknown().filter(|_| rule.model2vec);
        Self { subwords, table, rule, characters, ignored }
    }

    /// Opens a tokenizer and a file of rows; `limit` is `None` for what the tokenizer's file says.
    ///
    /// # Errors
    /// `NotFound`; `InvalidInput` for files that are none, or that do not belong together.
    pub fn open(
        tokenizer: &Path,
        rows: &Path,
        limit: Option<usize>,
        model2vec: bool,
    ) -> Result<Self> {
        let subwords = Subwords::open_unlimited(tokenizer)?;
        let table = Table::open(rows, subwords.numbers())?;
        let limit = limit.or(subwords.truncation()).unwrap_or(usize::MAX);
        Ok(Self::new(Arc::new(subwords), table, Rule { limit, model2vec }))
    }

    /// Its tokenizer.
    pub fn subwords(&self) -> &Subwords {
        &self.subwords
    }

    /// Its rows.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// What is read of a text.
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// Encodes a stream of texts on all threads of the run: phase "encode". A text's row does not depend on the other
    /// texts, nor on the number of threads.
    ///
    /// # Errors
    /// As `each_part`; `InvalidInput` for a text that the tokenizer refuses.
    pub fn encode(&self, texts: Source, wanted: Wanted, run: &Run) -> Result<Encoded> {
        run.phase("encode", "texts", 0, None);
        let reading = Reading { texts: Sentences::Line, ..Reading::default() };
        let work = |desk: &mut Desk<'_>, part: &Part| {
            let mut encoded = Encoded::default();
            for text in part.texts.clone() {
                run.check()?;
                let bytes = part.batch.text(text);
                self.add(&String::from_utf8_lossy(&bytes), wanted, desk, &mut encoded)?;
            }
            run.advance(part.texts.len() as u64);
            Ok(encoded)
        };
        let (_, parts) = each_part(texts, reading, run, || Desk::new(self), work)?;
        Ok(joined(parts))
    }

    /// Encodes a few texts that are here.
    ///
    /// # Errors
    /// `InvalidInput` for a text that the tokenizer refuses.
    pub fn encode_now(
        &self,
        texts: &[String],
        wanted: Wanted,
        workers: &dyn Workers,
    ) -> Result<Encoded> {
        let tasks: Vec<_> = texts.chunks(TASK).collect();
        let parts: Vec<Mutex<Encoded>> = tasks.iter().map(|_| Mutex::default()).collect();
        workers.each(tasks.len(), &|task| {
            let (mut desk, mut encoded) = (Desk::new(self), Encoded::default());
            for text in tasks[task] {
                self.add(text, wanted, &mut desk, &mut encoded)?;
            }
            *lock(&parts[task]) = encoded;
            Ok(())
        })?;
        let part = |part: Mutex<Encoded>| part.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(joined(parts.into_iter().map(part).collect()))
    }

    /// Appends the row of a text.
    fn add(
        &self,
        text: &str,
        wanted: Wanted,
        desk: &mut Desk<'_>,
        encoded: &mut Encoded,
    ) -> Result<()> {
        let Desk { memory, tokens, room } = desk;
        let cut = self.characters.and_then(|most| text.char_indices().nth(most));
        let (text, rest) = text.split_at(cut.map_or(text.len(), |(at, _)| at));
        tokens.clear();
        self.subwords.add(rest, memory, tokens)?;
        let beyond = tokens.len();
        tokens.clear();
        self.subwords.add(text, memory, tokens)?;
        let all = tokens.len() + beyond;
        if all > self.rule.limit.min(tokens.len()) {
            encoded.truncated.push(encoded.tokens.len() as u32);
        }
        encoded.tokens.push(u32::try_from(all).unwrap_or(u32::MAX));
        tokens.truncate(self.rule.limit);
        if let Some(ignored) = self.ignored {
            tokens.retain(|&token| token != ignored);
        }
        let start = encoded.values.len();
        encoded.values.resize(start + wanted.dimensions, 0.0);
        let row = &mut encoded.values[start..];
        self.table.add(tokens, row, room);
        encoded.known.push(tokens.len() as u32);
        finish(row, tokens.len(), wanted.normalize);
        Ok(())
    }
}

/// What a thread needs to encode texts.
struct Desk<'a> {
    memory: Remembering<'a>,
    tokens: Vec<u32>,
    room: Vec<f32>,
}

impl<'a> Desk<'a> {
    fn new(encoder: &'a StaticEncoder) -> Self {
        Self { memory: encoder.subwords.memory(), tokens: Vec::new(), room: Vec::new() }
    }
}

/// A sum becomes a mean, or a direction.
fn finish(row: &mut [f32], count: usize, normalize: bool) {
    let scale = if normalize {
        let square: f64 = row.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
        if square > 0.0 { 1.0 / square.sqrt() } else { 0.0 }
    } else {
        1.0 / count.max(1) as f64
    };
    row.iter_mut().for_each(|value| *value = (f64::from(*value) * scale) as f32);
}

fn joined(parts: Vec<Encoded>) -> Encoded {
    let mut all = Encoded::default();
    all.values.reserve_exact(parts.iter().map(|part| part.values.len()).sum());
    for part in parts {
        let before = all.tokens.len() as u32;
        all.values.extend_from_slice(&part.values);
        all.tokens.extend_from_slice(&part.tokens);
        all.known.extend_from_slice(&part.known);
        all.truncated.extend(part.truncated.iter().map(|text| before + text));
    }
    all
}
