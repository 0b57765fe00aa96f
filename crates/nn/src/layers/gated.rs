use inlay_kernels::{Activation, activate, activation_gradient};
use serde::Deserialize;

use super::activation::function_named;
use crate::layer::{Backward, Forward, Layer};
use crate::shape::Shape;

/// The first half of each row, through an activation, times the second (Dauphin et al. 2017, arXiv:1612.08083; Shazeer 2020,
/// arXiv:2002.05202): [a, b] becomes act(a)·b.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Gated {
    activation: String,
}

/// The list of the memo that keeps act(a). Behind it, to go backward: a, and the gradient by act(a), then by a.
const OPEN: usize = 0;

impl Gated {
    fn function(&self) -> Activation {
        function_named(&self.activation).expect("the shape was asked for first")
    }
}

impl Layer for Gated {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        input.values()?;
        if function_named(&self.activation).is_none() {
            return Err(format!("expects the name of an activation, got `{}`", self.activation));
        }
        if !input.width.is_multiple_of(2) {
            return Err("expects rows of two halves".into());
        }
        Ok(input.with_width(input.width / 2))
    }

    fn takes_windows(&self) -> bool {
        true
    }

    fn operations(&self, input: &Shape, rows: usize) -> u64 {
        (rows * input.width) as u64
    }

    fn forward(&self, pass: &mut Forward<'_>) {
        let width = pass.input.width() / 2;
        let open = pass.memo.values(OPEN, pass.output.len());
        let rows = pass.input.values.chunks_exact(2 * width);
        for (row, open) in rows.clone().zip(open.chunks_exact_mut(width)) {
            open.copy_from_slice(&row[..width]);
        }
        activate(pass.kernels, self.function(), open);
        let opened = open.chunks_exact(width).zip(pass.output.chunks_exact_mut(width));
        for (row, (open, to)) in rows.zip(opened) {
            for ((to, open), b) in to.iter_mut().zip(open).zip(&row[width..]) {
                *to = open * b;
            }
        }
    }

    fn backward(&self, pass: &mut Backward<'_>) {
        let Some(to) = &mut pass.input_gradient else { return };
        let (width, size) = (pass.input.width() / 2, pass.output_gradient.len());
        let [open, given, slopes] = pass.memo.lists([size; 3]);
        let rows = pass.input.values.chunks_exact(2 * width);
        let above = pass.output_gradient.chunks_exact(width);
        let halves = given.chunks_exact_mut(width).zip(slopes.chunks_exact_mut(width));
        for ((row, above), (given, slopes)) in rows.zip(above.clone()).zip(halves) {
            given.copy_from_slice(&row[..width]);
            for ((slope, above), b) in slopes.iter_mut().zip(above).zip(&row[width..]) {
                *slope = above * b;
            }
        }
        let function = self.function();
        let known = if function.needs_input() { &*given } else { &*open };
        activation_gradient(pass.kernels, function, known, slopes);
        let rows = to.chunks_exact_mut(2 * width).zip(above);
        let halves = open.chunks_exact(width).zip(slopes.chunks_exact(width));
        for ((to, above), (open, slopes)) in rows.zip(halves) {
            to[..width].copy_from_slice(slopes);
            for ((to, above), open) in to[width..].iter_mut().zip(above).zip(open) {
                *to = above * open;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::activation::formula;
    use crate::check::{Case, check};

    #[test]
    fn one_half_of_a_row_opens_the_other() {
        for activation in ["gelu", "silu", "relu", "sigmoid"] {
            for (positions, lengths) in [(None, vec![3, 0, 9, 1]), (Some(vec![2, 2]), vec![4; 3])] {
                let layers = json!([{"kind": "gated", "activation": activation}]);
                let case = Case { layers, positions, width: 10, lengths };
                check(&case, |x, _| {
                    let rows = x.values.chunks(10);
                    rows.flat_map(|row| (0..5).map(|i| formula(activation, row[i]) * row[i + 5]))
                        .collect()
                });
            }
        }
    }

    #[test]
    fn what_has_no_halves_is_refused() {
        for (activation, width) in [("gelu", 3), ("mish", 4)] {
            let inputs = json!([{"content": "values", "width": width}]);
            let layers = json!([{"kind": "gated", "activation": activation}]);
            let description = json!({"inputs": inputs, "layers": layers}).to_string();
            assert!(crate::Network::new(&description, 1).is_err(), "{activation} {width}");
        }
    }
}
