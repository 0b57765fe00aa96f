use crate::{Kernels, Simd, Task, exp, ln};

/// values = factor · ln(max(values, floor)); what is no number counts as the floor. See `math::ln` for how near it comes.
///
/// # Panics
/// If `floor` is not a normal number above 0.
pub fn logarithms(kernels: Kernels, floor: f32, factor: f32, values: &mut [f32]) {
    assert!(floor.is_normal() && floor > 0.0);
    kernels.run(Logarithms { floor, factor, values });
}

/// values = ln σ(values), to 3e-7 of what is far below 0, else to 3e-7.
pub fn log_sigmoid(kernels: Kernels, values: &mut [f32]) {
    kernels.run(LogSigmoid(values));
}

struct LogSigmoid<'a>(&'a mut [f32]);

impl Task for LogSigmoid<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (zero, one) = (simd.splat(0.0), simd.splat(1.0));
        for part in self.0.chunks_mut(S::LANES) {
            // SAFETY: `part` has its length, which is at most `LANES`.
            unsafe {
                // ln σ(x) = min(x, 0) - ln(1 + e⁻|x|), whose power never overflows. What is no number is the second operand.
                let x = simd.load_first(part.as_ptr(), part.len());
                let (below, above) = (simd.min(zero, x), simd.max(zero, x));
                let power = exp(simd, simd.sub(below, above));
                let found = simd.sub(below, ln(simd, simd.add(one, power)));
                simd.store_first(part.as_mut_ptr(), found, part.len());
            }
        }
    }
}

struct Logarithms<'a> {
    floor: f32,
    factor: f32,
    values: &'a mut [f32],
}

impl Task for Logarithms<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (floor, factor) = (simd.splat(self.floor), simd.splat(self.factor));
        let most = simd.splat(f32::MAX);
        for part in self.values.chunks_mut(S::LANES) {
            // SAFETY: `part` has its length, which is at most `LANES`.
            unsafe {
                let values = simd.load_first(part.as_ptr(), part.len());
                let values = simd.min(simd.max(values, floor), most);
                let logarithms = simd.mul(ln(simd, values), factor);
                simd.store_first(part.as_mut_ptr(), logarithms, part.len());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_gives_the_logarithm_of_what_is_above_the_floor() {
        let values: Vec<f32> = (-300..300).map(|i| (i as f32 / 10.0).exp()).collect();
        for set in Kernels::available() {
            for length in (0..40).chain([600]) {
                let mut found = values[600 - length..].to_vec();
                logarithms(set, 1e-10, 2.0, &mut found);
                for (found, &value) in found.iter().zip(&values[600 - length..]) {
                    let wanted = 2.0 * f64::from(value).max(1e-10).ln();
                    let bound = 4e-7 * wanted.abs().max(1.0);
                    assert!((f64::from(*found) - wanted).abs() < bound, "{} {value}", set.name());
                }
            }
            let mut shares: Vec<f32> = (-400..400).map(|i| i as f32 / 4.0).collect();
            let wanted: Vec<f64> = shares.iter().map(|&x| -(-f64::from(x)).exp().ln_1p()).collect();
            log_sigmoid(set, &mut shares);
            for (found, wanted) in shares.iter().zip(wanted) {
                let bound = 4e-7 * wanted.abs().max(1.0);
                assert!((f64::from(*found) - wanted).abs() < bound, "{} {wanted}", set.name());
            }
            let mut strange = [f32::NAN, f32::NEG_INFINITY, f32::INFINITY];
            log_sigmoid(set, &mut strange);
            assert!(strange[0].is_nan() && strange[1] == f32::NEG_INFINITY && strange[2] == 0.0);
            let mut strange = [0.0, -1.0, f32::NAN, f32::INFINITY, 1e-42];
            logarithms(set, 1e-10, 1.0, &mut strange);
            let floor = 1e-10f32.ln();
            let wanted = [floor, floor, floor, f32::MAX.ln(), floor];
            for (found, wanted) in strange.iter().zip(wanted) {
                assert!((found - wanted).abs() < 1e-4, "{} {strange:?}", set.name());
            }
        }
    }
}
