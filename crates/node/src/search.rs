//! Searches in word vectors, on the pool of short calls, and evaluations, which are runs.

use std::path::Path;

use inlay_base::{Error, Priority, Result, Run};
use inlay_corpus::in_order;
use inlay_vectors::{EvaluateOptions, Item, Query, SearchOptions, Section, WordVectors};
use napi::Env;
use napi::bindgen_prelude::{Float32Array, Float32ArraySlice, Uint32Array, Uint32ArraySlice};
use napi_derive::napi;

use crate::names::WordBlock;
use crate::run::{Events, RunHandle, RunSpec, launch, refuse};
use crate::serve::serve;
use crate::vectors::{VectorsHandle, bytes};

/// Queries, and how they are answered.
#[napi(object, object_to_js = false)]
pub struct SearchSpec<'a> {
    /// The words of all queries in turn.
    pub words: Vec<String>,
    /// The vectors of all queries in turn, end to end.
    #[napi(ts_type = "Float32Array")]
    pub vectors: Float32ArraySlice<'a>,
    /// Four numbers for each query: how many words are positive, vectors are positive, words are
    /// negative, vectors are negative; in this order they lie in `words` and `vectors`.
    #[napi(ts_type = "Uint32Array")]
    pub shape: Uint32ArraySlice<'a>,
    pub top_k: f64,
    #[napi(ts_type = "number | undefined")]
    pub restrict: Option<f64>,
    #[napi(ts_type = "readonly string[]")]
    pub exclude: Vec<String>,
}

impl SearchSpec<'_> {
    fn queries(&mut self, dimensions: usize) -> napi::Result<Vec<Query>> {
        let mut words = std::mem::take(&mut self.words).into_iter();
        let mut vectors = self.vectors.chunks_exact(dimensions.max(1));
        let mut items = |word_count: u32, vector_count: u32| -> Option<Vec<Item>> {
            let mut items = Vec::new();
            for _ in 0..word_count {
                items.push(Item::Word(words.next()?.into_bytes()));
            }
            for _ in 0..vector_count {
                items.push(Item::Vector(vectors.next()?.to_vec()));
            }
            Some(items)
        };
        let queries = self.shape.chunks_exact(4).map(|counts| {
            let positive = items(counts[0], counts[1])?;
            let negative = items(counts[2], counts[3])?;
            Some(Query { positive, negative })
        });
        queries.collect::<Option<_>>().ok_or_else(|| refuse("a query lacks a term".into()))
    }

    fn options(&mut self) -> SearchOptions {
        SearchOptions {
            top_k: self.top_k as usize,
            restrict: self.restrict.map(|rows| rows as usize),
            exclude: bytes(std::mem::take(&mut self.exclude)),
        }
    }
}

/// The neighbours of all queries, one after the other; those of a query end where `ends` says.
#[napi(object, object_from_js = false)]
pub struct Found {
    pub words: WordBlock,
    pub similarities: Float32Array,
    pub ends: Uint32Array,
}

/// Finds the nearest neighbours of queries.
#[napi(ts_args_type = "vectors: VectorsHandle, spec: SearchSpec, events: Events<Found>")]
pub fn search_vectors(
    env: &Env,
    vectors: &VectorsHandle,
    mut spec: SearchSpec<'_>,
    events: Events<'_, Found>,
) -> napi::Result<RunHandle> {
    let vectors = vectors.vectors()?;
    let (queries, options) = (spec.queries(vectors.dimensions())?, spec.options());
    let priority = if queries.len() == 1 { Priority::Query } else { Priority::Batch };
    serve(env, priority, events, move |workers| {
        let found = vectors.nearest(&queries, &options, workers)?;
        let mut end = 0;
        let ends = found.iter().map(|neighbours| {
            end += neighbours.len() as u32;
            end
        });
        let ends: Vec<u32> = ends.collect();
        let all = || found.iter().flatten();
        let similarities: Vec<f32> = all().map(|neighbour| neighbour.similarity).collect();
        let words = WordBlock::new(vectors.names(), all().map(|neighbour| neighbour.row));
        Ok(Found { words, similarities: similarities.into(), ends: ends.into() })
    })
}

/// The place of one word among the neighbours of another; both are known.
#[napi(ts_args_type = "vectors: VectorsHandle, a: string, b: string, events: Events<number>")]
pub fn rank_of_word(
    env: &Env,
    vectors: &VectorsHandle,
    a: String,
    b: String,
    events: Events<'_, f64>,
) -> napi::Result<RunHandle> {
    let vectors = vectors.vectors()?;
    serve(env, Priority::Query, events, move |workers| {
        vectors.rank(a.as_bytes(), b.as_bytes(), workers).map(|rank| rank as f64)
    })
}

/// How vectors are evaluated, and by what.
#[napi(object, object_to_js = false)]
pub struct EvaluateSpec {
    /// The file of questions or pairs, or else its text.
    #[napi(ts_type = "string | undefined")]
    pub path: Option<String>,
    #[napi(ts_type = "string | undefined")]
    pub text: Option<String>,
    #[napi(ts_type = "number | undefined")]
    pub restrict: Option<f64>,
    pub lowercase: bool,
}

impl EvaluateSpec {
    /// Calls `ask` with the text and the name that it has in messages.
    fn with<T>(
        self,
        run: &Run,
        ask: impl FnOnce(&[u8], &str, EvaluateOptions) -> Result<T>,
    ) -> Result<T> {
        let options = EvaluateOptions {
            restrict: self.restrict.map(|rows| rows as usize),
            fold_case: self.lowercase,
        };
        match (self.path, self.text) {
            (Some(path), _) => ask(&whole(path.as_ref(), run)?, &path, options),
            (None, text) => ask(text.unwrap_or_default().as_bytes(), "text", options),
        }
    }
}

/// What a file holds, plain, gzip or zstd. No test of vectors is larger than `MOST`; what a few packed bytes become may be.
fn whole(path: &Path, run: &Run) -> Result<Vec<u8>> {
    const MOST: usize = 1 << 28;
    let (mut file, mut text) = (in_order(path, run)?, Vec::new());
    while file.read(&mut text, 1 << 20)? > 0 {
        run.check()?;
        if text.len() > MOST {
            let problem = format!("it has more than {MOST} bytes");
            return Err(Error::invalid_file(path, None, problem));
        }
    }
    Ok(text)
}

/// How many right, of those that could be asked.
#[napi(object, object_from_js = false)]
pub struct Score {
    pub name: String,
    pub correct: f64,
    pub total: f64,
}

impl From<Section> for Score {
    fn from(Section { name, correct, total }: Section) -> Self {
        Self { name, correct: correct as f64, total: total as f64 }
    }
}

/// How the analogies went.
#[napi(object, object_from_js = false)]
pub struct AnalogyScores {
    pub total: Score,
    pub semantic: Score,
    pub syntactic: Score,
    pub sections: Vec<Score>,
    pub skipped: f64,
}

/// Asks analogies.
#[napi(
    ts_args_type = "vectors: VectorsHandle, spec: EvaluateSpec, run: RunSpec, events: Events<AnalogyScores>"
)]
pub fn evaluate_analogies(
    env: &Env,
    vectors: &VectorsHandle,
    spec: EvaluateSpec,
    run: RunSpec,
    events: Events<'_, AnalogyScores>,
) -> napi::Result<RunHandle> {
    let vectors: WordVectors = vectors.vectors()?;
    launch(env, run, events, move |run| {
        let found = spec.with(run, |text, name, options| {
            vectors.evaluate_analogies(text, name, options, run)
        })?;
        Ok(AnalogyScores {
            total: found.total().into(),
            semantic: found.semantic().into(),
            syntactic: found.syntactic().into(),
            skipped: found.skipped as f64,
            sections: found.sections.into_iter().map(Score::from).collect(),
        })
    })
}

/// How our cosines agree with people.
#[napi(object, object_from_js = false)]
pub struct SimilarityScores {
    pub spearman: f64,
    pub pearson: f64,
    pub pairs: f64,
    pub skipped: f64,
}

/// Compares cosines with scores that people gave.
#[napi(
    ts_args_type = "vectors: VectorsHandle, spec: EvaluateSpec, run: RunSpec, events: Events<SimilarityScores>"
)]
pub fn evaluate_similarity(
    env: &Env,
    vectors: &VectorsHandle,
    spec: EvaluateSpec,
    run: RunSpec,
    events: Events<'_, SimilarityScores>,
) -> napi::Result<RunHandle> {
    let vectors = vectors.vectors()?;
    launch(env, run, events, move |run| {
        let found = spec.with(run, |text, name, options| {
            vectors.evaluate_similarity(text, name, options, run)
        })?;
        Ok(SimilarityScores {
            spearman: found.spearman,
            pearson: found.pearson,
            pairs: found.pairs as f64,
            skipped: found.skipped as f64,
        })
    })
}
