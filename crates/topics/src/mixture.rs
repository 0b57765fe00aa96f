//! Topics of documents that the model has not seen: the topics of words stay, and the mixture θ of each
//! document is the fixed point of expectation and maximisation under its prior,
//!
//! ```text
//! θ_t ∝ α_t + Σ_w n_w · φ_wt θ_t / Σ_s φ_ws θ_s        φ_wt = (n_wt + β) / (n_t + Vβ)
//! ```
//!
//! It is the same for the same words, whatever other documents there are: nothing is random.

use std::sync::{Mutex, PoisonError};

use inlay_base::{Error, Pages, Result, Run, Workers, lock};
use inlay_corpus::{Corpus, SENTENCE_END};
use inlay_kernels::{Aligned, Kernels, Simd, Task};

use crate::model::Model;
use crate::sampler::padded;

/// Documents that a thread takes at a time.
const SHARD: usize = 32;
/// Sums that are worked out beside one another.
const LANES: usize = 16;

/// When a mixture is good enough.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Folding {
    /// Steps at most.
    pub iterations: usize,
    /// It is, when a step moves less of it than this.
    pub tolerance: f64,
}

/// Mixtures of documents.
pub struct Mixtures {
    /// [documents, topics].
    pub values: Vec<f32>,
    /// Words of each document that the model knows.
    pub known: Vec<u32>,
}

/// What all documents share.
struct Frozen<'a> {
    model: &'a Model,
    alpha: Aligned<f32>,
    /// 1 / (n_t + Vβ), padded with zeros.
    inverse: Vec<f32>,
    folding: Folding,
}

/// What a thread keeps from document to document.
#[derive(Default)]
struct Desk {
    /// The words of the document once each, with how often they occur.
    words: Vec<(u32, f32)>,
    /// φ of each of them.
    rows: Vec<f32>,
    theta: Vec<f32>,
    next: Vec<f32>,
}

impl Model {
    /// The mixture of each sentence of a corpus that was read with this model's vocabulary, closed. A
    /// document without a known word has zeros.
    ///
    /// # Errors
    /// `OutOfMemory`; `Aborted`.
    pub fn transform(&self, corpus: &Corpus, folding: Folding, run: &Run) -> Result<Mixtures> {
        let documents = documents(corpus, self.names().len())?;
        let topics = self.topics();
        let length = documents.len().checked_mul(topics);
        let mut values = zeros(length)?;
        let known = documents.iter().map(|document| document.len() as u32).collect();
        let frozen = Frozen::new(self, folding);
        let shards: Vec<_> = documents
            .chunks(SHARD)
            .zip(values.chunks_mut(SHARD * topics))
            .map(Mutex::new)
            .collect();
        run.phase("transform", "documents", 0, Some(documents.len() as u64));
        run.each(shards.len(), &|shard| {
            let mut shard = lock(&shards[shard]);
            let (documents, values) = &mut *shard;
            let mut desk = Desk::default();
            for (document, row) in documents.iter().zip(values.chunks_exact_mut(topics)) {
                if !document.is_empty() {
                    run.check()?;
                    frozen.fold(document.iter().copied(), &mut desk);
                    row.copy_from_slice(&desk.theta[..topics]);
                }
                run.advance(1);
            }
            Ok(())
        })?;
        drop(shards);
        Ok(Mixtures { values, known })
    }

    /// How well the model foretells documents: the mixture of each is made of every second word, and
    /// the others are scored (document completion, Wallach et al. 2009, section 5.1). e to the mean of
    /// -ln p(w); lower is better.
    ///
    /// # Errors
    /// `InvalidInput`: no document has two words that the model knows; `Aborted`.
    pub fn perplexity(&self, corpus: &Corpus, folding: Folding, run: &Run) -> Result<f64> {
        let documents = documents(corpus, self.names().len())?;
        let frozen = Frozen::new(self, folding);
        let shards: Vec<_> =
            documents.chunks(SHARD).map(|shard| (shard, Mutex::new((0.0, 0u64)))).collect();
        run.phase("evaluate", "documents", 0, Some(documents.len() as u64));
        run.each(shards.len(), &|shard| {
            let (documents, sums) = &shards[shard];
            let (mut desk, mut loss, mut scored) = (Desk::default(), 0.0, 0);
            for document in documents.iter().filter(|document| document.len() > 1) {
                run.check()?;
                frozen.fold(document.iter().copied().step_by(2), &mut desk);
                for &word in document.iter().skip(1).step_by(2) {
                    loss -= frozen.probability(word, &desk.theta).ln();
                    scored += 1;
                }
            }
            run.advance(documents.len() as u64);
            *lock(sums) = (loss, scored);
            Ok(())
        })?;
        let (mut loss, mut scored) = (0.0, 0);
        for (_, sums) in shards {
            let sums = sums.into_inner().unwrap_or_else(PoisonError::into_inner);
            loss += sums.0;
            scored += sums.1;
        }
        if scored == 0 {
            let problem = "no document has two words that the model knows".into();
            return Err(Error::InvalidInput {
                source: "the documents".into(),
                offset: None,
                problem,
            });
        }
        Ok((loss / scored as f64).exp())
    }
}

/// The sentences of a corpus.
///
/// # Errors
/// `InvalidInput`: an id that no word has.
pub(crate) fn documents(corpus: &Corpus, words: usize) -> Result<Vec<&[u32]>> {
    let ids = corpus.ids();
    if ids.iter().any(|&id| id as usize >= words && id != SENTENCE_END) {
        let problem = "an id belongs to no word of the model".into();
        return Err(Error::InvalidInput { source: "the corpus".into(), offset: None, problem });
    }
    let ids = ids.strip_suffix(&[SENTENCE_END]).unwrap_or(ids);
    if corpus.sentences() == 0 {
        return Ok(Vec::new());
    }
    Ok(ids.split(|&id| id == SENTENCE_END).collect())
}

/// So many zeros; an error where memory does not suffice.
pub(crate) fn zeros(length: Option<usize>) -> Result<Vec<f32>> {
    let mut values = Vec::new();
    let asked = length.unwrap_or(usize::MAX);
    // A vector is promised more than there is.
    drop(Pages::zeroed(asked)?);
    let had = values.try_reserve_exact(asked);
    had.map_err(|_| Error::OutOfMemory { asked: (asked as u64).saturating_mul(4), free: None })?;
    values.resize(asked, 0.0);
    Ok(values)
}

impl<'a> Frozen<'a> {
    fn new(model: &'a Model, folding: Folding) -> Self {
        let mut inverse: Vec<f32> = model.inverse().iter().map(|&value| value as f32).collect();
        inverse.resize(padded(model.topics()), 0.0);
        Self { model, alpha: model.priors().padded_alpha(), inverse, folding }
    }

    /// Works the mixture of a document out, in `desk.theta`.
    fn fold(&self, document: impl Iterator<Item = u32>, desk: &mut Desk) {
        desk.words.clear();
        desk.words.extend(document.map(|word| (word, 1.0)));
        desk.words.sort_unstable_by_key(|&(word, _)| word);
        desk.words.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            kept.1 += if same { next.1 } else { 0.0 };
            same
        });
        let width = self.inverse.len();
        let beta = self.model.priors().beta as f32;
        desk.rows.clear();
        for &(word, _) in &desk.words {
            let start = desk.rows.len();
            desk.rows.extend(self.inverse.iter().map(|inverse| beta * inverse));
            for (topic, count) in self.model.words().row(word as usize) {
                let topic = usize::from(topic);
                desk.rows[start + topic] += count as f32 * self.inverse[topic];
            }
        }
        let sum: f32 = self.alpha.iter().sum();
        desk.theta.clear();
        desk.theta.extend(self.alpha.iter().map(|alpha| alpha / sum));
        desk.next.clear();
        desk.next.resize(width, 0.0);
        Kernels::get().run(Fold { alpha: &self.alpha, desk, folding: self.folding });
    }

    /// Σ_t θ_t φ_wt
    fn probability(&self, word: u32, theta: &[f32]) -> f64 {
        let beta = self.model.priors().beta;
        let all = theta.iter().zip(&self.inverse);
        let smooth: f64 = all.map(|(theta, inverse)| f64::from(theta * inverse)).sum();
        let row = self.model.words().row(word as usize).map(|(topic, count)| {
            let topic = usize::from(topic);
            f64::from(count) * f64::from(theta[topic] * self.inverse[topic])
        });
        beta * smooth + row.sum::<f64>()
    }
}

/// All steps for one document.
struct Fold<'a> {
    alpha: &'a [f32],
    desk: &'a mut Desk,
    folding: Folding,
}

impl Task for Fold<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let Self { alpha, desk: Desk { words, rows, theta, next }, folding } = self;
        for _ in 0..folding.iterations {
            next.fill(0.0);
            for (&(_, times), row) in words.iter().zip(rows.chunks_exact(theta.len())) {
                let factor = times / product(row, theta);
                next.iter_mut().zip(row).for_each(|(next, phi)| *next += factor * phi);
            }
            let mut sum = 0.0;
            for ((next, theta), alpha) in next.iter_mut().zip(theta.iter()).zip(alpha) {
                *next = alpha + *theta * *next;
                sum += *next;
            }
            let scale = 1.0 / sum;
            let mut moved = 0.0;
            for (theta, next) in theta.iter_mut().zip(next.iter()) {
                let value = next * scale;
                moved += (value - *theta).abs();
                *theta = value;
            }
            if f64::from(moved) < folding.tolerance {
                break;
            }
        }
    }
}

/// Σ aᵢ·bᵢ, by lanes, which a compiler makes vectors of. Lengths are multiples of `LANES`.
#[inline(always)]
fn product(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    for (a, b) in a.chunks_exact(LANES).zip(b.chunks_exact(LANES)) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum()
}
