use inlay_kernels::{
    pool_max, pool_mean, pool_mean_gradient, pool_rising_mean, pool_rising_mean_gradient,
};
use serde::Deserialize;

use crate::layer::{Backward, Forward, Layer};
use crate::shape::{Positions, Shape};

/// All positions of an item become one vector; those of an empty one are zeros.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pool {
    by: By,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum By {
    Mean,
    /// Their sum divided by the root of how many there are.
    MeanRoot,
    /// A mean in which the first counts 1, the next 2, and so on (Muennighoff 2022, arXiv:2202.08904).
    RisingMean,
    /// The largest of each channel (Collobert et al. 2011).
    Max,
    First,
    Last,
}

impl Layer for Pool {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        input.values()?;
        match &input.positions {
            Positions::Fixed(axes) if axes.is_empty() => Err("expects more than one vector".into()),
            _ => Ok(Shape::vector(input.width)),
        }
    }

    fn forward(&self, pass: &mut Forward<'_>) {
        let (x, width) = (pass.input.values, pass.input.width());
        let mut chosen = match self.by {
            By::Max => std::mem::take(pass.memo.places(0, pass.output.len())),
            _ => Vec::new(),
        };
        let items = pass.input.offsets.windows(2).zip(pass.output.chunks_exact_mut(width));
        for (item, (ends, y)) in items.enumerate() {
            let x = &x[ends[0] * width..ends[1] * width];
            match self.by {
                _ if x.is_empty() => y.fill(0.0),
                By::Mean => pool_mean(pass.kernels, x, y),
                By::MeanRoot => {
                    pool_mean(pass.kernels, x, y);
                    scale(root(x.len() / width), y);
                }
                By::RisingMean => pool_rising_mean(pass.kernels, x, y),
                By::Max => pool_max(pass.kernels, x, y, &mut chosen[item * width..][..width]),
                By::First => y.copy_from_slice(&x[..width]),
                By::Last => y.copy_from_slice(&x[x.len() - width..]),
            }
        }
        if let By::Max = self.by {
            pass.memo.places[0] = chosen;
        }
    }

    fn backward(&self, pass: &mut Backward<'_>) {
        let Some(to) = &mut pass.input_gradient else { return };
        let width = pass.input.width();
        if let By::Max | By::First | By::Last = self.by {
            to.fill(0.0);
        }
        let items = pass.input.offsets.windows(2).zip(pass.output_gradient.chunks_exact(width));
        for (item, (ends, gradient)) in items.enumerate() {
            let to = &mut to[ends[0] * width..ends[1] * width];
            let last = to.len().saturating_sub(width);
            match self.by {
                _ if to.is_empty() => {}
                By::Mean => pool_mean_gradient(pass.kernels, gradient, to),
                By::MeanRoot => {
                    pool_mean_gradient(pass.kernels, gradient, to);
                    scale(root(to.len() / width), to);
                }
                By::RisingMean => pool_rising_mean_gradient(pass.kernels, gradient, to),
                By::Max => {
                    let chosen = &pass.memo.places[0][item * width..][..width];
                    for (channel, (&row, gradient)) in chosen.iter().zip(gradient).enumerate() {
                        to[row as usize * width + channel] = *gradient;
                    }
                }
                By::First => to[..width].copy_from_slice(gradient),
                By::Last => to[last..].copy_from_slice(gradient),
            }
        }
    }
}

/// √n
fn root(count: usize) -> f32 {
    (count as f32).sqrt()
}

fn scale(by: f32, values: &mut [f32]) {
    values.iter_mut().for_each(|value| *value *= by);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::check::{Case, check};

    fn pool(by: &str, rows: &[f64], width: usize) -> Vec<f64> {
        let count = rows.len() / width;
        let channel = |channel: usize| {
            let mut values = rows.iter().skip(channel).step_by(width).copied();
            match by {
                _ if count == 0 => 0.0,
                "mean" => values.sum::<f64>() / count as f64,
                "mean-root" => values.sum::<f64>() / (count as f64).sqrt(),
                "rising-mean" => {
                    let all: f64 = (1..=count).map(|share| share as f64).sum();
                    values.zip(1..).map(|(value, share)| value * f64::from(share)).sum::<f64>()
                        / all
                }
                "max" => values.fold(f64::NEG_INFINITY, f64::max),
                "first" => rows[channel],
                _ => values.next_back().unwrap_or(0.0),
            }
        };
        (0..width).map(channel).collect()
    }

    #[test]
    fn sequences_and_pictures_become_vectors() {
        for by in ["mean", "mean-root", "rising-mean", "max", "first", "last"] {
            for (positions, lengths) in
                [(None, vec![3, 0, 17, 1, 2]), (Some(vec![2, 3]), vec![6; 3])]
            {
                let layers = json!([{"kind": "pool", "by": by}]);
                let case = Case { layers, positions, width: 21, lengths };
                check(&case, |x, _| {
                    let items = x.offsets.windows(2);
                    items.flat_map(|e| pool(by, &x.values[e[0] * 21..e[1] * 21], 21)).collect()
                });
            }
        }
    }

    #[test]
    fn a_vector_stands_beside_every_row() {
        let branches = json!([[{"kind": "pool", "by": "mean"}], [{"kind": "tanh"}]]);
        let layers = json!([{"kind": "concat", "branches": branches}]);
        for (positions, lengths) in [(None, vec![3, 0, 1, 5]), (Some(vec![2, 2]), vec![4; 3])] {
            let case = Case { layers: layers.clone(), positions, width: 3, lengths };
            check(&case, |x, _| {
                let mut y = Vec::new();
                for ends in x.offsets.windows(2) {
                    let x = &x.values[ends[0] * 3..ends[1] * 3];
                    for row in x.chunks(3) {
                        y.extend(pool("mean", x, 3));
                        y.extend(row.iter().map(|x| x.tanh()));
                    }
                }
                y
            });
        }
    }

    #[test]
    fn kims_network_for_sentences_goes_back() {
        // Kim 2014: windows of several widths side by side, the largest of each.
        let branch = |kernel: usize| {
            json!([{"kind": "conv1d", "channels": 4, "kernel": kernel, "padding": kernel / 2},
                {"kind": "relu"}, {"kind": "pool", "by": "max"}])
        };
        let layers = json!([{"kind": "concat", "branches": [branch(2), branch(3)]}]);
        let case = Case { layers, positions: None, width: 3, lengths: vec![3, 9, 1, 2, 5] };
        check(&case, |x, p| {
            let mut y = Vec::new();
            for ends in x.offsets.windows(2) {
                let x = &x.values[ends[0] * 3..ends[1] * 3];
                for (kernel, p) in [(2, &p[..2]), (3, &p[2..])] {
                    let mut padded = vec![0.0; kernel / 2 * 3];
                    padded.extend(x);
                    padded.extend(vec![0.0; kernel / 2 * 3]);
                    let rows = padded.windows(kernel * 3).step_by(3).flat_map(|x| {
                        (0..4).map(move |channel| {
                            let terms = x
                                .iter()
                                .enumerate()
                                .map(|(i, x)| x * p[0][(channel * 3 + i % 3) * kernel + i / 3]);
                            (p[1][channel] + terms.sum::<f64>()).max(0.0)
                        })
                    });
                    y.extend(pool("max", &rows.collect::<Vec<_>>(), 4));
                }
            }
            y
        });
    }
}
