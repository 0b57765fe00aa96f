//! One hidden vector: its change is given back; the outputs move, or stay.

use super::tile::{PAIRS, Tile, slopes};
use super::{Output, Step, share};
use crate::{Simd, Task};

/// One step of a hidden vector with every output: the outputs change in place, what the hidden
/// vector should change by is written to `gradient`. Returns the loss before the step.
///
/// # Panics
/// If `hidden`, `gradient` and the padded rows are not of one length.
#[inline(always)]
pub fn learn<S: Simd>(
    simd: S,
    hidden: &[f32],
    outputs: &[Output<'_>],
    step: Step,
    gradient: &mut [f32],
) -> f32 {
    simd.call(Learn::<true> { hidden, outputs, step, gradient })
}

/// As `learn`, but the outputs stay as they are, and what it costs is not asked: how a hidden vector
/// should change to fit them.
///
/// # Panics
/// If `hidden`, `gradient` and the padded rows are not of one length.
#[inline(always)]
pub fn fit<S: Simd>(
    simd: S,
    hidden: &[f32],
    outputs: &[Output<'_>],
    step: Step,
    gradient: &mut [f32],
) {
    simd.call(Learn::<false> { hidden, outputs, step, gradient });
}

/// Outputs move or do not.
struct Learn<'a, const MOVES: bool> {
    hidden: &'a [f32],
    outputs: &'a [Output<'a>],
    step: Step,
    gradient: &'a mut [f32],
}

impl<const MOVES: bool> Task for Learn<'_, MOVES> {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f32 {
        let Self { hidden, mut outputs, step, gradient } = self;
        let padded = hidden.len();
        assert_eq!(gradient.len(), padded);
        assert!(outputs.iter().all(|output| output.row.padded() == padded));
        gradient.fill(0.0);
        let step = Tile { step, padded };
        let mut loss = simd.splat(0.0);
        while !outputs.is_empty() {
            let (targets, others) = outputs.split_at(share(outputs.len(), 6));
            let (h, g) = (hidden.as_ptr(), gradient.as_mut_ptr());
            // SAFETY: all rows are `padded` long, and the slice is as long as the shape.
            let lost = unsafe {
                match targets.len() {
                    1 => column::<S, 1, MOVES>(simd, h, targets, g, step),
                    2 => column::<S, 2, MOVES>(simd, h, targets, g, step),
                    3 => column::<S, 3, MOVES>(simd, h, targets, g, step),
                    4 => column::<S, 4, MOVES>(simd, h, targets, g, step),
                    5 => column::<S, 5, MOVES>(simd, h, targets, g, step),
                    _ => column::<S, 6, MOVES>(simd, h, targets, g, step),
                }
            };
            if MOVES {
                loss = simd.add(loss, lost);
            }
            outputs = others;
        }
        simd.sum(loss)
    }
}

/// # Safety
/// `hidden`, `gradient` and the T rows of `outputs` are good for `padded` values.
#[inline(always)]
unsafe fn column<S: Simd, const T: usize, const MOVES: bool>(
    simd: S,
    hidden: *const f32,
    outputs: &[Output<'_>],
    gradient: *mut f32,
    Tile { step, padded }: Tile,
) -> S::Vector {
    // SAFETY: T is the length; every offset is below `padded`, a multiple of `LANES`.
    unsafe {
        let y: [*mut f32; T] = std::array::from_fn(|t| outputs.get_unchecked(t).row.as_ptr());

        let mut products = [[simd.splat(0.0); T]; 1];
        for i in (0..padded).step_by(S::LANES) {
            let xs = simd.load(hidden.add(i));
            for t in 0..T {
                products[0][t] = simd.fma(xs, simd.load(y[t].add(i)), products[0][t]);
            }
        }

        let mut steps = [0.0; PAIRS];
        let loss = slopes::<S, 1, T>(simd, &products, outputs, step, &mut steps);

        for i in (0..padded).step_by(S::LANES) {
            let xs = simd.load(hidden.add(i));
            let mut sum = simd.load(gradient.add(i));
            for t in 0..T {
                let step = simd.splat(steps[t]);
                let ys = simd.load(y[t].add(i));
                sum = simd.fma(step, ys, sum);
                if MOVES {
                    simd.store(y[t].add(i), simd.fma(step, xs, ys));
                }
            }
            simd.store(gradient.add(i), sum);
        }
        loss
    }
}
