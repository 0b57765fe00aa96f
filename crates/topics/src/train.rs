use std::sync::Arc;

use inlay_base::{Pages, Result, Run};
use inlay_corpus::{Corpus, Normalization, Tokenizer};
use serde::{Deserialize, Serialize};

use crate::checkpoint::{self, Checkpoint, Standing};
use crate::grid::{Grid, Nothing, WIDEST};
use crate::model::{Known, Model, words_of};
use crate::priors::{Histogram, Priors};
use crate::sampler::{Dense, Sampler, Sparse};
use crate::sweep::{State, refresh_after};

/// Up to so many topics every weight is worked out at every draw. On 20 newsgroups that took 0.62 of the
/// sparse form's time at 100 topics, 0.76 at 200, 0.90 at 250, and as long between 300 and 400.
const DENSE: usize = 300;

/// What the caller chooses; everything here decides the topics. Limits are the caller's to check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Options {
    /// Topics, at most 65,535.
    pub topics: usize,
    /// Passes over the text.
    pub iterations: usize,
    /// α: one value for all topics, or one for each.
    pub alpha: Vec<f64>,
    /// β.
    pub beta: f64,
    /// Passes between two fits of the priors; 0: they stay.
    pub optimize_every: usize,
    /// Whether β is fitted as well.
    pub optimize_beta: bool,
}

/// How texts become words, where the model read them itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reading {
    /// What a word is.
    pub tokenizer: Tokenizer,
    /// Whether words become lower case.
    pub lowercase: bool,
    /// The Unicode form of words.
    pub normalization: Normalization,
    /// Whether phrases were joined.
    pub phrases: bool,
}

/// What a training starts from.
#[derive(Default)]
pub struct Start {
    /// Its counts stay as they are, and those of the corpus, which has all its words, are added.
    pub model: Option<Arc<Model>>,
    /// How the corpus was read, for the model to tell.
    pub reading: Option<Reading>,
    /// A file to go on from.
    pub checkpoint: Option<Checkpoint>,
}

impl Options {
    fn priors(&self) -> Priors {
        let alpha = match &self.alpha[..] {
            [one] => vec![*one; self.topics],
            each => each.to_vec(),
        };
        Priors { alpha, beta: self.beta }
    }
}

/// Finds the topics of a corpus whose sentences are documents. They depend on the corpus, the options
/// and the seed alone, not on the number of threads.
///
/// # Errors
/// - `InvalidInput`: a corpus with an id that no word has.
/// - `InvalidOption`: a checkpoint of another training.
/// - `Unsupported`: a document of more than 16,777,216 words.
/// - `OutOfMemory`; what writing the checkpoint meets.
/// - `Aborted`: with a checkpoint, after it is written.
pub fn train(corpus: &Corpus, options: &Options, start: &Start, run: &Run) -> Result<Model> {
    let (model, checkpoint) = (start.model.as_deref(), start.checkpoint.as_ref());
    let work = Work { corpus, options, model, checkpoint, reading: start.reading.as_ref(), run };
    if options.topics <= DENSE { work.with::<Dense>() } else { work.with::<Sparse>() }
}

/// The bytes that a training takes at most, of so many words of text, documents, and words of the
/// vocabulary.
pub fn estimate_memory(
    (tokens, documents, vocabulary): (usize, usize, usize),
    topics: usize,
) -> u64 {
    let [tokens, documents, vocabulary, topics] =
        [tokens, documents, vocabulary, topics].map(|size| size as u64);
    let width = topics.next_multiple_of(16);
    // A document and a topic for each word of text, which may be copied for a checkpoint; rows of
    // counts for words with more than a quarter as many occurrences as there are topics.
    let text = tokens.saturating_mul(4 + 2 + 2 + 16);
    let held = if topics as usize <= DENSE {
        documents.saturating_mul(4 * width)
    } else {
        tokens.saturating_mul(8).saturating_add(documents.saturating_mul(8 * 16))
    };
    let index = vocabulary.saturating_mul(4 * WIDEST as u64 + 24) + documents.saturating_mul(16);
    // Totals after each round, and what its cells changed.
    let rounds = 16 * (WIDEST as u64 + 1) * width;
    text.saturating_add(held).saturating_add(index).saturating_add(64 * width + rounds)
}

struct Work<'a> {
    corpus: &'a Corpus,
    options: &'a Options,
    model: Option<&'a Model>,
    checkpoint: Option<&'a Checkpoint>,
    reading: Option<&'a Reading>,
    run: &'a Run,
}

impl Work<'_> {
    fn with<D: Sampler>(&self) -> Result<Model> {
        let Self { corpus, options, model, run, .. } = *self;
        let topics = options.topics;
        let vocabulary = corpus.names().len();
        let size = (corpus.tokens() as usize, corpus.sentences() as usize, vocabulary);
        // What there is not room for fails here, and not when half of it has been filled.
        drop(Pages::zeroed((estimate_memory(size, topics) / 4) as usize)?);
        let grid = match model {
            Some(model) => Grid::new(corpus, topics, &Known::new(model, corpus.names()), run)?,
            None => Grid::new(corpus, topics, &Nothing, run)?,
        };
        let (mut standing, mut kept) = self.begin(&grid)?;
        let before = match model {
            Some(model) => model.totals().iter().map(|&total| total as i64).collect(),
            None => vec![0; topics],
        };
        let mut state: State<D> = State::new(grid, &before, vocabulary, run)?;
        let tokens = state.grid.tokens();
        let total = tokens * options.iterations as u64;
        let done = tokens * standing.losses.len() as u64;
        run.phase("train", "words", done, Some(total));
        while standing.losses.len() < options.iterations {
            match self.pass(&mut state, &standing) {
                Ok(next) => standing = next,
                Err(error) => {
                    // What was drawn since the last whole pass is lost.
                    self.save(&standing, &kept)?;
                    return Err(error);
                }
            }
            if let Some(checkpoint) = self.checkpoint {
                state.grid.topics(&mut kept);
                if checkpoint.is_due() || standing.losses.len() == options.iterations {
                    self.save(&standing, &kept)?;
                }
            }
        }
        let about = (options.clone(), self.reading.cloned());
        Model::of_state(&state, corpus, about, standing, run)
    }

    /// One pass over the text, and the fit of the priors where one is due.
    fn pass<D: Sampler>(&self, state: &mut State<D>, standing: &Standing) -> Result<Standing> {
        let Self { options, run, .. } = *self;
        let number = standing.losses.len();
        let mut next = standing.clone();
        let refresh = refresh_after(options.topics);
        next.losses.push(state.sweep(number, &standing.priors, refresh, run)?);
        if options.optimize_every > 0 && next.losses.len().is_multiple_of(options.optimize_every) {
            fit(state, &mut next.priors, options.optimize_beta, run)?;
        }
        Ok(next)
    }

    /// Where the training stands at its start, and with a checkpoint the topics of all occurrences.
    fn begin(&self, grid: &Grid) -> Result<(Standing, Vec<u16>)> {
        let topics = self.options.topics;
        let mut kept = Vec::new();
        if let Some(checkpoint) = self.checkpoint
            && let Some((standing, given)) = checkpoint::read(checkpoint, &self.conditions())?
        {
            if !grid.set_topics(&given, topics) || standing.priors.alpha.len() != topics {
                return Err(checkpoint::damaged(checkpoint));
            }
            return Ok((standing, given));
        }
        grid.scatter(topics, self.run)?;
        if self.checkpoint.is_some() {
            grid.topics(&mut kept);
        }
        let priors = match self.model {
            Some(model) => model.priors().clone(),
            None => self.options.priors(),
        };
        Ok((Standing { priors, losses: Vec::new() }, kept))
    }

    fn save(&self, standing: &Standing, topics: &[u16]) -> Result<()> {
        match self.checkpoint {
            Some(checkpoint) => checkpoint::write(checkpoint, &self.conditions(), standing, topics),
            None => Ok(()),
        }
    }

    fn conditions(&self) -> checkpoint::Conditions {
        let model = self.model.map(|model| model.words().fingerprint());
        checkpoint::Conditions::new(self.options, self.corpus, model, self.run.seed())
    }
}

/// Fits the priors to the counts.
fn fit<D: Sampler>(state: &State<D>, priors: &mut Priors, beta: bool, run: &Run) -> Result<()> {
    let topics = state.totals.len();
    let mut counts = vec![Histogram::default(); topics];
    let mut lengths = Histogram::default();
    for block in 0..state.grid.size() {
        let documents = state.documents(block);
        for (document, &length) in state.grid.lengths_of(block).iter().enumerate() {
            run.check()?;
            lengths.add(length.into());
            for (topic, count) in documents.counts(document) {
                counts[topic as usize].add(count.into());
            }
        }
    }
    priors.fit_alpha(&counts, &lengths);
    if beta {
        let (mut pairs, mut totals) = (Histogram::default(), Histogram::default());
        let words = words_of(state, run)?;
        words.all().iter().for_each(|&count| pairs.add(count.into()));
        state.totals.iter().for_each(|&total| totals.add(total as u64));
        priors.fit_beta(&pairs, &totals, state.vocabulary);
    }
    Ok(())
}
