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

/// What lies around a centre: places in a buffer of sums, each of all rows before its place.
#[derive(Clone, Copy)]
pub struct Between {
    /// Before the window, before its centre, behind its centre and behind the window.
    pub sums: [usize; 4],
    /// The sum that the entering row is added to, and where that goes.
    pub entering: [usize; 2],
    /// What the sum of the window and of the row beside it is multiplied by.
    pub scale: f32,
}

/// Where a row enters, the sum before it goes on with it to its next place. Then
/// h = scale · (beside + Σ rows from the first sum to the second + Σ rows from the third to the fourth).
///
/// # Panics
/// If a place is beyond `kept`, or the rows and `hidden` are not of one length.
#[inline(always)]
pub fn slide<S: Simd>(
    simd: S,
    entering: Option<SharedRow<'_>>,
    beside: SharedRow<'_>,
    between: Between,
    kept: &mut [f32],
    hidden: &mut [f32],
) {
    let padded = beside.padded();
    assert!(hidden.len() == padded && entering.is_none_or(|row| row.padded() == padded));
    let places = between.sums.iter().chain(&between.entering);
    let last = kept.len().checked_sub(padded).expect("room for a sum");
    assert!(places.clone().all(|&place| place <= last));
    // SAFETY: every place is good for `padded` values, as are the rows and `hidden`.
    unsafe {
        let (kept, hidden) = (kept.as_mut_ptr(), hidden.as_mut_ptr());
        match entering {
            Some(row) => slid(simd, Some(row.as_ptr()), beside, between, kept, hidden),
            None => slid(simd, None, beside, between, kept, hidden),
        }
    }
}

/// # Safety
/// Rows, places in `kept` and `hidden` are good for as many values as `beside` has.
#[inline(always)]
unsafe fn slid<S: Simd>(
    simd: S,
    entering: Option<*mut f32>,
    beside: SharedRow<'_>,
    Between { sums, entering: [from, to], scale }: Between,
    kept: *mut f32,
    hidden: *mut f32,
) {
    let factor = simd.splat(scale);
    for i in (0..beside.padded()).step_by(S::LANES) {
        // SAFETY: `i` is below `padded`, a multiple of 16, and `LANES` divides 16.
        unsafe {
            if let Some(row) = entering {
                let sum = simd.add(simd.load(kept.add(from + i)), simd.load(row.add(i)));
                simd.store(kept.add(to + i), sum);
            }
            let [start, centre, after, end] = sums.map(|at| simd.load(kept.add(at + i)));
            let around = simd.add(simd.sub(centre, start), simd.sub(end, after));
            let sum = simd.add(simd.load(beside.as_ptr().add(i)), around);
            simd.store(hidden.add(i), simd.mul(factor, sum));
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
        /// Whether the last row enters with the window.
        late: bool,
        hidden: &'a mut [f32],
    }

    impl Task for Windows<'_> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            let Self { rows, sums, places, late, hidden } = self;
            let (padded, last) = (rows.stride(), rows.rows() - 1);
            for row in 0..rows.rows() - usize::from(late) {
                let (before, after) = sums[row * padded..].split_at_mut(padded);
                run_on(simd, rows.row(row as u32), before, &mut after[..padded]);
            }
            let entering = late.then(|| rows.row(last as u32));
            let between = Between {
                sums: places.map(|place| place * padded),
                entering: [last * padded, (last + 1) * padded],
                scale: 0.5,
            };
            slide(simd, entering, rows.row(0), between, sums, hidden);
        }
    }

    #[test]
    fn what_lies_between_sums_and_a_row_beside() {
        for (set, late) in
            Kernels::available().into_iter().flat_map(|set| [(set, true), (set, false)])
        {
            let rows = SharedMatrix::zeros(6, COLUMNS).unwrap();
            for row in 0..6 {
                rows.write(row, &[(1 << row) as f32; COLUMNS]);
            }
            let sums = &mut vec![0.0; 7 * rows.stride()];
            let mut hidden = vec![-1.0; rows.stride()];
            let places = [1, 3, 4, 6];
            set.run(Windows { rows: &rows, sums, places, late, hidden: &mut hidden });
            // Rows 1, 2, 4 and 5, and row 0 beside them.
            let wanted = 0.5 * (1 + 2 + 4 + 16 + 32) as f32;
            assert!(hidden[..COLUMNS].iter().all(|&h| h == wanted), "{}", set.name());
            assert!(hidden[COLUMNS..].iter().all(|&h| h == 0.0), "{}", set.name());
        }
    }
}
