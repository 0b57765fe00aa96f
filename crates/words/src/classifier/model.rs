use std::path::Path;
use std::sync::Arc;

use inlay_base::{Error, Pages, Result, Run, SharedMatrix};
use inlay_formats::fasttext::{
    self, Args, Dictionary, Loss, Matrix, Quantized, Rows, Task as Trained,
};
use inlay_formats::{GiveRows, Names};

use super::buckets::Left;
use super::features::{ABSENT, Buckets, Features};
use super::retrain::Manner;
use super::tree::Tree;
use crate::Huffman;
use crate::subwords::Ngrams;

/// A trained classifier, from here or from fastText.
pub struct Model {
    pub(super) args: Args,
    pub(super) dictionary: Dictionary,
    pub(super) features: Features,
    pub(super) input: Input,
    pub(super) output: Output,
    /// With hierarchical softmax.
    pub(super) tree: Option<Tree>,
    pub(super) label_prefix: Vec<u8>,
    /// Of a model that was trained here.
    pub(super) manner: Option<Manner>,
    pub(super) losses: Vec<f64>,
}

/// The rows of words and n-grams.
pub(super) enum Input {
    /// Those that the training touched.
    Touched(Dense),
    /// Those of a file, or quantized ones.
    Rows(Matrix),
}

/// The rows of labels, or of the inner nodes of a tree and one that nothing uses.
pub(super) struct Output {
    pub dense: Dense,
    /// What they were made of.
    pub quantized: Option<Quantized>,
}

/// Rows in memory, padded with zeros.
pub(super) struct Dense {
    pages: Pages,
    rows: usize,
    columns: usize,
    stride: usize,
}

impl Dense {
    pub fn zeros(rows: usize, columns: usize) -> Result<Self> {
        SharedMatrix::zeros(rows, columns).map(Self::from)
    }

    /// # Panics
    /// If there is no such row.
    #[inline]
    pub fn row(&self, row: usize) -> &[f32] {
        &self.pages.as_slice()[row * self.stride..][..self.columns]
    }

    pub fn row_mut(&mut self, row: usize) -> &mut [f32] {
        &mut self.pages.as_mut_slice()[row * self.stride..][..self.columns]
    }
}

impl From<SharedMatrix> for Dense {
    fn from(matrix: SharedMatrix) -> Self {
        let (rows, columns, stride) = (matrix.rows(), matrix.columns(), matrix.stride());
        Self { pages: matrix.into_pages(), rows, columns, stride }
    }
}

impl GiveRows for Dense {
    fn rows(&self) -> usize {
        self.rows
    }

    fn dimensions(&self) -> usize {
        self.columns
    }

    fn give(&self, first: usize, into: &mut [f32]) {
        for (row, values) in (first..).zip(into.chunks_exact_mut(self.columns)) {
            values.copy_from_slice(self.row(row));
        }
    }
}

/// All rows of a table of which only those are stored that a training touched.
pub(super) struct Table<'a> {
    pub features: &'a Features,
    pub stored: &'a Dense,
}

impl Table<'_> {
    /// Where a row of the table is stored.
    pub fn place(&self, row: usize) -> Option<usize> {
        let words = self.features.words as usize;
        let Some(bucket) = row.checked_sub(words) else { return Some(row) };
        match &self.features.buckets {
            Buckets::Touched(rows) if rows[bucket] == ABSENT => None,
            Buckets::Touched(rows) => Some(words + rows[bucket] as usize),
            Buckets::All | Buckets::Left(_) => Some(row),
        }
    }
}

impl GiveRows for Table<'_> {
    fn rows(&self) -> usize {
        (self.features.words + self.features.ngrams.bucket) as usize
    }

    fn dimensions(&self) -> usize {
        self.stored.columns
    }

    fn give(&self, first: usize, into: &mut [f32]) {
        for (row, values) in (first..).zip(into.chunks_exact_mut(self.stored.columns)) {
            match self.place(row) {
                Some(place) => values.copy_from_slice(self.stored.row(place)),
                None => values.fill(0.0),
            }
        }
    }
}

impl Model {
    /// What a training has made. The rows of a tree's nodes come root first.
    #[allow(clippy::too_many_arguments)] // all that a model is
    pub(super) fn trained(
        args: Args,
        dictionary: Dictionary,
        features: Features,
        input: SharedMatrix,
        output: SharedMatrix,
        is_tree: bool,
        label_prefix: Vec<u8>,
        manner: Manner,
        losses: Vec<f64>,
    ) -> Result<Self> {
        let trained = Dense::from(output);
        let dense = if is_tree { turned(&trained)? } else { trained };
        let tree = tree(&args, &dictionary)?;
        let input = Input::Touched(input.into());
        let output = Output { dense, quantized: None };
        let manner = Some(manner);
        Ok(Self { args, dictionary, features, input, output, tree, label_prefix, manner, losses })
    }

    /// Of quantized matrices; without an output the labels' rows are this model's.
    pub(super) fn quantized(
        &self,
        dictionary: Dictionary,
        features: Features,
        input: Quantized,
        output: Option<Output>,
        losses: Vec<f64>,
    ) -> Result<Self> {
        let output = match output {
            Some(output) => output,
            None => Output { dense: copied(&self.output.dense)?, quantized: None },
        };
        Ok(Self {
            args: self.args.clone(),
            tree: tree(&self.args, &dictionary)?,
            dictionary,
            features,
            input: Input::Rows(Matrix::Quantized(input)),
            output,
            label_prefix: self.label_prefix.clone(),
            manner: self.manner.clone(),
            losses,
        })
    }

    /// Opens a `.bin` or `.ftz` file of fastText's, told by its content.
    ///
    /// # Errors
    /// As `fasttext::open`; `Unsupported` for word vectors.
    pub fn open(path: &Path, label_prefix: &[u8]) -> Result<Self> {
        let fasttext::Model { args, dictionary, input, output } = fasttext::open(path)?;
        if args.task != Trained::Supervised || dictionary.labels() == 0 {
            let what = format!("{} holds word vectors, not a classifier", path.display());
            return Err(Error::Unsupported { what });
        }
        let bucket = if args.has_buckets() { args.bucket } else { 0 };
        let buckets = match &dictionary.pruned {
            Some(pairs) => Buckets::Left(Left::new(pairs.clone())),
            None => Buckets::All,
        };
        let ngrams = Ngrams { minn: args.minn, maxn: args.maxn, words: args.word_ngrams, bucket };
        let features = Features { ngrams, words: dictionary.words as u32, buckets };
        let output = match output {
            Matrix::Quantized(quantized) => Output::quantized(quantized)?,
            Matrix::Dense(_) => Output { dense: copied(&output)?, quantized: None },
        };
        let tree = tree(&args, &dictionary)?;
        let (input, label_prefix) = (Input::Rows(input), label_prefix.to_vec());
        Ok(Self {
            args,
            dictionary,
            features,
            input,
            output,
            tree,
            label_prefix,
            manner: None,
            losses: Vec::new(),
        })
    }

    /// Writes a file that fastText opens: `.ftz` content where the model is quantized.
    pub fn save(&self, path: &Path, run: &Run) -> Result<()> {
        let table;
        let input = match &self.input {
            Input::Touched(stored) => {
                table = Table { features: &self.features, stored };
                Rows::Dense(&table)
            }
            Input::Rows(Matrix::Quantized(quantized)) => Rows::Quantized(quantized),
            Input::Rows(matrix) => Rows::Dense(matrix),
        };
        let output = match &self.output.quantized {
            Some(quantized) => Rows::Quantized(quantized),
            None => Rows::Dense(&self.output.dense),
        };
        fasttext::write(path, &self.args, &self.dictionary, &input, &output, run)
    }

    /// How it was trained, as far as its file says.
    pub fn args(&self) -> &Args {
        &self.args
    }

    /// Mean loss of a line in each epoch, in nats; none for a model that was opened.
    pub fn losses(&self) -> &[f64] {
        &self.losses
    }

    /// Whether its matrices are quantized.
    pub fn is_quantized(&self) -> bool {
        matches!(&self.input, Input::Rows(Matrix::Quantized(_)))
    }

    /// The labels without their prefix, most frequent first.
    pub fn labels(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        let prefix = &self.label_prefix[..];
        let labels = self.dictionary.names.iter().skip(self.dictionary.words);
        labels.map(move |name| name.strip_prefix(prefix).unwrap_or(name))
    }

    /// The words that have rows, most frequent first.
    pub fn words(&self) -> Result<Arc<Names>> {
        Names::new(self.dictionary.names.iter().take(self.dictionary.words)).map(Arc::new)
    }

    /// Bytes of memory, those of a mapped file not counted.
    pub fn memory(&self) -> u64 {
        let dense = |dense: &Dense| (dense.rows * dense.stride * 4) as u64;
        let buckets = match &self.features.buckets {
            Buckets::Touched(rows) => size_of_val(rows.as_slice()) as u64,
            Buckets::Left(left) => left.memory(),
            Buckets::All => 0,
        };
        let input = match &self.input {
            Input::Touched(rows) => dense(rows),
            Input::Rows(_) => 0,
        };
        buckets + input + dense(&self.output.dense)
    }
}

impl Output {
    pub fn quantized(quantized: Quantized) -> Result<Self> {
        let mut dense = Dense::zeros(quantized.rows, quantized.codebook.columns())?;
        for row in 0..quantized.rows {
            quantized.add_row(row, dense.row_mut(row));
        }
        Ok(Self { dense, quantized: Some(quantized) })
    }
}

fn tree(args: &Args, dictionary: &Dictionary) -> Result<Option<Tree>> {
    if args.loss != Loss::HierarchicalSoftmax {
        return Ok(None);
    }
    let huffman = Huffman::new(&dictionary.counts[dictionary.words..])?;
    Ok(Some(Tree::new(&huffman, dictionary.labels())))
}

/// The rows of a tree in fastText's order: the root is the last node, and a row of zeros follows.
pub(super) fn turned(rows: &Dense) -> Result<Dense> {
    let mut turned = Dense::zeros(rows.rows, rows.columns)?;
    let inner = rows.rows.saturating_sub(1);
    for node in 0..inner {
        turned.row_mut(inner - 1 - node).copy_from_slice(rows.row(node));
    }
    Ok(turned)
}

fn copied(rows: &dyn GiveRows) -> Result<Dense> {
    let mut copy = Dense::zeros(rows.rows(), rows.dimensions())?;
    for row in 0..rows.rows() {
        rows.give(row, copy.row_mut(row));
    }
    Ok(copy)
}
