//! Products of matrices: C = A·B, from zero, from what C holds, or from a bias.
//!
//! Each value of C is one chain of additions in the order of the depth:
//!
//! ```text
//! c ← start      c ← fma(a[i][p], b[p][j], c)   for p = 0, 1, ...
//! ```
//!
//! So it depends on its row of A and its column of B alone, bit for bit: not on the rows beside it,
//! not on how the work is cut into blocks, and not on the pieces in which the depth comes, if each
//! goes on from what the last one left.
//!
//! Goto and van de Geijn 2008, "Anatomy of High-Performance Matrix Multiplication": a tile of C in
//! registers; a panel of B as wide as the tile in the first cache; a block of A in the second.

mod pack;
#[cfg(test)]
mod tests;
mod tile;

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use inlay_base::Crew;
pub use pack::Packed;
use pack::{pack_columns, pack_rows};
use tile::{Left, Right, tile};
pub(crate) use tile::{Place, read, write};

use crate::bytes::Meaning;
use crate::{Activation, Aligned, Kernels, Simd, Task};

/// Depth of a block: a panel of B of it fits the first cache.
const DEPTH: usize = 256;
/// Rows of a block of A, at most.
const ROWS: usize = 336;
/// Columns of a block of B, at most.
const COLUMNS: usize = 3072;
/// Rows of the tallest tile and columns of the widest, of any set.
const TALLEST: usize = 14;
const WIDEST: usize = 32;

/// Numbers in rows and columns that lie in a slice: either a row or a column is contiguous.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_step: usize,
    column_step: usize,
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
    fn of_rows(&self, rows: &Range<usize>) -> Self {
        let values = self.values.get(rows.start * self.row_step..).unwrap_or_default();
        Self { values, rows: rows.len(), ..*self }
    }

    pub(crate) fn some_rows(&self, first: usize, count: usize) -> Self {
        Self::spaced(&self.values[first * self.row_step..], count, self.columns, self.row_step)
    }

    fn at(&self, row: usize, column: usize) -> *const f32 {
        self.values.as_ptr().wrapping_add(row * self.row_step + column * self.column_step)
    }
}

/// Where a product goes: rows whose starts are `step` values apart.
pub struct Target<'a> {
    values: *mut f32,
    rows: usize,
    columns: usize,
    step: usize,
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
    /// Nobody else reads or writes these while it lives.
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

    /// The values of a row.
    fn values(&mut self, row: usize) -> &mut [f32] {
        assert!(row < self.rows);
        // SAFETY: they were in the slice that this was made of.
        unsafe { std::slice::from_raw_parts_mut(self.row(row), self.columns) }
    }

    pub(crate) fn row(&mut self, row: usize) -> *mut f32 {
        self.values.wrapping_add(row * self.step)
    }

    /// The same once more.
    pub(crate) fn again(&mut self) -> Target<'_> {
        Target { borrowed: PhantomData, ..*self }
    }
}

fn span(rows: usize, columns: usize, step: usize) -> usize {
    rows.checked_sub(1).map_or(0, |last| last * step + columns)
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
}

impl Start<'_> {
    /// Of some columns.
    pub(crate) fn columns(self, columns: &Range<usize>) -> Self {
        match self {
            Self::Bias(bias) => Self::Bias(&bias[columns.clone()]),
            other => other,
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
    fn shape(&self) -> (usize, usize) {
        match self {
            Self::Plain(matrix) => (matrix.rows, matrix.columns),
            Self::Packed(packed, _, columns) => (packed.rows, *columns),
        }
    }

    /// Some of its columns, which begin a panel.
    fn columns(self, columns: &Range<usize>) -> Self {
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

/// Memory that products work in; one for each thread, used again and again. It grows with what lies on it:
/// a short call must not pay for the largest one.
pub struct Desk {
    a: Aligned<f32>,
    b: Aligned<f32>,
    /// Rows that are not there (see `convolve`).
    zeros: Vec<f32>,
    /// Rows copied under the taps of windows.
    pub(crate) copies: Vec<f32>,
    /// Rows as bytes, and what these mean (see `multiply_bytes`).
    pub(crate) bytes: Vec<u8>,
    pub(crate) meanings: Vec<Meaning>,
    crew: Option<Arc<Crew>>,
}

impl Desk {
    /// Who helps with large products from here on; nobody by default.
    pub fn share(&mut self, crew: Option<Arc<Crew>>) {
        self.crew = crew;
    }

    /// The crew, if it is worth its while for so many products of two numbers.
    pub(crate) fn crew_for(&self, products: usize) -> Option<Arc<Crew>> {
        self.crew.as_ref().filter(|_| products >= 1 << 20).map(Arc::clone)
    }

    /// Room for a block of A, and a vector behind it.
    fn rows(&mut self, rows: usize, depth: usize) -> &mut [f32] {
        self.a.grow(0.0, (rows + TALLEST) * depth + 16);
        &mut self.a
    }

    /// Room for panels of B.
    fn columns(&mut self, depth: usize, columns: usize) -> &mut [f32] {
        self.b.grow(0.0, depth * (columns + WIDEST));
        &mut self.b
    }

    pub(crate) fn zeros(&mut self, length: usize) -> &[f32] {
        self.zeros.resize(self.zeros.len().max(length), 0.0);
        &self.zeros
    }
}

impl Default for Desk {
    fn default() -> Self {
        let (a, b) = (Aligned::new(0.0, 0), Aligned::new(0.0, 0));
        let (zeros, copies) = (Vec::new(), Vec::new());
        let (bytes, meanings) = (Vec::new(), Vec::new());
        Self { a, b, zeros, copies, bytes, meanings, crew: None }
    }
}

/// C = `activation`(`start` + A·B).
///
/// # Panics
/// If the shapes do not fit, or the bias is not as long as a row of C.
pub fn multiply<'a>(
    kernels: Kernels,
    a: Matrix<'a>,
    b: impl Into<Second<'a>>,
    start: Start<'a>,
    activation: Option<Activation>,
    c: Target<'a>,
    desk: &mut Desk,
) {
    let b = b.into();
    assert_eq!((a.columns, c.columns), b.shape());
    assert_eq!(a.rows, c.rows);
    if let Start::Bias(bias) = start {
        assert_eq!(bias.len(), c.columns);
    }
    let (rows, columns) = (c.rows, c.columns);
    if let Some(crew) = desk.crew_for(rows * columns * a.columns) {
        let shares = shares(rows, columns, crew.size());
        crew.each(shares.len(), &|number| {
            let (down, across) = &shares[number];
            // SAFETY: no two shares have a value in common.
            let c = unsafe { c.part(down.clone(), across.clone()) };
            let (a, b) = (a.of_rows(down), b.columns(across));
            let start = start.columns(across);
            kernels.run(Product { a, b, start, activation, c, desk: &mut Desk::default() });
        });
        return;
    }
    kernels.run(Product { a, b, start, activation, c, desk });
}

/// Cuts a product for so many threads: by rows if there are many, else by columns, at the panels of any set.
pub(crate) fn shares(
    rows: usize,
    columns: usize,
    threads: usize,
) -> Vec<(Range<usize>, Range<usize>)> {
    let cut = |length: usize, unit: usize| {
        let units = length.div_ceil(unit);
        let step = units.div_ceil(2 * threads) * unit;
        (0..length).step_by(step.max(1)).map(move |first| first..length.min(first + step))
    };
    match rows >= 8 * TALLEST * threads {
        true => cut(rows, TALLEST).map(|down| (down, 0..columns)).collect(),
        false => cut(columns, WIDEST).map(|across| (0..rows, across)).collect(),
    }
}

struct Product<'a, 'd> {
    a: Matrix<'a>,
    b: Second<'a>,
    start: Start<'a>,
    activation: Option<Activation>,
    c: Target<'a>,
    desk: &'d mut Desk,
}

impl Task for Product<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let (rows, columns, depth) = (self.c.rows, self.c.columns, self.a.columns);
        if depth == 0 {
            return self.begin(simd);
        }
        let width = S::PRODUCT.1 * S::LANES;
        // A short product has no second use for a panel of B that would pay for packing it.
        let few = rows <= S::PRODUCT.0;
        for first in (0..columns).step_by(COLUMNS) {
            let across = first..columns.min(first + COLUMNS);
            for top in (0..depth).step_by(DEPTH) {
                let deep = top..depth.min(top + DEPTH);
                let right = match self.b {
                    Second::Packed(packed, begin, _) => packed.block(begin + first, top),
                    Second::Plain(b) if few && b.column_step == 1 => {
                        Right::lying(b.at(top, first), b.row_step, width)
                    }
                    Second::Plain(b) if rows <= ROWS => {
                        self.panel_by_panel(simd, b, across.clone(), deep);
                        continue;
                    }
                    Second::Plain(b) => {
                        let room = self.desk.columns(deep.len(), across.len());
                        pack_columns(simd, b, deep.clone(), across.clone(), room);
                        Right::packed(room.as_ptr(), deep.len(), width)
                    }
                };
                for left in (0..rows).step_by(ROWS) {
                    let down = left..rows.min(left + ROWS);
                    let left = self.left(simd, down.clone(), across.len(), deep.clone());
                    for (panel, column) in across.clone().step_by(width).enumerate() {
                        let columns = column..across.end.min(column + width);
                        self.panel(simd, down.clone(), columns, &deep, left, right.panel(panel));
                    }
                }
            }
        }
    }
}

impl Product<'_, '_> {
    /// All of the few rows by one panel of B after the other, each packed into the first cache.
    #[inline(always)]
    fn panel_by_panel<S: Simd>(
        &mut self,
        simd: S,
        b: Matrix<'_>,
        across: Range<usize>,
        deep: Range<usize>,
    ) {
        let (width, down) = (S::PRODUCT.1 * S::LANES, 0..self.c.rows);
        let left = self.left(simd, down.clone(), across.len(), deep.clone());
        for column in across.clone().step_by(width) {
            let columns = column..across.end.min(column + width);
            let room = self.desk.columns(deep.len(), width);
            pack_columns(simd, b, deep.clone(), columns.clone(), room);
            let right = Right::packed(room.as_ptr(), deep.len(), width);
            self.panel(simd, down.clone(), columns, &deep, left, right);
        }
    }

    /// The rows `down` of A by the depth `deep`, packed where `across` so many columns pay for it; and the
    /// step from one tile to the next.
    #[inline(always)]
    fn left<S: Simd>(
        &mut self,
        simd: S,
        down: Range<usize>,
        across: usize,
        deep: Range<usize>,
    ) -> (Left, usize) {
        let (tall, width) = (S::PRODUCT.0, S::PRODUCT.1 * S::LANES);
        // Contiguous rows pay for being packed only where many panels of B read them: on AVX-512, products of
        // up to 512 columns were 1.02 to 1.09 times as fast without, and of 1024 0.97 times.
        if down.len() <= tall || self.a.column_step == 1 && across <= 16 * width {
            let values = self.a.at(down.start, deep.start);
            let (row, step) = (self.a.row_step, self.a.column_step);
            return (Left { values, row, step }, tall * row);
        }
        let depth = deep.len();
        let room = self.desk.rows(down.len(), depth);
        pack_rows(simd, self.a, down, deep, room);
        (Left { values: room.as_ptr(), row: 1, step: tall }, tall * depth)
    }

    /// A panel of C: its rows `down` and `columns`, which are one panel of B, by the depth `deep`.
    #[inline(always)]
    fn panel<S: Simd>(
        &mut self,
        simd: S,
        down: Range<usize>,
        across: Range<usize>,
        deep: &Range<usize>,
        (left, skip): (Left, usize),
        right: Right,
    ) {
        let (tall, columns) = (S::PRODUCT.0, across.len());
        let last = deep.end == self.a.columns;
        let start = match self.start {
            _ if deep.start > 0 => Place::Held,
            Start::Zero => Place::Zero,
            Start::Held => Place::Held,
            Start::Bias(bias) => Place::Row(bias[across.start..].as_ptr()),
        };
        for (number, row) in down.clone().step_by(tall).enumerate() {
            let left = Left { values: left.values.wrapping_add(number * skip), ..left };
            let rows = (down.end - row).min(tall);
            let to = self.c.row(row).wrapping_add(across.start);
            // SAFETY: the rows and columns of the tile lie in C, whose shape `multiply` has compared with theirs;
            // those of A and B do as `Matrix` said when it was made, or in the desk that was packed for them.
            unsafe { tile(simd, rows, columns, deep.len(), left, right, start, to, self.c.step) }
            if let (true, Some(activation)) = (last, self.activation) {
                for row in row..row + rows {
                    activation.on(simd, &mut self.c.values(row)[across.clone()]);
                }
            }
        }
    }

    /// A product of no depth is what it begins with.
    #[inline(always)]
    fn begin<S: Simd>(&mut self, simd: S) {
        for row in 0..self.c.rows {
            let row = self.c.values(row);
            match self.start {
                Start::Zero => row.fill(0.0),
                Start::Held => {}
                Start::Bias(bias) => row.copy_from_slice(bias),
            }
            if let Some(activation) = self.activation {
                activation.on(simd, row);
            }
        }
    }
}
