//! Sums over one or several rows.

use inlay_base::SharedRow;

use crate::Simd;

/// Σ aᵢ·bᵢ of two rows of one length, in four partial sums of `LANES` each.
///
/// # Panics
/// If the lengths differ.
#[inline(always)]
pub fn dot<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let (n, lanes) = (a.len(), S::LANES);
    let (a, b) = (a.as_ptr(), b.as_ptr());
    let mut sums = [simd.splat(0.0); 4];
    let mut i = 0;
    // SAFETY: every index stays below `n`.
    unsafe {
        while i + 4 * lanes <= n {
            for (k, sum) in sums.iter_mut().enumerate() {
                let at = i + k * lanes;
                *sum = simd.fma(simd.load(a.add(at)), simd.load(b.add(at)), *sum);
            }
            i += 4 * lanes;
        }
        while i < n {
            let count = (n - i).min(lanes);
            let (x, y) = (simd.load_first(a.add(i), count), simd.load_first(b.add(i), count));
            sums[0] = simd.fma(x, y, sums[0]);
            i += count;
        }
    }
    simd.sum(simd.add(simd.add(sums[0], sums[1]), simd.add(sums[2], sums[3])))
}

/// y += α·x
///
/// # Panics
/// If the lengths differ.
#[inline(always)]
pub fn axpy<S: Simd>(simd: S, alpha: f32, x: &[f32], y: &mut [f32]) {
    assert_eq!(x.len(), y.len());
    let whole = x.len() / S::LANES * S::LANES;
    let factor = simd.splat(alpha);
    for i in (0..whole).step_by(S::LANES) {
        // SAFETY: `i + LANES` is at most the length of both.
        unsafe {
            let sum = simd.fma(factor, simd.load(x.as_ptr().add(i)), simd.load(y.as_ptr().add(i)));
            simd.store(y.as_mut_ptr().add(i), sum);
        }
    }
    for (x, y) in x[whole..].iter().zip(&mut y[whole..]) {
        *y += alpha * x;
    }
}

/// h = scale · Σ rows
///
/// # Panics
/// If `sum` is not as long as the padded rows.
#[inline(always)]
pub fn mean_of_rows<S: Simd>(simd: S, rows: &[SharedRow<'_>], scale: f32, hidden: &mut [f32]) {
    assert!(rows.iter().all(|row| row.padded() == hidden.len()));
    let (lanes, mut i) = (S::LANES, 0);
    // SAFETY: padded rows are a multiple of 16 long, `hidden` as long, and `LANES` divides 16.
    unsafe {
        while i + 4 * lanes <= hidden.len() {
            sum_of_rows::<S, 4>(simd, rows, scale, i, hidden.as_mut_ptr());
            i += 4 * lanes;
        }
        match (hidden.len() - i) / lanes {
            1 => sum_of_rows::<S, 1>(simd, rows, scale, i, hidden.as_mut_ptr()),
            2 => sum_of_rows::<S, 2>(simd, rows, scale, i, hidden.as_mut_ptr()),
            3 => sum_of_rows::<S, 3>(simd, rows, scale, i, hidden.as_mut_ptr()),
            _ => {}
        }
    }
}

/// h = Σ weight · row
///
/// # Panics
/// If `hidden` is not as long as the padded rows, or there are not as many weights as rows.
#[inline(always)]
pub fn weigh_rows<S: Simd>(simd: S, rows: &[SharedRow<'_>], weights: &[f32], hidden: &mut [f32]) {
    assert!(rows.iter().all(|row| row.padded() == hidden.len()));
    assert_eq!(rows.len(), weights.len());
    for i in (0..hidden.len()).step_by(S::LANES) {
        let mut sum = simd.splat(0.0);
        // SAFETY: `i` is below `padded`, a multiple of 16, and `LANES` divides 16.
        unsafe {
            for (row, &weight) in rows.iter().zip(weights) {
                sum = simd.fma(simd.splat(weight), simd.load(row.as_ptr().add(i)), sum);
            }
            simd.store(hidden.as_mut_ptr().add(i), sum);
        }
    }
}

/// N registers of the sum, so that a row's address is looked up once for all of them.
///
/// # Safety
/// The rows and `hidden` are good for N registers from `at` on.
#[inline(always)]
unsafe fn sum_of_rows<S: Simd, const N: usize>(
    simd: S,
    rows: &[SharedRow<'_>],
    scale: f32,
    at: usize,
    hidden: *mut f32,
) {
    let factor = simd.splat(scale);
    let mut sums = [simd.splat(0.0); N];
    // SAFETY: as the caller promised.
    unsafe {
        for row in rows {
            for (n, sum) in sums.iter_mut().enumerate() {
                *sum = simd.add(*sum, simd.load(row.as_ptr().add(at + n * S::LANES)));
            }
        }
        for (n, &sum) in sums.iter().enumerate() {
            simd.store(hidden.add(at + n * S::LANES), simd.mul(factor, sum));
        }
    }
}

/// row += scale · gradient, for every row. A row that is there twice gets it twice.
///
/// # Panics
/// If `gradient` is not as long as the padded rows.
#[inline(always)]
pub fn add_to_rows<S: Simd>(simd: S, rows: &[SharedRow<'_>], scale: f32, gradient: &[f32]) {
    assert!(rows.iter().all(|row| row.padded() == gradient.len()));
    let (lanes, mut i) = (S::LANES, 0);
    // SAFETY: padded rows are a multiple of 16 long, `gradient` as long, and `LANES` divides 16.
    unsafe {
        while i + 4 * lanes <= gradient.len() {
            step_of_rows::<S, 4>(simd, rows, scale, i, gradient.as_ptr());
            i += 4 * lanes;
        }
        match (gradient.len() - i) / lanes {
            1 => step_of_rows::<S, 1>(simd, rows, scale, i, gradient.as_ptr()),
            2 => step_of_rows::<S, 2>(simd, rows, scale, i, gradient.as_ptr()),
            3 => step_of_rows::<S, 3>(simd, rows, scale, i, gradient.as_ptr()),
            _ => {}
        }
    }
}

/// # Safety
/// The rows and `gradient` are good for N registers from `at` on.
#[inline(always)]
unsafe fn step_of_rows<S: Simd, const N: usize>(
    simd: S,
    rows: &[SharedRow<'_>],
    scale: f32,
    at: usize,
    gradient: *const f32,
) {
    let factor = simd.splat(scale);
    let mut steps = [simd.splat(0.0); N];
    // SAFETY: as the caller promised.
    unsafe {
        for (n, step) in steps.iter_mut().enumerate() {
            *step = simd.mul(factor, simd.load(gradient.add(at + n * S::LANES)));
        }
        for row in rows {
            for (n, &step) in steps.iter().enumerate() {
                let to = row.as_ptr().add(at + n * S::LANES);
                simd.store(to, simd.add(simd.load(to), step));
            }
        }
    }
}

/// Copies the values of a row, without its padding, to where rows lie end to end.
///
/// # Panics
/// If `to` is longer than the row.
#[inline(always)]
pub fn lay_row<S: Simd>(simd: S, row: SharedRow<'_>, to: &mut [f32]) {
    assert!(to.len() <= row.padded());
    let whole = to.len() / S::LANES * S::LANES;
    for i in (0..whole).step_by(S::LANES) {
        // SAFETY: `i + LANES` is at most the length of both.
        unsafe { simd.store(to.as_mut_ptr().add(i), simd.load(row.as_ptr().add(i))) };
    }
    if whole < to.len() {
        let mut last = [0.0; 16];
        // SAFETY: `whole + LANES` is at most `padded`, a multiple of 16; 16 values hold any register.
        unsafe { simd.store(last.as_mut_ptr(), simd.load(row.as_ptr().add(whole))) };
        let count = to.len() - whole;
        to[whole..].copy_from_slice(&last[..count]);
    }
}

/// row = values
///
/// # Panics
/// If `values` is not as long as the padded row.
#[inline(always)]
pub fn lay_values<S: Simd>(simd: S, values: &[f32], row: SharedRow<'_>) {
    assert_eq!(values.len(), row.padded());
    for i in (0..values.len()).step_by(S::LANES) {
        // SAFETY: `i` is below `padded`, a multiple of 16, and `LANES` divides 16.
        unsafe { simd.store(row.as_ptr().add(i), simd.load(values.as_ptr().add(i))) };
    }
}

/// gained = row - gained: what was in `gained` is what the row was before.
///
/// # Panics
/// If `gained` is not as long as the padded row.
#[inline(always)]
pub fn gain<S: Simd>(simd: S, row: SharedRow<'_>, gained: &mut [f32]) {
    assert_eq!(gained.len(), row.padded());
    for i in (0..gained.len()).step_by(S::LANES) {
        // SAFETY: `i` is below `padded`, a multiple of 16, and `LANES` divides 16.
        unsafe {
            let before = gained.as_mut_ptr().add(i);
            simd.store(before, simd.sub(simd.load(row.as_ptr().add(i)), simd.load(before)));
        }
    }
}

/// row += values, the padding stays as it is.
///
/// # Panics
/// If there are more values than the row has.
#[inline(always)]
pub fn add_to_row<S: Simd>(simd: S, row: SharedRow<'_>, values: &[f32]) {
    assert!(values.len() <= row.padded());
    for i in (0..values.len()).step_by(S::LANES) {
        let count = (values.len() - i).min(S::LANES);
        // SAFETY: `count` values are left; the row is padded to a multiple of 16, so of `LANES`.
        unsafe {
            let step = simd.load_first(values.as_ptr().add(i), count);
            let to = row.as_ptr().add(i);
            simd.store(to, simd.add(simd.load(to), step));
        }
    }
}

/// shared += own - before, then own = before = shared.
///
/// # Panics
/// If the rows are not of one length.
#[inline(always)]
pub fn join_rows<S: Simd>(
    simd: S,
    shared: SharedRow<'_>,
    own: SharedRow<'_>,
    before: SharedRow<'_>,
) {
    assert!(own.padded() == shared.padded() && before.padded() == shared.padded());
    for i in (0..shared.padded()).step_by(S::LANES) {
        // SAFETY: `i` is below `padded`, a multiple of 16, and `LANES` divides 16.
        unsafe {
            let (shared, own) = (shared.as_ptr().add(i), own.as_ptr().add(i));
            let before = before.as_ptr().add(i);
            let learnt = simd.sub(simd.load(own), simd.load(before));
            let joined = simd.add(simd.load(shared), learnt);
            simd.store(shared, joined);
            simd.store(own, joined);
            simd.store(before, joined);
        }
    }
}

/// Asks for a row that will be read soon.
#[inline(always)]
pub fn prefetch<S: Simd>(simd: S, row: SharedRow<'_>) {
    for i in (0..row.padded()).step_by(16) {
        simd.prefetch(row.as_ptr().wrapping_add(i));
    }
}

/// Asks for a row that will be changed soon.
#[inline(always)]
pub fn prefetch_to_write<S: Simd>(simd: S, row: SharedRow<'_>) {
    for i in (0..row.padded()).step_by(16) {
        simd.prefetch_to_write(row.as_ptr().wrapping_add(i));
    }
}

#[cfg(test)]
mod tests {
    use inlay_base::{Random, SharedMatrix};

    use super::*;
    use crate::{Kernels, Task};

    struct Dot<'a>(&'a [f32], &'a [f32]);
    impl Task for Dot<'_> {
        type Output = f32;
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> f32 {
            dot(simd, self.0, self.1)
        }
    }

    struct Axpy<'a>(f32, &'a [f32], &'a mut [f32]);
    impl Task for Axpy<'_> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            axpy(simd, self.0, self.1, self.2);
        }
    }

    struct JoinRows<'a>(&'a SharedMatrix);
    impl Task for JoinRows<'_> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            join_rows(simd, self.0.row(0), self.0.row(1), self.0.row(2));
        }
    }

    #[test]
    fn joined_rows_are_one_row_with_what_was_learnt() {
        for set in Kernels::available() {
            let matrix = SharedMatrix::zeros(3, 37).unwrap();
            for (row, value) in [(0, 4.0), (1, 2.5), (2, 2.0)] {
                matrix.write(row, &[value; 37]);
            }
            set.run(JoinRows(&matrix));
            for row in 0..3 {
                let mut values = [0.0; 37];
                matrix.read(row, &mut values);
                assert_eq!(values, [4.5; 37], "{} row {row}", set.name());
            }
        }
    }

    struct LayAndAdd<'a>(&'a SharedMatrix, &'a mut [f32]);
    impl Task for LayAndAdd<'_> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            let columns = self.0.columns();
            for (row, part) in (0..).zip(self.1.chunks_mut(columns)) {
                lay_row(simd, self.0.row(row), part);
                add_to_row(simd, self.0.row(row), part);
            }
        }
    }

    #[test]
    fn rows_laid_end_to_end_and_added_to_without_their_padding() {
        for set in Kernels::available() {
            for columns in (1..40).chain([100]) {
                let matrix = SharedMatrix::zeros(3, columns).unwrap();
                let values: Vec<f32> = (0..3 * columns).map(|i| i as f32 + 1.0).collect();
                (0..).zip(values.chunks(columns)).for_each(|(row, part)| matrix.write(row, part));
                let mut laid = vec![-1.0; 3 * columns];
                set.run(LayAndAdd(&matrix, &mut laid));
                assert_eq!(laid, values, "{} {columns}", set.name());
                let stride = matrix.stride();
                let pages = matrix.into_pages();
                for (row, part) in
                    pages.as_slice().chunks(stride).take(3).zip(values.chunks(columns))
                {
                    let twice: Vec<f32> = part.iter().map(|value| 2.0 * value).collect();
                    assert_eq!(row[..columns], twice, "{} {columns}", set.name());
                    assert!(row[columns..].iter().all(|&value| value == 0.0));
                }
            }
        }
    }

    struct MeanAndBack<'a>(&'a SharedMatrix, &'a mut [f32]);
    impl Task for MeanAndBack<'_> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            let rows = [self.0.row(0), self.0.row(2), self.0.row(2)];
            mean_of_rows(simd, &rows, 0.5, self.1);
            add_to_rows(simd, &rows, 2.0, self.1);
        }
    }

    #[test]
    fn dot_and_axpy_are_within_rounding_of_the_formula_at_every_length_and_alignment() {
        let mut random = Random::new(1, 0);
        for n in (0..70).chain([100, 128, 300, 1536]) {
            for shift in 0..4 {
                let mut row =
                    || -> Vec<f32> { (0..n + shift).map(|_| random.unit() * 8.0 - 4.0).collect() };
                let (a, b) = (row(), row());
                let (a, b) = (&a[shift..], &b[shift..]);
                let products = || a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y));
                let exact: f64 = products().sum();
                let bound = products().map(f64::abs).sum::<f64>() * (n as f64 + 2.0) * 6e-8;
                for set in Kernels::available() {
                    let got = f64::from(set.run(Dot(a, b)));
                    assert!((got - exact).abs() <= bound, "{} {n}: {got} {exact}", set.name());
                    let mut y = b.to_vec();
                    set.run(Axpy(0.3, a, &mut y));
                    for i in 0..n {
                        let wanted = f64::from(b[i]) + f64::from(0.3f32) * f64::from(a[i]);
                        assert!((f64::from(y[i]) - wanted).abs() < 1e-6, "{} {n}", set.name());
                    }
                }
            }
        }
    }

    #[test]
    fn dot_keeps_what_is_not_a_number_and_overflows_to_infinity() {
        for set in Kernels::available() {
            for n in 1..40 {
                let mut a = vec![1.0f32; n];
                a[n - 1] = f32::NAN;
                assert!(set.run(Dot(&a, &vec![1.0; n])).is_nan());
                let huge = vec![f32::MAX; n];
                assert_eq!(set.run(Dot(&huge, &huge)), f32::INFINITY);
            }
        }
    }

    struct LayAndGain<'a>(&'a SharedMatrix, &'a [f32], &'a mut [f32]);
    impl Task for LayAndGain<'_> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            lay_values(simd, self.1, self.0.row(1));
            gain(simd, self.0.row(1), self.2);
        }
    }

    #[test]
    fn a_row_takes_values_and_says_what_it_gained() {
        for set in Kernels::available() {
            let matrix = SharedMatrix::zeros(3, 37).unwrap();
            let values: Vec<f32> = (0..48).map(|i| if i < 37 { i as f32 } else { 0.0 }).collect();
            let mut gained = vec![1.0; 48];
            set.run(LayAndGain(&matrix, &values, &mut gained));
            let mut row = [0.0; 37];
            matrix.read(1, &mut row);
            assert_eq!(row, values[..37], "{}", set.name());
            assert!(gained.iter().zip(&values).all(|(gained, value)| *gained == value - 1.0));
            for other in [0, 2] {
                matrix.read(other, &mut row);
                assert_eq!(row, [0.0; 37], "{}", set.name());
            }
        }
    }

    #[test]
    fn the_mean_of_rows_and_a_step_of_every_row_a_row_twice_twice() {
        for set in Kernels::available() {
            let matrix = SharedMatrix::zeros(3, 37).unwrap();
            for row in 0..3 {
                matrix.write(row, &[row as f32 + 1.0; 37]);
            }
            let mut hidden = vec![9.0; matrix.stride()];
            set.run(MeanAndBack(&matrix, &mut hidden));
            // h = 0.5·(1 + 3 + 3) = 3.5; row 0 gets 2·3.5 once, row 2 twice.
            let mut row = [0.0; 37];
            assert!(
                hidden[..37].iter().all(|&h| h == 3.5) && hidden[37..].iter().all(|&h| h == 0.0)
            );
            matrix.read(0, &mut row);
            assert_eq!(row, [8.0; 37], "{}", set.name());
            matrix.read(2, &mut row);
            assert_eq!(row, [17.0; 37], "{}", set.name());
            matrix.read(1, &mut row);
            assert_eq!(row, [2.0; 37]);
        }
    }
}
