use inlay_kernels::{column_gradient, column_moments, column_slopes, scale_columns};
use serde::Deserialize;

use crate::layer::{Backward, Forward, Layer, Lesson, Memo, Mode, Scale};
use crate::parameter::{Blueprint, Initial, Parameter};
use crate::shape::Shape;

/// Each channel with mean 0 and variance 1 over all positions of all items of a batch, times weights, plus
/// biases (Ioffe and Szegedy 2015, arXiv:1502.03167). While encoding, mean and variance are those of
/// batches that went before, later ones counting more.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchNorm {
    #[serde(default = "small")]
    epsilon: f32,
    /// Share of a batch in the running mean and variance.
    #[serde(default = "tenth")]
    momentum: f32,
    /// Whether weights and biases are learnt.
    #[serde(default = "super::yes")]
    affine: bool,
}

fn small() -> f32 {
    1e-5
}

fn tenth() -> f32 {
    0.1
}

/// What the memo holds, by numbers.
const OWN: usize = 0;
/// [mean, 1 / √(variance + ε), unbiased variance] of each channel.
const STATISTICS: usize = 1;
/// [Σ dy·x̂, Σ dy] of each channel over the batch.
const GRADIENTS: usize = 2;
/// Lines for kernels.
const LINES: usize = 3;

impl BatchNorm {
    /// Of weights and biases: how many parameters come before what is kept.
    fn learnt(&self) -> usize {
        if self.affine { 2 } else { 0 }
    }

    /// Mean and scale of each channel over the whole batch; `false` if the run has been stopped.
    fn measure(&self, pass: &mut Forward<'_>) -> bool {
        let width = pass.input.width();
        // Of each item: its rows, means, and Σ(x - mean)².
        let step = 1 + 2 * width;
        let own = pass.memo.values(OWN, pass.input.items() * step);
        for (ends, line) in pass.input.offsets.windows(2).zip(own.chunks_exact_mut(step)) {
            let x = &pass.input.values[ends[0] * width..ends[1] * width];
            line[0] = (ends[1] - ends[0]) as f32;
            let (means, squares) = line[1..].split_at_mut(width);
            if x.is_empty() {
                line[1..].fill(0.0);
            } else {
                column_moments(pass.kernels, x, means, squares);
            }
        }
        let Memo { values, sums, .. } = &mut *pass.memo;
        // Rows of all items; of each channel Σx and Σx².
        sums.clear();
        sums.resize(step, 0.0);
        let came = pass.seat.share(&values[OWN], |numbers| {
            for line in numbers.chunks_exact(step) {
                let (rows, (means, squares)) = (f64::from(line[0]), line[1..].split_at(width));
                sums[0] += rows;
                let (all, of_squares) = sums[1..].split_at_mut(width);
                let all = all.iter_mut().zip(of_squares);
                for ((sum, square), (&mean, &own)) in all.zip(means.iter().zip(squares)) {
                    let mean = f64::from(mean);
                    *sum += rows * mean;
                    *square += f64::from(own) + rows * mean * mean;
                }
            }
        });
        let rows = pass.memo.sums[0];
        let epsilon = f64::from(self.epsilon);
        pass.memo.values(STATISTICS, 3 * width);
        let Memo { values, sums, .. } = &mut *pass.memo;
        let statistics = &mut values[STATISTICS];
        for i in 0..width {
            let mean = sums[1 + i] / rows.max(1.0);
            let square = (sums[1 + width + i] - rows * mean * mean).max(0.0);
            statistics[i] = mean as f32;
            statistics[width + i] = (1.0 / (square / rows.max(1.0) + epsilon).sqrt()) as f32;
            statistics[2 * width + i] = (square / (rows - 1.0).max(1.0)) as f32;
        }
        came
    }

    /// The same, as batches before have left it.
    fn recall(&self, pass: &mut Forward<'_>) {
        let width = pass.input.width();
        let [mean, variance] = [0, 1].map(|number| pass.parameters[self.learnt() + number].whole());
        let statistics = pass.memo.values(STATISTICS, 3 * width);
        statistics[..width].copy_from_slice(&mean.values);
        for (to, &variance) in statistics[width..].iter_mut().zip(variance.values.iter()) {
            *to = 1.0 / (variance + self.epsilon).sqrt();
        }
    }

    /// w·r of each channel, in `LINES`.
    fn scales(&self, memo: &mut Memo, parameters: &[Parameter], width: usize) {
        memo.values(LINES, 3 * width);
        let [_, statistics, _, lines] = memo.values.first_chunk_mut().expect("all four");
        lines[..width].copy_from_slice(&statistics[width..2 * width]);
        if self.affine {
            let weight = parameters[0].whole();
            lines.iter_mut().zip(weight.values.iter()).for_each(|(line, weight)| *line *= weight);
        }
    }
}

impl Layer for BatchNorm {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        input.values()?;
        if input.width == 0 {
            return Err("expects rows of one value or more".into());
        }
        // Written so that what is no number is refused as well.
        if !(0.0..f32::INFINITY).contains(&self.epsilon) {
            return Err(format!("expects an epsilon of 0 or more, got {}", self.epsilon));
        }
        if !(0.0..=1.0).contains(&self.momentum) {
            return Err(format!("expects a momentum from 0 to 1, got {}", self.momentum));
        }
        Ok(input.clone())
    }

    fn parameters(&self, input: &Shape) -> Vec<Blueprint> {
        let width = input.width;
        let line = |name, value| Blueprint::vector(name, width, Initial::Constant(value));
        let mut all = Vec::new();
        if self.affine {
            all.extend([line("weight", 1.0), line("bias", 0.0)]);
        }
        all.extend([
            Blueprint::kept("running_mean", width, 0.0),
            Blueprint::kept("running_var", width, 1.0),
            Blueprint::count("num_batches_tracked"),
        ]);
        all
    }

    /// One value has no variance.
    fn wants_company(&self) -> bool {
        true
    }

    fn least_items(&self, input: &Shape) -> usize {
        if input.rows() == Some(1) { 2 } else { 1 }
    }

    fn operations(&self, input: &Shape, rows: usize) -> u64 {
        2 * (rows * input.width) as u64
    }

    fn scales(&self) -> bool {
        true
    }

    fn scale(&self, parameters: &[Parameter]) -> Scale {
        let of = |number: usize| parameters[number].get().into_iter().map(f64::from);
        let (means, variances) = (of(self.learnt()), of(self.learnt() + 1));
        let mut scale: Vec<f64> =
            variances.map(|variance| 1.0 / (variance + f64::from(self.epsilon)).sqrt()).collect();
        let mut shift = vec![0.0; scale.len()];
        if self.affine {
            scale.iter_mut().zip(of(0)).for_each(|(scale, weight)| *scale *= weight);
            shift = of(1).collect();
        }
        let both = shift.iter_mut().zip(scale.iter().zip(means));
        both.for_each(|(shift, (scale, mean))| *shift -= scale * mean);
        Scale { scale, shift }
    }

    fn forward(&self, pass: &mut Forward<'_>) {
        let width = pass.input.width();
        if pass.mode == Mode::Encode {
            pass.memo.values(OWN, 0);
            self.recall(pass);
        } else if !self.measure(pass) {
            return;
        }
        pass.memo.values(GRADIENTS, 2 * width);
        self.scales(pass.memo, pass.parameters, width);
        let [_, statistics, _, lines] = pass.memo.values.first_chunk_mut().expect("all four");
        let (scales, shifts) = lines.split_at_mut(width);
        match self.affine {
            true => shifts[..width].copy_from_slice(&pass.parameters[1].whole().values),
            false => shifts.fill(0.0),
        }
        let lines = [&statistics[..width], scales, &shifts[..width]];
        scale_columns(pass.kernels, pass.input.values, lines, pass.output);
    }

    fn backward(&self, pass: &mut Backward<'_>) {
        let (width, x) = (pass.input.width(), pass.input.values);
        let Memo { values, sums, .. } = &mut *pass.memo;
        let [own, statistics, gradients, lines] = values.first_chunk_mut().expect("all four");
        let (means, scale) = (&statistics[..width], &statistics[width..2 * width]);
        let (scales, rest) = lines.split_at_mut(width);
        let (less, slopes) = rest.split_at_mut(width);
        if pass.mode == Mode::Encode {
            // Mean and variance are numbers like others.
            less.fill(0.0);
            slopes.fill(0.0);
        } else {
            own.resize(pass.input.items() * 2 * width, 0.0);
            let items = pass.input.offsets.windows(2);
            for (ends, line) in items.zip(own.chunks_exact_mut(2 * width)) {
                let rows = ends[0] * width..ends[1] * width;
                let (of_sums, along) = line.split_at_mut(width);
                let from = &pass.output_gradient[rows.clone()];
                column_slopes(pass.kernels, &x[rows], from, means, [of_sums, along]);
            }
            let rows = sums[0].max(1.0);
            sums.resize(1 + 2 * width, 0.0);
            sums[1..].fill(0.0);
            let came = pass.seat.share(own, |numbers| {
                for line in numbers.chunks_exact(2 * width) {
                    sums[1..].iter_mut().zip(line).for_each(|(sum, &of)| *sum += f64::from(of));
                }
            });
            if !came {
                return;
            }
            for i in 0..width {
                let (sum, along, r) = (sums[1 + i], sums[1 + width + i], f64::from(scale[i]));
                gradients[i] = (along * r) as f32;
                gradients[width + i] = sum as f32;
                less[i] = (sum / rows) as f32;
                slopes[i] = (along * r * r / rows) as f32;
            }
        }
        if let Some(to) = &mut pass.input_gradient {
            let lines = [means, scales, less, slopes];
            column_gradient(pass.kernels, x, pass.output_gradient, lines, to);
        }
    }

    fn learn(&self, lesson: &mut Lesson<'_>) {
        // The shards have met: each knows the sums of all.
        let Some(known) = lesson.shards.next() else { return };
        let of_batch = &known.memo.values[GRADIENTS][lesson.parameter * lesson.count..];
        lesson.gradient.iter_mut().zip(of_batch).for_each(|(sum, of)| *sum += of);
    }

    fn keep(&self, parameter: usize, memo: &Memo, values: &mut [f32]) {
        // One row has no variance.
        if memo.sums[0] < 2.0 {
            return;
        }
        let (statistics, width) = (&memo.values[STATISTICS], values.len());
        let of_batch = match parameter - self.learnt() {
            0 => &statistics[..width],
            1 => &statistics[2 * width..],
            _ => {
                values[0] += 1.0;
                return;
            }
        };
        for (value, of_batch) in values.iter_mut().zip(of_batch) {
            *value += self.momentum * (of_batch - *value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::check::{Case, Items, check};

    /// All rows together; while encoding, as nothing has been kept yet.
    fn formula(x: &[f64], width: usize, epsilon: f64, training: bool, p: &[Vec<f64>]) -> Vec<f64> {
        let rows = (x.len() / width) as f64;
        let column = |i: usize| x.iter().skip(i).step_by(width);
        let moments = |i: usize| -> (f64, f64) {
            if !training {
                return (0.0, 1.0);
            }
            let mean = column(i).sum::<f64>() / rows;
            (mean, column(i).map(|x| (x - mean).powi(2)).sum::<f64>() / rows)
        };
        let moments: Vec<_> = (0..width).map(moments).collect();
        let of = |line: usize, i: usize, or: f64| p.get(line).map_or(or, |line| line[i]);
        let value = |(at, x): (usize, &f64)| {
            let (mean, variance) = moments[at % width];
            (x - mean) / (variance + epsilon).sqrt() * of(0, at % width, 1.0)
                + of(1, at % width, 0.0)
        };
        x.iter().enumerate().map(value).collect()
    }

    fn dense(x: &[f64], width: usize, weight: &[f64]) -> Vec<f64> {
        let row = |x: &[f64]| -> Vec<f64> {
            let unit = |weight: &[f64]| x.iter().zip(weight).map(|(x, w)| x * w).sum();
            weight.chunks(width).map(unit).collect()
        };
        x.chunks(width).flat_map(row).collect()
    }

    fn compare(norm: Value, positions: Option<Vec<usize>>, lengths: Vec<usize>, affine: bool) {
        let epsilon = norm["epsilon"].as_f64().unwrap_or(1e-5);
        // A dense layer on either side, so that neither what goes in nor the gradient is too simple, and
        // one into which the norm is folded.
        let plain = |units: usize| json!({"kind": "dense", "units": units, "bias": false});
        let layers = json!([{"kind": "tanh"}, norm, plain(19), norm, {"kind": "tanh"}, plain(3)]);
        let case = Case { layers, positions, width: 5, lengths };
        let lines = if affine { 2 } else { 0 };
        check(&case, |x: &Items, p| {
            let first: Vec<f64> = x.values.iter().map(|x| x.tanh()).collect();
            let first = formula(&first, 5, epsilon, x.training, &p[..lines]);
            let p = &p[lines + 3..];
            let hidden = dense(&first, 5, &p[0]);
            let mut hidden = formula(&hidden, 19, epsilon, x.training, &p[1..1 + lines]);
            hidden.iter_mut().for_each(|h| *h = h.tanh());
            dense(&hidden, 19, &p[1 + lines + 3])
        });
    }

    #[test]
    fn channels_of_a_whole_batch_go_both_ways_wherever_it_is_cut() {
        let norm = json!({"kind": "batch-norm"});
        compare(norm.clone(), None, vec![3, 0, 1, 4], true);
        compare(norm.clone(), Some(vec![2, 3]), vec![6; 4], true);
        compare(norm, Some(vec![]), vec![1; 5], true);
        compare(
            json!({"kind": "batch-norm", "affine": false, "epsilon": 0.1}),
            None,
            vec![2; 3],
            false,
        );
    }

    #[test]
    fn options_that_make_no_sense_are_refused() {
        for (layer, wanted) in [
            (json!({"kind": "batch-norm", "epsilon": -1.0}), "an epsilon of 0 or more, got -1"),
            (json!({"kind": "batch-norm", "momentum": 1.5}), "a momentum from 0 to 1, got 1.5"),
        ] {
            let description = json!({"inputs": [{"content": "values", "width": 3}],
                "layers": [layer]});
            let error = crate::Network::new(&description.to_string(), 1).err().expect("an error");
            assert!(error.to_string().contains(wanted), "{error}");
        }
    }
}
