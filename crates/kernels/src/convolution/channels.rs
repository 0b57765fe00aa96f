//! Convolutions of each channel by itself ("depthwise": Sifre and Mallat 2014; Chollet 2017): no sum
//! over channels, so that vectors lie along them and no product is left.

use super::{NOWHERE, Windows};
use crate::{Activation, Kernels, Matrix, Simd, Start, Target, Task};

/// Values of a band of windows, in and out: they stay in the second cache over all taps.
const BAND: usize = 48 * 1024;

/// y = `activation`(`start` + Σ over taps x·w) for each window of each item and each channel. The
/// weights are [taps, channels].
///
/// # Panics
/// If the shapes do not fit.
pub fn convolve_channels(
    kernels: Kernels,
    x: Matrix<'_>,
    windows: Windows<'_>,
    weights: Matrix<'_>,
    start: Start<'_>,
    activation: Option<Activation>,
    y: Target<'_>,
) {
    let (x, weights) = (x.lying(), weights.lying());
    assert_eq!((weights.columns(), y.columns()), (x.columns(), x.columns()));
    windows.check(weights.rows());
    let items = y.rows().checked_div(windows.outputs).unwrap_or(0);
    assert_eq!((items * windows.inputs, items * windows.outputs), (x.rows(), y.rows()));
    assert!(start.bias().is_none_or(|bias| bias.len() == y.columns()));
    kernels.run(Convolve { x, windows, items, weights, start, activation, y });
}

struct Convolve<'a> {
    x: Matrix<'a>,
    windows: Windows<'a>,
    items: usize,
    weights: Matrix<'a>,
    start: Start<'a>,
    activation: Option<Activation>,
    y: Target<'a>,
}

impl Task for Convolve<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let (channels, count) = (self.x.columns(), self.windows.rows.len());
        for item in 0..self.items {
            for window in 0..count {
                let row = item * self.windows.outputs + self.windows.rows[window] as usize;
                let y = self.y.row(row);
                for first in (0..channels).step_by(S::LANES) {
                    let lanes = (channels - first).min(S::LANES);
                    // SAFETY: `convolve_channels` has checked all places; the rows of x, y and the
                    // weights lie where they said when they were made.
                    unsafe {
                        let mut sum = simd.splat(0.0);
                        if let Some(bias) = self.start.bias() {
                            sum = simd.load_first(bias.as_ptr().add(first), lanes);
                        }
                        if self.start.is_held() {
                            sum = simd.add(sum, simd.load_first(y.add(first), lanes));
                        }
                        for (tap, &number) in self.windows.taps.iter().enumerate() {
                            let place = *self.windows.places.as_ptr().add(tap * count + window);
                            if place != NOWHERE {
                                let x = self.x.row(item * self.windows.inputs + place as usize);
                                let w = self.weights.row(number as usize);
                                let x = simd.load_first(x.add(first), lanes);
                                sum = simd.fma(x, simd.load_first(w.add(first), lanes), sum);
                            }
                        }
                        simd.store_first(y.add(first), sum, lanes);
                    }
                }
                if let Some(activation) = self.activation {
                    // SAFETY: the row has so many values, and was written above.
                    activation.on(simd, unsafe { std::slice::from_raw_parts_mut(y, channels) });
                }
            }
        }
    }
}

/// `to` += Σ over windows: x under the tap times the gradient of y, each channel by itself. `to` is
/// [taps, channels].
///
/// # Panics
/// If the shapes do not fit, or rows or taps are left out or not in their order.
pub fn convolve_channels_gradient(
    kernels: Kernels,
    x: Matrix<'_>,
    windows: Windows<'_>,
    gradient: Matrix<'_>,
    to: Target<'_>,
) {
    let (x, gradient) = (x.lying(), gradient.lying());
    let channels = x.columns();
    assert_eq!((windows.taps.len(), channels), (to.rows(), to.columns()));
    assert_eq!(gradient.columns(), channels);
    windows.check(windows.taps.len());
    assert!(windows.are_all());
    let items = gradient.rows().checked_div(windows.outputs).unwrap_or(0);
    assert_eq!((items * windows.inputs, items * windows.outputs), (x.rows(), gradient.rows()));
    kernels.run(Gradient { x, windows, items, gradient, to });
}

struct Gradient<'a> {
    x: Matrix<'a>,
    windows: Windows<'a>,
    items: usize,
    gradient: Matrix<'a>,
    to: Target<'a>,
}

impl Task for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let (channels, count) = (self.x.columns(), self.windows.rows.len());
        let band = (BAND / (2 * channels)).max(16);
        for item in 0..self.items {
            for begin in (0..count).step_by(band) {
                let end = count.min(begin + band);
                for (tap, &number) in self.windows.taps.iter().enumerate() {
                    let to = self.to.row(number as usize);
                    for first in (0..channels).step_by(S::LANES) {
                        let lanes = (channels - first).min(S::LANES);
                        // SAFETY: `convolve_channels_gradient` has checked all places; the rows lie
                        // where they said when they were made.
                        unsafe {
                            let mut sum = simd.load_first(to.add(first), lanes);
                            for window in begin..end {
                                let place = *self.windows.places.as_ptr().add(tap * count + window);
                                if place == NOWHERE {
                                    continue;
                                }
                                let x = self.x.row(item * self.windows.inputs + place as usize);
                                let g = self.gradient.row(item * count + window);
                                let x = simd.load_first(x.add(first), lanes);
                                sum = simd.fma(x, simd.load_first(g.add(first), lanes), sum);
                            }
                            simd.store_first(to.add(first), sum, lanes);
                        }
                    }
                }
            }
        }
    }
}
