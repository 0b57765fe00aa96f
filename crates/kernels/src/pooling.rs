//! Means and maxima of rows, channel by channel: under windows, or of all rows of an item.

use crate::{Kernels, NOWHERE, Simd, Task, Windows};

/// y = the largest of x in each window, and in which row of the item it was: the first of equal ones.
/// What is not a number is the largest.
///
/// # Panics
/// If the shapes do not fit.
pub fn max_pool(
    kernels: Kernels,
    x: &[f32],
    width: usize,
    windows: Windows<'_>,
    y: &mut [f32],
    chosen: &mut [u32],
) {
    assert_eq!(y.len(), chosen.len());
    kernels.run(MaxPool { x, width, windows, y, chosen });
}

struct MaxPool<'a> {
    x: &'a [f32],
    width: usize,
    windows: Windows<'a>,
    y: &'a mut [f32],
    chosen: &'a mut [u32],
}

impl Task for MaxPool<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let Self { x, width, windows, y, chosen } = self;
        let count = windows.rows.len();
        let rows = y.chunks_exact_mut(width).zip(chosen.chunks_exact_mut(width));
        for (row, (y, chosen)) in rows.enumerate() {
            let (item, window) = (row / count, row % count);
            let item = &x[item * windows.inputs * width..][..windows.inputs * width];
            y.fill(f32::NEG_INFINITY);
            chosen.fill(NOWHERE);
            for tap in 0..windows.taps.len() {
                let place = windows.places[tap * count + window];
                if place != NOWHERE {
                    larger(&item[place as usize * width..][..width], place, y, chosen);
                }
            }
        }
    }
}

/// Takes what is larger in a row.
#[inline(always)]
fn larger(x: &[f32], row: u32, y: &mut [f32], chosen: &mut [u32]) {
    for ((&x, y), chosen) in x.iter().zip(y).zip(chosen) {
        // Written so that the compiler makes a comparison and two choices of it.
        let take = (x > *y) | (x.is_nan() & !y.is_nan()) | (*chosen == NOWHERE);
        *y = if take { x } else { *y };
        *chosen = if take { row } else { *chosen };
    }
}

/// The gradient of x, from that of y, whose values came of the `chosen` rows.
///
/// # Panics
/// If the shapes do not fit.
pub fn max_pool_gradient(
    kernels: Kernels,
    gradient: &[f32],
    chosen: &[u32],
    width: usize,
    windows: Windows<'_>,
    to: &mut [f32],
) {
    assert_eq!(gradient.len(), chosen.len());
    kernels.run(MaxPoolGradient { gradient, chosen, width, windows, to });
}

struct MaxPoolGradient<'a> {
    gradient: &'a [f32],
    chosen: &'a [u32],
    width: usize,
    windows: Windows<'a>,
    to: &'a mut [f32],
}

impl Task for MaxPoolGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let Self { gradient, chosen, width, windows, to } = self;
        let count = windows.rows.len();
        to.fill(0.0);
        let rows = gradient.chunks_exact(width).zip(chosen.chunks_exact(width));
        for (row, (gradient, chosen)) in rows.enumerate() {
            let (item, window) = (row / count, row % count);
            let item = &mut to[item * windows.inputs * width..][..windows.inputs * width];
            for tap in 0..windows.taps.len() {
                let place = windows.places[tap * count + window];
                if place == NOWHERE {
                    continue;
                }
                let to = &mut item[place as usize * width..][..width];
                for ((to, gradient), &chosen) in to.iter_mut().zip(gradient).zip(chosen) {
                    *to += if chosen == place { *gradient } else { 0.0 };
                }
            }
        }
    }
}

/// y = Σ x in each window, divided by `divisor`, or by the places of the window that are inside.
///
/// # Panics
/// If the shapes do not fit.
pub fn average_pool(
    kernels: Kernels,
    x: &[f32],
    width: usize,
    windows: Windows<'_>,
    divisor: Option<usize>,
    y: &mut [f32],
) {
    kernels.run(AveragePool { x, width, windows, divisor, y });
}

struct AveragePool<'a> {
    x: &'a [f32],
    width: usize,
    windows: Windows<'a>,
    divisor: Option<usize>,
    y: &'a mut [f32],
}

impl Task for AveragePool<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let Self { x, width, windows, divisor, y } = self;
        let count = windows.rows.len();
        for (row, y) in y.chunks_exact_mut(width).enumerate() {
            let (item, window) = (row / count, row % count);
            let item = &x[item * windows.inputs * width..][..windows.inputs * width];
            let share = share(&windows, window, divisor);
            y.fill(0.0);
            for tap in 0..windows.taps.len() {
                let place = windows.places[tap * count + window];
                if place != NOWHERE {
                    let x = &item[place as usize * width..][..width];
                    y.iter_mut().zip(x).for_each(|(y, x)| *y += x);
                }
            }
            y.iter_mut().for_each(|y| *y *= share);
        }
    }
}

#[inline(always)]
fn share(windows: &Windows<'_>, window: usize, divisor: Option<usize>) -> f32 {
    let count = windows.rows.len();
    let mut inside = 0;
    for tap in 0..windows.taps.len() {
        inside += usize::from(windows.places[tap * count + window] != NOWHERE);
    }
    1.0 / divisor.unwrap_or(inside).max(1) as f32
}

/// The gradient of x, from that of y.
///
/// # Panics
/// If the shapes do not fit.
pub fn average_pool_gradient(
    kernels: Kernels,
    gradient: &[f32],
    width: usize,
    windows: Windows<'_>,
    divisor: Option<usize>,
    to: &mut [f32],
) {
    kernels.run(AveragePoolGradient { gradient, width, windows, divisor, to });
}

struct AveragePoolGradient<'a> {
    gradient: &'a [f32],
    width: usize,
    windows: Windows<'a>,
    divisor: Option<usize>,
    to: &'a mut [f32],
}

impl Task for AveragePoolGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let Self { gradient, width, windows, divisor, to } = self;
        let count = windows.rows.len();
        to.fill(0.0);
        for (row, gradient) in gradient.chunks_exact(width).enumerate() {
            let (item, window) = (row / count, row % count);
            let item = &mut to[item * windows.inputs * width..][..windows.inputs * width];
            let share = share(&windows, window, divisor);
            for tap in 0..windows.taps.len() {
                let place = windows.places[tap * count + window];
                if place != NOWHERE {
                    let to = &mut item[place as usize * width..][..width];
                    to.iter_mut().zip(gradient).for_each(|(to, g)| *to += share * g);
                }
            }
        }
    }
}

/// y = the mean of rows as wide as y, of which there is at least one.
pub fn pool_mean(kernels: Kernels, rows: &[f32], y: &mut [f32]) {
    kernels.run(PoolMean { rows, y });
}

struct PoolMean<'a> {
    rows: &'a [f32],
    y: &'a mut [f32],
}

impl Task for PoolMean<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let Self { rows, y } = self;
        let share = 1.0 / (rows.len() / y.len()).max(1) as f32;
        y.fill(0.0);
        for row in rows.chunks_exact(y.len()) {
            y.iter_mut().zip(row).for_each(|(y, x)| *y += x);
        }
        y.iter_mut().for_each(|y| *y *= share);
    }
}

/// The gradient of rows, from that of their mean.
pub fn pool_mean_gradient(kernels: Kernels, gradient: &[f32], rows: &mut [f32]) {
    kernels.run(PoolMeanGradient { gradient, rows });
}

struct PoolMeanGradient<'a> {
    gradient: &'a [f32],
    rows: &'a mut [f32],
}

impl Task for PoolMeanGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let Self { gradient, rows } = self;
        let share = 1.0 / (rows.len() / gradient.len()).max(1) as f32;
        for row in rows.chunks_exact_mut(gradient.len()) {
            row.iter_mut().zip(gradient).for_each(|(row, g)| *row = share * g);
        }
    }
}

/// y = the mean of rows as wide as y, the first of which counts 1, the next 2, and so on.
pub fn pool_rising_mean(kernels: Kernels, rows: &[f32], y: &mut [f32]) {
    kernels.run(PoolRisingMean { rows, y });
}

/// What a row counts of n that count 1, 2, ..., n.
#[inline(always)]
fn rising_share(row: usize, count: usize) -> f32 {
    (2.0 * (row + 1) as f64 / (count as f64 * (count + 1) as f64)) as f32
}

struct PoolRisingMean<'a> {
    rows: &'a [f32],
    y: &'a mut [f32],
}

impl Task for PoolRisingMean<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let Self { rows, y } = self;
        let count = rows.len() / y.len();
        y.fill(0.0);
        for (number, row) in rows.chunks_exact(y.len()).enumerate() {
            let share = rising_share(number, count);
            y.iter_mut().zip(row).for_each(|(y, x)| *y += share * x);
        }
    }
}

/// The gradient of rows, from that of such a mean.
pub fn pool_rising_mean_gradient(kernels: Kernels, gradient: &[f32], rows: &mut [f32]) {
    kernels.run(PoolRisingMeanGradient { gradient, rows });
}

struct PoolRisingMeanGradient<'a> {
    gradient: &'a [f32],
    rows: &'a mut [f32],
}

impl Task for PoolRisingMeanGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let Self { gradient, rows } = self;
        let count = rows.len() / gradient.len();
        for (number, row) in rows.chunks_exact_mut(gradient.len()).enumerate() {
            let share = rising_share(number, count);
            row.iter_mut().zip(gradient).for_each(|(row, g)| *row = share * g);
        }
    }
}

/// y = the largest of rows as wide as y, of which there is at least one, and in which row it was: the
/// first of equal ones. What is not a number is the largest.
///
/// # Panics
/// If `chosen` is not as long as y.
pub fn pool_max(kernels: Kernels, rows: &[f32], y: &mut [f32], chosen: &mut [u32]) {
    assert_eq!(y.len(), chosen.len());
    kernels.run(PoolMax { rows, y, chosen });
}

struct PoolMax<'a> {
    rows: &'a [f32],
    y: &'a mut [f32],
    chosen: &'a mut [u32],
}

impl Task for PoolMax<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let Self { rows, y, chosen } = self;
        y.fill(f32::NEG_INFINITY);
        chosen.fill(NOWHERE);
        for (row, x) in rows.chunks_exact(y.len()).enumerate() {
            larger(x, row as u32, y, chosen);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equal_ones_is_chosen_and_what_is_no_number_stays() {
        for set in Kernels::available() {
            let (mut y, mut chosen) = ([0.0; 3], [0; 3]);
            let rows =
                [1.0, f32::NEG_INFINITY, 0.0, 1.0, f32::NEG_INFINITY, f32::NAN, 0.0, 5.0, 7.0];
            pool_max(set, &rows, &mut y, &mut chosen);
            assert_eq!((y[0], y[1], chosen), (1.0, 5.0, [0, 2, 1]), "{}", set.name());
            assert!(y[2].is_nan());
        }
    }

    #[test]
    fn windows_give_their_largest_and_their_mean_and_take_gradients_back() {
        let places = [NOWHERE, 0, 0, 2];
        let windows =
            Windows { inputs: 3, outputs: 2, rows: &[0, 1], taps: &[0, 1], places: &places };
        let x = [1.0, 2.0, 9.0, 9.0, 3.0, -4.0];
        for set in Kernels::available() {
            let (mut y, mut chosen) = ([0.0; 4], [0; 4]);
            max_pool(set, &x, 2, windows, &mut y, &mut chosen);
            assert_eq!((y, chosen), ([1.0, 2.0, 3.0, 2.0], [0, 0, 2, 0]));
            let mut to = [7.0; 6];
            max_pool_gradient(set, &[1.0, 10.0, 100.0, 1000.0], &chosen, 2, windows, &mut to);
            assert_eq!(to, [1.0, 1010.0, 0.0, 0.0, 100.0, 0.0]);
            for (divisor, wanted) in
                [(None, [1.0, 2.0, 2.0, -1.0]), (Some(2), [0.5, 1.0, 2.0, -1.0])]
            {
                average_pool(set, &x, 2, windows, divisor, &mut y);
                assert_eq!(y, wanted);
            }
            average_pool_gradient(set, &[1.0, 2.0, 4.0, 8.0], 2, windows, None, &mut to);
            assert_eq!(to, [3.0, 6.0, 0.0, 0.0, 2.0, 4.0]);
        }
    }
}
