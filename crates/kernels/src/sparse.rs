//! Products with matrices of which few places are known.

use crate::{Kernels, Simd, Task, axpy, dot};

/// Places of a matrix, row by row (compressed sparse rows).
#[derive(Clone, Copy)]
pub struct Sparse<'a> {
    /// Where the places of each row begin, and where the last one's end.
    pub offsets: &'a [u32],
    /// The column of each place.
    pub columns: &'a [u32],
}

impl Sparse<'_> {
    #[inline(always)]
    fn row(&self, row: usize) -> std::ops::Range<usize> {
        self.offsets[row] as usize..self.offsets[row + 1] as usize
    }
}

/// values += x·yᵀ at some places (SDDMM): of row i and column j, xᵢ·yⱼ. Rows of x and y have `width` values.
///
/// # Panics
/// If a row or column is not there, or there are not as many values as places.
pub fn sampled_products(
    kernels: Kernels,
    places: Sparse<'_>,
    (x, y): (&[f32], &[f32]),
    width: usize,
    values: &mut [f32],
) {
    assert_eq!(values.len(), places.columns.len());
    kernels.run(Sampled { places, x, y, width, values });
}

struct Sampled<'a> {
    places: Sparse<'a>,
    x: &'a [f32],
    y: &'a [f32],
    width: usize,
    values: &'a mut [f32],
}

impl Task for Sampled<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { places, x, y, width, values } = self;
        for row in 0..places.offsets.len().saturating_sub(1) {
            let x = &x[row * width..][..width];
            for at in places.row(row) {
                values[at] += dot(simd, x, &y[places.columns[at] as usize * width..][..width]);
            }
        }
    }
}

/// to += values·y (SpMM): to row i, in the order of its places, each value times the row of y that is its column.
///
/// # Panics
/// As `sampled_products`.
pub fn add_products(
    kernels: Kernels,
    places: Sparse<'_>,
    values: &[f32],
    y: &[f32],
    width: usize,
    to: &mut [f32],
) {
    assert_eq!(values.len(), places.columns.len());
    kernels.run(Add { places, values, y, width, to });
}

struct Add<'a> {
    places: Sparse<'a>,
    values: &'a [f32],
    y: &'a [f32],
    width: usize,
    to: &'a mut [f32],
}

impl Task for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { places, values, y, width, to } = self;
        for row in 0..places.offsets.len().saturating_sub(1) {
            let to = &mut to[row * width..][..width];
            for at in places.row(row) {
                let y = &y[places.columns[at] as usize * width..][..width];
                axpy(simd, values[at], y, to);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_those_of_the_places_and_no_others() {
        let offsets = [0, 3, 3, 4];
        let places = Sparse { offsets: &offsets, columns: &[1, 0, 1, 2] };
        for kernels in Kernels::available() {
            for width in [1, 5, 16, 67] {
                let values = |count: usize, seed: usize| -> Vec<f32> {
                    (0..count * width).map(|i| ((i * 7 + seed) % 13) as f32 - 6.0).collect()
                };
                let (x, y) = (values(3, 1), values(3, 5));
                let mut found = [0.5, 1.0, 0.0, -1.0];
                sampled_products(kernels, places, (&x, &y), width, &mut found);
                let product = |i: usize, j: usize| -> f32 {
                    (0..width).map(|k| x[i * width + k] * y[j * width + k]).sum()
                };
                let wanted =
                    [0.5 + product(0, 1), 1.0 + product(0, 0), product(0, 1), product(2, 2) - 1.0];
                assert_eq!(found, wanted, "{} {width}", kernels.name());
                let mut sums = vec![1.0; 3 * width];
                add_products(kernels, places, &[1.0, 2.0, 4.0, 8.0], &y, width, &mut sums);
                for (k, sums) in (0..width).map(|k| (k, [0, 1, 2].map(|i| sums[i * width + k]))) {
                    let y = |j: usize| y[j * width + k];
                    assert_eq!(sums, [1.0 + 5.0 * y(1) + 2.0 * y(0), 1.0, 1.0 + 8.0 * y(2)]);
                }
            }
        }
    }
}
