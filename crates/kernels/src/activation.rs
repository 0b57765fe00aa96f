//! Functions of each value of a layer, and their derivatives.

use std::f32::consts::PI;

use crate::{Kernels, Simd, Task, exp};

/// A function that is applied to each value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// max(x, 0)
    Relu,
    /// tanh x
    Tanh,
    /// σ(x) = 1 / (1 + e⁻ˣ)
    Sigmoid,
    /// x·σ(x) (Elfwing et al. 2017; Ramachandran et al. 2017)
    Silu,
    /// x·Φ(x), with the error function to 2e-7 (Hendrycks and Gimpel 2016, arXiv:1606.08415)
    Gelu,
    /// x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))), as GPT-2 and others have it
    GeluTanh,
    /// x·σ(1.702·x), the coarser formula of the same paper, as CLIP has it
    QuickGelu,
}

/// Values become the function of themselves.
pub fn activate(kernels: Kernels, activation: Activation, values: &mut [f32]) {
    kernels.run(Activate { activation, values });
}

/// `gradient`, of the loss by what the function gave, becomes that by what it was given. `known` is
/// what it gave, or for those that `needs_input` says so, what it was given.
///
/// # Panics
/// If the lengths differ.
pub fn activation_gradient(
    kernels: Kernels,
    activation: Activation,
    known: &[f32],
    gradient: &mut [f32],
) {
    assert_eq!(known.len(), gradient.len());
    kernels.run(Gradient { activation, known, gradient });
}

impl Activation {
    /// Whether the derivative is worked out of what the function was given and not of what it gave.
    pub fn needs_input(self) -> bool {
        matches!(self, Self::Silu | Self::Gelu | Self::GeluTanh | Self::QuickGelu)
    }

    /// In the middle of a kernel.
    #[inline(always)]
    pub(crate) fn on<S: Simd>(self, simd: S, values: &mut [f32]) {
        // SAFETY: one row of values that are there.
        unsafe { self.on_rows(simd, values.as_mut_ptr(), (1, values.len()), 0) }
    }

    /// The same for some rows of values, whose starts are `step` values apart.
    ///
    /// # Safety
    /// The values are there, and nobody else's.
    #[inline(always)]
    pub(crate) unsafe fn on_rows<S: Simd>(
        self,
        simd: S,
        values: *mut f32,
        (rows, columns): (usize, usize),
        step: usize,
    ) {
        // A loop for each function, and no closures: they do not inherit the set.
        macro_rules! each {
            ($function:ident) => {
                for row in 0..rows {
                    // SAFETY: the caller's promise.
                    unsafe {
                        let row = values.add(row * step);
                        for at in (0..columns).step_by(S::LANES) {
                            let (x, count) = (row.add(at), (columns - at).min(S::LANES));
                            simd.store_first(x, $function(simd, simd.load_first(x, count)), count);
                        }
                    }
                }
            };
        }
        match self {
            Self::Relu => each!(relu),
            Self::Tanh => each!(tanh),
            Self::Sigmoid => each!(sigmoid),
            Self::Silu => each!(silu),
            Self::Gelu => each!(gelu),
            Self::GeluTanh => each!(gelu_tanh),
            Self::QuickGelu => each!(quick_gelu),
        }
    }
}

struct Activate<'a> {
    activation: Activation,
    values: &'a mut [f32],
}

impl Task for Activate<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        self.activation.on(simd, self.values);
    }
}

struct Gradient<'a> {
    activation: Activation,
    known: &'a [f32],
    gradient: &'a mut [f32],
}

impl Task for Gradient<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { activation, known, gradient } = self;
        macro_rules! each {
            ($slope:ident) => {
                for at in (0..known.len()).step_by(S::LANES) {
                    let count = (known.len() - at).min(S::LANES);
                    // SAFETY: `count` values are there in both.
                    unsafe {
                        let slope = $slope(simd, simd.load_first(known.as_ptr().add(at), count));
                        let g = gradient.as_mut_ptr().add(at);
                        simd.store_first(g, simd.mul(simd.load_first(g, count), slope), count);
                    }
                }
            };
        }
        match activation {
            // Zero where the output is zero, not half of it: a step, which is what max gives.
            Activation::Relu => {
                for (gradient, &y) in gradient.iter_mut().zip(known) {
                    *gradient = if y > 0.0 { *gradient } else { 0.0 };
                }
            }
            Activation::Tanh => each!(tanh_slope),
            Activation::Sigmoid => each!(sigmoid_slope),
            Activation::Silu => each!(silu_slope),
            Activation::Gelu => each!(gelu_slope),
            Activation::GeluTanh => each!(gelu_tanh_slope),
            Activation::QuickGelu => each!(quick_gelu_slope),
        }
    }
}

#[inline(always)]
fn relu<S: Simd>(simd: S, x: S::Vector) -> S::Vector {
    simd.max(simd.splat(0.0), x)
}

/// σ(x), to 3e-7.
#[inline(always)]
pub(crate) fn sigmoid<S: Simd>(simd: S, x: S::Vector) -> S::Vector {
    let one = simd.splat(1.0);
    simd.inverse(simd.add(one, exp(simd, simd.sub(simd.splat(0.0), x))))
}

/// tanh x = 1 - 2 / (1 + e²ˣ), to 3e-7.
#[inline(always)]
pub(crate) fn tanh<S: Simd>(simd: S, x: S::Vector) -> S::Vector {
    let one = simd.splat(1.0);
    let power = exp(simd, simd.add(x, x));
    simd.fma(simd.splat(-2.0), simd.inverse(simd.add(one, power)), one)
}

#[inline(always)]
fn silu<S: Simd>(simd: S, x: S::Vector) -> S::Vector {
    simd.mul(x, sigmoid(simd, x))
}

#[inline(always)]
fn gelu<S: Simd>(simd: S, x: S::Vector) -> S::Vector {
    simd.mul(x, normal_below(simd, x))
}

#[inline(always)]
fn gelu_tanh<S: Simd>(simd: S, x: S::Vector) -> S::Vector {
    let half = simd.mul(x, simd.splat(0.5));
    simd.fma(half, tanh(simd, gelu_inner(simd, x)), half)
}

/// √(2/π)·(x + 0.044715·x³)
#[inline(always)]
fn gelu_inner<S: Simd>(simd: S, x: S::Vector) -> S::Vector {
    let scale = (2.0 / PI).sqrt();
    let square = simd.mul(x, x);
    let cubic = simd.fma(square, simd.splat(0.044_715 * scale), simd.splat(scale));
    simd.mul(x, cubic)
}

/// Φ(x), the share of a normal distribution below x, to 2e-7: 1/2 + x·P(x²) / Q(x²), where P and Q are the polynomials
/// that come nearest up to 5.6, where it is 1 (least squares, weighted where it was furthest: Lawson 1961). A third of
/// the work of a formula with e^(-x²/2).
#[inline(always)]
fn normal_below<S: Simd>(simd: S, x: S::Vector) -> S::Vector {
    #[allow(clippy::excessive_precision)]
    const P: [f32; 6] =
        [2.214_529_1e-8, 6.356_529_5e-6, 1.738_508_7e-4, 4.707_26e-3, 3.437_611_8e-2, 0.398_942_22];
    #[allow(clippy::excessive_precision)]
    const Q: [f32; 6] =
        [1.180_211_2e-6, 7.510_193_3e-5, 1.912_978_7e-3, 2.894_009_4e-2, 0.252_833_87, 1.0];
    let (zero, half, one) = (simd.splat(0.0), simd.splat(0.5), simd.splat(1.0));
    let x = simd.max(simd.splat(-5.6), simd.min(simd.splat(5.6), x));
    let square = simd.mul(x, x);
    let (mut above, mut below) = (simd.splat(P[0]), simd.splat(Q[0]));
    for (&p, &q) in P[1..].iter().zip(&Q[1..]) {
        above = simd.fma(above, square, simd.splat(p));
        below = simd.fma(below, square, simd.splat(q));
    }
    let share = simd.fma(simd.mul(x, above), simd.inverse(below), half);
    simd.max(zero, simd.min(one, share))
}

#[inline(always)]
fn quick_gelu<S: Simd>(simd: S, x: S::Vector) -> S::Vector {
    simd.mul(x, sigmoid(simd, simd.mul(x, simd.splat(1.702))))
}

#[inline(always)]
fn tanh_slope<S: Simd>(simd: S, y: S::Vector) -> S::Vector {
    simd.sub(simd.splat(1.0), simd.mul(y, y))
}

#[inline(always)]
fn sigmoid_slope<S: Simd>(simd: S, y: S::Vector) -> S::Vector {
    simd.sub(y, simd.mul(y, y))
}

#[inline(always)]
fn silu_slope<S: Simd>(simd: S, x: S::Vector) -> S::Vector {
    let sigma = sigmoid(simd, x);
    simd.fma(x, sigmoid_slope(simd, sigma), sigma)
}

#[inline(always)]
fn gelu_slope<S: Simd>(simd: S, x: S::Vector) -> S::Vector {
    let density = exp(simd, simd.mul(simd.mul(x, x), simd.splat(-0.5)));
    let density = simd.mul(density, simd.splat(1.0 / (2.0 * PI).sqrt()));
    simd.fma(x, density, normal_below(simd, x))
}

#[inline(always)]
fn gelu_tanh_slope<S: Simd>(simd: S, x: S::Vector) -> S::Vector {
    let scale = (2.0 / PI).sqrt();
    let t = tanh(simd, gelu_inner(simd, x));
    let inner = simd.fma(simd.mul(x, x), simd.splat(3.0 * 0.044_715 * scale), simd.splat(scale));
    let half = simd.splat(0.5);
    let rise = simd.mul(simd.mul(simd.mul(half, x), tanh_slope(simd, t)), inner);
    simd.add(rise, simd.fma(half, t, half))
}

#[inline(always)]
fn quick_gelu_slope<S: Simd>(simd: S, x: S::Vector) -> S::Vector {
    let inner = simd.mul(x, simd.splat(1.702));
    let sigma = sigmoid(simd, inner);
    simd.fma(inner, sigmoid_slope(simd, sigma), sigma)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Activation; 7] = [
        Activation::Relu,
        Activation::Tanh,
        Activation::Sigmoid,
        Activation::Silu,
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::QuickGelu,
    ];

    fn reference(activation: Activation, x: f64) -> f64 {
        let sigma = 1.0 / (1.0 + (-x).exp());
        match activation {
            Activation::Relu => x.max(0.0),
            Activation::Tanh => x.tanh(),
            Activation::Sigmoid => sigma,
            Activation::Silu => x * sigma,
            Activation::Gelu => x * normal(x),
            Activation::GeluTanh => {
                let scale = (2.0 / std::f64::consts::PI).sqrt();
                0.5 * x * (1.0 + (scale * (x + 0.044_715 * x * x * x)).tanh())
            }
            Activation::QuickGelu => x / (1.0 + (-1.702 * x).exp()),
        }
    }

    /// Φ by Simpson's rule over the density from -12.
    fn normal(x: f64) -> f64 {
        let steps = 4000;
        let step = (x + 12.0) / f64::from(steps);
        let density = |t: f64| (-0.5 * t * t).exp();
        let weight = |i: i32| if i == 0 || i == steps { 1.0 } else { f64::from(2 + 2 * (i % 2)) };
        let sum: f64 = (0..=steps).map(|i| weight(i) * density(-12.0 + f64::from(i) * step)).sum();
        sum * step / 3.0 / (2.0 * std::f64::consts::PI).sqrt()
    }

    #[test]
    fn functions_and_slopes_are_right_on_every_set() {
        let xs: Vec<f32> = (-90..=90).map(|i| i as f32 / 10.0 + 0.03).collect();
        for set in Kernels::available() {
            for activation in ALL {
                let mut ys = xs.clone();
                activate(set, activation, &mut ys);
                let mut slopes = vec![1.0; xs.len()];
                let known = if activation.needs_input() { &xs } else { &ys };
                activation_gradient(set, activation, known, &mut slopes);
                for ((&x, y), slope) in xs.iter().zip(ys).zip(slopes) {
                    let x = f64::from(x);
                    let wanted = reference(activation, x);
                    let bound = 4e-7 * x.abs().max(1.0);
                    let name = set.name();
                    assert!((f64::from(y) - wanted).abs() < bound, "{name} {activation:?} {x}");
                    let h = 1e-4;
                    let rise = reference(activation, x + h) - reference(activation, x - h);
                    let error = f64::from(slope) - rise / (2.0 * h);
                    assert!(error.abs() < 3e-6, "{name} {activation:?} slope at {x}: {error}");
                }
            }
        }
    }

    #[test]
    fn every_length_is_worked_on_to_its_end_and_no_further() {
        for set in Kernels::available() {
            for length in 0..70 {
                let mut values = vec![-1.0; length + 1];
                activate(set, Activation::Relu, &mut values[..length]);
                assert!(values[..length].iter().all(|&value| value == 0.0), "{}", set.name());
                assert_eq!(values[length], -1.0);
            }
        }
    }

    #[test]
    fn what_is_not_a_number_stays_so() {
        for set in Kernels::available() {
            for activation in ALL {
                let mut values = [f32::NAN; 3];
                activate(set, activation, &mut values);
                assert!(values.iter().all(|value| value.is_nan()), "{activation:?}");
            }
        }
    }
}
