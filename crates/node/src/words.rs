//! Word2Vec: trained, opened, saved, asked.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use inlay_base::Priority;
use inlay_corpus::Base;
use inlay_words::word2vec::{
    Architecture, Frozen, Model, Options, Scoring, Start, estimate_memory, train,
};
use inlay_words::{Checkpoint, Curve};
use napi::Env;
use napi::bindgen_prelude::Float64Array;
use napi_derive::napi;

use crate::choice;
use crate::corpus::CorpusHandle;
use crate::held::{Held, Weighty, handle};
use crate::names::WordBlock;
use crate::run::{Events, RunHandle, RunSpec, launch};
use crate::serve::serve;
use crate::vectors::VectorsHandle;

pub(crate) const ARCHITECTURES: [(&str, Architecture); 2] =
    [("skip-gram", Architecture::SkipGram), ("cbow", Architecture::Cbow)];
pub(crate) const OBJECTIVES: [(&str, Scoring); 2] = [
    ("negative-sampling", Scoring::NegativeSampling),
    ("hierarchical-softmax", Scoring::HierarchicalSoftmax),
];
pub(crate) const SCHEDULES: [(&str, Curve); 3] =
    [("linear", Curve::Linear), ("cosine", Curve::Cosine), ("constant", Curve::Constant)];

/// How a model is or was trained.
#[napi(object)]
pub struct Word2VecSpec {
    #[napi(ts_type = "'skip-gram' | 'cbow'")]
    pub architecture: String,
    #[napi(ts_type = "'negative-sampling' | 'hierarchical-softmax'")]
    pub objective: String,
    pub dimensions: u32,
    pub window: u32,
    pub shrink_window: bool,
    pub negative: u32,
    pub negative_exponent: f64,
    pub shared_negatives: bool,
    pub cbow_mean: bool,
    pub epochs: u32,
    pub learning_rate: f64,
    pub final_learning_rate: f64,
    #[napi(ts_type = "'linear' | 'cosine' | 'constant'")]
    pub schedule: String,
    pub subsample: f64,
}

impl Word2VecSpec {
    fn options(&self) -> napi::Result<Options> {
        Ok(Options {
            architecture: choice(&self.architecture, &ARCHITECTURES)?,
            objective: choice(&self.objective, &OBJECTIVES)?,
            dimensions: self.dimensions as usize,
            window: self.window as usize,
            shrink_window: self.shrink_window,
            negative: self.negative as usize,
            negative_exponent: self.negative_exponent,
            shared_negatives: self.shared_negatives,
            cbow_mean: self.cbow_mean,
            epochs: self.epochs as usize,
            learning_rate: self.learning_rate,
            final_learning_rate: self.final_learning_rate,
            schedule: choice(&self.schedule, &SCHEDULES)?,
            subsample: self.subsample,
        })
    }

    fn of(options: &Options) -> Self {
        Self {
            architecture: name_of(options.architecture, &ARCHITECTURES),
            objective: name_of(options.objective, &OBJECTIVES),
            dimensions: options.dimensions as u32,
            window: options.window as u32,
            shrink_window: options.shrink_window,
            negative: options.negative as u32,
            negative_exponent: options.negative_exponent,
            shared_negatives: options.shared_negatives,
            cbow_mean: options.cbow_mean,
            epochs: options.epochs as u32,
            learning_rate: options.learning_rate,
            final_learning_rate: options.final_learning_rate,
            schedule: name_of(options.schedule, &SCHEDULES),
            subsample: options.subsample,
        }
    }
}

pub(crate) fn name_of<T: PartialEq>(choice: T, choices: &[(&str, T)]) -> String {
    let found = choices.iter().find(|(_, known)| *known == choice);
    found.map(|(name, _)| (*name).to_owned()).unwrap_or_default()
}

/// What a training starts from, and what it leaves beside the model.
#[napi(object, object_to_js = false)]
pub struct StartSpec {
    /// Words that do not move.
    pub frozen: Vec<String>,
    /// Whether those that had a vector do not move.
    pub freeze_given: bool,
    #[napi(ts_type = "string | undefined")]
    pub checkpoint: Option<String>,
    /// Seconds.
    pub checkpoint_every: f64,
}

impl StartSpec {
    /// The checkpoint, and which words do not move.
    pub fn settle(self) -> (Option<Checkpoint>, Frozen) {
        let every = Duration::from_secs_f64(self.checkpoint_every);
        let checkpoint = self.checkpoint.map(|path| Checkpoint { path: path.into(), every });
        let frozen = match self.frozen {
            _ if self.freeze_given => Frozen::Given,
            words if words.is_empty() => Frozen::None,
            words => Frozen::Words(words.into_iter().map(String::into_bytes).collect()),
        };
        (checkpoint, frozen)
    }
}

/// A trained model.
#[napi(custom_finalize)]
pub struct ModelHandle(Held<Arc<Model>>);

handle!(ModelHandle);

impl Weighty for Arc<Model> {
    fn weight(&self) -> u64 {
        self.vectors().weight() + self.output().map_or(0, Weighty::weight)
    }

    /// Vectors of words are counted by handles of their own; those of inner nodes, which are as
    /// many, have none.
    fn memory(&self) -> u64 {
        if self.output().is_some() { 0 } else { self.vectors().memory() }
    }
}

impl ModelHandle {
    fn new(model: Model) -> Self {
        Self(Held::new(Arc::new(model)))
    }

    /// The vocabulary of the model, for a corpus that it is to go on with.
    pub fn base(&self) -> napi::Result<Base> {
        let model = self.0.get()?;
        let names = Arc::clone(model.vectors().names());
        Ok(Base { names, counts: model.counts().to_vec() })
    }
}

#[napi]
impl ModelHandle {
    #[napi]
    pub fn vectors(&self) -> napi::Result<VectorsHandle> {
        Ok(VectorsHandle::new(self.0.get()?.vectors().clone()))
    }

    #[napi]
    pub fn output_vectors(&self) -> napi::Result<Option<VectorsHandle>> {
        Ok(self.0.get()?.output().cloned().map(VectorsHandle::new))
    }

    /// Mean loss of each epoch.
    #[napi]
    pub fn losses(&self) -> napi::Result<Vec<f64>> {
        Ok(self.0.get()?.losses().to_vec())
    }

    #[napi]
    pub fn options(&self) -> napi::Result<Word2VecSpec> {
        Ok(Word2VecSpec::of(self.0.get()?.options()))
    }
}

/// Trains on a corpus: from nothing, or from a model whose words it has.
#[napi(ts_args_type = "corpus: CorpusHandle, spec: Word2VecSpec, start: StartSpec, \
model: ModelHandle | undefined, initial: VectorsHandle | undefined, run: RunSpec, \
events: Events<ModelHandle>")]
#[allow(clippy::too_many_arguments)] // what JavaScript calls takes no struct of handles
pub fn train_word2vec(
    env: &Env,
    corpus: &CorpusHandle,
    spec: Word2VecSpec,
    start: StartSpec,
    model: Option<&ModelHandle>,
    initial: Option<&VectorsHandle>,
    run: RunSpec,
    events: Events<'_, ModelHandle>,
) -> napi::Result<RunHandle> {
    let (corpus, options) = (corpus.corpus()?, spec.options()?);
    let (checkpoint, frozen) = start.settle();
    let model = model.map(|model| model.0.get().cloned()).transpose()?;
    let initial = initial.map(VectorsHandle::vectors).transpose()?;
    let start = Start { model, initial, frozen };
    launch(env, run, events, move |run| {
        train(&corpus, &options, &start, checkpoint.as_ref(), run).map(ModelHandle::new)
    })
}

/// Opens a file that `save_word2vec` wrote.
#[napi(ts_args_type = "path: string, run: RunSpec, events: Events<ModelHandle>")]
pub fn open_word2vec(
    env: &Env,
    path: String,
    run: RunSpec,
    events: Events<'_, ModelHandle>,
) -> napi::Result<RunHandle> {
    let path = PathBuf::from(path);
    launch(env, run, events, move |_| Model::open(&path).map(ModelHandle::new))
}

/// Writes a model to a file.
#[napi(ts_args_type = "model: ModelHandle, path: string, run: RunSpec, events: Events<void>")]
pub fn save_word2vec(
    env: &Env,
    model: &ModelHandle,
    path: String,
    run: RunSpec,
    events: Events<'_, ()>,
) -> napi::Result<RunHandle> {
    let (model, path) = (Arc::clone(model.0.get()?), PathBuf::from(path));
    launch(env, run, events, move |run| model.save(&path, run))
}

/// Bytes that a training takes.
#[napi]
pub fn estimate_word2vec(
    vocabulary: f64,
    dimensions: u32,
    #[napi(ts_arg_type = "'negative-sampling' | 'hierarchical-softmax'")] objective: String,
) -> napi::Result<f64> {
    let objective = choice(&objective, &OBJECTIVES)?;
    Ok(estimate_memory(vocabulary as usize, dimensions as usize, objective) as f64)
}

/// Words that a context speaks for, best first.
#[napi(object, object_from_js = false)]
pub struct Predictions {
    pub words: WordBlock,
    pub probabilities: Float64Array,
}

/// The words that are likely in the middle of a context.
#[napi(
    ts_args_type = "model: ModelHandle, context: string[], topK: number, events: Events<Predictions>"
)]
pub fn predict_word(
    env: &Env,
    model: &ModelHandle,
    context: Vec<String>,
    top_k: u32,
    events: Events<'_, Predictions>,
) -> napi::Result<RunHandle> {
    let model = Arc::clone(model.0.get()?);
    let context: Vec<_> = context.into_iter().map(String::into_bytes).collect();
    serve(env, Priority::Query, events, move |workers| {
        let found = model.predict(&context, top_k as usize, workers)?;
        let probabilities: Vec<_> = found.iter().map(|&(_, probability)| probability).collect();
        let words = WordBlock::new(model.vectors().names(), found.iter().map(|&(id, _)| id));
        Ok(Predictions { words, probabilities: probabilities.into() })
    })
}

/// The natural logarithm of a sentence's probability.
#[napi(ts_args_type = "model: ModelHandle, sentence: string[], events: Events<number>")]
pub fn score_sentence(
    env: &Env,
    model: &ModelHandle,
    sentence: Vec<String>,
    events: Events<'_, f64>,
) -> napi::Result<RunHandle> {
    let model = Arc::clone(model.0.get()?);
    let sentence: Vec<_> = sentence.into_iter().map(String::into_bytes).collect();
    serve(env, Priority::Query, events, move |_| model.score(&sentence))
}
