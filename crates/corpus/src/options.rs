use std::path::PathBuf;
use std::sync::Arc;

use inlay_formats::Names;
use serde::{Deserialize, Serialize};

use crate::phrases::Phrases;
use crate::tokenizer::Tokenizer;

/// How a corpus is read. See the fields; `default` gives what each says.
#[derive(Debug, Clone)]
pub struct Options {
    /// What is a word of a text. Sentences of words and of integers are not split.
    pub tokenizer: Tokenizer,
    /// Whether words become lower case, after Unicode's full mapping. Default no.
    pub lowercase: bool,
    /// Into which normalization form words are brought. Default none.
    pub normalization: Normalization,
    /// What ends a sentence of a text. Default a line's end.
    pub sentences: Sentences,
    /// Words that occur less often are dropped. Default 5; 0 counts as 1.
    pub min_count: u64,
    /// How many words are kept at most, the most frequent ones. Default no limit. Words of `base`
    /// are kept in any case and count.
    pub max_vocabulary: Option<usize>,
    /// Words that are dropped, in the form that they have after lower-casing and normalization.
    pub stop_words: Vec<String>,
    /// What is done with bytes that are not UTF-8. Default an error.
    pub invalid_utf8: InvalidUtf8,
    /// Where temporary files go: eight bytes a word of text at most. Default the system's place.
    pub spool_directory: Option<PathBuf>,
    /// Words that are joined, after lower-casing and normalization and before anything is counted.
    pub phrases: Option<Phrases>,
    /// A vocabulary to go on from.
    pub base: Option<Base>,
    /// Whether no other words than those of `base` are kept, with their numbers there; then a source
    /// may have none of them.
    pub closed: bool,
    /// Whether sentences are documents, which keep their numbers: one without words, or none of
    /// whose words is kept, is there still. Of a file every line is one, an empty one too, or every
    /// paragraph; of a stream every text, whatever lines it has, and every sentence.
    pub documents: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tokenizer: Tokenizer::default(),
            lowercase: false,
            normalization: Normalization::default(),
            sentences: Sentences::default(),
            min_count: 5,
            max_vocabulary: None,
            stop_words: Vec::new(),
            invalid_utf8: InvalidUtf8::default(),
            spool_directory: None,
            phrases: None,
            base: None,
            closed: false,
            documents: false,
        }
    }
}

/// Unicode's normalization forms (UAX #15). A text is normalized, then lower-cased if that is
/// asked for, and normalized again where the lower case is not normalized, before it is split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Normalization {
    /// As it is.
    #[default]
    None,
    /// Composed.
    Nfc,
    /// Decomposed.
    Nfd,
    /// Composed, compatible characters made one. Exotic spaces become separators.
    Nfkc,
    /// Decomposed, compatible characters made one. Exotic spaces become separators.
    Nfkd,
}

/// What ends a sentence. The end of a file or of a text of a stream does so in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sentences {
    /// A line feed.
    #[default]
    Line,
    /// A line that holds nothing but white space.
    Paragraph,
}

/// What is done with bytes that are not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InvalidUtf8 {
    /// The first one is an error with its place.
    #[default]
    Error,
    /// They become U+FFFD, one for each maximal part of a character.
    Replace,
    /// What stands between ASCII white space and holds such bytes is left out.
    Skip,
}

/// The vocabulary of a model that learns on. Its words are kept whatever their count, and even as
/// stop words; `minCount`, `maxVocabulary` and stop words choose among the others.
#[derive(Debug, Clone)]
pub struct Base {
    /// The words.
    pub names: Arc<Names>,
    /// How often each was seen; added to what is counted now.
    pub counts: Vec<u64>,
}
