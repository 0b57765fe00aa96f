//! FastText: trained, opened, saved, asked for vectors of any word.

use std::path::PathBuf;
use std::sync::Arc;

use inlay_words::Checkpoint;
use inlay_words::fasttext::{Format, Model, Options, train};
use napi::Env;
use napi::bindgen_prelude::{Float32Array, Uint8Array, Uint32Array};
use napi_derive::napi;

use crate::checkpoint::CheckpointSpec;
use crate::choice;
use crate::corpus::CorpusHandle;
use crate::held::{Held, Weighty, handle};
use crate::names::WordBlock;
use crate::run::{Events, RunHandle, RunSpec, launch};
use crate::serve::at_once;
use crate::vectors::VectorsHandle;
use crate::words::{ARCHITECTURES, OBJECTIVES, SCHEDULES, name_of};

const FORMATS: [(&str, Format); 2] =
    [("safetensors", Format::Safetensors), ("fasttext", Format::FastText)];

/// How a model is or was trained.
#[napi(object)]
pub struct FastTextSpec {
    #[napi(ts_type = "'skip-gram' | 'cbow'")]
    pub architecture: String,
    #[napi(ts_type = "'negative-sampling' | 'hierarchical-softmax'")]
    pub objective: String,
    pub dimensions: u32,
    pub minn: u32,
    pub maxn: u32,
    pub bucket: u32,
    pub window: u32,
    pub shrink_window: bool,
    pub negative: u32,
    pub negative_exponent: f64,
    pub shared_negatives: bool,
    pub epochs: u32,
    pub learning_rate: f64,
    pub final_learning_rate: f64,
    #[napi(ts_type = "'linear' | 'cosine' | 'constant'")]
    pub schedule: String,
    pub subsample: f64,
}

impl FastTextSpec {
    fn options(&self) -> napi::Result<Options> {
        Ok(Options {
            architecture: choice(&self.architecture, &ARCHITECTURES)?,
            objective: choice(&self.objective, &OBJECTIVES)?,
            dimensions: self.dimensions as usize,
            min_ngram: self.minn,
            max_ngram: self.maxn,
            buckets: self.bucket,
            window: self.window as usize,
            shrink_window: self.shrink_window,
            negative: self.negative as usize,
            negative_exponent: self.negative_exponent,
            shared_negatives: self.shared_negatives,
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
            minn: options.min_ngram,
            maxn: options.max_ngram,
            bucket: options.buckets,
            window: options.window as u32,
            shrink_window: options.shrink_window,
            negative: options.negative as u32,
            negative_exponent: options.negative_exponent,
            shared_negatives: options.shared_negatives,
            epochs: options.epochs as u32,
            learning_rate: options.learning_rate,
            final_learning_rate: options.final_learning_rate,
            schedule: name_of(options.schedule, &SCHEDULES),
            subsample: options.subsample,
        }
    }
}

/// A trained model.
#[napi(custom_finalize)]
pub struct FastTextHandle(Held<Arc<Model>>);

handle!(FastTextHandle);

impl Weighty for Arc<Model> {
    fn weight(&self) -> u64 {
        Model::weight(self)
    }

    fn memory(&self) -> u64 {
        Model::memory(self)
    }
}

impl FastTextHandle {
    fn new(model: Model) -> Self {
        Self(Held::new(Arc::new(model)))
    }

    pub fn model(&self) -> napi::Result<Arc<Model>> {
        Ok(Arc::clone(self.0.get()?))
    }
}

/// Character n-grams of a word: their texts, and the values of their vectors end to end.
#[napi(object, object_from_js = false)]
pub struct Ngrams {
    pub texts: WordBlock,
    pub vectors: Float32Array,
}

#[napi]
impl FastTextHandle {
    #[napi]
    pub fn vectors(&self) -> napi::Result<VectorsHandle> {
        Ok(VectorsHandle::new(self.0.get()?.vectors().clone()))
    }

    /// Mean loss of each epoch.
    #[napi]
    pub fn losses(&self) -> napi::Result<Vec<f64>> {
        Ok(self.0.get()?.losses().to_vec())
    }

    #[napi]
    pub fn options(&self) -> napi::Result<FastTextSpec> {
        Ok(FastTextSpec::of(self.0.get()?.options()))
    }

    /// The vector of any word, nothing for an unknown one without n-grams.
    #[napi(ts_return_type = "Float32Array | null")]
    pub fn vector(&self, word: String) -> napi::Result<Option<Float32Array>> {
        let model = self.0.get()?;
        Ok(at_once(|| Ok(model.vector(word.as_bytes())))?.map(Float32Array::new))
    }

    /// The cosine of two words that have vectors; 0 where one is zero.
    #[napi]
    pub fn similarity(&self, a: String, b: String) -> napi::Result<f64> {
        let model = self.0.get()?;
        at_once(|| Ok(model.similarity(a.as_bytes(), b.as_bytes())))
    }

    #[napi]
    pub fn ngrams(&self, word: String) -> napi::Result<Ngrams> {
        let model = self.0.get()?;
        let ngrams = at_once(|| Ok(model.ngrams(word.as_bytes())))?;
        let (mut bytes, mut offsets, mut values) = (Vec::new(), vec![0], Vec::new());
        for ngram in ngrams {
            bytes.extend_from_slice(&ngram.text);
            offsets.push(bytes.len() as u32);
            values.extend_from_slice(&ngram.vector);
        }
        let texts =
            WordBlock { bytes: Uint8Array::from(bytes), offsets: Uint32Array::from(offsets) };
        Ok(Ngrams { texts, vectors: Float32Array::new(values) })
    }
}

/// Trains on a corpus.
#[napi(ts_args_type = "corpus: CorpusHandle, spec: FastTextSpec, \
checkpoint: CheckpointSpec | undefined, initial: VectorsHandle | undefined, run: RunSpec, events: Events<FastTextHandle>")]
pub fn train_fast_text(
    env: &Env,
    corpus: &CorpusHandle,
    spec: FastTextSpec,
    checkpoint: Option<CheckpointSpec>,
    initial: Option<&VectorsHandle>,
    run: RunSpec,
    events: Events<'_, FastTextHandle>,
) -> napi::Result<RunHandle> {
    let (corpus, options) = (corpus.corpus()?, spec.options()?);
    let checkpoint = checkpoint.map(Checkpoint::from);
    let initial = initial.map(VectorsHandle::vectors).transpose()?;
    launch(env, run, events, move |run| {
        train(&corpus, &options, initial.as_ref(), checkpoint.as_ref(), run)
            .map(FastTextHandle::new)
    })
}

/// Opens a file that `save_fast_text` wrote, or one of fastText's.
#[napi(ts_args_type = "path: string, run: RunSpec, events: Events<FastTextHandle>")]
pub fn open_fast_text(
    env: &Env,
    path: String,
    run: RunSpec,
    events: Events<'_, FastTextHandle>,
) -> napi::Result<RunHandle> {
    let path = PathBuf::from(path);
    launch(env, run, events, move |run| Model::open(&path, run).map(FastTextHandle::new))
}

/// Writes a model to a file.
#[napi(ts_args_type = "model: FastTextHandle, path: string, \
format: 'safetensors' | 'fasttext', run: RunSpec, events: Events<void>")]
pub fn save_fast_text(
    env: &Env,
    model: &FastTextHandle,
    path: String,
    format: String,
    run: RunSpec,
    events: Events<'_, ()>,
) -> napi::Result<RunHandle> {
    let format = choice(&format, &FORMATS)?;
    let (model, path) = (model.model()?, PathBuf::from(path));
    launch(env, run, events, move |run| model.save(&path, format, run))
}
