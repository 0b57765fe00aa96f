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
//! has. Here a tile of inputs × outputs is read once, its products stay in registers, and both
//! sides are written once: the whole of the speed of `words` is in this file.

use inlay_base::SharedRow;

use crate::{Simd, Task, exp, ln};

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

/// More pairs than any tile has, in whole vectors of any set.
const PAIRS: usize = 32;

/// One step of every input with every output, both sides changed in place; returns the loss before
/// the step. Tiles follow one another, so a later tile meets rows that an earlier one has changed.
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
) -> f32 {
    simd.call(Exchange { inputs, outputs, step })
}

struct Exchange<'a> {
    inputs: &'a [SharedRow<'a>],
    outputs: &'a [Output<'a>],
    step: Step,
}

impl Task for Exchange<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f32 {
        let Self { mut inputs, outputs, step } = self;
        let Some(first) = inputs.first() else { return 0.0 };
        let padded = first.padded();
        assert!(inputs.iter().all(|input| input.padded() == padded));
        assert!(outputs.iter().all(|output| output.row.padded() == padded));
        let step = Tile { step, padded };
        let mut loss = simd.splat(0.0);
        while !inputs.is_empty() {
            let (some, rest) = inputs.split_at(share(inputs.len(), S::TILE.0));
            let mut outputs = outputs;
            while !outputs.is_empty() {
                let (targets, others) = outputs.split_at(share(outputs.len(), S::TILE.1));
                // SAFETY: all rows are `padded` long, and the slices are as long as the shape.
                loss = simd.add(loss, unsafe { tile(simd, some, targets, step) });
                outputs = others;
            }
            inputs = rest;
        }
        simd.sum(loss)
    }
}

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
    simd.call(Learn { hidden, outputs, step, gradient })
}

struct Learn<'a> {
    hidden: &'a [f32],
    outputs: &'a [Output<'a>],
    step: Step,
    gradient: &'a mut [f32],
}

impl Task for Learn<'_> {
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
                    1 => column::<S, 1>(simd, h, targets, g, step),
                    2 => column::<S, 2>(simd, h, targets, g, step),
                    3 => column::<S, 3>(simd, h, targets, g, step),
                    4 => column::<S, 4>(simd, h, targets, g, step),
                    5 => column::<S, 5>(simd, h, targets, g, step),
                    _ => column::<S, 6>(simd, h, targets, g, step),
                }
            };
            loss = simd.add(loss, lost);
            outputs = others;
        }
        simd.sum(loss)
    }
}

/// How many to take of `left` where `most` fit a tile: no tile is left with one when two can share.
#[inline(always)]
fn share(left: usize, most: usize) -> usize {
    if left > most && left < 2 * most { left.div_ceil(2) } else { left.min(most) }
}

#[derive(Clone, Copy)]
struct Tile {
    step: Step,
    padded: usize,
}

/// Enters the tile of this shape; shapes beyond `S::TILE` are never asked for and cost no code.
///
/// # Safety
/// All rows are `padded` long; there are at most `S::TILE` of them.
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
                $(($c, $t) if $c <= S::TILE.0 && $t <= S::TILE.1 => {
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

        let mut products = [[simd.splat(0.0); T]; C];
        for i in (0..padded).step_by(S::LANES) {
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

/// # Safety
/// `hidden`, `gradient` and the T rows of `outputs` are good for `padded` values.
#[inline(always)]
unsafe fn column<S: Simd, const T: usize>(
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
                simd.store(y[t].add(i), simd.fma(step, xs, ys));
            }
            simd.store(gradient.add(i), sum);
        }
        loss
    }
}

/// From products still spread over lanes to the step g of every pair and the sum of losses.
#[inline(always)]
fn slopes<S: Simd, const C: usize, const T: usize>(
    simd: S,
    products: &[[S::Vector; T]; C],
    outputs: &[Output<'_>],
    Step { rate, reach }: Step,
    steps: &mut [f32; PAIRS],
) -> S::Vector {
    let (mut signs, mut weights) = ([1.0; PAIRS], [0.0; PAIRS]);
    for (t, output) in outputs.iter().enumerate().take(T) {
        for c in 0..C {
            signs[c * T + t] = output.sign;
            weights[c * T + t] = output.weight;
        }
    }
    let one = simd.splat(1.0);
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
            // With e = exp(-s·x·y): σ(-s·x·y) = e / (1 + e) and -ln σ(s·x·y) = ln (1 + e), which
            // lose nothing at either end.
            let e = exp(simd, simd.mul(simd.mul(score, sign), simd.splat(-1.0)));
            let sum = simd.add(one, e);
            loss = simd.fma(weight, ln(simd, sum), loss);
            let slope = simd.mul(simd.div(e, sum), simd.mul(sign, weight));
            // 1 within reach, 0 beyond: the factor is any number large enough.
            let size = simd.max(score, simd.sub(simd.splat(0.0), score));
            let left = simd.mul(simd.sub(simd.splat(reach), size), simd.splat(1e30));
            let within = simd.max(simd.min(left, one), simd.splat(0.0));
            let step = simd.mul(simd.mul(slope, within), simd.splat(rate));
            simd.store(steps.as_mut_ptr().add(base), step);
        }
        base += S::LANES;
    }
    loss
}

#[cfg(test)]
mod tests {
    use inlay_base::{Random, SharedMatrix};

    use super::*;
    use crate::Kernels;

    const RATE: f32 = 0.3;
    const STEP: Step = Step { rate: RATE, reach: f32::INFINITY };

    /// Two matrices with the same random rows for the same seed.
    fn matrices(rows: usize, columns: usize, size: f32) -> [SharedMatrix; 2] {
        let mut random = Random::new(columns as u64, rows as u64);
        std::array::from_fn(|_| {
            let matrix = SharedMatrix::zeros(rows, columns).unwrap();
            for row in 0..rows as u32 {
                let values: Vec<f32> = (0..columns).map(|_| (random.unit() - 0.5) * size).collect();
                matrix.write(row, &values);
            }
            matrix
        })
    }

    fn rows(matrix: &SharedMatrix) -> Vec<Vec<f64>> {
        (0..matrix.rows() as u32)
            .map(|row| {
                let mut values = vec![0.0; matrix.columns()];
                matrix.read(row, &mut values);
                values.into_iter().map(f64::from).collect()
            })
            .collect()
    }

    fn signs(count: usize) -> Vec<(f32, f32)> {
        (0..count).map(|t| if t == 0 { (1.0, 1.0) } else { (-1.0, (t % 3) as f32) }).collect()
    }

    struct ExchangeAll<'a>(&'a SharedMatrix, &'a SharedMatrix);
    impl Task for ExchangeAll<'_> {
        type Output = f32;
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> f32 {
            let inputs: Vec<_> = (0..self.0.rows() as u32).map(|c| self.0.row(c)).collect();
            let outputs = (0..).zip(signs(self.1.rows())).map(|(t, (sign, weight))| Output {
                row: self.1.row(t),
                sign,
                weight,
            });
            exchange(simd, &inputs, &outputs.collect::<Vec<_>>(), STEP)
        }
    }

    /// The formula at the top of the file, in f64, over tiles of the set's shape.
    fn exact(x: &mut [Vec<f64>], y: &mut [Vec<f64>], shape: (usize, usize)) -> f64 {
        let signs = signs(y.len());
        let (mut loss, mut c) = (0.0, 0);
        while c < x.len() {
            let some = c..c + share(x.len() - c, shape.0);
            let mut t = 0;
            while t < y.len() {
                let targets = t..t + share(y.len() - t, shape.1);
                let (old_x, old_y) = (x.to_vec(), y.to_vec());
                for c in some.clone() {
                    for t in targets.clone() {
                        let (sign, weight) = (f64::from(signs[t].0), f64::from(signs[t].1));
                        let score: f64 = old_x[c].iter().zip(&old_y[t]).map(|(x, y)| x * y).sum();
                        loss += weight * (-sign * score).exp().ln_1p();
                        let sigmoid = 1.0 / (1.0 + (sign * score).exp());
                        let step = f64::from(RATE) * weight * sign * sigmoid;
                        for i in 0..old_x[c].len() {
                            x[c][i] += step * old_y[t][i];
                            y[t][i] += step * old_x[c][i];
                        }
                    }
                }
                t = targets.end;
            }
            c = some.end;
        }
        loss
    }

    fn tile_of(set: Kernels) -> (usize, usize) {
        struct Shape;
        impl Task for Shape {
            type Output = (usize, usize);
            #[inline(always)]
            fn run<S: Simd>(self, _: S) -> (usize, usize) {
                S::TILE
            }
        }
        set.run(Shape)
    }

    fn assert_close(got: &[Vec<f64>], wanted: &[Vec<f64>], what: &str) {
        for (got, wanted) in got.iter().zip(wanted) {
            for (got, wanted) in got.iter().zip(wanted) {
                assert!((got - wanted).abs() < 2e-5, "{what}: {got} {wanted}");
            }
        }
    }

    #[test]
    fn every_shape_of_every_set_is_the_formula() {
        for set in Kernels::available() {
            for inputs in 1..=11 {
                for outputs in 1..=13 {
                    for columns in [1, 16, 17, 100] {
                        let [x, y] =
                            [matrices(inputs, columns, 1.0), matrices(outputs, columns, 1.5)];
                        let ([x, _], [_, y]) = (x, y);
                        let (mut exact_x, mut exact_y) = (rows(&x), rows(&y));
                        let wanted = exact(&mut exact_x, &mut exact_y, tile_of(set));
                        let loss = f64::from(set.run(ExchangeAll(&x, &y)));
                        let what = format!("{} {inputs} x {outputs} of {columns}", set.name());
                        assert!(
                            (loss - wanted).abs() < 1e-5 * (1.0 + wanted),
                            "{what}: {loss} {wanted}"
                        );
                        assert_close(&rows(&x), &exact_x, &what);
                        assert_close(&rows(&y), &exact_y, &what);
                    }
                }
            }
        }
    }

    struct Twice<'a>(&'a SharedMatrix, &'a SharedMatrix);
    impl Task for Twice<'_> {
        type Output = f32;
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> f32 {
            let output = Output { row: self.1.row(0), sign: 1.0, weight: 1.0 };
            exchange(simd, &[self.0.row(0), self.0.row(0)], &[output], STEP)
        }
    }

    #[test]
    fn an_input_that_is_there_twice_learns_twice() {
        for set in Kernels::available() {
            let ([x, _], [_, y]) = (matrices(1, 20, 1.0), matrices(1, 20, 1.0));
            let (before, partner) = (rows(&x), rows(&y));
            set.run(Twice(&x, &y));
            let score: f64 = before[0].iter().zip(&partner[0]).map(|(x, y)| x * y).sum();
            let step = f64::from(RATE) / (1.0 + score.exp());
            for i in 0..20 {
                let wanted = before[0][i] + 2.0 * step * partner[0][i];
                assert!((rows(&x)[0][i] - wanted).abs() < 1e-5, "{}", set.name());
            }
        }
    }

    struct LearnAll<'a>(&'a [f32], &'a SharedMatrix, &'a mut [f32]);
    impl Task for LearnAll<'_> {
        type Output = f32;
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> f32 {
            let outputs: Vec<_> = (0..)
                .zip(signs(self.1.rows()))
                .map(|(t, (sign, weight))| Output { row: self.1.row(t), sign, weight })
                .collect();
            learn(simd, self.0, &outputs, STEP, self.2)
        }
    }

    #[test]
    fn the_gradient_of_a_hidden_vector_is_the_finite_difference_of_the_loss() {
        for set in Kernels::available() {
            for outputs in 1..=14 {
                let columns = 16;
                let [_, y] = matrices(outputs, columns, 2.0);
                let [hidden, _] = matrices(1, columns, 1.0);
                let hidden: Vec<f32> = rows(&hidden)[0].iter().map(|&v| v as f32).collect();
                let before = rows(&y);
                let loss_at = |h: &[f64]| -> f64 {
                    before
                        .iter()
                        .zip(signs(outputs))
                        .map(|(y, (sign, weight))| {
                            let score: f64 = y.iter().zip(h).map(|(a, b)| a * b).sum();
                            f64::from(weight) * (-f64::from(sign) * score).exp().ln_1p()
                        })
                        .sum()
                };
                let h: Vec<f64> = hidden.iter().map(|&v| f64::from(v)).collect();
                let mut gradient = vec![7.0; columns];
                let loss = set.run(LearnAll(&hidden, &y, &mut gradient));
                assert!((f64::from(loss) - loss_at(&h)).abs() < 1e-5 * (1.0 + loss_at(&h)));
                for i in 0..columns {
                    let (mut up, mut down) = (h.clone(), h.clone());
                    up[i] += 1e-5;
                    down[i] -= 1e-5;
                    let slope = (loss_at(&up) - loss_at(&down)) / 2e-5;
                    let step = f64::from(gradient[i]);
                    assert!((step + f64::from(RATE) * slope).abs() < 2e-5, "{} {i}", set.name());
                }
            }
        }
    }

    #[test]
    fn extreme_scores_keep_finite_steps_and_losses() {
        for set in Kernels::available() {
            for size in [1e-20, 50.0, 1e4] {
                let ([x, _], [_, y]) = (matrices(5, 33, size), matrices(7, 33, size));
                let loss = set.run(ExchangeAll(&x, &y));
                assert!(loss.is_finite() && loss >= 0.0, "{} {size}: {loss}", set.name());
                assert!(rows(&x).iter().chain(&rows(&y)).flatten().all(|v| v.is_finite()));
            }
        }
    }

    struct Reach<'a>(&'a SharedMatrix, &'a SharedMatrix, f32);
    impl Task for Reach<'_> {
        type Output = f32;
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> f32 {
            let output = Output { row: self.1.row(0), sign: 1.0, weight: 1.0 };
            exchange(simd, &[self.0.row(0)], &[output], Step { rate: RATE, reach: self.2 })
        }
    }

    #[test]
    fn a_score_out_of_reach_is_counted_and_teaches_nothing() {
        for set in Kernels::available() {
            for (size, learns) in [(5.9, true), (6.1, false), (-5.9, true), (-6.1, false)] {
                let [x, y] = matrices(1, 5, 1.0);
                x.write(0, &[1.0, 0.0, 0.0, 0.0, 0.0]);
                y.write(0, &[size, 0.0, 0.0, 0.0, 0.0]);
                let before = (rows(&x), rows(&y));
                let loss = f64::from(set.run(Reach(&x, &y, 6.0)));
                let wanted = (-f64::from(size)).exp().ln_1p();
                assert!((loss - wanted).abs() < 1e-4 * wanted, "{} {size}", set.name());
                assert_eq!(before != (rows(&x), rows(&y)), learns, "{} {size}", set.name());
            }
        }
    }
}
