//! Models as files: ours, and fastText's `.bin`, told by content.

use std::path::Path;
use std::sync::Arc;

use inlay_base::{Error, Result, Run};
use inlay_formats::fasttext as bin;
use inlay_formats::safetensors::{self, Dtype, Kind, Part, Reader};
use inlay_formats::{GiveRows, Names};
use inlay_vectors::{Precision, Rows, WordVectors};
use serde::{Deserialize, Serialize};

use super::model::{Buckets, Model, means};
use super::table::first_values;
use super::{Architecture, Options, Scoring};
use crate::tensors::rows_part;
use crate::{Curve, Huffman};

const KIND: Kind = Kind { name: "fasttext", what: "a FastText model", version: 1 };

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Ours: rows that were met.
    Safetensors,
    /// fastText's: a row for every bucket.
    FastText,
}

/// What our file says beside its tensors.
#[derive(Serialize, Deserialize)]
struct Header {
    options: Options,
    seed: u64,
    losses: Vec<f64>,
}

impl Model {
    /// Writes a file that `open` reads.
    ///
    /// # Errors
    /// `Unsupported`: a model of fastText's as ours, which has no row for every bucket; a word with a
    /// byte 0 as fastText's.
    pub fn save(&self, path: &Path, format: Format, run: &Run) -> Result<()> {
        match format {
            Format::Safetensors => self.save_ours(path, run),
            Format::FastText => self.save_theirs(path, run),
        }
    }

    fn save_ours(&self, path: &Path, run: &Run) -> Result<()> {
        let Buckets::Met { buckets, seed } = &self.buckets else {
            let what = "a model that fastText made as .safetensors: save it as .bin".into();
            return Err(Error::Unsupported { what });
        };
        let (options, losses) = (self.options.clone(), self.losses.clone());
        let (key, header) = KIND.entry(&Header { options, seed: *seed, losses })?;
        let total = self.vectors.len() + self.input.rows() + self.output.rows();
        run.phase("write", "rows", 0, Some(total as u64));
        let mut parts = self.vectors.names().parts();
        parts.extend([
            Part::bytes(
                "counts",
                Dtype::U64,
                &[self.counts.len()],
                bytemuck::cast_slice(&self.counts),
            ),
            rows_part("vectors", &**self.vectors.rows(), run),
            rows_part("input", &*self.input, run),
            rows_part("output", &*self.output, run),
            Part::bytes("buckets", Dtype::U32, &[buckets.len()], bytemuck::cast_slice(buckets)),
        ]);
        safetensors::save(path, &[(key, &header)], parts)
    }

    fn save_theirs(&self, path: &Path, run: &Run) -> Result<()> {
        let Options { architecture, objective, .. } = self.options;
        let args = bin::Args {
            dimensions: self.options.dimensions,
            window: self.options.window as u32,
            epochs: self.options.epochs as u32,
            min_count: 1,
            negative: self.options.negative as u32,
            word_ngrams: 1,
            loss: match objective {
                Scoring::HierarchicalSoftmax => bin::Loss::HierarchicalSoftmax,
                Scoring::NegativeSampling => bin::Loss::NegativeSampling,
            },
            task: match architecture {
                Architecture::SkipGram => bin::Task::SkipGram,
                Architecture::Cbow => bin::Task::Cbow,
            },
            bucket: self.options.buckets,
            minn: self.options.min_ngram,
            maxn: self.options.max_ngram,
            learning_rate_update: 100,
            subsample: self.options.subsample,
        };
        let pruned = match &self.buckets {
            Buckets::Kept(kept) => Some(kept.clone()),
            Buckets::All | Buckets::Met { .. } => None,
        };
        let dictionary = bin::Dictionary {
            names: Arc::clone(self.vectors.names()),
            counts: self.counts.to_vec(),
            words: self.counts.len(),
            tokens: self.counts.iter().sum(),
            pruned,
        };
        let input = EveryBucket(self);
        let nodes = Nodes(self);
        let is_tree = matches!(self.buckets, Buckets::Met { .. })
            && objective == Scoring::HierarchicalSoftmax;
        let output: &dyn GiveRows = if is_tree { &nodes } else { &*self.output };
        let (input, output) = (bin::Rows::Dense(&input), bin::Rows::Dense(output));
        bin::write(path, &args, &dictionary, &input, &output, run)
    }

    /// Reads a file that `save` or fastText wrote. Rows are mapped, not read; those of words are
    /// combined into their vectors.
    pub fn open(path: &Path, run: &Run) -> Result<Self> {
        let map = inlay_base::Map::open(path)?;
        if bin::is_model(&map) { Self::open_theirs(path, run) } else { Self::open_ours(path) }
    }

    fn open_ours(path: &Path) -> Result<Self> {
        let reader = Reader::open(path)?;
        let damaged = |problem: &str| Error::invalid_file(path, None, problem);
        let Header { options, seed, losses } = KIND.read(&reader, path)?;
        if options.dimensions == 0 {
            return Err(damaged("has vectors of no dimensions"));
        }
        let names = Names::read(&reader)?.ok_or_else(|| damaged("has no vocabulary"))?;
        let numbers = |name: &str, dtype: Dtype| {
            let tensor = reader.tensor(name).filter(|tensor| tensor.dtype == dtype);
            tensor.ok_or_else(|| damaged(&format!("has no {name}")))
        };
        let counts: Arc<[u64]> = numbers("counts", Dtype::U64)?
            .bytes
            .chunks_exact(8)
            .map(bytemuck::pod_read_unaligned)
            .collect();
        let buckets: Vec<u32> = numbers("buckets", Dtype::U32)?
            .bytes
            .chunks_exact(4)
            .map(bytemuck::pod_read_unaligned)
            .collect();
        if counts.len() != names.len() || !buckets.is_sorted_by(|a, b| a < b) {
            return Err(damaged("has counts or n-grams that do not fit its words"));
        }
        let nodes = match options.objective {
            Scoring::HierarchicalSoftmax => Huffman::new(&counts)?.inner(),
            Scoring::NegativeSampling => names.len(),
        };
        let rows = |name: &str, count: usize| {
            let shape = [count, options.dimensions];
            let tensor = reader.tensor(name);
            let tensor = tensor.filter(|t| t.dtype == Dtype::F32 && t.shape == shape);
            let tensor = tensor.ok_or_else(|| damaged("has vectors of another shape"))?;
            Rows::mapped(reader.map(), (count, shape[1]), Precision::Float32, tensor.range, 0..0)
        };
        let words = rows("vectors", names.len())?;
        let input = Box::new(rows("input", names.len() + buckets.len())?);
        let output = Box::new(rows("output", nodes)?);
        let vectors = WordVectors::with_counts(Arc::new(names), words, Some(Arc::clone(&counts)));
        let buckets = Buckets::Met { buckets, seed };
        Ok(Self { vectors, input, output, buckets, counts, options, losses, mapped: true })
    }

    fn open_theirs(path: &Path, run: &Run) -> Result<Self> {
        let bin::Model { args, dictionary, input, output } = bin::open(path)?;
        let architecture = match args.task {
            bin::Task::SkipGram => Architecture::SkipGram,
            bin::Task::Cbow => Architecture::Cbow,
            bin::Task::Supervised => {
                let problem = "is a classifier: open it with `FastTextClassifier`";
                return Err(Error::invalid_file(path, None, problem));
            }
        };
        let objective = match args.loss {
            bin::Loss::HierarchicalSoftmax => Scoring::HierarchicalSoftmax,
            _ => Scoring::NegativeSampling,
        };
        let options = Options {
            architecture,
            objective,
            dimensions: args.dimensions,
            min_ngram: args.minn,
            max_ngram: if args.has_buckets() { args.maxn } else { 0 },
            buckets: args.bucket,
            window: args.window as usize,
            shrink_window: true,
            negative: args.negative as usize,
            negative_exponent: 0.5,
            shared_negatives: false,
            epochs: args.epochs as usize,
            // The file does not have them: fastText's defaults.
            learning_rate: 0.05,
            final_learning_rate: 0.0,
            schedule: Curve::Linear,
            subsample: args.subsample,
        };
        let buckets = match dictionary.pruned {
            Some(mut kept) => {
                kept.sort_unstable();
                Buckets::Kept(kept)
            }
            None => Buckets::All,
        };
        let (names, counts) = (dictionary.names, dictionary.counts.into());
        let vectors = means(&names, &counts, &input, &buckets, &options, run)?;
        let (input, output) = (Box::new(input), Box::new(output));
        let losses = Vec::new();
        Ok(Self { vectors, input, output, buckets, counts, options, losses, mapped: true })
    }
}

/// The input as fastText has it: a row for every bucket, also for those that were never met.
struct EveryBucket<'a>(&'a Model);

impl GiveRows for EveryBucket<'_> {
    fn rows(&self) -> usize {
        let Model { buckets, counts, options, input, .. } = self.0;
        match buckets {
            Buckets::Met { .. } if options.max_ngram == 0 => counts.len(),
            Buckets::Met { .. } => counts.len() + options.buckets as usize,
            Buckets::All | Buckets::Kept(_) => input.rows(),
        }
    }

    fn dimensions(&self) -> usize {
        self.0.options.dimensions
    }

    fn give(&self, first: usize, into: &mut [f32]) {
        let Model { buckets, counts, input, .. } = self.0;
        let Buckets::Met { buckets, seed } = buckets else { return input.give(first, into) };
        for (row, values) in (first..).zip(into.chunks_mut(self.dimensions())) {
            match row.checked_sub(counts.len()) {
                None => input.give(row, values),
                Some(bucket) => match buckets.binary_search(&(bucket as u32)) {
                    Ok(met) => input.give(counts.len() + met, values),
                    Err(_) => first_values(*seed, bucket as u32, values),
                },
            }
        }
    }
}

/// Nodes of a tree as fastText has them: in the order in which they are made, the root last, one row
/// too many, and right branches scored upwards.
struct Nodes<'a>(&'a Model);

impl GiveRows for Nodes<'_> {
    fn rows(&self) -> usize {
        self.0.counts.len()
    }

    fn dimensions(&self) -> usize {
        self.0.options.dimensions
    }

    fn give(&self, first: usize, into: &mut [f32]) {
        let nodes = self.0.output.rows();
        for (row, values) in (first..).zip(into.chunks_mut(self.dimensions())) {
            match (nodes).checked_sub(row + 1) {
                Some(node) => {
                    self.0.output.give(node, values);
                    values.iter_mut().for_each(|value| *value = -*value);
                }
                None => values.fill(0.0),
            }
        }
    }
}
