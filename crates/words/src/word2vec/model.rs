use std::path::Path;
use std::sync::Arc;

use inlay_base::{Error, Result, Run};
use inlay_formats::safetensors::{self, Dtype, Kind, Part, Reader};
use inlay_formats::{GiveRows, Names};
use inlay_vectors::{Precision, Rows, WordVectors};
use serde::{Deserialize, Serialize};

use super::matrices::Matrices;
use super::{Options, Scoring};
use crate::Huffman;
use crate::tensors::{numbers, rows, rows_part};

const KIND: Kind = Kind { name: "word2vec", what: "a Word2Vec model", version: 1 };

/// A trained model: both matrices, the counts of its words, and how it was made.
pub struct Model {
    vectors: WordVectors,
    pub(super) output: Output,
    counts: Arc<[u64]>,
    options: Options,
    losses: Vec<f64>,
}

/// What predictions are scored by.
pub(super) enum Output {
    /// Negative sampling: a row for each word.
    Words(WordVectors),
    /// Hierarchical softmax: a row for each inner node of the tree.
    Nodes(Rows, Huffman),
}

/// What the file says beside its tensors.
#[derive(Serialize, Deserialize)]
struct Header {
    options: Options,
    losses: Vec<f64>,
}

impl Model {
    pub(super) fn new(
        names: Arc<Names>,
        counts: &[u64],
        matrices: Matrices,
        tree: Option<Huffman>,
        options: Options,
        losses: Vec<f64>,
    ) -> Self {
        let (input, output) = (rows(matrices.input), rows(matrices.output));
        Self::of_rows(names, counts.into(), (input, output), tree, options, losses)
    }

    fn of_rows(
        names: Arc<Names>,
        counts: Arc<[u64]>,
        (input, output): (Rows, Rows),
        tree: Option<Huffman>,
        options: Options,
        losses: Vec<f64>,
    ) -> Self {
        let counted = Some(Arc::clone(&counts));
        let vectors = WordVectors::with_counts(Arc::clone(&names), input, counted);
        let output = match tree {
            Some(tree) => Output::Nodes(output, tree),
            None => Output::Words(WordVectors::new(names, output)),
        };
        Self { vectors, output, counts, options, losses }
    }

    /// Input vectors: what is meant by "word vectors".
    pub fn vectors(&self) -> &WordVectors {
        &self.vectors
    }

    /// Output vectors by word; hierarchical softmax has none.
    pub fn output(&self) -> Option<&WordVectors> {
        match &self.output {
            Output::Words(vectors) => Some(vectors),
            Output::Nodes(..) => None,
        }
    }

    /// How often each word occurred.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// How the model was trained, the last time.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Mean loss of a prediction in each epoch: its negative log-likelihood in nats.
    pub fn losses(&self) -> &[f64] {
        &self.losses
    }

    /// Writes a file that `open` reads; its input vectors can be read by whoever reads safetensors.
    pub fn save(&self, path: &Path, run: &Run) -> Result<()> {
        let (key, header) =
            KIND.entry(&Header { options: self.options.clone(), losses: self.losses.clone() })?;
        let output = match &self.output {
            Output::Words(vectors) => vectors.rows(),
            Output::Nodes(rows, _) => rows,
        };
        let total = self.vectors.rows().rows() + output.rows();
        run.phase("write", "rows", 0, Some(total as u64));
        let counts = bytemuck::cast_slice(&self.counts);
        let mut parts = self.vectors.names().parts();
        parts.extend([
            Part::bytes("counts", Dtype::U64, &[self.counts.len()], counts),
            rows_part("vectors", &**self.vectors.rows(), run),
            rows_part("output", output, run),
        ]);
        safetensors::save(path, &[(key, &header)], parts)
    }

    /// Reads a file that `save` wrote.
    pub fn open(path: &Path) -> Result<Self> {
        let reader = Reader::open(path)?;
        let damaged = |problem: &str| Error::invalid_file(path, None, problem);
        let Header { options, losses } = KIND.read(&reader, path)?;
        let names = Names::read(&reader)?.ok_or_else(|| damaged("has no vocabulary"))?;
        let names = Arc::new(names);
        let counts = numbers(&reader, "counts").ok_or_else(|| damaged("has no counts"))?;
        let tree = match options.objective {
            Scoring::HierarchicalSoftmax => Some(Huffman::new(&counts)?),
            Scoring::NegativeSampling => None,
        };
        let nodes = tree.as_ref().map_or(names.len(), Huffman::inner);
        let rows = |name: &str, count: usize| {
            let shape = [count, options.dimensions];
            let tensor = reader.tensor(name);
            let tensor = tensor.filter(|t| t.dtype == Dtype::F32 && t.shape == shape);
            let tensor = tensor.ok_or_else(|| damaged("has vectors of another shape"))?;
            Rows::mapped(reader.map(), (count, shape[1]), Precision::Float32, tensor.range, 0..0)
        };
        if counts.len() != names.len() {
            return Err(damaged("does not have a count for each word"));
        }
        let rows = (rows("vectors", names.len())?, rows("output", nodes)?);
        Ok(Self::of_rows(names, counts, rows, tree, options, losses))
    }
}
