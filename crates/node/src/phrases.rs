//! Phrases: found, opened, saved, listed, applied.

use std::path::PathBuf;

use inlay_corpus::phrases::{Options, Phrases, Scoring, train};
use inlay_corpus::{Corpus, Source};
use napi::Env;
use napi::bindgen_prelude::{Float64Array, Uint32Array};
use napi_derive::napi;

use crate::choice;
use crate::corpus::CorpusSpec;
use crate::held::{Held, Weighty, handle};
use crate::names::WordBlock;
use crate::run::{Events, RunHandle, RunSpec, launch, launch_fed, refuse};
use crate::serve::at_once;
use crate::stream::TextStream;

const SCORINGS: [(&str, Scoring); 2] = [("default", Scoring::Default), ("npmi", Scoring::Npmi)];

/// How phrases are or were found.
#[napi(object)]
pub struct PhrasesSpec {
    pub min_count: f64,
    pub threshold: f64,
    #[napi(ts_type = "'default' | 'npmi'")]
    pub scoring: String,
    #[napi(ts_type = "readonly string[]")]
    pub connector_words: Vec<String>,
    pub passes: u32,
    pub delimiter: String,
}

impl PhrasesSpec {
    fn options(self, spool_directory: Option<PathBuf>) -> napi::Result<Options> {
        Ok(Options {
            min_count: self.min_count as u64,
            threshold: self.threshold,
            scoring: choice(&self.scoring, &SCORINGS)?,
            connector_words: self.connector_words,
            passes: self.passes as usize,
            delimiter: self.delimiter.parse().map_err(|_| refuse("no single character".into()))?,
            spool_directory,
        })
    }
}

/// Phrases.
#[napi(custom_finalize)]
pub struct PhrasesHandle(Held<Phrases>);

handle!(PhrasesHandle);

impl Weighty for Phrases {
    fn weight(&self) -> u64 {
        Phrases::weight(self)
    }

    fn memory(&self) -> u64 {
        Phrases::weight(self)
    }
}

impl PhrasesHandle {
    fn new(phrases: Phrases) -> Self {
        Self(Held::new(phrases))
    }

    pub fn phrases(&self) -> napi::Result<Phrases> {
        self.0.get().cloned()
    }
}

/// Some phrases, in their order.
#[napi(object, object_from_js = false)]
pub struct PhraseBlock {
    pub phrases: WordBlock,
    pub scores: Float64Array,
    pub counts: Float64Array,
    pub passes: Uint32Array,
}

#[napi]
impl PhrasesHandle {
    #[napi(getter)]
    pub fn length(&self) -> napi::Result<u32> {
        Ok(self.0.get()?.len() as u32)
    }

    #[napi]
    pub fn options(&self) -> napi::Result<PhrasesSpec> {
        let options = self.0.get()?.options();
        let scoring = SCORINGS.iter().find(|(_, scoring)| *scoring == options.scoring);
        Ok(PhrasesSpec {
            min_count: options.min_count as f64,
            threshold: options.threshold,
            scoring: scoring.map(|(name, _)| (*name).into()).unwrap_or_default(),
            connector_words: options.connector_words.clone(),
            passes: options.passes as u32,
            delimiter: options.delimiter.into(),
        })
    }

    /// The phrases from one number up to another.
    #[napi]
    pub fn block(&self, from: u32, to: u32) -> napi::Result<PhraseBlock> {
        let phrases = self.0.get()?;
        let listed: Vec<_> = (from..to).filter_map(|at| phrases.get(at as usize)).collect();
        let scores: Vec<f64> = listed.iter().map(|phrase| phrase.score).collect();
        let counts: Vec<f64> = listed.iter().map(|phrase| phrase.count as f64).collect();
        let passes: Vec<u32> = listed.iter().map(|phrase| phrase.pass as u32).collect();
        Ok(PhraseBlock {
            phrases: WordBlock::of(listed.iter().map(|phrase| phrase.text)),
            scores: scores.into(),
            counts: counts.into(),
            passes: passes.into(),
        })
    }

    /// The words of a sentence, phrases joined.
    #[napi]
    pub fn apply(&self, words: Vec<String>) -> napi::Result<Vec<String>> {
        let words: Vec<&[u8]> = words.iter().map(String::as_bytes).collect();
        let phrases = self.0.get()?;
        let joined = at_once(|| Ok(phrases.apply(&words)))?;
        Ok(joined.into_iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect())
    }
}

/// Finds the phrases of files: paths, globs, directories.
#[napi(
    ts_args_type = "files: readonly string[], text: CorpusSpec, spec: PhrasesSpec, run: RunSpec, events: Events<PhrasesHandle>"
)]
pub fn train_phrases_on_files(
    env: &Env,
    files: Vec<String>,
    text: CorpusSpec,
    spec: PhrasesSpec,
    run: RunSpec,
    events: Events<'_, PhrasesHandle>,
) -> napi::Result<RunHandle> {
    let text = text.options(None, None)?;
    let options = spec.options(text.spool_directory.clone())?;
    launch(env, run, events, move |run| {
        let corpus = Corpus::read(Source::Files(files), &text, run)?;
        train(&corpus, &options, run).map(PhrasesHandle::new)
    })
}

/// Finds the phrases of what JavaScript feeds to the stream.
#[napi(
    ts_args_type = "stream: TextStream, text: CorpusSpec, spec: PhrasesSpec, run: RunSpec, events: Events<PhrasesHandle>"
)]
pub fn train_phrases_on_stream(
    env: &Env,
    stream: &mut TextStream,
    text: CorpusSpec,
    spec: PhrasesSpec,
    run: RunSpec,
    events: Events<'_, PhrasesHandle>,
) -> napi::Result<RunHandle> {
    let (text, pieces) = (text.options(None, None)?, stream.pieces()?);
    let options = spec.options(text.spool_directory.clone())?;
    launch_fed(env, run, events, move |run, ask| {
        let read = |batches| Corpus::read(Source::Stream(batches), &text, run);
        let corpus = pieces.feed(run, ask, read)?;
        train(&corpus, &options, run).map(PhrasesHandle::new)
    })
}

/// Opens a file that `save_phrases` wrote.
#[napi(ts_args_type = "path: string, run: RunSpec, events: Events<PhrasesHandle>")]
pub fn open_phrases(
    env: &Env,
    path: String,
    run: RunSpec,
    events: Events<'_, PhrasesHandle>,
) -> napi::Result<RunHandle> {
    let path = PathBuf::from(path);
    launch(env, run, events, move |_| Phrases::open(&path).map(PhrasesHandle::new))
}

/// Writes phrases to a file.
#[napi(ts_args_type = "phrases: PhrasesHandle, path: string, run: RunSpec, events: Events<void>")]
pub fn save_phrases(
    env: &Env,
    phrases: &PhrasesHandle,
    path: String,
    run: RunSpec,
    events: Events<'_, ()>,
) -> napi::Result<RunHandle> {
    let (phrases, path) = (phrases.phrases()?, PathBuf::from(path));
    launch(env, run, events, move |_| phrases.save(&path))
}
