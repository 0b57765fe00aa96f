//! Convolutions over rows of channels, straight from the image: no copy of it under each tap.
//!
//! ```text
//! y[window] = Σ over taps: x[place of the tap]·W[tap]       places outside are zeros
//! ```
//!
//! Where taps fall is a table, so that one loop serves any number of axes, strides, dilations, and
//! sequences of any length; and, as an input lies under some taps of some windows, its gradient is the
//! same sum with another table. A tile is some windows by some output channels, in registers over all
//! taps and input channels (Georganas et al. 2018, "Anatomy of High-Performance Deep Learning
//! Convolutions on SIMD Architectures"; the table is that of Dukhan 2019, "The Indirect Convolution
//! Algorithm").
//!
//! As in `multiply`, each value is one chain of additions, tap after tap and channel after channel.

mod channels;
mod gradient;
#[cfg(test)]
mod tests;
mod winograd;

pub use channels::{convolve_channels, convolve_channels_gradient};
pub use gradient::convolve_gradient;
pub use winograd::{Plane, Winograd, convolve_winograd};

use std::ops::Range;

use crate::product::{Place, Soon, ask, begin, read, shares, write};
use crate::{Activation, Desk, Kernels, Matrix, Packed, Simd, Start, Target, Task, multiply};

/// The place of a tap that falls outside of its item: zeros.
pub const NOWHERE: u32 = u32::MAX;

/// Values of a band of rows, in and out: they stay in the second cache while all tiles read them.
const BAND: usize = 1 << 17;

/// Which rows lie under the taps of each window. It is the same for all items of a batch.
#[derive(Clone, Copy)]
pub struct Windows<'a> {
    /// Rows of an item of the input.
    pub inputs: usize,
    /// Rows of an item of the output.
    pub outputs: usize,
    /// The rows of the output that are windows; others are left alone.
    pub rows: &'a [u32],
    /// The numbers that the taps have in the weights.
    pub taps: &'a [u32],
    /// [taps, windows]: a row of the input, or `NOWHERE`.
    pub places: &'a [u32],
}

impl Windows<'_> {
    fn check(&self, taps: usize) {
        assert_eq!(self.places.len(), self.taps.len() * self.rows.len());
        let inside = |&place: &u32| place == NOWHERE || (place as usize) < self.inputs;
        assert!(self.places.iter().all(inside));
        assert!(self.rows.iter().all(|&row| (row as usize) < self.outputs));
        assert!(self.taps.iter().all(|&tap| (tap as usize) < taps));
    }

    /// Whether they are all rows of the output and all taps, in their order.
    fn are_all(&self) -> bool {
        self.rows.len() == self.outputs && in_order(self.rows) && in_order(self.taps)
    }

    /// Whether each is the row of the input that has its number: what is summed is a product.
    fn are_rows(&self) -> bool {
        let one = self.taps.len() == 1 && self.inputs == self.outputs;
        one && self.places.len() == self.outputs && self.are_all() && in_order(self.places)
    }
}

fn in_order(numbers: &[u32]) -> bool {
    numbers.iter().zip(0..).all(|(&number, at)| number == at)
}

/// y = `activation`(`start` + Σ x·W) for each window of each item. The weights are [taps x channels,
/// output channels].
///
/// # Panics
/// If the shapes do not fit.
#[allow(clippy::too_many_arguments)]
pub fn convolve(
    kernels: Kernels,
    x: Matrix<'_>,
    windows: Windows<'_>,
    weights: &Packed,
    start: Start<'_>,
    activation: Option<Activation>,
    y: Target<'_>,
    desk: &mut Desk,
) {
    let (x, channels) = (x.lying(), x.columns());
    let taps = weights.rows().checked_div(channels).unwrap_or(0);
    assert_eq!((taps * channels, y.columns()), (weights.rows(), weights.columns()));
    windows.check(taps);
    let items = y.rows().checked_div(windows.outputs).unwrap_or(0);
    assert_eq!((items * windows.inputs, items * windows.outputs), (x.rows(), y.rows()));
    assert!(start.bias().is_none_or(|bias| bias.len() == y.columns()));
    if taps == 1 && windows.are_rows() {
        return multiply(kernels, x, weights, start, activation, y, desk);
    }
    let (total, columns) = (items * windows.rows.len(), y.columns());
    let crew = desk.crew_for(total * weights.rows() * columns);
    let zeros = desk.zeros(channels);
    let Some(crew) = crew else {
        let (down, across) = (0..total, 0..columns);
        return kernels.run(Convolve {
            x,
            windows,
            down,
            across,
            weights,
            start,
            activation,
            y,
            zeros,
        });
    };
    let (shares, whole) = (shares(total, columns, crew.size()), (y.rows(), y.columns()));
    crew.each(shares.len(), &|number| {
        let (down, across) = shares[number].clone();
        // SAFETY: no two shares have a value in common, and none goes beyond its own.
        let y = unsafe { y.part(0..whole.0, 0..whole.1) };
        kernels.run(Convolve { x, windows, down, across, weights, start, activation, y, zeros });
    });
}

struct Convolve<'a> {
    x: Matrix<'a>,
    windows: Windows<'a>,
    /// Windows, counted over all items.
    down: Range<usize>,
    /// Output channels.
    across: Range<usize>,
    weights: &'a Packed,
    start: Start<'a>,
    activation: Option<Activation>,
    y: Target<'a>,
    zeros: &'a [f32],
}

impl Task for Convolve<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let (tall, width) = (S::PRODUCT.0, S::PRODUCT.1 * S::LANES);
        let (down, across) = (self.down.clone(), self.across.clone());
        let band = (BAND / (self.x.columns() + across.len())).next_multiple_of(tall);
        for first in down.clone().step_by(band) {
            let end = down.end.min(first + band);
            for column in across.clone().step_by(width) {
                let (mut at, tiles) = (first, (end - first).div_ceil(tall));
                let next = if column + width < across.end { column + width } else { across.start };
                for tile in 0..tiles {
                    // Of about the same height: a low one has too few sums to add to at once.
                    let rows = (end - at).div_ceil(tiles - tile);
                    let (panel, depth) = (self.weights.panel(next / width), self.weights.rows());
                    let soon = Soon::share(panel, width, depth, (tile, tiles));
                    self.tile(simd, at, rows, column, (across.end - column).min(width), soon);
                    at += rows;
                }
            }
        }
    }
}

impl Convolve<'_> {
    /// Windows from `first` on, counted over all items, by `columns` output channels.
    #[inline(always)]
    fn tile<S: Simd>(
        &mut self,
        simd: S,
        first: usize,
        rows: usize,
        column: usize,
        columns: usize,
        soon: Soon,
    ) {
        let width = S::PRODUCT.1 * S::LANES;
        let windows = &self.windows;
        let count = windows.rows.len();
        let mut from = [std::ptr::null(); 14];
        let mut places = [std::ptr::null(); 14];
        let mut to = [std::ptr::null_mut(); 14];
        let (mut item, mut window) = (first / count, first % count);
        for i in 0..rows {
            from[i] = self.x.row(item * windows.inputs);
            places[i] = windows.places.as_ptr().wrapping_add(window);
            let row = item * windows.outputs + windows.rows[window] as usize;
            to[i] = self.y.row(row).wrapping_add(column);
            window += 1;
            if window == count {
                (item, window) = (item + 1, 0);
            }
        }
        let start = self.start.place(column);
        let tile = Tile {
            channels: self.x.columns(),
            step: self.x.step(),
            from: &from,
            places: &places,
            count,
            zeros: self.zeros.as_ptr(),
            taps: windows.taps,
            panel: self.weights.panel(column / width),
            width,
            columns,
            to: &to,
            soon,
        };
        macro_rules! of_rows {
            ($vectors:literal: $($rows:literal)*) => {
                match rows {
                    // Tiles that are taller than this set's own never come.
                    $($rows if $rows <= S::PRODUCT.0 => {
                        // SAFETY: `convolve` has checked all places; the rows of x and y lie where
                        // `Matrix` and `Target` said when they were made; panels hold whole vectors.
                        unsafe { tile.fill::<S, $rows, $vectors>(simd, start) }
                    })*
                    _ => unreachable!("a tile is as tall as the set says"),
                }
            };
        }
        if columns <= S::LANES {
            of_rows!(1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14);
        } else {
            of_rows!(2: 1 2 3 4 5 6 7 8 9 10 11 12 13 14);
        }
        if let Some(activation) = self.activation {
            for &row in &to[..rows] {
                // SAFETY: the row was written above.
                let row = unsafe { std::slice::from_raw_parts_mut(row, columns) };
                activation.on(simd, row);
            }
        }
    }
}

struct Tile<'a> {
    channels: usize,
    /// From one row of the input to the next.
    step: usize,
    /// The first row of each window's item.
    from: &'a [*const f32; 14],
    /// Each window's place under the first tap; that under the next is `count` after it.
    places: &'a [*const u32; 14],
    count: usize,
    zeros: *const f32,
    taps: &'a [u32],
    panel: *const f32,
    width: usize,
    columns: usize,
    to: &'a [*mut f32; 14],
    soon: Soon,
}

impl Tile<'_> {
    /// # Safety
    /// Every place is a row of its item or nowhere, every tap is in the panel, and `to` are rows of
    /// `columns` values.
    #[inline(always)]
    unsafe fn fill<S: Simd, const ROWS: usize, const VECTORS: usize>(
        mut self,
        simd: S,
        start: Place,
    ) {
        let last = self.columns - (VECTORS - 1) * S::LANES;
        let rows = std::array::from_fn(|i| self.to[i].cast_const());
        // SAFETY: the caller's promise.
        unsafe {
            let mut sums: [[S::Vector; VECTORS]; ROWS] = begin(simd, start, rows, last);
            for (tap, &number) in self.taps.iter().enumerate() {
                let mut a = [self.zeros; ROWS];
                for (i, a) in a.iter_mut().enumerate() {
                    let place = *self.places[i].add(tap * self.count);
                    if place != NOWHERE {
                        *a = self.from[i].add(place as usize * self.step);
                    }
                }
                let mut b = self.panel.add(number as usize * self.channels * self.width);
                for some in (0..self.channels).step_by(self.soon.every) {
                    self.soon.ask(simd);
                    for channel in some..self.channels.min(some + self.soon.every) {
                        ask::<S, VECTORS>(simd, b, self.width);
                        let across: [S::Vector; VECTORS] = read(simd, b, S::LANES);
                        for (sums, a) in sums.iter_mut().zip(&a) {
                            let down = simd.splat(*a.add(channel));
                            for (sum, &across) in sums.iter_mut().zip(&across) {
                                *sum = simd.fma(down, across, *sum);
                            }
                        }
                        b = b.add(self.width);
                    }
                }
            }
            for (sums, &to) in sums.iter().zip(self.to) {
                write(simd, to, sums, last);
            }
        }
    }
}
