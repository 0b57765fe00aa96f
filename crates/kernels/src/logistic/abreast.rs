//! Several hidden vectors at a time, each with a target of its own, all with the same noise; outputs
//! stay, so that nothing depends on who stands beside whom.

use super::tile::PAIRS;
use super::{Output, Step, share, slope};
use crate::{Simd, Task};

/// How hidden vectors, end to end, should change to fit their own targets and the noise that they
/// share: gradients, end to end. Each row of noise is read once for a tile of them. Noise that is a
/// vector's own target is nothing to it.
///
/// # Panics
/// If there is not a target for each hidden vector, or `hidden`, `gradients` and the padded rows are
/// not of one length.
#[inline(always)]
pub fn fit_abreast<S: Simd>(
    simd: S,
    hidden: &[f32],
    targets: &[Output<'_>],
    noise: &[Output<'_>],
    step: Step,
    gradients: &mut [f32],
) {
    simd.call(FitAbreast { hidden, targets, noise, step, gradients });
}

struct FitAbreast<'a> {
    hidden: &'a [f32],
    targets: &'a [Output<'a>],
    noise: &'a [Output<'a>],
    step: Step,
    gradients: &'a mut [f32],
}

impl Task for FitAbreast<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { hidden, mut targets, noise, step, gradients } = self;
        let Some(padded) = targets.first().map(|target| target.row.padded()) else { return };
        assert!(targets.iter().chain(noise).all(|output| output.row.padded() == padded));
        assert!(hidden.len() == padded * targets.len() && gradients.len() == hidden.len());
        let (mut h, mut g) = (hidden.as_ptr(), gradients.as_mut_ptr());
        while !targets.is_empty() {
            let (some, others) = targets.split_at(share(targets.len(), S::TILE.0));
            let lanes = Lanes { hidden: h, targets: some, step, gradients: g, padded };
            // The target takes a place of the first tile.
            let (mut beside, mut left) = noise.split_at(noise.len().min(S::TILE.1 - 1));
            // SAFETY: rows are `padded` long; `hidden` and `gradients` as many times as there are
            // targets; the slices are as long as the shapes.
            unsafe {
                tile::<S, true>(simd, lanes, beside);
                while !left.is_empty() {
                    (beside, left) = left.split_at(share(left.len(), S::TILE.1));
                    tile::<S, false>(simd, lanes, beside);
                }
                (h, g) = (h.add(some.len() * padded), g.add(some.len() * padded));
            }
            targets = others;
        }
    }
}

#[derive(Clone, Copy)]
struct Lanes<'a> {
    hidden: *const f32,
    targets: &'a [Output<'a>],
    step: Step,
    gradients: *mut f32,
    padded: usize,
}

/// Enters the tile of this shape; shapes that no set asks for cost no code.
///
/// # Safety
/// Rows are `padded` long, `hidden` and `gradients` good for that many values for each target. There
/// are no more targets than `S::TILE.0`, and no more noise than `S::TILE.1`, less one beside own targets.
#[inline(always)]
unsafe fn tile<S: Simd, const OWN: bool>(simd: S, lanes: Lanes<'_>, noise: &[Output<'_>]) {
    macro_rules! shapes {
        ($($c:literal x $n:literal),*) => {
            match (lanes.targets.len(), noise.len()) {
                $(($c, $n) if fits::<S, OWN>($c, $n) => {
                    // SAFETY: as the caller promised, and the slices have these lengths.
                    unsafe { shaped::<S, $c, $n, OWN>(simd, lanes, noise) }
                })*
                _ => unreachable!("the caller keeps within the tile"),
            }
        };
    }
    shapes!(
        4 x 5, 4 x 4, 4 x 3, 4 x 6, 4 x 2, 4 x 1, 4 x 0, 3 x 5, 3 x 4, 3 x 3, 3 x 6, 3 x 2, 3 x 1,
        3 x 0, 2 x 5, 2 x 4, 2 x 3, 2 x 6, 2 x 2, 2 x 1, 2 x 0, 1 x 5, 1 x 4, 1 x 3, 1 x 6, 1 x 2,
        1 x 1, 1 x 0
    )
}

/// Whether the sums of so many targets and so much noise stay in registers.
const fn fits<S: Simd, const OWN: bool>(targets: usize, noise: usize) -> bool {
    targets <= S::TILE.0 && noise + OWN as usize <= S::TILE.1
}

/// # Safety
/// As `tile`; there are C targets and N rows of noise.
#[inline(always)]
unsafe fn shaped<S: Simd, const C: usize, const N: usize, const OWN: bool>(
    simd: S,
    Lanes { hidden, targets, step, gradients, padded }: Lanes<'_>,
    noise: &[Output<'_>],
) {
    // SAFETY: C and N are the lengths; every offset is below `padded`, a multiple of `LANES`, and
    // pairs are C·(N + 1) ≤ 24 < PAIRS.
    unsafe {
        let h: [*const f32; C] = std::array::from_fn(|c| hidden.add(c * padded));
        let g: [*mut f32; C] = std::array::from_fn(|c| gradients.add(c * padded));
        let own: [*mut f32; C] = std::array::from_fn(|c| targets.get_unchecked(c).row.as_ptr());
        let y: [*mut f32; N] = std::array::from_fn(|n| noise.get_unchecked(n).row.as_ptr());

        // Pairs with noise first, lane by lane, then those with own targets.
        let (mut signs, mut weights) = ([1.0; PAIRS], [0.0; PAIRS]);
        for c in 0..C {
            for (n, noise) in noise.iter().enumerate().take(N) {
                signs[c * N + n] = noise.sign;
                weights[c * N + n] = if y[n] == own[c] { 0.0 } else { noise.weight };
            }
            signs[C * N + c] = targets[c].sign;
            weights[C * N + c] = targets[c].weight;
        }

        let mut products = [simd.splat(0.0); PAIRS];
        for i in (0..padded).step_by(S::LANES) {
            let mut ys = [simd.splat(0.0); N];
            for n in 0..N {
                ys[n] = simd.load(y[n].add(i));
            }
            for c in 0..C {
                let hs = simd.load(h[c].add(i));
                for n in 0..N {
                    products[c * N + n] = simd.fma(hs, ys[n], products[c * N + n]);
                }
                if OWN {
                    let at = C * N + c;
                    products[at] = simd.fma(hs, simd.load(own[c].add(i)), products[at]);
                }
            }
        }

        let mut steps = [0.0; PAIRS];
        for base in (0..C * N + if OWN { C } else { 0 }).step_by(S::LANES) {
            let mut spread = [simd.splat(0.0); 16];
            for lane in 0..S::LANES {
                if base + lane < C * (N + 1) {
                    spread[lane] = products[base + lane];
                }
            }
            let sign = simd.load(signs.as_ptr().add(base));
            let weight = simd.load(weights.as_ptr().add(base));
            let (slopes, _) = slope(simd, simd.sums(&spread), sign, weight, step);
            simd.store(steps.as_mut_ptr().add(base), slopes);
        }

        for i in (0..padded).step_by(S::LANES) {
            let mut ys = [simd.splat(0.0); N];
            for n in 0..N {
                ys[n] = simd.load(y[n].add(i));
            }
            for c in 0..C {
                // The first tile finds no gradient yet.
                let mut sum = if OWN {
                    simd.mul(simd.splat(steps[C * N + c]), simd.load(own[c].add(i)))
                } else {
                    simd.load(g[c].add(i))
                };
                for n in 0..N {
                    sum = simd.fma(simd.splat(steps[c * N + n]), ys[n], sum);
                }
                simd.store(g[c].add(i), sum);
            }
        }
    }
}
