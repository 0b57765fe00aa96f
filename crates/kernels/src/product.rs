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

mod ahead;
mod desk;
mod operands;
mod pack;
#[cfg(test)]
pub(crate) mod tests;
mod tile;

use std::ops::Range;

pub(crate) use ahead::{Soon, ask};
pub use desk::Desk;
pub(crate) use desk::shares;
pub use operands::{Matrix, Second, Start, Target};
pub use pack::Packed;
use pack::{pack_columns, pack_rows};
use tile::{Left, Right, tile};
pub(crate) use tile::{Place, begin, read, write};

use crate::{Activation, Kernels, Simd, Task};

/// Depth of a block, at most. A panel of B of it is twice the first cache, and comes from the second for each tile; with less,
/// sums are read and written more often, which costs more.
const DEPTH: usize = 768;
/// Rows of a block of A, at most.
const ROWS: usize = 224;
/// Columns of a block of B, at most.
const COLUMNS: usize = 3072;
/// Values from one row of A to the next that, and whose multiples, put all rows of a tile into one set of the first cache.
const PERIOD: usize = 1024;
/// Rows that find room in one set.
const WAYS: usize = 8;
/// Rows of the tallest tile and columns of the widest, of any set.
const TALLEST: usize = 14;
const WIDEST: usize = 32;

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
    assert!(start.bias().is_none_or(|bias| bias.len() == c.columns));
    let (rows, columns) = (c.rows, c.columns);
    if let Some(crew) = desk.crew_for(rows * columns * a.columns) {
        let shares = shares(rows, columns, crew.size());
        crew.each(shares.len(), &|number| {
            let (down, across) = &shares[number];
            // SAFETY: no two shares have a value in common, and none goes beyond its own.
            let c = unsafe { c.part(down.clone(), across.clone()) };
            let (a, b) = (a.of_rows(down), b.columns(across));
            let start = start.columns(across);
            kernels.run(Product { a, b, start, activation, c, desk: &mut Desk::default() });
        });
        return;
    }
    kernels.run(Product { a, b, start, activation, c, desk });
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
        let step = depth.div_ceil(depth.div_ceil(DEPTH));
        if let Second::Plain(_) = self.b {
            let tiles = rows.div_ceil(S::PRODUCT.0) * columns.div_ceil(width);
            self.desk.wanted.take(tiles * depth.div_ceil(step));
        }
        for first in (0..columns).step_by(COLUMNS) {
            let across = first..columns.min(first + COLUMNS);
            for top in (0..depth).step_by(step) {
                let deep = top..depth.min(top + step);
                let ready = match self.b {
                    Second::Packed(packed, begin, _) => Some(packed.block(begin + first, top)),
                    Second::Plain(b) if few && b.column_step == 1 => {
                        Some(Right::lying(b.at(top, first), b.row_step, width))
                    }
                    // One block of rows has each panel packed into the first cache when its turn comes; several have all
                    // of them packed before.
                    Second::Plain(_) if rows <= ROWS => None,
                    Second::Plain(b) => Some(self.pack(simd, b, &deep, &across)),
                };
                for left in (0..rows).step_by(ROWS) {
                    let down = left..rows.min(left + ROWS);
                    let left = self.left(simd, down.clone(), across.len(), deep.clone());
                    let panels = across.len().div_ceil(width);
                    for (panel, column) in across.clone().step_by(width).enumerate() {
                        let columns = column..across.end.min(column + width);
                        let right = match (ready, self.b) {
                            (Some(all), _) => {
                                [panel, (panel + 1) % panels].map(|panel| all.panel(panel))
                            }
                            (None, Second::Plain(b)) => [self.pack(simd, b, &deep, &columns); 2],
                            (None, Second::Packed(..)) => unreachable!("what is packed is ready"),
                        };
                        self.panel(simd, down.clone(), columns, &deep, left, right);
                    }
                }
            }
        }
    }
}

impl Product<'_, '_> {
    /// Panels of B, packed.
    #[inline(always)]
    fn pack<S: Simd>(
        &mut self,
        simd: S,
        b: Matrix<'_>,
        deep: &Range<usize>,
        across: &Range<usize>,
    ) -> Right {
        let width = S::PRODUCT.1 * S::LANES;
        let room = self.desk.columns(deep.len(), across.len().next_multiple_of(width));
        pack_columns(simd, b, deep.clone(), across.clone(), room);
        Right::packed(room.as_ptr(), deep.len(), width)
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
        // Contiguous rows, or columns, pay for being packed only where many panels of B read them: on AVX-512, products of
        // up to 512 columns were 1.02 to 1.09 times as fast without, and of 1024 0.97 times.
        let lying = self.a.column_step == 1;
        let contiguous = lying || self.a.row_step == 1;
        let crowded = down.len().min(tall) > WAYS && self.a.row_step.is_multiple_of(PERIOD);
        if lying && crowded && across <= 16 * width {
            let (rows, step) = self.desk.spread(self.a, down, deep);
            return (Left { values: rows, row: step, step: 1 }, tall * step);
        }
        if down.len() <= tall || contiguous && across <= 16 * width {
            let values = self.a.at(down.start, deep.start);
            let (row, step) = (self.a.row_step, self.a.column_step);
            return (Left { values, row, step }, tall * row);
        }
        let depth = deep.len();
        let room = self.desk.rows(down.len(), depth);
        pack_rows(simd, self.a, down, deep, room);
        (Left { values: room.as_ptr(), row: 1, step: tall }, tall * depth)
    }

    /// A panel of C: its rows `down` and `columns`, which are one panel of B, by the depth `deep`. What is wanted afterwards,
    /// or else the panel of B that comes next, is asked for meanwhile.
    #[inline(always)]
    fn panel<S: Simd>(
        &mut self,
        simd: S,
        down: Range<usize>,
        across: Range<usize>,
        deep: &Range<usize>,
        (left, skip): (Left, usize),
        [right, next]: [Right; 2],
    ) {
        let (tall, columns) = (S::PRODUCT.0, across.len());
        let tiles = down.len().div_ceil(tall);
        let last = deep.end == self.a.columns;
        let start = match self.start {
            _ if deep.start > 0 => Place::Held,
            start => start.place(across.start),
        };
        for (number, row) in down.clone().step_by(tall).enumerate() {
            let left = Left { values: left.values.wrapping_add(number * skip), ..left };
            let rows = (down.end - row).min(tall);
            let to = self.c.row(row).wrapping_add(across.start);
            let (depth, wanted) = (deep.len(), self.desk.wanted.share::<S>(deep.len()));
            let soon = wanted.unwrap_or_else(|| next.share(depth, (number, tiles)));
            // SAFETY: the rows and columns of the tile lie in C, whose shape `multiply` has compared with theirs;
            // those of A and B do as `Matrix` said when it was made, or in the desk that was packed for them.
            unsafe {
                tile(simd, rows, columns, depth, left, right, start, to, self.c.step, soon);
                if let (true, Some(activation)) = (last, self.activation) {
                    activation.on_rows(simd, to, (rows, columns), self.c.step);
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
                Start::Both(bias) => row.iter_mut().zip(bias).for_each(|(c, bias)| *c += bias),
            }
            if let Some(activation) = self.activation {
                activation.on(simd, row);
            }
        }
    }
}
