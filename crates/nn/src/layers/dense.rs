use inlay_kernels::Kernels;
use serde::Deserialize;

use super::linear::{Linear, learn_bias, learn_weight};
use super::sampled::Sampled;
use crate::layer::{Backward, Forward, Layer, Lesson};
use crate::losses::Loss;
use crate::parameter::{Blueprint, Initial, Parameter};
use crate::shape::Shape;

/// y = x·Wᵀ + b at every position.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dense {
    units: usize,
    #[serde(default = "super::yes")]
    bias: bool,
}

impl Dense {
    pub(super) fn new(units: usize, bias: bool) -> Self {
        Self { units, bias }
    }

    pub(super) fn units(&self) -> usize {
        self.units
    }
}

impl Layer for Dense {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        input.values()?;
        if self.units == 0 {
            return Err("has no unit".into());
        }
        Ok(input.with_width(self.units))
    }

    fn parameters(&self, input: &Shape) -> Vec<Blueprint> {
        // Kaiming's uniform with a = √5, which is what PyTorch's layers begin with.
        let initial = Initial::Uniform(1.0 / (input.width.max(1) as f32).sqrt());
        let mut all = vec![Blueprint::matrix("weight", &[self.units, input.width], initial)];
        if self.bias {
            all.push(Blueprint::vector("bias", self.units, initial));
        }
        all
    }

    fn operations(&self, input: &Shape, rows: usize) -> u64 {
        2 * (rows * input.width * self.units) as u64
    }

    fn takes_windows(&self) -> bool {
        true
    }

    fn fuses(&self) -> bool {
        true
    }

    fn takes_scale(&self) -> bool {
        true
    }

    fn takes_bytes(&self, parameter: usize) -> bool {
        parameter == 0
    }

    fn taken_by(&self, loss: &Loss) -> Option<Box<dyn Layer>> {
        let sampling = loss.sampling()?;
        Some(Box::new(Sampled { dense: self.clone(), sampling }))
    }

    fn forward(&self, pass: &mut Forward<'_>) {
        let linear = linear(pass.kernels, pass.parameters, pass.input.rows());
        linear.forward(pass.input.values, pass.output, pass.activation, pass.desk);
    }

    fn backward(&self, pass: &mut Backward<'_>) {
        let Some(to) = &mut pass.input_gradient else { return };
        let linear = linear(pass.kernels, pass.parameters, pass.input.rows());
        linear.backward(pass.output_gradient, to, pass.desk);
    }

    fn begins(&self, parameter: usize) -> bool {
        parameter == 0
    }

    fn learn(&self, lesson: &mut Lesson<'_>) {
        while let Some(known) = lesson.shards.next() {
            let (rows, width) = (known.input.rows(), known.input.width());
            let from = known.output_gradient;
            match lesson.parameter {
                0 => learn_weight(lesson, known.input.values, from, (rows, width, self.units)),
                _ => learn_bias(lesson, from, rows, self.units),
            }
        }
    }
}

pub(super) fn linear(kernels: Kernels, parameters: &[Parameter], rows: usize) -> Linear<'_> {
    Linear { kernels, weight: &parameters[0], bias: parameters.get(1), rows }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::check::{Case, Items, check};

    fn dense(x: &[f64], weight: &[f64], bias: Option<&[f64]>, width: usize) -> Vec<f64> {
        let units = weight.len() / width;
        let row = |x: &[f64]| -> Vec<f64> {
            let unit = |unit: usize| {
                let terms = x.iter().zip(&weight[unit * width..][..width]).map(|(x, w)| x * w);
                terms.sum::<f64>() + bias.map_or(0.0, |bias| bias[unit])
            };
            (0..units).map(unit).collect()
        };
        x.chunks(width).flat_map(row).collect()
    }

    #[test]
    fn rows_of_sequences_are_turned_with_and_without_a_bias() {
        for bias in [true, false] {
            let layers = json!([{"kind": "dense", "units": 37, "bias": bias}]);
            let case = Case { layers, positions: None, width: 5, lengths: vec![3, 0, 7, 1] };
            check(&case, |x: &Items, p| dense(&x.values, &p[0], p.get(1).map(|b| &b[..]), 5));
        }
    }

    #[test]
    fn activations_are_fused_and_go_back() {
        for activation in ["relu", "tanh", "sigmoid", "silu", "gelu", "gelu-tanh", "quick-gelu"] {
            let layers = json!([{"kind": "dense", "units": 6}, {"kind": activation},
                {"kind": "dense", "units": 3}]);
            let case = Case { layers, positions: Some(vec![2]), width: 4, lengths: vec![2; 3] };
            check(&case, |x, p| {
                let mut hidden = dense(&x.values, &p[0], Some(&p[1]), 4);
                hidden
                    .iter_mut()
                    .for_each(|x| *x = crate::layers::activation::formula(activation, *x));
                dense(&hidden, &p[2], Some(&p[3]), 6)
            });
        }
    }

    #[test]
    fn sums_concats_and_what_is_read_twice_go_back() {
        // Residual: x + dense(tanh(dense x)), beside a part of its own, and x itself read thrice.
        let layers = json!([
            {"kind": "concat", "branches": [
                [{"kind": "sum", "branches": [[], [{"kind": "dense", "units": 4}, {"kind": "tanh"},
                    {"kind": "dense", "units": 4}]]}, {"kind": "tanh"}],
                [{"kind": "sum", "branches": [[{"kind": "dense", "units": 4}], [], []]}],
                [],
            ]},
            {"kind": "flatten"},
            {"kind": "dense", "units": 2},
        ]);
        let case = Case { layers, positions: Some(vec![3]), width: 4, lengths: vec![3; 4] };
        check(&case, |x, p| {
            let mut hidden = dense(&x.values, &p[0], Some(&p[1]), 4);
            hidden.iter_mut().for_each(|h| *h = h.tanh());
            let deep = dense(&hidden, &p[2], Some(&p[3]), 4);
            let side = dense(&x.values, &p[4], Some(&p[5]), 4);
            let mut joined = Vec::new();
            for row in 0..x.values.len() / 4 {
                let at = row * 4..row * 4 + 4;
                let x = &x.values[at.clone()];
                joined.extend(x.iter().zip(&deep[at.clone()]).map(|(x, y)| (x + y).tanh()));
                joined.extend(x.iter().zip(&side[at]).map(|(x, y)| 2.0 * x + y));
                joined.extend(x);
            }
            dense(&joined, &p[6], Some(&p[7]), 36)
        });
    }

    #[test]
    fn wide_layers_are_cut_into_pieces_and_give_the_same() {
        let layers = json!([{"kind": "dense", "units": 70_000, "bias": false}]);
        let description = json!({"inputs": [{"content": "values", "positions": [], "width": 3}], "layers": layers});
        let mut network = crate::Network::new(&description.to_string(), 1).unwrap();
        assert!(network.parameters()[0].pieces() > 1);
        network.prepare();
        let shape = crate::Shape::vector(3);
        let x = [1.0, -2.0, 0.5];
        let column =
            crate::Column::new("x", crate::Cells::Values(x.to_vec()), None, &shape).unwrap();
        let run = inlay_base::Run::quiet(1, 1);
        let (values, _) = network.encode(&[column], None, &run).unwrap();
        let weight: Vec<f64> = network.parameters()[0].get().into_iter().map(f64::from).collect();
        for (value, wanted) in values.iter().zip(dense(&x.map(f64::from), &weight, None, 3)) {
            assert!((f64::from(*value) - wanted).abs() < 1e-5);
        }
    }
}
