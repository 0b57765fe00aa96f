//! The step of logistic word models, for all pairs of a few input rows and a few output rows.
//!
//! For an input x, an output y, its sign s (+1: y is to be predicted, -1: y is noise) and weight w:
//!
//! ```text
//! loss = -w · ln σ(s·x·y)          g = rate · w · s · σ(-s·x·y)
//! x += g·y                         y += g·x          (both with the values before)
//! ```
//!
//! Pair by pair, each row is fetched from memory and written back once for every partner that it
//! has. Here all pairs are worked out together: rows are read twice and written once, whatever the
//! number of their partners. The whole of the speed of `words` is in this module.
//!
//! | function | order |
//! | --- | --- |
//! | `exchange` | all pairs of a tile at once |
//! | `exchange_in_turn` | an input after the other, each with all outputs |
//! | `exchange_pairs` | each input with an output of its own |
//! | `learn` | one hidden vector, its change given back |
//! | `fit` | one hidden vector, its change given back; the outputs stay |
//! | `fit_abreast` | several hidden vectors, each with a target and a row that learns, all with the same noise; the outputs stay |

mod abreast;
mod column;
mod pairs;
#[cfg(test)]
mod tests;
mod tile;
mod turns;

use inlay_base::SharedRow;

use crate::{Simd, exp, ln, prefetch_to_write};

pub use abreast::{Learner, fit_abreast};
pub use column::{fit, learn};
pub use pairs::exchange_pairs;
pub use tile::exchange;
pub use turns::exchange_in_turn;

/// An output row of a prediction.
#[derive(Clone, Copy)]
pub struct Output<'a> {
    /// Its vector.
    pub row: SharedRow<'a>,
    /// +1 for what is to be predicted, -1 for noise.
    pub sign: f32,
    /// How much it counts: 1, or how often the same noise word was drawn.
    pub weight: f32,
}

/// How far a step goes.
#[derive(Clone, Copy)]
pub struct Step {
    /// The learning rate.
    pub rate: f32,
    /// Pairs whose score is this far from zero or farther teach nothing; infinite: all do.
    pub reach: f32,
}

/// Output rows of the next step, asked for a few at a time while this one is worked out: there is room for
/// so many lines on their way to a core, and one that asks for more at once stands still.
pub struct Ahead<'a> {
    outputs: &'a [Output<'a>],
    each: usize,
}

impl<'a> Ahead<'a> {
    /// In so many parts.
    #[inline(always)]
    pub fn in_parts(outputs: &'a [Output<'a>], parts: usize) -> Self {
        Self { outputs, each: outputs.len().div_ceil(parts.max(1)) }
    }

    /// Asks for the next part.
    #[inline(always)]
    pub fn ask<S: Simd>(&mut self, simd: S) {
        let (part, rest) = self.outputs.split_at(self.each.min(self.outputs.len()));
        part.iter().for_each(|output| prefetch_to_write(simd, output.row));
        self.outputs = rest;
    }
}

/// The step g of a register of scores and what they lose.
#[inline(always)]
fn slope<S: Simd>(
    simd: S,
    score: S::Vector,
    sign: S::Vector,
    weight: S::Vector,
    Step { rate, reach }: Step,
) -> (S::Vector, S::Vector) {
    let one = simd.splat(1.0);
    // With e = exp(-s·x·y): σ(-s·x·y) = e / (1 + e) and -ln σ(s·x·y) = ln (1 + e), which lose
    // nothing at either end.
    let e = exp(simd, simd.mul(simd.mul(score, sign), simd.splat(-1.0)));
    let sum = simd.add(one, e);
    let loss = simd.mul(weight, ln(simd, sum));
    let slope = simd.mul(simd.div(e, sum), simd.mul(sign, weight));
    // 1 within reach, 0 beyond: the factor is any number large enough.
    let size = simd.max(score, simd.sub(simd.splat(0.0), score));
    let left = simd.mul(simd.sub(simd.splat(reach), size), simd.splat(1e30));
    let within = simd.max(simd.min(left, one), simd.splat(0.0));
    (simd.mul(simd.mul(slope, within), simd.splat(rate)), loss)
}

/// How many to take of `left` where `most` fit a tile: no tile is left with one when two can share.
#[inline(always)]
fn share(left: usize, most: usize) -> usize {
    if left > most && left < 2 * most { left.div_ceil(2) } else { left.min(most) }
}
