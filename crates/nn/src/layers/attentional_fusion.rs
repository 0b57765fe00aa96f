use inlay_kernels::{Activation, activate};
use serde::Deserialize;

use crate::layer::{Backward, Forward, Layer};
use crate::shape::Shape;

/// Two values become one by shares that come with them (Dai et al. 2021, arXiv:2009.14082, equation 3): rows [p, q, x, y] of four
/// parts become 2·m·x + 2·(1 - m)·y with m = σ(p + q), what each position and all of them together say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AttentionalFusion {}

/// The four parts of a row.
fn parts(row: &[f32]) -> [&[f32]; 4] {
    let width = row.len() / 4;
    [0, 1, 2, 3].map(|part| &row[part * width..][..width])
}

impl Layer for AttentionalFusion {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        input.values()?;
        if input.width == 0 || !input.width.is_multiple_of(4) {
            return Err("expects rows of four parts".into());
        }
        Ok(input.with_width(input.width / 4))
    }

    fn takes_windows(&self) -> bool {
        true
    }

    fn operations(&self, input: &Shape, rows: usize) -> u64 {
        (rows * input.width) as u64
    }

    fn forward(&self, pass: &mut Forward<'_>) {
        let width = pass.input.width();
        let shares = pass.memo.values(0, pass.output.len());
        let rows = pass.input.values.chunks_exact(width);
        for (row, shares) in rows.clone().zip(shares.chunks_exact_mut(width / 4)) {
            let [p, q, ..] = parts(row);
            shares.iter_mut().zip(p.iter().zip(q)).for_each(|(share, (p, q))| *share = p + q);
        }
        activate(pass.kernels, Activation::Sigmoid, shares);
        let shares = shares.chunks_exact(width / 4);
        for ((row, shares), to) in rows.zip(shares).zip(pass.output.chunks_exact_mut(width / 4)) {
            let [.., x, y] = parts(row);
            for ((to, m), (x, y)) in to.iter_mut().zip(shares).zip(x.iter().zip(y)) {
                *to = 2.0 * m * x + 2.0 * (1.0 - m) * y;
            }
        }
    }

    fn backward(&self, pass: &mut Backward<'_>) {
        let Some(to) = &mut pass.input_gradient else { return };
        let width = pass.input.width() / 4;
        let rows = pass.input.values.chunks_exact(4 * width).zip(to.chunks_exact_mut(4 * width));
        let known = pass.memo.values[0].chunks_exact(width);
        let known = known.zip(pass.output_gradient.chunks_exact(width));
        for ((row, to), (shares, above)) in rows.zip(known) {
            let [.., x, y] = parts(row);
            for (i, (m, above)) in shares.iter().zip(above).enumerate() {
                let slope = 2.0 * above * (x[i] - y[i]) * m * (1.0 - m);
                to[i] = slope;
                to[width + i] = slope;
                to[2 * width + i] = 2.0 * above * m;
                to[3 * width + i] = 2.0 * above * (1.0 - m);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::check::{Case, check};

    #[test]
    fn two_parts_are_mixed_by_what_the_other_two_say() {
        for (positions, lengths) in [(None, vec![3, 0, 9, 1]), (Some(vec![2, 2]), vec![4; 3])] {
            let layers = json!([{"kind": "attentional-fusion"}]);
            let case = Case { layers, positions, width: 12, lengths };
            check(&case, |x, _| {
                let rows = x.values.chunks(12);
                let mixed = |row: &[f64], i: usize| {
                    let m = 1.0 / (1.0 + (-row[i] - row[3 + i]).exp());
                    2.0 * m * row[6 + i] + 2.0 * (1.0 - m) * row[9 + i]
                };
                rows.flat_map(|row| (0..3).map(|i| mixed(row, i)).collect::<Vec<_>>()).collect()
            });
        }
    }

    #[test]
    fn rows_of_other_parts_are_refused() {
        let inputs = json!([{"content": "values", "width": 6}]);
        let layers = json!([{"kind": "attentional-fusion"}]);
        let description = json!({"inputs": inputs, "layers": layers}).to_string();
        let problem = crate::Network::new(&description, 1).err().expect("a problem").to_string();
        assert!(problem.contains("expects rows of four parts"), "{problem}");
    }
}
