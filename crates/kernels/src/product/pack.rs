use std::ops::Range;

use super::tile::Right;
use super::{Matrix, TALLEST, WIDEST};
use crate::{Aligned, Kernels, Simd, Task};

/// A second operand in panels as wide as a tile, zeros beyond its last column: [columns / width]
/// [rows] [width].
pub struct Packed {
    values: Aligned<f32>,
    pub(super) rows: usize,
    pub(super) columns: usize,
    width: usize,
}

impl Packed {
    /// Room for a matrix of this shape; the matrix itself is given by `pack`.
    pub fn new(kernels: Kernels, rows: usize, columns: usize) -> Self {
        let width = kernels.run(Width);
        let values = Aligned::new(0.0, rows * columns.next_multiple_of(width));
        Self { values, rows, columns, width }
    }

    /// Values that it holds, the zeros among them.
    pub fn size(&self) -> usize {
        self.values.len()
    }

    /// What it holds, as it lies.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Takes in a matrix.
    ///
    /// # Panics
    /// If it is not of the shape that there is room for.
    pub fn pack(&mut self, kernels: Kernels, matrix: Matrix<'_>) {
        assert_eq!(matrix.rows, self.rows);
        self.pack_rows(kernels, 0, matrix);
    }

    /// Takes in a matrix as the rows from `top` on.
    ///
    /// # Panics
    /// If there is no room for it there.
    pub fn pack_rows(&mut self, kernels: Kernels, top: usize, matrix: Matrix<'_>) {
        assert!(matrix.columns == self.columns && top + matrix.rows <= self.rows);
        kernels.run(Pack { matrix, top, first: 0, packed: self });
    }

    /// Takes in a matrix as the columns from `first` on.
    ///
    /// # Panics
    /// If there is no room for it there, or a panel would have columns of two matrices.
    pub fn pack_columns(&mut self, kernels: Kernels, first: usize, matrix: Matrix<'_>) {
        assert!(matrix.rows == self.rows && first + matrix.columns <= self.columns);
        assert!(first.is_multiple_of(self.width));
        kernels.run(Pack { matrix, top: 0, first, packed: self });
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// A panel of columns.
    pub(crate) fn panel(&self, panel: usize) -> *const f32 {
        self.values[panel * self.width * self.rows..].as_ptr()
    }

    /// Columns from `first`, which begins a panel, and rows from `top` on.
    pub(super) fn block(&self, first: usize, top: usize) -> Right {
        let skipped = first * self.rows + top * self.width;
        Right::packed(self.values[skipped..].as_ptr(), self.rows, self.width)
    }
}

struct Width;

impl Task for Width {
    type Output = usize;
    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) -> usize {
        S::PRODUCT.1 * S::LANES
    }
}

struct Pack<'a, 'p> {
    matrix: Matrix<'a>,
    /// Where its first row and its first column go.
    top: usize,
    first: usize,
    packed: &'p mut Packed,
}

impl Task for Pack<'_, '_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Packed { values, rows, width, .. } = self.packed;
        let (deep, columns) = (0..self.matrix.rows, self.matrix.columns);
        if deep.is_empty() {
            return;
        }
        let panels = values.chunks_mut(*rows * *width).skip(self.first / *width);
        for (panel, first) in panels.zip((0..columns).step_by(*width)) {
            let across = first..(first + *width).min(columns);
            pack_columns(simd, self.matrix, deep.clone(), across, &mut panel[self.top * *width..]);
        }
    }
}

/// Panels of the columns `across` of the rows `deep`.
#[inline(always)]
pub(super) fn pack_columns<S: Simd>(
    simd: S,
    matrix: Matrix<'_>,
    deep: Range<usize>,
    across: Range<usize>,
    to: &mut [f32],
) {
    let width = S::PRODUCT.1 * S::LANES;
    assert!(width <= WIDEST && deep.end <= matrix.rows && across.end <= matrix.columns);
    if deep.is_empty() {
        return;
    }
    for (panel, first) in to.chunks_mut(deep.len() * width).zip(across.clone().step_by(width)) {
        let columns = (across.end - first).min(width);
        if matrix.column_step == 1 {
            let from = &matrix.values[matrix.row_step * deep.start + first..];
            copy(simd, from, matrix.row_step, columns, panel, width);
        } else {
            let from = Square { values: matrix.at(deep.start, first), step: matrix.column_step };
            // SAFETY: the columns of the matrix are contiguous and have the rows `deep`; the panel is
            // as deep and `width` wide.
            unsafe { turn(simd, from, columns, deep.len(), panel.as_mut_ptr(), width, width) }
        }
    }
}

/// Panels of the rows `down`, as tall as a tile, of the columns `deep`.
#[inline(always)]
pub(super) fn pack_rows<S: Simd>(
    simd: S,
    matrix: Matrix<'_>,
    down: Range<usize>,
    deep: Range<usize>,
    to: &mut [f32],
) {
    let tall = S::PRODUCT.0;
    assert!(tall <= TALLEST && down.end <= matrix.rows && deep.end <= matrix.columns);
    // Whole vectors are written, and the one after puts right what is beyond a panel's row.
    assert!(to.len() >= down.len().next_multiple_of(tall) * deep.len() + 16);
    for (panel, first) in down.clone().step_by(tall).enumerate() {
        let rows = (down.end - first).min(tall);
        let panel = &mut to[panel * tall * deep.len()..];
        if matrix.row_step == 1 {
            let from = &matrix.values[matrix.column_step * deep.start + first..];
            let to = &mut panel[..tall * deep.len()];
            copy(simd, from, matrix.column_step, rows, to, tall);
        } else {
            let from = Square { values: matrix.at(first, deep.start), step: matrix.row_step };
            // SAFETY: the rows of the matrix are contiguous and have the columns `deep`; the panel is
            // as deep and `tall` wide, and a vector lies behind the last one.
            unsafe { turn(simd, from, rows, deep.len(), panel.as_mut_ptr(), tall, rows) }
        }
    }
}

/// Lines of a panel: `count` values of each line, which begin `step` apart, and zeros after the last. So short a
/// line is not worth a call of what copies memory, and most have whole vectors, which are not worth a mask.
#[inline(always)]
fn copy<S: Simd>(simd: S, from: &[f32], step: usize, count: usize, to: &mut [f32], width: usize) {
    let lines = to.len() / width;
    assert!(lines == 0 || count <= width && from.len() >= (lines - 1) * step + count);
    if (count, width) == (2 * S::LANES, 2 * S::LANES) {
        // Lines of large matrices are on pages of their own, each of which is looked up once.
        for line in 0..lines {
            // SAFETY: two vectors are there in each line, and room for them.
            unsafe {
                let from = from.as_ptr().add(line * step);
                let to = to.as_mut_ptr().add(line * width);
                simd.store(to, simd.load(from));
                simd.store(to.add(S::LANES), simd.load(from.add(S::LANES)));
            }
        }
        return;
    }
    for at in (0..width).step_by(S::LANES) {
        let (here, room) = (count.saturating_sub(at).min(S::LANES), (width - at).min(S::LANES));
        let from = from.as_ptr().wrapping_add(at);
        // SAFETY: `here` values are there in each line, and room for `room`.
        unsafe {
            let to = to.as_mut_ptr().add(at);
            if here == S::LANES {
                for line in 0..lines {
                    simd.store(to.add(line * width), simd.load(from.add(line * step)));
                }
            } else {
                for line in 0..lines {
                    let values = simd.load_first(from.wrapping_add(line * step), here);
                    simd.store_first(to.add(line * width), values, room);
                }
            }
        }
    }
}

/// Lines of contiguous values whose starts are `step` apart.
#[derive(Clone, Copy)]
struct Square {
    values: *const f32,
    step: usize,
}

/// Lines become columns: value p of line i goes to `to[p * row + i]`; the values of lines from
/// `lines` up to `width` are zeros.
///
/// # Safety
/// There are `lines` lines of `depth` values, and room for `depth` rows of `row` values.
#[inline(always)]
unsafe fn turn<S: Simd>(
    simd: S,
    from: Square,
    lines: usize,
    depth: usize,
    to: *mut f32,
    row: usize,
    width: usize,
) {
    for first in (0..width).step_by(S::LANES) {
        let here = lines.saturating_sub(first).min(S::LANES);
        let wide = (width - first).min(S::LANES);
        for top in (0..depth).step_by(S::LANES) {
            let deep = (depth - top).min(S::LANES);
            // SAFETY: the caller's promise; vectors are read and written up to their ends.
            unsafe {
                let mut square = [simd.splat(0.0); 16];
                for (i, line) in square.iter_mut().enumerate().take(here) {
                    *line = simd.load_first(from.values.add((first + i) * from.step + top), deep);
                }
                simd.transpose(&mut square);
                for (p, &column) in square.iter().enumerate().take(deep) {
                    simd.store_first(to.add((top + p) * row + first), column, wide);
                }
            }
        }
    }
}
