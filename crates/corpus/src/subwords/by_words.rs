//! Tokens of words that are remembered. Where a tokenizer cuts a text at spaces before anything else, a text's tokens are
//! those of its words, one word after the other, and most words of a text have been met before.

use std::collections::HashMap;
use std::ops::Range;

use inlay_base::Result;
use serde_json::Value;
use tokenizers::{
    AddedToken, NormalizedString, Normalizer, NormalizerWrapper, PreTokenizerWrapper, Tokenizer,
};

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
pub(super) enum ByWords {
    /// At spaces, letters and marks each by themselves, as BERT's tokenizers do it.
    Marks(Added),
    /// At single spaces between characters that nothing is done to because of what stands beside them.
    Spaces,
}

/// Tokens that are found before a text is cut.
pub(super) struct Added {
    /// As they are and as they are normalized, in lower case.
    forms: Vec<Vec<u8>>,
    /// Bytes that such a token begins with.
    begins: Box<[bool; 256]>,
}

impl ByWords {
    /// `None` if a text's tokens may not be those of its words.
    pub(super) fn of(tokenizer: &Tokenizer) -> Option<Self> {
        let (normalizer, cutter) = (tokenizer.get_normalizer(), tokenizer.get_pre_tokenizer()?);
        let added = tokenizer.get_added_tokens_decoder();
        // Those that reach over a space, or take one with them.
        let reaches =
            |token: &AddedToken| token.content.contains(char::is_whitespace) || token.rstrip;
        if added.values().any(reaches) {
            return None;
        }
        let is_bert = matches!(normalizer, None | Some(NormalizerWrapper::BertNormalizer(_)))
            && matches!(cutter, PreTokenizerWrapper::BertPreTokenizer(_));
        if is_bert && added.len() <= FEW {
            return Added::of(tokenizer).map(Self::Marks);
        }
        (normalizer.is_none_or(minds_no_word) && cuts_at_spaces(cutter)).then_some(Self::Spaces)
    }

    /// Calls `work` for each part of a text whose tokens depend on nothing else.
    pub(super) fn each<'a>(
        &self,
        text: &'a str,
        work: impl FnMut(&'a str) -> Result<()>,
    ) -> Result<()> {
        match self {
            Self::Marks(added) => added.each(text, work),
            Self::Spaces => each_at_spaces(text, work),
        }
    }
}

impl Added {
    fn of(tokenizer: &Tokenizer) -> Option<Self> {
        let mut found = Self { forms: Vec::new(), begins: Box::new([false; 256]) };
        for token in tokenizer.get_added_tokens_decoder().values() {
            let mut normalized = NormalizedString::from(token.content.as_str());
            let normalizer = tokenizer.get_normalizer();
            normalizer.map(|normalizer| normalizer.normalize(&mut normalized)).transpose().ok()?;
            for form in [token.content.as_str(), normalized.get()] {
                if form.contains(char::is_whitespace) {
                    return None;
                }
                if let Some(&first) = form.as_bytes().first() {
                    found.begins[first.to_ascii_lowercase() as usize] = true;
                    found.begins[first.to_ascii_uppercase() as usize] = true;
                    found.forms.push(form.to_ascii_lowercase().into_bytes());
                }
            }
        }
        Some(found)
    }

    /// A run of letters and digits, a mark, or whatever stands between two spaces.
    fn each<'a>(&self, text: &'a str, mut work: impl FnMut(&'a str) -> Result<()>) -> Result<()> {
        for piece in text.split([' ', '\n', '\t', '\r']) {
            let bytes = piece.as_bytes();
            if bytes.is_empty() {
                continue;
            }
            if !bytes.iter().all(u8::is_ascii_graphic) || self.may_be_in(bytes) {
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

    fn may_be_in(&self, bytes: &[u8]) -> bool {
        let begins = |at: usize| {
            let rest = &bytes[at..];
            self.forms.iter().any(|form| {
                rest.get(..form.len()).is_some_and(|same| same.eq_ignore_ascii_case(form))
            })
        };
        (0..bytes.len()).any(|at| self.begins[bytes[at] as usize] && begins(at))
    }
}

/// Whether a normalizer does the same to words apart from each other, if their ends are plain.
fn minds_no_word(normalizer: &NormalizerWrapper) -> bool {
    use NormalizerWrapper::{
        BertNormalizer, Lowercase, NFC, NFD, NFKC, NFKD, Nmt, Precompiled, Replace, Sequence,
        StripAccents, StripNormalizer,
    };
    let is = |place: &str, wanted: Value| {
        let json = serde_json::to_value(normalizer);
        json.is_ok_and(|json| json.pointer(place) == Some(&wanted))
    };
    match normalizer {
        BertNormalizer(_) | Lowercase(_) | NFC(_) | NFD(_) | NFKC(_) | NFKD(_) | Nmt(_)
        | Precompiled(_) | StripAccents(_) => true,
        // Spaces beside each other, and those at the end of a text.
        Replace(_) => is("/pattern/Regex", " {2,}".into()),
        StripNormalizer(_) => is("/strip_left", false.into()),
        Sequence(all) => all.as_ref().iter().all(minds_no_word),
        _ => false,
    }
}

/// Whether no token reaches over a space, or into the word before it.
fn cuts_at_spaces(cutter: &PreTokenizerWrapper) -> bool {
    use PreTokenizerWrapper::{
        BertPreTokenizer, ByteLevel, Metaspace, Sequence, Whitespace, WhitespaceSplit,
    };
    match cutter {
        BertPreTokenizer(_) | Whitespace(_) | WhitespaceSplit(_) => true,
        Metaspace(rule) => rule.get_split(),
        ByteLevel(rule) => rule.use_regex,
        Sequence(all) => all.as_ref().first().is_some_and(cuts_at_spaces),
        _ => false,
    }
}

/// Words with the space before them.
fn each_at_spaces<'a>(text: &'a str, mut work: impl FnMut(&'a str) -> Result<()>) -> Result<()> {
    let mut start = 0;
    for (at, _) in text.match_indices(' ') {
        let before = text[start..at].chars().next_back();
        let behind = text[at + 1..].chars().next();
        if before.is_some_and(is_plain) && behind.is_some_and(is_plain) {
            work(&text[start..at])?;
            start = at;
        }
    }
    work(&text[start..])
}

/// Letters and marks that are what they are beside a space: no normal form joins them with it, or makes a space of their
/// beginning or their end.
fn is_plain(c: char) -> bool {
    c.is_ascii_graphic()
        || matches!(c,
            'À'..='ɏ' | 'Ά'..='ώ' | 'Ѐ'..='ҁ' | 'Ҋ'..='ԯ' | 'א'..='ת' | 'ء'..='غ' | 'ف'..='ي'
            | 'ぁ'..='ゖ' | 'ァ'..='ヺ' | '一'..='鿿' | '가'..='힣' | '‐'..='‖' | '‘'..='…')
}
