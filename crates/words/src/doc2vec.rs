//! Doc2Vec: Le and Mikolov 2014, arXiv:1405.4053. A document's tags stand in the windows of all its
//! words: alone (PV-DBOW: skip-gram from tags), or with the words around (PV-DM: CBOW with tags).

mod around;
mod infer;
mod lockstep;
mod matrices;
mod model;
mod steps;
mod tags;

use inlay_base::{Error, Result, Run};
use inlay_corpus::Corpus;
use serde::{Deserialize, Serialize};

use crate::checkpoint::{self, Checkpoint, Training};
use crate::context::{Cbow, Concatenation, Context, SkipGram};
use crate::group::Group;
use crate::lesson::{Lesson, Reach};
use crate::objective::{HierarchicalSoftmax, NegativeSampling, Objective};
use crate::progress::Standing;
use crate::sight::Sight;
use crate::train::{Course, Pause, train as train_words};
use crate::window::Window;
use crate::word2vec::{Scoring, Start};
use crate::{Curve, Huffman, NoiseTable, Schedule, Subsample};

pub use infer::Inference;
pub use matrices::estimate_memory;
pub use model::Model;
pub use tags::{Tags, TagsBuilder};

use matrices::Matrices;
use tags::Tagged;

/// Scores this far from zero teach nothing, as in gensim.
const REACH: f32 = 6.0;

/// What predicts what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Architecture {
    /// PV-DM: tags and the words of the window together predict the centre.
    DistributedMemory,
    /// PV-DBOW: each tag predicts every word.
    DistributedBagOfWords,
}

/// How tags and words of a window become one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Combine {
    /// Their mean.
    Mean,
    /// Their sum.
    Sum,
    /// One behind the other: outputs have (tags + 2 · window) · dimensions values.
    Concatenation,
}

/// How text became words, by the names of the corpus' options: what is inferred is read alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reading {
    /// What a word is.
    pub tokenizer: String,
    /// Whether words became lower case.
    pub lowercase: bool,
    /// The Unicode form of words.
    pub normalization: String,
    /// Whether words were joined to phrases, which the model does not hold.
    #[serde(default)]
    pub phrases: bool,
}

/// What the caller chooses; everything here decides the vectors. Limits are the caller's to check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Options {
    /// What predicts what.
    pub architecture: Architecture,
    /// PV-DM: how a window becomes a vector.
    pub combine: Combine,
    /// PV-DBOW: words learn as well, as in skip-gram, in the same steps as tags.
    pub word_training: bool,
    /// How a prediction is scored.
    pub objective: Scoring,
    /// Values in a vector.
    pub dimensions: usize,
    /// Words on each side, at most; with `Concatenation`, always.
    pub window: usize,
    /// Draw each window's width from 1 to `window`; never with `Concatenation`.
    pub shrink_window: bool,
    /// Noise words for each prediction.
    pub negative: usize,
    /// Noise words are drawn by count to this power.
    pub negative_exponent: f64,
    /// Words that stand together share their noise words; never with `Concatenation`.
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
    /// How text becomes words.
    pub reading: Reading,
}

impl Options {
    /// Whether words stand in windows, and so learn vectors.
    pub fn has_words(&self) -> bool {
        self.architecture == Architecture::DistributedMemory || self.word_training
    }

    /// Whether words take part in what predicts a document's other words.
    pub fn words_predict(&self) -> bool {
        self.architecture == Architecture::DistributedMemory
    }

    /// Whether every place of a window has outputs of its own.
    pub fn concatenates(&self) -> bool {
        self.architecture == Architecture::DistributedMemory
            && self.combine == Combine::Concatenation
    }

    /// Whether several centres, each with a window of its own, share noise words.
    pub fn groups(&self) -> bool {
        self.architecture == Architecture::DistributedMemory
            && self.combine != Combine::Concatenation
            && self.objective == Scoring::NegativeSampling
            && self.shared_negatives
    }

    fn reach(&self) -> Reach {
        Reach { window: self.window, shrinks: self.shrink_window && !self.concatenates() }
    }
}

/// Trains on documents: the sentences of a corpus, each with its tags. The bytes depend on the seed
/// alone where `run` has one thread.
///
/// # Errors
/// - `InvalidInput`: other tags than documents; with `Concatenation`, documents that do not all
///   have as many tags.
/// - `InvalidOption`: initial vectors of other dimensions; a checkpoint of another training.
/// - `OutOfMemory`; `Diverged`; what writing the checkpoint meets.
/// - `Aborted`: with a checkpoint, after it is written.
pub fn train(
    (corpus, tags): (&Corpus, &Tags),
    options: &Options,
    start: &Start,
    checkpoint: Option<&Checkpoint>,
    run: &Run,
) -> Result<Model> {
    let counts = corpus.counts();
    if tags.documents() as u64 != corpus.sentences() {
        let problem =
            format!("{} documents, but tags for {}", corpus.sentences(), tags.documents());
        return Err(Error::InvalidInput { source: "tags".into(), offset: None, problem });
    }
    let tree = match options.objective {
        Scoring::HierarchicalSoftmax => Some(Huffman::new(counts)?),
        Scoring::NegativeSampling => None,
    };
    let nodes = tree.as_ref().map_or(counts.len(), Huffman::inner);
    let matrices = Matrices::new(corpus.names(), (nodes, tags), options, start, run)?;
    let learnt = [
        ("vectors", &matrices.input),
        ("tags", &matrices.tags),
        ("beyond", &matrices.beyond),
        ("output", &matrices.output),
    ];
    let frozen = matrices.frozen.as_deref();
    let conditions = Conditions { options, tags: format!("{:016x}", tags.fingerprint()) };
    let training = Training::new("doc2vec", &conditions, (corpus, run.seed()), frozen, &learnt);
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
    let way = (standing, pause);
    let teaching = Teaching { corpus, tags, options, matrices: &matrices, run };
    let losses = match &tree {
        Some(tree) => teaching.with(&HierarchicalSoftmax { tree }, way)?,
        None => {
            let noise = NoiseTable::new(counts, options.negative_exponent);
            let negative = options.negative;
            let objective = NegativeSampling { noise: &noise, negative, weight: 1.0, reach: REACH };
            match options.groups() {
                true => teaching.in_groups(&objective, way)?,
                false => teaching.with(&objective, way)?,
            }
        }
    };
    Model::new(corpus, tags, matrices, tree, options.clone(), losses)
}

/// What must be the same for a checkpoint to be of use, beside the corpus and the seed.
#[derive(Serialize)]
struct Conditions<'a> {
    #[serde(flatten)]
    options: &'a Options,
    tags: String,
}

/// All that the combinations of architecture and objective have in common.
struct Teaching<'a> {
    corpus: &'a Corpus,
    tags: &'a Tags,
    options: &'a Options,
    matrices: &'a Matrices,
    run: &'a Run,
}

/// How far the training has come, and when it is saved.
type Way<'p> = (Standing, Option<Pause<'p>>);

impl Teaching<'_> {
    fn with(&self, objective: &impl Objective, way: Way<'_>) -> Result<Vec<f64>> {
        let Options { architecture, combine, dimensions, .. } = *self.options;
        match (architecture, combine) {
            (Architecture::DistributedBagOfWords, _) => self.and(&SkipGram, objective, way),
            (_, Combine::Concatenation) => self.and(&Concatenation { dimensions }, objective, way),
            (_, combine) => self.and(&Cbow { mean: combine == Combine::Mean }, objective, way),
        }
    }

    fn and(
        &self,
        context: &impl Context,
        objective: &impl Objective,
        way: Way<'_>,
    ) -> Result<Vec<f64>> {
        let Self { options, matrices, .. } = *self;
        let company = self.company();
        let lesson = Window {
            context,
            objective,
            sight: self.sight(&company),
            output: &matrices.output,
            shared_noise: options.shared_negatives,
        };
        self.teach(&lesson, way)
    }

    fn in_groups(&self, objective: &NegativeSampling<'_>, way: Way<'_>) -> Result<Vec<f64>> {
        let Self { options, matrices, .. } = *self;
        let company = self.company();
        let fold = &Cbow { mean: options.combine == Combine::Mean };
        let sight = self.sight(&company);
        self.teach(&Group { fold, objective, sight, output: &matrices.output }, way)
    }

    fn company(&self) -> Tagged<'_> {
        let Self { tags, options, matrices, .. } = *self;
        Tagged {
            tags,
            rows: &matrices.tags,
            words: options.has_words(),
            beyond: options.concatenates().then_some(&matrices.beyond),
        }
    }

    fn sight<'a>(&'a self, company: &'a Tagged<'a>) -> Sight<'a, Tagged<'a>> {
        let Self { options, matrices, .. } = *self;
        let frozen = matrices.frozen.as_deref();
        Sight { company, input: &matrices.input, window: options.window, frozen }
    }

    fn teach(&self, lesson: &impl Lesson, (standing, pause): Way<'_>) -> Result<Vec<f64>> {
        let Self { corpus, options, run, .. } = *self;
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
            reach: options.reach(),
            documents: true,
        };
        train_words(&course, lesson, standing, pause, run)
    }
}
