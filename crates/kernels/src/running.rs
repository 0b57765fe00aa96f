//! Sums of the rows of windows as differences of sums over all rows before: as many additions for a wide window as
//! for a narrow one.

use inlay_base::SharedRow;

use crate::Simd;

/// after = before + row
///
/// # Panics
/// If the sums are not as long as the padded row.
#[inline(always)]
pub fn run_on<S: Simd>(simd: S, row: SharedRow<'_>, before: &[f32], after: &mut [f32]) {
    assert!(before.len() == row.padded() && after.len() == row.padded());
    for i in (0..row.padded()).step_by(S::LANES) {
        // SAFETY: `i` is below `padded`, a multiple of 16, and `LANES` divides 16.
        unsafe {
            let sum = simd.add(simd.load(before.as_ptr().add(i)), simd.load(row.as_ptr().add(i)));
            simd.store(after.as_mut_ptr().add(i), sum);
        }
    }
}

/// h = scale · (row + Σ rows from the first sum to the second + Σ rows from the third to the fourth), where a sum
/// is that of all rows before its place.
///
/// # Panics
/// If the sums and `hidden` are not as long as the padded row.
#[inline(always)]
pub fn mean_between<S: Simd>(
    simd: S,
    row: SharedRow<'_>,
    sums: [&[f32]; 4],
    scale: f32,
    hidden: &mut [f32],
) {
    assert!(sums.iter().all(|sum| sum.len() == row.padded()) && hidden.len() == row.padded());
    let factor = simd.splat(scale);
    for i in (0..row.padded()).step_by(S::LANES) {
        // SAFETY: `i` is below `padded`, a multiple of 16, and `LANES` divides 16.
        unsafe {
            let [start, centre, after, end] = sums.map(|sum| simd.load(sum.as_ptr().add(i)));
            let around = simd.add(simd.sub(centre, start), simd.sub(end, after));
            let sum = simd.add(simd.load(row.as_ptr().add(i)), around);
            simd.store(hidden.as_mut_ptr().add(i), simd.mul(factor, sum));
        }
    }
}

#[cfg(test)]
mod tests {
    use inlay_base::SharedMatrix;

    use super::*;
    use crate::{Kernels, Task};

    const COLUMNS: usize = 37;

    struct Windows<'a> {
        rows: &'a SharedMatrix,
        /// All sums, one for each place and one behind the last.
        sums: &'a mut [f32],
        /// Where sums are taken.
        places: [usize; 4],
        hidden: &'a mut [f32],
    }

    impl Task for Windows<'_> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            let Self { rows, sums, places, hidden } = self;
            let padded = rows.stride();
            for row in 0..rows.rows() {
                let (before, after) = sums[row * padded..].split_at_mut(padded);
                run_on(simd, rows.row(row as u32), before, &mut after[..padded]);
            }
            let sums = places.map(|place| &sums[place * padded..][..padded]);
            mean_between(simd, rows.row(0), sums, 0.5, hidden);
        }
    }

    #[test]
    fn what_lies_between_sums_and_a_row_beside() {
        for set in Kernels::available() {
            let rows = SharedMatrix::zeros(6, COLUMNS).unwrap();
            for row in 0..6 {
                rows.write(row, &[(1 << row) as f32; COLUMNS]);
            }
            let mut sums = vec![0.0; 7 * rows.stride()];
            let mut hidden = vec![-1.0; rows.stride()];
            let places = [1, 3, 4, 6];
            set.run(Windows { rows: &rows, sums: &mut sums, places, hidden: &mut hidden });
            // Rows 1, 2, 4 and 5, and row 0 beside them.
            let wanted = 0.5 * (1 + 2 + 4 + 16 + 32) as f32;
            assert!(hidden[..COLUMNS].iter().all(|&h| h == wanted), "{}", set.name());
            assert!(hidden[COLUMNS..].iter().all(|&h| h == 0.0), "{}", set.name());
        }
    }
}
