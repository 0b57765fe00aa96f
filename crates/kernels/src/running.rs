//! Sums of the rows of windows as differences of sums over all rows before: as many additions for a wide window as
//! for a narrow one. Rows are whole numbers, and sums of them wrap around: however long they have run, what lies
//! between two of them is exact.

use inlay_base::SharedRow;

use crate::Simd;

/// Whole numbers that wrap around.
pub trait Whole: Copy + Default + Send + Sync {
    /// What sums may come to.
    const MOST: f32;

    /// The one that is nearest to a number.
    fn nearest(number: f32) -> Self;
    /// a + b
    fn plus(self, b: Self) -> Self;
    /// a - b
    fn minus(self, b: Self) -> Self;
    /// As a number.
    fn number(self) -> f32;
}

macro_rules! whole {
    ($($whole:ident up to $most:literal),*) => {$(
        impl Whole for $whole {
            const MOST: f32 = $most;

            #[inline(always)]
            fn nearest(number: f32) -> Self {
                number.round() as $whole
            }

            #[inline(always)]
            fn plus(self, b: Self) -> Self {
                self.wrapping_add(b)
            }

            #[inline(always)]
            fn minus(self, b: Self) -> Self {
                self.wrapping_sub(b)
            }

            #[inline(always)]
            fn number(self) -> f32 {
                self as f32
            }
        }
    )*};
}
whole!(i16 up to 32_767.0, i32 up to 2e9);

/// after = before + row
///
/// # Panics
/// If they are not of one length.
#[inline(always)]
pub fn run_on<T: Whole>(row: &[T], before: &[T], after: &mut [T]) {
    assert!(before.len() == row.len() && after.len() == row.len());
    for ((&row, &before), after) in row.iter().zip(before).zip(after) {
        *after = before.plus(row);
    }
}

/// What lies around a centre: places in a buffer of sums, each of all rows before its place.
#[derive(Clone, Copy)]
pub struct Between {
    /// Before the window, before its centre, behind its centre and behind the window.
    pub sums: [usize; 4],
    /// The sum that the entering row is added to, and where that goes.
    pub entering: [usize; 2],
    /// What one of the whole numbers stands for.
    pub step: f32,
    /// What the sum of the window and of the row beside it is multiplied by.
    pub scale: f32,
}

/// Where a row enters, the sum before it goes on with it to its next place. Then
/// h = scale · (beside + step · (Σ rows from the first sum to the second + Σ rows from the third to the fourth)).
/// On the way it asks for the row `ahead`.
///
/// # Panics
/// If a place is beyond `kept`, or the rows and `hidden` are not of one length.
#[inline(always)]
pub fn slide<S: Simd, T: Whole>(
    simd: S,
    [entering, ahead]: [Option<&[T]>; 2],
    beside: SharedRow<'_>,
    between: Between,
    kept: &mut [T],
    hidden: &mut [f32],
) {
    let padded = beside.padded();
    assert!(hidden.len() == padded && entering.is_none_or(|row| row.len() == padded));
    let places = between.sums.iter().chain(&between.entering);
    let last = kept.len().checked_sub(padded).expect("room for a sum");
    assert!(places.clone().all(|&place| place <= last));
    if let Some(row) = ahead {
        for line in (0..row.len()).step_by(64 / size_of::<T>()) {
            simd.prefetch(row.as_ptr().wrapping_add(line).cast());
        }
    }
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
unsafe fn slid<S: Simd, T: Whole>(
    simd: S,
    entering: Option<*const T>,
    beside: SharedRow<'_>,
    Between { sums, entering: [from, to], step, scale }: Between,
    kept: *mut T,
    hidden: *mut f32,
) {
    let (whole, part) = (simd.splat(scale), simd.splat(scale * step));
    for i in (0..beside.padded()).step_by(S::LANES) {
        // SAFETY: `i` is below `padded`, a multiple of 16, and `LANES` divides 16.
        unsafe {
            if let Some(row) = entering {
                let mut after = [T::default(); 16];
                for (n, after) in after.iter_mut().enumerate().take(S::LANES) {
                    *after = (*kept.add(from + i + n)).plus(*row.add(i + n));
                }
                kept.add(to + i).copy_from_nonoverlapping(after.as_ptr(), S::LANES);
            }
            let mut lanes = [0.0f32; 16];
            for (n, lane) in lanes.iter_mut().enumerate().take(S::LANES) {
                let [start, centre, behind, end] = sums.map(|place| *kept.add(place + i + n));
                *lane = centre.minus(start).plus(end.minus(behind)).number();
            }
            let around = simd.load(lanes.as_ptr());
            let beside = simd.mul(whole, simd.load(beside.as_ptr().add(i)));
            simd.store(hidden.add(i), simd.fma(part, around, beside));
        }
    }
}

#[cfg(test)]
mod tests {
    use inlay_base::SharedMatrix;

    use super::*;
    use crate::{Kernels, Task};

    const COLUMNS: usize = 48;

    struct Windows<'a> {
        rows: &'a [[i16; COLUMNS]],
        beside: SharedRow<'a>,
        /// All sums, one for each place and one behind the last.
        sums: &'a mut [i16],
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
            let Self { rows, beside, sums, places, late, hidden } = self;
            let last = rows.len() - 1;
            for (number, row) in rows.iter().enumerate().take(rows.len() - usize::from(late)) {
                let (before, after) = sums[number * COLUMNS..].split_at_mut(COLUMNS);
                run_on(row, before, &mut after[..COLUMNS]);
            }
            let entering = late.then(|| &rows[last][..]);
            let between = Between {
                sums: places.map(|place| place * COLUMNS),
                entering: [last * COLUMNS, (last + 1) * COLUMNS],
                step: 0.25,
                scale: 0.5,
            };
            slide(simd, [entering, Some(&rows[0])], beside, between, sums, hidden);
        }
    }

    #[test]
    fn what_lies_between_sums_is_exact_where_they_wrap_around() {
        let matrix = SharedMatrix::zeros(1, COLUMNS).unwrap();
        matrix.write(0, &[3.0; COLUMNS]);
        for (set, late) in
            Kernels::available().into_iter().flat_map(|set| [(set, true), (set, false)])
        {
            // The sum of all is far beyond 16 bits, that of any window within them.
            let number = |row: usize, i: usize| {
                let sign = if i.is_multiple_of(2) { 1 } else { -1 };
                sign * (8000 - 100 * row as i16 - i as i16)
            };
            let rows: Vec<[i16; COLUMNS]> =
                (0..20).map(|row| std::array::from_fn(|i| number(row, i))).collect();
            let sums = &mut vec![0; 21 * COLUMNS];
            let mut hidden = vec![f32::NAN; COLUMNS];
            let (beside, places) = (matrix.row(0), [16, 18, 19, 20]);
            set.run(Windows { rows: &rows, beside, sums, places, late, hidden: &mut hidden });
            for (i, &h) in hidden.iter().enumerate() {
                let window: i32 = [16, 17, 19].map(|row| i32::from(number(row, i))).iter().sum();
                assert_eq!(h, 0.5 * (3.0 + 0.25 * window as f32), "{} {i}", set.name());
            }
        }
    }
}
