use std::ops::Range;
use std::sync::Arc;

use inlay_base::{Map, Result};

use super::field::Fields;
use super::quantized::Quantized;
use crate::GiveRows;

/// The rows of words and n-grams, or of what is predicted.
#[derive(Debug)]
pub enum Matrix {
    /// All values, in the file.
    Dense(Dense),
    /// A code for every few values.
    Quantized(Quantized),
}

/// Values that stay in the file: its words have any length, so the values have any alignment.
#[derive(Debug)]
pub struct Dense {
    rows: usize,
    columns: usize,
    map: Arc<Map>,
    range: Range<usize>,
}

impl Matrix {
    /// How many rows there are.
    pub fn rows(&self) -> usize {
        match self {
            Matrix::Dense(dense) => dense.rows,
            Matrix::Quantized(quantized) => quantized.rows,
        }
    }

    /// Adds a row to a sum.
    ///
    /// # Panics
    /// If there is no such row, or `sum` has another length.
    pub fn add_row(&self, row: usize, sum: &mut [f32]) {
        match self {
            Matrix::Dense(dense) => {
                assert_eq!(sum.len(), dense.columns);
                sum.iter_mut().zip(dense.row(row)).for_each(|(sum, value)| *sum += value);
            }
            Matrix::Quantized(quantized) => quantized.add_row(row, sum),
        }
    }

    pub(super) fn read(
        fields: &mut Fields<'_>,
        quantized: bool,
        dimensions: usize,
        name: &str,
    ) -> Result<Self> {
        if quantized {
            return Quantized::read(fields, dimensions, name).map(Matrix::Quantized);
        }
        let (rows, columns) = read_shape(fields, dimensions, name)?;
        let length = rows.checked_mul(columns).and_then(|values| values.checked_mul(4));
        let range = fields.range(length, &format!("the {name} matrix"))?;
        let map = Arc::clone(fields.map());
        Ok(Matrix::Dense(Dense { rows, columns, map, range }))
    }
}

pub(super) fn read_shape(
    fields: &mut Fields<'_>,
    dimensions: usize,
    name: &str,
) -> Result<(usize, usize)> {
    let at = fields.at();
    let rows = fields.long_count("the rows of a matrix")?;
    let columns = fields.long_count("the columns of a matrix")?;
    if columns != dimensions {
        let problem = format!(
            "the {name} matrix has {columns} columns, the model has {dimensions} dimensions"
        );
        return Err(fields.invalid(at, problem));
    }
    Ok((rows, columns))
}

impl Dense {
    /// The values of a row.
    ///
    /// # Panics
    /// If there is no such row.
    #[inline]
    pub fn row(&self, row: usize) -> impl ExactSizeIterator<Item = f32> + '_ {
        assert!(row < self.rows);
        let start = self.range.start + row * self.columns * 4;
        let bytes = &self.map[start..start + self.columns * 4];
        bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
    }
}

impl GiveRows for Matrix {
    fn rows(&self) -> usize {
        Matrix::rows(self)
    }

    fn dimensions(&self) -> usize {
        match self {
            Matrix::Dense(dense) => dense.columns,
            Matrix::Quantized(quantized) => quantized.codebook.columns(),
        }
    }

    fn give(&self, first: usize, into: &mut [f32]) {
        into.fill(0.0);
        for (row, values) in into.chunks_exact_mut(self.dimensions()).enumerate() {
            self.add_row(first + row, values);
        }
    }
}
