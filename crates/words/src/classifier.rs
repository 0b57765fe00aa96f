//! Text classification by the mean of word and n-gram vectors (Joulin et al. 2016, "Bag of Tricks
//! for Efficient Text Classification", arXiv:1607.01759), as fastText's `supervised`:
//!
//! ```text
//! line ─▶ words, subwords, word n-grams ─▶ h = mean of their rows ─▶ loss ─▶ labels
//! ```
//!
//! Rows are stored for words and for those buckets of n-grams that the training text touches. The
//! others are zero: no step ever moves them.

mod buckets;
mod dictionary;
mod evaluate;
mod examples;
mod features;
mod lines;
mod lone;
mod metric;
mod model;
mod objective;
mod predict;
mod quantize;
mod retrain;
mod touched;
mod train;
mod tree;

pub use evaluate::{Evaluation, Tally};
pub use inlay_formats::fasttext::Loss;
pub use metric::{Figure, Metric, check_validation};
pub use model::Model;
pub use quantize::{Cutoff, Quantization};
pub use retrain::Retraining;
pub use train::train;

/// How a classifier is trained. The defaults are JavaScript's.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// How a label is scored.
    pub loss: Loss,
    /// Values in a row.
    pub dimensions: usize,
    /// Passes over the text.
    pub epochs: usize,
    /// At the first word; it falls to 0 in equal steps.
    pub learning_rate: f64,
    /// The longest n-gram of words; 1: none.
    pub word_ngrams: u32,
    /// The shortest n-gram of characters.
    pub minn: u32,
    /// The longest one; 0: none.
    pub maxn: u32,
    /// Rows that n-grams share by their hash.
    pub bucket: u32,
    /// Words that occur less often have no row.
    pub min_count: u64,
    /// Labels that occur less often are left out.
    pub min_count_label: u64,
    /// Noise labels for each line; negative sampling only.
    pub negative: usize,
    /// What a label begins with in the text.
    pub label_prefix: Vec<u8>,
    /// How much lines of a label count; 1 for those that are not named.
    pub class_weights: Vec<(Vec<u8>, f32)>,
}
