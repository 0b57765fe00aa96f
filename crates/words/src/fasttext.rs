//! FastText: Bojanowski et al. 2017, "Enriching Word Vectors with Subword Information",
//! arXiv:1607.04606. Word2Vec whose words are the mean of a row of their own and of the rows of their
//! character n-grams; so a word that was never seen has a vector too.

mod cbow;
mod file;
mod model;
mod ring;
mod skip_gram;
mod table;
#[cfg(test)]
mod tests;

use inlay_base::{Error, Random, Result, Run, SharedMatrix};
use inlay_corpus::Corpus;
use inlay_formats::GiveRows;
use inlay_vectors::WordVectors;
use serde::{Deserialize, Serialize};

use crate::checkpoint::{self, Checkpoint, Training};
use crate::lesson::{Lesson, Reach};
use crate::objective::{HierarchicalSoftmax, NegativeSampling, Objective};
use crate::progress::Standing;
use crate::subwords::Ngrams;
use crate::train::{Course, Pause, train as train_words};
use crate::word2vec::{Architecture, Scoring};
use crate::{Curve, Huffman, NoiseTable, Schedule, Subsample};

pub use file::Format;
pub use model::{Model, Ngram};

use cbow::Cbow;
use ring::Rows;
use skip_gram::SkipGram;
use table::Table;

/// What the caller chooses; everything here decides the vectors. Limits are the caller's to check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Options {
    /// What predicts what.
    pub architecture: Architecture,
    /// How a prediction is scored.
    pub objective: Scoring,
    /// Values in a vector.
    pub dimensions: usize,
    /// Characters of the shortest n-gram.
    pub min_ngram: u32,
    /// Characters of the longest; 0: none.
    pub max_ngram: u32,
    /// Buckets that n-grams share.
    pub buckets: u32,
    /// Words on each side, at most.
    pub window: usize,
    /// Draw each window's width from 1 to `window`.
    pub shrink_window: bool,
    /// Noise words for each prediction.
    pub negative: usize,
    /// Noise words are drawn by count to this power.
    pub negative_exponent: f64,
    /// Skip-gram: one set of noise words for all predictions of a centre.
    pub shared_negatives: bool,
    /// Passes over the corpus.
    pub epochs: usize,
    /// At the first word.
    pub learning_rate: f64,
    /// At the last word.
    pub final_learning_rate: f64,
    /// From the one to the other.
    pub schedule: Curve,
    /// Threshold of subsampling; 0: none.
    pub subsample: f64,
}

impl Options {
    /// Which n-grams make a word.
    pub fn ngrams(&self) -> Ngrams {
        Ngrams { minn: self.min_ngram, maxn: self.max_ngram, words: 1, bucket: self.buckets }
    }
}

/// Trains on a corpus. The bytes depend on the seed alone where `run` has one thread. Words that
/// `initial` has begin with its vectors as rows of their own.
///
/// # Errors
/// - `InvalidOption`: initial vectors of other dimensions; a checkpoint of another training.
/// - `OutOfMemory`; `Diverged`; what writing the checkpoint meets.
/// - `Aborted`: with a checkpoint, after it is written.
pub fn train(
    corpus: &Corpus,
    options: &Options,
    initial: Option<&WordVectors>,
    checkpoint: Option<&Checkpoint>,
    run: &Run,
) -> Result<Model> {
    let counts = corpus.counts();
    let tree = match options.objective {
        Scoring::HierarchicalSoftmax => Some(Huffman::new(counts)?),
        Scoring::NegativeSampling => None,
    };
    let table = Table::new(corpus.names(), options.ngrams())?;
    let input = first_input(corpus, options, &table, initial, run)?;
    let nodes = tree.as_ref().map_or(counts.len(), Huffman::inner);
    let output = SharedMatrix::zeros(nodes, options.dimensions)?;
    let learnt = [("input", &input), ("output", &output)];
    let training = Training::new("FastText", options, (corpus, run.seed()), None, &learnt);
    let resumed = match checkpoint {
        Some(checkpoint) => checkpoint::read(checkpoint, &training, options.epochs)?,
        None => None,
    };
    let standing = resumed.unwrap_or_else(|| Standing::start(options.epochs));
    let mut save = |standing: &Standing| match checkpoint {
        Some(checkpoint) => checkpoint::write(checkpoint, &training, standing),
        None => Ok(()),
    };
    let pause = checkpoint.map(|checkpoint| Pause { every: checkpoint.every, save: &mut save });

    let rows = Rows { input: &input, table: &table, output: &output, window: options.window };
    let teaching = Teaching { corpus, options, standing, pause, run };
    let losses = match &tree {
        Some(tree) => teaching.with(rows, &HierarchicalSoftmax { tree })?,
        None => {
            let noise = NoiseTable::new(counts, options.negative_exponent);
            let (negative, reach) = (noise_words(options), f32::INFINITY);
            let weight = options.negative as f32 / negative as f32;
            teaching.with(rows, &NegativeSampling { noise: &noise, negative, weight, reach })?
        }
    };
    Model::trained((corpus.names(), counts), &table, (input, output), options, losses, run)
}

/// Noise words that are drawn at once. A window that shares them has three for each two that a prediction
/// would have of its own: with as many (five) analogies were 49.7 % after five epochs, with eight 51.3 %;
/// fastText, which shares none, had 50.
fn noise_words(options: &Options) -> usize {
    match options.architecture {
        Architecture::SkipGram if options.shared_negatives => (3 * options.negative).div_ceil(2),
        _ => options.negative,
    }
}

/// Rows of words and n-grams are uniform in ±1 / dimensions, as in fastText; then come the vectors
/// that the caller has.
fn first_input(
    corpus: &Corpus,
    options: &Options,
    table: &Table,
    initial: Option<&WordVectors>,
    run: &Run,
) -> Result<SharedMatrix> {
    let dimensions = options.dimensions;
    let input = SharedMatrix::zeros(table.len(), dimensions)?;
    let mut random = Random::new(run.seed(), 0);
    let mut row = vec![0.0; dimensions];
    for word in 0..corpus.names().len() as u32 {
        row.fill_with(|| (random.unit() - 0.5) * 2.0 / dimensions as f32);
        input.write(word, &row);
    }
    table.fill_ngrams(&input, run.seed());
    if let Some(vectors) = initial {
        if vectors.dimensions() != dimensions {
            return Err(Error::InvalidOption {
                option: "dimensions",
                expected: format!("{}, as the vectors to begin with", vectors.dimensions()),
                got: dimensions.to_string(),
            });
        }
        for (word, name) in (0..).zip(corpus.names().iter()) {
            if let Some(known) = vectors.names().find(name) {
                vectors.rows().give(known as usize, &mut row);
                input.write(word, &row);
            }
        }
    }
    Ok(input)
}

/// All that the combinations of architecture and objective have in common.
struct Teaching<'a> {
    corpus: &'a Corpus,
    options: &'a Options,
    standing: Standing,
    pause: Option<Pause<'a>>,
    run: &'a Run,
}

impl Teaching<'_> {
    fn with(self, rows: Rows<'_>, objective: &impl Objective) -> Result<Vec<f64>> {
        match self.options.architecture {
            Architecture::SkipGram => {
                let shared_noise = self.options.shared_negatives;
                self.learn(&SkipGram { rows, objective, shared_noise })
            }
            Architecture::Cbow => self.learn(&Cbow { rows, objective }),
        }
    }

    fn learn(self, lesson: &impl Lesson) -> Result<Vec<f64>> {
        let Self { corpus, options, standing, pause, run } = self;
        let subsample = Subsample::new(corpus.counts(), options.subsample);
        let (first, last) = (options.learning_rate, options.final_learning_rate);
        let course = Course {
            ids: corpus.ids(),
            vocabulary: corpus.counts().len(),
            tokens: corpus.tokens(),
            release: &|range| corpus.release(range),
            epochs: options.epochs,
            schedule: Schedule { curve: options.schedule, first, last },
            subsample: &subsample,
            documents: false,
            reach: Reach { window: options.window, shrinks: options.shrink_window },
        };
        train_words(&course, lesson, standing, pause, run)
    }
}
