//! Products of numbers of 16 bits with the range of f32 and eight binary digits (bfloat16), added up in f32. A pair of them
//! is multiplied and added up for each lane at once: twice as many as of f32.
//!
//! ```text
//! C[i][j] = Σₚ A[i][2p]·B[2p][j] + A[i][2p+1]·B[2p+1][j]
//! ```

use std::arch::x86_64::*;

use crate::avx512::Avx512;
use crate::{Aligned, Kernels, Matrix, Simd, Target};

const LANES: usize = Avx512::LANES;
/// Rows and columns of a tile, whose sums stay in registers.
const TALL: usize = 14;
const WIDE: usize = 2 * LANES;

/// The proof that this machine multiplies them.
#[derive(Clone, Copy)]
pub(crate) struct Halves(Avx512);

/// Rows, each of pairs that lie one after the other; a zero is behind an odd one.
#[derive(Default)]
pub(crate) struct Rows {
    pairs: Aligned<u32>,
    rows: usize,
    /// Pairs of a row.
    depth: usize,
    /// From one row to the next.
    stride: usize,
}

/// Columns in panels as wide as a tile: [columns / 32] [pairs] [32]. Zeros are beyond the last row and column.
#[derive(Default)]
pub(crate) struct Panels {
    pairs: Aligned<u32>,
    /// Of a column.
    depth: usize,
    columns: usize,
}

impl Panels {
    fn begin(&mut self, rows: usize, columns: usize) {
        (self.depth, self.columns) = (rows.div_ceil(2), columns);
        self.pairs.grow(0, columns.div_ceil(WIDE) * WIDE * self.depth);
    }

    /// Where the pair `pair` of columns from `column` on lies, which is a multiple of the lanes.
    fn at(&mut self, pair: usize, column: usize) -> *mut __m512i {
        let at = (column / WIDE * self.depth + pair) * WIDE + column % WIDE;
        self.pairs[at..at + LANES].as_mut_ptr().cast()
    }
}

impl Halves {
    /// Those that belong to a set, where the machine has them.
    pub(crate) fn of(kernels: Kernels) -> Option<Self> {
        let has = kernels.name() == "avx512" && is_x86_feature_detected!("avx512bf16");
        Avx512::detect().filter(|_| has).map(Self)
    }

    /// Rows to multiply.
    pub(crate) fn rows(self, from: Matrix<'_>, to: &mut Rows) {
        // SAFETY: `self` proves that the machine has the features.
        unsafe { self.turn_rows(from.lying(), to) }
    }

    /// The rows of a matrix as columns.
    pub(crate) fn transposed(self, from: Matrix<'_>, to: &mut Panels) {
        // SAFETY: as above.
        unsafe { self.turn_transposed(from.lying(), to) }
    }

    /// The columns of a matrix.
    pub(crate) fn columns(self, from: Matrix<'_>, to: &mut Panels) {
        // SAFETY: as above.
        unsafe { self.turn_columns(from.lying(), to) }
    }

    /// C = A·B
    ///
    /// # Panics
    /// If the shapes do not fit.
    pub(crate) fn multiply(self, a: &Rows, b: &Panels, mut c: Target<'_>) {
        assert_eq!((c.rows(), c.columns(), a.depth), (a.rows, b.columns, b.depth));
        for column in (0..b.columns).step_by(WIDE) {
            let mut first = 0;
            while first < a.rows {
                let height = (a.rows - first).div_ceil((a.rows - first).div_ceil(TALL));
                let tile = Tile {
                    rows: a.pairs[first * a.stride..].as_ptr(),
                    stride: a.stride,
                    panel: b.pairs[column * b.depth..].as_ptr(),
                    depth: b.depth,
                    to: c.row(first).wrapping_add(column),
                    step: c.step(),
                    columns: (b.columns - column).min(WIDE),
                };
                macro_rules! of_rows {
                    ($($rows:literal)*) => {
                        match height {
                            // SAFETY: so many rows are there, each with all pairs, as the panel has them; so many rows
                            // and columns of C are; `self` proves that the machine has the features.
                            $($rows => unsafe { tile.fill::<$rows>() },)*
                            _ => unreachable!("a tile has {TALL} rows at most"),
                        }
                    };
                }
                of_rows!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
                first += height;
            }
        }
    }

    #[target_feature(enable = "avx512f,avx512bf16")]
    fn turn_rows(self, from: Matrix<'_>, to: &mut Rows) {
        let columns = from.columns();
        // An odd number of lines, so that rows do not crowd a set of the first cache.
        to.stride = (columns.div_ceil(2 * LANES) | 1) * LANES;
        (to.rows, to.depth) = (from.rows(), columns.div_ceil(2));
        to.pairs.grow(0, to.rows * to.stride);
        for (row, to) in (0..to.rows).zip(to.pairs.chunks_exact_mut(to.stride)) {
            for (at, to) in (0..columns).step_by(2 * LANES).zip(to.chunks_exact_mut(LANES)) {
                // SAFETY: values up to the row's last are read, and a line is written.
                unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), self.pairs(from, row, at)) };
            }
        }
    }

    #[target_feature(enable = "avx512f,avx512bf16")]
    fn turn_transposed(self, from: Matrix<'_>, to: &mut Panels) {
        to.begin(from.columns(), from.rows());
        for first in (0..from.rows().next_multiple_of(WIDE)).step_by(LANES) {
            for at in (0..from.columns()).step_by(2 * LANES) {
                let mut square = [_mm512_setzero_ps(); 16];
                for (row, pairs) in (first..from.rows()).zip(&mut square) {
                    // SAFETY: values up to the row's last are read.
                    *pairs = _mm512_castsi512_ps(unsafe { self.pairs(from, row, at) });
                }
                self.0.transpose(&mut square);
                for (pair, &pairs) in (at / 2..to.depth).zip(&square) {
                    // SAFETY: there is a line.
                    unsafe { _mm512_storeu_si512(to.at(pair, first), _mm512_castps_si512(pairs)) };
                }
            }
        }
    }

    #[target_feature(enable = "avx512f,avx512bf16")]
    fn turn_columns(self, from: Matrix<'_>, to: &mut Panels) {
        to.begin(from.rows(), from.columns());
        for column in (0..from.columns().next_multiple_of(WIDE)).step_by(LANES) {
            let count = from.columns().saturating_sub(column).min(LANES);
            for pair in 0..to.depth {
                let mut halves = [_mm512_setzero_si512(); 2];
                for (row, half) in (2 * pair..from.rows()).zip(&mut halves) {
                    // SAFETY: values up to the row's last are read; the two types are of the same bits.
                    unsafe {
                        let values = from.row(row).wrapping_add(column);
                        let values = _mm512_cvtneps_pbh(self.0.load_first(values, count));
                        *half =
                            _mm512_cvtepu16_epi32(std::mem::transmute::<__m256bh, __m256i>(values));
                    }
                }
                let [low, high] = halves;
                let pairs = _mm512_or_si512(low, _mm512_slli_epi32::<16>(high));
                // SAFETY: there is a line.
                unsafe { _mm512_storeu_si512(to.at(pair, column), pairs) };
            }
        }
    }

    /// Sixteen pairs of a row from one of its values on; zeros are beyond its last.
    ///
    /// # Safety
    /// The row is there.
    #[target_feature(enable = "avx512f,avx512bf16")]
    unsafe fn pairs(self, from: Matrix<'_>, row: usize, at: usize) -> __m512i {
        let (values, count) = (from.row(row).wrapping_add(at), from.columns() - at);
        // SAFETY: values up to the row's last are read; the two types are of the same bits.
        unsafe {
            let low = self.0.load_first(values, count);
            let high = values.wrapping_add(LANES);
            let high = self.0.load_first(high, count.saturating_sub(LANES));
            std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low))
        }
    }
}

/// Some rows beside a panel.
struct Tile {
    rows: *const u32,
    stride: usize,
    panel: *const u32,
    depth: usize,
    to: *mut f32,
    /// From one row of C to the next.
    step: usize,
    columns: usize,
}

impl Tile {
    /// # Safety
    /// There are `ROWS` rows of pairs and of C, with `columns` columns, and a panel, each of all pairs.
    #[target_feature(enable = "avx512f,avx512bf16")]
    unsafe fn fill<const ROWS: usize>(&self) {
        let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
        let (mut row, mut panel) = (self.rows, self.panel);
        // SAFETY: the caller's promise; vectors and pairs are of the same bits.
        unsafe {
            for _ in 0..self.depth {
                let across = [panel, panel.wrapping_add(LANES)];
                let across = [
                    pairs(_mm512_loadu_si512(across[0].cast())),
                    pairs(_mm512_loadu_si512(across[1].cast())),
                ];
                for (i, sums) in sums.iter_mut().enumerate() {
                    let down = pairs(_mm512_set1_epi32(row.add(i * self.stride).read() as i32));
                    for (sum, &across) in sums.iter_mut().zip(&across) {
                        *sum = _mm512_dpbf16_ps(*sum, down, across);
                    }
                }
                (row, panel) = (row.wrapping_add(1), panel.wrapping_add(WIDE));
            }
            if self.columns == WIDE {
                for (i, sums) in sums.iter().enumerate() {
                    let to = self.to.add(i * self.step);
                    _mm512_storeu_ps(to, sums[0]);
                    _mm512_storeu_ps(to.add(LANES), sums[1]);
                }
                return;
            }
            let masks = ((1u64 << self.columns) - 1) as u32;
            for (i, sums) in sums.iter().enumerate() {
                let to = self.to.add(i * self.step);
                _mm512_mask_storeu_ps(to, masks as u16, sums[0]);
                _mm512_mask_storeu_ps(to.wrapping_add(LANES), (masks >> 16) as u16, sums[1]);
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512bf16")]
fn pairs(vector: __m512i) -> __m512bh {
    // SAFETY: the two types are of the same bits.
    unsafe { std::mem::transmute::<__m512i, __m512bh>(vector) }
}

#[cfg(test)]
mod tests {
    use inlay_base::Random;

    use super::*;

    #[test]
    #[allow(clippy::print_stderr)] // what is not tested is said
    fn products_are_near_those_of_numbers() {
        let Some(halves) = Kernels::available().into_iter().find_map(Halves::of) else {
            return eprintln!("skipped: this machine does not multiply numbers of 16 bits");
        };
        let mut random = Random::new(5, 0);
        let (mut a, mut b, mut transposed) =
            (Rows::default(), Panels::default(), Panels::default());
        // From large to small: what is left of the one before must not show.
        for (rows, depth, columns) in
            [(64, 300, 70), (15, 33, 32), (14, 32, 16), (3, 7, 33), (29, 2, 31), (1, 1, 1)]
        {
            let mut numbers =
                |length: usize| -> Vec<f32> { (0..length).map(|_| random.unit() - 0.4).collect() };
            let (left, right) = (numbers(rows * depth), numbers(depth * columns));
            let turned: Vec<f32> =
                (0..columns * depth).map(|at| right[at % depth * columns + at / depth]).collect();
            halves.rows(Matrix::new(&left, rows, depth), &mut a);
            halves.columns(Matrix::new(&right, depth, columns), &mut b);
            halves.transposed(Matrix::new(&turned, columns, depth), &mut transposed);
            let mut found =
                [vec![f32::NAN; rows * columns + 1], vec![f32::NAN; rows * columns + 1]];
            for (found, b) in found.iter_mut().zip([&b, &transposed]) {
                halves.multiply(&a, b, Target::new(found, rows, columns));
                assert!(found.pop().unwrap().is_nan(), "nothing behind the last is written");
            }
            assert_eq!(found[0], found[1]);
            for (at, &found) in found[0].iter().enumerate() {
                let terms = (0..depth).map(|p| {
                    let (a, b) =
                        (left[at / columns * depth + p], right[p * columns + at % columns]);
                    (f64::from(a) * f64::from(b), f64::from(a * b).abs())
                });
                let (sum, room) = terms.fold((0.0, 0.0), |(sum, room), (x, y)| (sum + x, room + y));
                // Half of the last of eight binary digits of each factor.
                let error = (f64::from(found) - sum).abs();
                assert!(error <= room / 127.0 + 1e-6, "{rows} {depth} {columns}: off by {error}");
            }
        }
    }
}
