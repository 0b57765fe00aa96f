//! The step of GloVe: AdaGrad on the weighted squares of Pennington et al. 2014, equation 8.
//!
//! For a word w, a context c, their biases b and how often they meet, x:
//!
//! ```text
//! d = w·c + b_w + b_c - ln x          loss = f(x)·d² / 2,   f(x) = min(1, (x / xMax)^alpha)
//! g = f(x)·d
//! w -= r·g·c / √s_w       s_w += (r·g·c)²        b_w -= g / √s_b       s_b += g²
//! c -= r·g·w / √s_c       s_c += (r·g·w)²        (all with the values before)
//! ```
//!
//! s are sums of squares, 1 at the start; r is the learning rate, which the bias goes without, as
//! in the C tool: it is there twenty times as fast. Components of g·c and g·w are held within ±100.
//!
//! A row has the vector, the bias right behind it, zeros up to a multiple of 16, and then the
//! squares in the same order: a pair is two stretches of memory, each read and written once.

use inlay_base::SharedRow;

use crate::{Simd, exp, ln};

/// Components of a gradient are held within this, as in the C tool.
const LIMIT: f32 = 100.0;

/// How a row is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Values of a vector; the bias has this place.
    pub dimensions: usize,
}

impl Layout {
    /// Where the squares begin.
    #[inline(always)]
    pub fn squares(self) -> usize {
        (self.dimensions + 1).next_multiple_of(16)
    }

    /// Values of a row.
    pub fn columns(self) -> usize {
        2 * self.squares()
    }
}

/// A word, a context, and what their product is to be.
#[derive(Clone, Copy)]
pub struct Pair<'a> {
    /// The word's row.
    pub word: SharedRow<'a>,
    /// The context's row, another one.
    pub context: SharedRow<'a>,
    /// ln x
    pub logarithm: f32,
    /// f(x)
    pub weight: f32,
}

/// One step on a pair; gives its loss before the step.
///
/// # Panics
/// If the rows are shorter than the layout.
#[inline(always)]
pub fn descend<S: Simd>(simd: S, layout: Layout, pair: Pair<'_>, rate: f32) -> f32 {
    let (n, squares) = (layout.dimensions, layout.squares());
    let Pair { word, context, logarithm, weight } = pair;
    assert!(word.padded() >= 2 * squares && context.padded() >= 2 * squares);
    let (w, c) = (word.as_ptr(), context.as_ptr());
    let whole = n / S::LANES * S::LANES;
    let rest = n - whole;
    let mut sums = [simd.splat(0.0); 4];
    // SAFETY: all places are below `2 * squares`, which both rows have; the rest of a vector is
    // shorter than a register, and `squares` is beyond it by a register's end.
    unsafe {
        let mut i = 0;
        while i + 4 * S::LANES <= whole {
            for (k, sum) in sums.iter_mut().enumerate() {
                let at = i + k * S::LANES;
                *sum = simd.fma(simd.load(w.add(at)), simd.load(c.add(at)), *sum);
            }
            i += 4 * S::LANES;
        }
        while i < whole {
            sums[0] = simd.fma(simd.load(w.add(i)), simd.load(c.add(i)), sums[0]);
            i += S::LANES;
        }
        if rest > 0 {
            let (x, y) = (simd.load_first(w.add(i), rest), simd.load_first(c.add(i), rest));
            sums[1] = simd.fma(x, y, sums[1]);
        }
        let product = simd.sum(simd.add(simd.add(sums[0], sums[1]), simd.add(sums[2], sums[3])));
        let (word_bias, context_bias) = (w.add(n).read(), c.add(n).read());
        let difference = product + word_bias + context_bias - logarithm;
        let slope = weight * difference;
        let step = simd.splat(rate * slope);
        let (least, most) = (simd.splat(-LIMIT * rate), simd.splat(LIMIT * rate));

        for i in (0..whole).step_by(S::LANES) {
            let (x, y) = (simd.load(w.add(i)), simd.load(c.add(i)));
            let moved = simd.max(simd.min(simd.mul(step, y), most), least);
            along(simd, w.add(i), x, moved, squares);
            let moved = simd.max(simd.min(simd.mul(step, x), most), least);
            along(simd, c.add(i), y, moved, squares);
        }
        if rest > 0 {
            // What follows the vector in the register does not move: its factor is zero.
            let (x, y) = (simd.load(w.add(whole)), simd.load(c.add(whole)));
            let factor = simd.load_first(c.add(whole), rest);
            let moved = simd.max(simd.min(simd.mul(step, factor), most), least);
            let factor = simd.load_first(w.add(whole), rest);
            let back = simd.max(simd.min(simd.mul(step, factor), most), least);
            along(simd, w.add(whole), x, moved, squares);
            along(simd, c.add(whole), y, back, squares);
        }
        for (row, bias) in [(w, word_bias), (c, context_bias)] {
            let square = row.add(squares + n).read();
            row.add(n).write(bias - slope / square.sqrt());
            row.add(squares + n).write(square + slope * slope);
        }
        0.5 * slope * difference
    }
}

/// Moves a register of a row that holds `x`, and adds to its squares.
///
/// # Safety
/// `row` and `row + squares` are good for a register.
#[inline(always)]
unsafe fn along<S: Simd>(simd: S, row: *mut f32, x: S::Vector, moved: S::Vector, squares: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let square = simd.load(row.add(squares));
        simd.store(row, simd.sub(x, simd.mul(moved, simd.inverse_root(square))));
        simd.store(row.add(squares), simd.fma(moved, moved, square));
    }
}

/// ln x and f(x) = min(1, (x / xMax)^alpha) of many counts. `counts` become the logarithms.
///
/// # Panics
/// If the lengths differ or are not a multiple of 16.
#[inline(always)]
pub fn weights<S: Simd>(simd: S, counts: &mut [f32], weights: &mut [f32], most: f32, alpha: f32) {
    assert!(counts.len() == weights.len() && counts.len().is_multiple_of(16));
    let (top, alpha) = (simd.splat(most.ln()), simd.splat(alpha));
    for i in (0..counts.len()).step_by(S::LANES) {
        // SAFETY: `i + LANES` is at most the length of both, a multiple of 16.
        unsafe {
            let at = counts.as_mut_ptr().add(i);
            let logarithm = ln(simd, simd.load(at));
            let power = simd.mul(alpha, simd.sub(logarithm, top));
            simd.store(at, logarithm);
            let weight = exp(simd, simd.min(power, simd.splat(0.0)));
            simd.store(weights.as_mut_ptr().add(i), weight);
        }
    }
}

#[cfg(test)]
mod tests {
    use inlay_base::{Random, SharedMatrix};

    use super::*;
    use crate::{Kernels, Task};

    struct Descend<'a>(&'a SharedMatrix, Layout, f32, f32, f32);
    impl Task for Descend<'_> {
        type Output = f32;
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> f32 {
            let Self(matrix, layout, logarithm, weight, rate) = self;
            let (word, context) = (matrix.row(0), matrix.row(1));
            descend(simd, layout, Pair { word, context, logarithm, weight }, rate)
        }
    }

    struct Weights<'a>(&'a mut [f32], &'a mut [f32], f32, f32);
    impl Task for Weights<'_> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            weights(simd, self.0, self.1, self.2, self.3);
        }
    }

    /// Two rows of random values, squares from 1 to 3, and what is between them zero or one.
    fn rows(layout: Layout, seed: u64) -> (SharedMatrix, [Vec<f32>; 2]) {
        let mut random = Random::new(seed, 0);
        let matrix = SharedMatrix::zeros(2, layout.columns()).unwrap();
        let rows = [0, 1].map(|row| {
            let mut values = vec![0.0; layout.columns()];
            values[..=layout.dimensions].fill_with(|| random.unit() - 0.5);
            values[layout.squares()..].fill_with(|| 1.0 + 2.0 * random.unit());
            matrix.write(row, &values);
            values
        });
        (matrix, rows)
    }

    /// The module's formula, in f64.
    fn formula(
        layout: Layout,
        [word, context]: &[Vec<f32>; 2],
        (logarithm, weight, rate): (f32, f32, f32),
    ) -> (f64, [Vec<f64>; 2]) {
        let n = layout.dimensions;
        let exact = |row: &Vec<f32>| row.iter().map(|&value| f64::from(value)).collect::<Vec<_>>();
        let (w, c) = (exact(word), exact(context));
        let (logarithm, weight, rate) = (f64::from(logarithm), f64::from(weight), f64::from(rate));
        let product: f64 = w[..n].iter().zip(&c[..n]).map(|(x, y)| x * y).sum();
        let d = product + w[n] + c[n] - logarithm;
        let step = |from: &[f64], other: &[f64]| {
            let (mut row, squares) = (from.to_vec(), layout.squares());
            for i in 0..=n {
                let moved = match i {
                    _ if i == n => weight * d,
                    _ => (weight * d * other[i]).clamp(-100.0, 100.0) * rate,
                };
                row[i] -= moved / from[squares + i].sqrt();
                row[squares + i] += moved * moved;
            }
            row
        };
        (0.5 * weight * d * d, [step(&w, &c), step(&c, &w)])
    }

    #[test]
    fn a_step_is_the_formula_at_every_length_on_every_set() {
        for dimensions in (1..70).chain([100, 128, 300]) {
            let layout = Layout { dimensions };
            for target in [(0.7, 0.3, 0.05), (-2.0, 1.0, 0.5), (9e5, 1.0, 0.05)] {
                for set in Kernels::available() {
                    let (matrix, before) = rows(layout, dimensions as u64);
                    let (loss, after) = formula(layout, &before, target);
                    let got = set.run(Descend(&matrix, layout, target.0, target.1, target.2));
                    assert!((f64::from(got) - loss).abs() <= 2e-5 * loss.max(0.1), "{got} {loss}");
                    for (row, wanted) in after.iter().enumerate() {
                        let mut values = vec![0.0; layout.columns()];
                        matrix.read(row as u32, &mut values);
                        for (i, (&value, &wanted)) in values.iter().zip(wanted).enumerate() {
                            let close =
                                (f64::from(value) - wanted).abs() < 2e-5 * wanted.abs().max(0.1);
                            assert!(close, "{} {dimensions}[{i}]: {value} {wanted}", set.name());
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn the_step_is_down_the_finite_difference_of_the_loss() {
        // With squares of 1 a vector moves by rate · gradient, a bias by the gradient.
        let layout = Layout { dimensions: 20 };
        let (_, mut before) = rows(layout, 4);
        for row in &mut before {
            row[layout.squares()..].fill(1.0);
        }
        let loss = |rows: &[Vec<f32>; 2]| formula(layout, rows, (1.5, 0.4, 0.01)).0;
        for set in Kernels::available() {
            let matrix = SharedMatrix::zeros(2, layout.columns()).unwrap();
            (0..2).for_each(|row| matrix.write(row, &before[row as usize]));
            set.run(Descend(&matrix, layout, 1.5, 0.4, 0.01));
            for row in 0..2 {
                let mut after = vec![0.0; layout.columns()];
                matrix.read(row as u32, &mut after);
                for i in 0..=20 {
                    let (mut less, mut more) = (before.clone(), before.clone());
                    less[row][i] -= 1.0 / 128.0;
                    more[row][i] += 1.0 / 128.0;
                    let gradient = (loss(&more) - loss(&less)) * 64.0;
                    let rate = if i == 20 { 1.0 } else { 0.01 };
                    let moved = f64::from(before[row][i]) - f64::from(after[i]);
                    assert!((moved - rate * gradient).abs() < 1e-5, "{moved} {gradient}");
                }
            }
        }
    }

    #[test]
    fn weights_are_the_formula() {
        let counts: Vec<f32> = (0..64).map(|i| 1e-3 * 1.3f32.powi(i)).collect();
        for set in Kernels::available() {
            for (most, alpha) in [(100.0, 0.75), (1.0, 0.0), (1e4, 1.0)] {
                let (mut logarithms, mut weights) = (counts.clone(), vec![0.0; 64]);
                set.run(Weights(&mut logarithms, &mut weights, most, alpha));
                for (i, &x) in counts.iter().enumerate() {
                    let weight = (f64::from(x) / f64::from(most)).powf(f64::from(alpha)).min(1.0);
                    let close = (f64::from(weights[i]) - weight).abs() < 3e-6 * weight;
                    assert!(close, "{} {} {weight}", set.name(), weights[i]);
                    assert!((f64::from(logarithms[i]) - f64::from(x).ln()).abs() < 2e-6);
                }
            }
        }
    }

    struct InverseRoots<'a>(&'a mut [f32; 16]);
    impl Task for InverseRoots<'_> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            for i in (0..16).step_by(S::LANES) {
                // SAFETY: `LANES` divides 16.
                unsafe {
                    let at = self.0.as_mut_ptr().add(i);
                    simd.store(at, simd.inverse_root(simd.load(at)));
                }
            }
        }
    }

    #[test]
    fn inverse_roots_are_within_three_ten_millionths() {
        for set in Kernels::available() {
            for power in -30..30 {
                let numbers: [f32; 16] =
                    std::array::from_fn(|i| 2f32.powi(power) * (1.0 + i as f32 / 7.0));
                let mut roots = numbers;
                set.run(InverseRoots(&mut roots));
                for (number, root) in numbers.into_iter().zip(roots) {
                    let wanted = 1.0 / f64::from(number).sqrt();
                    let error = (f64::from(root) / wanted - 1.0).abs();
                    assert!(error < 3e-7, "{} {number}: {error}", set.name());
                }
            }
        }
    }
}
