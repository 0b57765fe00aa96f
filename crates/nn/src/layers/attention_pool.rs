use inlay_kernels::{Matrix, Start, Target, multiply, softmax};
use serde::Deserialize;

use crate::layer::{Backward, Forward, Layer, Lesson};
use crate::parameter::{Blueprint, Initial, Order};
use crate::shape::Shape;

/// The mean of an item's rows, weighted by how well they answer a query q that is learnt; of no rows,
/// zeros:
///
/// ```text
/// y = Σ pᵢ·xᵢ    p = softmax(x·q)
///
/// backward:    dp = x·dy    ds = p·(dp - Σ p·dp)    dxᵢ = pᵢ·dy + dsᵢ·q    dq = Σ dsᵢ·xᵢ
/// ```
///
/// The scores are those of PyTorch's `Linear(width, 1, bias=False)`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AttentionPool {}

/// Lists of the memo.
const WEIGHTS: usize = 0;
const SLOPES: usize = 1;

impl Layer for AttentionPool {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        input.values()?;
        if input.width == 0 {
            return Err("expects rows of one value or more".into());
        }
        Ok(Shape::vector(input.width))
    }

    fn parameters(&self, input: &Shape) -> Vec<Blueprint> {
        vec![Blueprint {
            name: "weight".into(),
            shape: vec![1, input.width],
            order: Order::Table,
            initial: Initial::Uniform(1.0 / (input.width as f32).sqrt()),
            decays: true,
            kept: false,
        }]
    }

    fn rows(&self, _rows: usize) -> usize {
        1
    }

    fn operations(&self, input: &Shape, rows: usize) -> u64 {
        4 * (rows * input.width) as u64
    }

    fn forward(&self, pass: &mut Forward<'_>) {
        let (rows, width) = (pass.input.rows(), pass.input.width());
        let query = pass.parameters[0].whole();
        let query = Matrix::new(&query.values, 1, width).transposed();
        let weights = pass.memo.values(WEIGHTS, rows);
        let (x, to) = (Matrix::new(pass.input.values, rows, width), Target::new(weights, rows, 1));
        multiply(pass.kernels, x, query, Start::Zero, None, to, pass.desk);
        let items = pass.input.offsets.windows(2).zip(pass.output.chunks_exact_mut(width));
        for (ends, output) in items {
            let rows = ends[1] - ends[0];
            let weights = &mut weights[ends[0]..ends[1]];
            if rows > 0 {
                softmax(pass.kernels, weights);
            }
            let x = Matrix::new(&pass.input.values[ends[0] * width..], rows, width);
            let (weights, to) = (Matrix::new(weights, 1, rows), Target::new(output, 1, width));
            multiply(pass.kernels, weights, x, Start::Zero, None, to, pass.desk);
        }
    }

    fn backward(&self, pass: &mut Backward<'_>) {
        let (rows, width) = (pass.input.rows(), pass.input.width());
        let query = pass.parameters[0].whole();
        let query = Matrix::new(&query.values, 1, width);
        pass.memo.values(SLOPES, rows);
        let [weights, slopes, ..] = &mut pass.memo.values[..] else { return };
        let gradients = pass.output_gradient.chunks_exact(width);
        for (ends, from) in pass.input.offsets.windows(2).zip(gradients) {
            let (first, rows) = (ends[0], ends[1] - ends[0]);
            let from = Matrix::new(from, 1, width);
            let (weights, slopes) = (&weights[first..ends[1]], &mut slopes[first..ends[1]]);
            let x = Matrix::new(&pass.input.values[first * width..], rows, width);
            let to = Target::new(slopes, rows, 1);
            multiply(pass.kernels, x, from.transposed(), Start::Zero, None, to, pass.desk);
            let mean: f32 = weights.iter().zip(&*slopes).map(|(p, dp)| p * dp).sum();
            for (slope, weight) in slopes.iter_mut().zip(weights) {
                *slope = weight * (*slope - mean);
            }
            let Some(to) = &mut pass.input_gradient else { continue };
            let to = &mut to[first * width..ends[1] * width];
            let parts = [(weights, from, Start::Zero), (&*slopes, query, Start::Held)];
            for (column, line, start) in parts {
                let column = Matrix::new(column, rows, 1);
                let to = Target::new(to, rows, width);
                multiply(pass.kernels, column, line, start, None, to, pass.desk);
            }
        }
    }

    fn learn(&self, lesson: &mut Lesson<'_>) {
        for known in &mut *lesson.shards {
            let (rows, width) = (known.input.rows(), known.input.width());
            let slopes = Matrix::new(&known.memo.values[SLOPES], 1, rows);
            let x = Matrix::new(known.input.values, rows, width);
            let to = Target::new(lesson.gradient, 1, width);
            multiply(lesson.kernels, slopes, x, Start::Held, None, to, lesson.desk);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::check::{Case, Items, check};

    fn formula(x: &Items, p: &[Vec<f64>], width: usize) -> Vec<f64> {
        let item = |ends: &[usize]| -> Vec<f64> {
            let rows: Vec<&[f64]> = x.values.chunks(width).collect();
            let rows = &rows[ends[0]..ends[1]];
            let score = |row: &&[f64]| row.iter().zip(&p[0]).map(|(x, q)| x * q).sum::<f64>();
            let powers: Vec<f64> = rows.iter().map(|row| score(row).exp()).collect();
            let total: f64 = powers.iter().sum();
            let value = |i: usize| {
                rows.iter().zip(&powers).map(|(row, power)| row[i] * power / total).sum::<f64>()
            };
            (0..width).map(value).collect()
        };
        x.offsets.windows(2).flat_map(item).collect()
    }

    #[test]
    fn rows_are_weighted_by_their_answer_to_the_query() {
        for width in [1, 5, 37] {
            let layers = json!([{"kind": "attention-pool"}]);
            let case = Case { layers, positions: None, width, lengths: vec![3, 1, 0, 18, 2] };
            check(&case, |x, p| formula(x, p, width));
        }
        let layers = json!([{"kind": "attention-pool"}]);
        let case = Case { layers, positions: Some(vec![2, 2]), width: 3, lengths: vec![4; 3] };
        check(&case, |x, p| formula(x, p, 3));
    }
}
