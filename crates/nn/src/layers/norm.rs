use inlay_kernels::{Norm, add_up};
use serde::Deserialize;

use crate::layer::{Backward, Forward, Layer, Lesson};
use crate::parameter::{Blueprint, Initial, Parameter};
use crate::shape::Shape;

/// Each row with mean 0 and variance 1, times weights, plus biases (Ba, Kiros, Hinton 2016).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LayerNorm {
    #[serde(default = "small")]
    epsilon: f32,
    /// Whether weights and biases are learnt.
    #[serde(default = "super::yes")]
    affine: bool,
    /// Whether biases are, if weights are.
    #[serde(default = "super::yes")]
    bias: bool,
}

/// Each row divided by the root of its mean square, times weights (Zhang and Sennrich 2019).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RmsNorm {
    #[serde(default = "smallest")]
    epsilon: f32,
    /// Whether weights are learnt.
    #[serde(default = "super::yes")]
    affine: bool,
}

fn small() -> f32 {
    1e-5
}

fn smallest() -> f32 {
    f32::EPSILON
}

/// What both have in common.
struct Rows {
    norm: Norm,
    affine: bool,
    bias: bool,
}

impl LayerNorm {
    fn rows(&self, width: usize) -> Rows {
        let norm = Norm { width, centred: true, epsilon: self.epsilon };
        Rows { norm, affine: self.affine, bias: self.affine && self.bias }
    }
}

impl RmsNorm {
    fn rows(&self, width: usize) -> Rows {
        let norm = Norm { width, centred: false, epsilon: self.epsilon };
        Rows { norm, affine: self.affine, bias: false }
    }
}

macro_rules! layer {
    ($layer:ident) => {
        impl Layer for $layer {
            fn shape(&self, input: &Shape) -> Result<Shape, String> {
                self.rows(input.width).shape(input)
            }

            fn parameters(&self, input: &Shape) -> Vec<Blueprint> {
                self.rows(input.width).parameters()
            }

            fn takes_windows(&self) -> bool {
                true
            }

            fn operations(&self, input: &Shape, rows: usize) -> u64 {
                8 * (rows * input.width) as u64
            }

            fn forward(&self, pass: &mut Forward<'_>) {
                self.rows(pass.input.width()).forward(pass);
            }

            fn backward(&self, pass: &mut Backward<'_>) {
                self.rows(pass.input.width()).backward(pass);
            }

            fn learn(&self, lesson: &mut Lesson<'_>) {
                while let Some(known) = lesson.shards.next() {
                    let Rows { norm, .. } = self.rows(known.input.width());
                    let (x, from) = (known.input.values, known.output_gradient);
                    let (kernels, rows) = (lesson.kernels, known.input.rows());
                    match lesson.parameter {
                        0 => norm.learn(kernels, x, &known.memo.values[0], from, lesson.gradient),
                        _ => add_up(kernels, from, rows, norm.width, lesson.gradient),
                    }
                }
            }
        }
    };
}

layer!(LayerNorm);
layer!(RmsNorm);

impl Rows {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        input.values()?;
        if input.width == 0 {
            return Err("expects rows of one value or more".into());
        }
        // Written so that what is no number is refused as well.
        if !(0.0..f32::INFINITY).contains(&self.norm.epsilon) {
            return Err(format!("expects an epsilon of 0 or more, got {}", self.norm.epsilon));
        }
        Ok(input.clone())
    }

    fn parameters(&self) -> Vec<Blueprint> {
        let line = |name, value| Blueprint::vector(name, self.norm.width, Initial::Constant(value));
        let mut all = Vec::new();
        all.extend(self.affine.then(|| line("weight", 1.0)));
        all.extend(self.bias.then(|| line("bias", 0.0)));
        all
    }

    fn forward(&self, pass: &mut Forward<'_>) {
        let statistics = pass.memo.values(0, 2 * pass.input.rows());
        let [weight, bias] = [0, 1].map(|number| pass.parameters.get(number).map(Parameter::whole));
        let [weight, bias] = [&weight, &bias].map(|line| match line {
            Some(line) => &line.values[..],
            None => &[],
        });
        let x = pass.input.values;
        self.norm.forward(pass.kernels, x, weight, bias, pass.output, statistics);
    }

    fn backward(&self, pass: &mut Backward<'_>) {
        let Some(to) = &mut pass.input_gradient else { return };
        let weight = pass.parameters.first().map(Parameter::whole);
        let weight = weight.as_ref().map_or(&[][..], |weight| &weight.values);
        let (x, statistics) = (pass.input.values, &pass.memo.values[0]);
        self.norm.backward(pass.kernels, x, weight, statistics, pass.output_gradient, to);
    }
}

/// In f64, for tests.
#[cfg(test)]
pub(super) fn formula(
    x: &[f64],
    width: usize,
    centred: bool,
    epsilon: f64,
    p: &[Vec<f64>],
) -> Vec<f64> {
    let row = |x: &[f64]| -> Vec<f64> {
        let mean = if centred { x.iter().sum::<f64>() / width as f64 } else { 0.0 };
        let square = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / width as f64;
        let value = |i: usize| (x[i] - mean) / (square + epsilon).sqrt();
        let of = |line: usize, i: usize, or: f64| p.get(line).map_or(or, |line| line[i]);
        (0..width).map(|i| value(i) * of(0, i, 1.0) + of(1, i, 0.0)).collect()
    };
    x.chunks(width).flat_map(row).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::formula;
    use crate::check::{Case, check};

    // A dense layer on either side, so that neither what goes in nor the gradient is too simple.
    fn compare(norm: serde_json::Value, centred: bool, epsilon: f64, lines: usize) {
        let layers = json!([norm, {"kind": "dense", "units": 3, "bias": false}]);
        let lengths = vec![3, 0, 1, 4];
        let case = Case { layers, positions: None, width: 19, lengths };
        check(&case, |x, p| {
            let normal = formula(&x.values, 19, centred, epsilon, &p[..lines]);
            let unit = |x: &[f64], unit: usize| -> f64 {
                x.iter().zip(&p[lines][unit * 19..]).map(|(x, w)| x * w).sum()
            };
            let rows = normal.chunks(19);
            rows.flat_map(|row| (0..3).map(|number| unit(row, number)).collect::<Vec<_>>())
                .collect()
        });
    }

    #[test]
    fn layer_norm_goes_both_ways_with_and_without_weights_and_biases() {
        compare(json!({"kind": "layer-norm"}), true, 1e-5, 2);
        compare(json!({"kind": "layer-norm", "bias": false, "epsilon": 0.1}), true, 0.1, 1);
        compare(json!({"kind": "layer-norm", "affine": false}), true, 1e-5, 0);
    }

    #[test]
    fn rms_norm_goes_both_ways_with_and_without_weights() {
        compare(json!({"kind": "rms-norm"}), false, f64::from(f32::EPSILON), 1);
        compare(json!({"kind": "rms-norm", "affine": false, "epsilon": 0.1}), false, 0.1, 0);
    }

    #[test]
    fn an_epsilon_below_zero_is_refused() {
        let description = json!({"inputs": [{"content": "values", "width": 3}],
            "layers": [{"kind": "layer-norm", "epsilon": -1.0}]});
        let problem = crate::Network::new(&description.to_string(), 1).err().unwrap().to_string();
        assert!(problem.contains("expects an epsilon of 0 or more, got -1"), "{problem}");
    }
}
