//! Texts as ids: open, decode, split, count, and a mapped file of ids.
//!
//! ```text
//! files, streams ─▶ blocks ─▶ clean ─▶ spelling ─▶ separators, segments ─▶ tables   (all threads)
//!                                                    numbers to a temporary file ─┐
//!              vocabulary: tables merged, words chosen and ordered ─▶ ids mapped ─▶ the ids file
//! ```
//!
//! Phrases, where they are given, are joined on the way: the text is numbered with all its words, and
//! its sentences are a source again (`joined`).
//!
//! A source is read once. What comes out does not depend on the number of threads or on how the
//! source was cut.
#![forbid(unsafe_code)]

mod alphanumeric;
mod blocks;
mod chinese;
mod clean;
mod corpus;
mod decode;
mod fingerprint;
mod ids;
mod joined;
mod numbered;
mod numbering;
mod options;
pub mod phrases;
mod pipe;
mod positioned;
mod replay;
mod saved;
mod segments;
mod separators;
mod sorting;
mod source;
mod spelling;
mod splitter;
mod subwords;
mod table;
mod tally;
#[cfg(test)]
mod tests;
mod texts;
mod tokenizer;
mod vocabulary;

pub use corpus::{Corpus, Counted, Dropped, count};
pub use decode::{Sequence, in_order};
pub use numbered::{Masking, NOTHING_WANTED, Numbered};
pub use options::{Base, InvalidUtf8, Normalization, Options, Sentences};
pub use positioned::Spool;
pub use source::{Batch, Source};
pub use splitter::{Splitter, sentences};
pub use subwords::{Lesson, Memory, Remembering, Subwords, Tokenized};
pub use table::{BATCH, OVERHANG, Seed, Table};
pub use texts::{Part, Reading, Words, each_part};
pub use tokenizer::Tokenizer;

/// What stands after each sentence in `Corpus::ids`.
pub const SENTENCE_END: u32 = u32::MAX;
