//! How matrices pass between files and memory: in blocks of rows, so that neither side needs a
//! second copy of the whole.

use inlay_base::Result;

/// Takes the rows that a reader reads.
pub trait TakeRows: Send {
    /// The form, once, before the first row. The reader has checked it against the file's length.
    fn start(&mut self, rows: usize, dimensions: usize) -> Result<()>;

    /// Rows `first`, `first + 1`, ..., whole, end to end. Blocks come in any order.
    fn take(&mut self, first: usize, values: &[f32]) -> Result<()>;
}

/// Gives the rows that a writer writes.
pub trait GiveRows: Sync {
    /// How many rows there are.
    fn rows(&self) -> usize;

    /// Values of a row.
    fn dimensions(&self) -> usize;

    /// Copies whole rows out, from row `first` on, as many as `into` holds.
    fn give(&self, first: usize, into: &mut [f32]);
}

/// A dense matrix in plain memory.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Matrix {
    /// Rows end to end.
    pub values: Vec<f32>,
    /// How many there are.
    pub rows: usize,
    /// Values of each.
    pub dimensions: usize,
}

impl TakeRows for Matrix {
    fn start(&mut self, rows: usize, dimensions: usize) -> Result<()> {
        *self = Self { values: vec![0.0; rows * dimensions], rows, dimensions };
        Ok(())
    }

    fn take(&mut self, first: usize, values: &[f32]) -> Result<()> {
        let first = first * self.dimensions;
        self.values[first..first + values.len()].copy_from_slice(values);
        Ok(())
    }
}

impl GiveRows for Matrix {
    fn rows(&self) -> usize {
        self.rows
    }

    fn dimensions(&self) -> usize {
        self.dimensions
    }

    fn give(&self, first: usize, into: &mut [f32]) {
        let first = first * self.dimensions;
        into.copy_from_slice(&self.values[first..first + into.len()]);
    }
}

/// Rows to read or write at once: about a quarter of a megabyte of values.
pub(crate) fn rows_a_block(dimensions: usize) -> usize {
    ((1 << 16) / dimensions.max(1)).max(1)
}
