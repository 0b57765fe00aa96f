//! BM25 (Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond"): how
//! well documents answer a query of words.
//!
//! ```text
//! score(d, q) = Σ over terms t of q:  idf(t) · tf (k1 + 1) / (tf + k1 (1 - b + b |d| / mean |d|))
//! idf(t) = ln(1 + (n - df + 1/2) / (df + 1/2))
//! ```
//!
//! |d| counts the terms of a document that are in the vocabulary. What does not hang on the query is
//! worked out once.

use std::path::Path;

use inlay_base::{Error, Result, Run, Workers};
use inlay_corpus::{Reading, Source};
use inlay_formats::safetensors::{Kind, Reader, save};
use serde::{Deserialize, Serialize};

use crate::similar::{Inverted, Near};
use crate::sparse::{Row, SparseMatrix};
use crate::vectorizer::Vectorizer;
use crate::vocabulary::Limits;
use crate::{Analysis, Norm, Options, Weighting};

const KIND: Kind = Kind { name: "bm25", what: "a BM25 index", version: 1 };

/// What decides scores.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Saturation {
    /// How soon more of the same term counts no more; 0: at once.
    pub k1: f64,
    /// How much long documents are held back, from 0 to 1.
    pub b: f64,
}

/// Documents that queries find.
#[derive(Debug)]
pub struct Bm25 {
    vectorizer: Vectorizer,
    saturation: Saturation,
    /// What each term adds to the score of each document: [documents, terms].
    weights: SparseMatrix,
    index: Inverted,
}

impl Bm25 {
    /// Reads documents.
    ///
    /// # Errors
    /// As `Vectorizer::train`.
    pub fn train(
        source: Source,
        reading: Reading,
        analysis: &Analysis,
        limits: &Limits,
        saturation: Saturation,
        run: &Run,
    ) -> Result<Self> {
        let weighting = Weighting {
            binary: false,
            sublinear: false,
            idf: false,
            smooth: false,
            norm: Norm::None,
        };
        let options = Options { analysis: analysis.clone(), weighting, hashed: None };
        let (vectorizer, counts) =
            Vectorizer::train(source, reading, (&options, limits), true, run)?;
        let counts = counts.ok_or_else(|| Error::Internal("rows were asked for".into()))?;
        let weights = weighed(&counts, vectorizer.document_frequencies(), saturation);
        let index = Inverted::products(&weights)?;
        Ok(Self { vectorizer, saturation, weights, index })
    }

    /// How many documents there are.
    pub fn documents(&self) -> usize {
        self.weights.rows()
    }

    /// Which terms documents and queries have.
    pub fn vectorizer(&self) -> &Vectorizer {
        &self.vectorizer
    }

    /// What decides scores.
    pub fn saturation(&self) -> Saturation {
        self.saturation
    }

    /// What each term adds to the score of each document: [documents, terms].
    pub fn weights(&self) -> &SparseMatrix {
        &self.weights
    }

    /// Bytes of memory.
    pub fn weight(&self) -> u64 {
        self.vectorizer.weight() + self.weights.weight() + self.index.weight()
    }

    /// For each query the documents with the highest scores above 0, highest first; ties by document.
    ///
    /// # Errors
    /// What the workers fail with.
    pub fn search<T: AsRef<[u8]>>(
        &self,
        queries: &[T],
        most: usize,
        workers: &dyn Workers,
    ) -> Result<Vec<Vec<Near>>> {
        self.index.nearest(&self.vectorizer.transform_now(queries), most, workers)
    }

    /// Writes a file that `open` reads.
    ///
    /// # Errors
    /// `DiskFull`, `Io`.
    pub fn save(&self, path: &Path) -> Result<()> {
        let about = (self.vectorizer.header(), self.saturation);
        let (key, header) = KIND.entry(&About { vectorizer: about.0, saturation: about.1 })?;
        let mut parts = self.vectorizer.parts();
        parts.extend(self.weights.parts());
        save(path, &[(key, &header)], parts)
    }

    /// Opens a file that `save` wrote.
    ///
    /// # Errors
    /// `NotFound`; `InvalidInput` if it is no such file.
    pub fn open(path: &Path) -> Result<Self> {
        let reader = Reader::open(path)?;
        let About { vectorizer, saturation } = KIND.read(&reader, path)?;
        let vectorizer = Vectorizer::read(&reader, vectorizer, path)?;
        let weights = SparseMatrix::read(&reader, vectorizer.columns(), path)?;
        if weights.rows() as u64 != vectorizer.documents() {
            return Err(Error::invalid_file(path, None, "it has not a row for each document"));
        }
        let index = Inverted::products(&weights)?;
        Ok(Self { vectorizer, saturation, weights, index })
    }
}

#[derive(Serialize, Deserialize)]
struct About {
    vectorizer: crate::vectorizer::Header,
    saturation: Saturation,
}

fn weighed(counts: &SparseMatrix, frequencies: &[u32], at: Saturation) -> SparseMatrix {
    let documents = counts.rows() as f64;
    let idf: Vec<f64> = frequencies
        .iter()
        .map(|&df| (1.0 + (documents - f64::from(df) + 0.5) / (f64::from(df) + 0.5)).ln())
        .collect();
    let length = |row: Row<'_>| row.values.iter().map(|&count| f64::from(count)).sum::<f64>();
    let total: f64 = counts.values().iter().map(|&count| f64::from(count)).sum();
    let mean = total / documents;
    let Saturation { k1, b } = at;
    let mut values = Vec::with_capacity(counts.values().len());
    for number in 0..counts.rows() {
        let row = counts.row(number);
        let slack = k1 * (1.0 - b + b * length(row) / mean);
        values.extend(row.indices.iter().zip(row.values).map(|(&term, &count)| {
            let tf = f64::from(count);
            (idf[term as usize] * tf * (k1 + 1.0) / (tf + slack)) as f32
        }));
    }
    counts.with_values(values)
}
