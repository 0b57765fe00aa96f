//! Each column of some rows is brought to one scale (Ioffe and Szegedy 2015, arXiv:1502.03167). For a
//! column x of n values, whose mean μ and scale r = 1 / √(σ² + ε) were worked out over more rows than
//! these:
//!
//! ```text
//! y = r·w·(x - μ) + b
//! backward:   dx = r·w·(dy - Σdy / n - (x - μ)·r²·Σ(dy·(x - μ)) / n)
//! ```
//!
//! Sums go down the rows in f64: a column may be very long.

use crate::values::task;
use crate::{Kernels, Simd, Task};

/// Columns whose sums stay at hand.
const BLOCK: usize = 64;

/// The mean of each column and Σ(x - mean)².
///
/// # Panics
/// If there is no row, or rows and results have not the same width.
pub fn column_moments(kernels: Kernels, x: &[f32], means: &mut [f32], squares: &mut [f32]) {
    let width = means.len();
    assert!(width == squares.len() && !x.is_empty() && x.len().is_multiple_of(width));
    kernels.run(task!(Moments { x: &'a [f32], means: &'a mut [f32], squares: &'a mut [f32] } {
        let width = means.len();
        let share = width as f64 / x.len() as f64;
        let blocks = means.chunks_mut(BLOCK).zip(squares.chunks_mut(BLOCK));
        for (block, (means, squares)) in blocks.enumerate() {
            let (at, count) = (block * BLOCK, means.len());
            let (mut sums, mut along) = ([0.0f64; BLOCK], [0.0f64; BLOCK]);
            for row in x.chunks_exact(width) {
                for (sum, &x) in sums.iter_mut().zip(&row[at..at + count]) {
                    *sum += f64::from(x);
                }
            }
            sums.iter_mut().for_each(|sum| *sum *= share);
            for row in x.chunks_exact(width) {
                for ((sum, mean), &x) in along.iter_mut().zip(&sums).zip(&row[at..at + count]) {
                    let off = f64::from(x) - mean;
                    *sum += off * off;
                }
            }
            means.iter_mut().zip(&sums).for_each(|(to, &sum)| *to = sum as f32);
            squares.iter_mut().zip(&along).for_each(|(to, &sum)| *to = sum as f32);
        }
    }));
}

/// y = scale·(x - mean) + shift, of each column its own.
///
/// # Panics
/// If the lengths do not fit.
pub fn scale_columns(
    kernels: Kernels,
    x: &[f32],
    [means, scales, shifts]: [&[f32]; 3],
    y: &mut [f32],
) {
    let width = means.len();
    assert!(scales.len() == width && shifts.len() == width);
    assert!(x.len() == y.len() && x.len().is_multiple_of(width));
    kernels.run(task!(Scales {
        x: &'a [f32], means: &'a [f32], scales: &'a [f32], shifts: &'a [f32], y: &'a mut [f32]
    } {
        let width = means.len();
        for (x, y) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)) {
            let columns = means.iter().zip(scales).zip(shifts);
            for ((y, x), ((mean, scale), shift)) in y.iter_mut().zip(x).zip(columns) {
                *y = scale * (x - mean) + shift;
            }
        }
    }));
}

/// Σ dy and Σ dy·(x - mean) of each column.
///
/// # Panics
/// If the lengths do not fit.
pub fn column_slopes(
    kernels: Kernels,
    x: &[f32],
    from: &[f32],
    means: &[f32],
    [sums, along]: [&mut [f32]; 2],
) {
    let width = means.len();
    assert!(sums.len() == width && along.len() == width);
    assert!(x.len() == from.len() && x.len().is_multiple_of(width));
    kernels.run(task!(Slopes {
        x: &'a [f32], from: &'a [f32], means: &'a [f32], sums: &'a mut [f32], along: &'a mut [f32]
    } {
        let width = means.len();
        let blocks = sums.chunks_mut(BLOCK).zip(along.chunks_mut(BLOCK));
        for (block, (sums, along)) in blocks.enumerate() {
            let (at, count) = (block * BLOCK, sums.len());
            let means = &means[at..at + count];
            let (mut of_sums, mut of_along) = ([0.0f64; BLOCK], [0.0f64; BLOCK]);
            for (x, from) in x.chunks_exact(width).zip(from.chunks_exact(width)) {
                let (x, from) = (&x[at..at + count], &from[at..at + count]);
                let values = x.iter().zip(from).zip(means);
                let both = of_sums.iter_mut().zip(&mut of_along);
                for ((sum, along), ((&x, &dy), &mean)) in both.zip(values) {
                    *sum += f64::from(dy);
                    *along += f64::from(dy) * (f64::from(x) - f64::from(mean));
                }
            }
            sums.iter_mut().zip(&of_sums).for_each(|(to, &sum)| *to = sum as f32);
            along.iter_mut().zip(&of_along).for_each(|(to, &sum)| *to = sum as f32);
        }
    }));
}

/// dx = scale·(dy - less - (x - mean)·slope), of each column its own.
///
/// # Panics
/// If the lengths do not fit.
pub fn column_gradient(
    kernels: Kernels,
    x: &[f32],
    from: &[f32],
    [means, scales, less, slopes]: [&[f32]; 4],
    to: &mut [f32],
) {
    let width = means.len();
    assert!([scales, less, slopes].iter().all(|line| line.len() == width));
    assert!(x.len() == from.len() && x.len() == to.len() && x.len().is_multiple_of(width));
    kernels.run(task!(Gradient {
        x: &'a [f32], from: &'a [f32], means: &'a [f32], scales: &'a [f32], less: &'a [f32],
        slopes: &'a [f32], to: &'a mut [f32]
    } {
        let width = means.len();
        let rows = x.chunks_exact(width).zip(from.chunks_exact(width));
        for ((x, from), to) in rows.zip(to.chunks_exact_mut(width)) {
            let columns = means.iter().zip(scales).zip(less.iter().zip(slopes));
            let values = to.iter_mut().zip(x.iter().zip(from));
            for ((to, (x, dy)), ((mean, scale), (less, slope))) in values.zip(columns) {
                *to = scale * (dy - less - (x - mean) * slope);
            }
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(length: usize, step: usize) -> Vec<f32> {
        (0..length).map(|i| ((i * step % 101) as f32 - 50.0) / 25.0).collect()
    }

    fn wide(values: &[f32]) -> Vec<f64> {
        values.iter().map(|&value| f64::from(value)).collect()
    }

    fn close(found: &[f32], wanted: &[f64], what: &str) {
        for (i, (&found, wanted)) in found.iter().zip(wanted).enumerate() {
            let error = (f64::from(found) - wanted).abs();
            assert!(error < 1e-5 * wanted.abs().max(1.0), "{what} {i}: {found}, {wanted}");
        }
    }

    #[test]
    fn columns_of_every_width_are_summed_and_scaled_as_the_formulas_say_on_every_set() {
        for (set, width, rows) in Kernels::available().into_iter().flat_map(|set| {
            (1..70).chain([128, 131]).flat_map(move |width| [(set, width, 1), (set, width, 9)])
        }) {
            let what = format!("{} {width} {rows}", set.name());
            let (x, dy) = (numbers(rows * width, 37), numbers(rows * width, 11));
            let lines = [29, 7, 13, 31].map(|step| numbers(width, step));
            let column = |values: &[f32], c: usize| -> Vec<f64> {
                wide(values).into_iter().skip(c).step_by(width).collect()
            };
            let [mut means, mut squares] = [vec![f32::NAN; width], vec![f32::NAN; width]];
            column_moments(set, &x, &mut means, &mut squares);
            let [mut sums, mut along] = [vec![f32::NAN; width], vec![f32::NAN; width]];
            column_slopes(set, &x, &dy, &lines[0], [&mut sums, &mut along]);
            let [mut y, mut dx] = [vec![f32::NAN; x.len()], vec![f32::NAN; x.len()]];
            let [a, b, c, d] = lines.each_ref().map(|line| &line[..]);
            scale_columns(set, &x, [a, b, c], &mut y);
            column_gradient(set, &x, &dy, [a, b, c, d], &mut dx);
            for i in 0..width {
                let (x, dy) = (column(&x, i), column(&dy, i));
                let [a, b, c, d] = [a, b, c, d].map(|line| f64::from(line[i]));
                let mean = x.iter().sum::<f64>() / rows as f64;
                let square = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
                let slope = x.iter().zip(&dy).map(|(x, dy)| dy * (x - a)).sum::<f64>();
                close(&[means[i], squares[i]], &[mean, square], &what);
                close(&[sums[i], along[i]], &[dy.iter().sum(), slope], &what);
                for (row, (x, dy)) in x.iter().zip(&dy).enumerate() {
                    let at = row * width + i;
                    close(&[y[at]], &[b * (x - a) + c], &what);
                    close(&[dx[at]], &[b * (dy - c - (x - a) * d)], &what);
                }
            }
        }
    }

    #[test]
    fn a_long_column_far_from_zero_keeps_its_small_variance() {
        let x: Vec<f32> = (0..100_000).map(|i| 1000.0 + (i % 2) as f32).collect();
        for set in Kernels::available() {
            let ([mut mean], [mut square]) = ([0.0], [0.0]);
            column_moments(
                set,
                &x,
                std::slice::from_mut(&mut mean),
                std::slice::from_mut(&mut square),
            );
            assert_eq!((mean, square), (1000.5, 25_000.0), "{}", set.name());
        }
    }
}
