//! Tokens of words that are remembered. Where a tokenizer cuts a text at spaces and marks before anything else, as BERT's
//! does, a text's tokens are those of its words, one word after the other, and most words of a text have been met before.

use std::collections::HashMap;
use std::ops::Range;

use inlay_base::Result;
use tokenizers::{NormalizedString, Normalizer, NormalizerWrapper, PreTokenizerWrapper, Tokenizer};

/// Words that are remembered before all are forgotten.
const MOST: usize = 1 << 16;
/// Bytes of a word that is remembered.
const LONGEST: usize = 64;
/// With more added tokens than these, texts are read as a whole.
const FEW: usize = 32;

/// The tokens of words that have been met.
#[derive(Default)]
pub struct Memory {
    places: HashMap<Box<[u8]>, Range<u32>>,
    ids: Vec<u32>,
}

impl Memory {
    /// Appends the tokens of a word: `read` gives those of one that has not been met.
    pub(super) fn add(
        &mut self,
        word: &str,
        ids: &mut Vec<u32>,
        read: impl FnOnce(&str, &mut Vec<u32>) -> Result<()>,
    ) -> Result<()> {
        if let Some(place) = self.places.get(word.as_bytes()) {
            ids.extend_from_slice(&self.ids[place.start as usize..place.end as usize]);
            return Ok(());
        }
        let before = ids.len();
        read(word, ids)?;
        if word.len() <= LONGEST {
            if self.places.len() == MOST {
                self.places.clear();
                self.ids.clear();
            }
            let start = self.ids.len() as u32;
            self.ids.extend_from_slice(&ids[before..]);
            self.places.insert(word.as_bytes().into(), start..self.ids.len() as u32);
        }
        Ok(())
    }
}

/// How a text falls into words.
pub(super) struct ByWords {
    /// Tokens that are found before a text is cut, as they are and as they are normalized, in lower case.
    added: Vec<Vec<u8>>,
    /// Bytes that such a token begins with.
    begins: [bool; 256],
}

impl ByWords {
    /// `None` if a text's tokens may not be those of its words.
    pub(super) fn of(tokenizer: &Tokenizer) -> Option<Self> {
        let normalizer = tokenizer.get_normalizer();
        if !matches!(normalizer, None | Some(NormalizerWrapper::BertNormalizer(_)))
            || !matches!(
                tokenizer.get_pre_tokenizer(),
                Some(PreTokenizerWrapper::BertPreTokenizer(_))
            )
        {
            return None;
        }
        let mut rule = Self { added: Vec::new(), begins: [false; 256] };
        let tokens = tokenizer.get_added_tokens_decoder();
        if tokens.len() > FEW {
            return None;
        }
        for token in tokens.values() {
            let mut normalized = NormalizedString::from(token.content.as_str());
            normalizer.map(|normalizer| normalizer.normalize(&mut normalized)).transpose().ok()?;
            for form in [token.content.as_str(), normalized.get()] {
                if form.contains(char::is_whitespace) {
                    return None;
                }
                if let Some(&first) = form.as_bytes().first() {
                    rule.begins[first.to_ascii_lowercase() as usize] = true;
                    rule.begins[first.to_ascii_uppercase() as usize] = true;
                    rule.added.push(form.to_ascii_lowercase().into_bytes());
                }
            }
        }
        Some(rule)
    }

    /// Calls `work` for each part of a text whose tokens depend on nothing else: a run of letters and digits, a mark, or
    /// whatever stands between two spaces.
    pub(super) fn each<'a>(
        &self,
        text: &'a str,
        mut work: impl FnMut(&'a str) -> Result<()>,
    ) -> Result<()> {
        for piece in text.split([' ', '\n', '\t', '\r']) {
            let bytes = piece.as_bytes();
            if bytes.is_empty() {
                continue;
            }
            if !bytes.iter().all(u8::is_ascii_graphic) || self.may_hold_added(bytes) {
                work(piece)?;
                continue;
            }
            let mut start = 0;
            while start < bytes.len() {
                let letters = bytes[start..].iter().take_while(|byte| byte.is_ascii_alphanumeric());
                let end = start + letters.count().max(1);
                work(&piece[start..end])?;
                start = end;
            }
        }
        Ok(())
    }

    fn may_hold_added(&self, bytes: &[u8]) -> bool {
        let begins = |at: usize| {
            let rest = &bytes[at..];
            self.added.iter().any(|added| {
                rest.get(..added.len()).is_some_and(|same| same.eq_ignore_ascii_case(added))
            })
        };
        (0..bytes.len()).any(|at| self.begins[bytes[at] as usize] && begins(at))
    }
}
