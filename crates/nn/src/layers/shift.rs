use inlay_kernels::add;
use serde::Deserialize;

use super::linear::learn_bias;
use crate::layer::{Backward, Forward, Layer, Lesson};
use crate::parameter::{Blueprint, Initial};
use crate::shape::Shape;

/// Adds the same values to every position: x + b.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shift {}

impl Layer for Shift {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        input.values()?;
        Ok(input.clone())
    }

    fn parameters(&self, input: &Shape) -> Vec<Blueprint> {
        vec![Blueprint::vector("bias", input.width, Initial::Constant(0.0))]
    }

    fn takes_windows(&self) -> bool {
        true
    }

    fn operations(&self, input: &Shape, rows: usize) -> u64 {
        (rows * input.width) as u64
    }

    fn forward(&self, pass: &mut Forward<'_>) {
        let bias = pass.parameters[0].whole();
        pass.output.copy_from_slice(pass.input.values);
        for row in pass.output.chunks_exact_mut(pass.input.shape.width) {
            add(pass.kernels, &bias.values, row);
        }
    }

    fn backward(&self, pass: &mut Backward<'_>) {
        if let Some(to) = &mut pass.input_gradient {
            to.copy_from_slice(pass.output_gradient);
        }
    }

    fn learn(&self, lesson: &mut Lesson<'_>) {
        while let Some(known) = lesson.shards.next() {
            let (rows, width) = (known.input.rows(), known.input.width());
            learn_bias(lesson, known.output_gradient, rows, width);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::check::{Case, check};

    #[test]
    fn the_same_values_are_added_everywhere() {
        for (positions, lengths) in [(None, vec![3, 0, 9, 1]), (Some(vec![2, 2]), vec![4; 3])] {
            let layers = json!([{"kind": "dense", "units": 5}, {"kind": "shift"}]);
            let case = Case { layers, positions, width: 3, lengths };
            check(&case, |x, p| {
                let row = |x: &[f64]| -> Vec<f64> {
                    let unit = |(i, weight): (usize, &[f64])| {
                        let terms = x.iter().zip(weight).map(|(x, w)| x * w);
                        terms.sum::<f64>() + p[1][i] + p[2][i]
                    };
                    p[0].chunks(3).enumerate().map(unit).collect()
                };
                x.values.chunks(3).flat_map(row).collect()
            });
        }
    }
}
