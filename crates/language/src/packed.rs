//! N-grams in a fifth of the memory: a trie of packed bits (Heafield 2011, "KenLM: Faster and Smaller
//! Language Model Queries", section 3.2), values by the numbers of their bins.
//!
//! ```text
//!     children of contexts     0 for each n-gram, 1 at the end of each context's     001 1 01 0001 ...
//!     records, by context      newest word | probability's bin | back-off's bin
//! ```
//!
//! The n-grams of a context are those between two ones, in the order of their words. An n-gram's number is
//! its place, and its context's number is that of the order below: nothing points to anything.

use inlay_base::{Result, Run};
use inlay_formats::Array;

use crate::bins::Bins;
use crate::bits::{Bits, BitsMaker, Marks};
use crate::table::Found;

/// The n-grams of one order from 2 on, by context and word.
pub struct Packed {
    children: Marks,
    records: Bits,
    probabilities: Bins,
    /// None at the highest order.
    backoffs: Option<Bins>,
    /// Bits of a word.
    word: u32,
    /// How many n-grams there are.
    pub len: usize,
}

/// An n-gram that is packed.
#[derive(Debug, Clone, Copy)]
pub struct Unpacked {
    /// The number of its context in the order below.
    pub context: u32,
    /// Its newest word.
    pub word: u32,
    /// log10.
    pub probability: f32,
    /// log10.
    pub backoff: f32,
}

/// What a file has of an order.
pub struct Parts {
    /// See `Marks::words`.
    pub children: Array<u64>,
    /// See `Bits::words`.
    pub records: Array<u64>,
    /// Values of bins.
    pub probabilities: Array<f32>,
    /// The same of back-offs.
    pub backoffs: Option<Array<f32>>,
}

/// What goes to a file of an order: as `Parts`.
#[allow(missing_docs)]
pub struct Tensors<'a> {
    pub children: &'a [u64],
    pub records: &'a [u64],
    pub probabilities: &'a [f32],
    pub backoffs: Option<&'a [f32]>,
}

/// Bits of a word in a vocabulary.
fn bits_of(vocabulary: usize) -> u32 {
    usize::BITS - vocabulary.saturating_sub(1).leading_zeros()
}

impl Packed {
    /// Packs n-grams, which come in the order of their contexts and words; there are so many contexts.
    pub fn of(
        ngrams: &[Unpacked],
        contexts: usize,
        vocabulary: usize,
        bits: u32,
        highest: bool,
        run: &Run,
    ) -> Result<Self> {
        let probabilities = Bins::of(ngrams.iter().map(|ngram| ngram.probability), bits, run)?;
        let backoffs = match highest {
            true => None,
            false => Some(Bins::of(ngrams.iter().map(|ngram| ngram.backoff), bits, run)?),
        };
        let word = bits_of(vocabulary);
        let width = word + bits + if highest { 0 } else { bits };
        let mut records = BitsMaker::new(width, ngrams.len());
        let mut ends = Vec::with_capacity(contexts);
        for (number, ngram) in ngrams.iter().enumerate() {
            if number.is_multiple_of(1 << 16) {
                run.check()?;
            }
            ends.resize(ngram.context as usize, number as u64);
            let mut record = u64::from(ngram.word) | probabilities.bin(ngram.probability) << word;
            if let Some(backoffs) = &backoffs {
                record |= backoffs.bin(ngram.backoff) << (word + bits);
            }
            records.push(record);
        }
        ends.resize(contexts, ngrams.len() as u64);
        let (children, records) = (Marks::of(&ends), records.made());
        Ok(Self { children, records, probabilities, backoffs, word, len: ngrams.len() })
    }

    /// The order that lies in a file, if that has all of it.
    pub fn mapped(
        parts: Parts,
        len: usize,
        contexts: usize,
        vocabulary: usize,
        bits: u32,
    ) -> Option<Self> {
        let (word, highest) = (bits_of(vocabulary), parts.backoffs.is_none());
        let width = word + bits + if highest { 0 } else { bits };
        Some(Self {
            children: Marks::mapped(parts.children, contexts, len)?,
            records: Bits::mapped(parts.records, width, len)?,
            probabilities: Bins::mapped(parts.probabilities, bits)?,
            backoffs: match parts.backoffs {
                Some(backoffs) => Some(Bins::mapped(backoffs, bits)?),
                None => None,
            },
            word,
            len,
        })
    }

    /// The n-gram of a context and a word.
    pub fn find(&self, context: u32, word: u32) -> Found {
        let Some(range) = self.children.zeros(context as usize) else { return Found::NOTHING };
        let (mut from, mut to) = (range.start, range.end);
        while from < to {
            let middle = from + (to - from) / 2;
            let record = self.records.get(middle);
            let found = (record & self.mask()) as u32;
            if found == word {
                let [probability, backoff] = self.values(record);
                return Found { slot: middle as u32, probability, backoff };
            }
            (from, to) = if found < word { (middle + 1, to) } else { (from, middle) };
        }
        Found::NOTHING
    }

    /// All n-grams in their order; fewer if the file is damaged.
    pub fn all(&self) -> impl Iterator<Item = Unpacked> + '_ {
        self.children.owners().take(self.len).enumerate().map(|(number, context)| {
            let record = self.records.get(number);
            let [probability, backoff] = self.values(record);
            Unpacked { context, word: (record & self.mask()) as u32, probability, backoff }
        })
    }

    /// log10 probability and log10 back-off of an n-gram that there is.
    pub fn of_slot(&self, slot: usize) -> [f32; 2] {
        self.values(self.records.get(slot))
    }

    /// Bits of a bin.
    pub fn bits(&self) -> u32 {
        self.probabilities.bits()
    }

    /// The tensors of a file.
    pub fn tensors(&self) -> Tensors<'_> {
        Tensors {
            children: self.children.words(),
            records: self.records.words(),
            probabilities: self.probabilities.values(),
            backoffs: self.backoffs.as_ref().map(Bins::values),
        }
    }

    /// Bytes of memory.
    pub fn weight(&self) -> usize {
        let Tensors { children, records, probabilities, backoffs } = self.tensors();
        8 * (children.len() + records.len())
            + 4 * (probabilities.len() + backoffs.map_or(0, <[f32]>::len))
    }

    #[inline(always)]
    fn mask(&self) -> u64 {
        (1 << self.word) - 1
    }

    #[inline(always)]
    fn values(&self, record: u64) -> [f32; 2] {
        let bins = record >> self.word;
        let backoff = self.backoffs.as_ref();
        let backoff = backoff.map_or(0.0, |backoffs| backoffs.value(bins >> self.bits()));
        [self.probabilities.value(bins), backoff]
    }
}
