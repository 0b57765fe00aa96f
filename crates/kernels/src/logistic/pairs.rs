//! Each input with an output of its own.

use inlay_base::SharedRow;

use super::tile::{PAIRS, Tile, slopes};
use super::{Output, Step};
use crate::{Simd, Task};

/// One step of each input with the output at its place, both sides changed in place; returns the
/// loss before the step. Steps are worked out for four pairs at a time, then made in order: an output
/// that is there twice moves twice. Inputs must be different rows.
///
/// # Panics
/// If the rows are not of one length, or there are not as many outputs as inputs.
#[inline(always)]
pub fn exchange_pairs<S: Simd>(
    simd: S,
    inputs: &[SharedRow<'_>],
    outputs: &[Output<'_>],
    step: Step,
) -> f32 {
    simd.call(Pairs { inputs, outputs, step })
}

struct Pairs<'a> {
    inputs: &'a [SharedRow<'a>],
    outputs: &'a [Output<'a>],
    step: Step,
}

impl Task for Pairs<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f32 {
        let Self { inputs, outputs, step } = self;
        assert_eq!(inputs.len(), outputs.len());
        let Some(first) = inputs.first() else { return 0.0 };
        let padded = first.padded();
        assert!(inputs.iter().all(|input| input.padded() == padded));
        assert!(outputs.iter().all(|output| output.row.padded() == padded));
        let step = Tile { step, padded };
        let mut loss = simd.splat(0.0);
        for (inputs, outputs) in inputs.chunks(4).zip(outputs.chunks(4)) {
            // SAFETY: all rows are `padded` long, and both slices as long as the number.
            let lost = unsafe {
                match inputs.len() {
                    1 => pairs::<S, 1>(simd, inputs, outputs, step),
                    2 => pairs::<S, 2>(simd, inputs, outputs, step),
                    3 => pairs::<S, 3>(simd, inputs, outputs, step),
                    _ => pairs::<S, 4>(simd, inputs, outputs, step),
                }
            };
            loss = simd.add(loss, lost);
        }
        simd.sum(loss)
    }
}

/// # Safety
/// `inputs` and `outputs` are N rows of `padded` values.
#[inline(always)]
unsafe fn pairs<S: Simd, const N: usize>(
    simd: S,
    inputs: &[SharedRow<'_>],
    outputs: &[Output<'_>],
    Tile { step, padded }: Tile,
) -> S::Vector {
    // SAFETY: N is the length of both; every offset is below `padded`, a multiple of `LANES`.
    unsafe {
        let x: [*mut f32; N] = std::array::from_fn(|n| inputs.get_unchecked(n).as_ptr());
        let y: [*mut f32; N] = std::array::from_fn(|n| outputs.get_unchecked(n).row.as_ptr());

        let mut products = [[simd.splat(0.0); N]; 1];
        for i in (0..padded).step_by(S::LANES) {
            for n in 0..N {
                let (xs, ys) = (simd.load(x[n].add(i)), simd.load(y[n].add(i)));
                products[0][n] = simd.fma(xs, ys, products[0][n]);
            }
        }

        let mut steps = [0.0; PAIRS];
        let loss = slopes::<S, 1, N>(simd, &products, outputs, step, &mut steps);

        for n in 0..N {
            let step = simd.splat(steps[n]);
            for i in (0..padded).step_by(S::LANES) {
                let (xs, ys) = (simd.load(x[n].add(i)), simd.load(y[n].add(i)));
                simd.store(x[n].add(i), simd.fma(step, ys, xs));
                simd.store(y[n].add(i), simd.fma(step, xs, ys));
            }
        }
        loss
    }
}
