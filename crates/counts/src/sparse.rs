//! Sparse matrices by rows (CSR): the columns and values of each row, columns rising.

use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;

use bytemuck::AnyBitPattern;
use inlay_base::{Error, Result, Run, Workers, afford, lock};
use inlay_formats::npz::{self, Csr, CsrParts};
use inlay_formats::safetensors::{Dtype, Part, Reader};
use inlay_kernels::{Kernels, Simd, Task, axpy};

/// Rows that one task works on.
const TASK: usize = 256;

const OFFSETS: &str = "matrix.offsets";
const INDICES: &str = "matrix.indices";
const VALUES: &str = "matrix.values";

/// A sparse matrix. Values are finite; columns of a row rise.
#[derive(Debug, Clone, PartialEq)]
pub struct SparseMatrix {
    columns: usize,
    /// One more than rows: where each begins and ends.
    offsets: Vec<u64>,
    indices: Vec<u32>,
    values: Vec<f32>,
}

/// A row.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// Rising.
    pub indices: &'a [u32],
    /// As many.
    pub values: &'a [f32],
}

impl SparseMatrix {
    /// Takes the parts of a matrix; why they are none otherwise.
    pub fn new(
        columns: usize,
        offsets: Vec<u64>,
        indices: Vec<u32>,
        values: Vec<f32>,
    ) -> std::result::Result<Self, &'static str> {
        if offsets.first() != Some(&0) || !offsets.is_sorted() {
            return Err("offsets that do not rise from 0");
        }
        if offsets.last() != Some(&(indices.len() as u64)) || indices.len() != values.len() {
            return Err("offsets that do not end where indices and values do");
        }
        if u32::try_from(columns).is_err() {
            return Err("more than 4,294,967,295 columns");
        }
        let matrix = Self { columns, offsets, indices, values };
        for row in 0..matrix.rows() {
            let Row { indices, values } = matrix.row(row);
            if !indices.is_sorted_by(|a, b| a < b) {
                return Err("a row whose columns do not rise");
            }
            if indices.last().is_some_and(|&last| last as usize >= columns) {
                return Err("a column beyond the last");
            }
            if !values.iter().all(|value| value.is_finite()) {
                return Err("a value that is not finite");
            }
        }
        Ok(matrix)
    }

    /// Rows that were made one after the other.
    pub(crate) fn of_rows(
        columns: usize,
        offsets: Vec<u64>,
        indices: Vec<u32>,
        values: Vec<f32>,
    ) -> Self {
        Self { columns, offsets, indices, values }
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.offsets.len() - 1
    }

    /// How many columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Where each row begins and ends: one more than rows.
    pub fn offsets(&self) -> &[u64] {
        &self.offsets
    }

    /// Columns of all rows, end to end.
    pub fn indices(&self) -> &[u32] {
        &self.indices
    }

    /// Values of all rows, end to end.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Bytes of memory.
    pub fn weight(&self) -> u64 {
        (size_of_val(&self.offsets[..]) + 8 * self.indices.len()) as u64
    }

    /// The same places with other values.
    ///
    /// # Panics
    /// If they are not as many.
    pub(crate) fn with_values(&self, values: Vec<f32>) -> Self {
        assert_eq!(values.len(), self.values.len());
        let (offsets, indices) = (self.offsets.clone(), self.indices.clone());
        Self { columns: self.columns, offsets, indices, values }
    }

    /// As tensors of a file.
    pub(crate) fn parts(&self) -> Vec<Part<'_>> {
        let part = |name, dtype, length, bytes| Part::bytes(name, dtype, &[length], bytes);
        vec![
            part(OFFSETS, Dtype::U64, self.offsets.len(), bytemuck::cast_slice(&self.offsets)),
            part(INDICES, Dtype::U32, self.indices.len(), bytemuck::cast_slice(&self.indices)),
            part(VALUES, Dtype::F32, self.values.len(), bytemuck::cast_slice(&self.values)),
        ]
    }

    /// Of the tensors of a file.
    pub(crate) fn read(reader: &Reader, columns: usize, path: &Path) -> Result<Self> {
        fn list<T: AnyBitPattern>(reader: &Reader, name: &str, dtype: Dtype) -> Option<Vec<T>> {
            let tensor = reader.tensor(name).filter(|tensor| tensor.dtype == dtype)?;
            let size = size_of::<T>();
            Some(tensor.bytes.chunks_exact(size).map(bytemuck::pod_read_unaligned).collect())
        }
        let invalid = |problem: &str| Error::invalid_file(path, None, problem);
        let parts = (
            list(reader, OFFSETS, Dtype::U64),
            list(reader, INDICES, Dtype::U32),
            list(reader, VALUES, Dtype::F32),
        );
        let (Some(offsets), Some(indices), Some(values)) = parts else {
            return Err(invalid("it has no sparse matrix"));
        };
        Self::new(columns, offsets, indices, values)
            .map_err(|problem| invalid(&format!("its sparse matrix has {problem}")))
    }

    fn range(&self, row: usize) -> Range<usize> {
        self.offsets[row] as usize..self.offsets[row + 1] as usize
    }

    /// One row.
    pub fn row(&self, row: usize) -> Row<'_> {
        let range = self.range(row);
        Row { indices: &self.indices[range.clone()], values: &self.values[range] }
    }

    /// The rows of a matrix as columns of another: word by documents from document by words.
    ///
    /// # Errors
    /// `OutOfMemory`: each column has a place, those without values as well.
    pub fn transpose(&self) -> Result<Self> {
        afford(Some(16 * (self.columns as u64 + 1) + 8 * self.indices.len() as u64))?;
        let mut offsets = vec![0u64; self.columns + 1];
        self.indices.iter().for_each(|&column| offsets[column as usize + 1] += 1);
        for at in 0..self.columns {
            offsets[at + 1] += offsets[at];
        }
        let mut next = offsets.clone();
        let (mut indices, mut values) =
            (vec![0; self.indices.len()], vec![0.0; self.indices.len()]);
        for row in 0..self.rows() {
            let Row { indices: columns, values: row_values } = self.row(row);
            for (&column, &value) in columns.iter().zip(row_values) {
                let place = next[column as usize] as usize;
                next[column as usize] += 1;
                indices[place] = row as u32;
                values[place] = value;
            }
        }
        Ok(Self { columns: self.rows(), offsets, indices, values })
    }

    /// Some rows, in this order.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn select(&self, rows: &[u32]) -> Self {
        let mut chosen = Self::of_rows(self.columns, vec![0], Vec::new(), Vec::new());
        for &row in rows {
            let Row { indices, values } = self.row(row as usize);
            chosen.indices.extend_from_slice(indices);
            chosen.values.extend_from_slice(values);
            chosen.offsets.push(chosen.indices.len() as u64);
        }
        chosen
    }

    /// The product with a dense matrix of `columns` rows of `width` values: [rows, width].
    ///
    /// # Errors
    /// What the workers fail with.
    pub fn multiply(&self, dense: &[f32], width: usize, workers: &dyn Workers) -> Result<Vec<f32>> {
        let room = self.rows().checked_mul(width);
        let room = room.ok_or(Error::OutOfMemory { asked: u64::MAX, free: None })?;
        let mut product = vec![0.0; room];
        let tasks: Vec<Mutex<&mut [f32]>> =
            product.chunks_mut((TASK * width).max(1)).map(Mutex::new).collect();
        workers.each(tasks.len(), &|task| {
            let mut sums = lock(&tasks[task]);
            let (first, sums) = (task * TASK, &mut **sums);
            Kernels::get().run(Product { matrix: self, first, dense, width, sums });
            Ok(())
        })?;
        drop(tasks);
        Ok(product)
    }

    /// Writes a file that `open` and SciPy's `load_npz` read.
    ///
    /// # Errors
    /// `DiskFull`, `Io`, `Aborted`.
    pub fn save(&self, path: &Path, run: &Run) -> Result<()> {
        let Self { columns, offsets, indices, values } = self;
        npz::save(path, CsrParts { columns: *columns, offsets, indices, values }, run)
    }

    /// Opens a file that `save`, or SciPy's `save_npz`, wrote. Where columns of a row do not rise they
    /// are sorted, and values of one place added up.
    ///
    /// # Errors
    /// As `npz::open`.
    pub fn open(path: &Path, run: &Run) -> Result<Self> {
        let invalid = |problem| Error::invalid_file(path, None, format!("it has {problem}"));
        let Csr { columns, offsets, indices, values, .. } = npz::open(path, run)?;
        let ends = offsets.last().copied();
        if offsets.first() != Some(&0) || !offsets.is_sorted() || ends != Some(indices.len() as u64)
        {
            return Err(invalid("offsets that do not fit"));
        }
        let mut sorted = Self::of_rows(columns, vec![0], Vec::new(), Vec::new());
        let mut row: Vec<(u32, f32)> = Vec::new();
        for range in offsets.windows(2).map(|ends| ends[0] as usize..ends[1] as usize) {
            row.clear();
            row.extend(indices[range.clone()].iter().copied().zip(values[range].iter().copied()));
            row.sort_by_key(|&(column, _)| column);
            for same in row.chunk_by(|a, b| a.0 == b.0) {
                sorted.indices.push(same[0].0);
                sorted.values.push(same.iter().map(|&(_, value)| value).sum());
            }
            sorted.offsets.push(sorted.indices.len() as u64);
        }
        let Self { columns, offsets, indices, values } = sorted;
        Self::new(columns, offsets, indices, values).map_err(invalid)
    }

    /// All values, zeros included: [rows, columns].
    ///
    /// # Errors
    /// `OutOfMemory` where they do not fit into an address space.
    pub fn to_dense(&self) -> Result<Vec<f32>> {
        let room = self.rows().checked_mul(self.columns);
        let room = room.filter(|&room| room <= isize::MAX as usize / 4);
        let room = room.ok_or(Error::OutOfMemory { asked: u64::MAX, free: None })?;
        let mut dense = Vec::new();
        dense
            .try_reserve_exact(room)
            .map_err(|_| Error::OutOfMemory { asked: room as u64 * 4, free: None })?;
        dense.resize(room, 0.0);
        for row in 0..self.rows() {
            let Row { indices, values } = self.row(row);
            for (&column, &value) in indices.iter().zip(values) {
                dense[row * self.columns + column as usize] = value;
            }
        }
        Ok(dense)
    }
}

/// The rows of a product from `first` on.
struct Product<'a> {
    matrix: &'a SparseMatrix,
    first: usize,
    dense: &'a [f32],
    width: usize,
    sums: &'a mut [f32],
}

impl Task for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { matrix, first, dense, width, sums } = self;
        for (row, sums) in (first..).zip(sums.chunks_mut(width)) {
            let Row { indices, values } = matrix.row(row);
            for (&column, &value) in indices.iter().zip(values) {
                let from = column as usize * width;
                axpy(simd, value, &dense[from..from + width], sums);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_no_memory_has_room_for_are_an_error() {
        let mut matrix = SparseMatrix::new(4, vec![0, 2], vec![1, 3], vec![5.0, 7.0]).unwrap();
        assert_eq!(matrix.transpose().unwrap().row(3).values, [7.0]);
        matrix.columns = 1 << 50;
        if cfg!(target_os = "linux") {
            assert!(matches!(matrix.transpose(), Err(Error::OutOfMemory { .. })));
        }
    }
}
