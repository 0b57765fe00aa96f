//! What a filter gives at several places at once: its row of values is read once for all of them.

use crate::Simd;

/// Σ rowᵢ·otherᵢ for each of several others of the length of the row. Each sum is made in the same order, however many
/// there are and whatever stands beside it.
///
/// # Panics
/// If the lengths differ.
#[inline(always)]
pub fn dots<S: Simd, const N: usize>(simd: S, row: &[f32], others: [&[f32]; N]) -> [f32; N] {
    assert!(others.iter().all(|other| other.len() == row.len()));
    let (n, lanes) = (row.len(), S::LANES);
    let row = row.as_ptr();
    let mut sums = [[simd.splat(0.0); 2]; N];
    let mut i = 0;
    // SAFETY: every index stays below `n`, which is the length of all.
    unsafe {
        while i + 2 * lanes <= n {
            for half in 0..2 {
                let at = i + half * lanes;
                let values = simd.load(row.add(at));
                for (sums, other) in sums.iter_mut().zip(&others) {
                    sums[half] = simd.fma(values, simd.load(other.as_ptr().add(at)), sums[half]);
                }
            }
            i += 2 * lanes;
        }
        while i < n {
            let count = (n - i).min(lanes);
            let values = simd.load_first(row.add(i), count);
            for (sums, other) in sums.iter_mut().zip(&others) {
                let other = simd.load_first(other.as_ptr().add(i), count);
                sums[0] = simd.fma(values, other, sums[0]);
            }
            i += count;
        }
    }
    let mut found = [0.0; N];
    for (found, [even, odd]) in found.iter_mut().zip(sums) {
        *found = simd.sum(simd.add(even, odd));
    }
    found
}

#[cfg(test)]
mod tests {
    use inlay_base::Random;

    use super::*;
    use crate::{Kernels, Task};

    struct Dots<'a, const N: usize>(&'a [f32], [&'a [f32]; N]);
    impl<const N: usize> Task for Dots<'_, N> {
        type Output = [f32; N];
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> [f32; N] {
            dots(simd, self.0, self.1)
        }
    }

    #[test]
    fn dots_are_within_rounding_of_the_formula_and_the_same_beside_any_others() {
        let mut random = Random::new(1, 0);
        for n in (0..70).chain([160, 441, 1000]) {
            let mut values =
                |length| -> Vec<f32> { (0..length).map(|_| random.unit() * 8.0 - 4.0).collect() };
            let (row, samples) = (values(n), values(n + 9));
            let windows: [&[f32]; 4] = [0, 1, 5, 9].map(|shift| &samples[shift..shift + n]);
            for set in Kernels::available() {
                let all = set.run(Dots(&row, windows));
                for (window, found) in windows.iter().zip(all) {
                    let products =
                        || row.iter().zip(*window).map(|(&x, &y)| f64::from(x) * f64::from(y));
                    let exact: f64 = products().sum();
                    let bound = products().map(f64::abs).sum::<f64>() * (n as f64 + 2.0) * 6e-8;
                    assert!((f64::from(found) - exact).abs() <= bound, "{} {n}", set.name());
                    let alone = set.run(Dots(&row, [*window]));
                    assert_eq!(alone[0].to_bits(), found.to_bits(), "{} {n}", set.name());
                }
            }
        }
    }
}
