use inlay_kernels::{Kernels, Matrix, Start, Target, add, multiply, softmax};
use serde::Deserialize;

use super::linear::{Linear, learn_bias, learn_weight};
use crate::layer::{Backward, Forward, Layer, Lesson, Rows};
use crate::parameter::{Blueprint, Initial, Order, Parameter};
use crate::shape::Shape;

/// All positions of an item in one vector, as a probe sees them that is learnt and looks at them with several heads (Lee et al. 2019,
/// arXiv:1810.00825, equation 11; Zhai et al. 2022, arXiv:2106.04560): PyTorch's `MultiheadAttention` with the probe as its query. Of
/// no rows it sees zeros.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MultiheadPool {
    heads: usize,
}

/// Lists of the memo: the rows of each item with the probe behind them, and what goes into the heads of these; what the heads see of
/// each item, and the weights by which they do; the gradients of the first three.
const ROWS: usize = 0;
const SEEN: usize = 2;
const PROJECTED_GRADIENT: usize = 4;
const ROWS_GRADIENT: usize = 5;

/// A head's queries (0), keys (1) or values (2) of some rows.
fn part(projected: &[f32], part: usize, (head, n, width): (usize, usize, usize)) -> &[f32] {
    projected.get(part * width + head * n..).unwrap_or_default()
}

impl MultiheadPool {
    fn linears<'a>(
        kernels: Kernels,
        parameters: &'a [Parameter],
        (rows, items): (usize, usize),
    ) -> [Linear<'a>; 2] {
        [(1, rows + items), (3, items)].map(|(first, rows)| {
            let bias = Some(&parameters[first + 1]);
            Linear { kernels, weight: &parameters[first], bias, rows }
        })
    }

    /// Of each item, where its rows begin with the probes of those before it.
    fn items(input: Rows<'_>) -> impl Iterator<Item = (usize, usize)> {
        let ends = input.offsets.windows(2).enumerate();
        ends.map(|(item, ends)| (ends[0] + item, ends[1] - ends[0]))
    }
}

impl Layer for MultiheadPool {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        input.values()?;
        if self.heads == 0 || input.width == 0 || !input.width.is_multiple_of(self.heads) {
            let heads = self.heads;
            return Err(format!("expects rows whose width {heads} heads can share"));
        }
        Ok(Shape::vector(input.width))
    }

    fn parameters(&self, input: &Shape) -> Vec<Blueprint> {
        let width = input.width;
        let glorot = Initial::Uniform((6.0 / (4 * width) as f32).sqrt());
        let dense = Initial::Uniform(1.0 / (width as f32).sqrt());
        let zeros = |name, length| Blueprint::vector(name, length, Initial::Constant(0.0));
        let probe = Blueprint {
            name: "probe".into(),
            shape: vec![1, width],
            order: Order::Table,
            initial: Initial::Normal(1.0),
            decays: true,
            kept: false,
        };
        vec![
            probe,
            Blueprint::matrix("in_proj_weight", &[3 * width, width], glorot),
            zeros("in_proj_bias", 3 * width),
            Blueprint::matrix("out_proj.weight", &[width, width], dense),
            zeros("out_proj.bias", width),
        ]
    }

    fn rows(&self, _rows: usize) -> usize {
        1
    }

    fn operations(&self, input: &Shape, rows: usize) -> u64 {
        let (rows, width) = (rows as u64 + 1, input.width as u64);
        6 * rows * width * width + 4 * rows * width + 2 * width * width
    }

    fn takes_bytes(&self, parameter: usize) -> bool {
        parameter == 1 || parameter == 3
    }

    fn forward(&self, pass: &mut Forward<'_>) {
        let (rows, items, width) = (pass.input.rows(), pass.input.items(), pass.input.width());
        let (n, all) = (width / self.heads, rows + items);
        let lengths = [all * width, all * 3 * width, items * width, rows * self.heads];
        let [with_probes, projected, seen, weights] = pass.memo.lists(lengths);
        let probe = pass.parameters[0].whole();
        for ((first, rows), ends) in Self::items(pass.input).zip(pass.input.offsets.windows(2)) {
            let to = &mut with_probes[first * width..][..(rows + 1) * width];
            let (own, behind) = to.split_at_mut(rows * width);
            own.copy_from_slice(&pass.input.values[ends[0] * width..ends[1] * width]);
            behind.copy_from_slice(&probe.values);
        }
        let [inward, outward] = Self::linears(pass.kernels, pass.parameters, (rows, items));
        inward.forward(with_probes, projected, None, pass.desk);
        let mut weights = &mut weights[..];
        for ((first, rows), seen) in Self::items(pass.input).zip(seen.chunks_exact_mut(width)) {
            let projected = &projected[first * 3 * width..][..(rows + 1) * 3 * width];
            for head in 0..self.heads {
                let at = (head, n, width);
                let own;
                (own, weights) = weights.split_at_mut(rows);
                let query: Vec<f32> = part(&projected[rows * 3 * width..], 0, at)[..n]
                    .iter()
                    .map(|q| q / (n as f32).sqrt())
                    .collect();
                let keys = Matrix::spaced(part(projected, 1, at), rows, n, 3 * width);
                let query = Matrix::new(&query, 1, n).transposed();
                let to = Target::new(own, rows, 1);
                multiply(pass.kernels, keys, query, Start::Zero, None, to, pass.desk);
                if rows > 0 {
                    softmax(pass.kernels, own);
                }
                let values = Matrix::spaced(part(projected, 2, at), rows, n, 3 * width);
                let to = Target::new(&mut seen[head * n..][..n], 1, n);
                let own = Matrix::new(own, 1, rows);
                multiply(pass.kernels, own, values, Start::Zero, None, to, pass.desk);
            }
        }
        outward.forward(seen, pass.output, None, pass.desk);
    }

    fn backward(&self, pass: &mut Backward<'_>) {
        let (rows, items, width) = (pass.input.rows(), pass.input.items(), pass.input.width());
        let (n, all) = (width / self.heads, rows + items);
        let lengths = [
            all * width,
            all * 3 * width,
            items * width,
            rows * self.heads,
            all * 3 * width,
            all * width,
            items * width,
        ];
        let [_, projected, _, weights, projected_gradient, rows_gradient, seen_gradient] =
            pass.memo.lists(lengths);
        let [inward, outward] = Self::linears(pass.kernels, pass.parameters, (rows, items));
        outward.backward(pass.output_gradient, seen_gradient, pass.desk);
        projected_gradient.fill(0.0);
        let mut weights = &weights[..];
        let scale = 1.0 / (n as f32).sqrt();
        for ((first, rows), above) in Self::items(pass.input).zip(seen_gradient.chunks_exact(width))
        {
            let here = first * 3 * width..(first + rows + 1) * 3 * width;
            let (projected, gradient) = (&projected[here.clone()], &mut projected_gradient[here]);
            for head in 0..self.heads {
                let (own, rest) = weights.split_at(rows);
                weights = rest;
                let above = &above[head * n..][..n];
                let query = part(&projected[rows * 3 * width..], 0, (head, n, width));
                let at = |row: usize, part: usize| row * 3 * width + part * width + head * n;
                let slope = |row: usize| -> f32 {
                    let values = &projected[at(row, 2)..][..n];
                    values.iter().zip(above).map(|(v, g)| v * g).sum()
                };
                let slopes: Vec<f32> = (0..rows).map(slope).collect();
                let mean: f32 = slopes.iter().zip(own).map(|(slope, weight)| slope * weight).sum();
                for (row, (slope, weight)) in slopes.iter().zip(own).enumerate() {
                    let by = weight * (slope - mean) * scale;
                    for i in 0..n {
                        gradient[at(row, 2) + i] = weight * above[i];
                        gradient[at(row, 1) + i] = by * query[i];
                        gradient[at(rows, 0) + i] += by * projected[at(row, 1) + i];
                    }
                }
            }
        }
        inward.backward(projected_gradient, rows_gradient, pass.desk);
        let Some(to) = &mut pass.input_gradient else { return };
        for ((first, rows), ends) in Self::items(pass.input).zip(pass.input.offsets.windows(2)) {
            let from = &rows_gradient[first * width..][..rows * width];
            to[ends[0] * width..ends[1] * width].copy_from_slice(from);
        }
    }

    fn learn(&self, lesson: &mut Lesson<'_>) {
        while let Some(known) = lesson.shards.next() {
            let (rows, items, width) =
                (known.input.rows(), known.input.items(), known.input.width());
            let lists = &known.memo.values;
            let (all, inward, outward) =
                (rows + items, &lists[PROJECTED_GRADIENT], known.output_gradient);
            match lesson.parameter {
                0 => {
                    for (first, rows) in Self::items(known.input) {
                        let from = &lists[ROWS_GRADIENT][(first + rows) * width..][..width];
                        add(lesson.kernels, from, lesson.gradient);
                    }
                }
                1 => learn_weight(lesson, &lists[ROWS], inward, (all, width, 3 * width)),
                2 => learn_bias(lesson, inward, all, 3 * width),
                3 => learn_weight(lesson, &lists[SEEN], outward, (items, width, width)),
                _ => learn_bias(lesson, outward, items, width),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::check::{Case, check};

    #[test]
    fn a_probe_sees_all_rows_of_an_item_with_each_head() {
        for (positions, lengths) in [(None, vec![3, 1, 9]), (Some(vec![2, 2]), vec![4; 3])] {
            let layers = json!([{"kind": "multihead-pool", "heads": 2}]);
            let case = Case { layers, positions, width: 6, lengths };
            check(&case, |x, p| {
                let line = |x: &[f64], weight: &[f64], bias: &[f64]| -> Vec<f64> {
                    let unit = |(row, bias): (&[f64], &f64)| {
                        bias + row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>()
                    };
                    weight.chunks(6).zip(bias).map(unit).collect()
                };
                let query = line(&p[0], &p[1], &p[2]);
                let mut y = Vec::new();
                for ends in x.offsets.windows(2) {
                    let rows = x.values[ends[0] * 6..ends[1] * 6].chunks(6);
                    let rows: Vec<Vec<f64>> = rows.map(|row| line(row, &p[1], &p[2])).collect();
                    let mut seen = vec![0.0; 6];
                    for head in 0..2 {
                        let power = |row: &Vec<f64>| -> f64 {
                            let terms = (0..3).map(|i| query[head * 3 + i] * row[6 + head * 3 + i]);
                            (terms.sum::<f64>() / 3f64.sqrt()).exp()
                        };
                        let total: f64 = rows.iter().map(power).sum();
                        for row in &rows {
                            for i in head * 3..head * 3 + 3 {
                                seen[i] += power(row) / total * row[12 + i];
                            }
                        }
                    }
                    y.extend(line(&seen, &p[3], &p[4]));
                }
                y
            });
        }
    }

    #[test]
    fn heads_that_cannot_share_a_row_are_refused() {
        let inputs = json!([{"content": "values", "width": 6}]);
        let layers = json!([{"kind": "multihead-pool", "heads": 4}]);
        let description = json!({"inputs": inputs, "layers": layers}).to_string();
        let problem = crate::Network::new(&description, 1).err().expect("a problem").to_string();
        assert!(problem.contains("expects rows whose width 4 heads can share"), "{problem}");
    }
}
