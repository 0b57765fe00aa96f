//! Documents that queries of words find.

use std::path::PathBuf;
use std::sync::Arc;

use inlay_base::Priority;
use inlay_counts::{Bm25, Saturation};
use napi::Env;
use napi_derive::napi;

use crate::counts::{AnalysisSpec, LimitsSpec, ReadingSpec};
use crate::held::{Held, Weighty, handle};
use crate::names::NamesHandle;
use crate::run::{Events, RunHandle, RunSpec, launch, launch_fed};
use crate::serve::serve;
use crate::source::{Input, SourceSpec};
use crate::sparse::{FoundRows, SparseHandle};

/// Documents that queries find.
#[napi(custom_finalize)]
pub struct Bm25Handle(Held<Arc<Bm25>>);

handle!(Bm25Handle);

impl Weighty for Arc<Bm25> {
    fn weight(&self) -> u64 {
        Bm25::weight(self)
    }

    fn memory(&self) -> u64 {
        Bm25::weight(self)
    }
}

impl Bm25Handle {
    fn new(index: Bm25) -> Self {
        Self(Held::new(Arc::new(index)))
    }
}

/// What decides scores.
#[napi(object)]
pub struct SaturationSpec {
    pub k1: f64,
    pub b: f64,
}

#[napi]
impl Bm25Handle {
    #[napi]
    pub fn names(&self) -> napi::Result<NamesHandle> {
        Ok(NamesHandle::new(self.0.get()?.vectorizer().names()))
    }

    #[napi(getter)]
    pub fn documents(&self) -> napi::Result<f64> {
        Ok(self.0.get()?.documents() as f64)
    }

    #[napi]
    pub fn analysis(&self) -> napi::Result<AnalysisSpec> {
        Ok(AnalysisSpec::of(&self.0.get()?.vectorizer().options().analysis))
    }

    #[napi]
    pub fn saturation(&self) -> napi::Result<SaturationSpec> {
        let Saturation { k1, b } = self.0.get()?.saturation();
        Ok(SaturationSpec { k1, b })
    }

    /// What each term adds to the score of each document.
    #[napi]
    pub fn weights(&self) -> napi::Result<SparseHandle> {
        Ok(SparseHandle::new(self.0.get()?.weights().clone()))
    }
}

/// Reads documents.
#[napi(
    ts_args_type = "source: readonly string[] | TextStream | CorpusHandle, reading: ReadingSpec, analysis: AnalysisSpec, limits: LimitsSpec, saturation: SaturationSpec, run: RunSpec, events: Events<Bm25Handle>"
)]
#[allow(clippy::too_many_arguments)] // what JavaScript calls takes no struct of handles
pub fn train_bm25(
    env: &Env,
    source: SourceSpec<'_>,
    reading: ReadingSpec,
    analysis: AnalysisSpec,
    limits: LimitsSpec,
    saturation: SaturationSpec,
    run: RunSpec,
    events: Events<'_, Bm25Handle>,
) -> napi::Result<RunHandle> {
    let (input, reading, limits) = (Input::new(source)?, reading.read()?, limits.read());
    let analysis = analysis.read()?;
    let saturation = Saturation { k1: saturation.k1, b: saturation.b };
    launch_fed(env, run, events, move |run, ask| {
        input.read(run, ask, |source| {
            Bm25::train(source, reading, &analysis, &limits, saturation, run).map(Bm25Handle::new)
        })
    })
}

/// Documents for queries, best first.
#[napi(
    ts_args_type = "index: Bm25Handle, queries: readonly string[], topK: number, events: Events<FoundRows>"
)]
pub fn search_bm25(
    env: &Env,
    index: &Bm25Handle,
    queries: Vec<String>,
    top_k: f64,
    events: Events<'_, FoundRows>,
) -> napi::Result<RunHandle> {
    let index = Arc::clone(index.0.get()?);
    let priority = if queries.len() == 1 { Priority::Query } else { Priority::Batch };
    serve(env, priority, events, move |workers| {
        Ok(FoundRows::new(&index.search(&queries, top_k as usize, workers)?))
    })
}

/// Opens a file that `save_bm25` wrote.
#[napi(ts_args_type = "path: string, run: RunSpec, events: Events<Bm25Handle>")]
pub fn open_bm25(
    env: &Env,
    path: String,
    run: RunSpec,
    events: Events<'_, Bm25Handle>,
) -> napi::Result<RunHandle> {
    let path = PathBuf::from(path);
    launch(env, run, events, move |_| Bm25::open(&path).map(Bm25Handle::new))
}

/// Writes an index to a file.
#[napi(ts_args_type = "index: Bm25Handle, path: string, run: RunSpec, events: Events<void>")]
pub fn save_bm25(
    env: &Env,
    index: &Bm25Handle,
    path: String,
    run: RunSpec,
    events: Events<'_, ()>,
) -> napi::Result<RunHandle> {
    let (index, path) = (Arc::clone(index.0.get()?), PathBuf::from(path));
    launch(env, run, events, move |_| index.save(&path))
}
