//! Principal components: the mean and covariance of the rows, in f64, and its eigenvectors.

use std::sync::{Mutex, PoisonError};

use inlay_base::{Result, Workers, afford, lock};
use inlay_formats::GiveRows;
use inlay_kernels::{Kernels, Simd, Task};

use crate::eigen;
use crate::rows::Rows;
use crate::search::Tasks;

/// Rows of the covariance that one task makes, so that the result does not depend on the number of
/// threads: each task meets all rows in order.
const BAND: usize = 32;
/// Rows that are added at once: the covariance is read and written once for so many.
const STEP: usize = 8;

/// The mean of the first `rows` rows.
pub(crate) fn mean(matrix: &Rows, rows: usize, workers: &dyn Workers) -> Result<Vec<f64>> {
    let dimensions = matrix.dimensions();
    let tasks = Tasks::over(matrix, rows);
    let sums: Vec<Mutex<Vec<f64>>> = (0..tasks.count).map(|_| Mutex::default()).collect();
    workers.each(tasks.count, &|task| {
        let mut sum = vec![0.0f64; dimensions];
        let mut row = vec![0.0; dimensions];
        for i in tasks.range(task) {
            matrix.give(i, &mut row);
            sum.iter_mut().zip(&row).for_each(|(sum, &value)| *sum += f64::from(value));
        }
        *lock(&sums[task]) = sum;
        Ok(())
    })?;
    let mut mean = vec![0.0; dimensions];
    for sum in sums {
        let sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
        mean.iter_mut().zip(sum).for_each(|(mean, sum)| *mean += sum);
    }
    mean.iter_mut().for_each(|value| *value /= rows.max(1) as f64);
    Ok(mean)
}

/// The mean of the first `rows` rows and the `n` directions of length 1 along which they vary
/// most, widest first, end to end; fewer where there are fewer dimensions. The largest value of
/// each direction is positive.
pub(crate) fn top(
    matrix: &Rows,
    rows: usize,
    n: usize,
    workers: &dyn Workers,
) -> Result<(Vec<f64>, Vec<f64>)> {
    let dimensions = matrix.dimensions();
    let mean = mean(matrix, rows, workers)?;
    let n = n.min(dimensions);
    if n == 0 {
        return Ok((mean, Vec::new()));
    }
    let directions = widest(matrix, rows, &mean, n, workers)?;
    Ok((mean, directions))
}

/// Rows by the directions along which they vary most.
pub struct Components {
    /// Of all rows: [dimensions].
    pub mean: Vec<f32>,
    /// [n, dimensions], each 1 long, widest first; its largest value is positive.
    pub directions: Vec<f32>,
    /// Standard deviation along each: [n].
    pub deviations: Vec<f32>,
}

/// The direction of length 1 along which the rows are longest: their first singular vector, nothing
/// being subtracted from them. Its largest value is positive.
pub(crate) fn common(matrix: &Rows, workers: &dyn Workers) -> Result<Vec<f64>> {
    let dimensions = matrix.dimensions();
    widest(matrix, matrix.rows(), &vec![0.0; dimensions], 1, workers)
}

impl Rows {
    /// The principal components of all rows, `n` of them; fewer where there are fewer dimensions.
    ///
    /// # Errors
    /// `InvalidInput` for values that are not finite; `Aborted`.
    pub fn components(&self, n: usize, workers: &dyn Workers) -> Result<Components> {
        let (mean, directions) = top(self, self.rows(), n, workers)?;
        let dimensions = mean.len();
        let variances: Vec<Mutex<f64>> = (0..n.min(dimensions)).map(|_| Mutex::default()).collect();
        workers.each(variances.len(), &|k| {
            let direction = &directions[k * dimensions..][..dimensions];
            let (mut row, mut sum) = (vec![0.0; dimensions], 0.0);
            for i in 0..self.rows() {
                self.give(i, &mut row);
                let terms = row.iter().zip(&mean).zip(direction);
                let along: f64 = terms.map(|((&x, mean), d)| (f64::from(x) - mean) * d).sum();
                sum += along * along;
            }
            *lock(&variances[k]) = sum;
            Ok(())
        })?;
        let narrow = |values: &[f64]| values.iter().map(|&value| value as f32).collect();
        let rows = self.rows().max(1) as f64;
        let deviation = |sum: Mutex<f64>| {
            (sum.into_inner().unwrap_or_else(PoisonError::into_inner) / rows).sqrt() as f32
        };
        Ok(Components {
            mean: narrow(&mean),
            directions: narrow(&directions),
            deviations: variances.into_iter().map(deviation).collect(),
        })
    }

    /// The first `rows` rows as points of `n` coordinates, those along which they vary most, widest first:
    /// [rows, n] end to end, zeros where there are fewer. Each direction's largest value is positive.
    ///
    /// # Errors
    /// `InvalidInput` for values that are not finite; `Aborted`.
    pub fn principal_components(
        &self,
        n: usize,
        rows: usize,
        workers: &dyn Workers,
    ) -> Result<Vec<f32>> {
        let (mean, directions) = top(self, rows, n, workers)?;
        let dimensions = mean.len();
        let found = directions.len() / dimensions.max(1);
        // What a value of a row adds to all coordinates lies together.
        let value = |i: usize| (0..found).map(move |n| n * dimensions + i);
        let columns: Vec<f64> =
            (0..dimensions).flat_map(|i| value(i).map(|at| directions[at])).collect();
        let mut points = vec![0.0; rows * n];
        let tasks = Tasks::over(self, rows);
        let together = (tasks.range(0).len() * n).max(1);
        let parts: Vec<_> = points.chunks_mut(together).map(Mutex::new).collect();
        // Without coordinates there are no parts.
        let count = parts.len();
        workers.each(count, &|task| {
            let mut part = lock(&parts[task]);
            let (mut row, mut point) = (vec![0.0; dimensions], vec![0.0; found]);
            for (i, to) in tasks.range(task).zip(part.chunks_mut(n.max(1))) {
                self.give(i, &mut row);
                let (row, mean, columns) = (&row, &mean, &columns);
                Kernels::get().run(Project { row, mean, columns, point: &mut point });
                to.iter_mut().zip(&point).for_each(|(to, &value)| *to = value as f32);
            }
            Ok(())
        })?;
        drop(parts);
        Ok(points)
    }
}

/// point = Σᵢ (rowᵢ - meanᵢ) · columnsᵢ
struct Project<'a> {
    row: &'a [f32],
    mean: &'a [f64],
    columns: &'a [f64],
    point: &'a mut [f64],
}

impl Task for Project<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let point = self.point;
        point.fill(0.0);
        let columns = self.columns.chunks_exact(point.len().max(1));
        for ((&value, mean), column) in self.row.iter().zip(self.mean).zip(columns) {
            let value = f64::from(value) - mean;
            point.iter_mut().zip(column).for_each(|(to, along)| *to += value * along);
        }
    }
}

fn widest(
    matrix: &Rows,
    rows: usize,
    mean: &[f64],
    n: usize,
    workers: &dyn Workers,
) -> Result<Vec<f64>> {
    let dimensions = mean.len();
    let covariance = covariance(matrix, rows, mean, workers)?;
    let mut directions = eigen::widest(covariance, dimensions, n, workers)?;
    for direction in directions.chunks_mut(dimensions) {
        let largest = direction.iter().fold(0.0f64, |a, &b| if b.abs() > a.abs() { b } else { a });
        if largest < 0.0 {
            direction.iter_mut().for_each(|value| *value = -*value);
        }
    }
    Ok(directions)
}

/// Σ (x - mean)(x - mean)ᵀ, all of it.
fn covariance(matrix: &Rows, rows: usize, mean: &[f64], workers: &dyn Workers) -> Result<Vec<f64>> {
    let dimensions = mean.len();
    // All of it, and half of it in bands.
    afford((dimensions as u64).checked_mul(12 * dimensions as u64))?;
    let bands: Vec<usize> = (0..dimensions).step_by(BAND).collect();
    let parts: Vec<Mutex<Vec<f64>>> = bands.iter().map(|_| Mutex::default()).collect();
    // Wide bands first: the later ones are shorter, for half of the matrix mirrors the other.
    workers.each(bands.len(), &|band| {
        let first = bands[band];
        let height = BAND.min(dimensions - first);
        let width = dimensions - first;
        let mut sums = vec![0.0; height * width];
        let mut values = vec![0.0; STEP * dimensions];
        let mut centered = vec![0.0; STEP * width];
        for start in (0..rows).step_by(STEP) {
            let here = STEP.min(rows - start);
            matrix.give(start, &mut values[..here * dimensions]);
            centered.fill(0.0);
            for (row, to) in
                values[..here * dimensions].chunks(dimensions).zip(centered.chunks_mut(width))
            {
                for ((to, &value), mean) in to.iter_mut().zip(&row[first..]).zip(&mean[first..]) {
                    *to = f64::from(value) - mean;
                }
            }
            Kernels::get().run(AddProducts { centered: &centered, width, sums: &mut sums });
        }
        *lock(&parts[band]) = sums;
        Ok(())
    })?;
    let mut covariance = vec![0.0; dimensions * dimensions];
    for (first, part) in bands.iter().zip(parts) {
        let part = part.into_inner().unwrap_or_else(PoisonError::into_inner);
        let width = dimensions - first;
        for (i, sums) in part.chunks(width).enumerate() {
            for (j, &sum) in sums.iter().enumerate() {
                covariance[(first + i) * dimensions + first + j] = sum;
                covariance[(first + j) * dimensions + first + i] = sum;
            }
        }
    }
    Ok(covariance)
}

/// sums[i][j] += Σᵣ centered[r][i] · centered[r][j] for `STEP` rows.
struct AddProducts<'a> {
    centered: &'a [f64],
    width: usize,
    sums: &'a mut [f64],
}

impl Task for AddProducts<'_> {
    type Output = ();

    /// Plain f64 code: entered for an instruction set, the inner loop uses its registers.
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let width = self.width;
        let (x, rest) = self.centered.split_at(width);
        let rows: [&[f64]; STEP - 1] = std::array::from_fn(|r| &rest[r * width..(r + 1) * width]);
        let [b, c, d, e, f, g, h] = rows;
        for (i, sums) in self.sums.chunks_exact_mut(width).enumerate() {
            let at = [x[i], b[i], c[i], d[i], e[i], f[i], g[i], h[i]];
            for j in 0..width {
                sums[j] += at[0] * x[j]
                    + at[1] * b[j]
                    + at[2] * c[j]
                    + at[3] * d[j]
                    + at[4] * e[j]
                    + at[5] * f[j]
                    + at[6] * g[j]
                    + at[7] * h[j];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use inlay_base::Run;

    use super::*;

    #[test]
    fn components_are_the_axes_along_which_rows_vary() {
        // Three along (3, 4, 0) / 5 and one along (0, 0, 1), around a mean.
        let row = |i: usize| {
            let (wide, narrow) = ((i % 7) as f32 - 3.0, ((i % 3) as f32 - 1.0) / 10.0);
            [1.0 + 3.0 * wide, 2.0 + 4.0 * wide, 5.0 + narrow]
        };
        let values: Vec<f32> = (0..21).flat_map(row).collect();
        let rows = Rows::from_values(&values, 3).unwrap();
        let found = rows.components(2, &Run::quiet(1, 1)).unwrap();
        let close = |found: &[f32], wanted: &[f32]| {
            assert_eq!(found.len(), wanted.len());
            let near = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-5;
            assert!(found.iter().zip(wanted).all(near), "{found:?}, not {wanted:?}");
        };
        close(&found.mean, &[1.0, 2.0, 5.0]);
        close(&found.directions, &[0.6, 0.8, 0.0, 0.0, 0.0, 1.0]);
        close(&found.deviations, &[10.0, (2.0f32 / 3.0).sqrt() / 10.0]);
        let again = rows.components(2, &Run::quiet(3, 1)).unwrap();
        assert_eq!((again.directions, again.deviations), (found.directions, found.deviations));
        assert_eq!(rows.components(9, &Run::quiet(1, 1)).unwrap().directions.len(), 9);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_covariance_that_no_memory_has_room_for_is_an_error() {
        let rows = Rows::from_values(&vec![0.0; 1 << 22], 1 << 21).unwrap();
        let outcome = rows.components(1, &Run::quiet(1, 1)).err();
        assert!(matches!(outcome, Some(inlay_base::Error::OutOfMemory { .. })), "{outcome:?}");
    }
}
