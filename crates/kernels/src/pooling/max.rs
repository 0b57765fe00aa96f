//! The largest of rows, channel by channel: under windows, or of all rows of an item.

use std::sync::{Mutex, PoisonError};

use crate::{Desk, Kernels, NOWHERE, Simd, Task, Windows};

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

/// As `max_pool`, where nobody asks which rows they were; the crew of the desk helps.
///
/// # Panics
/// If the shapes do not fit.
pub fn max_pool_values(
    kernels: Kernels,
    x: &[f32],
    width: usize,
    windows: Windows<'_>,
    y: &mut [f32],
    desk: &Desk,
) {
    let rows = y.len() / width.max(1);
    let pool = |first: usize, y: &mut [f32]| kernels.run(MaxValues { x, width, windows, first, y });
    let Some(crew) = desk.crew_for(rows * windows.taps.len() * width) else { return pool(0, y) };
    let together = rows.div_ceil(4 * crew.size());
    let shares: Vec<_> = y.chunks_mut(together * width).map(Mutex::new).collect();
    crew.each(shares.len(), &|number| {
        let mut share = shares[number].lock().unwrap_or_else(PoisonError::into_inner);
        pool(number * together, &mut share);
    });
}

struct MaxValues<'a> {
    x: &'a [f32],
    width: usize,
    windows: Windows<'a>,
    /// The number of the first row of `y`.
    first: usize,
    y: &'a mut [f32],
}

impl Task for MaxValues<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        /// Channels whose largest values stay in registers.
        const BLOCK: usize = 64;
        let Self { x, width, windows, first, y } = self;
        let count = windows.rows.len();
        for (row, y) in (first..).zip(y.chunks_exact_mut(width)) {
            let (item, window) = (row / count, row % count);
            let item = &x[item * windows.inputs * width..][..windows.inputs * width];
            for (block, y) in y.chunks_mut(BLOCK).enumerate() {
                let mut largest = [f32::NEG_INFINITY; BLOCK];
                for tap in 0..windows.taps.len() {
                    let place = windows.places[tap * count + window];
                    if place != NOWHERE {
                        let x = &item[place as usize * width + block * BLOCK..][..y.len()];
                        for (largest, &x) in largest.iter_mut().zip(x) {
                            let take = (x > *largest) | (x.is_nan() & !largest.is_nan());
                            *largest = if take { x } else { *largest };
                        }
                    }
                }
                y.copy_from_slice(&largest[..y.len()]);
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
    use std::sync::Arc;

    use inlay_base::{Crew, Run};

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
    fn largest_values_alone_are_those_that_are_chosen_and_a_crew_gives_the_same() {
        let (side, width, items) = (40, 67, 2);
        let mut x: Vec<f32> =
            (0..items * side * side * width).map(|i| ((i * 2_654_435_761) % 1009) as f32).collect();
        x[3 * width + 5] = f32::NAN;
        let rows: Vec<u32> = (0..(side * side) as u32).collect();
        let places: Vec<u32> = (0..9)
            .flat_map(|tap| {
                let beside = move |at: usize, by: usize| (at + by).wrapping_sub(1);
                (0..side * side).map(move |at| {
                    let (v, u) = (beside(at / side, tap / 3), beside(at % side, tap % 3));
                    if v < side && u < side { (v * side + u) as u32 } else { NOWHERE }
                })
            })
            .collect();
        let taps: Vec<u32> = (0..9).collect();
        let size = side * side;
        let windows =
            Windows { inputs: size, outputs: size, rows: &rows, taps: &taps, places: &places };
        for set in Kernels::available() {
            let (mut wanted, mut chosen) = (vec![0.0; x.len()], vec![0; x.len()]);
            max_pool(set, &x, width, windows, &mut wanted, &mut chosen);
            let mut alone = vec![0.0; x.len()];
            max_pool_values(set, &x, width, windows, &mut alone, &Desk::default());
            let (run, crew) = (Run::quiet(3, 1), Arc::new(Crew::new(3)));
            let together = Mutex::new(vec![0.0; x.len()]);
            run.workers(|worker| {
                if worker > 0 {
                    crew.help();
                    return Ok(());
                }
                let mut desk = Desk::default();
                desk.share(Some(Arc::clone(&crew)));
                max_pool_values(set, &x, width, windows, &mut together.lock().unwrap(), &desk);
                crew.close();
                Ok(())
            })
            .unwrap();
            let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&alone), bits(&wanted), "{}", set.name());
            assert_eq!(bits(&together.into_inner().unwrap()), bits(&wanted), "{}", set.name());
        }
    }
}
