use inlay_base::Random;
use inlay_kernels::{Attention, Kernels};
use serde::Deserialize;

use super::linear::{Linear, learn_bias, learn_weight};
use crate::layer::{Backward, Forward, Layer, Lesson, Mode};
use crate::parameter::{Blueprint, Initial, Parameter};
use crate::shape::Shape;

/// The rows of an item look at each other, a part of their values in each head (Vaswani et al. 2017,
/// section 3.2.2): PyTorch's `MultiheadAttention` of a sequence with itself.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SelfAttention {
    heads: usize,
    /// Whether a row sees only itself and those before it.
    #[serde(default)]
    causal: bool,
    #[serde(default = "super::yes")]
    bias: bool,
    /// In training, each weight of a row for another becomes zero with this probability.
    #[serde(default)]
    dropout: f32,
}

/// Lists of the memo that `learn` reads. They are, forward: queries, keys and values of all rows; what
/// the heads see; what they need to go back; room to work. Backward: the gradients of the first two.
const SEEN: usize = 1;
const PROJECTED_GRADIENT: usize = 4;

impl SelfAttention {
    fn heads(&self, width: usize) -> Attention {
        let width = width / self.heads;
        Attention { heads: self.heads, width, causal: self.causal, dropout: self.dropout }
    }

    /// What goes into the heads, and what comes out of them.
    fn linears<'a>(
        &self,
        kernels: Kernels,
        parameters: &'a [Parameter],
        rows: usize,
    ) -> [Linear<'a>; 2] {
        let step = 1 + usize::from(self.bias);
        [0, step].map(|first| {
            let bias = self.bias.then(|| &parameters[first + 1]);
            Linear { kernels, weight: &parameters[first], bias, rows }
        })
    }

    /// An item's own random numbers, wherever the batch was cut.
    fn random(&self, mode: Mode, item: usize) -> Option<Random> {
        if self.dropout > 0.0 { mode.random(item) } else { None }
    }
}

/// How long the longest item is.
fn longest(offsets: &[usize]) -> usize {
    offsets.windows(2).map(|ends| ends[1] - ends[0]).max().unwrap_or(0)
}

impl Layer for SelfAttention {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        input.values()?;
        if self.heads == 0 || input.width == 0 || !input.width.is_multiple_of(self.heads) {
            let heads = self.heads;
            return Err(format!("expects rows whose width {heads} heads can share"));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(format!("expects a dropout from 0 up to 1, got {}", self.dropout));
        }
        Ok(input.clone())
    }

    fn parameters(&self, input: &Shape) -> Vec<Blueprint> {
        let width = input.width;
        // As PyTorch has it: Glorot's uniform on the way in, that of dense layers on the way out.
        let glorot = Initial::Uniform((6.0 / (4 * width) as f32).sqrt());
        let dense = Initial::Uniform(1.0 / (width as f32).sqrt());
        let zeros = |name, length| Blueprint::vector(name, length, Initial::Constant(0.0));
        let mut all = vec![Blueprint::matrix("in_proj_weight", &[3 * width, width], glorot)];
        all.extend(self.bias.then(|| zeros("in_proj_bias", 3 * width)));
        all.push(Blueprint::matrix("out_proj.weight", &[width, width], dense));
        all.extend(self.bias.then(|| zeros("out_proj.bias", width)));
        all
    }

    fn operations(&self, input: &Shape, rows: usize) -> u64 {
        let (rows, width) = (rows as u64, input.width as u64);
        let pairs = if self.causal { rows * (rows + 1) / 2 } else { rows * rows };
        8 * rows * width * width + 4 * pairs * width
    }

    fn takes_bytes(&self, parameter: usize) -> bool {
        !self.bias || parameter.is_multiple_of(2)
    }

    fn forward(&self, pass: &mut Forward<'_>) {
        let (rows, width) = (pass.input.rows(), pass.input.width());
        let heads = self.heads(width);
        let room = heads.scratch(longest(pass.offsets));
        let [projected, seen, logarithms, scratch] =
            pass.memo.lists([3 * rows * width, rows * width, rows * self.heads, room]);
        let [inward, outward] = self.linears(pass.kernels, pass.parameters, rows);
        inward.forward(pass.input.values, projected, None, pass.desk);
        for (item, ends) in pass.offsets.windows(2).enumerate() {
            let here = |part: usize| ends[0] * part..ends[1] * part;
            heads.forward(
                pass.kernels,
                &projected[here(3 * width)],
                &mut seen[here(width)],
                &mut logarithms[here(self.heads)],
                self.random(pass.mode, item).as_mut(),
                scratch,
                pass.desk,
            );
        }
        outward.forward(seen, pass.output, None, pass.desk);
    }

    fn backward(&self, pass: &mut Backward<'_>) {
        let (rows, width) = (pass.input.rows(), pass.input.width());
        let heads = self.heads(width);
        let room = heads.scratch(longest(pass.input.offsets));
        let (all, once) = (3 * rows * width, rows * width);
        let [projected, seen, logarithms, scratch, projected_gradient, seen_gradient] =
            pass.memo.lists([all, once, rows * self.heads, room, all, once]);
        let [inward, outward] = self.linears(pass.kernels, pass.parameters, rows);
        outward.backward(pass.output_gradient, seen_gradient, pass.desk);
        for (item, ends) in pass.input.offsets.windows(2).enumerate() {
            let here = |part: usize| ends[0] * part..ends[1] * part;
            heads.backward(
                pass.kernels,
                &projected[here(3 * width)],
                &seen[here(width)],
                &logarithms[here(self.heads)],
                &seen_gradient[here(width)],
                &mut projected_gradient[here(3 * width)],
                self.random(pass.mode, item).as_mut(),
                scratch,
                pass.desk,
            );
        }
        if let Some(to) = &mut pass.input_gradient {
            inward.backward(projected_gradient, to, pass.desk);
        }
    }

    fn learn(&self, lesson: &mut Lesson<'_>) {
        let number = if self.bias { lesson.parameter } else { 2 * lesson.parameter };
        while let Some(known) = lesson.shards.next() {
            let (rows, width) = (known.input.rows(), known.input.width());
            let inward = &known.memo.values[PROJECTED_GRADIENT];
            let outward = known.output_gradient;
            match number {
                0 => learn_weight(lesson, known.input.values, inward, (rows, width, 3 * width)),
                1 => learn_bias(lesson, inward, rows, 3 * width),
                2 => {
                    let seen = &known.memo.values[SEEN];
                    learn_weight(lesson, seen, outward, (rows, width, width));
                }
                _ => learn_bias(lesson, outward, rows, width),
            }
        }
    }
}

/// In f64, for tests. `p` are the parameters with biases (empty for none); `falls` says whether an
/// item's next weight becomes zero.
#[cfg(test)]
pub(super) fn formula(
    x: &crate::check::Items,
    width: usize,
    (heads, causal): (usize, bool),
    p: &[Vec<f64>],
    mut falls: impl FnMut(usize) -> f64,
) -> Vec<f64> {
    let line = |x: &[f64], weight: &[f64], bias: &[f64]| -> Vec<f64> {
        let unit = |(unit, weight): (usize, &[f64])| {
            let terms = x.iter().zip(weight).map(|(x, w)| x * w);
            terms.sum::<f64>() + bias.get(unit).copied().unwrap_or(0.0)
        };
        weight.chunks(width).enumerate().map(unit).collect()
    };
    let n = width / heads;
    let mut output = Vec::new();
    for (item, ends) in x.offsets.windows(2).enumerate() {
        let rows = x.values[ends[0] * width..ends[1] * width].chunks(width);
        let projected: Vec<Vec<f64>> = rows.map(|x| line(x, &p[0], &p[1])).collect();
        let mut seen = vec![vec![0.0; width]; projected.len()];
        for head in 0..heads {
            for (i, query) in projected.iter().enumerate() {
                let part = |row: &[f64], part: usize, at: usize| row[part * width + head * n + at];
                let power = |(j, key): (usize, &Vec<f64>)| -> f64 {
                    let terms = (0..n).map(|at| part(query, 0, at) * part(key, 1, at));
                    let score = terms.sum::<f64>() / (n as f64).sqrt();
                    if causal && j > i { 0.0 } else { score.exp() }
                };
                let powers: Vec<f64> = projected.iter().enumerate().map(power).collect();
                let total: f64 = powers.iter().sum();
                for (value, power) in projected.iter().zip(powers) {
                    let weight = power / total * falls(item);
                    (0..n).for_each(|at| seen[i][head * n + at] += weight * part(value, 2, at));
                }
            }
        }
        output.extend(seen.iter().flat_map(|seen| line(seen, &p[2], &p[3])));
    }
    output
}

#[cfg(test)]
mod tests {
    use inlay_base::Random;
    use serde_json::json;

    use super::formula;
    use crate::check::{Case, Items, SEED, check};

    fn with_biases(p: &[Vec<f64>]) -> Vec<Vec<f64>> {
        match p {
            [inward, outward] => vec![inward.clone(), vec![], outward.clone(), vec![]],
            _ => p.to_vec(),
        }
    }

    #[test]
    fn items_look_at_themselves_in_every_mode() {
        for (heads, causal, bias) in [(1, false, true), (2, true, true), (3, false, false)] {
            let layers = json!([
                {"kind": "self-attention", "heads": heads, "causal": causal, "bias": bias}
            ]);
            let case = Case { layers, positions: None, width: 6, lengths: vec![3, 0, 5, 1] };
            check(&case, |x: &Items, p| formula(x, 6, (heads, causal), &with_biases(p), |_| 1.0));
        }
    }

    #[test]
    fn places_of_a_grid_look_at_each_other() {
        let layers = json!([{"kind": "self-attention", "heads": 2}]);
        let case = Case { layers, positions: Some(vec![2, 3]), width: 4, lengths: vec![6; 3] };
        check(&case, |x, p| formula(x, 4, (2, false), p, |_| 1.0));
    }

    #[test]
    fn weights_that_fall_out_fall_out_both_ways() {
        // The layer is node 1, after the embedding.
        let layers = json!([{"kind": "self-attention", "heads": 2, "dropout": 0.4}]);
        let case = Case { layers, positions: None, width: 4, lengths: vec![3, 1, 5, 4] };
        check(&case, |x, p| {
            let stream = |item: u64| Random::new(SEED ^ (1 << 48), (1 << 32) ^ item);
            let mut streams: Vec<Random> = (0..4).map(stream).collect();
            formula(x, 4, (2, false), p, |item| match x.training {
                true if streams[item].unit() < 0.4 => 0.0,
                true => 1.0 / 0.6,
                false => 1.0,
            })
        });
    }

    #[test]
    fn heads_that_cannot_share_a_row_are_refused() {
        let description = json!({"inputs": [{"content": "values", "width": 6}],
            "layers": [{"kind": "self-attention", "heads": 4, "name": "look"}]});
        let problem = crate::Network::new(&description.to_string(), 1).err().unwrap().to_string();
        assert!(problem.contains("`look` expects rows whose width 4 heads can share"), "{problem}");
        assert!(problem.contains("[any, 6]"), "{problem}");
    }
}
