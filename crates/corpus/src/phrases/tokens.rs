//! The words of a text and its phrases by number, and the atoms of each.
//!
//! Counts are by the joined text, as gensim's: the pair `new york` and a word `new_york` of the text
//! are counted as one. So what is counted is a sequence of *atoms*, the parts of words between
//! delimiters, of which the joined text is one and only one writing.

use std::collections::HashMap;

use inlay_base::{Result, Run};

use super::Options;
use crate::Corpus;

/// Words between two questions whether the run goes on.
const STEP: usize = 1 << 12;

/// The words of a text and the phrases found in it, by number: first the corpus' own.
pub struct Tokens<'a> {
    corpus: &'a Corpus,
    /// Those of phrases that are no words of the text.
    pub joined: Vec<Vec<u8>>,
    /// All of phrases.
    pub by_text: HashMap<Vec<u8>, u32>,
    pub connectors: Vec<u32>,
    delimiter: Vec<u8>,
    /// The atoms of whatever holds the delimiter; anything else is one atom, of its own number.
    pub atoms: HashMap<u32, Vec<u32>>,
    /// Numbers of atoms that are no words, from the top.
    other_atoms: HashMap<Vec<u8>, u32>,
}

impl<'a> Tokens<'a> {
    pub fn new(corpus: &'a Corpus, options: &Options, run: &Run) -> Result<Self> {
        let find = |word: &String| corpus.names().find(word.as_bytes());
        let mut tokens = Self {
            corpus,
            joined: Vec::new(),
            by_text: HashMap::new(),
            connectors: options.connector_words.iter().filter_map(find).collect(),
            delimiter: options.delimiter.to_string().into_bytes(),
            atoms: HashMap::new(),
            other_atoms: HashMap::new(),
        };
        for (number, name) in (0..).zip(corpus.names().iter()) {
            if (number as usize).is_multiple_of(STEP) {
                run.check()?;
            }
            tokens.add_atoms(number, name);
        }
        Ok(tokens)
    }

    pub fn count(&self) -> u32 {
        (self.corpus.names().len() + self.joined.len()) as u32
    }

    /// The text of a token.
    pub fn text(&self, token: u32) -> &[u8] {
        let words = self.corpus.names().len();
        match (token as usize).checked_sub(words) {
            None => self.corpus.names().get(token),
            Some(joined) => &self.joined[joined],
        }
    }

    /// The text of words that are joined.
    pub fn join(&self, parts: &[u32]) -> Vec<u8> {
        let texts: Vec<_> = parts.iter().map(|&part| self.text(part)).collect();
        texts.join(&self.delimiter[..])
    }

    /// The number of a text, a new one if need be.
    pub fn number(&mut self, text: Vec<u8>) -> u32 {
        if let Some(&number) = self.by_text.get(&text) {
            return number;
        }
        if let Some(word) = self.corpus.names().find(&text) {
            self.by_text.insert(text, word);
            return word;
        }
        let number = self.count();
        self.add_atoms(number, &text);
        self.joined.push(text.clone());
        self.by_text.insert(text, number);
        number
    }

    fn add_atoms(&mut self, number: u32, text: &[u8]) {
        let width = self.delimiter.len();
        let mut atoms = Vec::new();
        let mut start = 0;
        let mut at = 0;
        while at + width <= text.len() {
            if text[at..at + width] == self.delimiter[..] {
                atoms.push(&text[start..at]);
                at += width;
                start = at;
            } else {
                at += 1;
            }
        }
        if atoms.is_empty() {
            return;
        }
        atoms.push(&text[start..]);
        let mut atom = |text: &[u8]| {
            self.corpus.names().find(text).unwrap_or_else(|| {
                let next = u32::MAX - 1 - self.other_atoms.len() as u32;
                *self.other_atoms.entry(text.to_vec()).or_insert(next)
            })
        };
        let atoms = atoms.into_iter().map(&mut atom).collect();
        self.atoms.insert(number, atoms);
    }

    /// The atoms of words that are joined, if any of them holds the delimiter.
    pub fn atoms_of(&self, parts: impl Iterator<Item = u32> + Clone) -> Option<Vec<u32>> {
        let has_more = |part: u32| self.atoms.contains_key(&part);
        if self.atoms.is_empty() || !parts.clone().any(has_more) {
            return None;
        }
        let mut all = Vec::new();
        for part in parts {
            match self.atoms.get(&part) {
                Some(atoms) => all.extend(atoms),
                None => all.push(part),
            }
        }
        Some(all)
    }
}
