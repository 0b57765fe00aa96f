//! Doc2Vec: a model trained, opened, saved, and asked about new documents.

use std::path::PathBuf;
use std::sync::Arc;

use inlay_words::doc2vec::{
    Architecture, Combine, Inference, Model, Options, Reading, estimate_memory, train,
};
use inlay_words::word2vec::Start;
use napi::Env;
use napi::bindgen_prelude::Float32Array;
use napi_derive::napi;

use crate::choice;
use crate::documents::DocumentsHandle;
use crate::held::{Held, Weighty, handle};
use crate::run::{Events, RunHandle, RunSpec, launch};
use crate::vectors::VectorsHandle;
use crate::words::{OBJECTIVES, SCHEDULES, StartSpec, name_of};

const ARCHITECTURES: [(&str, Architecture); 2] = [
    ("distributed-memory", Architecture::DistributedMemory),
    ("distributed-bag-of-words", Architecture::DistributedBagOfWords),
];
const COMBINATIONS: [(&str, Combine); 3] =
    [("mean", Combine::Mean), ("sum", Combine::Sum), ("concatenation", Combine::Concatenation)];

/// How a model is or was trained.
#[napi(object)]
pub struct Doc2VecSpec {
    #[napi(ts_type = "'distributed-memory' | 'distributed-bag-of-words'")]
    pub architecture: String,
    #[napi(ts_type = "'mean' | 'sum' | 'concatenation'")]
    pub combine: String,
    pub word_training: bool,
    #[napi(ts_type = "'negative-sampling' | 'hierarchical-softmax'")]
    pub objective: String,
    pub dimensions: u32,
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
    #[napi(ts_type = "'whitespace' | 'words' | 'alphanumeric' | 'chinese'")]
    pub tokenizer: String,
    pub lowercase: bool,
    #[napi(ts_type = "'none' | 'NFC' | 'NFD' | 'NFKC' | 'NFKD'")]
    pub normalization: String,
    pub phrases: bool,
}

impl Doc2VecSpec {
    fn options(self) -> napi::Result<Options> {
        Ok(Options {
            architecture: choice(&self.architecture, &ARCHITECTURES)?,
            combine: choice(&self.combine, &COMBINATIONS)?,
            word_training: self.word_training,
            objective: choice(&self.objective, &OBJECTIVES)?,
            dimensions: self.dimensions as usize,
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
            reading: Reading {
                tokenizer: self.tokenizer,
                lowercase: self.lowercase,
                normalization: self.normalization,
                phrases: self.phrases,
            },
        })
    }

    fn of(options: &Options) -> Self {
        let Reading { tokenizer, lowercase, normalization, phrases } = options.reading.clone();
        Self {
            architecture: name_of(options.architecture, &ARCHITECTURES),
            combine: name_of(options.combine, &COMBINATIONS),
            word_training: options.word_training,
            objective: name_of(options.objective, &OBJECTIVES),
            dimensions: options.dimensions as u32,
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
            tokenizer,
            lowercase,
            normalization,
            phrases,
        }
    }
}

/// A trained model.
#[napi(custom_finalize)]
pub struct Doc2VecHandle(Held<Arc<Model>>);

handle!(Doc2VecHandle);

/// Vectors of tags and words are counted by handles of their own.
impl Weighty for Arc<Model> {
    fn weight(&self) -> u64 {
        Model::weight(self) + self.tags().weight() + self.vectors().map_or(0, Weighty::weight)
    }

    fn memory(&self) -> u64 {
        Model::weight(self)
    }
}

impl Doc2VecHandle {
    fn new(model: Model) -> Self {
        Self(Held::new(Arc::new(model)))
    }

    pub fn model(&self) -> napi::Result<&Arc<Model>> {
        self.0.get()
    }
}

#[napi]
impl Doc2VecHandle {
    #[napi]
    pub fn tags(&self) -> napi::Result<VectorsHandle> {
        Ok(VectorsHandle::new(self.0.get()?.tags().clone()))
    }

    #[napi]
    pub fn vectors(&self) -> napi::Result<Option<VectorsHandle>> {
        Ok(self.0.get()?.vectors().cloned().map(VectorsHandle::new))
    }

    /// Mean loss of each epoch.
    #[napi]
    pub fn losses(&self) -> napi::Result<Vec<f64>> {
        Ok(self.0.get()?.losses().to_vec())
    }

    #[napi]
    pub fn options(&self) -> napi::Result<Doc2VecSpec> {
        Ok(Doc2VecSpec::of(self.0.get()?.options()))
    }
}

/// Trains on documents.
#[napi(ts_args_type = "documents: DocumentsHandle, spec: Doc2VecSpec, start: StartSpec, \
initial: VectorsHandle | undefined, run: RunSpec, events: Events<Doc2VecHandle>")]
pub fn train_doc2vec(
    env: &Env,
    documents: &DocumentsHandle,
    spec: Doc2VecSpec,
    start: StartSpec,
    initial: Option<&VectorsHandle>,
    run: RunSpec,
    events: Events<'_, Doc2VecHandle>,
) -> napi::Result<RunHandle> {
    let (documents, options) = (documents.documents()?, spec.options()?);
    let (checkpoint, frozen) = start.settle();
    let initial = initial.map(VectorsHandle::vectors).transpose()?;
    let start = Start { model: None, initial, frozen };
    launch(env, run, events, move |run| {
        let corpus = (&documents.corpus, &*documents.tags);
        let model = train(corpus, &options, &start, checkpoint.as_ref(), run)?;
        Ok(Doc2VecHandle::new(model))
    })
}

/// How vectors are inferred.
#[napi(object, object_to_js = false)]
pub struct InferenceSpec {
    pub epochs: u32,
    pub learning_rate: f64,
    pub final_learning_rate: f64,
}

/// Vectors of documents that were read with the model, end to end.
#[napi(ts_args_type = "model: Doc2VecHandle, documents: DocumentsHandle, spec: InferenceSpec, \
run: RunSpec, events: Events<Float32Array>")]
pub fn infer_doc2vec(
    env: &Env,
    model: &Doc2VecHandle,
    documents: &DocumentsHandle,
    spec: InferenceSpec,
    run: RunSpec,
    events: Events<'_, Float32Array>,
) -> napi::Result<RunHandle> {
    let (model, documents) = (Arc::clone(model.0.get()?), documents.documents()?);
    let how = Inference {
        epochs: spec.epochs as usize,
        learning_rate: spec.learning_rate,
        final_learning_rate: spec.final_learning_rate,
    };
    launch(env, run, events, move |run| {
        model.infer(&documents.corpus, how, run).map(Float32Array::from)
    })
}

/// Opens a file that `save_doc2vec` wrote.
#[napi(ts_args_type = "path: string, run: RunSpec, events: Events<Doc2VecHandle>")]
pub fn open_doc2vec(
    env: &Env,
    path: String,
    run: RunSpec,
    events: Events<'_, Doc2VecHandle>,
) -> napi::Result<RunHandle> {
    let path = PathBuf::from(path);
    launch(env, run, events, move |_| Model::open(&path).map(Doc2VecHandle::new))
}

/// Writes a model to a file.
#[napi(ts_args_type = "model: Doc2VecHandle, path: string, run: RunSpec, events: Events<void>")]
pub fn save_doc2vec(
    env: &Env,
    model: &Doc2VecHandle,
    path: String,
    run: RunSpec,
    events: Events<'_, ()>,
) -> napi::Result<RunHandle> {
    let (model, path) = (Arc::clone(model.0.get()?), PathBuf::from(path));
    launch(env, run, events, move |run| model.save(&path, run))
}

/// What decides how much memory a training takes.
#[napi(object, object_to_js = false)]
pub struct Doc2VecSize {
    pub vocabulary: f64,
    pub tags: f64,
    pub dimensions: u32,
    pub window: u32,
    #[napi(ts_type = "'distributed-memory' | 'distributed-bag-of-words'")]
    pub architecture: String,
    #[napi(ts_type = "'mean' | 'sum' | 'concatenation'")]
    pub combine: String,
    #[napi(ts_type = "'negative-sampling' | 'hierarchical-softmax'")]
    pub objective: String,
}

/// Bytes that a training takes.
#[napi]
pub fn estimate_doc2vec(size: Doc2VecSize) -> napi::Result<f64> {
    let architecture = choice(&size.architecture, &ARCHITECTURES)?;
    let combine = choice(&size.combine, &COMBINATIONS)?;
    let bytes = estimate_memory(
        (size.vocabulary as usize, size.tags as usize),
        (size.dimensions as usize, size.window as usize),
        (architecture, combine),
        choice(&size.objective, &OBJECTIVES)?,
    );
    Ok(bytes as f64)
}
