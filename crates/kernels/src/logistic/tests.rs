use inlay_base::{Random, SharedMatrix};

use super::*;
use crate::{Kernels, Task, add_to_row};

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
        exchange(simd, &inputs, &outputs.collect::<Vec<_>>(), STEP, &[])
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
            let most = if some.len() == 1 { 6 } else { shape.1 };
            let targets = t..t + share(y.len() - t, most);
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
                    let [x, y] = [matrices(inputs, columns, 1.0), matrices(outputs, columns, 1.5)];
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
        exchange(simd, &[self.0.row(0), self.0.row(0)], &[output], STEP, &[])
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

struct FitAll<'a>(&'a [f32], &'a SharedMatrix, &'a mut [f32]);
impl Task for FitAll<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let outputs: Vec<_> = (0..)
            .zip(signs(self.1.rows()))
            .map(|(t, (sign, weight))| Output { row: self.1.row(t), sign, weight })
            .collect();
        fit(simd, self.0, &outputs, STEP, self.2);
    }
}

#[test]
fn a_fit_gives_what_learning_gives_and_leaves_the_outputs() {
    for set in Kernels::available() {
        for outputs in 1..=14 {
            let ([y, _], [same, _]) = (matrices(outputs, 33, 2.0), matrices(outputs, 33, 2.0));
            let [hidden, _] = matrices(1, 33, 1.0);
            let hidden = {
                let mut padded = vec![0.0; hidden.stride()];
                hidden.read(0, &mut padded[..33]);
                padded
            };
            let (mut learnt, mut fitted) = (vec![7.0; hidden.len()], vec![7.0; hidden.len()]);
            let before = rows(&same);
            set.run(LearnAll(&hidden, &y, &mut learnt));
            set.run(FitAll(&hidden, &same, &mut fitted));
            assert_eq!(learnt, fitted, "{}", set.name());
            assert!(before == rows(&same) && before != rows(&y), "{}", set.name());
        }
    }
}

struct PairsAll<'a>(&'a SharedMatrix, &'a [Output<'a>]);
impl Task for PairsAll<'_> {
    type Output = f32;
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f32 {
        let inputs: Vec<_> = (0..self.0.rows() as u32).map(|c| self.0.row(c)).collect();
        exchange_pairs(simd, &inputs, self.1, STEP)
    }
}

#[test]
fn pairs_are_the_formula() {
    for set in Kernels::available() {
        for count in 1..=9 {
            for columns in [1, 16, 33, 100] {
                let ([x, _], [_, y]) =
                    (matrices(count, columns, 1.0), matrices(count, columns, 1.5));
                let (mut exact_x, mut exact_y) = (rows(&x), rows(&y));
                let outputs: Vec<_> = (0..)
                    .zip(signs(count))
                    .map(|(t, (sign, weight))| Output { row: y.row(t), sign, weight })
                    .collect();
                let loss = f64::from(set.run(PairsAll(&x, &outputs)));
                let mut wanted = 0.0;
                for ((x, y), (sign, weight)) in
                    exact_x.iter_mut().zip(&mut exact_y).zip(signs(count))
                {
                    let (sign, weight) = (f64::from(sign), f64::from(weight));
                    let score: f64 = x.iter().zip(&*y).map(|(x, y)| x * y).sum();
                    wanted += weight * (-sign * score).exp().ln_1p();
                    let step = f64::from(RATE) * weight * sign / (1.0 + (sign * score).exp());
                    for (x, y) in x.iter_mut().zip(y) {
                        (*x, *y) = (*x + step * *y, *y + step * *x);
                    }
                }
                let what = format!("{} {count} of {columns}", set.name());
                assert!((loss - wanted).abs() < 1e-5 * (1.0 + wanted), "{what}");
                assert_close(&rows(&x), &exact_x, &what);
                assert_close(&rows(&y), &exact_y, &what);
            }
        }
    }
}

#[test]
fn an_output_of_two_pairs_moves_for_both() {
    for set in Kernels::available() {
        let ([x, _], [_, y]) = (matrices(2, 20, 1.0), matrices(1, 20, 1.0));
        let (inputs, before) = (rows(&x), rows(&y));
        let outputs = [Output { row: y.row(0), sign: 1.0, weight: 1.0 }; 2];
        set.run(PairsAll(&x, &outputs));
        let step = |x: &[f64]| {
            let score: f64 = x.iter().zip(&before[0]).map(|(x, y)| x * y).sum();
            f64::from(RATE) / (1.0 + score.exp())
        };
        for i in 0..20 {
            let moved = inputs.iter().map(|x| step(x) * x[i]).sum::<f64>();
            assert!((rows(&y)[0][i] - before[0][i] - moved).abs() < 1e-5, "{}", set.name());
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
        exchange(simd, &[self.0.row(0)], &[output], Step { rate: RATE, reach: self.2 }, &[])
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

struct InTurn<'a>(&'a SharedMatrix, &'a SharedMatrix, Step);
impl Task for InTurn<'_> {
    type Output = f32;
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f32 {
        let inputs: Vec<_> = (0..self.0.rows() as u32).map(|c| self.0.row(c)).collect();
        let outputs = (0..).zip(signs(self.1.rows())).map(|(t, (sign, weight))| Output {
            row: self.1.row(t),
            sign,
            weight,
        });
        exchange_in_turn(simd, &inputs, &outputs.collect::<Vec<_>>(), self.2, &[])
    }
}

/// word2vec.c's loop, in f64: an input rests until it has met all outputs, which move at once.
fn exact_in_turn(x: &mut [Vec<f64>], y: &mut [Vec<f64>], reach: f64) -> f64 {
    let signs = signs(y.len());
    let mut loss = 0.0;
    for x in x {
        let mut moved = x.clone();
        for (y, (sign, weight)) in y.iter_mut().zip(&signs) {
            let (sign, weight) = (f64::from(*sign), f64::from(*weight));
            let score: f64 = x.iter().zip(&*y).map(|(x, y)| x * y).sum();
            loss += weight * (-sign * score).exp().ln_1p();
            if score.abs() >= reach {
                continue;
            }
            let step = f64::from(RATE) * weight * sign / (1.0 + (sign * score).exp());
            for ((moved, x), y) in moved.iter_mut().zip(&*x).zip(y) {
                *moved += step * *y;
                *y += step * x;
            }
        }
        *x = moved;
    }
    loss
}

#[test]
fn inputs_in_turn_are_as_one_pair_after_the_other() {
    for set in Kernels::available() {
        for columns in [1, 15, 16, 33, 100] {
            for (inputs, outputs) in [(1, 1), (2, 3), (3, 16), (4, 6), (4, 17), (4, 32)] {
                for reach in [f32::INFINITY, 0.5] {
                    let ([x, _], [_, y]) =
                        (matrices(inputs, columns, 1.0), matrices(outputs, columns, 1.0));
                    let (mut exact_x, mut exact_y) = (rows(&x), rows(&y));
                    // Inputs beyond the set's turns meet rows that were written: the same, as an
                    // input's own row does not matter to the others.
                    let wanted = exact_in_turn(&mut exact_x, &mut exact_y, f64::from(reach));
                    let loss = f64::from(set.run(InTurn(&x, &y, Step { rate: RATE, reach })));
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

#[test]
fn extreme_scores_in_turn_keep_finite_steps_and_losses() {
    for set in Kernels::available() {
        for size in [1e-20, 50.0, 1e4] {
            let ([x, _], [_, y]) = (matrices(5, 33, size), matrices(40, 33, size));
            let loss = set.run(InTurn(&x, &y, Step { rate: RATE, reach: 6.0 }));
            assert!(loss.is_finite() && loss >= 0.0, "{} {size}: {loss}", set.name());
            assert!(rows(&x).iter().chain(&rows(&y)).flatten().all(|v| v.is_finite()));
        }
    }
}

struct FitAbreast<'a>(&'a SharedMatrix, &'a SharedMatrix, &'a SharedMatrix, usize, bool);
impl Task for FitAbreast<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self(x, y, learning, noise, abreast) = self;
        let padded = x.stride();
        let mut hidden = crate::Aligned::new(0.0, x.rows() * padded);
        for (c, hidden) in hidden.chunks_exact_mut(padded).enumerate() {
            x.read(c as u32, &mut hidden[..x.columns()]);
        }
        let step = Step { rate: RATE, reach: 0.5 };
        // The first noise is the first target as well.
        let output = |row: usize, sign| Output { row: y.row(row as u32), sign, weight: 1.0 };
        let noise: Vec<_> =
            (0..noise).map(|n| Output { weight: (n % 3) as f32, ..output(n, -1.0) }).collect();
        let learner = |c: usize| Learner {
            row: learning.row(c as u32),
            scale: [1.0, 0.5][c % 2],
            target: output(c, 1.0),
        };
        let learners: Vec<_> = (0..x.rows()).map(learner).collect();
        let columns = learning.columns();
        if abreast {
            let ahead = [y.row(0), learning.row(0)];
            return fit_abreast(simd, (&hidden, columns), &learners, &noise, step, &ahead);
        }
        for (hidden, Learner { row, scale, target }) in hidden.chunks_exact(padded).zip(learners) {
            let mut outputs = vec![target];
            let own = target.row.as_ptr();
            outputs.extend(noise.iter().filter(|noise| noise.row.as_ptr() != own));
            let mut gradient = vec![7.0; padded];
            fit(simd, hidden, &outputs, step, &mut gradient);
            gradient.iter_mut().for_each(|value| *value *= scale);
            add_to_row(simd, row, &gradient[..columns]);
        }
    }
}

#[test]
fn fits_abreast_are_those_of_each_alone_without_noise_that_is_its_target() {
    for set in Kernels::available() {
        for inputs in 1..=9 {
            for noise in 0..=13 {
                for (columns, learning) in [(1, 1), (17, 17), (100, 100), (100, 20)] {
                    let ([x, _], [_, y]) =
                        (matrices(inputs, columns, 1.0), matrices(13, columns, 1.5));
                    let [got, wanted] = [true, false].map(|abreast| {
                        let [rows, _] = matrices(inputs, learning, 1.0);
                        set.run(FitAbreast(&x, &y, &rows, noise, abreast));
                        rows.into_pages()
                    });
                    for (got, wanted) in got.as_slice().iter().zip(wanted.as_slice()) {
                        let what = format!("{} {inputs} {noise} {columns}", set.name());
                        assert!((got - wanted).abs() < 1e-5, "{what}: {got} {wanted}");
                    }
                }
            }
        }
    }
}
