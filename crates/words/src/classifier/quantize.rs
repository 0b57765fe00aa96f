use std::cmp::Reverse;

use inlay_base::{Error, Result, Run};
use inlay_formats::fasttext::{Dictionary, Matrix};
use inlay_formats::{GiveRows, Names};

use super::features::{Buckets, Features};
use super::model::{Input, Model, Table};
use crate::product_quantizer::quantize;
use crate::subwords::END_OF_LINE;

/// Values in a part of an output row.
const OUTPUT_WIDTH: usize = 2;
/// Rows that are looked at between two questions whether to go on.
const BLOCK: usize = 1024;

/// How a model is made small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantization {
    /// Rows of words and n-grams that are kept, those of the longest vectors; `None`: all.
    pub cutoff: Option<usize>,
    /// Values in a part of an input row.
    pub width: usize,
    /// Whether the length of a row is quantized by itself.
    pub norms: bool,
    /// Whether the output rows are quantized as well.
    pub output: bool,
}

impl Model {
    /// A small model: matrices product-quantized, and with `cutoff` only the words and n-grams of
    /// the longest vectors (Joulin et al. 2016, arXiv:1612.03651).
    ///
    /// # Errors
    /// `Unsupported`: it is quantized already, or has too few rows for 256 centroids.
    pub fn quantize(&self, how: &Quantization, run: &Run) -> Result<Model> {
        let table;
        let rows: &dyn GiveRows = match &self.input {
            Input::Touched(stored) => {
                table = Table { features: &self.features, stored };
                &table
            }
            Input::Rows(Matrix::Quantized(_)) => {
                return Err(Error::Unsupported { what: "the model is quantized already".into() });
            }
            Input::Rows(matrix) => matrix,
        };
        let of_labels = |error| match error {
            Error::Unsupported { what } => {
                Error::Unsupported { what: format!("the labels: {what}") }
            }
            other => other,
        };
        let output = how
            .output
            .then(|| quantize(&self.output.dense, OUTPUT_WIDTH, how.norms, run).map_err(of_labels))
            .transpose()?;
        let kept = match how.cutoff.filter(|&cutoff| cutoff < rows.rows()) {
            Some(cutoff) => Some(self.longest(rows, cutoff, run)?),
            None => None,
        };
        let (dictionary, features) = self.pruned(kept.as_deref())?;
        let input = match &kept {
            Some(kept) => quantize(&Selected { rows, kept }, how.width, how.norms, run)?,
            None => quantize(rows, how.width, how.norms, run)?,
        };
        self.quantized(dictionary, features, input, output)
    }

    /// The rows of the longest vectors, the end of a line always among them: words as they were,
    /// then buckets, longest first.
    fn longest(&self, rows: &dyn GiveRows, cutoff: usize, run: &Run) -> Result<Vec<usize>> {
        let (count, words) = (rows.rows(), self.dictionary.words);
        let mut lengths = Vec::with_capacity(count);
        let mut block = vec![0.0; BLOCK * rows.dimensions()];
        for first in (0..count).step_by(BLOCK) {
            run.check()?;
            let block = &mut block[..BLOCK.min(count - first) * rows.dimensions()];
            rows.give(first, block);
            lengths.extend(block.chunks_exact(rows.dimensions()).map(|row| {
                let square = |&value: &f32| f64::from(value) * f64::from(value);
                row.iter().map(square).sum::<f64>()
            }));
        }
        if let Some(end) = self.dictionary.names.find(END_OF_LINE) {
            lengths[end as usize] = f64::INFINITY;
        }
        let mut kept: Vec<usize> = (0..count).collect();
        // Squares of lengths are not negative, so their bits are in their order.
        kept.sort_by_key(|&row| Reverse(lengths[row].to_bits()));
        kept.truncate(cutoff);
        let (mut left, buckets): (Vec<usize>, Vec<usize>) =
            kept.into_iter().partition(|&row| row < words);
        left.sort_unstable();
        left.extend(buckets);
        Ok(left)
    }

    /// The dictionary and features of the rows that are kept; all: `None`.
    fn pruned(&self, kept: Option<&[usize]>) -> Result<(Dictionary, Features)> {
        let Dictionary { names, counts, words, tokens, pruned } = &self.dictionary;
        let ngrams = self.features.ngrams;
        let Some(kept) = kept else {
            let dictionary = Dictionary {
                names: Names::new(names.iter())?.into(),
                counts: counts.clone(),
                words: *words,
                tokens: *tokens,
                pruned: pruned.clone(),
            };
            let features = Features { ngrams, words: *words as u32, buckets: Buckets::All };
            return Ok((dictionary, features));
        };
        let left = kept.iter().take_while(|&&row| row < *words).count();
        let entries = kept[..left].iter().copied().chain(*words..names.len());
        let pairs: Vec<(u32, u32)> =
            (0..).zip(&kept[left..]).map(|(row, &old)| ((old - words) as u32, row)).collect();
        let features = Features {
            ngrams,
            words: left as u32,
            buckets: Buckets::Left(pairs.iter().copied().collect()),
        };
        let dictionary = Dictionary {
            names: Names::new(entries.clone().map(|entry| names.get(entry as u32)))?.into(),
            counts: entries.map(|entry| counts[entry]).collect(),
            words: left,
            tokens: *tokens,
            pruned: Some(pairs),
        };
        Ok((dictionary, features))
    }
}

/// Some rows of a matrix.
struct Selected<'a> {
    rows: &'a dyn GiveRows,
    kept: &'a [usize],
}

impl GiveRows for Selected<'_> {
    fn rows(&self) -> usize {
        self.kept.len()
    }

    fn dimensions(&self) -> usize {
        self.rows.dimensions()
    }

    fn give(&self, first: usize, into: &mut [f32]) {
        let kept = &self.kept[first..];
        for (&row, values) in kept.iter().zip(into.chunks_exact_mut(self.rows.dimensions())) {
            self.rows.give(row, values);
        }
    }
}
