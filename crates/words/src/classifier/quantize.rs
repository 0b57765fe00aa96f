use inlay_base::{Error, Result, Run};
use inlay_formats::fasttext::{Dictionary, Matrix, QuantizedSize};
use inlay_formats::{GiveRows, Names};

use super::buckets::Left;
use super::features::{Buckets, Features};
use super::model::{Dense, Input, Model, Output, Table};
use super::retrain::Retraining;
use crate::product_quantizer::{enough, quantize};
use crate::subwords::END_OF_LINE;

/// Values in a part of an output row.
const OUTPUT_WIDTH: usize = 2;
/// Rows that are looked at between two questions whether to go on.
const BLOCK: usize = 1024;

/// How a model is made small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantization {
    /// How many rows of words and n-grams are kept, those of the longest vectors; `None`: all.
    pub cutoff: Option<Cutoff>,
    /// Values in a part of an input row.
    pub width: usize,
    /// Whether the length of a row is quantized by itself.
    pub norms: bool,
    /// Whether the output rows are quantized as well.
    pub output: bool,
}

/// How many rows are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cutoff {
    /// So many, at most.
    Rows(usize),
    /// As many as a file of so many bytes has room for.
    Bytes(u64),
}

impl Model {
    /// A small model: matrices product-quantized, and with `cutoff` only the words and n-grams of
    /// the longest vectors (Joulin et al. 2016, arXiv:1612.03651). Where that leaves rows out, the
    /// others are trained further first, if `retraining` says how.
    ///
    /// # Errors
    /// `Unsupported`: it is quantized already, has too few rows for 256 centroids, or a file of the
    /// wanted size has no room for as many; `InvalidInput`: no line to train further on has a label
    /// that the model knows; as `train`.
    pub fn quantize(
        &self,
        how: &Quantization,
        retraining: Option<&Retraining<'_>>,
        run: &Run,
    ) -> Result<Model> {
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
        if how.output {
            enough(self.dictionary.labels()).map_err(|error| match error {
                Error::Unsupported { what } => {
                    Error::Unsupported { what: format!("the labels: {what}") }
                }
                other => other,
            })?;
        }
        let kept = self.kept(rows, how, run)?;
        let (dictionary, features) = self.pruned(kept.as_deref())?;
        let Some(kept) = &kept else {
            let output = self.small_output(&self.output.dense, how, run)?;
            let input = quantize(rows, how.width, how.norms, run)?;
            return self.quantized(dictionary, features, input, output, self.losses.clone());
        };
        let left = Selected { rows, kept };
        enough(left.rows())?;
        let Some(retraining) = retraining else {
            let output = self.small_output(&self.output.dense, how, run)?;
            let input = quantize(&left, how.width, how.norms, run)?;
            return self.quantized(dictionary, features, input, output, self.losses.clone());
        };
        let trained = self.retrain(retraining, &left, &dictionary, &features, run)?;
        let output = match self.small_output(&trained.output, how, run)? {
            Some(output) => output,
            None => Output { dense: trained.output, quantized: None },
        };
        let input = quantize(&trained.input, how.width, how.norms, run)?;
        self.quantized(dictionary, features, input, Some(output), trained.losses)
    }

    /// The labels' rows, where they are quantized as well.
    fn small_output(&self, dense: &Dense, how: &Quantization, run: &Run) -> Result<Option<Output>> {
        if !how.output {
            return Ok(None);
        }
        quantize(dense, OUTPUT_WIDTH, how.norms, run).and_then(Output::quantized).map(Some)
    }

    /// The rows that are kept: words as they were, then buckets, longest first; all: `None`.
    fn kept(
        &self,
        rows: &dyn GiveRows,
        how: &Quantization,
        run: &Run,
    ) -> Result<Option<Vec<usize>>> {
        let words = self.dictionary.words;
        let end = self.dictionary.names.find(END_OF_LINE).filter(|&end| (end as usize) < words);
        let mut kept = match how.cutoff {
            None => return Ok(None),
            Some(Cutoff::Rows(cutoff)) if cutoff >= rows.rows() => return Ok(None),
            Some(Cutoff::Rows(cutoff)) => longest(self.lengths(rows, end, true, run)?, cutoff),
            Some(Cutoff::Bytes(bytes)) => {
                let Some(room) = self.room(rows, how, bytes)? else { return Ok(None) };
                let size = self.size(how);
                let cost = |row: usize| {
                    size.row()
                        + match row < words {
                            true => QuantizedSize::entry(self.dictionary.names.get(row as u32)),
                            false => size.pair(),
                        }
                };
                let least = size.row() + size.pair();
                let mut lengths = self.lengths(rows, end, false, run)?;
                if enough(lengths.len()).is_err() {
                    lengths = self.lengths(rows, end, true, run)?;
                }
                let mut kept = longest(lengths, (room / least) as usize + 1);
                let mut taken = 0;
                let fits = kept.iter().position(|&row| {
                    taken += cost(row);
                    taken > room
                });
                kept.truncate(fits.unwrap_or(kept.len()));
                enough(kept.len()).map_err(|_| too_small(bytes))?;
                kept
            }
        };
        // Longest first, as they are; words go to the front in their order.
        let buckets = kept.extract_if(.., |row| *row >= words).collect::<Vec<_>>();
        kept.sort_unstable();
        kept.extend(buckets);
        Ok(Some(kept))
    }

    /// What a file of this model takes.
    fn size(&self, how: &Quantization) -> QuantizedSize {
        QuantizedSize {
            dimensions: self.args.dimensions,
            width: how.width,
            norms: how.norms,
            labels: self.dictionary.labels(),
            output: how.output.then_some(OUTPUT_WIDTH),
        }
    }

    /// The bytes that a file of so many leaves for rows; `None` where all rows fit.
    fn room(&self, rows: &dyn GiveRows, how: &Quantization, bytes: u64) -> Result<Option<u64>> {
        let size = self.size(how);
        let words = self.dictionary.words;
        let entries = |names: &mut dyn Iterator<Item = &[u8]>| -> u64 {
            names.map(QuantizedSize::entry).sum()
        };
        let names = || self.dictionary.names.iter();
        let frame = size.frame() + entries(&mut names().skip(words));
        let all = frame + entries(&mut names().take(words)) + rows.rows() as u64 * size.row();
        if all <= bytes {
            return Ok(None);
        }
        bytes.checked_sub(frame).map(Some).ok_or_else(|| too_small(bytes))
    }

    /// The lengths of rows, in the upper half of a number whose lower half is the row: longest
    /// first where numbers are in their order. The end of a line comes before all others. Rows of
    /// zeros are left out unless `zeros`.
    fn lengths(
        &self,
        rows: &dyn GiveRows,
        end: Option<u32>,
        zeros: bool,
        run: &Run,
    ) -> Result<Vec<u64>> {
        let count = rows.rows();
        let mut lengths = Vec::new();
        let mut block = vec![0.0; BLOCK * rows.dimensions()];
        for first in (0..count).step_by(BLOCK) {
            run.check()?;
            let block = &mut block[..BLOCK.min(count - first) * rows.dimensions()];
            rows.give(first, block);
            for (row, values) in (first..).zip(block.chunks_exact(rows.dimensions())) {
                let square = |&value: &f32| f64::from(value) * f64::from(value);
                let length = values.iter().map(square).sum::<f64>().sqrt() as f32;
                if !length.is_finite() {
                    return Err(Error::InvalidInput {
                        source: "the model".into(),
                        offset: None,
                        problem: "holds numbers that are not finite".into(),
                    });
                }
                let is_end = end == Some(row as u32);
                if length > 0.0 || zeros || is_end {
                    let length = if is_end { f32::INFINITY } else { length };
                    // Lengths are not negative, so their bits are in their order.
                    lengths.push(u64::from(!length.to_bits()) << 32 | row as u64);
                }
            }
        }
        Ok(lengths)
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
            buckets: Buckets::Left(Left::new(pairs.clone())),
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

/// The first `most` of them, those of the longest vectors first.
fn longest(mut lengths: Vec<u64>, most: usize) -> Vec<usize> {
    if most < lengths.len() {
        lengths.select_nth_unstable(most);
        lengths.truncate(most);
    }
    lengths.sort_unstable();
    lengths.into_iter().map(|length| length as u32 as usize).collect()
}

fn too_small(bytes: u64) -> Error {
    let what = format!("a file of {bytes} bytes has no room for 256 vectors of this model");
    Error::Unsupported { what }
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
