//! What goes into products, and where they go.

use std::marker::PhantomData;
use std::ops::Range;

use super::{Packed, Place};

/// Numbers in rows and columns that lie in a slice: either a row or a column is contiguous.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    pub(super) values: &'a [f32],
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) row_step: usize,
    pub(super) column_step: usize,
}

impl<'a> Matrix<'a> {
    /// Rows that lie one after the other.
    ///
    /// # Panics
    /// If there are fewer values than that.
    pub fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        Self::spaced(values, rows, columns, columns)
    }

    /// Rows whose starts are `step` values apart.
    ///
    /// # Panics
    /// If the last row would end beyond the values, or rows overlap.
    pub fn spaced(values: &'a [f32], rows: usize, columns: usize, step: usize) -> Self {
        assert!(step >= columns && values.len() >= span(rows, columns, step));
        Self { values, rows, columns, row_step: step, column_step: 1 }
    }

    /// Rows of so many values whose starts are `step` values apart, and that may reach into the next ones.
    ///
    /// # Panics
    /// If the last row would end beyond the values.
    pub fn overlapping(values: &'a [f32], rows: usize, columns: usize, step: usize) -> Self {
        assert!(values.len() >= span(rows, columns, step));
        Self { values, rows, columns, row_step: step, column_step: 1 }
    }

    /// Rows as columns.
    #[must_use]
    pub fn transposed(self) -> Self {
        let Self { values, rows, columns, row_step, column_step } = self;
        Self { values, rows: columns, columns: rows, row_step: column_step, column_step: row_step }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// From one row to the next.
    pub(crate) fn step(&self) -> usize {
        self.row_step
    }

    /// Itself, if its rows are contiguous.
    pub(crate) fn lying(self) -> Self {
        assert_eq!(self.column_step, 1);
        self
    }

    pub(crate) fn row(&self, row: usize) -> *const f32 {
        self.at(row, 0)
    }

    /// All that lies from the first value to the last.
    pub(crate) fn values(&self) -> &'a [f32] {
        &self.values[..span(self.rows, self.columns, self.row_step)]
    }

    /// Some rows, however they lie.
    pub(super) fn of_rows(&self, rows: &Range<usize>) -> Self {
        let values = self.values.get(rows.start * self.row_step..).unwrap_or_default();
        Self { values, rows: rows.len(), ..*self }
    }

    pub(crate) fn some_rows(&self, first: usize, count: usize) -> Self {
        Self::spaced(&self.values[first * self.row_step..], count, self.columns, self.row_step)
    }

    /// The values of a row in some columns, if rows are contiguous.
    pub(super) fn part_of_row(&self, row: usize, columns: Range<usize>) -> &'a [f32] {
        debug_assert_eq!(self.column_step, 1);
        &self.values[row * self.row_step..][columns]
    }

    pub(super) fn at(&self, row: usize, column: usize) -> *const f32 {
        self.values.as_ptr().wrapping_add(row * self.row_step + column * self.column_step)
    }
}

/// Where a product goes: rows whose starts are `step` values apart.
pub struct Target<'a> {
    values: *mut f32,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) step: usize,
    borrowed: PhantomData<&'a mut [f32]>,
}

// SAFETY: it is the slice that it was made of.
unsafe impl Send for Target<'_> {}
// SAFETY: as above; `&Target` gives nothing but its shape, and `part`, whose caller promises more.
unsafe impl Sync for Target<'_> {}

impl<'a> Target<'a> {
    /// Rows that lie one after the other.
    ///
    /// # Panics
    /// If there are fewer values than that.
    pub fn new(values: &'a mut [f32], rows: usize, columns: usize) -> Self {
        Self::spaced(values, rows, columns, columns)
    }

    /// Rows whose starts are `step` values apart; what lies between them is left alone.
    ///
    /// # Panics
    /// If the last row would end beyond the values, or rows overlap.
    pub fn spaced(values: &'a mut [f32], rows: usize, columns: usize, step: usize) -> Self {
        assert!(step >= columns && values.len() >= span(rows, columns, step));
        Self { values: values.as_mut_ptr(), rows, columns, step, borrowed: PhantomData }
    }

    /// Some of its rows and columns.
    ///
    /// # Safety
    /// Nobody else reads or writes the values that are read or written through it, while it lives.
    pub(crate) unsafe fn part(&self, rows: Range<usize>, columns: Range<usize>) -> Target<'_> {
        assert!(rows.end <= self.rows && columns.end <= self.columns);
        let values = self.values.wrapping_add(rows.start * self.step + columns.start);
        let (rows, columns) = (rows.len(), columns.len());
        Target { values, rows, columns, step: self.step, borrowed: PhantomData }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// From one row to the next.
    pub(crate) fn step(&self) -> usize {
        self.step
    }

    /// The values of a row.
    pub(crate) fn values(&mut self, row: usize) -> &mut [f32] {
        assert!(row < self.rows);
        // SAFETY: they were in the slice that this was made of.
        unsafe { std::slice::from_raw_parts_mut(self.row(row), self.columns) }
    }

    pub(crate) fn row(&mut self, row: usize) -> *mut f32 {
        self.values.wrapping_add(row * self.step)
    }

    /// Its only row as rows of so many columns.
    pub(crate) fn folded(self, columns: usize) -> Self {
        assert!(self.rows == 1 && self.columns.is_multiple_of(columns));
        Self { rows: self.columns / columns, columns, step: columns, ..self }
    }

    /// The same once more.
    pub(crate) fn again(&mut self) -> Target<'_> {
        Target { borrowed: PhantomData, ..*self }
    }
}

/// Values from the first of a matrix to its last.
///
/// # Panics
/// If there are more than can be counted: no slice has them.
fn span(rows: usize, columns: usize, step: usize) -> usize {
    let Some(last) = rows.checked_sub(1) else { return 0 };
    let span = last.checked_mul(step).and_then(|before| before.checked_add(columns));
    span.expect("rows that fit memory")
}

/// What a value of the product begins with.
#[derive(Clone, Copy)]
pub enum Start<'a> {
    /// C = A·B
    Zero,
    /// C += A·B
    Held,
    /// C = bias + A·B, a bias for each column.
    Bias(&'a [f32]),
    /// C += bias + A·B.
    Both(&'a [f32]),
}

impl Start<'_> {
    /// Of some columns.
    pub(crate) fn columns(self, columns: &Range<usize>) -> Self {
        match self {
            Self::Bias(bias) => Self::Bias(&bias[columns.clone()]),
            Self::Both(bias) => Self::Both(&bias[columns.clone()]),
            other => other,
        }
    }

    pub(crate) fn bias(&self) -> Option<&[f32]> {
        match self {
            Self::Bias(bias) | Self::Both(bias) => Some(bias),
            Self::Zero | Self::Held => None,
        }
    }

    pub(crate) fn is_held(&self) -> bool {
        matches!(self, Self::Held | Self::Both(_))
    }

    /// For the columns from `first` on.
    pub(crate) fn place(&self, first: usize) -> Place {
        match self {
            Self::Zero => Place::Zero,
            Self::Held => Place::Held,
            Self::Bias(bias) => Place::Row(bias[first..].as_ptr()),
            Self::Both(bias) => Place::Both(bias[first..].as_ptr()),
        }
    }
}

/// The second operand.
#[derive(Clone, Copy)]
pub enum Second<'a> {
    /// As it lies.
    Plain(Matrix<'a>),
    /// Packed before, for operands that are used more than once: its columns from the first on, which begins a panel, and
    /// how many.
    Packed(&'a Packed, usize, usize),
}

impl<'a> From<Matrix<'a>> for Second<'a> {
    fn from(matrix: Matrix<'a>) -> Self {
        Self::Plain(matrix)
    }
}

impl<'a> From<&'a Packed> for Second<'a> {
    fn from(packed: &'a Packed) -> Self {
        Self::Packed(packed, 0, packed.columns)
    }
}

impl Second<'_> {
    pub(super) fn shape(&self) -> (usize, usize) {
        match self {
            Self::Plain(matrix) => (matrix.rows, matrix.columns),
            Self::Packed(packed, _, columns) => (packed.rows, *columns),
        }
    }

    /// Some of its columns, which begin a panel.
    pub(super) fn columns(self, columns: &Range<usize>) -> Self {
        match self {
            Self::Plain(Matrix { values, rows, row_step, column_step, .. }) => {
                let values = values.get(columns.start * column_step..).unwrap_or_default();
                Self::Plain(Matrix { values, rows, columns: columns.len(), row_step, column_step })
            }
            Self::Packed(packed, first, _) => {
                Self::Packed(packed, first + columns.start, columns.len())
            }
        }
    }
}
