//! A dense layer that gives a score for each class, while a sampled softmax trains it: of each row it works
//! out the score of its own class and of those that were drawn for the batch, and no others.
//!
//! ```text
//! score(c) = w_c·x + b_c - ln expected(c)       c: the row's class, and what was drawn but this one
//! loss = -ln softmax(scores)[the row's class]
//! ```
//!
//! Jean et al. 2015, arXiv:1412.2007, equation 7; TensorFlow's `sampled_softmax_loss`. What was drawn is put side by
//! side once a batch, so that all rows meet it in products. While nothing is learnt it is the layer that it
//! stands for, and gives all scores.

use inlay_kernels::{Matrix, Start, Target, add_up, multiply, softmax};

use super::dense::Dense;
use crate::data::IGNORED;
use crate::layer::{Backward, Forward, Known, Layer, Lesson, Memo, Mode};
use crate::losses::Sampling;
use crate::parameter::{Blueprint, Parameter};
use crate::shape::Shape;

pub(super) struct Sampled {
    pub dense: Dense,
    pub sampling: Sampling,
}

/// What the way forward leaves behind.
struct Kept<'a> {
    /// Of the classes that were drawn: their weights, [inputs, samples], and what their scores begin with.
    columns: &'a mut [f32],
    starts: &'a mut [f32],
    /// Of the class of each row: its weights, [rows, inputs].
    own: &'a mut [f32],
    /// Of each row: of the classes that were drawn, and of its own; then the slopes of its loss.
    scores: &'a mut [f32],
    /// In order.
    drawn: &'a mut Vec<u32>,
    /// The class of each row.
    wanted: &'a mut [u32],
    /// A bit for each class.
    seen: &'a mut [u32],
}

impl Sampled {
    fn samples(&self) -> usize {
        self.sampling.samples.min(self.dense.units())
    }

    fn keep<'a>(&self, memo: &'a mut Memo, rows: usize, inputs: usize) -> Kept<'a> {
        let samples = self.samples();
        memo.lists([inputs * samples, samples, rows * inputs, rows * (samples + 1)]);
        memo.places(0, samples);
        memo.places(1, rows);
        memo.places(2, self.dense.units().div_ceil(32));
        let Memo { values, places, .. } = memo;
        let ([columns, starts, own, scores, ..], [drawn, wanted, seen, ..]) =
            (&mut values[..], &mut places[..])
        else {
            unreachable!("lists that were just made")
        };
        Kept { columns, starts, own, scores, drawn, wanted, seen }
    }

    /// Draws classes for the batch and puts all that its scores are made of side by side.
    fn gather(&self, pass: &Forward<'_>, kept: &mut Kept<'_>) {
        let inputs = pass.input.width();
        let (weight, bias) = (&pass.parameters[0], pass.parameters.get(1).map(Parameter::whole));
        let bias = |class: u32| bias.as_ref().map_or(0.0, |bias| bias.values[class as usize]);
        let Some(mut random) = pass.mode.of_batch() else { return };
        let Kept { columns, starts, own, scores, drawn, wanted, seen } = kept;
        let draw = self.sampling.draw(self.dense.units(), &mut random, seen, drawn);
        for (start, &class) in starts.iter_mut().zip(&**drawn) {
            *start = bias(class) - draw.expected(class) as f32;
        }
        let samples = drawn.len();
        for number in 0..weight.pieces() {
            let piece = weight.piece(number);
            let here = within(drawn, piece.first, piece.count);
            let lines = columns.chunks_exact_mut(samples).zip(piece.values.chunks(piece.count));
            for (to, from) in lines {
                for (to, &class) in to[here.clone()].iter_mut().zip(&drawn[here.clone()]) {
                    *to = from[class as usize - piece.first];
                }
            }
        }
        wanted.copy_from_slice(pass.wanted);
        let rows = own.chunks_exact_mut(inputs).zip(scores.chunks_exact_mut(samples + 1));
        for ((to, scores), &class) in rows.zip(&**wanted) {
            if class == IGNORED {
                continue;
            }
            let piece = weight.piece_of(class as usize);
            let column = piece.values.chunks(piece.count);
            to.iter_mut().zip(column).for_each(|(to, row)| *to = row[class as usize - piece.first]);
            scores[samples] = bias(class) - draw.expected(class) as f32;
        }
    }
}

/// Where in a list in order those from `first` on are, up to `count` further.
pub(super) fn within(drawn: &[u32], first: usize, count: usize) -> std::ops::Range<usize> {
    let below = |end: usize| drawn.partition_point(|&class| (class as usize) < end);
    below(first)..below(first + count)
}

impl Layer for Sampled {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        self.dense.shape(input)
    }

    fn parameters(&self, input: &Shape) -> Vec<Blueprint> {
        self.dense.parameters(input)
    }

    fn operations(&self, input: &Shape, rows: usize) -> u64 {
        self.dense.operations(input, rows)
    }

    /// What a batch is compared with is put side by side once.
    fn wants_company(&self) -> bool {
        true
    }

    fn takes_windows(&self) -> bool {
        true
    }

    fn forward(&self, pass: &mut Forward<'_>) {
        if pass.mode == Mode::Encode {
            return self.dense.forward(pass);
        }
        let (rows, inputs, samples) = (pass.input.rows(), pass.input.width(), self.samples());
        let mut memo = std::mem::take(&mut *pass.memo);
        let mut kept = self.keep(&mut memo, rows, inputs);
        self.gather(pass, &mut kept);
        let Kept { columns, starts, own, scores, drawn, wanted, .. } = kept;
        let x = Matrix::new(pass.input.values, rows, inputs);
        let to = Target::spaced(scores, rows, samples, samples + 1);
        let columns = Matrix::new(columns, inputs, samples);
        multiply(pass.kernels, x, columns, Start::Bias(starts), None, to, pass.desk);
        for (ends, loss) in pass.input.offsets.windows(2).zip(&mut *pass.losses) {
            for row in ends[0]..ends[1] {
                let scores = &mut scores[row * (samples + 1)..][..samples + 1];
                if wanted[row] == IGNORED {
                    scores.fill(0.0);
                    continue;
                }
                let (x, own) = (&pass.input.values[row * inputs..], &own[row * inputs..]);
                let products =
                    x[..inputs].iter().zip(own).map(|(&x, &w)| f64::from(x) * f64::from(w));
                scores[samples] += products.sum::<f64>() as f32;
                let hit = drawn.binary_search(&wanted[row]).ok();
                hit.into_iter().for_each(|hit| scores[hit] = f32::MIN);
                let score = f64::from(scores[samples]);
                let (logarithm, highest) = softmax(pass.kernels, scores);
                *loss += f64::from(logarithm) + f64::from(highest) - score;
                hit.into_iter().for_each(|hit| scores[hit] = 0.0);
                scores[samples] -= 1.0;
            }
        }
        *pass.memo = memo;
    }

    fn backward(&self, pass: &mut Backward<'_>) {
        let (rows, inputs, samples) = (pass.input.rows(), pass.input.width(), self.samples());
        let Kept { columns, own, scores, wanted, .. } = self.keep(pass.memo, rows, inputs);
        let scale = if pass.share > 0.0 { (1.0 / pass.share) as f32 } else { 0.0 };
        scores.iter_mut().for_each(|slope| *slope *= scale);
        let Some(to) = &mut pass.input_gradient else { return };
        let slopes = Matrix::spaced(scores, rows, samples, samples + 1);
        let columns = Matrix::new(columns, inputs, samples).transposed();
        let target = Target::new(to, rows, inputs);
        multiply(pass.kernels, slopes, columns, Start::Zero, None, target, pass.desk);
        for (row, to) in to.chunks_exact_mut(inputs).enumerate() {
            if wanted[row] != IGNORED {
                let slope = scores[row * (samples + 1) + samples];
                let own = &own[row * inputs..];
                to.iter_mut().zip(own).for_each(|(to, own)| *to += slope * own);
            }
        }
    }

    fn touches(&self, _parameter: usize, known: Known<'_>, touch: &mut dyn FnMut(u32)) -> bool {
        let own = known.memo.places[1].iter().filter(|&&class| class != IGNORED);
        own.chain(&known.memo.places[0]).for_each(|&class| touch(class));
        true
    }

    /// The sum of what comes of rows' own classes begins with what is there already, that of the classes that were
    /// drawn with nothing: each is the same wherever the batch was cut.
    fn learn(&self, lesson: &mut Lesson<'_>) {
        let samples = self.samples();
        let (first, count) = (lesson.first, lesson.count);
        let mut here = 0..0;
        let lines = lesson.gradient.len() / count.max(1);
        let is_weight = lesson.parameter == 0;
        let mut drawn: &[u32] = &[];
        lesson.room.clear();
        for known in &mut *lesson.shards {
            let (rows, inputs) = (known.input.rows(), known.input.width());
            let ([.., slopes], [of_batch, wanted, _]) =
                (&known.memo.values[..], &known.memo.places[..])
            else {
                unreachable!("what the way forward has kept")
            };
            drawn = of_batch;
            here = within(drawn, first, count);
            let (width, room) = (here.len(), &mut *lesson.room);
            room.resize(lines * width, 0.0);
            let of_drawn = slopes.get(here.start..).unwrap_or_default();
            if is_weight {
                let x = Matrix::new(known.input.values, rows, inputs).transposed();
                let from = Matrix::spaced(of_drawn, rows, width, samples + 1);
                let to = Target::new(room, inputs, width);
                multiply(lesson.kernels, x, from, Start::Held, None, to, lesson.desk);
            } else {
                add_up(lesson.kernels, of_drawn, rows, samples + 1, room);
            }
            for (row, &class) in wanted.iter().enumerate() {
                let column = (class as usize).wrapping_sub(first);
                if class == IGNORED || column >= count {
                    continue;
                }
                let slope = slopes[row * (samples + 1) + samples];
                let to = lesson.gradient.chunks_exact_mut(count);
                if is_weight {
                    let x = &known.input.values[row * inputs..];
                    to.zip(x).for_each(|(to, x)| to[column] += slope * x);
                } else {
                    to.for_each(|to| to[column] += slope);
                }
            }
        }
        if here.is_empty() {
            return;
        }
        let from = lesson.room.chunks_exact(here.len());
        for (to, from) in lesson.gradient.chunks_exact_mut(count).zip(from) {
            for (&class, from) in drawn[here.clone()].iter().zip(from) {
                to[class as usize - first] += from;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::check::{Case, Items, SEED, check_together};
    use crate::losses::{Distribution, Loss};

    const WIDTH: usize = 5;
    const LENGTHS: [usize; 4] = [3, 0, 7, 1];

    /// The classes of the check's only step, and the logarithm of how often each class is expected among them.
    fn drawn(sampling: Sampling, classes: usize) -> (Vec<u32>, Vec<f64>) {
        let step = Mode::Train { seed: SEED, step: 1, first: 0, node: 1 };
        let mut drawn = Vec::new();
        let seen = &mut vec![0; classes.div_ceil(32)];
        let draw = sampling.draw(classes, &mut step.of_batch().unwrap(), seen, &mut drawn);
        (drawn, (0..classes as u32).map(|class| draw.expected(class)).collect())
    }

    /// The scores of each row as PyTorch's `Linear` has them.
    fn scores(items: &Items, parameters: &[Vec<f64>], classes: usize) -> Vec<Vec<f64>> {
        let score = |x: &[f64], class: usize| {
            let weights = &parameters[0][class * WIDTH..][..WIDTH];
            let products = x.iter().zip(weights).map(|(x, w)| x * w);
            products.sum::<f64>() + parameters.get(1).map_or(0.0, |bias| bias[class])
        };
        let rows = items.values.chunks(WIDTH);
        rows.map(|x| (0..classes).map(|class| score(x, class)).collect()).collect()
    }

    #[test]
    fn scores_of_what_was_drawn_are_those_of_the_formula_and_all_of_them_while_encoding() {
        for (classes, samples, distribution, bias) in [
            (40, 12, Distribution::LogUniform, true),
            (40, 12, Distribution::Uniform, false),
            (40, 1, Distribution::LogUniform, true),
            (3, 3, Distribution::LogUniform, true),
            // Of several pieces.
            (30_000, 300, Distribution::LogUniform, true),
        ] {
            let (drawn, expected) = drawn(Sampling { samples, distribution }, classes);
            // Some are drawn, some are not, and of one row nothing is wanted.
            let mut wanted: Vec<u32> =
                (0..11).map(|row| (row * row * 31 % classes) as u32).collect();
            wanted[4] = IGNORED;
            wanted[6] = drawn[drawn.len() / 2];
            let layers = json!([{"kind": "dense", "units": classes, "bias": bias}]);
            let case = Case { layers, positions: None, width: WIDTH, lengths: LENGTHS.to_vec() };
            let loss = Loss::SampledSoftmax { samples, distribution };
            check_together(&case, &loss, &wanted, |items, parameters| {
                let scores = scores(items, parameters, classes);
                if !items.training {
                    return (scores.concat(), 0.0);
                }
                let of_row = |(scores, &class): (&Vec<f64>, &u32)| {
                    if class == IGNORED {
                        return 0.0;
                    }
                    let power =
                        |class: u32| (scores[class as usize] - expected[class as usize]).exp();
                    let others = drawn.iter().filter(|&&other| other != class);
                    let all = power(class) + others.map(|&other| power(other)).sum::<f64>();
                    -(power(class) / all).ln()
                };
                (Vec::new(), scores.iter().zip(&wanted).map(of_row).sum())
            });
        }
    }
}
