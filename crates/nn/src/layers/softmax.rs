use inlay_kernels::softmax;
use serde::Deserialize;

use crate::layer::{Backward, Forward, Layer};
use crate::shape::Shape;

/// Scores of a row become shares that sum to one: eˢ / Σ eˢ.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Softmax {}

impl Layer for Softmax {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        input.values()?;
        Ok(input.clone())
    }

    fn operations(&self, input: &Shape, rows: usize) -> u64 {
        3 * (rows * input.width) as u64
    }

    fn takes_windows(&self) -> bool {
        true
    }

    fn in_place(&self) -> bool {
        true
    }

    fn keeps_output(&self) -> bool {
        true
    }

    fn forward(&self, pass: &mut Forward<'_>) {
        for row in pass.output.chunks_exact_mut(pass.input.width()) {
            softmax(pass.kernels, row);
        }
    }

    fn backward(&self, pass: &mut Backward<'_>) {
        let width = pass.input.width();
        let shares = pass.output.values.chunks_exact(width);
        for (shares, gradient) in shares.zip(pass.output_gradient.chunks_exact_mut(width)) {
            let mean: f32 = shares.iter().zip(&*gradient).map(|(share, slope)| share * slope).sum();
            for (slope, share) in gradient.iter_mut().zip(shares) {
                *slope = share * (*slope - mean);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::check::{Case, check};

    #[test]
    fn rows_sum_to_one_and_go_back() {
        let case = Case {
            layers: json!([{"kind": "softmax"}]),
            positions: None,
            width: 5,
            lengths: vec![2, 0, 3],
        };
        check(&case, |items, _| {
            let row = |scores: &[f64]| -> Vec<f64> {
                let powers: Vec<f64> = scores.iter().map(|score| score.exp()).collect();
                let total: f64 = powers.iter().sum();
                powers.into_iter().map(|power| power / total).collect()
            };
            items.values.chunks(5).flat_map(row).collect()
        });
    }
}
