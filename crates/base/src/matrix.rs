use std::marker::PhantomData;

use crate::{Error, Pages, Result};

/// Rows are padded with zeros to this many values (64 bytes: a cache line, an AVX-512 register).
const ROW_ALIGNMENT: usize = 16;

/// Rows of `f32` that all threads read and write without locks (Hogwild: Niu et al. 2011,
/// arXiv:1106.5730): a lost update costs less than a lock. Each row is padded with zeros to a
/// multiple of 16 values. Rows are met by `SharedRow` only; no reference into them exists while
/// threads write.
pub struct SharedMatrix {
    pages: Pages,
    rows: usize,
    columns: usize,
    stride: usize,
}

/// One row of a `SharedMatrix`, padding included. What is read through it may be half of another
/// thread's update, never anything but an f32.
#[derive(Clone, Copy)]
pub struct SharedRow<'a> {
    start: *mut f32,
    padded: usize,
    matrix: PhantomData<&'a SharedMatrix>,
}

// SAFETY: the shape never changes. The numbers do, under racing threads, on purpose: aligned
// 4-byte loads and stores do not tear on any supported machine, and no value of theirs is ever
// used as an index or a length.
unsafe impl Sync for SharedMatrix {}

impl SharedMatrix {
    /// All zeros.
    pub fn zeros(rows: usize, columns: usize) -> Result<Self> {
        let stride = columns.next_multiple_of(ROW_ALIGNMENT);
        let too_many = Error::OutOfMemory { asked: u64::MAX, free: None };
        let pages = Pages::zeroed(rows.checked_mul(stride).ok_or(too_many)?)?;
        Ok(Self { pages, rows, columns, stride })
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The values of a row, without its padding.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The values from one row's start to the next one's.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// A row, for the kernels.
    ///
    /// # Panics
    /// If there is no such row.
    #[inline(always)]
    pub fn row(&self, row: u32) -> SharedRow<'_> {
        assert!((row as usize) < self.rows);
        // SAFETY: the row is inside the pages, by the line above.
        let start = unsafe { self.pages.as_ptr().cast_mut().add(row as usize * self.stride) };
        SharedRow { start, padded: self.stride, matrix: PhantomData }
    }

    /// Copies a row out, without its padding.
    pub fn read(&self, row: u32, into: &mut [f32]) {
        assert_eq!(into.len(), self.columns);
        let from = self.row(row).start;
        for (i, value) in into.iter_mut().enumerate() {
            // SAFETY: `i` is below the number of columns.
            *value = unsafe { from.add(i).read_volatile() };
        }
    }

    /// Writes a row; the padding stays zero.
    pub fn write(&self, row: u32, values: &[f32]) {
        assert_eq!(values.len(), self.columns);
        let to = self.row(row).start;
        for (i, &value) in values.iter().enumerate() {
            // SAFETY: `i` is below the number of columns.
            unsafe { to.add(i).write_volatile(value) };
        }
    }

    /// The memory, when no thread writes any more: rows of `stride` values.
    pub fn into_pages(self) -> Pages {
        self.pages
    }
}

impl<'a> SharedRow<'a> {
    /// The first value. Good for `padded` values, 64-byte aligned, as long as the row lives.
    #[inline(always)]
    pub fn as_ptr(self) -> *mut f32 {
        self.start
    }

    /// Values of the row with its padding: a multiple of 16.
    #[inline(always)]
    pub fn padded(self) -> usize {
        self.padded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_padded_with_zeros_and_keep_what_is_written() {
        for columns in [1, 15, 16, 17, 100] {
            let matrix = SharedMatrix::zeros(3, columns).unwrap();
            let values: Vec<f32> = (0..columns).map(|i| i as f32 + 1.0).collect();
            matrix.write(1, &values);
            let mut back = vec![0.0; columns];
            matrix.read(1, &mut back);
            assert_eq!(back, values);
            assert_eq!(matrix.stride() % 16, 0);
            let stride = matrix.stride();
            let pages = matrix.into_pages();
            let row = &pages.as_slice()[stride..2 * stride];
            assert_eq!(&row[..columns], &values[..]);
            assert!(row[columns..].iter().all(|&value| value == 0.0));
        }
    }

    #[test]
    #[should_panic]
    fn a_row_that_is_not_there_panics() {
        SharedMatrix::zeros(3, 5).unwrap().row(3);
    }
}
