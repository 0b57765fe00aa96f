//! Each row is brought to one scale (Ba, Kiros, Hinton 2016, arXiv:1607.06450; without the mean: Zhang and
//! Sennrich 2019, arXiv:1910.07467). For a row x of n values, weights w and biases b:
//!
//! ```text
//! μ = Σx / n (or 0)    r = 1 / √(Σ(x - μ)² / n + ε)    x̂ = r·(x - μ)    y = w·x̂ + b
//!
//! backward, with g = w·dy:    dx = r·(g - mean g (or 0) - x̂·mean(g·x̂))
//!                             dw = Σ dy·x̂ over rows     db = Σ dy over rows
//! ```

use crate::{Kernels, Simd, Task};

/// How rows are brought to one scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Norm {
    /// Values of a row.
    pub width: usize,
    /// Whether the mean is taken away first.
    pub centred: bool,
    /// ε, added to the variance.
    pub epsilon: f32,
}

impl Norm {
    /// Rows `x` become `y`; μ and r of each row are put into `statistics` [rows, 2]. Weights and biases
    /// are as long as a row, or empty for 1 and 0.
    ///
    /// # Panics
    /// If the lengths do not fit.
    pub fn forward(
        self,
        kernels: Kernels,
        x: &[f32],
        weight: &[f32],
        bias: &[f32],
        y: &mut [f32],
        statistics: &mut [f32],
    ) {
        self.fits(x, y, statistics);
        assert!([weight, bias].iter().all(|line| line.is_empty() || line.len() == self.width));
        kernels.run(Forward { norm: self, x, weight, bias, y, statistics });
    }

    /// The gradient `from` of the loss by y becomes that by x.
    ///
    /// # Panics
    /// If the lengths do not fit.
    pub fn backward(
        self,
        kernels: Kernels,
        x: &[f32],
        weight: &[f32],
        statistics: &[f32],
        from: &[f32],
        to: &mut [f32],
    ) {
        self.fits(x, to, statistics);
        assert!(from.len() == x.len() && (weight.is_empty() || weight.len() == self.width));
        kernels.run(Backward { norm: self, x, weight, statistics, from, to });
    }

    /// The gradient of the weights is added to `sums`, row by row.
    ///
    /// # Panics
    /// If the lengths do not fit.
    pub fn learn(
        self,
        kernels: Kernels,
        x: &[f32],
        statistics: &[f32],
        from: &[f32],
        sums: &mut [f32],
    ) {
        self.fits(x, from, statistics);
        assert_eq!(sums.len(), self.width);
        kernels.run(Learn { width: self.width, x, statistics, from, sums });
    }

    fn fits(self, x: &[f32], other: &[f32], statistics: &[f32]) {
        assert!(self.width > 0 && x.len() == other.len());
        assert_eq!(statistics.len() * self.width, x.len() * 2);
    }
}

/// Vectors of a row: where they begin and how many values they have.
#[inline(always)]
fn vectors<S: Simd>(width: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..width).step_by(S::LANES).map(move |at| (at, (width - at).min(S::LANES)))
}

/// Values from `at` of a line that is all of one value if it is empty.
///
/// # Safety
/// Where the line is not empty, `count` values are there.
#[inline(always)]
unsafe fn of_line<S: Simd>(
    simd: S,
    line: &[f32],
    at: usize,
    count: usize,
    else_all: f32,
) -> S::Vector {
    if line.is_empty() {
        return simd.splat(else_all);
    }
    // SAFETY: the caller's promise.
    unsafe { simd.load_first(line.as_ptr().add(at), count) }
}

/// The vector with zeros from `count` on.
#[inline(always)]
fn first<S: Simd>(simd: S, v: S::Vector, count: usize) -> S::Vector {
    if count == S::LANES {
        return v;
    }
    let mut lanes = [0.0f32; 16];
    // SAFETY: sixteen values hold the lanes of any set.
    unsafe {
        simd.store(lanes.as_mut_ptr(), v);
        simd.load_first(lanes.as_ptr(), count)
    }
}

struct Forward<'a> {
    norm: Norm,
    x: &'a [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    y: &'a mut [f32],
    statistics: &'a mut [f32],
}

impl Task for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Norm { width, centred, epsilon } = self.norm;
        let share = 1.0 / width as f32;
        let rows = self.x.chunks_exact(width).zip(self.y.chunks_exact_mut(width));
        for ((x, y), statistics) in rows.zip(self.statistics.chunks_exact_mut(2)) {
            // SAFETY: `vectors` stay within a row, and weights and biases are as long as one.
            unsafe {
                let mut mean = 0.0;
                if centred {
                    let mut sum = simd.splat(0.0);
                    for (at, count) in vectors::<S>(width) {
                        sum = simd.add(sum, simd.load_first(x.as_ptr().add(at), count));
                    }
                    mean = simd.sum(sum) * share;
                }
                let centre = simd.splat(mean);
                let mut sum = simd.splat(0.0);
                for (at, count) in vectors::<S>(width) {
                    let off = simd.sub(simd.load_first(x.as_ptr().add(at), count), centre);
                    let off = first(simd, off, count);
                    sum = simd.fma(off, off, sum);
                }
                let scale = 1.0 / (simd.sum(sum) * share + epsilon).sqrt();
                let by = simd.splat(scale);
                for (at, count) in vectors::<S>(width) {
                    let off = simd.sub(simd.load_first(x.as_ptr().add(at), count), centre);
                    let weight = of_line(simd, self.weight, at, count, 1.0);
                    let bias = of_line(simd, self.bias, at, count, 0.0);
                    let value = simd.fma(simd.mul(off, by), weight, bias);
                    simd.store_first(y.as_mut_ptr().add(at), value, count);
                }
                statistics.copy_from_slice(&[mean, scale]);
            }
        }
    }
}

struct Backward<'a> {
    norm: Norm,
    x: &'a [f32],
    weight: &'a [f32],
    statistics: &'a [f32],
    from: &'a [f32],
    to: &'a mut [f32],
}

impl Task for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Norm { width, centred, .. } = self.norm;
        let share = 1.0 / width as f32;
        let gradients = self.from.chunks_exact(width).zip(self.to.chunks_exact_mut(width));
        let rows = self.x.chunks_exact(width).zip(self.statistics.chunks_exact(2));
        for ((x, statistics), (from, to)) in rows.zip(gradients) {
            let (centre, by) = (simd.splat(statistics[0]), simd.splat(statistics[1]));
            // SAFETY: `vectors` stay within a row, and weights are as long as one.
            unsafe {
                let (mut sum, mut along) = (simd.splat(0.0), simd.splat(0.0));
                for (at, count) in vectors::<S>(width) {
                    let gradient = simd.load_first(from.as_ptr().add(at), count);
                    let gradient = simd.mul(gradient, of_line(simd, self.weight, at, count, 1.0));
                    let off = simd.sub(simd.load_first(x.as_ptr().add(at), count), centre);
                    sum = simd.add(sum, gradient);
                    along = simd.fma(gradient, simd.mul(off, by), along);
                }
                let mean = if centred { simd.sum(sum) * share } else { 0.0 };
                let (mean, along) = (simd.splat(mean), simd.splat(-simd.sum(along) * share));
                for (at, count) in vectors::<S>(width) {
                    let gradient = simd.load_first(from.as_ptr().add(at), count);
                    let gradient = simd.mul(gradient, of_line(simd, self.weight, at, count, 1.0));
                    let off = simd.sub(simd.load_first(x.as_ptr().add(at), count), centre);
                    let change = simd.fma(simd.mul(off, by), along, simd.sub(gradient, mean));
                    simd.store_first(to.as_mut_ptr().add(at), simd.mul(change, by), count);
                }
            }
        }
    }
}

struct Learn<'a> {
    width: usize,
    x: &'a [f32],
    statistics: &'a [f32],
    from: &'a [f32],
    sums: &'a mut [f32],
}

impl Task for Learn<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        /// Vectors of a row whose sums stay in registers.
        const TOGETHER: usize = 4;
        let width = self.width;
        for begin in (0..width).step_by(TOGETHER * S::LANES) {
            let columns = (width - begin).min(TOGETHER * S::LANES);
            let mut sums = [simd.splat(0.0); TOGETHER];
            // SAFETY: `columns` values from `begin` are in the sums and in each row.
            unsafe {
                for ((at, count), sum) in vectors::<S>(columns).zip(&mut sums) {
                    *sum = simd.load_first(self.sums.as_ptr().add(begin + at), count);
                }
                let rows = self.x.chunks_exact(width).zip(self.from.chunks_exact(width));
                for ((x, from), statistics) in rows.zip(self.statistics.chunks_exact(2)) {
                    let (centre, by) = (simd.splat(statistics[0]), simd.splat(statistics[1]));
                    for ((at, count), sum) in vectors::<S>(columns).zip(&mut sums) {
                        let x = simd.load_first(x.as_ptr().add(begin + at), count);
                        let gradient = simd.load_first(from.as_ptr().add(begin + at), count);
                        *sum = simd.fma(gradient, simd.mul(simd.sub(x, centre), by), *sum);
                    }
                }
                for ((at, count), &sum) in vectors::<S>(columns).zip(&sums) {
                    simd.store_first(self.sums.as_mut_ptr().add(begin + at), sum, count);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(length: usize, step: usize) -> Vec<f32> {
        (0..length).map(|i| ((i * step % 101) as f32 - 50.0) / 25.0).collect()
    }

    /// y, dx and dw by the formulas above, in f64.
    fn formula(norm: Norm, x: &[f32], w: &[f32], b: &[f32], dy: &[f32]) -> [Vec<f64>; 3] {
        let n = norm.width as f64;
        let [mut y, mut dx, mut dw] = [Vec::new(), Vec::new(), vec![0.0; norm.width]];
        for (x, dy) in x.chunks(norm.width).zip(dy.chunks(norm.width)) {
            let x: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
            let mean = if norm.centred { x.iter().sum::<f64>() / n } else { 0.0 };
            let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
            let scale = 1.0 / (variance + f64::from(norm.epsilon)).sqrt();
            let normal: Vec<f64> = x.iter().map(|x| (x - mean) * scale).collect();
            let at = |line: &[f32], i: usize, or: f64| line.get(i).map_or(or, |&v| f64::from(v));
            let g: Vec<f64> =
                dy.iter().enumerate().map(|(i, &dy)| f64::from(dy) * at(w, i, 1.0)).collect();
            let sum = if norm.centred { g.iter().sum::<f64>() / n } else { 0.0 };
            let along = g.iter().zip(&normal).map(|(g, x)| g * x).sum::<f64>() / n;
            for (i, normal) in normal.iter().enumerate() {
                y.push(normal * at(w, i, 1.0) + at(b, i, 0.0));
                dx.push(scale * (g[i] - sum - normal * along));
                dw[i] += f64::from(dy[i]) * normal;
            }
        }
        [y, dx, dw]
    }

    #[test]
    fn rows_of_every_width_are_brought_to_one_scale_and_back_on_every_set() {
        for set in Kernels::available() {
            for (width, centred) in (1..70).flat_map(|width| [(width, true), (width, false)]) {
                let norm = Norm { width, centred, epsilon: 1e-3 };
                let (x, dy) = (numbers(3 * width, 37), numbers(3 * width, 11));
                let (w, b) = (numbers(width, 29), numbers(width, 7));
                for (w, b) in [(&w[..], &b[..]), (&[], &[])] {
                    let [mut y, mut dx] = [vec![f32::NAN; 3 * width], vec![f32::NAN; 3 * width]];
                    let (mut dw, mut statistics) = (vec![0.0; width], vec![f32::NAN; 6]);
                    norm.forward(set, &x, w, b, &mut y, &mut statistics);
                    norm.backward(set, &x, w, &statistics, &dy, &mut dx);
                    norm.learn(set, &x, &statistics, &dy, &mut dw);
                    let found = [y, dx, dw].into_iter().flatten();
                    let wanted = formula(norm, &x, w, b, &dy).into_iter().flatten();
                    for (i, (found, wanted)) in found.zip(wanted).enumerate() {
                        let error = (f64::from(found) - wanted).abs();
                        let bound = 2e-5 * wanted.abs().max(1.0);
                        assert!(error < bound, "{} {norm:?} {i}: {found} {wanted}", set.name());
                    }
                }
            }
        }
    }

    #[test]
    fn a_row_does_not_depend_on_its_neighbours() {
        let norm = Norm { width: 37, centred: true, epsilon: 1e-5 };
        for set in Kernels::available() {
            let x = numbers(37 * 4, 37);
            let (mut all, mut statistics) = (vec![0.0; x.len()], vec![0.0; 8]);
            norm.forward(set, &x, &[], &[], &mut all, &mut statistics);
            for (x, wanted) in x.chunks(37).zip(all.chunks(37)) {
                let (mut alone, mut statistics) = ([0.0; 37], [0.0; 2]);
                norm.forward(set, x, &[], &[], &mut alone, &mut statistics);
                assert_eq!(alone, wanted, "{}", set.name());
            }
        }
    }
}
