use std::sync::{Arc, OnceLock};

use inlay_base::{Error, Result, Workers};
use inlay_formats::{GiveRows, Names};

use crate::rows::{Precision, Rows};
use crate::search::inverse_norms;

/// Vectors of words, or of anything else with names: a matrix and the name of each row. Cheap to
/// clone; nothing in it changes.
#[derive(Clone)]
pub struct WordVectors(Arc<Inner>);

struct Inner {
    names: Arc<Names>,
    rows: Arc<Rows>,
    counts: Option<Arc<[u64]>>,
    /// 1 / length of each row; 0 for a row of zeros, or one that is not finite. Made when first
    /// needed: files open without a pass over them.
    inverse_norms: OnceLock<Vec<f32>>,
}

impl WordVectors {
    /// Joins names and rows.
    ///
    /// # Panics
    /// If there are not as many names as rows.
    pub fn new(names: Arc<Names>, rows: Rows) -> Self {
        Self::with_counts(names, rows, None)
    }

    /// Joins names, rows, and how often each name was met.
    ///
    /// # Panics
    /// If there are not as many of each.
    pub fn with_counts(names: Arc<Names>, rows: Rows, counts: Option<Arc<[u64]>>) -> Self {
        assert_eq!(names.len(), rows.rows(), "a name for each row");
        assert!(counts.as_ref().is_none_or(|counts| counts.len() == names.len()));
        let inverse_norms = OnceLock::new();
        Self(Arc::new(Inner { names, rows: Arc::new(rows), counts, inverse_norms }))
    }

    /// The names, in the order of the rows.
    pub fn names(&self) -> &Arc<Names> {
        &self.0.names
    }

    /// The rows.
    pub fn rows(&self) -> &Arc<Rows> {
        &self.0.rows
    }

    /// How often each name was met, where that is known.
    pub fn counts(&self) -> Option<&Arc<[u64]>> {
        self.0.counts.as_ref()
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.0.rows.rows()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Values of a row.
    pub fn dimensions(&self) -> usize {
        self.0.rows.dimensions()
    }

    /// How values are kept.
    pub fn precision(&self) -> Precision {
        self.0.rows.precision()
    }

    /// The row of a word.
    ///
    /// # Errors
    /// `NotFound`
    pub fn index_of(&self, word: &[u8]) -> Result<u32> {
        self.0.names.find(word).ok_or_else(|| Error::NotFound {
            what: "word",
            name: String::from_utf8_lossy(word).into_owned(),
        })
    }

    /// A copy of a word's row.
    ///
    /// # Errors
    /// `NotFound`
    pub fn vector(&self, word: &[u8]) -> Result<Vec<f32>> {
        Ok(self.0.rows.row(self.index_of(word)? as usize))
    }

    /// A copy of all rows, end to end.
    pub fn matrix(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.len() * self.dimensions()];
        self.0.rows.give(0, &mut values);
        values
    }

    /// 1 / length of each row, computed at the first call.
    pub(crate) fn inverse_norms(&self, workers: &dyn Workers) -> Result<&[f32]> {
        if let Some(norms) = self.0.inverse_norms.get() {
            return Ok(norms);
        }
        let norms = inverse_norms(&self.0.rows, workers)?;
        Ok(self.0.inverse_norms.get_or_init(|| norms))
    }
}
