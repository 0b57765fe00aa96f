//! From scores to weights and back, row by row.

use super::QUERIES;
use crate::{Simd, Target, Task, exp_of_share, ln};

/// Which keys of a block its queries see.
#[derive(Clone, Copy)]
pub(super) struct Sight {
    /// The first query, counted from the first key.
    pub before: isize,
    pub keys: usize,
    pub causal: bool,
    pub window: Option<usize>,
}

impl Sight {
    #[inline(always)]
    fn of(self, query: usize) -> std::ops::Range<usize> {
        let own = self.before + query as isize;
        let reach = self.window.map_or(isize::MAX / 2, |window| window as isize);
        let end = if self.causal { own + 1 } else { own.saturating_add(reach + 1) };
        let keys = self.keys as isize;
        (own - reach).clamp(0, keys) as usize..end.clamp(0, keys) as usize
    }
}

pub(super) struct Times<'a> {
    pub factors: &'a [f32],
    pub to: &'a mut [f32],
}

impl Task for Times<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        for (to, factor) in self.to.iter_mut().zip(self.factors) {
            *to *= factor;
        }
    }
}

/// A head's part of each row is divided by the sum of its weights.
pub(super) struct Share<'a> {
    pub shares: &'a [f32],
    pub output: Target<'a>,
}

impl Task for Share<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(mut self, _simd: S) {
        for (row, share) in self.shares.iter().enumerate() {
            for value in self.output.values(row) {
                *value *= share;
            }
        }
    }
}

/// Scores become e^(s - the highest), zero where a query does not see; `shares` are 1 / Σ.
pub(super) struct Weigh<'a> {
    pub keys: usize,
    pub sight: Sight,
    pub scale: f32,
    pub scores: &'a mut [f32],
    pub logarithms: &'a mut [f32],
    pub shares: &'a mut [f32; QUERIES],
}

impl Task for Weigh<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let scale = simd.splat(self.scale);
        let groups = self.scores.chunks_mut(S::LANES * self.keys).enumerate();
        for (group, scores) in groups {
            let first = group * S::LANES;
            let rows = scores.len() / self.keys;
            let seen = |row: usize| self.sight.of(first + row);
            // Lane i of what is worked out for all rows of a group is for row i.
            let mut each = [simd.splat(1.0); 16];
            for (row, scores) in scores.chunks_exact(self.keys).enumerate() {
                each[row] = highest(simd, &scores[seen(row)]);
            }
            simd.transpose(&mut each);
            let mut highest = each[0];
            for &other in &each[1..S::LANES] {
                highest = simd.max(highest, other);
            }
            let highest = simd.mul(highest, scale);
            let mut heights = [0.0f32; 16];
            // SAFETY: sixteen values hold the lanes of any set.
            unsafe { simd.store(heights.as_mut_ptr(), highest) };
            let mut each = [simd.splat(1.0); 16];
            for (row, scores) in scores.chunks_exact_mut(self.keys).enumerate() {
                let height = simd.splat(-heights[row]);
                let seen = seen(row);
                each[row] = raise(simd, &mut scores[seen.clone()], scale, height);
                if seen.len() < self.keys {
                    scores[..seen.start].fill(0.0);
                    scores[seen.end..].fill(0.0);
                }
            }
            let total = simd.sums(&each);
            // What is no number is none to `ln`.
            let logarithm = simd.fma(total, simd.splat(0.0), ln(simd, total));
            let logarithm = simd.add(highest, logarithm);
            let share = simd.div(simd.splat(1.0), total);
            let (shares, logarithms) =
                (&mut self.shares[first..first + rows], &mut self.logarithms[first..first + rows]);
            // SAFETY: there is a value for each row.
            unsafe {
                simd.store_first(shares.as_mut_ptr(), share, rows);
                simd.store_first(logarithms.as_mut_ptr(), logarithm, rows);
            }
        }
    }
}

/// The highest of some values is the highest of the lanes.
#[inline(always)]
fn highest<S: Simd>(simd: S, values: &[f32]) -> S::Vector {
    let mut lanes = [values[0]; 16];
    if values.len() < S::LANES {
        lanes[..values.len()].copy_from_slice(values);
        // SAFETY: sixteen values hold the lanes of any set.
        return unsafe { simd.load(lanes.as_ptr()) };
    }
    // The last vector may see again what the one before it saw.
    let last = values.len() - S::LANES;
    // SAFETY: vectors begin at `last` at most.
    unsafe {
        let mut highest = simd.load(values.as_ptr().add(last));
        for at in (0..last).step_by(S::LANES) {
            highest = simd.max(highest, simd.load(values.as_ptr().add(at)));
        }
        highest
    }
}

/// Scores become e^(scale·s + height); their sum is that of the lanes.
#[inline(always)]
fn raise<S: Simd>(simd: S, scores: &mut [f32], scale: S::Vector, height: S::Vector) -> S::Vector {
    let (mut total, mut spoilt) = (simd.splat(0.0), simd.splat(0.0));
    for at in (0..scores.len()).step_by(S::LANES) {
        let count = (scores.len() - at).min(S::LANES);
        // SAFETY: `count` values are there.
        unsafe {
            let to = scores.as_mut_ptr().add(at);
            let above = simd.fma(simd.load_first(to, count), scale, height);
            // `exp` stops short of what is infinite or no number: it must not be lost.
            spoilt = simd.fma(above, simd.splat(0.0), spoilt);
            let mut power = exp_of_share(simd, above);
            simd.store_first(to, power, count);
            if count < S::LANES {
                power = simd.load_first(to, count);
            }
            total = simd.add(total, power);
        }
    }
    simd.add(total, spoilt)
}

/// `weights` come as Q·Kᵀ and become P, `slopes` come as dP and become dS.
pub(super) struct Slopes<'a> {
    pub keys: usize,
    pub sight: Sight,
    pub scale: f32,
    pub width: usize,
    /// From one row of `output` and `above` to the next.
    pub row: usize,
    pub output: &'a [f32],
    pub above: &'a [f32],
    pub logarithms: &'a [f32],
    pub weights: &'a mut [f32],
    pub slopes: &'a mut [f32],
}

impl Task for Slopes<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let scale = simd.splat(self.scale);
        let rows = self.weights.chunks_exact_mut(self.keys);
        let rows = rows.zip(self.slopes.chunks_exact_mut(self.keys)).zip(self.logarithms);
        let outputs = self.output.chunks(self.row).zip(self.above.chunks(self.row));
        for (query, (((weights, slopes), logarithm), (output, above))) in
            rows.zip(outputs).enumerate()
        {
            let seen = self.sight.of(query);
            let (output, above) = (&output[..self.width], &above[..self.width]);
            // SAFETY: `count` values are there in the two that are read, and in the two that are
            // written.
            unsafe {
                let mut delta = simd.splat(0.0);
                for at in (0..self.width).step_by(S::LANES) {
                    let count = (self.width - at).min(S::LANES);
                    let output = simd.load_first(output.as_ptr().add(at), count);
                    let above = simd.load_first(above.as_ptr().add(at), count);
                    delta = simd.fma(output, above, delta);
                }
                let delta = simd.splat(-simd.sum(delta) * self.scale);
                let logarithm = simd.splat(-logarithm);
                for at in seen.clone().step_by(S::LANES) {
                    let count = (seen.end - at).min(S::LANES);
                    let (weight, slope) =
                        (weights.as_mut_ptr().add(at), slopes.as_mut_ptr().add(at));
                    let score = simd.load_first(weight, count);
                    let share = exp_of_share(simd, simd.fma(score, scale, logarithm));
                    let change = simd.fma(simd.load_first(slope, count), scale, delta);
                    simd.store_first(weight, share, count);
                    simd.store_first(slope, simd.mul(share, change), count);
                }
            }
            if seen.len() < self.keys {
                for unseen in [0..seen.start, seen.end..self.keys] {
                    weights[unseen.clone()].fill(0.0);
                    slopes[unseen].fill(0.0);
                }
            }
        }
    }
}
