//! Plain loops over values and rows, compiled for every set.

use crate::{Activation, Kernels, Simd, Task, exp_of_share, ln, normal};

/// Gives a loop to the compiler once for every set.
macro_rules! task {
    ($name:ident { $($field:ident: $type:ty),* } $run:block) => {{
        struct $name<'a> { $($field: $type),* }
        impl Task for $name<'_> {
            type Output = ();
            #[inline(always)]
            fn run<S: Simd>(self, _simd: S) {
                let Self { $($field),* } = self;
                $run
            }
        }
        $name { $($field),* }
    }};
}
pub(crate) use task;

/// to += from
///
/// # Panics
/// If the lengths differ.
pub fn add(kernels: Kernels, from: &[f32], to: &mut [f32]) {
    assert_eq!(from.len(), to.len());
    kernels.run(task!(Add { from: &'a [f32], to: &'a mut [f32] } {
        for (to, from) in to.iter_mut().zip(from) {
            *to += from;
        }
    }));
}

/// to = `activation`(a + b)
///
/// # Panics
/// If the lengths differ.
pub fn add_both(
    kernels: Kernels,
    a: &[f32],
    b: &[f32],
    activation: Option<Activation>,
    to: &mut [f32],
) {
    assert_eq!((a.len(), b.len()), (to.len(), to.len()));
    kernels.run(AddBoth { a, b, activation, to });
}

struct AddBoth<'a> {
    a: &'a [f32],
    b: &'a [f32],
    activation: Option<Activation>,
    to: &'a mut [f32],
}

impl Task for AddBoth<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        // The activation finds in the first cache what was just added up.
        const BLOCK: usize = 1024;
        let both = self.a.chunks(BLOCK).zip(self.b.chunks(BLOCK));
        for ((a, b), to) in both.zip(self.to.chunks_mut(BLOCK)) {
            for ((to, a), b) in to.iter_mut().zip(a).zip(b) {
                *to = a + b;
            }
            if let Some(activation) = self.activation {
                activation.on(simd, to);
            }
        }
    }
}

/// Adds up rows, in their order: sums += Σ rows. Rows are `step` values apart.
///
/// # Panics
/// If a row ends beyond the values.
pub fn add_up(kernels: Kernels, values: &[f32], rows: usize, step: usize, sums: &mut [f32]) {
    assert!(rows == 0 || values.len() >= (rows - 1) * step + sums.len());
    kernels.run(task!(AddUp { values: &'a [f32], rows: usize, step: usize, sums: &'a mut [f32] } {
        // A row after the other for some columns at a time: their sums stay at hand.
        for (block, sums) in sums.chunks_mut(64).enumerate() {
            for row in 0..rows {
                let from = &values[row * step + block * 64..][..sums.len()];
                for (sum, from) in sums.iter_mut().zip(from) {
                    *sum += from;
                }
            }
        }
    }));
}

/// The sum of squares, in f64.
pub fn square_sum(kernels: Kernels, values: &[f32]) -> f64 {
    kernels.run(SquareSum(values))
}

struct SquareSum<'a>(&'a [f32]);

impl Task for SquareSum<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) -> f64 {
        // Sums side by side, so that the compiler can keep them in registers.
        let mut sums = [0.0f64; 32];
        let chunks = self.0.chunks_exact(32);
        let rest: f64 = chunks.remainder().iter().map(|&value| f64::from(value).powi(2)).sum();
        for chunk in chunks {
            for (sum, &value) in sums.iter_mut().zip(chunk) {
                *sum += f64::from(value) * f64::from(value);
            }
        }
        sums.iter().sum::<f64>() + rest
    }
}

/// Scores of a row become eˢ / Σ eˢ. Returns the logarithm of the sum and its highest score, whose
/// sum is that of all eˢ.
pub fn softmax(kernels: Kernels, scores: &mut [f32]) -> (f32, f32) {
    softmax_times(kernels, scores, 1.0)
}

/// As `softmax`, and multiplies what scores have become.
pub fn softmax_times(kernels: Kernels, scores: &mut [f32], factor: f32) -> (f32, f32) {
    kernels.run(Softmax { scores, factor })
}

struct Softmax<'a> {
    scores: &'a mut [f32],
    factor: f32,
}

impl Task for Softmax<'_> {
    type Output = (f32, f32);

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> (f32, f32) {
        let Self { scores, factor } = self;
        let mut lanes = [f32::NEG_INFINITY; 16];
        // SAFETY: sixteen values hold the lanes of any set; vectors end within the scores.
        let highest = unsafe {
            let mut highest = simd.load(lanes.as_ptr());
            let whole = scores.len() / S::LANES * S::LANES;
            for at in (0..whole).step_by(S::LANES) {
                highest = simd.max(highest, simd.load(scores.as_ptr().add(at)));
            }
            simd.store(lanes.as_mut_ptr(), highest);
            let found = lanes.iter().chain(&scores[whole..]);
            found.fold(f32::NEG_INFINITY, |a, &b| if b > a || b.is_nan() { b } else { a })
        };
        let mut total = simd.splat(0.0);
        for at in (0..scores.len()).step_by(S::LANES) {
            let count = (scores.len() - at).min(S::LANES);
            // SAFETY: `count` values are there.
            unsafe {
                let to = scores.as_mut_ptr().add(at);
                let score = simd.load_first(to, count);
                let power = exp_of_share(simd, simd.sub(score, simd.splat(highest)));
                simd.store_first(to, power, count);
                // What is beyond the end must not be counted.
                total = simd.add(total, simd.load_first(to, count));
            }
        }
        let total = simd.sum(total);
        let share = factor / total;
        scores.iter_mut().for_each(|score| *score *= share);
        let mut logarithm = [total; 16];
        // SAFETY: sixteen values hold the lanes of any set.
        unsafe {
            let found = ln(simd, simd.load(logarithm.as_ptr()));
            simd.store(logarithm.as_mut_ptr(), found);
        }
        (logarithm[0], highest)
    }
}

/// Numbers of one step of Adam.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamStep {
    /// Learning rate over 1 - β₁ᵗ.
    pub rate: f32,
    /// β₁
    pub first: f32,
    /// β₂
    pub second: f32,
    /// 1 / √(1 - β₂ᵗ)
    pub correction: f32,
    /// ε
    pub epsilon: f32,
    /// Added to the gradient: this share of the value (Adam's weight decay).
    pub decay: f32,
    /// By which the value is multiplied first (AdamW's weight decay).
    pub keep: f32,
    /// By which the gradient is multiplied first: clipping.
    pub clip: f32,
}

/// Kingma and Ba 2015, arXiv:1412.6980, algorithm 1; Loshchilov and Hutter 2019, arXiv:1711.05101:
///
/// ```text
/// m = β₁·m + (1 - β₁)·g     v = β₂·v + (1 - β₂)·g²     θ -= rate·m / (√v·correction + ε)
/// ```
///
/// # Panics
/// If the lengths differ.
pub fn adam(
    kernels: Kernels,
    step: AdamStep,
    values: &mut [f32],
    gradient: &[f32],
    first: &mut [f32],
    second: &mut [f32],
) {
    let length = values.len();
    assert!([gradient.len(), first.len(), second.len()] == [length; 3]);
    kernels.run(Adam { step, values, gradient, first, second });
}

struct Adam<'a> {
    step: AdamStep,
    values: &'a mut [f32],
    gradient: &'a [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
}

impl Task for Adam<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let step = self.step;
        let (beta, gamma) = (simd.splat(step.first), simd.splat(step.second));
        let (new_beta, new_gamma) = (simd.splat(1.0 - step.first), simd.splat(1.0 - step.second));
        for at in (0..self.values.len()).step_by(S::LANES) {
            let count = (self.values.len() - at).min(S::LANES);
            // SAFETY: `count` values are there in all four.
            unsafe {
                let (x, m) = (self.values.as_mut_ptr().add(at), self.first.as_mut_ptr().add(at));
                let v = self.second.as_mut_ptr().add(at);
                let value = simd.mul(simd.load_first(x, count), simd.splat(step.keep));
                let gradient = simd.load_first(self.gradient.as_ptr().add(at), count);
                let gradient = simd.mul(gradient, simd.splat(step.clip));
                let gradient = simd.fma(value, simd.splat(step.decay), gradient);
                let kept = simd.mul(simd.load_first(m, count), beta);
                let mean = normal(simd, simd.fma(gradient, new_beta, kept));
                let kept = simd.mul(simd.load_first(v, count), gamma);
                let square = normal(simd, simd.fma(simd.mul(gradient, gradient), new_gamma, kept));
                simd.store_first(m, mean, count);
                simd.store_first(v, square, count);
                let root = simd.mul(simd.root(square), simd.splat(step.correction));
                let size = simd.add(root, simd.splat(step.epsilon));
                let change = simd.div(simd.mul(mean, simd.splat(-step.rate)), size);
                simd.store_first(x, simd.add(value, change), count);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(length: usize) -> Vec<f32> {
        (0..length).map(|i| ((i * 37 % 101) as f32 - 50.0) / 10.0).collect()
    }

    #[test]
    fn softmax_sums_to_one_on_every_set_and_length() {
        for set in Kernels::available() {
            for length in 1..70 {
                let scores = numbers(length);
                let mut shares = scores.clone();
                let (logarithm, highest) = softmax(set, &mut shares);
                let total: f64 = scores.iter().map(|&s| f64::from(s).exp()).sum();
                let found = f64::from(logarithm) + f64::from(highest);
                assert!((found - total.ln()).abs() < 1e-5, "{} {length}", set.name());
                for (share, score) in shares.iter().zip(&scores) {
                    let wanted = f64::from(*score).exp() / total;
                    assert!((f64::from(*share) - wanted).abs() < 1e-6, "{} {length}", set.name());
                }
            }
        }
    }

    #[test]
    fn huge_scores_do_not_overflow_and_what_is_no_number_stays_so() {
        for set in Kernels::available() {
            let mut scores = [1e30, -1e30, 1e30];
            softmax(set, &mut scores);
            assert!((scores[0] - 0.5).abs() < 1e-6 && scores[1] < 1e-30, "{scores:?}");
            let mut scores = [1.0, f32::NAN];
            softmax(set, &mut scores);
            assert!(scores.iter().any(|score| score.is_nan()), "{}", set.name());
        }
    }

    #[test]
    fn sums_of_rows_and_squares_are_right() {
        for set in Kernels::available() {
            for width in [1, 3, 64, 65, 130] {
                let values = numbers(7 * (width + 2));
                let mut sums = vec![1.0; width];
                add_up(set, &values, 7, width + 2, &mut sums);
                for (column, sum) in sums.iter().enumerate() {
                    let wanted: f32 = (0..7).map(|row| values[row * (width + 2) + column]).sum();
                    assert!((sum - 1.0 - wanted).abs() < 1e-4);
                }
                let wanted: f64 = values.iter().map(|&v| f64::from(v * v)).sum();
                assert!((square_sum(set, &values) - wanted).abs() < 1e-3);
            }
        }
    }

    #[test]
    fn adam_follows_its_formula() {
        let step = AdamStep {
            rate: 0.1,
            first: 0.9,
            second: 0.99,
            correction: 2.0,
            epsilon: 1e-8,
            decay: 0.01,
            keep: 0.5,
            clip: 0.25,
        };
        for set in Kernels::available() {
            for length in [1, 16, 37] {
                let (old, gradient) = (numbers(length), numbers(length));
                let (mut x, mut m, mut v) = (old.clone(), vec![0.5; length], vec![0.2; length]);
                adam(set, step, &mut x, &gradient, &mut m, &mut v);
                for i in 0..length {
                    let value = f64::from(old[i]) * 0.5;
                    let g = f64::from(gradient[i]) * 0.25 + 0.01 * value;
                    let mean = 0.9 * 0.5 + 0.1 * g;
                    let square = 0.99 * 0.2 + 0.01 * g * g;
                    let wanted = value - 0.1 * mean / (square.sqrt() * 2.0 + 1e-8);
                    assert!((f64::from(x[i]) - wanted).abs() < 1e-6, "{} {i}", set.name());
                }
            }
        }
    }
}
