//! An input after the other, each with all outputs: the order of word2vec.c, in two passes over the
//! rows all the same. What the inputs b before c did to an output is known without being written:
//!
//! ```text
//! x_c·y_t  becomes  x_c·y_t + Σ_b g_bt · (x_b·x_c)
//! x_c += Σ_t g_ct·y_t + Σ_b (Σ_t g_ct·g_bt) · x_b
//! y_t += Σ_c g_ct·x_c                                 (all with the values before)
//! ```
//!
//! A tile moves an output by all of its inputs at once, which goes too far where all of them pull the
//! same way: at the upper nodes of a Huffman tree. It cost 0.6 points of analogies.

use inlay_base::SharedRow;

use super::tile::products;
use super::{Ahead, Output, Step, share, slope};
use crate::{Simd, Task};

/// Outputs whose steps are kept at once: as long as a Huffman path is but for rarest words. Further
/// ones meet inputs that have moved already.
const PATH: usize = 32;

/// One step of each input in turn with every output: an input stays as it is until it has met them
/// all, and meets outputs that the inputs before it have changed. Returns the loss before each
/// step. Inputs take turns by fours, or what the set has registers for: between those, rows are
/// written. Outputs must be different rows; an input may be there twice. On the way it asks for the rows
/// `ahead`.
///
/// # Panics
/// If the rows are not of one length.
#[inline(always)]
pub fn exchange_in_turn<S: Simd>(
    simd: S,
    inputs: &[SharedRow<'_>],
    outputs: &[Output<'_>],
    step: Step,
    ahead: &[Output<'_>],
) -> f32 {
    simd.call(InTurn { inputs, outputs, step, ahead })
}

struct InTurn<'a> {
    inputs: &'a [SharedRow<'a>],
    outputs: &'a [Output<'a>],
    step: Step,
    ahead: &'a [Output<'a>],
}

impl Task for InTurn<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f32 {
        let Self { mut inputs, outputs, step, ahead } = self;
        let Some(first) = inputs.first() else { return 0.0 };
        let padded = first.padded();
        assert!(inputs.iter().all(|input| input.padded() == padded));
        assert!(outputs.iter().all(|output| output.row.padded() == padded));
        let mut loss = simd.splat(0.0);
        let mut ahead = Ahead::in_parts(ahead, inputs.len().div_ceil(S::TILE.0));
        while !inputs.is_empty() {
            ahead.ask(simd);
            let (some, rest) = inputs.split_at(share(inputs.len(), S::TILE.0));
            for path in outputs.chunks(PATH) {
                let path = Path { outputs: path, step, padded };
                // SAFETY: all rows are `padded` long, and the slices are as long as said.
                let lost = unsafe {
                    match some.len() {
                        1 => path.meet::<S, 1>(simd, some),
                        2 if S::TILE.0 >= 2 => path.meet::<S, 2>(simd, some),
                        3 if S::TILE.0 >= 3 => path.meet::<S, 3>(simd, some),
                        4 if S::TILE.0 >= 4 => path.meet::<S, 4>(simd, some),
                        _ => unreachable!("share() keeps within the tile"),
                    }
                };
                loss = simd.add(loss, lost);
            }
            inputs = rest;
        }
        simd.sum(loss)
    }
}

struct Path<'a> {
    /// At most `PATH`.
    outputs: &'a [Output<'a>],
    step: Step,
    padded: usize,
}

impl Path<'_> {
    /// # Safety
    /// There are C inputs; all rows have `padded` values.
    #[inline(always)]
    unsafe fn meet<S: Simd, const C: usize>(&self, simd: S, inputs: &[SharedRow<'_>]) -> S::Vector {
        let zero = simd.splat(0.0);
        // SAFETY: the caller's promise.
        let x: [*mut f32; C] = unsafe { std::array::from_fn(|c| inputs.get_unchecked(c).as_ptr()) };
        let mut steps = [[0.0; PATH]; C];
        // Σ_t g_ct·g_bt, spread over lanes.
        let mut shared = [[zero; C]; C];
        let mut loss = zero;
        // SAFETY: as the caller promised.
        let met = unsafe { self.met(simd, &x) };
        // SAFETY: as the caller promised.
        let scores = unsafe { self.scores(simd, &x) };
        let (mut signs, mut weights) = ([1.0; PATH], [0.0; PATH]);
        for (t, output) in self.outputs.iter().enumerate().take(PATH) {
            (signs[t], weights[t]) = (output.sign, output.weight);
        }
        for base in (0..self.outputs.len()).step_by(S::LANES) {
            let mut own = [zero; C];
            for c in 0..C {
                // SAFETY: `base` is a multiple of LANES below PATH, so `LANES` more fit.
                unsafe {
                    let mut score = simd.load(scores[c].as_ptr().add(base));
                    for b in 0..c {
                        score = simd.fma(simd.splat(met[b][c]), own[b], score);
                    }
                    let sign = simd.load(signs.as_ptr().add(base));
                    let weight = simd.load(weights.as_ptr().add(base));
                    let (step, lost) = slope(simd, score, sign, weight, self.step);
                    loss = simd.add(loss, lost);
                    simd.store(steps[c].as_mut_ptr().add(base), step);
                    own[c] = step;
                }
                for b in 0..c {
                    shared[b][c] = simd.fma(own[b], own[c], shared[b][c]);
                }
            }
        }
        let shared = pairs(simd, &shared);
        // SAFETY: as the caller promised; steps beyond the outputs are not read.
        unsafe { self.move_rows(simd, &x, &steps, &shared) };
        loss
    }

    /// x_b·x_c for b before c.
    ///
    /// # Safety
    /// The rows have `padded` values.
    #[inline(always)]
    unsafe fn met<S: Simd, const C: usize>(&self, simd: S, x: &[*mut f32; C]) -> [[f32; C]; C] {
        let mut sums = [[simd.splat(0.0); C]; C];
        if C > 1 {
            for i in (0..self.padded).step_by(S::LANES) {
                let mut xs = [simd.splat(0.0); C];
                for c in 0..C {
                    // SAFETY: `i` is below `padded`, a multiple of `LANES`.
                    xs[c] = unsafe { simd.load(x[c].add(i)) };
                    for b in 0..c {
                        sums[b][c] = simd.fma(xs[b], xs[c], sums[b][c]);
                    }
                }
            }
        }
        pairs(simd, &sums)
    }

    /// x_c·y_t, by c and t; zero beyond the outputs.
    ///
    /// # Safety
    /// All rows have `padded` values.
    #[inline(always)]
    unsafe fn scores<S: Simd, const C: usize>(
        &self,
        simd: S,
        x: &[*mut f32; C],
    ) -> [[f32; PATH]; C] {
        let mut scores = [[0.0; PATH]; C];
        for (some, outputs) in self.outputs.chunks(4).enumerate() {
            let at = 4 * some;
            // SAFETY: as the caller promised; there are as many outputs as is said.
            unsafe {
                match outputs.len() {
                    1 => self.some::<S, C, 1>(simd, x, at, &mut scores),
                    2 => self.some::<S, C, 2>(simd, x, at, &mut scores),
                    3 => self.some::<S, C, 3>(simd, x, at, &mut scores),
                    _ => self.some::<S, C, 4>(simd, x, at, &mut scores),
                }
            }
        }
        scores
    }

    /// The scores of the T outputs from `at` on.
    ///
    /// # Safety
    /// They are there; all rows have `padded` values.
    #[inline(always)]
    unsafe fn some<S: Simd, const C: usize, const T: usize>(
        &self,
        simd: S,
        x: &[*mut f32; C],
        at: usize,
        scores: &mut [[f32; PATH]; C],
    ) {
        let y: [*mut f32; T] = std::array::from_fn(|t| self.outputs[at + t].row.as_ptr());
        // SAFETY: as the caller promised.
        let products = unsafe { products::<S, C, T>(simd, x, &y, self.padded) };
        let sums = add_up(simd, products.as_flattened());
        for c in 0..C {
            scores[c][at..at + T].copy_from_slice(&sums[c * T..][..T]);
        }
    }

    /// # Safety
    /// All rows have `padded` values.
    #[inline(always)]
    unsafe fn move_rows<S: Simd, const C: usize>(
        &self,
        simd: S,
        x: &[*mut f32; C],
        steps: &[[f32; PATH]; C],
        shared: &[[f32; C]; C],
    ) {
        for i in (0..self.padded).step_by(S::LANES) {
            // SAFETY: `i` is below `padded`, a multiple of `LANES`.
            unsafe {
                let mut xs = [simd.splat(0.0); C];
                let mut moved = [simd.splat(0.0); C];
                for c in 0..C {
                    xs[c] = simd.load(x[c].add(i));
                    for b in 0..c {
                        moved[c] = simd.fma(simd.splat(shared[b][c]), xs[b], moved[c]);
                    }
                }
                for (t, output) in self.outputs.iter().enumerate().take(PATH) {
                    let y = output.row.as_ptr().add(i);
                    let old = simd.load(y);
                    let mut new = old;
                    for c in 0..C {
                        let step = simd.splat(steps[c][t]);
                        moved[c] = simd.fma(step, old, moved[c]);
                        new = simd.fma(step, xs[c], new);
                    }
                    simd.store(y, new);
                }
                for c in 0..C {
                    // Read again: the same row twice moves twice.
                    let place = x[c].add(i);
                    simd.store(place, simd.add(simd.load(place), moved[c]));
                }
            }
        }
    }
}

/// The sums over lanes of the pairs b before c.
#[inline(always)]
fn pairs<S: Simd, const C: usize>(simd: S, spread: &[[S::Vector; C]; C]) -> [[f32; C]; C] {
    let mut sums = [[0.0; C]; C];
    if C > 1 {
        let mut flat = [simd.splat(0.0); 6];
        let pairs = || (1..C).flat_map(|c| (0..c).map(move |b| (b, c)));
        for (flat, (b, c)) in flat.iter_mut().zip(pairs()) {
            *flat = spread[b][c];
        }
        let totals = add_up(simd, &flat[..C * (C - 1) / 2]);
        for (total, (b, c)) in totals.iter().zip(pairs()) {
            sums[b][c] = *total;
        }
    }
    sums
}

/// The sum over lanes of each of up to 16 vectors.
#[inline(always)]
fn add_up<S: Simd>(simd: S, vectors: &[S::Vector]) -> [f32; 16] {
    let mut totals = [0.0; 16];
    for (vectors, totals) in vectors.chunks(S::LANES).zip(totals.chunks_mut(S::LANES)) {
        let mut group = [simd.splat(0.0); 16];
        group[..vectors.len()].copy_from_slice(vectors);
        // SAFETY: 16 are whole registers of any set.
        unsafe { simd.store(totals.as_mut_ptr(), simd.sums(&group)) };
    }
    totals
}
