//! The gradient of a convolution's weights: for each tap, x under it, transposed, times the gradient
//! of y, added up over all windows in their order.

use super::{NOWHERE, Windows};
use crate::product::{read, write};
use crate::{Desk, Kernels, Matrix, Simd, Start, Target, Task, multiply};

/// Values of a band of windows, in and out: they stay in the second cache over all taps.
const BAND: usize = 48 * 1024;
/// With fewer channels than this a tile for each tap would be too low: x is copied under all taps
/// first, which with so few channels costs little.
const FEW: usize = 8;

/// `to` += Σ over windows: x under the tap, transposed, times the gradient of y. `to` is [taps x
/// channels, output channels].
///
/// # Panics
/// If the shapes do not fit, or rows or taps are left out or not in their order.
pub fn convolve_gradient(
    kernels: Kernels,
    x: Matrix<'_>,
    windows: Windows<'_>,
    gradient: Matrix<'_>,
    mut to: Target<'_>,
    desk: &mut Desk,
) {
    let (x, gradient) = (x.lying(), gradient.lying());
    let (channels, taps) = (x.columns(), windows.taps.len());
    assert_eq!((taps * channels, gradient.columns()), (to.rows(), to.columns()));
    windows.check(taps);
    assert!(windows.are_all());
    let items = gradient.rows().checked_div(windows.outputs).unwrap_or(0);
    assert_eq!((items * windows.inputs, items * windows.outputs), (x.rows(), gradient.rows()));
    let total = gradient.rows();
    if channels >= FEW {
        let zeros = desk.zeros(channels);
        let band = (BAND / (channels + gradient.columns())).max(16);
        kernels.run(Gradient { x, windows, gradient, to, band, zeros });
        return;
    }
    let depth = taps * channels;
    let band = (BAND / (depth + gradient.columns()).max(1)).max(16);
    let mut copies = std::mem::take(&mut desk.copies);
    copies.resize(band * depth, 0.0);
    for first in (0..total).step_by(band) {
        let count = band.min(total - first);
        lay_out(x, windows, first, count, &mut copies[..count * depth]);
        let left = Matrix::new(&copies, depth, count);
        let right = gradient.some_rows(first, count);
        multiply(kernels, left, right, Start::Held, None, to.again(), desk);
    }
    desk.copies = copies;
}

/// x under all taps of some windows, counted over all items: [taps x channels, windows].
fn lay_out(x: Matrix<'_>, windows: Windows<'_>, first: usize, together: usize, to: &mut [f32]) {
    let (channels, count) = (x.columns(), windows.rows.len());
    for (line, to) in to.chunks_exact_mut(together).enumerate() {
        let (tap, channel) = (line / channels, line % channels);
        let mut done = 0;
        while done < together {
            let (item, window) = ((first + done) / count, (first + done) % count);
            // The rest of an item, or of the band.
            let here = (together - done).min(count - window);
            let from = x.some_rows(item * windows.inputs, windows.inputs).values();
            let places = &windows.places[tap * count + window..][..here];
            for (to, &place) in to[done..done + here].iter_mut().zip(places) {
                // What is nowhere is beyond all values.
                let at = (place as usize).saturating_mul(x.step());
                *to = from.get(at.saturating_add(channel)).copied().unwrap_or(0.0);
            }
            done += here;
        }
    }
}

struct Gradient<'a> {
    x: Matrix<'a>,
    windows: Windows<'a>,
    gradient: Matrix<'a>,
    to: Target<'a>,
    band: usize,
    zeros: &'a [f32],
}

impl Task for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let (tall, width) = (S::PRODUCT.0, S::PRODUCT.1 * S::LANES);
        let (channels, columns) = (self.x.columns(), self.gradient.columns());
        let total = self.gradient.rows();
        for first in (0..total).step_by(self.band) {
            let count = self.band.min(total - first);
            for tap in 0..self.windows.taps.len() {
                for column in (0..columns).step_by(width) {
                    let mut channel = 0;
                    while channel < channels {
                        let left = channels - channel;
                        let rows = left.div_ceil(left.div_ceil(tall));
                        let at = Block { first, count, tap, column, channel };
                        self.tile(simd, at, rows, (columns - column).min(width));
                        channel += rows;
                    }
                }
            }
        }
    }
}

/// Windows, a tap, and the first of the output and input channels.
#[derive(Clone, Copy)]
struct Block {
    first: usize,
    count: usize,
    tap: usize,
    column: usize,
    channel: usize,
}

impl Gradient<'_> {
    #[inline(always)]
    fn tile<S: Simd>(&mut self, simd: S, at: Block, rows: usize, columns: usize) {
        macro_rules! of_rows {
            ($vectors:literal: $($rows:literal)*) => {
                match rows {
                    // Tiles that are taller than this set's own never come.
                    $($rows if $rows <= S::PRODUCT.0 => {
                        // SAFETY: `convolve_gradient` has checked all shapes and places.
                        unsafe { self.fill::<S, $rows, $vectors>(simd, at, columns) }
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
    }

    /// # Safety
    /// The block is inside of the shapes; every place is a row of its item or nowhere.
    #[inline(always)]
    unsafe fn fill<S: Simd, const ROWS: usize, const VECTORS: usize>(
        &mut self,
        simd: S,
        at: Block,
        columns: usize,
    ) {
        let windows = &self.windows;
        let last = columns - (VECTORS - 1) * S::LANES;
        let mut sums = [[simd.splat(0.0); VECTORS]; ROWS];
        let (each, step) = (windows.rows.len(), self.x.step());
        let row = windows.taps[at.tap] as usize * self.x.columns() + at.channel;
        let (mut item, mut window) = (at.first / each, at.first % each);
        let end = at.first + at.count;
        let mut seen = at.first;
        // SAFETY: the caller's promise.
        unsafe {
            for (i, sums) in sums.iter_mut().enumerate() {
                *sums = read(simd, self.to.row(row + i).add(at.column), last);
            }
            macro_rules! add_up {
                ($last:expr) => {
                    while seen < end {
                        // The rest of an item, or of the band.
                        let here = (end - seen).min(each - window);
                        let from = self.x.row(item * windows.inputs).add(at.channel);
                        let places = windows.places[at.tap * each + window..].as_ptr();
                        let mut b = self.gradient.row(seen).add(at.column);
                        for i in 0..here {
                            let place = *places.add(i);
                            let a = match place {
                                NOWHERE => self.zeros.as_ptr(),
                                place => from.add(place as usize * step),
                            };
                            let across: [S::Vector; VECTORS] = read(simd, b, $last);
                            for (i, sums) in sums.iter_mut().enumerate() {
                                let down = simd.splat(*a.add(i));
                                for (sum, &across) in sums.iter_mut().zip(&across) {
                                    *sum = simd.fma(down, across, *sum);
                                }
                            }
                            b = b.wrapping_add(self.gradient.step());
                        }
                        seen += here;
                        (item, window) = (item + 1, 0);
                    }
                };
            }
            // Asked once and not at each window.
            if last == S::LANES {
                add_up!(S::LANES);
            } else {
                add_up!(last);
            }
            for (i, sums) in sums.iter().enumerate() {
                write(simd, self.to.row(row + i).add(at.column), sums, last);
            }
        }
    }
}
