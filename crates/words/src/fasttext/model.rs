use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use inlay_base::{Error, Pages, Result, Run, SharedMatrix, Workers};
use inlay_formats::safetensors::{self, Dtype, Part, Reader};
use inlay_formats::{GiveRows, Names};
use inlay_vectors::{Precision, Rows, WordVectors};
use serde::{Deserialize, Serialize};

use super::table::{Table, first_values};
use super::{Options, Scoring};
use crate::Huffman;
use crate::subwords::{for_each_bucket, for_each_ngram};
use crate::tensors::{rows, rows_part};

const KIND: &str = "fasttext";
/// Words whose vectors one task makes.
const BLOCK: usize = 1024;

/// A trained model: rows of words and n-grams, outputs, and how it was made.
pub struct Model {
    /// The mean of its rows for each word.
    vectors: WordVectors,
    /// Words first, then n-grams.
    input: Rows,
    output: Rows,
    /// By row less words: its bucket, rising.
    buckets: Vec<u32>,
    counts: Arc<[u64]>,
    options: Options,
    /// What buckets without a row began as.
    seed: u64,
    losses: Vec<f64>,
}

/// A character n-gram of a word.
pub struct Ngram {
    /// Its bytes, with "<" and ">" at the word's ends.
    pub text: Vec<u8>,
    /// Its row.
    pub vector: Vec<f32>,
}

/// What the file says beside its tensors.
#[derive(Serialize, Deserialize)]
struct Header {
    kind: String,
    version: u32,
    options: Options,
    seed: u64,
    losses: Vec<f64>,
}

impl Model {
    pub(super) fn new(
        (names, counts): (Arc<Names>, &[u64]),
        table: Table,
        (input, output): (SharedMatrix, SharedMatrix),
        options: Options,
        run: &Run,
        losses: Vec<f64>,
    ) -> Result<Self> {
        let counts: Arc<[u64]> = counts.into();
        let (input, output) = (rows(input), rows(output));
        let mean = |word: usize, sum: &mut [f32], row: &mut [f32]| {
            let rows = table.rows(word as u32);
            sum.fill(0.0);
            for &number in rows {
                input.give(number as usize, row);
                add(sum, row);
            }
            scale(sum, rows.len());
        };
        let words = means(names.len(), options.dimensions, &mean, run)?;
        let vectors = WordVectors::with_counts(names, words, Some(Arc::clone(&counts)));
        let (buckets, seed) = (table.buckets().to_vec(), run.seed());
        Ok(Self { vectors, input, output, buckets, counts, options, seed, losses })
    }

    /// Vectors of the vocabulary: means of the rows of word and n-grams.
    pub fn vectors(&self) -> &WordVectors {
        &self.vectors
    }

    /// How the model was trained.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Mean loss of a prediction in each epoch, in nats.
    pub fn losses(&self) -> &[f64] {
        &self.losses
    }

    /// How often each word occurred.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Whether its rows lie in a mapped file.
    pub fn is_mapped(&self) -> bool {
        self.input.is_mapped()
    }

    /// Bytes of rows, mapped or not.
    pub fn weight(&self) -> u64 {
        let values = self.input.rows() * self.options.dimensions
            + self.output.rows() * self.options.dimensions;
        values as u64 * 4
    }

    /// The vector of any word: the vocabulary's, or the mean of its n-grams' rows. `None` for an
    /// unknown word without n-grams.
    pub fn vector(&self, word: &[u8]) -> Option<Vec<f32>> {
        if let Some(known) = self.vectors.names().find(word) {
            return Some(self.vectors.rows().row(known as usize));
        }
        let mut sum = vec![0.0; self.options.dimensions];
        let mut row = sum.clone();
        let mut count = 0;
        for_each_bucket(word, self.options.subwords, |bucket| {
            self.bucket(bucket, &mut row);
            add(&mut sum, &row);
            count += 1;
        });
        (count > 0).then(|| {
            scale(&mut sum, count);
            sum
        })
    }

    /// The n-grams of any word, by place and then length.
    pub fn ngrams(&self, word: &[u8]) -> Vec<Ngram> {
        let mut ngrams = Vec::new();
        for_each_ngram(word, self.options.subwords, |text, bucket| {
            let mut vector = vec![0.0; self.options.dimensions];
            self.bucket(bucket, &mut vector);
            ngrams.push(Ngram { text: text.to_vec(), vector });
        });
        ngrams
    }

    /// The row of a bucket, or what it began as where the vocabulary never met it.
    fn bucket(&self, bucket: u32, values: &mut [f32]) {
        match self.buckets.binary_search(&bucket) {
            Ok(row) => self.input.give(self.counts.len() + row, values),
            Err(_) => first_values(self.seed, bucket, values),
        }
    }

    /// Writes a file that `open` reads; its word vectors can be read by whoever reads safetensors.
    pub fn save(&self, path: &Path, run: &Run) -> Result<()> {
        let header = Header {
            kind: KIND.into(),
            version: 1,
            options: self.options.clone(),
            seed: self.seed,
            losses: self.losses.clone(),
        };
        let header = serde_json::to_string(&header)
            .map_err(|error| Error::Internal(format!("a header that is no JSON: {error}")))?;
        let total = self.vectors.len() + self.input.rows() + self.output.rows();
        run.phase("write", "rows", 0, Some(total as u64));
        let counts = bytemuck::cast_slice(&self.counts);
        let buckets = bytemuck::cast_slice(&self.buckets);
        let mut parts = self.vectors.names().parts();
        parts.extend([
            Part::bytes("counts", Dtype::U64, &[self.counts.len()], counts),
            rows_part("vectors", self.vectors.rows(), run),
            rows_part("input", &self.input, run),
            rows_part("output", &self.output, run),
            Part::bytes("buckets", Dtype::U32, &[self.buckets.len()], buckets),
        ]);
        safetensors::save(path, &[("inlay", &header)], parts)
    }

    /// Reads a file that `save` wrote.
    pub fn open(path: &Path) -> Result<Self> {
        let reader = Reader::open(path)?;
        let damaged = |problem: &str| Error::invalid_file(path, None, problem);
        let header = reader.metadata("inlay");
        let header = header.and_then(|text| serde_json::from_str::<Header>(text).ok());
        let header = header.filter(|header| header.kind == KIND);
        let header = header.ok_or_else(|| damaged("is not a FastText model"))?;
        let names = Names::read(&reader)?.ok_or_else(|| damaged("has no vocabulary"))?;
        let counts = reader.tensor("counts").filter(|tensor| tensor.dtype == Dtype::U64);
        let counts = counts.ok_or_else(|| damaged("has no counts"))?;
        let counts: Arc<[u64]> =
            counts.bytes.chunks_exact(8).map(bytemuck::pod_read_unaligned).collect();
        if counts.len() != names.len() {
            return Err(damaged("does not have a count for each word"));
        }
        let buckets = reader.tensor("buckets").filter(|tensor| tensor.dtype == Dtype::U32);
        let buckets = buckets.ok_or_else(|| damaged("has no n-grams"))?;
        let buckets: Vec<u32> =
            buckets.bytes.chunks_exact(4).map(bytemuck::pod_read_unaligned).collect();
        if !buckets.is_sorted_by(|a, b| a < b) {
            return Err(damaged("has n-grams out of order"));
        }
        let nodes = match header.options.objective {
            Scoring::HierarchicalSoftmax => Huffman::new(&counts)?.inner(),
            Scoring::NegativeSampling => names.len(),
        };
        let rows = |name: &str, count: usize| {
            let shape = [count, header.options.dimensions];
            let tensor = reader.tensor(name);
            let tensor = tensor.filter(|t| t.dtype == Dtype::F32 && t.shape == shape);
            let tensor = tensor.ok_or_else(|| damaged("has vectors of another shape"))?;
            Rows::mapped(reader.map(), (count, shape[1]), Precision::Float32, tensor.range, 0..0)
        };
        let words = rows("vectors", names.len())?;
        let input = rows("input", names.len() + buckets.len())?;
        let output = rows("output", nodes)?;
        let names = Arc::new(names);
        let vectors = WordVectors::with_counts(names, words, Some(Arc::clone(&counts)));
        let Header { options, seed, losses, .. } = header;
        Ok(Self { vectors, input, output, buckets, counts, options, seed, losses })
    }
}

/// A row for each word, on all threads of the run.
fn means(
    words: usize,
    dimensions: usize,
    mean: &(dyn Fn(usize, &mut [f32], &mut [f32]) + Sync),
    run: &Run,
) -> Result<Rows> {
    let mut pages = Pages::zeroed(words * dimensions)?;
    let blocks: Vec<Mutex<&mut [f32]>> = pages.as_mut_slice()[..words * dimensions]
        .chunks_mut(BLOCK * dimensions)
        .map(Mutex::new)
        .collect();
    run.each(blocks.len(), &|block| {
        let mut row = vec![0.0; dimensions];
        let mut values = blocks[block].lock().unwrap_or_else(PoisonError::into_inner);
        for (i, vector) in values.chunks_mut(dimensions).enumerate() {
            mean(block * BLOCK + i, vector, &mut row);
        }
        Ok(())
    })?;
    drop(blocks);
    Ok(Rows::from_pages(pages, words, dimensions, dimensions))
}

fn add(sum: &mut [f32], row: &[f32]) {
    sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
}

fn scale(sum: &mut [f32], count: usize) {
    let share = 1.0 / count as f32;
    sum.iter_mut().for_each(|value| *value *= share);
}
