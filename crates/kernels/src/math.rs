//! Functions of every lane.

use crate::Simd;

/// eˣ, to 2e-7 of itself; x is held within ±87, where neither end of f32 is met. What is no number
/// stays so: `min` and `max` give their second operand then.
#[inline(always)]
pub fn exp<S: Simd>(simd: S, x: S::Vector) -> S::Vector {
    let x = simd.max(simd.splat(-87.0), simd.min(simd.splat(87.0), x));
    // x = n·ln 2 + r, with ln 2 in two parts so that r loses nothing.
    let n = simd.round(simd.mul(x, simd.splat(std::f32::consts::LOG2_E)));
    let r = simd.fma(n, simd.splat(-0.693_359_4), x);
    let r = simd.fma(n, simd.splat(2.121_944_4e-4), r);
    // eʳ by its Taylor series, |r| ≤ 0.35.
    let series = [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
    let power = polynomial(simd, r, &series);
    simd.scale(power, n)
}

/// Below this a share of 1 is none: 2⁻⁷².
const NOTHING: f32 = 2.117_582_4e-22;

/// As `exp` for a share of what is 1, but nothing where that is less than 2⁻⁷². What such a share is multiplied by next would
/// be too small to be a normal number, and products of those take a hundred times as long.
#[inline(always)]
pub fn exp_of_share<S: Simd>(simd: S, x: S::Vector) -> S::Vector {
    // What is no number stays so as the second operand.
    simd.max(simd.splat(0.0), simd.sub(exp(simd, x), simd.splat(NOTHING)))
}

/// The same number, to 5e-38, and none that is too small to be a normal one: sums of many steps that come to nothing are
/// to be nothing.
#[inline(always)]
pub fn normal<S: Simd>(simd: S, x: S::Vector) -> S::Vector {
    // 2⁻¹⁰⁰, whose last digit is a normal number.
    let digits = simd.splat(7.888_609e-31);
    simd.sub(simd.add(x, digits), digits)
}

/// ln x for normal x > 0, to 3e-7 of itself or 2e-7, whichever is more.
#[inline(always)]
pub fn ln<S: Simd>(simd: S, x: S::Vector) -> S::Vector {
    let (m, e) = simd.split(x);
    // ln m = 2·artanh s with s = (m - 1) / (m + 1), 0 ≤ s < 1/3.
    let one = simd.splat(1.0);
    let s = simd.div(simd.sub(m, one), simd.add(m, one));
    let square = simd.mul(s, s);
    let series = [2.0 / 13.0, 2.0 / 11.0, 2.0 / 9.0, 2.0 / 7.0, 2.0 / 5.0, 2.0 / 3.0, 2.0];
    let artanh = simd.mul(s, polynomial(simd, square, &series));
    simd.fma(e, simd.splat(std::f32::consts::LN_2), artanh)
}

/// Horner's rule, highest coefficient first.
#[inline(always)]
fn polynomial<S: Simd>(simd: S, x: S::Vector, coefficients: &[f32; 7]) -> S::Vector {
    let mut value = simd.splat(coefficients[0]);
    for &coefficient in &coefficients[1..] {
        value = simd.fma(value, x, simd.splat(coefficient));
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kernels, Task};

    struct Each<'a>(&'a [f32], bool);

    impl Task for Each<'_> {
        type Output = Vec<f32>;
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> Vec<f32> {
            let mut results = vec![0.0; self.0.len()];
            for (x, result) in self.0.chunks(S::LANES).zip(results.chunks_mut(S::LANES)) {
                let mut lanes = [1.0f32; 16];
                lanes[..x.len()].copy_from_slice(x);
                // SAFETY: 16 values hold the lanes of any set.
                unsafe {
                    let x = simd.load(lanes.as_ptr());
                    let y = if self.1 { ln(simd, x) } else { exp(simd, x) };
                    simd.store(lanes.as_mut_ptr(), y);
                }
                result.copy_from_slice(&lanes[..x.len()]);
            }
            results
        }
    }

    #[test]
    fn exp_and_ln_are_right_on_every_set() {
        let xs: Vec<f32> = (-8700..=8700).map(|i| i as f32 / 100.0).collect();
        let ys: Vec<f32> = xs.iter().map(|x| x.exp()).collect();
        for set in Kernels::available() {
            for (x, y) in xs.iter().zip(set.run(Each(&xs, false))) {
                let wanted = f64::from(*x).exp();
                let error = (f64::from(y) / wanted - 1.0).abs();
                assert!(error < 3e-7, "{} exp {x}: {y}, {error}", set.name());
            }
            for (x, y) in ys.iter().zip(set.run(Each(&ys, true))) {
                let wanted = f64::from(*x).ln();
                let error = (f64::from(y) - wanted).abs();
                let bound = (3e-7 * wanted.abs()).max(2e-7);
                assert!(error < bound, "{} ln {x}: {y}, {error}", set.name());
            }
        }
    }

    #[test]
    fn exp_of_what_is_no_number_is_none() {
        for set in Kernels::available() {
            let powers = set.run(Each(&[f32::NAN, 0.0], false));
            assert!(powers[0].is_nan() && powers[1] == 1.0, "{}: {powers:?}", set.name());
        }
    }

    struct Small<'a>(&'a [f32], bool);

    impl Task for Small<'_> {
        type Output = Vec<f32>;
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> Vec<f32> {
            let one = |&x: &f32| match self.1 {
                true => simd.sum(normal(simd, simd.splat(x))) / S::LANES as f32,
                false => simd.sum(exp_of_share(simd, simd.splat(x))) / S::LANES as f32,
            };
            self.0.iter().map(one).collect()
        }
    }

    #[test]
    fn shares_and_sums_that_come_to_nothing_are_nothing() {
        assert_eq!(NOTHING, 2.0f32.powi(-72));
        for set in Kernels::available() {
            let name = set.name();
            let shares = set.run(Small(&[0.0, -20.0, -49.0, -50.0, -87.0, -1e30], false));
            assert!((shares[0] - 1.0).abs() < 1e-6 && shares[1] > 2e-9, "{name}: {shares:?}");
            assert!(shares[2] > 0.0 && shares[3..] == [0.0; 3], "{name}: {shares:?}");
            assert!(set.run(Small(&[f32::NAN], false))[0].is_nan(), "{name}");
            let given = [1.0, -3e-20, 1e-30, 1e-38, -1e-40, 1e-45, 0.0];
            for (x, y) in given.iter().zip(set.run(Small(&given, true))) {
                assert!((x - y).abs() < 6e-38 && !y.is_subnormal(), "{name}: {x} became {y}");
            }
        }
    }

    #[test]
    fn exp_is_held_at_both_ends() {
        for set in Kernels::available() {
            let ends = set.run(Each(&[-1e30, 1e30, f32::INFINITY, f32::NEG_INFINITY], false));
            assert!(ends.iter().all(|y| y.is_finite() && *y > 0.0), "{}: {ends:?}", set.name());
        }
    }
}
