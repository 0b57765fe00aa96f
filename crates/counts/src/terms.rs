//! From a text to its terms: words, characters or characters within words, one by one or several in a
//! row, as scikit-learn's analyzers `word`, `char` and `char_wb` find them.

use std::collections::HashSet;
use std::ops::Range;

use inlay_corpus::{Batch, Normalization, OVERHANG, Splitter, Tokenizer, Words};
use serde::{Deserialize, Serialize};

/// What terms are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Words, joined by spaces.
    Words,
    /// Characters of the whole text, in which two or more white spaces count as one space.
    Characters,
    /// Characters of each word and a space on both sides of it; words are what stands between white
    /// space.
    CharactersInWords,
}

/// Which terms a text has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Analysis {
    /// What terms are made of.
    pub unit: Unit,
    /// Units of the shortest term, from 1.
    pub shortest: usize,
    /// Units of the longest.
    pub longest: usize,
    /// What is a word.
    pub tokenizer: Tokenizer,
    /// Whether texts become lower case.
    pub lowercase: bool,
    /// Into which normalization form they are brought.
    pub normalization: Normalization,
    /// Words that are left out before they are joined, as they are after lower-casing.
    pub stop_words: Vec<String>,
}

/// The terms of one text after the other.
pub struct Terms<'a> {
    analysis: &'a Analysis,
    splitter: Splitter,
    stop_words: HashSet<&'a [u8]>,
    words: Words,
    /// What terms are parts of, and bytes that may be read behind them.
    bytes: Vec<u8>,
    /// Where units lie in it.
    units: Vec<Range<usize>>,
    starts: Vec<usize>,
    lengths: Vec<u32>,
}

impl<'a> Terms<'a> {
    /// For texts that are analysed so.
    pub fn new(analysis: &'a Analysis) -> Self {
        let Analysis { tokenizer, lowercase, normalization, .. } = *analysis;
        let splitter = Splitter::new(tokenizer, lowercase, normalization);
        Self {
            analysis,
            splitter,
            stop_words: analysis.stop_words.iter().map(String::as_bytes).collect(),
            words: Words::new(splitter),
            bytes: Vec::new(),
            units: Vec::new(),
            starts: Vec::new(),
            lengths: Vec::new(),
        }
    }

    /// Takes a text of a batch, whose terms replace those before.
    pub fn take(&mut self, batch: &Batch, text: usize) {
        self.clear();
        if self.analysis.unit == Unit::Words {
            self.words.take(batch, text);
            self.take_words();
        } else {
            let text = batch.text(text);
            self.take_characters(&text);
        }
        self.bytes.resize(self.bytes.len() + OVERHANG, 0);
    }

    /// Takes a text.
    pub fn split(&mut self, text: &[u8]) {
        self.clear();
        if self.analysis.unit == Unit::Words {
            self.words.split(text);
            self.take_words();
        } else {
            self.take_characters(text);
        }
        self.bytes.resize(self.bytes.len() + OVERHANG, 0);
    }

    /// What terms lie in, with `OVERHANG` bytes behind each; where they begin, and how long they are.
    pub fn found(&self) -> (&[u8], &[usize], &[u32]) {
        (self.bytes(), &self.starts, &self.lengths)
    }

    /// The terms, in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let places = self.starts.iter().zip(&self.lengths);
        places.map(|(&start, &length)| &self.bytes()[start..start + length as usize])
    }

    fn bytes(&self) -> &[u8] {
        if self.are_words() { self.words.bytes() } else { &self.bytes }
    }

    /// Whether terms are words one by one: they lie where the words do.
    fn are_words(&self) -> bool {
        self.analysis.unit == Unit::Words && self.analysis.longest == 1
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.units.clear();
        self.starts.clear();
        self.lengths.clear();
    }

    fn take_words(&mut self) {
        if !self.are_words() {
            return self.join_words();
        }
        let (bytes, places) = self.words.places();
        for place in places {
            if self.stop_words.is_empty() || !self.stop_words.contains(&bytes[place.clone()]) {
                self.starts.push(place.start);
                self.lengths.push(place.len() as u32);
            }
        }
    }

    fn join_words(&mut self) {
        for word in self.words.iter() {
            if self.stop_words.is_empty() || !self.stop_words.contains(word) {
                let start = self.bytes.len();
                self.bytes.extend_from_slice(word);
                self.units.push(start..self.bytes.len());
                self.bytes.push(b' ');
            }
        }
        let Analysis { shortest, longest, .. } = *self.analysis;
        (shortest..=longest).for_each(|count| self.add_runs(0, count));
    }

    fn take_characters(&mut self, text: &[u8]) {
        let mut spelled = Vec::new();
        self.splitter.spell(text, &mut spelled);
        let text = String::from_utf8_lossy(&spelled);
        let Analysis { shortest, longest, .. } = *self.analysis;
        if self.analysis.unit == Unit::Characters {
            self.push_collapsed(&text);
            (shortest..=longest).for_each(|count| self.add_runs(0, count));
            return;
        }
        for word in text.split(is_space).filter(|word| !word.is_empty()) {
            let first = self.units.len();
            for character in " ".chars().chain(word.chars()).chain(" ".chars()) {
                self.push(character);
            }
            let length = self.units.len() - first;
            for count in shortest..=longest {
                self.add_runs(first, count.min(length));
                // A word shorter than asked for is there whole, once.
                if count >= length {
                    break;
                }
            }
        }
    }

    /// Pushes the characters of a text, in which two or more white spaces are one space.
    fn push_collapsed(&mut self, text: &str) {
        let mut rest = text.chars().peekable();
        while let Some(character) = rest.next() {
            let mut pushed = character;
            if is_space(character) {
                while rest.next_if(|&next| is_space(next)).is_some() {
                    pushed = ' ';
                }
            }
            self.push(pushed);
        }
    }

    fn push(&mut self, character: char) {
        let start = self.bytes.len();
        let mut room = [0; 4];
        self.bytes.extend_from_slice(character.encode_utf8(&mut room).as_bytes());
        self.units.push(start..self.bytes.len());
    }

    /// Adds all runs of so many units from the first one on.
    fn add_runs(&mut self, first: usize, count: usize) {
        for run in self.units[first..].windows(count) {
            let (start, end) = (run[0].start, run[count - 1].end);
            self.starts.push(start);
            self.lengths.push((end - start) as u32);
        }
    }
}

/// Python's white space: Unicode's, and four separators of ASCII.
fn is_space(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\u{1C}'..='\u{1F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(unit: Unit, (shortest, longest): (usize, usize), text: &str) -> Vec<String> {
        let analysis = Analysis {
            unit,
            shortest,
            longest,
            tokenizer: Tokenizer::Alphanumeric,
            lowercase: true,
            normalization: Normalization::None,
            stop_words: vec!["the".into()],
        };
        let mut terms = Terms::new(&analysis);
        terms.split(text.as_bytes());
        terms.iter().map(|term| String::from_utf8(term.to_vec()).unwrap()).collect()
    }

    #[test]
    fn words_in_a_row_are_joined_over_stop_words() {
        assert_eq!(
            terms(Unit::Words, (1, 2), "Cats, the Dogs & mice"),
            ["cats", "dogs", "mice", "cats dogs", "dogs mice"]
        );
        assert_eq!(terms(Unit::Words, (3, 4), "cats dogs"), [""; 0]);
    }

    #[test]
    fn characters_run_over_words_and_white_space_counts_once() {
        assert_eq!(terms(Unit::Characters, (2, 2), "Aé \n b"), ["aé", "é ", " b"]);
        assert_eq!(terms(Unit::Characters, (1, 1), "a\tb"), ["a", "\t", "b"]);
    }

    #[test]
    fn characters_in_words_have_a_space_on_both_sides() {
        assert_eq!(terms(Unit::CharactersInWords, (3, 4), "ab  x"), [" ab", "ab ", " ab ", " x "]);
        // The whole of a short word, once.
        assert_eq!(terms(Unit::CharactersInWords, (4, 6), "x"), [" x "]);
    }
}
