use std::path::Path;
use std::sync::Arc;

use inlay_base::{Error, Pages, Result, Run};
use inlay_corpus::{Base, Corpus};
use inlay_formats::Names;
use inlay_formats::safetensors::{self, Dtype, Kind, Part, Reader};
use inlay_vectors::{Rows, WordVectors};
use serde::{Deserialize, Serialize};

use crate::checkpoint::Standing;
use crate::counts::Counts;
use crate::grid::Before;
use crate::mixture::zeros;
use crate::priors::Priors;
use crate::sampler::Sampler;
use crate::sweep::State;
use crate::train::{Options, Reading};

const KIND: Kind = Kind { name: "lda", what: "an Lda model", version: 1 };
const WORDS: [&str; 3] = ["word_starts", "word_topics", "word_counts"];
const DOCUMENTS: [&str; 3] = ["document_starts", "document_topics", "document_counts"];
/// Rows between two looks at the signal.
const STEP: usize = 1 << 12;

/// Topics of words and of the documents that were trained on.
pub struct Model {
    names: Arc<Names>,
    /// How often each word was seen.
    counts: Arc<[u64]>,
    /// n_wt.
    words: Counts,
    /// n_t.
    totals: Vec<u64>,
    /// n_dt.
    documents: Counts,
    priors: Priors,
    options: Options,
    reading: Option<Reading>,
    losses: Vec<f64>,
}

/// What the file says beside its tensors.
#[derive(Serialize, Deserialize)]
struct Header {
    priors: Priors,
    options: Options,
    reading: Option<Reading>,
    losses: Vec<f64>,
}

/// The counts of a model for the words of another vocabulary.
pub(crate) struct Known<'a> {
    model: &'a Model,
    /// By word there: its number in the model.
    numbers: Vec<Option<u32>>,
}

impl<'a> Known<'a> {
    pub fn new(model: &'a Model, names: &Names) -> Self {
        Self { model, numbers: names.iter().map(|name| model.names.find(name)).collect() }
    }
}

impl Before for Known<'_> {
    fn of_word(&self, word: u32) -> impl Iterator<Item = (u16, u32)> {
        let number = self.numbers.get(word as usize).copied().flatten();
        number.into_iter().flat_map(|number| self.model.words.row(number as usize))
    }
}

impl Model {
    pub(crate) fn of_state<D: Sampler>(
        state: &State<D>,
        corpus: &Corpus,
        (options, reading): (Options, Option<Reading>),
        Standing { priors, losses }: Standing,
        run: &Run,
    ) -> Result<Self> {
        let words = words_of(state, run)?;
        let mut documents = Counts::new();
        let mut row: Vec<(u16, u32)> = Vec::new();
        for block in 0..state.grid.size() {
            let held = state.documents(block);
            for document in 0..state.grid.lengths_of(block).len() {
                run.check()?;
                row.clear();
                row.extend(held.counts(document).map(|(topic, count)| (topic as u16, count)));
                row.sort_unstable();
                documents.push(row.iter().copied());
            }
        }
        let totals = words.totals(options.topics);
        let (names, counts) = (Arc::clone(corpus.names()), corpus.counts().into());
        Ok(Self { names, counts, words, totals, documents, priors, options, reading, losses })
    }

    /// The words.
    pub fn names(&self) -> &Arc<Names> {
        &self.names
    }

    /// How often each word was seen.
    pub fn counts(&self) -> &Arc<[u64]> {
        &self.counts
    }

    /// The vocabulary, for a corpus that the model is to learn from or be asked about.
    pub fn base(&self) -> Base {
        Base { names: Arc::clone(&self.names), counts: self.counts.to_vec() }
    }

    /// How often words were seen in each topic.
    pub fn words(&self) -> &Counts {
        &self.words
    }

    /// How often each topic was seen in documents of the training.
    pub fn documents(&self) -> &Counts {
        &self.documents
    }

    /// How often each topic was seen.
    pub fn totals(&self) -> &[u64] {
        &self.totals
    }

    /// α and β at the end.
    pub fn priors(&self) -> &Priors {
        &self.priors
    }

    /// How it was trained.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// How its texts became words; `None` if a corpus was given that had been read before.
    pub fn reading(&self) -> Option<&Reading> {
        self.reading.as_ref()
    }

    /// Mean loss of each sweep.
    pub fn losses(&self) -> &[f64] {
        &self.losses
    }

    /// Topics.
    pub fn topics(&self) -> usize {
        self.options.topics
    }

    /// 1 / (n_t + Vβ).
    pub(crate) fn inverse(&self) -> Vec<f64> {
        let smoothing = self.priors.beta * self.names.len() as f64;
        self.totals.iter().map(|&total| 1.0 / (total as f64 + smoothing)).collect()
    }

    /// Topics of a document of the training: (n_dt + α_t) / (n_d + Σα), for as many values as there
    /// are topics.
    pub fn mixture(&self, document: usize, into: &mut [f32]) {
        let row = self.documents.row(document);
        let sum: f64 = self.priors.alpha.iter().sum();
        let length: f64 = row.map(|(_, count)| f64::from(count)).sum();
        let scale = 1.0 / (length + sum);
        for (value, alpha) in into.iter_mut().zip(&self.priors.alpha) {
            *value = (alpha * scale) as f32;
        }
        for (topic, count) in self.documents.row(document) {
            into[usize::from(topic)] += (f64::from(count) * scale) as f32;
        }
    }

    /// The mixtures of all documents of the training: [documents, topics].
    ///
    /// # Errors
    /// `OutOfMemory`; `Aborted`.
    pub fn mixtures(&self, run: &Run) -> Result<Vec<f32>> {
        let mut values = zeros(self.documents.rows().checked_mul(self.topics()))?;
        for (document, row) in values.chunks_exact_mut(self.topics()).enumerate() {
            if document.is_multiple_of(STEP) {
                run.check()?;
            }
            self.mixture(document, row);
        }
        Ok(values)
    }

    /// How likely each topic is where a word stands: [words, topics].
    ///
    /// # Errors
    /// `OutOfMemory`; `Aborted`.
    pub fn word_topics(&self, run: &Run) -> Result<WordVectors> {
        let (words, topics) = (self.names.len(), self.topics());
        let mut pages = Pages::zeroed(words.saturating_mul(topics))?;
        let inverse = self.inverse();
        for (word, row) in pages.as_mut_slice().chunks_exact_mut(topics).enumerate() {
            if word.is_multiple_of(STEP) {
                run.check()?;
            }
            self.topics_of_word(word, &inverse, row);
        }
        let rows = Rows::from_pages(pages, words, topics, topics);
        let counts = Some(Arc::clone(&self.counts));
        Ok(WordVectors::with_counts(Arc::clone(&self.names), rows, counts))
    }

    /// (n_wt + β) / (n_t + Vβ) · (n_t + α_t), over its sum.
    fn topics_of_word(&self, word: usize, inverse: &[f64], into: &mut [f32]) {
        let weights = self.totals.iter().zip(&self.priors.alpha);
        let mut values: Vec<f64> = weights
            .zip(inverse)
            .map(|((&total, alpha), inverse)| self.priors.beta * inverse * (total as f64 + alpha))
            .collect();
        for (topic, count) in self.words.row(word) {
            let topic = usize::from(topic);
            let weight = self.totals[topic] as f64 + self.priors.alpha[topic];
            values[topic] += f64::from(count) * inverse[topic] * weight;
        }
        let sum: f64 = values.iter().sum();
        into.iter_mut().zip(values).for_each(|(into, value)| *into = (value / sum) as f32);
    }

    /// The most likely words of each topic with their probabilities, most likely first; ties by their
    /// number.
    pub fn top_words(&self, count: usize) -> Vec<Vec<(u32, f64)>> {
        let inverse = self.inverse();
        let mut lists: Vec<Vec<(u32, u32)>> = vec![Vec::new(); self.topics()];
        for word in 0..self.words.rows() {
            for (topic, seen) in self.words.row(word) {
                lists[usize::from(topic)].push((seen, word as u32));
            }
        }
        let probability =
            |seen: u32, topic: usize| (f64::from(seen) + self.priors.beta) * inverse[topic];
        let top = |(topic, mut list): (usize, Vec<(u32, u32)>)| {
            list.sort_unstable_by_key(|&(seen, word)| (std::cmp::Reverse(seen), word));
            list.truncate(count);
            list.into_iter().map(|(seen, word)| (word, probability(seen, topic))).collect()
        };
        lists.into_iter().enumerate().map(top).collect()
    }

    /// Writes a file that `open` reads.
    pub fn save(&self, path: &Path, run: &Run) -> Result<()> {
        let (key, header) = KIND.entry(&Header {
            priors: self.priors.clone(),
            options: self.options.clone(),
            reading: self.reading.clone(),
            losses: self.losses.clone(),
        })?;
        run.phase("write", "words", 0, Some(self.names.len() as u64));
        let mut parts = self.names.parts();
        let counts = bytemuck::cast_slice(&self.counts);
        parts.push(Part::bytes("counts", Dtype::U64, &[self.counts.len()], counts));
        parts.extend(self.words.parts(WORDS));
        parts.extend(self.documents.parts(DOCUMENTS));
        run.check()?;
        safetensors::save(path, &[(key, &header)], parts)?;
        run.advance(self.names.len() as u64);
        Ok(())
    }

    /// Reads a file that `save` wrote.
    ///
    /// # Errors
    /// `NotFound`; `InvalidInput`: the file is no Lda model, or damaged.
    pub fn open(path: &Path) -> Result<Self> {
        let reader = Reader::open(path)?;
        let damaged = |problem: &str| Error::invalid_file(path, None, problem);
        let Header { priors, options, reading, losses } = KIND.read(&reader, path)?;
        // Draws have them in f32.
        let positive = |&value: &f64| value > 0.0 && (value as f32).is_normal();
        if options.topics == 0
            || priors.alpha.len() != options.topics
            || !priors.alpha.iter().chain([&priors.beta]).all(positive)
        {
            return Err(damaged("does not have a positive prior for each topic"));
        }
        let names = Names::read(&reader)?.ok_or_else(|| damaged("has no vocabulary"))?;
        let counts = reader.tensor("counts").filter(|tensor| tensor.dtype == Dtype::U64);
        let counts: Arc<[u64]> = counts
            .filter(|tensor| tensor.shape == [names.len()])
            .map(|tensor| tensor.bytes.chunks_exact(8).map(bytemuck::pod_read_unaligned).collect())
            .ok_or_else(|| damaged("does not have a count for each word"))?;
        let read = |names| Counts::read(&reader, names, options.topics);
        let words = read(WORDS).filter(|words| words.rows() == names.len());
        let words = words.ok_or_else(|| damaged("does not have the topics of each word"))?;
        let documents = read(DOCUMENTS).ok_or_else(|| damaged("has documents of no topics"))?;
        let totals = words.totals(options.topics);
        let names = Arc::new(names);
        Ok(Self { names, counts, words, totals, documents, priors, options, reading, losses })
    }
}

/// The counts of all words, in the order of the vocabulary.
pub(crate) fn words_of<D: Sampler>(state: &State<D>, run: &Run) -> Result<Counts> {
    let (mut words, mut pairs) = (Counts::new(), Vec::new());
    for word in 0..state.vocabulary {
        if word.is_multiple_of(STEP) {
            run.check()?;
        }
        state.grid.pairs_of(word, &mut pairs);
        words.push(pairs.iter().copied());
    }
    Ok(words)
}
