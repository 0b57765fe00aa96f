use crate::{Kernels, Simd, Task, ln};

/// values = factor · ln(max(values, floor)); what is no number counts as the floor. See `math::ln` for how near it comes.
///
/// # Panics
/// If `floor` is not a normal number above 0.
pub fn logarithms(kernels: Kernels, floor: f32, factor: f32, values: &mut [f32]) {
    assert!(floor.is_normal() && floor > 0.0);
    kernels.run(Logarithms { floor, factor, values });
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
