//! Many rows that lie at random in a large matrix: their sum, and one step for all of them. Each is
//! read from end to end and asked for some rows ahead, since the memory is what they wait for.

use inlay_base::SharedRow;

use crate::{Simd, prefetch, prefetch_to_write};

/// Rows that are asked for ahead.
const AHEAD: usize = 12;
/// Rows that are added at once: the sum is read and written once for all of them.
const TOGETHER: usize = 4;

/// sum = scale · Σ rows
///
/// # Panics
/// If `sum` is not as long as the padded rows.
#[inline(always)]
pub fn gather<S: Simd>(simd: S, rows: &[SharedRow<'_>], scale: f32, sum: &mut [f32]) {
    assert!(rows.iter().all(|row| row.padded() == sum.len()));
    sum.fill(0.0);
    let factor = simd.splat(scale);
    for (block, four) in rows.chunks(TOGETHER).enumerate() {
        let ahead = rows.get(block * TOGETHER + AHEAD..).unwrap_or_default();
        for &row in ahead.iter().take(TOGETHER) {
            prefetch(simd, row);
        }
        let to = sum.as_mut_ptr();
        // SAFETY: padded rows are a multiple of 16 long, `sum` as long, and `LANES` divides 16.
        unsafe {
            if let [a, b, c, d] = *four {
                for i in (0..sum.len()).step_by(S::LANES) {
                    let front =
                        simd.add(simd.load(a.as_ptr().add(i)), simd.load(b.as_ptr().add(i)));
                    let back = simd.add(simd.load(c.as_ptr().add(i)), simd.load(d.as_ptr().add(i)));
                    let before = simd.load(to.add(i));
                    simd.store(to.add(i), simd.fma(factor, simd.add(front, back), before));
                }
            } else {
                for row in four {
                    for i in (0..sum.len()).step_by(S::LANES) {
                        let value = simd.load(row.as_ptr().add(i));
                        simd.store(to.add(i), simd.fma(factor, value, simd.load(to.add(i))));
                    }
                }
            }
        }
    }
}

/// row += scale · step, for every row. A row that is there twice gets it twice.
///
/// # Panics
/// If `step` is not as long as the padded rows.
#[inline(always)]
pub fn scatter<S: Simd>(simd: S, rows: &[SharedRow<'_>], scale: f32, step: &[f32]) {
    assert!(rows.iter().all(|row| row.padded() == step.len()));
    let factor = simd.splat(scale);
    for (number, row) in rows.iter().enumerate() {
        if let Some(&ahead) = rows.get(number + AHEAD) {
            prefetch_to_write(simd, ahead);
        }
        for i in (0..step.len()).step_by(S::LANES) {
            // SAFETY: as above.
            unsafe {
                let to = row.as_ptr().add(i);
                let step = simd.load(step.as_ptr().add(i));
                simd.store(to, simd.fma(factor, step, simd.load(to)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use inlay_base::SharedMatrix;

    use super::*;
    use crate::{Kernels, Task};

    struct SumAndStep<'a>(&'a SharedMatrix, &'a [u32], &'a mut [f32]);
    impl Task for SumAndStep<'_> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            let rows: Vec<_> = self.1.iter().map(|&row| self.0.row(row)).collect();
            gather(simd, &rows, 0.5, self.2);
            scatter(simd, &rows, 2.0, self.2);
        }
    }

    #[test]
    fn any_number_of_rows_is_summed_and_each_gets_the_step_a_row_twice_twice() {
        for set in Kernels::available() {
            for count in 0..30u32 {
                let matrix = SharedMatrix::zeros(30, 21).unwrap();
                (0..30).for_each(|row| matrix.write(row, &[row as f32; 21]));
                let mut rows: Vec<u32> = (0..count).collect();
                rows.extend([7, 7]);
                let mut sum = vec![9.0; matrix.stride()];
                set.run(SumAndStep(&matrix, &rows, &mut sum));
                let wanted = 0.5 * rows.iter().sum::<u32>() as f32;
                assert!(sum[..21].iter().all(|&value| value == wanted), "{} {count}", set.name());
                assert!(sum[21..].iter().all(|&value| value == 0.0));
                for row in 0..30 {
                    let mut values = [0.0; 21];
                    matrix.read(row, &mut values);
                    let times = rows.iter().filter(|&&other| other == row).count() as f32;
                    assert_eq!(values, [row as f32 + 2.0 * wanted * times; 21]);
                }
            }
        }
    }
}
