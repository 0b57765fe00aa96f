//! Texts as vectors: the weighted mean of the vectors of their words.
//!
//! ```text
//!     v(text) = 1/|text| Σ a / (a + p(w)) v(w)          Arora et al. 2017, "A Simple but Tough-to-Beat
//!     v(text) = v(text) - u uᵀ v(text)                  Baseline for Sentence Embeddings" (SIF)
//!     v(text) = Σ idf(w) v(w) / Σ idf(w)                idf(w) = ln((1 + documents) / (1 + df(w))) + 1
//! ```
//!
//! u is the first singular vector of the vectors of some sentences, found once and kept.

mod documents;
mod file;
mod frequencies;

use std::sync::{Arc, Mutex, PoisonError};

use inlay_base::{Error, Result, Run, Workers, lock};
use inlay_corpus::{
    Batch, Normalization, Part, Reading, Source, Splitter, Tokenizer, Words, each_part,
};
use inlay_formats::{GiveRows, Names};
use inlay_kernels::{Kernels, Simd, Task};
use inlay_vectors::{Rows, WordVectors};
use serde::{Deserialize, Serialize};
use std::sync::mpsc::Receiver;

pub use documents::{SentenceWeights, SplitDocuments, means_of_rows, split};
pub use frequencies::DocumentFrequencies;

/// Texts that one task encodes.
const TASK: usize = 64;

/// Whatever has vectors of words: those of a vocabulary, and maybe of others (by their subwords).
pub trait WordSource: Send + Sync {
    /// The words that have numbers.
    fn names(&self) -> &Arc<Names>;

    /// Values of a vector.
    fn dimensions(&self) -> usize;

    /// Writes the vector of a word, whose number is given if it has one; false if there is none.
    fn give(&self, word: &[u8], number: Option<u32>, into: &mut [f32]) -> bool;

    /// How often each word with a number occurred, where that is known.
    fn counts(&self) -> Option<&[u64]>;

    /// The vectors as a file holds them, if they are no more than that.
    fn vectors(&self) -> Option<&WordVectors>;
}

impl WordSource for WordVectors {
    fn names(&self) -> &Arc<Names> {
        WordVectors::names(self)
    }

    fn dimensions(&self) -> usize {
        WordVectors::dimensions(self)
    }

    fn give(&self, _: &[u8], number: Option<u32>, into: &mut [f32]) -> bool {
        if let Some(number) = number {
            self.rows().give(number as usize, into);
        }
        number.is_some()
    }

    fn counts(&self) -> Option<&[u64]> {
        WordVectors::counts(self).map(|counts| &**counts)
    }

    fn vectors(&self) -> Option<&WordVectors> {
        Some(self)
    }
}

/// How texts become words, and words a vector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// What is a word of a text.
    pub tokenizer: Tokenizer,
    /// Whether words become lower case.
    pub lowercase: bool,
    /// The Unicode form of words.
    pub normalization: Normalization,
    /// What a word weighs.
    pub weights: Weighting,
}

impl Options {
    fn splitter(&self) -> Splitter {
        Splitter::new(self.tokenizer, self.lowercase, self.normalization)
    }
}

/// What a word weighs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weighting {
    /// As much as any other.
    Equal,
    /// a / (a + p): p is its share of a text, a is given.
    Frequency(f64),
    /// Its inverse document frequency.
    TfIdf,
}

/// What words occur in, to weigh them.
#[derive(Debug, Clone, Default)]
pub struct Statistics {
    /// Words with their counts; by default those of the vectors.
    pub counts: Option<(Arc<Names>, Vec<u64>)>,
    /// For `Weighting::TfIdf`.
    pub documents: Option<Arc<DocumentFrequencies>>,
}

/// Encodes texts. Nothing in it changes.
pub struct MeanEncoder {
    source: Arc<dyn WordSource>,
    options: Options,
    /// By the number of the word.
    weights: Vec<f32>,
    /// Of words without a number.
    other_weight: f32,
    /// u: what is taken away.
    component: Option<Vec<f32>>,
}

/// Vectors of texts.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Encoded {
    /// Rows end to end.
    pub values: Vec<f32>,
    /// For each text, its words that have a vector: a text without any has a row of zeros.
    pub known: Vec<u32>,
}

impl MeanEncoder {
    /// # Errors
    /// `InvalidOption` if the counts that the weights are made from are nowhere to be had.
    pub fn new(
        source: Arc<dyn WordSource>,
        options: Options,
        statistics: &Statistics,
        run: &Run,
    ) -> Result<Self> {
        let (weights, other_weight) = weights(&*source, &options, statistics, run)?;
        Ok(Self { source, options, weights, other_weight, component: None })
    }

    /// The same with the common direction of some texts taken away from all that it encodes.
    ///
    /// # Errors
    /// `InvalidInput` if no text has a word with a vector.
    pub fn without_common_component(&self, texts: Receiver<Batch>, run: &Run) -> Result<Self> {
        let plain = Self { component: None, ..self.copy() };
        let Encoded { values, known } = plain.encode(texts, run)?;
        if known.iter().all(|&known| known == 0) {
            return Err(Error::InvalidInput {
                source: "sentences".into(),
                offset: None,
                problem: "none of them has a word with a vector".into(),
            });
        }
        run.phase("fit", "sentences", 0, Some(known.len() as u64));
        let direction = Rows::from_values(&values, self.dimensions())?.common_direction(run)?;
        run.advance(known.len() as u64);
        let component = direction.into_iter().map(|value| value as f32).collect();
        Ok(Self { component: Some(component), ..plain })
    }

    fn copy(&self) -> Self {
        Self {
            source: Arc::clone(&self.source),
            options: self.options.clone(),
            weights: self.weights.clone(),
            other_weight: self.other_weight,
            component: self.component.clone(),
        }
    }

    /// Values of a row.
    pub fn dimensions(&self) -> usize {
        self.source.dimensions()
    }

    /// How it was made.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// What is taken away from each vector: a direction of length 1.
    pub fn component(&self) -> Option<&[f32]> {
        self.component.as_deref()
    }

    /// Bytes of memory.
    pub fn weight(&self) -> u64 {
        size_of_val(&self.weights[..]) as u64
    }

    /// What a word weighs.
    pub fn weight_of(&self, word: &[u8]) -> f32 {
        self.weight_at(self.source.names().find(word))
    }

    fn weight_at(&self, number: Option<u32>) -> f32 {
        let weight = |number| self.weights.get(number as usize).copied().unwrap_or(1.0);
        number.map_or(self.other_weight, weight)
    }

    /// Encodes a stream of texts on all threads of the run: phase "encode". A text's row does not
    /// depend on the other texts, nor on the number of threads.
    pub fn encode(&self, texts: Receiver<Batch>, run: &Run) -> Result<Encoded> {
        run.phase("encode", "texts", 0, None);
        let encode = |words: &mut Words, part: &Part| {
            let mut encoded = Encoded::default();
            let mut vector = vec![0.0; self.dimensions()];
            for text in part.texts.clone() {
                if text.is_multiple_of(TASK) {
                    run.check()?;
                }
                words.take(&part.batch, text);
                self.add(words, &mut vector, &mut encoded);
            }
            run.advance(part.texts.len() as u64);
            Ok(encoded)
        };
        let texts = Source::Stream(texts);
        let (_, parts) = each_part(
            texts,
            Reading::default(),
            run,
            || Words::new(self.options.splitter()),
            encode,
        )?;
        Ok(joined(parts))
    }

    /// Encodes a few texts that are here.
    pub fn encode_now<T: AsRef<[u8]> + Sync>(
        &self,
        texts: &[T],
        workers: &dyn Workers,
    ) -> Result<Encoded> {
        let tasks: Vec<_> = texts.chunks(TASK).collect();
        let parts: Vec<Mutex<Encoded>> = tasks.iter().map(|_| Mutex::default()).collect();
        workers.each(tasks.len(), &|task| {
            let mut words = Words::new(self.options.splitter());
            let mut vector = vec![0.0; self.dimensions()];
            let mut encoded = Encoded::default();
            for text in tasks[task] {
                words.split(text.as_ref());
                self.add(&words, &mut vector, &mut encoded);
            }
            *lock(&parts[task]) = encoded;
            Ok(())
        })?;
        let part = |part: Mutex<Encoded>| part.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(joined(parts.into_iter().map(part).collect()))
    }

    /// Appends the row of a text; `vector` is room for a word's.
    fn add(&self, words: &Words, vector: &mut [f32], encoded: &mut Encoded) {
        let start = encoded.values.len();
        encoded.values.resize(start + vector.len(), 0.0);
        let row = &mut encoded.values[start..];
        let (mut known, mut weights) = (0u32, 0.0f64);
        for word in words.iter() {
            let number = self.source.names().find(word);
            if !self.source.give(word, number, vector) {
                continue;
            }
            let weight = self.weight_at(number);
            Kernels::get().run(AddScaled { row, vector, weight });
            known += 1;
            weights += f64::from(weight);
        }
        let divisor = match self.options.weights {
            Weighting::TfIdf => weights,
            Weighting::Equal | Weighting::Frequency(_) => f64::from(known),
        };
        if known > 0 && divisor > 0.0 {
            row.iter_mut().for_each(|value| *value = (f64::from(*value) / divisor) as f32);
        }
        if let Some(component) = &self.component {
            let products = row.iter().zip(component).map(|(&x, &u)| f64::from(x) * f64::from(u));
            let along: f64 = products.sum();
            for (value, &u) in row.iter_mut().zip(component) {
                *value = (f64::from(*value) - along * f64::from(u)) as f32;
            }
        }
        encoded.known.push(known);
    }
}

fn joined(parts: Vec<Encoded>) -> Encoded {
    let mut all = Encoded::default();
    all.values.reserve_exact(parts.iter().map(|part| part.values.len()).sum());
    for part in parts {
        all.values.extend_from_slice(&part.values);
        all.known.extend_from_slice(&part.known);
    }
    all
}

/// row += weight · vector
struct AddScaled<'a> {
    row: &'a mut [f32],
    vector: &'a [f32],
    weight: f32,
}

impl Task for AddScaled<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let weight = self.weight;
        self.row.iter_mut().zip(self.vector).for_each(|(sum, &value)| *sum += weight * value);
    }
}

/// The weights of a source's words, and of others.
fn weights(
    source: &dyn WordSource,
    options: &Options,
    statistics: &Statistics,
    run: &Run,
) -> Result<(Vec<f32>, f32)> {
    let lacks = |option, expected: &str| Error::InvalidOption {
        option,
        expected: expected.into(),
        got: "undefined".into(),
    };
    let each = |weigh: &dyn Fn(u32, &[u8]) -> f64| -> Result<Vec<f32>> {
        let mut weights = Vec::with_capacity(source.names().len());
        for (number, word) in (0..).zip(source.names().iter()) {
            if number % 4096 == 0 {
                run.check()?;
            }
            weights.push(weigh(number, word) as f32);
        }
        Ok(weights)
    };
    match options.weights {
        Weighting::Equal => Ok((Vec::new(), 1.0)),
        Weighting::Frequency(a) => {
            let weights = match (&statistics.counts, source.counts()) {
                (Some((names, counts)), _) => {
                    let total = counts.iter().sum::<u64>().max(1) as f64;
                    each(&|_, word| {
                        let count = names.find(word).map_or(0, |found| counts[found as usize]);
                        a / (a + count as f64 / total)
                    })?
                }
                (None, Some(counts)) => {
                    let total = counts.iter().sum::<u64>().max(1) as f64;
                    each(&|number, _| a / (a + counts[number as usize] as f64 / total))?
                }
                (None, None) => {
                    let expected =
                        "given for vectors that do not know how often their words occurred";
                    return Err(lacks("frequencies", expected));
                }
            };
            Ok((weights, 1.0)) // a word without a count is rare
        }
        Weighting::TfIdf => {
            let documents = statistics.documents.as_ref();
            let documents =
                documents.ok_or_else(|| lacks("documents", "given for the weights 'tf-idf'"))?;
            Ok((each(&|_, word| documents.idf(word))?, documents.idf_of(0) as f32))
        }
    }
}
