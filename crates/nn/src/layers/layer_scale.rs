use inlay_kernels::{add, scale_columns};
use serde::Deserialize;

use crate::layer::{Backward, Forward, Layer, Lesson, Scale};
use crate::parameter::{Blueprint, Initial, Parameter};
use crate::shape::Shape;

/// Each value of a row times a weight of its own, which begins small, so that a branch adds little at first (Touvron et al. 2021,
/// arXiv:2103.17239, section 2).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LayerScale {
    /// The first value of all weights.
    #[serde(default = "small")]
    initial: f32,
}

fn small() -> f32 {
    1e-5
}

/// The list of the memo that holds zeros, and behind it products.
const ZEROS: usize = 0;

impl Layer for LayerScale {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        input.values()?;
        if input.width == 0 || !self.initial.is_finite() {
            return Err("expects rows of one value or more, and a finite first value".into());
        }
        Ok(input.clone())
    }

    fn parameters(&self, input: &Shape) -> Vec<Blueprint> {
        vec![Blueprint::vector("weight", input.width, Initial::Constant(self.initial))]
    }

    fn takes_windows(&self) -> bool {
        true
    }

    fn operations(&self, input: &Shape, rows: usize) -> u64 {
        (rows * input.width) as u64
    }

    fn scales(&self) -> bool {
        true
    }

    fn scale(&self, parameters: &[Parameter]) -> Scale {
        let scale: Vec<f64> = parameters[0].get().into_iter().map(f64::from).collect();
        Scale { shift: vec![0.0; scale.len()], scale }
    }

    fn forward(&self, pass: &mut Forward<'_>) {
        let weight = pass.parameters[0].whole();
        let zeros = pass.memo.values(ZEROS, pass.input.width());
        zeros.fill(0.0);
        let lines = [&zeros[..], &weight.values, &zeros[..]];
        scale_columns(pass.kernels, pass.input.values, lines, pass.output);
    }

    fn backward(&self, pass: &mut Backward<'_>) {
        let Some(to) = &mut pass.input_gradient else { return };
        let weight = pass.parameters[0].whole();
        let zeros = pass.memo.values(ZEROS, pass.input.width());
        let lines = [&zeros[..], &weight.values, &zeros[..]];
        scale_columns(pass.kernels, pass.output_gradient, lines, to);
    }

    fn learn(&self, lesson: &mut Lesson<'_>) {
        for known in &mut *lesson.shards {
            let (width, columns) = (known.input.width(), lesson.first..lesson.first + lesson.count);
            let rows = known.input.values.chunks_exact(width);
            for (x, above) in rows.zip(known.output_gradient.chunks_exact(width)) {
                lesson.room.clear();
                let both = x[columns.clone()].iter().zip(&above[columns.clone()]);
                lesson.room.extend(both.map(|(x, above)| x * above));
                add(lesson.kernels, lesson.room, lesson.gradient);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::check::{Case, check};

    #[test]
    fn each_value_of_a_row_has_its_weight() {
        let scale = json!({"kind": "layer-scale", "initial": 0.5});
        for before in [json!({"kind": "tanh"}), json!({"kind": "dense", "units": 5})] {
            for (positions, lengths) in [(None, vec![3, 0, 9, 1]), (Some(vec![2, 2]), vec![4; 3])] {
                let layers = json!([before, scale, {"kind": "layer-scale", "initial": -2.0}]);
                let case = Case { layers, positions, width: 5, lengths };
                check(&case, |x, p| {
                    let (first, second) = (&p[p.len() - 2], &p[p.len() - 1]);
                    let row = |x: &[f64]| -> Vec<f64> {
                        let made: Vec<f64> = match p {
                            [weight, bias, ..] if p.len() == 4 => {
                                let unit = |(w, b): (&[f64], &f64)| {
                                    b + w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>()
                                };
                                weight.chunks(5).zip(bias).map(unit).collect()
                            }
                            _ => x.iter().map(|x| x.tanh()).collect(),
                        };
                        let by = first.iter().zip(second).map(|(a, b)| a * b);
                        made.iter().zip(by).map(|(x, by)| x * by).collect()
                    };
                    x.values.chunks(5).flat_map(row).collect()
                });
            }
        }
    }
}
