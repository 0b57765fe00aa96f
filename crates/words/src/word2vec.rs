//! Word2Vec: Mikolov et al. 2013, arXiv:1301.3781 (skip-gram and CBOW, figure 1) and
//! arXiv:1310.4546 (negative sampling, hierarchical softmax, subsampling).

mod matrices;
mod model;
mod predict;

use std::sync::Arc;

use inlay_base::{Result, Run};
use inlay_corpus::Corpus;
use inlay_formats::Names;
use inlay_vectors::WordVectors;
use serde::{Deserialize, Serialize};

use crate::checkpoint::{self, Checkpoint, Training};
use crate::company::Nobody;
use crate::context::{Cbow, Context, SkipGram};
use crate::lesson::Reach;
use crate::objective::{HierarchicalSoftmax, NegativeSampling, Objective};
use crate::progress::Standing;
use crate::sight::Sight;
use crate::train::{Course, Pause, train as train_words};
use crate::window::Window;
use crate::{Curve, Huffman, NoiseTable, Schedule, Subsample};

pub use matrices::estimate_memory;
pub(crate) use matrices::{fill_at_random, first_vectors, frozen};
pub use model::Model;

use matrices::Matrices;

/// What predicts what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Architecture {
    /// Each word of the window predicts the centre.
    SkipGram,
    /// The mean or sum of the window predicts the centre.
    Cbow,
}

/// How a prediction is scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scoring {
    /// The word against noise words.
    NegativeSampling,
    /// The word's path in a Huffman tree.
    HierarchicalSoftmax,
}

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
    /// Words on each side, at most.
    pub window: usize,
    /// Draw each window's width from 1 to `window`.
    pub shrink_window: bool,
    /// Noise words for each prediction.
    pub negative: usize,
    /// Noise words are drawn by count to this power.
    pub negative_exponent: f64,
    /// One set of noise words for all predictions of a centre.
    pub shared_negatives: bool,
    /// CBOW: the mean of the window, not the sum.
    pub cbow_mean: bool,
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

/// What the vectors are before the first step, and which of them stay so.
#[derive(Default)]
pub struct Start {
    /// A model to go on from, by word: input vectors and, with negative sampling, output vectors.
    /// Its Huffman nodes have no words, so hierarchical softmax begins them anew.
    pub model: Option<Arc<Model>>,
    /// Vectors for words that have some; they go before the model's.
    pub initial: Option<WordVectors>,
    /// Words whose input vectors do not move.
    pub frozen: Frozen,
}

/// Words whose input vectors do not move.
#[derive(Default)]
pub enum Frozen {
    /// No word.
    #[default]
    None,
    /// All that had a vector before the training.
    Given,
    /// These; those that are not in the vocabulary are passed over.
    Words(Vec<Vec<u8>>),
}

/// Trains on a corpus. The bytes depend on the seed alone where `run` has one thread.
///
/// # Errors
/// - `InvalidOption`: initial vectors of other dimensions; a checkpoint of another training.
/// - `OutOfMemory`; `Diverged`; what writing the checkpoint meets.
/// - `Aborted`: with a checkpoint, after it is written.
pub fn train(
    corpus: &Corpus,
    options: &Options,
    start: &Start,
    checkpoint: Option<&Checkpoint>,
    run: &Run,
) -> Result<Model> {
    let counts = corpus.counts();
    let tree = match options.objective {
        Scoring::HierarchicalSoftmax => Some(Huffman::new(counts)?),
        Scoring::NegativeSampling => None,
    };
    let nodes = tree.as_ref().map_or(counts.len(), Huffman::inner);
    let matrices = Matrices::new(corpus.names(), nodes, options, start, run)?;
    let learnt = [("vectors", &matrices.input), ("output", &matrices.output)];
    let frozen = matrices.frozen.as_deref();
    let training = Training::new("word2vec", options, (corpus, run.seed()), frozen, &learnt);
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
    let teaching = Teaching { corpus, options, matrices: &matrices, standing, pause, run };
    let losses = match (&tree, options.architecture) {
        (Some(tree), architecture) => {
            let objective = HierarchicalSoftmax { tree };
            teaching.with(architecture, &objective)?
        }
        (None, architecture) => {
            let noise = NoiseTable::new(counts, options.negative_exponent);
            let objective = NegativeSampling {
                noise: &noise,
                negative: options.negative,
                weight: 1.0,
                reach: f32::INFINITY,
            };
            teaching.with(architecture, &objective)?
        }
    };
    let names = Arc::clone(corpus.names());
    Ok(Model::new(names, counts, matrices, tree, options.clone(), losses))
}

/// All that the four combinations of architecture and objective have in common.
struct Teaching<'a> {
    corpus: &'a Corpus,
    options: &'a Options,
    matrices: &'a Matrices,
    standing: Standing,
    pause: Option<Pause<'a>>,
    run: &'a Run,
}

impl Teaching<'_> {
    fn with(self, architecture: Architecture, objective: &impl Objective) -> Result<Vec<f64>> {
        match architecture {
            Architecture::SkipGram => self.and(&SkipGram, objective),
            Architecture::Cbow => {
                let mean = self.options.cbow_mean;
                self.and(&Cbow { mean }, objective)
            }
        }
    }

    fn and(self, context: &impl Context, objective: &impl Objective) -> Result<Vec<f64>> {
        let Self { corpus, options, matrices, standing, pause, run } = self;
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
            reach: Reach { window: options.window, shrinks: options.shrink_window },
            documents: false,
        };
        let lesson = Window {
            context,
            objective,
            sight: Sight {
                company: &Nobody,
                input: &matrices.input,
                window: options.window,
                frozen: matrices.frozen.as_deref(),
            },
            output: &matrices.output,
            shared_noise: options.shared_negatives,
        };
        train_words(&course, &lesson, standing, pause, run)
    }
}

/// The ids of those words that the vocabulary has.
fn known(names: &Names, words: &[Vec<u8>]) -> Vec<u32> {
    words.iter().filter_map(|word| names.find(word)).collect()
}
