//! Texts as the tokens of a pretrained model: a `tokenizer.json` of Hugging Face, with WordPiece, byte-pair encoding or
//! Unigram.

mod by_words;
#[cfg(test)]
mod tests;
mod vocabulary;

use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::Mutex;

use inlay_base::{Error, Result, Run, guard, lock};
use serde::Deserialize;
use tokenizers::normalizers::{Lowercase, NormalizerWrapper, Sequence};
use tokenizers::{Tokenizer, TruncationDirection, TruncationParams};

use crate::numbered::Numbered;
use crate::options::Sentences;
use crate::source::Source;
use crate::texts::{Part, Reading, each_part};

use by_words::ByWords;
pub use by_words::Memory;
pub use vocabulary::Lesson;

/// The largest file that is read: those of the largest vocabularies have some tens of megabytes.
const LARGEST: u64 = 1 << 28;

/// How a model cuts texts into tokens.
pub struct Subwords {
    tokenizer: Tokenizer,
    /// Tokens of a text at most, the special ones among them.
    limit: usize,
    /// Special tokens before a text and behind it.
    around: [Vec<u32>; 2],
    /// What the file says of tokens of a text at most.
    truncation: Option<usize>,
    unknown: Option<u32>,
    padding: Option<u32>,
    by_words: Option<ByWords>,
    /// Those that no thread is using.
    memories: Mutex<Vec<Memory>>,
}

/// Texts as tokens.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tokenized {
    /// Of each text as many tokens as the limit allows.
    pub texts: Numbered,
    /// How many tokens each text has, those beyond the limit too.
    pub counts: Vec<u32>,
}

/// What is read of a file beside what the tokenizer reads.
#[derive(Deserialize)]
struct About {
    model: Model,
}

#[derive(Deserialize)]
struct Model {
    /// Of WordPiece, byte-pair encoding, whole words.
    #[serde(default)]
    unk_token: Option<String>,
    /// Of Unigram.
    #[serde(default)]
    unk_id: Option<u32>,
}

impl Subwords {
    /// Reads a `tokenizer.json`. What it says of padding and truncation is left aside: `limit` holds.
    ///
    /// # Errors
    /// `NotFound`; `InvalidInput` if it is none, or the limit has no room for a token beside the special ones.
    pub fn open(path: &Path, limit: usize) -> Result<Self> {
        let mut found = Self::open_unlimited(path)?;
        let special = found.special();
        if limit <= special {
            let problem = format!("adds {special} tokens to a text: a limit of {limit} is too low");
            return Err(Error::invalid_file(path, None, problem));
        }
        found.limit = limit;
        Ok(found)
    }

    /// The same tokenizer with the letters of texts made small before all that the file says.
    ///
    /// # Errors
    /// `Internal`
    pub fn in_lower_case(mut self) -> Result<Self> {
        let before = self.tokenizer.get_normalizer().cloned();
        let all = [NormalizerWrapper::from(Lowercase)].into_iter().chain(before).collect();
        let changed = self.tokenizer.with_normalizer(Some(Sequence::new(all)));
        changed.map_err(|error| Error::Internal(error.to_string()))?;
        self.by_words = ByWords::of(&self.tokenizer);
        Ok(self)
    }

    /// The same without a limit.
    ///
    /// # Errors
    /// As `open`.
    pub fn open_unlimited(path: &Path) -> Result<Self> {
        let size =
            std::fs::metadata(path).map_err(|error| Error::io("reading", path, &error))?.len();
        if size > LARGEST {
            let problem = format!("{size} bytes are too many for a tokenizer");
            return Err(Error::invalid_file(path, None, problem));
        }
        let bytes = std::fs::read(path).map_err(|error| Error::io("reading", path, &error))?;
        Self::read(&bytes).map_err(|problem| Error::invalid_file(path, None, problem))
    }

    /// A tokenizer from what a file holds, or what is wrong with it.
    fn read(bytes: &[u8]) -> std::result::Result<Self, String> {
        let none =
            |error: &dyn std::fmt::Display| format!("is no tokenizer that can be read: {error}");
        // First, as the library panics where a decoder is no JSON.
        let About { model } = serde_json::from_slice(bytes).map_err(|error| none(&error))?;
        let read = guard(|| Ok(Tokenizer::from_bytes(bytes))).map_err(|error| none(&error))?;
        let mut tokenizer = read.map_err(|error| none(&error))?;
        let unknown = match &model.unk_token {
            Some(token) => tokenizer.token_to_id(token),
            None => model.unk_id,
        };
        let named = || ["[PAD]", "<pad>"].iter().find_map(|name| tokenizer.token_to_id(name));
        let padding = tokenizer.get_padding().map(|padding| padding.pad_id).or_else(named);
        let truncation = tokenizer.get_truncation().map(|truncation| truncation.max_length);
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|error| format!("cannot cut texts: {error}"))?;
        let around = around(&tokenizer).map_err(|error| none(&error))?;
        let by_words = ByWords::of(&tokenizer);
        let (limit, memories) = (usize::MAX, Mutex::default());
        Ok(Self { tokenizer, limit, around, truncation, unknown, padding, by_words, memories })
    }

    /// What a file holds, with a rule that cuts texts of more tokens than `limit`.
    pub fn to_json(&self, limit: Option<usize>) -> Result<String> {
        let failed = |error: tokenizers::Error| Error::Internal(error.to_string());
        let mut tokenizer = self.tokenizer.clone();
        let truncation = limit.map(|max_length| TruncationParams {
            max_length,
            direction: TruncationDirection::Right,
            ..TruncationParams::default()
        });
        tokenizer.with_truncation(truncation).map_err(failed)?;
        tokenizer.to_string(false).map_err(failed)
    }

    /// How many tokens there are.
    pub fn size(&self) -> usize {
        self.tokenizer.get_vocab_size(true)
    }

    /// Above the number of every token.
    pub fn numbers(&self) -> usize {
        let most = self.tokenizer.get_vocab(true).into_values().max();
        most.map_or(0, |most| most as usize + 1)
    }

    /// How many characters a token of middling length has.
    pub fn middling_length(&self) -> usize {
        let lengths = self.tokenizer.get_vocab(true);
        let mut lengths: Vec<_> = lengths.keys().map(|token| token.chars().count()).collect();
        lengths.sort_unstable();
        match (lengths.len() / 2, lengths.len() % 2) {
            (0, 0) => 0,
            (middle, 0) => (lengths[middle - 1] + lengths[middle]) / 2,
            (middle, _) => lengths[middle],
        }
    }

    /// How many tokens are put around a text.
    fn special(&self) -> usize {
        self.around.iter().map(Vec::len).sum()
    }

    /// The token of what the tokenizer does not know, if it has one.
    pub fn unknown(&self) -> Option<u32> {
        self.unknown
    }

    /// What the file says of tokens of a text at most.
    pub fn truncation(&self) -> Option<usize> {
        self.truncation
    }

    /// Room to remember words in, which is kept for the next one who asks.
    pub fn memory(&self) -> Remembering<'_> {
        let kept = lock(&self.memories).pop();
        Remembering { memory: kept.unwrap_or_default(), subwords: self }
    }

    /// Appends the tokens of a text, all of them, and nothing around it.
    ///
    /// # Errors
    /// `InvalidInput` for a text that the tokenizer refuses.
    pub fn add(&self, text: &str, memory: &mut Memory, ids: &mut Vec<u32>) -> Result<()> {
        let read = |text: &str, ids: &mut Vec<u32>| {
            let encoding =
                self.tokenizer.encode_fast(text, false).map_err(|error| Error::InvalidInput {
                    source: "a text".into(),
                    offset: None,
                    problem: format!("is none for this tokenizer: {error}"),
                })?;
            ids.extend_from_slice(encoding.get_ids());
            Ok(())
        };
        match &self.by_words {
            Some(by_words) => by_words.each(text, |word| memory.add(word, ids, read)),
            None => read(text, ids),
        }
    }

    /// The tokens of each text of a source: each line of a file, each item of a stream; `special` says whether with
    /// those that stand around a text. Nothing depends on the number of threads.
    ///
    /// # Errors
    /// As `each_part`; `InvalidInput` for a text that the tokenizer refuses.
    pub fn tokenize(&self, source: Source, special: bool, run: &Run) -> Result<Tokenized> {
        run.phase("tokenize", "texts", 0, None);
        let reading = Reading { texts: Sentences::Line, ..Reading::default() };
        let work = |memory: &mut Remembering<'_>, part: &Part| {
            let mut found = Tokenized::default();
            for text in part.texts.clone() {
                run.check()?;
                let bytes = part.batch.text(text);
                found.add(self, &String::from_utf8_lossy(&bytes), special, memory)?;
            }
            run.advance(part.texts.len() as u64);
            Ok(found)
        };
        let (_, parts) = each_part(source, reading, run, || self.memory(), work)?;
        let mut all = Tokenized::default();
        for part in parts {
            let before = all.texts.ids.len();
            all.texts.ids.extend(part.texts.ids);
            all.texts.ends.extend(part.texts.ends.into_iter().map(|end| before + end));
            all.counts.extend(part.counts);
        }
        Ok(all)
    }
}

impl Tokenized {
    fn add(
        &mut self,
        subwords: &Subwords,
        text: &str,
        special: bool,
        memory: &mut Memory,
    ) -> Result<()> {
        let none = [const { Vec::new() }; 2];
        let [before, behind] = if special { &subwords.around } else { &none };
        let ids = &mut self.texts.ids;
        let start = ids.len();
        ids.extend_from_slice(before);
        subwords.add(text, memory, ids)?;
        self.counts.push((ids.len() - start + behind.len()) as u32);
        ids.truncate(start.saturating_add(subwords.limit - behind.len()));
        ids.extend_from_slice(behind);
        self.texts.ends.push(ids.len());
        Ok(())
    }
}

/// Room to remember words in.
pub struct Remembering<'a> {
    memory: Memory,
    subwords: &'a Subwords,
}

impl Deref for Remembering<'_> {
    type Target = Memory;
    fn deref(&self) -> &Memory {
        &self.memory
    }
}

impl DerefMut for Remembering<'_> {
    fn deref_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }
}

impl Drop for Remembering<'_> {
    fn drop(&mut self) {
        let memory = std::mem::take(&mut self.memory);
        lock(&self.subwords.memories).push(memory);
    }
}

/// The special tokens that stand before a text and behind it.
fn around(tokenizer: &Tokenizer) -> tokenizers::Result<[Vec<u32>; 2]> {
    let encoding = tokenizer.encode_fast("a", true)?;
    let (ids, special) = (encoding.get_ids(), encoding.get_special_tokens_mask());
    let before = special.iter().take_while(|&&special| special == 1).count();
    let behind = special[before..].iter().rev().take_while(|&&special| special == 1).count();
    Ok([ids[..before].to_vec(), ids[ids.len() - behind..].to_vec()])
}
