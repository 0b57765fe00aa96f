use inlay_kernels::Start;
use serde::Deserialize;

use super::linear::{Linear, learn_bias, learn_weight};
use crate::layer::{Backward, Forward, Layer, Lesson};
use crate::parameter::{Blueprint, Initial, Parameter, normal};
use crate::shape::Shape;

/// A normal distribution for each position (Kingma and Welling 2014, arXiv:1312.6114): its mean μ and the
/// logarithm of its variance, each a dense layer of its own. While training, a sample of it goes on, and
/// how far it is from the standard normal one is added to the loss:
///
/// ```text
/// z = μ + σ·ε      ε ~ N(0, 1)      KL = Σ (μ² + σ² - 1 - ln σ²) / 2
/// ```
///
/// While encoding, μ goes on.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Variational {
    units: usize,
    /// What the divergence counts: β of Higgins et al. 2017.
    #[serde(default = "one")]
    weight: f32,
}

fn one() -> f32 {
    1.0
}

/// Where the memo holds the gradient by logarithms of variances.
const GRADIENT: usize = 3;

impl Variational {
    /// What makes means, and what makes logarithms of variances.
    fn halves<'a>(
        &self,
        parameters: &'a [Parameter],
        kernels: inlay_kernels::Kernels,
        rows: usize,
    ) -> [Linear<'a>; 2] {
        [0, 2].map(|first| Linear {
            kernels,
            weight: &parameters[first],
            bias: Some(&parameters[first + 1]),
            rows,
        })
    }
}

impl Layer for Variational {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        input.values()?;
        if self.units == 0 {
            return Err("has no unit".into());
        }
        // Written so that what is no number is refused as well.
        if !(0.0..f32::INFINITY).contains(&self.weight) {
            return Err(format!("expects a weight of 0 or more, got {}", self.weight));
        }
        Ok(input.with_width(self.units))
    }

    fn parameters(&self, input: &Shape) -> Vec<Blueprint> {
        // As of dense layers.
        let initial = Initial::Uniform(1.0 / (input.width.max(1) as f32).sqrt());
        let half = |name: &str| {
            [
                Blueprint::matrix(&format!("{name}.weight"), &[self.units, input.width], initial),
                Blueprint::vector(&format!("{name}.bias"), self.units, initial),
            ]
        };
        ["mean", "log_variance"].into_iter().flat_map(half).collect()
    }

    fn operations(&self, input: &Shape, rows: usize) -> u64 {
        2 * (rows * input.width * self.units) as u64
    }

    fn forward(&self, pass: &mut Forward<'_>) {
        let x = pass.input.values;
        let [mean, log_variance] = self.halves(pass.parameters, pass.kernels, pass.input.rows());
        mean.forward(x, pass.output, None, pass.desk);
        if pass.losses.is_empty() {
            return;
        }
        let size = pass.output.len();
        let [logarithms, means, noise] = pass.memo.lists([size; 3]);
        log_variance.forward(x, logarithms, None, pass.desk);
        means.copy_from_slice(pass.output);
        for ((item, ends), loss) in pass.offsets.windows(2).enumerate().zip(&mut *pass.losses) {
            let values = ends[0] * self.units..ends[1] * self.units;
            let mut random = pass.mode.random(item);
            let of_item = means[values.clone()].iter().zip(&logarithms[values.clone()]);
            let places = pass.output[values.clone()].iter_mut().zip(&mut noise[values]);
            let mut divergence = 0.0;
            for ((&mean, &logarithm), (z, epsilon)) in of_item.zip(places) {
                let (mean, logarithm) = (f64::from(mean), f64::from(logarithm));
                divergence += mean * mean + logarithm.exp() - 1.0 - logarithm;
                if let Some(random) = &mut random {
                    *epsilon = normal(random);
                    *z = (mean + (logarithm / 2.0).exp() * f64::from(*epsilon)) as f32;
                }
            }
            *loss += f64::from(self.weight) * divergence / 2.0;
        }
    }

    fn backward(&self, pass: &mut Backward<'_>) {
        let size = pass.output_gradient.len();
        let [logarithms, means, noise, gradient] = pass.memo.lists([size; 4]);
        let scale = if pass.share > 0.0 { f64::from(self.weight) / pass.share } else { 0.0 };
        let of_means = pass.output_gradient.iter_mut().zip(&*means);
        let of_logarithms = gradient.iter_mut().zip(&*logarithms).zip(&*noise);
        for ((by_mean, &mean), ((by_logarithm, &logarithm), &epsilon)) in
            of_means.zip(of_logarithms)
        {
            let (by_z, deviation) = (f64::from(*by_mean), (f64::from(logarithm) / 2.0).exp());
            *by_mean = (by_z + scale * f64::from(mean)) as f32;
            *by_logarithm = ((by_z * deviation * f64::from(epsilon)
                + scale * (deviation * deviation - 1.0))
                / 2.0) as f32;
        }
        let Some(to) = &mut pass.input_gradient else { return };
        let [mean, log_variance] = self.halves(pass.parameters, pass.kernels, pass.input.rows());
        mean.backward(pass.output_gradient, to, pass.desk);
        log_variance.backward_from(Start::Held, gradient, to, pass.desk);
    }

    fn learn(&self, lesson: &mut Lesson<'_>) {
        while let Some(known) = lesson.shards.next() {
            let (rows, width) = (known.input.rows(), known.input.width());
            let from = match lesson.parameter {
                0 | 1 => known.output_gradient,
                _ => &known.memo.values[GRADIENT],
            };
            match lesson.parameter {
                0 | 2 => learn_weight(lesson, known.input.values, from, (rows, width, self.units)),
                _ => learn_bias(lesson, from, rows, self.units),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::check::{Case, SEED, check_with_losses};
    use crate::layer::Mode;
    use crate::parameter::normal;

    fn dense(x: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
        let width = weight.len() / bias.len();
        let unit = |(weight, bias): (&[f64], &f64)| -> f64 {
            x.iter().zip(weight).map(|(x, w)| x * w).sum::<f64>() + bias
        };
        weight.chunks(width).zip(bias).map(unit).collect()
    }

    #[test]
    fn samples_and_their_divergence_go_both_ways_with_the_noise_held() {
        for (weight, units) in [(1.0, 3), (0.25, 17), (0.0, 2)] {
            // A layer on either side, so that neither what goes in nor the gradient is too simple.
            let layers = json!([{"kind": "tanh"},
                {"kind": "variational", "units": units, "weight": weight},
                {"kind": "dense", "units": 4}]);
            let case = Case { layers, positions: None, width: 5, lengths: vec![2, 0, 1, 3] };
            check_with_losses(&case, |items, p| {
                let (mut output, mut loss) = (Vec::new(), 0.0);
                for (item, ends) in items.offsets.windows(2).enumerate() {
                    let mode = Mode::Train { seed: SEED, step: 1, first: 0, node: 2 };
                    let mut random = mode.random(item).expect("numbers");
                    for row in ends[0]..ends[1] {
                        let x: Vec<f64> =
                            items.values[row * 5..][..5].iter().map(|x| x.tanh()).collect();
                        let (mean, log) = (dense(&x, &p[0], &p[1]), dense(&x, &p[2], &p[3]));
                        let mut z = mean.clone();
                        for ((z, mean), log) in z.iter_mut().zip(&mean).zip(&log) {
                            loss += weight * (mean * mean + log.exp() - 1.0 - log) / 2.0;
                            if items.training {
                                *z += (log / 2.0).exp() * f64::from(normal(&mut random));
                            }
                        }
                        output.extend(dense(&z, &p[4], &p[5]));
                    }
                }
                (output, loss)
            });
        }
    }

    #[test]
    fn options_that_make_no_sense_are_refused() {
        for (layer, wanted) in [
            (json!({"kind": "variational", "units": 0}), "has no unit"),
            (json!({"kind": "variational", "units": 2, "weight": -1.0}), "a weight of 0 or more"),
        ] {
            let description = json!({"inputs": [{"content": "values", "width": 3}],
                "layers": [layer]});
            let error = crate::Network::new(&description.to_string(), 1).err().expect("an error");
            assert!(error.to_string().contains(wanted), "{error}");
        }
    }
}
