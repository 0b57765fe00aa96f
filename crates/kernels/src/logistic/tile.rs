//! All pairs of a tile at once.

use inlay_base::SharedRow;

use super::{Ahead, Output, Step, share, slope};
use crate::{Simd, Task};

/// More pairs than any tile has, in whole vectors of any set.
pub(super) const PAIRS: usize = 32;

/// One step of every input with every output, both sides changed in place; returns the loss before
/// the step. Tiles follow one another, so a later tile meets rows that an earlier one has changed.
/// On the way it asks for the rows `ahead`.
/// Outputs must be different rows; an input may be there twice and then learns twice.
///
/// # Panics
/// If the rows are not of one length.
#[inline(always)]
pub fn exchange<S: Simd>(
    simd: S,
    inputs: &[SharedRow<'_>],
    outputs: &[Output<'_>],
    step: Step,
    ahead: &[Output<'_>],
) -> f32 {
    simd.call(Exchange { inputs, outputs, step, ahead })
}

struct Exchange<'a> {
    inputs: &'a [SharedRow<'a>],
    outputs: &'a [Output<'a>],
    step: Step,
    ahead: &'a [Output<'a>],
}

impl Task for Exchange<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f32 {
        let Self { mut inputs, outputs, step, ahead } = self;
        let Some(first) = inputs.first() else { return 0.0 };
        let padded = first.padded();
        assert!(inputs.iter().all(|input| input.padded() == padded));
        assert!(outputs.iter().all(|output| output.row.padded() == padded));
        let step = Tile { step, padded };
        let mut loss = simd.splat(0.0);
        let mut ahead = Ahead::in_parts(ahead, inputs.len().div_ceil(S::TILE.0));
        while !inputs.is_empty() {
            ahead.ask(simd);
            let (some, rest) = inputs.split_at(share(inputs.len(), S::TILE.0));
            let mut outputs = outputs;
            while !outputs.is_empty() {
                let (targets, others) =
                    outputs.split_at(share(outputs.len(), widest::<S>(some.len())));
                // SAFETY: all rows are `padded` long, and the slices are as long as the shape.
                loss = simd.add(loss, unsafe { tile(simd, some, targets, step) });
                outputs = others;
            }
            inputs = rest;
        }
        simd.sum(loss)
    }
}

/// Outputs that a tile of so many inputs has at most: the sums of a single input's pairs fit into
/// the registers of any set.
pub(super) const fn widest<S: Simd>(inputs: usize) -> usize {
    if inputs == 1 { 6 } else { S::TILE.1 }
}

#[derive(Clone, Copy)]
pub(super) struct Tile {
    pub step: Step,
    /// Values of a row, its padding included.
    pub padded: usize,
}

/// Enters the tile of this shape; shapes beyond `widest` are never asked for and cost no code.
///
/// # Safety
/// All rows are `padded` long; there are at most `S::TILE.0` inputs and `widest` outputs.
#[inline(always)]
unsafe fn tile<S: Simd>(
    simd: S,
    inputs: &[SharedRow<'_>],
    outputs: &[Output<'_>],
    step: Tile,
) -> S::Vector {
    macro_rules! shapes {
        ($($c:literal x $t:literal),*) => {
            match (inputs.len(), outputs.len()) {
                $(($c, $t) if $c <= S::TILE.0 && $t <= widest::<S>($c) => {
                    // SAFETY: as the caller promised, and the slices have these lengths.
                    unsafe { shaped::<S, $c, $t>(simd, inputs, outputs, step) }
                })*
                _ => unreachable!("share() keeps within the tile"),
            }
        };
    }
    shapes!(
        4 x 6, 3 x 6, 2 x 6, 1 x 6, 3 x 3, 2 x 3, 1 x 3, 4 x 5, 3 x 5, 2 x 5, 1 x 5, 4 x 4, 3 x 4,
        2 x 4, 1 x 4, 4 x 3, 4 x 2, 3 x 2, 2 x 2, 1 x 2, 4 x 1, 3 x 1, 2 x 1, 1 x 1
    )
}

/// # Safety
/// `inputs` are C and `outputs` T rows of `padded` values.
#[inline(always)]
unsafe fn shaped<S: Simd, const C: usize, const T: usize>(
    simd: S,
    inputs: &[SharedRow<'_>],
    outputs: &[Output<'_>],
    Tile { step, padded }: Tile,
) -> S::Vector {
    // SAFETY: C and T are the lengths; every offset is below `padded`, a multiple of `LANES`.
    unsafe {
        let x: [*mut f32; C] = std::array::from_fn(|c| inputs.get_unchecked(c).as_ptr());
        let y: [*mut f32; T] = std::array::from_fn(|t| outputs.get_unchecked(t).row.as_ptr());

        let products = products::<S, C, T>(simd, &x, &y, padded);
        let mut steps = [0.0; PAIRS];
        let loss = slopes::<S, C, T>(simd, &products, outputs, step, &mut steps);

        for i in (0..padded).step_by(S::LANES) {
            let mut old = [simd.splat(0.0); T];
            for t in 0..T {
                old[t] = simd.load(y[t].add(i));
            }
            let mut new = old;
            for c in 0..C {
                // Read after the row before it is written: the same row twice learns twice.
                let xs = simd.load(x[c].add(i));
                let mut moved = xs;
                for t in 0..T {
                    let step = simd.splat(steps[c * T + t]);
                    moved = simd.fma(step, old[t], moved);
                    new[t] = simd.fma(step, xs, new[t]);
                }
                simd.store(x[c].add(i), moved);
            }
            for t in 0..T {
                simd.store(y[t].add(i), new[t]);
            }
        }
        loss
    }
}

/// x·y of every pair, each still spread over lanes: every row is read once.
///
/// # Safety
/// All rows have `padded` values.
#[inline(always)]
pub(super) unsafe fn products<S: Simd, const C: usize, const T: usize>(
    simd: S,
    x: &[*mut f32; C],
    y: &[*mut f32; T],
    padded: usize,
) -> [[S::Vector; T]; C] {
    let mut products = [[simd.splat(0.0); T]; C];
    for i in (0..padded).step_by(S::LANES) {
        // SAFETY: every offset is below `padded`, a multiple of `LANES`.
        unsafe {
            let mut ys = [simd.splat(0.0); T];
            for t in 0..T {
                ys[t] = simd.load(y[t].add(i));
            }
            for c in 0..C {
                let xs = simd.load(x[c].add(i));
                for t in 0..T {
                    products[c][t] = simd.fma(xs, ys[t], products[c][t]);
                }
            }
        }
    }
    products
}

/// From products still spread over lanes to the step g of every pair and the sum of losses.
#[inline(always)]
pub(super) fn slopes<S: Simd, const C: usize, const T: usize>(
    simd: S,
    products: &[[S::Vector; T]; C],
    outputs: &[Output<'_>],
    step: Step,
    steps: &mut [f32; PAIRS],
) -> S::Vector {
    let (mut signs, mut weights) = ([1.0; PAIRS], [0.0; PAIRS]);
    for (t, output) in outputs.iter().enumerate().take(T) {
        for c in 0..C {
            signs[c * T + t] = output.sign;
            weights[c * T + t] = output.weight;
        }
    }
    let mut loss = simd.splat(0.0);
    let mut base = 0;
    while base < C * T {
        let mut spread = [simd.splat(0.0); 16];
        for pair in base..(base + S::LANES).min(C * T) {
            spread[pair - base] = products[pair / T][pair % T];
        }
        let score = simd.sums(&spread);
        // SAFETY: `base` is a multiple of LANES below C·T ≤ 24, so `LANES` more fit in PAIRS.
        unsafe {
            let sign = simd.load(signs.as_ptr().add(base));
            let weight = simd.load(weights.as_ptr().add(base));
            let (slopes, lost) = slope(simd, score, sign, weight, step);
            loss = simd.add(loss, lost);
            simd.store(steps.as_mut_ptr().add(base), slopes);
        }
        base += S::LANES;
    }
    loss
}
