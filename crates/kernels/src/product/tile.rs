use super::ahead::{AHEAD, Soon, ask};
use crate::Simd;

/// Values from one step of A to the next, and multiples of it, with which a step's line is asked for.
const CROWDED: usize = 512;

/// The rows of A under a tile: value (i, p) is at `values[i * row + p * step]`.
#[derive(Clone, Copy)]
pub(super) struct Left {
    pub values: *const f32,
    pub row: usize,
    pub step: usize,
}

/// Columns of B beside a tile and all panels after them.
#[derive(Clone, Copy)]
pub(super) struct Right {
    values: *const f32,
    /// From one row to the next.
    step: usize,
    /// From one panel of columns to the next.
    panel: usize,
    /// Whether columns beyond the last are there, as zeros.
    padded: bool,
}

impl Right {
    /// A matrix with contiguous rows, as it lies.
    pub(super) fn lying(values: *const f32, step: usize, width: usize) -> Self {
        Self { values, step, panel: width, padded: false }
    }

    /// Panels of `width` columns and `depth` rows, one after the other.
    pub(super) fn packed(values: *const f32, depth: usize, width: usize) -> Self {
        Self { values, step: width, panel: depth * width, padded: true }
    }

    pub(super) fn panel(self, panel: usize) -> Self {
        Self { values: self.values.wrapping_add(panel * self.panel), ..self }
    }

    /// What one of so many tiles asks for of `depth` rows of it.
    pub(super) fn share(self, depth: usize, tile: (usize, usize)) -> Soon {
        Soon::share(self.values, self.step, depth, tile)
    }
}

/// What the sums of a tile begin with.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    Zero,
    Held,
    Row(*const f32),
    Both(*const f32),
}

/// One tile of C, with its sums in registers over all of `depth`.
///
/// # Safety
/// `left` has `rows` x `depth` values, `right` `depth` x `columns` (whole vectors, if it is padded),
/// `to` has `rows` rows of `columns` values, `row` apart; a row to start from is as long as one.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
pub(super) unsafe fn tile<S: Simd>(
    simd: S,
    rows: usize,
    columns: usize,
    depth: usize,
    left: Left,
    right: Right,
    start: Place,
    to: *mut f32,
    row: usize,
    soon: Soon,
) {
    macro_rules! of_rows {
        ($vectors:literal: $($rows:literal)*) => {
            match rows {
                // Tiles that are taller than this set's own never come.
                $($rows if $rows <= S::PRODUCT.0 => {
                    let shape = Shape::<$rows, $vectors> { columns, depth, left, right, to, row, soon };
                    // SAFETY: the caller's promise.
                    unsafe { shape.fill(simd, start) }
                })*
                _ => unreachable!("a tile is as tall as the set says"),
            }
        };
    }
    if columns <= S::LANES {
        of_rows!(1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14)
    } else {
        of_rows!(2: 1 2 3 4 5 6 7 8 9 10 11 12 13 14)
    }
}

struct Shape<const ROWS: usize, const VECTORS: usize> {
    columns: usize,
    depth: usize,
    left: Left,
    right: Right,
    to: *mut f32,
    row: usize,
    soon: Soon,
}

impl<const ROWS: usize, const VECTORS: usize> Shape<ROWS, VECTORS> {
    /// # Safety
    /// As for `tile`.
    #[inline(always)]
    unsafe fn fill<S: Simd>(self, simd: S, start: Place) {
        let Self { columns, depth, left, right, to, row, mut soon } = self;
        // Values in the last vector of a row.
        let last = columns - (VECTORS - 1) * S::LANES;
        let rows = std::array::from_fn(|i| to.wrapping_add(i * row).cast_const());
        // SAFETY: the caller's promise; the last vector of a row is read and written up to its end.
        unsafe {
            let mut sums: [[S::Vector; VECTORS]; ROWS] = begin(simd, start, rows, last);
            // Asked once and not at each step of the depth.
            let last_of_b = if right.padded { S::LANES } else { last };
            let (mut a, mut b) = (left.values, right.values);
            // Rows of C are asked for one after the other, those of the next tiles as well: they have left the first cache.
            let mut wanted = to;
            // Columns of A whose lines crowd few sets of a cache are gone again when the next tile has the rest of a line.
            let crowded = left.row == 1 && left.step.is_multiple_of(CROWDED);
            macro_rules! add_up {
                ($last:expr) => {
                    let mut rest = depth;
                    while rest > 0 {
                        soon.ask(simd);
                        for line in (0..VECTORS * S::LANES).step_by(16) {
                            simd.prefetch_to_write(wanted.wrapping_add(line));
                        }
                        wanted = wanted.wrapping_add(row);
                        let steps = rest.min(soon.every);
                        rest -= steps;
                        for _ in 0..steps {
                            ask::<S, VECTORS>(simd, b, right.step);
                            if crowded {
                                simd.prefetch_second(a.wrapping_add(AHEAD * left.step + ROWS - 1));
                            }
                            let across: [S::Vector; VECTORS] = read(simd, b, $last);
                            for (i, sums) in sums.iter_mut().enumerate() {
                                let down = simd.splat(*a.add(i * left.row));
                                for (sum, &across) in sums.iter_mut().zip(&across) {
                                    *sum = simd.fma(down, across, *sum);
                                }
                            }
                            a = a.wrapping_add(left.step);
                            b = b.wrapping_add(right.step);
                        }
                    }
                };
            }
            if last_of_b == S::LANES {
                add_up!(S::LANES);
            } else {
                add_up!(last_of_b);
            }
            for (i, sums) in sums.iter().enumerate() {
                write(simd, to.add(i * row), sums, last);
            }
        }
    }
}

/// What the sums of rows begin with, whose last vector has `last` values.
///
/// # Safety
/// Each row of `to`, and the one to start from, is as long.
#[inline(always)]
pub(crate) unsafe fn begin<S: Simd, const ROWS: usize, const VECTORS: usize>(
    simd: S,
    start: Place,
    to: [*const f32; ROWS],
    last: usize,
) -> [[S::Vector; VECTORS]; ROWS] {
    let mut sums = [[simd.splat(0.0); VECTORS]; ROWS];
    // SAFETY: the caller's promise.
    unsafe {
        match start {
            Place::Zero => {}
            Place::Held => {
                for (sums, to) in sums.iter_mut().zip(to) {
                    *sums = read(simd, to, last);
                }
            }
            Place::Row(values) => sums = [read(simd, values, last); ROWS],
            Place::Both(values) => {
                let row: [S::Vector; VECTORS] = read(simd, values, last);
                for (sums, to) in sums.iter_mut().zip(to) {
                    *sums = read(simd, to, last);
                    for (sum, value) in sums.iter_mut().zip(row) {
                        *sum = simd.add(*sum, value);
                    }
                }
            }
        }
    }
    sums
}

/// Vectors that lie one after the other; the last of them has `last` values.
///
/// # Safety
/// The values are there.
#[inline(always)]
pub(crate) unsafe fn read<S: Simd, const VECTORS: usize>(
    simd: S,
    from: *const f32,
    last: usize,
) -> [S::Vector; VECTORS] {
    let mut vectors = [simd.splat(0.0); VECTORS];
    for (i, vector) in vectors.iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        unsafe {
            let from = from.add(i * S::LANES);
            let short = i + 1 == VECTORS && last < S::LANES;
            *vector = if short { simd.load_first(from, last) } else { simd.load(from) };
        }
    }
    vectors
}

/// The other way round.
///
/// # Safety
/// There is room for the values.
#[inline(always)]
pub(crate) unsafe fn write<S: Simd, const VECTORS: usize>(
    simd: S,
    to: *mut f32,
    vectors: &[S::Vector; VECTORS],
    last: usize,
) {
    for (i, &vector) in vectors.iter().enumerate() {
        // SAFETY: the caller's promise.
        unsafe {
            let to = to.add(i * S::LANES);
            if i + 1 == VECTORS && last < S::LANES {
                simd.store_first(to, vector, last);
            } else {
                simd.store(to, vector);
            }
        }
    }
}
