//! One text into words or sentences, for whoever has no corpus: the same words as `Corpus::read` finds.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use crate::alphanumeric;
use crate::options::{Normalization, Options};
use crate::separators::is_separator;
use crate::spelling::Spelling;
use crate::tokenizer::Tokenizer;

/// How texts become words.
#[derive(Debug, Clone, Copy)]
pub struct Splitter {
    tokenizer: Tokenizer,
    spelling: Spelling,
}

impl Splitter {
    /// What is a word, and how it is spelled; of `Options` no more is asked.
    pub fn new(tokenizer: Tokenizer, lowercase: bool, normalization: Normalization) -> Self {
        let options = Options { lowercase, normalization, ..Options::default() };
        Self { tokenizer, spelling: Spelling::new(&options) }
    }

    /// Where the words of a text are in `spelled`, which becomes the text as they are spelled. Bytes
    /// that are not UTF-8 are parts of words as they are, or no words, as the tokenizer will.
    pub fn words(&self, text: &[u8], spelled: &mut Vec<u8>, words: &mut Vec<Range<usize>>) {
        words.clear();
        self.spell(text, spelled);
        if self.tokenizer == Tokenizer::Alphanumeric && spelled.is_ascii() {
            return alphanumeric::ascii_words(spelled, |from, to| words.push(from..to));
        }
        let mut start = 0;
        for part in spelled.split(|&byte| is_separator(byte)) {
            self.tokenizer.words(part, |from, to| words.push(start + from..start + to));
            start += part.len() + 1;
        }
    }

    /// A text as its words are spelled, with what is between them.
    pub fn spell(&self, text: &[u8], spelled: &mut Vec<u8>) {
        spelled.clear();
        if self.spelling.is_plain() || text.is_ascii() {
            spelled.extend_from_slice(text);
            self.spelling.ascii(spelled);
            return;
        }
        // Piece by piece, as a reader does: the mappings of a word see nothing of its neighbours.
        for part in text.chunk_by(|&a, &b| !is_separator(a) || is_separator(b)) {
            spelled.extend_from_slice(&self.spelling.word(part));
        }
    }

    /// A word that stands alone, spelled.
    pub fn word<'a>(&self, word: &'a [u8]) -> std::borrow::Cow<'a, [u8]> {
        self.spelling.word(word)
    }
}

/// Calls `sentence` with the ends of each sentence of a text, without the white space around it:
/// Unicode's sentences (UAX #29), or lines. What holds nothing but white space is none.
pub fn sentences(text: &str, lines: bool, mut sentence: impl FnMut(Range<usize>)) {
    let mut found = |start: usize, part: &str| {
        let inside = part.trim();
        if !inside.is_empty() {
            let start = start + (part.len() - part.trim_start().len());
            sentence(start..start + inside.len());
        }
    };
    if lines {
        let mut start = 0;
        for line in text.split('\n') {
            found(start, line);
            start += line.len() + 1;
        }
    } else {
        text.split_sentence_bound_indices().for_each(|(start, part)| found(start, part));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str, tokenizer: Tokenizer, lowercase: bool) -> Vec<String> {
        let (mut spelled, mut words) = (Vec::new(), Vec::new());
        let splitter = Splitter::new(tokenizer, lowercase, Normalization::Nfc);
        splitter.words(text.as_bytes(), &mut spelled, &mut words);
        let word = |range: Range<usize>| String::from_utf8(spelled[range].to_vec()).unwrap();
        words.into_iter().map(word).collect()
    }

    #[test]
    fn words_are_those_of_a_corpus() {
        let text = "  Don't\tSTOP, e\u{301}té\n\n(ΣΑΣ) ";
        assert_eq!(words(text, Tokenizer::Whitespace, false), ["Don't", "STOP,", "été", "(ΣΑΣ)"]);
        assert_eq!(words(text, Tokenizer::Words, true), ["don't", "stop", "été", "σας"]);
        assert_eq!(words(" \n", Tokenizer::Words, true), [""; 0]);
    }

    #[test]
    fn sentences_end_where_unicode_says_or_with_the_line() {
        let text = "It is 3.14. Is it?  Yes!\n«Oui.» No end";
        let split = |lines| {
            let mut found = Vec::new();
            sentences(text, lines, |range| found.push(&text[range]));
            found
        };
        assert_eq!(split(false), ["It is 3.14.", "Is it?", "Yes!", "«Oui.»", "No end"]);
        assert_eq!(split(true), ["It is 3.14. Is it?  Yes!", "«Oui.» No end"]);
        sentences(" \n\t\n", false, |_| panic!("white space is no sentence"));
    }
}
