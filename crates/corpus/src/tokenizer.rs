//! What is a word, within what stands between ASCII white space.

use serde::{Deserialize, Serialize};

use crate::{alphanumeric, chinese, segments};

/// What is a word. Words are looked for between ASCII white space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tokenizer {
    /// Whatever stands between ASCII white space (space, tab, line feed, vertical tab, form feed,
    /// carriage return).
    #[default]
    Whitespace,
    /// Unicode words (UAX #29) that hold a letter or digit; punctuation is dropped.
    Words,
    /// Two or more letters, digits and underscores in a row, as scikit-learn's default.
    Alphanumeric,
    /// Chinese words that hold a letter or digit, as jieba finds them.
    Chinese,
}

impl Tokenizer {
    /// Calls `word` with the ends of each word in `part`, which holds no ASCII white space.
    #[inline(always)]
    pub(crate) fn words(self, part: &[u8], mut word: impl FnMut(usize, usize)) {
        match self {
            Tokenizer::Whitespace if part.is_empty() => {}
            Tokenizer::Whitespace => word(0, part.len()),
            Tokenizer::Words => segments::words(part, word),
            Tokenizer::Alphanumeric => alphanumeric::words(part, word),
            Tokenizer::Chinese => chinese::words(part, word),
        }
    }
}
