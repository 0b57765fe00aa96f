use inlay_base::{Error, Result, afford};
use inlay_formats::GiveRows;
use inlay_kernels::{Aligned, Whole};
use inlay_vectors::Rows;

/// Rows as whole numbers of one step, so that sums of them are exact.
pub struct Steps<T> {
    values: Aligned<T>,
    /// Numbers of a row, padding included: a multiple of 16.
    padded: usize,
    step: f32,
}

impl<T: Whole> Steps<T> {
    /// The step is as small as it can be if sums of any `together` rows are to be numbers of this kind.
    ///
    /// # Errors
    /// `InvalidInput` for values that are not finite; `OutOfMemory`.
    pub fn new(rows: &Rows, together: usize) -> Result<Self> {
        let (count, dimensions) = (rows.rows(), rows.dimensions());
        let padded = dimensions.next_multiple_of(16);
        afford((count as u64).checked_mul((padded * size_of::<T>()) as u64))?;
        let mut values = Aligned::new(T::default(), count * padded);
        let mut row = vec![0.0f32; dimensions];
        let mut most = 0.0f32;
        for number in 0..count {
            rows.give(number, &mut row);
            if !row.iter().all(|value| value.is_finite()) {
                let problem = format!(
                    "the vector of word {number} is not finite: the file is damaged, or of a training that diverged"
                );
                return Err(Error::InvalidInput { source: "model".into(), offset: None, problem });
            }
            most = row.iter().fold(most, |most, value| most.max(value.abs()));
        }
        // Each number may be half a step too large.
        let step = most / (T::MOST / together as f32 - 0.5);
        for (number, to) in values.chunks_exact_mut(padded).enumerate().filter(|_| step > 0.0) {
            rows.give(number, &mut row);
            to.iter_mut().zip(&row).for_each(|(to, value)| *to = T::nearest(value / step));
        }
        Ok(Self { values, padded, step })
    }

    /// Numbers of a row, padding included.
    #[inline(always)]
    pub fn padded(&self) -> usize {
        self.padded
    }

    /// What one of them stands for.
    #[inline(always)]
    pub fn step(&self) -> f32 {
        self.step
    }

    /// A row, its padding zeros.
    #[inline(always)]
    pub fn row(&self, row: u32) -> &[T] {
        &self.values[row as usize * self.padded..][..self.padded]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest distance between values and what stands for them, in steps, and the largest sum.
    fn tried<T: Whole>(values: &[f32], dimensions: usize, together: usize) -> (f32, f32) {
        let rows = Rows::from_values(values, dimensions).unwrap();
        let steps = Steps::<T>::new(&rows, together).unwrap();
        let (mut off, mut largest) = (0.0f32, 0.0f32);
        for (number, wanted) in values.chunks_exact(dimensions).enumerate() {
            let row = steps.row(number as u32);
            assert!(row[dimensions..].iter().all(|padding| padding.number() == 0.0));
            for (&found, value) in row.iter().zip(wanted) {
                off = off.max((found.number() - value / steps.step()).abs());
                largest = largest.max(found.number().abs() * together as f32);
            }
        }
        (off, largest)
    }

    #[test]
    fn rows_are_told_to_half_a_step_and_their_sums_have_room() {
        let values: Vec<f32> = (0..35).map(|at| (at as f32 - 20.0).powi(3) / 700.0).collect();
        for together in [2, 10, 64] {
            let (off, largest) = tried::<i16>(&values, 7, together);
            assert!(off <= 0.5 + 1e-3 && largest <= f32::from(i16::MAX), "{off} {largest}");
            assert!(largest > 0.99 * f32::from(i16::MAX), "{largest}: the step is too large");
        }
        let (off, largest) = tried::<i32>(&values, 7, 1000);
        assert!(off <= 1.0 && largest <= i32::MAX as f32 && largest > 1.9e9, "{off} {largest}");
    }

    #[test]
    fn values_that_are_not_finite_are_refused() {
        for value in [f32::NAN, f32::INFINITY] {
            let rows = Rows::from_values(&[1.0, 2.0, 3.0, value], 2).unwrap();
            let refused = Steps::<i16>::new(&rows, 10).err().unwrap().to_string();
            assert!(refused.contains("the vector of word 1 is not finite"), "{refused}");
        }
    }

    #[test]
    fn zeros_stay_zeros() {
        assert_eq!(tried::<i16>(&[0.0; 6], 3, 10).1, 0.0);
    }
}
