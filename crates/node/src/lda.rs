//! Lda: topics trained, opened, saved, asked about words and documents.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use inlay_corpus::{Corpus, Source};
use inlay_topics::{
    Checkpoint, Coherence, Folding, Mixtures, Model, Options, Reading, Start, coherence,
    estimate_memory, train,
};
use napi::Env;
use napi::bindgen_prelude::{Float32Array, Float64Array};
use napi_derive::napi;

use crate::checkpoint::CheckpointSpec;
use crate::choice;
use crate::corpus::{CorpusHandle, CorpusSpec, NORMALIZATIONS, TOKENIZERS};
use crate::held::{Held, Weighty, handle};
use crate::names::{NamesHandle, WordBlock};
use crate::phrases::PhrasesHandle;
use crate::run::{Events, RunHandle, RunSpec, launch, launch_fed};
use crate::sentences::EncodedRows;
use crate::stream::TextStream;
use crate::vectors::VectorsHandle;
use crate::words::name_of;

const MEASURES: [(&str, Coherence); 3] =
    [("u-mass", Coherence::UMass), ("npmi", Coherence::Npmi), ("c-v", Coherence::Cv)];

/// How a model is or was trained.
#[napi(object)]
pub struct LdaSpec {
    pub topics: u32,
    pub iterations: u32,
    /// One value for all topics, or one for each.
    pub alpha: Vec<f64>,
    pub beta: f64,
    pub optimize_every: u32,
    pub optimize_beta: bool,
}

impl LdaSpec {
    fn options(self) -> Options {
        Options {
            topics: self.topics as usize,
            iterations: self.iterations as usize,
            alpha: self.alpha,
            beta: self.beta,
            optimize_every: self.optimize_every as usize,
            optimize_beta: self.optimize_beta,
        }
    }

    fn of(options: &Options) -> Self {
        Self {
            topics: options.topics as u32,
            iterations: options.iterations as u32,
            alpha: options.alpha.clone(),
            beta: options.beta,
            optimize_every: options.optimize_every as u32,
            optimize_beta: options.optimize_beta,
        }
    }
}

/// How texts became words.
#[napi(object)]
pub struct LdaReading {
    #[napi(ts_type = "'whitespace' | 'words' | 'alphanumeric' | 'chinese'")]
    pub tokenizer: String,
    pub lowercase: bool,
    #[napi(ts_type = "'none' | 'NFC' | 'NFD' | 'NFKC' | 'NFKD'")]
    pub normalization: String,
    /// Whether phrases were joined.
    pub phrases: bool,
}

impl LdaReading {
    fn reading(&self) -> napi::Result<Reading> {
        Ok(Reading {
            tokenizer: choice(&self.tokenizer, &TOKENIZERS)?,
            lowercase: self.lowercase,
            normalization: choice(&self.normalization, &NORMALIZATIONS)?,
            phrases: self.phrases,
        })
    }

    fn of(reading: &Reading) -> Self {
        Self {
            tokenizer: name_of(reading.tokenizer, &TOKENIZERS),
            lowercase: reading.lowercase,
            normalization: name_of(reading.normalization, &NORMALIZATIONS),
            phrases: reading.phrases,
        }
    }
}

/// A trained model.
#[napi(custom_finalize)]
pub struct LdaHandle(Held<Arc<Model>>);

handle!(LdaHandle);

impl Weighty for Arc<Model> {
    fn weight(&self) -> u64 {
        self.words().bytes() + self.documents().bytes() + self.names().weight()
    }

    /// The words are counted by their own handle.
    fn memory(&self) -> u64 {
        self.words().bytes() + self.documents().bytes()
    }
}

impl LdaHandle {
    fn new(model: Model) -> Self {
        Self(Held::new(Arc::new(model)))
    }
}

/// Words of a topic, most likely first.
#[napi(object, object_from_js = false)]
pub struct TopicWords {
    pub words: WordBlock,
    pub probabilities: Float64Array,
}

#[napi]
impl LdaHandle {
    #[napi]
    pub fn names(&self) -> napi::Result<NamesHandle> {
        Ok(NamesHandle::new(self.0.get()?.names()))
    }

    /// Mean loss of each iteration.
    #[napi]
    pub fn losses(&self) -> napi::Result<Vec<f64>> {
        Ok(self.0.get()?.losses().to_vec())
    }

    #[napi]
    pub fn alpha(&self) -> napi::Result<Float64Array> {
        Ok(self.0.get()?.priors().alpha.clone().into())
    }

    #[napi]
    pub fn beta(&self) -> napi::Result<f64> {
        Ok(self.0.get()?.priors().beta)
    }

    /// How often each topic was seen.
    #[napi]
    pub fn totals(&self) -> napi::Result<Float64Array> {
        let totals = self.0.get()?.totals();
        Ok(totals.iter().map(|&total| total as f64).collect::<Vec<_>>().into())
    }

    /// Documents of the training.
    #[napi]
    pub fn documents(&self) -> napi::Result<f64> {
        Ok(self.0.get()?.documents().rows() as f64)
    }

    #[napi]
    pub fn options(&self) -> napi::Result<LdaSpec> {
        Ok(LdaSpec::of(self.0.get()?.options()))
    }

    /// A corpus that was read before does not say.
    #[napi]
    pub fn reading(&self) -> napi::Result<Option<LdaReading>> {
        Ok(self.0.get()?.reading().map(LdaReading::of))
    }

    /// The mixture of a document of the training, which is in range.
    #[napi]
    pub fn mixture(&self, document: u32) -> napi::Result<Float32Array> {
        let model = self.0.get()?;
        let mut values = vec![0.0; model.topics()];
        model.mixture(document as usize, &mut values);
        Ok(values.into())
    }
}

/// Reads documents from files. With a model, its words are kept; closed, no others are.
#[napi(ts_args_type = "files: readonly string[], spec: CorpusSpec, \
phrases: PhrasesHandle | undefined, model: LdaHandle | undefined, closed: boolean, run: RunSpec, \
events: Events<CorpusHandle>")]
#[allow(clippy::too_many_arguments)] // what JavaScript calls takes no struct of handles
pub fn read_lda_files(
    env: &Env,
    files: Vec<String>,
    spec: CorpusSpec,
    phrases: Option<&PhrasesHandle>,
    model: Option<&LdaHandle>,
    closed: bool,
    run: RunSpec,
    events: Events<'_, CorpusHandle>,
) -> napi::Result<RunHandle> {
    let options = reading(spec, phrases, model, closed)?;
    launch(env, run, events, move |run| {
        Corpus::read(Source::Files(files), &options, run).map(CorpusHandle::new)
    })
}

/// Reads the documents that JavaScript feeds to the stream, as `read_lda_files`.
#[napi(ts_args_type = "stream: TextStream, spec: CorpusSpec, phrases: PhrasesHandle | undefined, \
model: LdaHandle | undefined, closed: boolean, run: RunSpec, events: Events<CorpusHandle>")]
#[allow(clippy::too_many_arguments)] // what JavaScript calls takes no struct of handles
pub fn read_lda_stream(
    env: &Env,
    stream: &mut TextStream,
    spec: CorpusSpec,
    phrases: Option<&PhrasesHandle>,
    model: Option<&LdaHandle>,
    closed: bool,
    run: RunSpec,
    events: Events<'_, CorpusHandle>,
) -> napi::Result<RunHandle> {
    let (options, pieces) = (reading(spec, phrases, model, closed)?, stream.pieces()?);
    launch_fed(env, run, events, move |run, ask| {
        let read = |batches| Corpus::read(Source::Stream(batches), &options, run);
        pieces.feed(run, ask, read).map(CorpusHandle::new)
    })
}

fn reading(
    spec: CorpusSpec,
    phrases: Option<&PhrasesHandle>,
    model: Option<&LdaHandle>,
    closed: bool,
) -> napi::Result<inlay_corpus::Options> {
    let mut options = spec.options(phrases, None)?;
    options.documents = true;
    options.closed = closed;
    options.base = model.map(|model| model.0.get().map(|model| model.base())).transpose()?;
    Ok(options)
}

/// Trains on a corpus of documents: from nothing, or from a model whose words it has.
#[napi(ts_args_type = "corpus: CorpusHandle, spec: LdaSpec, reading: LdaReading | undefined, \
checkpoint: CheckpointSpec | undefined, model: LdaHandle | undefined, run: RunSpec, \
events: Events<LdaHandle>")]
#[allow(clippy::too_many_arguments)] // what JavaScript calls takes no struct of handles
pub fn train_lda(
    env: &Env,
    corpus: &CorpusHandle,
    spec: LdaSpec,
    reading: Option<LdaReading>,
    checkpoint: Option<CheckpointSpec>,
    model: Option<&LdaHandle>,
    run: RunSpec,
    events: Events<'_, LdaHandle>,
) -> napi::Result<RunHandle> {
    let (corpus, options) = (corpus.corpus()?, spec.options());
    let start = Start {
        model: model.map(|model| model.0.get().cloned()).transpose()?,
        reading: reading.map(|reading| reading.reading()).transpose()?,
        checkpoint: checkpoint.map(|CheckpointSpec { path, every }| {
            Checkpoint::new(path.into(), Duration::from_secs_f64(every))
        }),
    };
    launch(env, run, events, move |run| train(&corpus, &options, &start, run).map(LdaHandle::new))
}

/// When a mixture is good enough.
#[napi(object, object_to_js = false)]
pub struct FoldingSpec {
    pub iterations: u32,
    pub tolerance: f64,
}

impl From<FoldingSpec> for Folding {
    fn from(FoldingSpec { iterations, tolerance }: FoldingSpec) -> Self {
        Self { iterations: iterations as usize, tolerance }
    }
}

/// Mixtures of documents that were read with the model, closed.
#[napi(ts_args_type = "model: LdaHandle, corpus: CorpusHandle, spec: FoldingSpec, run: RunSpec, \
events: Events<EncodedRows>")]
pub fn transform_lda(
    env: &Env,
    model: &LdaHandle,
    corpus: &CorpusHandle,
    spec: FoldingSpec,
    run: RunSpec,
    events: Events<'_, EncodedRows>,
) -> napi::Result<RunHandle> {
    let (model, corpus) = (Arc::clone(model.0.get()?), corpus.corpus()?);
    launch(env, run, events, move |run| {
        let Mixtures { values, known } = model.transform(&corpus, spec.into(), run)?;
        Ok(EncodedRows { values: values.into(), known: known.into() })
    })
}

/// How well the model foretells documents that were read with it, closed.
#[napi(ts_args_type = "model: LdaHandle, corpus: CorpusHandle, spec: FoldingSpec, run: RunSpec, \
events: Events<number>")]
pub fn perplexity_of_lda(
    env: &Env,
    model: &LdaHandle,
    corpus: &CorpusHandle,
    spec: FoldingSpec,
    run: RunSpec,
    events: Events<'_, f64>,
) -> napi::Result<RunHandle> {
    let (model, corpus) = (Arc::clone(model.0.get()?), corpus.corpus()?);
    launch(env, run, events, move |run| model.perplexity(&corpus, spec.into(), run))
}

/// How the coherence of topics is measured.
#[napi(object, object_to_js = false)]
pub struct CoherenceSpec {
    #[napi(ts_type = "'u-mass' | 'npmi' | 'c-v'")]
    pub measure: String,
    /// Words of each topic.
    pub top_words: u32,
    /// Words; 0: whole documents.
    pub window: u32,
}

/// The coherence of each topic in documents that were read with the model, closed.
#[napi(
    ts_args_type = "model: LdaHandle, corpus: CorpusHandle, spec: CoherenceSpec, run: RunSpec, \
events: Events<Float64Array>"
)]
pub fn coherence_of_lda(
    env: &Env,
    model: &LdaHandle,
    corpus: &CorpusHandle,
    spec: CoherenceSpec,
    run: RunSpec,
    events: Events<'_, Float64Array>,
) -> napi::Result<RunHandle> {
    let (model, corpus) = (Arc::clone(model.0.get()?), corpus.corpus()?);
    let measure = choice(&spec.measure, &MEASURES)?;
    let window = (spec.window > 0).then_some(spec.window as usize);
    launch(env, run, events, move |run| {
        let top = model.top_words(spec.top_words as usize);
        let ids = |words: Vec<(u32, f64)>| words.into_iter().map(|(word, _)| word).collect();
        let topics: Vec<Vec<u32>> = top.into_iter().map(ids).collect();
        coherence(&topics, &corpus, measure, window, run).map(Float64Array::from)
    })
}

/// The most likely words of each topic.
#[napi(ts_args_type = "model: LdaHandle, topK: number, run: RunSpec, \
events: Events<TopicWords[]>")]
pub fn top_words_of_lda(
    env: &Env,
    model: &LdaHandle,
    top_k: u32,
    run: RunSpec,
    events: Events<'_, Vec<TopicWords>>,
) -> napi::Result<RunHandle> {
    let model = Arc::clone(model.0.get()?);
    launch(env, run, events, move |_| {
        let top = model.top_words(top_k as usize);
        Ok(top.iter().map(|words| topic_words(&model, words)).collect())
    })
}

fn topic_words(model: &Model, words: &[(u32, f64)]) -> TopicWords {
    TopicWords {
        words: WordBlock::new(model.names(), words.iter().map(|&(word, _)| word)),
        probabilities: words.iter().map(|&(_, p)| p).collect::<Vec<_>>().into(),
    }
}

/// Where topics lie, and the words that may stand first in each.
#[napi(object, object_from_js = false)]
pub struct LdaMap {
    /// Two for each topic.
    pub places: Float64Array,
    pub topics: Vec<TopicWords>,
    /// Of each topic and word, how often the word was seen at all.
    pub counts: Vec<Float64Array>,
}

/// What the map of a model shows.
#[napi(ts_args_type = "model: LdaHandle, topK: number, run: RunSpec, events: Events<LdaMap>")]
pub fn map_of_lda(
    env: &Env,
    model: &LdaHandle,
    top_k: u32,
    run: RunSpec,
    events: Events<'_, LdaMap>,
) -> napi::Result<RunHandle> {
    let model = Arc::clone(model.0.get()?);
    launch(env, run, events, move |run| {
        let map = model.map(top_k as usize, run)?;
        let seen = |word: u32| {
            model.words().row(word as usize).map(|(_, count)| f64::from(count)).sum::<f64>()
        };
        let counts = map.words.iter().map(|words| words.iter().map(|&(word, _)| seen(word)));
        Ok(LdaMap {
            places: map.places.concat().into(),
            counts: counts.map(|counts| counts.collect::<Vec<_>>().into()).collect(),
            topics: map.words.iter().map(|words| topic_words(&model, words)).collect(),
        })
    })
}

/// The topics of each word, as vectors.
#[napi(ts_args_type = "model: LdaHandle, run: RunSpec, events: Events<VectorsHandle>")]
pub fn word_topics_of_lda(
    env: &Env,
    model: &LdaHandle,
    run: RunSpec,
    events: Events<'_, VectorsHandle>,
) -> napi::Result<RunHandle> {
    let model = Arc::clone(model.0.get()?);
    launch(env, run, events, move |run| model.word_topics(run).map(VectorsHandle::new))
}

/// The mixtures of the documents of the training, end to end.
#[napi(ts_args_type = "model: LdaHandle, run: RunSpec, events: Events<Float32Array>")]
pub fn document_topics_of_lda(
    env: &Env,
    model: &LdaHandle,
    run: RunSpec,
    events: Events<'_, Float32Array>,
) -> napi::Result<RunHandle> {
    let model = Arc::clone(model.0.get()?);
    launch(env, run, events, move |run| model.mixtures(run).map(Float32Array::from))
}

/// Opens a file that `save_lda` wrote.
#[napi(ts_args_type = "path: string, run: RunSpec, events: Events<LdaHandle>")]
pub fn open_lda(
    env: &Env,
    path: String,
    run: RunSpec,
    events: Events<'_, LdaHandle>,
) -> napi::Result<RunHandle> {
    let path = PathBuf::from(path);
    launch(env, run, events, move |_| Model::open(&path).map(LdaHandle::new))
}

/// Writes a model to a file.
#[napi(ts_args_type = "model: LdaHandle, path: string, run: RunSpec, events: Events<void>")]
pub fn save_lda(
    env: &Env,
    model: &LdaHandle,
    path: String,
    run: RunSpec,
    events: Events<'_, ()>,
) -> napi::Result<RunHandle> {
    let (model, path) = (Arc::clone(model.0.get()?), PathBuf::from(path));
    launch(env, run, events, move |run| model.save(&path, run))
}

/// Bytes that a training takes.
#[napi]
pub fn estimate_lda(tokens: f64, documents: f64, vocabulary: f64, topics: u32) -> f64 {
    let size = (tokens as usize, documents as usize, vocabulary as usize);
    estimate_memory(size, topics as usize) as f64
}
