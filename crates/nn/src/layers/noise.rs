use inlay_base::Random;
use serde::Deserialize;

use crate::layer::{Backward, Forward, Layer, Mode};
use crate::parameter::normal;
use crate::shape::Shape;

/// In training, each value gets a normal number of this standard deviation added (Vincent et al. 2010,
/// "Stacked Denoising Autoencoders", section 3.3).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Noise {
    deviation: f32,
}

impl Layer for Noise {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        input.values()?;
        // Written so that what is no number is refused as well.
        if !(0.0..f32::INFINITY).contains(&self.deviation) {
            return Err(format!("expects a deviation of 0 or more, got {}", self.deviation));
        }
        Ok(input.clone())
    }

    fn in_place(&self) -> bool {
        true
    }

    fn forward(&self, pass: &mut Forward<'_>) {
        let width = pass.input.width();
        draw(pass.mode, pass.offsets, width, |at, random| {
            pass.output[at] += self.deviation * normal(random);
        });
    }

    fn backward(&self, _pass: &mut Backward<'_>) {}
}

/// In training, calls `each` with the place of each value and the random numbers of its item.
fn draw(mode: Mode, offsets: &[usize], width: usize, mut each: impl FnMut(usize, &mut Random)) {
    for (item, ends) in offsets.windows(2).enumerate() {
        let Some(mut random) = mode.random(item) else { return };
        (ends[0] * width..ends[1] * width).for_each(|at| each(at, &mut random));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::check::{Case, SEED, check};

    /// What the layer after the embedding of `check` adds.
    fn added(offsets: &[usize], width: usize) -> Vec<f64> {
        let mut noise = vec![0.0; offsets[offsets.len() - 1] * width];
        let mode = Mode::Train { seed: SEED, step: 1, first: 0, node: 1 };
        draw(mode, offsets, width, |at, random| noise[at] = f64::from(normal(random)));
        noise
    }

    #[test]
    fn while_training_each_value_has_noise_of_its_own_and_no_gradient_changes() {
        let layers = json!([{"kind": "noise", "deviation": 0.5}]);
        let case = Case { layers, positions: None, width: 7, lengths: vec![3, 1, 5] };
        check(&case, |x, _| {
            let noise = if x.training { 0.5 } else { 0.0 };
            x.values.iter().zip(added(&x.offsets, 7)).map(|(x, n)| x + noise * n).collect()
        });
    }

    #[test]
    fn noise_has_mean_zero_and_variance_one() {
        let noise = added(&[0, 40, 100], 100);
        let mean = noise.iter().sum::<f64>() / 10_000.0;
        let variance = noise.iter().map(|n| n * n).sum::<f64>() / 10_000.0 - mean * mean;
        assert!(mean.abs() < 0.05, "{mean}");
        assert!((variance - 1.0).abs() < 0.08, "{variance}");
    }
}
