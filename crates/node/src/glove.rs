//! GloVe: pairs counted, opened, saved; a model trained, opened, saved.

use std::path::PathBuf;
use std::sync::Arc;

use inlay_words::Checkpoint;
use inlay_words::glove::{
    Chosen, Cooccurrence, Counting, Model, Options, Room, estimate_memory, train,
};
use napi::Env;
use napi_derive::napi;

use crate::checkpoint::CheckpointSpec;
use crate::choice;
use crate::corpus::CorpusHandle;
use crate::held::{Held, Weighty, handle};
use crate::names::NamesHandle;
use crate::run::{Events, RunHandle, RunSpec, launch};
use crate::vectors::VectorsHandle;

const CHOICES: [(&str, Chosen); 3] =
    [("both", Chosen::Both), ("word", Chosen::Word), ("context", Chosen::Context)];

/// What memory there is, and where what does not fit goes.
#[napi(object, object_to_js = false)]
pub struct RoomSpec {
    /// Bytes.
    pub memory: f64,
    #[napi(ts_type = "string | undefined")]
    pub spool_directory: Option<String>,
}

impl RoomSpec {
    fn room(self) -> Room {
        Room { memory: self.memory as u64, directory: self.spool_directory.map(PathBuf::from) }
    }
}

/// What of a text is counted.
#[napi(object, object_to_js = false)]
pub struct CountingSpec {
    pub window: u32,
    pub symmetric: bool,
    pub distance_weighting: bool,
}

/// Which words meet, and how often.
#[napi(custom_finalize)]
pub struct CooccurrenceHandle(Held<Cooccurrence>);

handle!(CooccurrenceHandle);

impl Weighty for Cooccurrence {
    fn weight(&self) -> u64 {
        self.bytes() + self.names().weight()
    }

    /// The pairs lie in a file, and the words are counted by their own handle.
    fn memory(&self) -> u64 {
        0
    }
}

#[napi]
impl CooccurrenceHandle {
    #[napi]
    pub fn names(&self) -> napi::Result<NamesHandle> {
        Ok(NamesHandle::new(self.0.get()?.names()))
    }

    /// Pairs of word and context.
    #[napi]
    pub fn pairs(&self) -> napi::Result<f64> {
        Ok(self.0.get()?.pairs() as f64)
    }
}

/// Counts the pairs of a corpus.
#[napi(ts_args_type = "corpus: CorpusHandle, spec: CountingSpec, room: RoomSpec, run: RunSpec, \
events: Events<CooccurrenceHandle>")]
pub fn count_cooccurrence(
    env: &Env,
    corpus: &CorpusHandle,
    spec: CountingSpec,
    room: RoomSpec,
    run: RunSpec,
    events: Events<'_, CooccurrenceHandle>,
) -> napi::Result<RunHandle> {
    let corpus = corpus.corpus()?;
    let CountingSpec { window, symmetric, distance_weighting } = spec;
    let window = window as usize;
    let counting = Counting { window, symmetric, distance_weighting, room: room.room() };
    launch(env, run, events, move |run| {
        let counted = Cooccurrence::count(&corpus, &counting, run)?;
        Ok(CooccurrenceHandle(Held::new(counted)))
    })
}

/// Opens the C tool's records and vocabulary.
#[napi(ts_args_type = "records: string, vocabulary: string, run: RunSpec, \
events: Events<CooccurrenceHandle>")]
pub fn open_cooccurrence(
    env: &Env,
    records: String,
    vocabulary: String,
    run: RunSpec,
    events: Events<'_, CooccurrenceHandle>,
) -> napi::Result<RunHandle> {
    let (records, vocabulary) = (PathBuf::from(records), PathBuf::from(vocabulary));
    launch(env, run, events, move |_| {
        let opened = Cooccurrence::open(&records, &vocabulary)?;
        Ok(CooccurrenceHandle(Held::new(opened)))
    })
}

/// Writes the C tool's records, and its vocabulary where a path for it is given.
#[napi(ts_args_type = "pairs: CooccurrenceHandle, records: string, \
vocabulary: string | undefined, run: RunSpec, events: Events<void>")]
pub fn save_cooccurrence(
    env: &Env,
    pairs: &CooccurrenceHandle,
    records: String,
    vocabulary: Option<String>,
    run: RunSpec,
    events: Events<'_, ()>,
) -> napi::Result<RunHandle> {
    let (pairs, records) = (pairs.0.get()?.clone(), PathBuf::from(records));
    let vocabulary = vocabulary.map(PathBuf::from);
    launch(env, run, events, move |run| pairs.save(&records, vocabulary.as_deref(), run))
}

/// How a GloVe model is or was trained.
#[napi(object)]
pub struct GloveSpec {
    pub dimensions: u32,
    pub epochs: u32,
    pub learning_rate: f64,
    pub x_max: f64,
    pub alpha: f64,
    #[napi(ts_type = "'both' | 'word' | 'context'")]
    pub vectors: String,
    pub unknown: bool,
}

impl GloveSpec {
    fn options(&self) -> napi::Result<Options> {
        Ok(Options {
            dimensions: self.dimensions as usize,
            epochs: self.epochs as usize,
            learning_rate: self.learning_rate,
            x_max: self.x_max,
            alpha: self.alpha,
            vectors: choice(&self.vectors, &CHOICES)?,
            unknown: self.unknown,
        })
    }

    fn of(options: &Options) -> Self {
        let chosen = CHOICES.iter().find(|(_, chosen)| *chosen == options.vectors);
        Self {
            dimensions: options.dimensions as u32,
            epochs: options.epochs as u32,
            learning_rate: options.learning_rate,
            x_max: options.x_max,
            alpha: options.alpha,
            vectors: chosen.map(|(name, _)| (*name).to_owned()).unwrap_or_default(),
            unknown: options.unknown,
        }
    }
}

/// A trained GloVe model.
#[napi(custom_finalize)]
pub struct GloveHandle(Held<Arc<Model>>);

handle!(GloveHandle);

impl Weighty for Arc<Model> {
    fn weight(&self) -> u64 {
        3 * self.vectors().weight()
    }

    /// Vectors are counted by handles of their own.
    fn memory(&self) -> u64 {
        self.biases().iter().map(|biases| size_of_val(&biases[..]) as u64).sum()
    }
}

impl GloveHandle {
    fn new(model: Model) -> Self {
        Self(Held::new(Arc::new(model)))
    }
}

#[napi]
impl GloveHandle {
    #[napi]
    pub fn vectors(&self) -> napi::Result<VectorsHandle> {
        Ok(VectorsHandle::new(self.0.get()?.vectors().clone()))
    }

    #[napi]
    pub fn word_vectors(&self) -> napi::Result<VectorsHandle> {
        Ok(VectorsHandle::new(self.0.get()?.word().clone()))
    }

    #[napi]
    pub fn context_vectors(&self) -> napi::Result<VectorsHandle> {
        Ok(VectorsHandle::new(self.0.get()?.context().clone()))
    }

    /// Mean loss of each epoch.
    #[napi]
    pub fn losses(&self) -> napi::Result<Vec<f64>> {
        Ok(self.0.get()?.losses().to_vec())
    }

    /// A dump of the C tool does not say how it was trained.
    #[napi]
    pub fn options(&self) -> napi::Result<Option<GloveSpec>> {
        Ok(self.0.get()?.options().map(GloveSpec::of))
    }
}

/// Trains on pairs.
#[napi(ts_args_type = "pairs: CooccurrenceHandle, spec: GloveSpec, room: RoomSpec, \
checkpoint: CheckpointSpec | undefined, run: RunSpec, events: Events<GloveHandle>")]
pub fn train_glove(
    env: &Env,
    pairs: &CooccurrenceHandle,
    spec: GloveSpec,
    room: RoomSpec,
    checkpoint: Option<CheckpointSpec>,
    run: RunSpec,
    events: Events<'_, GloveHandle>,
) -> napi::Result<RunHandle> {
    let (pairs, options, room) = (pairs.0.get()?.clone(), spec.options()?, room.room());
    let checkpoint = checkpoint.map(Checkpoint::from);
    launch(env, run, events, move |run| {
        train(&pairs, &options, &room, checkpoint.as_ref(), run).map(GloveHandle::new)
    })
}

/// Opens a file that `save_glove` wrote.
#[napi(ts_args_type = "path: string, run: RunSpec, events: Events<GloveHandle>")]
pub fn open_glove(
    env: &Env,
    path: String,
    run: RunSpec,
    events: Events<'_, GloveHandle>,
) -> napi::Result<RunHandle> {
    let path = PathBuf::from(path);
    launch(env, run, events, move |_| Model::open(&path).map(GloveHandle::new))
}

/// Writes a model to a file.
#[napi(ts_args_type = "model: GloveHandle, path: string, run: RunSpec, events: Events<void>")]
pub fn save_glove(
    env: &Env,
    model: &GloveHandle,
    path: String,
    run: RunSpec,
    events: Events<'_, ()>,
) -> napi::Result<RunHandle> {
    let (model, path) = (Arc::clone(model.0.get()?), PathBuf::from(path));
    launch(env, run, events, move |run| model.save(&path, run))
}

/// Opens the C tool's dump of all parameters.
#[napi(ts_args_type = "path: string, vocabulary: string, run: RunSpec, \
events: Events<GloveHandle>")]
pub fn open_glove_parameters(
    env: &Env,
    path: String,
    vocabulary: String,
    run: RunSpec,
    events: Events<'_, GloveHandle>,
) -> napi::Result<RunHandle> {
    let (path, vocabulary) = (PathBuf::from(path), PathBuf::from(vocabulary));
    launch(env, run, events, move |run| {
        Model::open_parameters(&path, &vocabulary, run).map(GloveHandle::new)
    })
}

/// Writes the C tool's dump of all parameters, and its vocabulary where a path for it is given.
#[napi(ts_args_type = "model: GloveHandle, path: string, vocabulary: string | undefined, \
run: RunSpec, events: Events<void>")]
pub fn save_glove_parameters(
    env: &Env,
    model: &GloveHandle,
    path: String,
    vocabulary: Option<String>,
    run: RunSpec,
    events: Events<'_, ()>,
) -> napi::Result<RunHandle> {
    let (model, path) = (Arc::clone(model.0.get()?), PathBuf::from(path));
    let vocabulary = vocabulary.map(PathBuf::from);
    launch(env, run, events, move |run| model.save_parameters(&path, vocabulary.as_deref(), run))
}

/// Bytes that the matrices of a training take.
#[napi]
pub fn estimate_glove(
    vocabulary: f64,
    dimensions: u32,
    #[napi(ts_arg_type = "'both' | 'word' | 'context'")] vectors: String,
) -> napi::Result<f64> {
    let chosen = choice(&vectors, &CHOICES)?;
    Ok(estimate_memory(vocabulary as usize, dimensions as usize, chosen) as f64)
}
