use std::sync::{Arc, Mutex};

use inlay_base::{Error, Pages, Result, Run, SharedMatrix, Workers, lock};
use inlay_formats::{GiveRows, Names};
use inlay_vectors::{Rows, WordVectors};

use super::Options;
use super::table::{Table, first_values};
use crate::sentences::WordSource;
use crate::tensors::rows;

/// Words whose vectors one task makes.
const BLOCK: usize = 1024;

type Matrix = Box<dyn GiveRows + Send + Sync>;

/// A trained model: rows of words and n-grams, outputs, and how it was made.
pub struct Model {
    /// The mean of its rows for each word.
    pub(super) vectors: WordVectors,
    /// Words first, then n-grams.
    pub(super) input: Matrix,
    pub(super) output: Matrix,
    pub(super) buckets: Buckets,
    pub(super) counts: Arc<[u64]>,
    pub(super) options: Options,
    pub(super) losses: Vec<f64>,
    /// Whether its rows lie in a mapped file.
    pub(super) mapped: bool,
}

/// Which buckets have rows behind those of the words.
pub(super) enum Buckets {
    /// These, rising; the others are as they began, by the seed.
    Met { buckets: Vec<u32>, seed: u64 },
    /// All of them, in order.
    All,
    /// These, with their rows, rising; n-grams of other buckets are none.
    Kept(Vec<(u32, u32)>),
}

/// A character n-gram of a word.
pub struct Ngram {
    /// Its bytes, with "<" and ">" at the word's ends.
    pub text: Vec<u8>,
    /// Its row.
    pub vector: Vec<f32>,
}

impl Model {
    pub(super) fn trained(
        (names, counts): (&Arc<Names>, &[u64]),
        table: &Table,
        (input, output): (SharedMatrix, SharedMatrix),
        options: &Options,
        losses: Vec<f64>,
        run: &Run,
    ) -> Result<Self> {
        let buckets = Buckets::Met { buckets: table.buckets().to_vec(), seed: run.seed() };
        let (input, output) = (Box::new(rows(input)), Box::new(rows(output)));
        let counts: Arc<[u64]> = counts.into();
        let vectors = means(names, &counts, &*input, &buckets, options, run)?;
        let options = options.clone();
        Ok(Self { vectors, input, output, buckets, counts, options, losses, mapped: false })
    }

    /// Vectors of the vocabulary: means of the rows of word and n-grams.
    pub fn vectors(&self) -> &WordVectors {
        &self.vectors
    }

    /// How the model was trained.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Mean loss of a prediction in each epoch, in nats; empty where the file does not say.
    pub fn losses(&self) -> &[f64] {
        &self.losses
    }

    /// Bytes of rows, in memory or mapped.
    pub fn weight(&self) -> u64 {
        (self.input.rows() + self.output.rows()) as u64 * self.options.dimensions as u64 * 4
    }

    /// Bytes of rows in memory.
    pub fn memory(&self) -> u64 {
        if self.mapped { 0 } else { self.weight() }
    }

    /// The vector of any word: the vocabulary's, or the mean of its n-grams' rows. `None` for an
    /// unknown word without n-grams.
    pub fn vector(&self, word: &[u8]) -> Option<Vec<f32>> {
        if let Some(known) = self.vectors.names().find(word) {
            return Some(self.vectors.rows().row(known as usize));
        }
        self.of_ngrams(word)
    }

    /// The mean of the rows of a word's n-grams, if there are any.
    fn of_ngrams(&self, word: &[u8]) -> Option<Vec<f32>> {
        let mut sum = Sum::new(self.options.dimensions);
        let (words, input) = (self.counts.len(), &*self.input);
        self.options.ngrams().of_word(word, |bucket| sum.add(input, words, &self.buckets, bucket));
        (sum.count > 0).then(|| sum.mean())
    }

    /// The cosine of any two words; 0 where one has no vector or a zero one.
    pub fn similarity(&self, a: &[u8], b: &[u8]) -> f64 {
        let (Some(a), Some(b)) = (self.vector(a), self.vector(b)) else { return 0.0 };
        let product = |a: &[f32], b: &[f32]| -> f64 {
            a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
        };
        let norm = (product(&a, &a) * product(&b, &b)).sqrt();
        if norm > 0.0 { product(&a, &b) / norm } else { 0.0 }
    }

    /// The n-grams of any word, by place and then length.
    pub fn ngrams(&self, word: &[u8]) -> Vec<Ngram> {
        let marked = [b"<", word, b">"].concat();
        let mut ngrams = Vec::new();
        self.options.ngrams().parts_of_word(word, |part, bucket| {
            let mut sum = Sum::new(self.options.dimensions);
            sum.add(&*self.input, self.counts.len(), &self.buckets, bucket);
            if sum.count > 0 {
                ngrams.push(Ngram { text: marked[part].to_vec(), vector: sum.mean() });
            }
        });
        ngrams
    }
}

impl WordSource for Model {
    fn names(&self) -> &Arc<Names> {
        self.vectors.names()
    }

    fn dimensions(&self) -> usize {
        self.options.dimensions
    }

    fn give(&self, word: &[u8], number: Option<u32>, into: &mut [f32]) -> bool {
        if number.is_some() {
            return self.vectors.give(word, number, into);
        }
        let Some(vector) = self.of_ngrams(word) else { return false };
        into.copy_from_slice(&vector);
        true
    }

    fn counts(&self) -> Option<&[u64]> {
        Some(&self.counts)
    }

    fn vectors(&self) -> Option<&WordVectors> {
        None
    }
}

/// Rows that are being added up.
struct Sum {
    values: Vec<f32>,
    row: Vec<f32>,
    count: usize,
}

impl Sum {
    fn new(dimensions: usize) -> Self {
        Self { values: vec![0.0; dimensions], row: vec![0.0; dimensions], count: 0 }
    }

    /// The row of a bucket, if it has one or had one to begin with.
    fn add(&mut self, input: &dyn GiveRows, words: usize, buckets: &Buckets, bucket: u32) {
        let row = match buckets {
            Buckets::All => Some(bucket as usize),
            Buckets::Met { buckets, .. } => buckets.binary_search(&bucket).ok(),
            Buckets::Kept(kept) => {
                let found = kept.binary_search_by_key(&bucket, |&(bucket, _)| bucket);
                found.ok().map(|place| kept[place].1 as usize)
            }
        };
        match (row, buckets) {
            (Some(row), _) => input.give(words + row, &mut self.row),
            (None, Buckets::Met { seed, .. }) => first_values(*seed, bucket, &mut self.row),
            (None, _) => return,
        }
        self.join();
    }

    fn join(&mut self) {
        self.values.iter_mut().zip(&self.row).for_each(|(sum, value)| *sum += value);
        self.count += 1;
    }

    fn mean(&self) -> Vec<f32> {
        let share = 1.0 / self.count as f32;
        self.values.iter().map(|value| value * share).collect()
    }
}

/// The vector of each word of the vocabulary, on all threads of the run.
pub(super) fn means(
    names: &Arc<Names>,
    counts: &Arc<[u64]>,
    input: &(dyn GiveRows + Sync),
    buckets: &Buckets,
    options: &Options,
    run: &Run,
) -> Result<WordVectors> {
    let (words, dimensions, ngrams) = (names.len(), options.dimensions, options.ngrams());
    let size = words.checked_mul(dimensions);
    let size = size.ok_or(Error::OutOfMemory { asked: u64::MAX, free: None })?;
    let mut pages = Pages::zeroed(size)?;
    let blocks = pages.as_mut_slice()[..size].chunks_mut(BLOCK * dimensions);
    let blocks: Vec<Mutex<&mut [f32]>> = blocks.map(Mutex::new).collect();
    run.phase("combine", "words", 0, Some(words as u64));
    run.each(blocks.len(), &|block| {
        let mut values = lock(&blocks[block]);
        let count = values.len() / dimensions;
        for (i, vector) in values.chunks_mut(dimensions).enumerate() {
            let word = block * BLOCK + i;
            let mut sum = Sum::new(dimensions);
            input.give(word, &mut sum.row);
            sum.join();
            ngrams.of_word(names.get(word as u32), |bucket| sum.add(input, words, buckets, bucket));
            vector.copy_from_slice(&sum.mean());
        }
        run.advance(count as u64);
        Ok(())
    })?;
    drop(blocks);
    let rows = Rows::from_pages(pages, words, dimensions, dimensions);
    Ok(WordVectors::with_counts(Arc::clone(names), rows, Some(Arc::clone(counts))))
}
