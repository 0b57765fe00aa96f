//! Several hidden vectors at a time, each with a target of its own, all with the same noise; outputs
//! stay, so that nothing depends on who stands beside whom.

use inlay_base::SharedRow;

use super::tile::PAIRS;
use super::{Output, Step, share, slope};
use crate::{Simd, Task};

/// A row that a hidden vector was made from, and what the vector is to predict.
#[derive(Clone, Copy)]
pub struct Learner<'a> {
    /// What learns.
    pub row: SharedRow<'a>,
    /// Its part of the vector's change.
    pub scale: f32,
    /// What the vector is to predict.
    pub target: Output<'a>,
}

/// Hidden vectors, end to end, fit their own targets and the noise that they share: the first
/// `columns` values of each vector's change, times its scale, are added to its row. Each row of noise
/// is read once for a tile of vectors. Noise that is a vector's own target is nothing to it. On the
/// way it asks for the rows `ahead`. Learners must be different rows.
///
/// # Panics
/// If there is not a learner for each hidden vector, or `hidden` and the padded rows are not of one
/// length, or a learner has fewer values than `columns`.
#[inline(always)]
pub fn fit_abreast<S: Simd>(
    simd: S,
    (hidden, columns): (&[f32], usize),
    learners: &[Learner<'_>],
    noise: &[Output<'_>],
    step: Step,
    ahead: &[SharedRow<'_>],
) {
    simd.call(FitAbreast { hidden, columns, learners, noise, step, ahead });
}

struct FitAbreast<'a> {
    hidden: &'a [f32],
    columns: usize,
    learners: &'a [Learner<'a>],
    noise: &'a [Output<'a>],
    step: Step,
    ahead: &'a [SharedRow<'a>],
}

impl Task for FitAbreast<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { hidden, columns, mut learners, noise, step, mut ahead } = self;
        let Some(padded) = learners.first().map(|learner| learner.target.row.padded()) else {
            return;
        };
        let targets = learners.iter().map(|learner| &learner.target);
        assert!(targets.chain(noise).all(|output| output.row.padded() == padded));
        assert!(hidden.len() == padded * learners.len() && columns <= padded);
        assert!(learners.iter().all(|learner| columns <= learner.row.padded()));
        let each = ahead.len().div_ceil(learners.len().div_ceil(S::TILE.0));
        let mut h = hidden.as_ptr();
        while !learners.is_empty() {
            let (some, others) = learners.split_at(share(learners.len(), S::TILE.0));
            let (asked, later) = ahead.split_at(each.min(ahead.len()));
            let lanes = Lanes { hidden: h, columns, learners: some, step, padded };
            // The target takes a place of the first tile.
            let (mut beside, mut left) = noise.split_at(noise.len().min(S::TILE.1 - 1));
            // SAFETY: rows are `padded` long, and `hidden` is as many times as there are learners,
            // whose rows are no shorter than `columns`; the slices are as long as the shapes.
            unsafe {
                tile::<S, true>(simd, lanes, beside, asked);
                while !left.is_empty() {
                    (beside, left) = left.split_at(share(left.len(), S::TILE.1));
                    tile::<S, false>(simd, lanes, beside, &[]);
                }
                h = h.add(some.len() * padded);
            }
            (learners, ahead) = (others, later);
        }
    }
}

#[derive(Clone, Copy)]
struct Lanes<'a> {
    hidden: *const f32,
    columns: usize,
    learners: &'a [Learner<'a>],
    step: Step,
    padded: usize,
}

/// Enters the tile of this shape; shapes that no set asks for cost no code.
///
/// # Safety
/// Rows of outputs are `padded` long, `hidden` is good for that many values for each learner, and their
/// rows for `columns`, which are no more. There are no more learners than `S::TILE.0`, and no more noise
/// than `S::TILE.1`, less one beside own targets.
#[inline(always)]
unsafe fn tile<S: Simd, const OWN: bool>(
    simd: S,
    lanes: Lanes<'_>,
    noise: &[Output<'_>],
    ahead: &[SharedRow<'_>],
) {
    macro_rules! shapes {
        ($($c:literal x $n:literal),*) => {
            match (lanes.learners.len(), noise.len()) {
                $(($c, $n) if fits::<S, OWN>($c, $n) => {
                    // SAFETY: as the caller promised, and the slices have these lengths.
                    unsafe { shaped::<S, $c, $n, OWN>(simd, lanes, noise, ahead) }
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

/// Whether the sums of so many learners and so much noise stay in registers.
const fn fits<S: Simd, const OWN: bool>(learners: usize, noise: usize) -> bool {
    learners <= S::TILE.0 && noise + OWN as usize <= S::TILE.1
}

/// # Safety
/// As `tile`; there are C learners and N rows of noise.
#[inline(always)]
unsafe fn shaped<S: Simd, const C: usize, const N: usize, const OWN: bool>(
    simd: S,
    Lanes { hidden, columns, learners, step, padded }: Lanes<'_>,
    noise: &[Output<'_>],
    ahead: &[SharedRow<'_>],
) {
    // SAFETY: C and N are the lengths; every offset is below `padded`, a multiple of `LANES`, to which
    // rows that learn are padded too, and pairs are C·(N + 1) ≤ 24 < PAIRS.
    unsafe {
        let h: [*const f32; C] = std::array::from_fn(|c| hidden.add(c * padded));
        let x: [*mut f32; C] = std::array::from_fn(|c| learners.get_unchecked(c).row.as_ptr());
        let target = |c: usize| learners.get_unchecked(c).target;
        let own: [*mut f32; C] = std::array::from_fn(|c| target(c).row.as_ptr());
        let y: [*mut f32; N] = std::array::from_fn(|n| noise.get_unchecked(n).row.as_ptr());

        // Pairs with noise first, lane by lane, then those with own targets.
        let (mut signs, mut weights, mut scales) = ([1.0; PAIRS], [0.0; PAIRS], [0.0; PAIRS]);
        for c in 0..C {
            let scale = learners.get_unchecked(c).scale;
            scales[c * N..(c + 1) * N].fill(scale);
            scales[C * N + c] = scale;
            for (n, noise) in noise.iter().enumerate().take(N) {
                signs[c * N + n] = noise.sign;
                weights[c * N + n] = if y[n] == own[c] { 0.0 } else { noise.weight };
            }
            (signs[C * N + c], weights[C * N + c]) = (target(c).sign, target(c).weight);
        }

        let mut products = [simd.splat(0.0); PAIRS];
        for i in (0..padded).step_by(S::LANES) {
            let mut ys = [simd.splat(0.0); N];
            for n in 0..N {
                ys[n] = simd.load(y[n].add(i));
            }
            if i.is_multiple_of(16) {
                ahead.iter().for_each(|row| simd.prefetch(row.as_ptr().wrapping_add(i)));
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
            let scale = simd.load(scales.as_ptr().add(base));
            simd.store(steps.as_mut_ptr().add(base), simd.mul(slopes, scale));
        }

        for i in (0..columns).step_by(S::LANES) {
            let count = (columns - i).min(S::LANES);
            let read = |row: *const f32| match count == S::LANES {
                true => simd.load(row.add(i)),
                false => simd.load_first(row.add(i), count),
            };
            let mut ys = [simd.splat(0.0); N];
            for n in 0..N {
                ys[n] = read(y[n]);
            }
            for c in 0..C {
                let mut moved = simd.load(x[c].add(i));
                if OWN {
                    moved = simd.fma(simd.splat(steps[C * N + c]), read(own[c]), moved);
                }
                for n in 0..N {
                    moved = simd.fma(simd.splat(steps[c * N + n]), ys[n], moved);
                }
                simd.store(x[c].add(i), moved);
            }
        }
    }
}
