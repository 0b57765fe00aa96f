use serde::Deserialize;

use crate::direction::{direct, direct_back};
use crate::layer::{Backward, Forward, Layer};
use crate::shape::Shape;

/// Each row divided by its length; one of zeros stays so.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Normalize {}

impl Layer for Normalize {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        input.values()?;
        Ok(input.clone())
    }

    fn takes_windows(&self) -> bool {
        true
    }

    fn keeps_output(&self) -> bool {
        true
    }

    fn operations(&self, input: &Shape, rows: usize) -> u64 {
        4 * (rows * input.width) as u64
    }

    fn forward(&self, pass: &mut Forward<'_>) {
        let width = pass.input.width();
        let lengths = pass.memo.values(0, pass.input.rows());
        let rows = pass.input.values.chunks_exact(width).zip(pass.output.chunks_exact_mut(width));
        for ((x, y), length) in rows.zip(lengths) {
            *length = direct(x, y);
        }
    }

    fn backward(&self, pass: &mut Backward<'_>) {
        let Some(to) = &mut pass.input_gradient else { return };
        let width = pass.input.width();
        let slopes = pass.output_gradient.chunks_exact(width).zip(to.chunks_exact_mut(width));
        let rows = pass.output.values.chunks_exact(width).zip(&pass.memo.values[0]);
        for ((unit, &length), (slope, to)) in rows.zip(slopes) {
            direct_back(unit, length, slope, to);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::check::{Case, check};

    #[test]
    fn rows_get_the_length_of_one() {
        let layers = json!([{"kind": "normalize"}]);
        let case = Case { layers, positions: None, width: 7, lengths: vec![3, 0, 5, 1] };
        check(&case, |x, _| {
            let unit = |row: &[f64]| {
                let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
                row.iter().map(|x| x / length).collect::<Vec<_>>()
            };
            x.values.chunks(7).flat_map(unit).collect()
        });
    }
}
