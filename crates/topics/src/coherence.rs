//! Whether the first words of a topic belong together: how often they stand together in texts.
//!
//! - `UMass` (Mimno et al. 2011): the mean over pairs, the first word the more likely one, of
//!   ln (D(w, v) + 1) / D(v) with D(...) documents that have the words.
//! - `Npmi` (Aletras, Stevenson 2013): the mean over pairs of the normalized pointwise mutual
//!   information, ln (p(w, v) / p(w) p(v)) / -ln p(w, v), with p(...) shares of windows.
//! - `Cv` (Röder, Both, Hinneburg 2015): each word as the vector of its NPMI with all words of the
//!   topic; the mean cosine between a word's vector and the sum of all.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use inlay_base::{Error, Result, Run, Workers, lock};
use inlay_corpus::Corpus;

use crate::mixture::documents;

/// Documents that a thread takes at a time.
const SHARD: usize = 256;
/// What is added to shares of windows so that no logarithm is of zero, as in the paper.
const EPSILON: f64 = 1e-12;
/// Not one of the words that are asked about.
const OTHER: u32 = u32::MAX;

/// How words that stand together make a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coherence {
    /// By documents.
    UMass,
    /// By windows.
    Npmi,
    /// By windows, through vectors.
    Cv,
}

/// How often words, and pairs of them, are met.
#[derive(Default)]
struct Meetings {
    /// Documents or windows.
    all: u64,
    words: Vec<u64>,
    /// By the smaller and the larger number.
    pairs: HashMap<(u32, u32), u64>,
}

/// The coherence of each topic, given by its first words, most likely first. `window` is in words;
/// `None` takes whole documents, as `UMass` always does.
///
/// # Errors
/// `InvalidInput`: no document has a word; `Aborted`.
pub fn coherence(
    topics: &[Vec<u32>],
    corpus: &Corpus,
    measure: Coherence,
    window: Option<usize>,
    run: &Run,
) -> Result<Vec<f64>> {
    let window = window.filter(|_| measure != Coherence::UMass);
    // Only words of topics are counted, by numbers of their own.
    let mut numbers = vec![OTHER; corpus.names().len()];
    let mut asked = 0;
    for &word in topics.iter().flatten() {
        let number = &mut numbers[word as usize];
        if *number == OTHER {
            *number = asked;
            asked += 1;
        }
    }
    let together = Together::new(topics, &numbers, asked as usize);
    let met = meet(corpus, &numbers, &together, window, run)?;
    if met.all == 0 {
        let problem = "holds no word".into();
        return Err(Error::InvalidInput { source: "the documents".into(), offset: None, problem });
    }
    let of = |topic: &Vec<u32>| {
        let words: Vec<u32> = topic.iter().map(|&word| numbers[word as usize]).collect();
        match measure {
            Coherence::UMass => met.u_mass(&words),
            Coherence::Npmi => met.mean_npmi(&words),
            Coherence::Cv => met.c_v(&words),
        }
    };
    Ok(topics.iter().map(of).collect())
}

/// Which words are in a topic together: no other pairs are counted.
struct Together(Vec<Vec<u32>>);

impl Together {
    fn new(topics: &[Vec<u32>], numbers: &[u32], asked: usize) -> Self {
        let mut of_word = vec![Vec::new(); asked];
        for (topic, words) in topics.iter().enumerate() {
            for &word in words {
                of_word[numbers[word as usize] as usize].push(topic as u32);
            }
        }
        Self(of_word)
    }

    fn share(&self, a: u32, b: u32) -> bool {
        let (a, b) = (&self.0[a as usize], &self.0[b as usize]);
        a.iter().any(|topic| b.binary_search(topic).is_ok())
    }
}

/// Goes through all documents.
fn meet(
    corpus: &Corpus,
    numbers: &[u32],
    together: &Together,
    window: Option<usize>,
    run: &Run,
) -> Result<Meetings> {
    let documents = documents(corpus, numbers.len())?;
    let asked = together.0.len();
    let shards: Vec<_> = documents.chunks(SHARD).collect();
    let sum = Mutex::new(Meetings { words: vec![0; asked], ..Meetings::default() });
    run.phase("evaluate", "documents", 0, Some(documents.len() as u64));
    run.each(shards.len(), &|shard| {
        let mut met = Meetings { words: vec![0; asked], ..Meetings::default() };
        let mut present: Vec<u32> = Vec::new();
        for document in shards[shard].iter().filter(|document| !document.is_empty()) {
            let length = window.unwrap_or(document.len()).min(document.len());
            for words in document.windows(length) {
                present.clear();
                present.extend(words.iter().map(|&word| numbers[word as usize]));
                present.retain(|&number| number != OTHER);
                present.sort_unstable();
                present.dedup();
                met.add(&present, together);
                run.check()?;
            }
        }
        run.advance(shards[shard].len() as u64);
        lock(&sum).join(met);
        Ok(())
    })?;
    Ok(sum.into_inner().unwrap_or_else(PoisonError::into_inner))
}

impl Meetings {
    /// Counts the different words of a document or window, in their order.
    fn add(&mut self, present: &[u32], together: &Together) {
        self.all += 1;
        for (at, &word) in present.iter().enumerate() {
            self.words[word as usize] += 1;
            for &other in &present[at + 1..] {
                if together.share(word, other) {
                    *self.pairs.entry((word, other)).or_default() += 1;
                }
            }
        }
    }

    fn join(&mut self, other: Self) {
        self.all += other.all;
        self.words.iter_mut().zip(other.words).for_each(|(sum, count)| *sum += count);
        for (pair, count) in other.pairs {
            *self.pairs.entry(pair).or_default() += count;
        }
    }

    fn of_pair(&self, a: u32, b: u32) -> u64 {
        if a == b {
            return self.words[a as usize];
        }
        self.pairs.get(&(a.min(b), a.max(b))).copied().unwrap_or(0)
    }

    fn u_mass(&self, words: &[u32]) -> f64 {
        mean_of_pairs(words, |likely, other| {
            let alone = self.words[likely as usize];
            // A word that no document has says nothing of those after it.
            match alone {
                0 => 0.0,
                _ => ((self.of_pair(likely, other) + 1) as f64 / alone as f64).ln(),
            }
        })
    }

    fn npmi(&self, a: u32, b: u32) -> f64 {
        let share = |count: u64| count as f64 / self.all as f64;
        let alone = share(self.words[a as usize]) * share(self.words[b as usize]);
        let joint = share(self.of_pair(a, b)) + EPSILON;
        if alone == 0.0 {
            return 0.0; // a word that is nowhere
        }
        // In every window: as near as can be.
        if joint >= 1.0 { 1.0 } else { (joint / alone).ln() / -joint.ln() }
    }

    fn mean_npmi(&self, words: &[u32]) -> f64 {
        mean_of_pairs(words, |a, b| self.npmi(a, b))
    }

    fn c_v(&self, words: &[u32]) -> f64 {
        let vector = |&word: &u32| words.iter().map(|&b| self.npmi(word, b)).collect();
        let vectors: Vec<Vec<f64>> = words.iter().map(vector).collect();
        let mut sum = vec![0.0; words.len()];
        for vector in &vectors {
            sum.iter_mut().zip(vector).for_each(|(sum, value)| *sum += value);
        }
        let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let cosine = |vector: &Vec<f64>| {
            let norms = (product(vector, vector) * product(&sum, &sum)).sqrt();
            if norms > 0.0 { product(vector, &sum) / norms } else { 0.0 }
        };
        vectors.iter().map(cosine).sum::<f64>() / words.len().max(1) as f64
    }
}

/// The mean over all pairs, in their order; 0 for a single word.
fn mean_of_pairs(words: &[u32], score: impl Fn(u32, u32) -> f64) -> f64 {
    let (mut sum, mut pairs) = (0.0, 0u32);
    for (at, &a) in words.iter().enumerate() {
        for &b in &words[at + 1..] {
            sum += score(a, b);
            pairs += 1;
        }
    }
    sum / f64::from(pairs.max(1))
}
