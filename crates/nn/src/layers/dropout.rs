use inlay_base::Random;
use serde::Deserialize;

use crate::layer::{Backward, Forward, Layer, Mode};
use crate::shape::Shape;

/// In training, each value becomes zero with this probability, and the others are made larger so that
/// the mean stays (Srivastava et al. 2014).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dropout {
    probability: f32,
    /// Whether all values of a position fall together.
    #[serde(default)]
    rows: bool,
}

impl Layer for Dropout {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        input.values()?;
        if !(0.0..1.0).contains(&self.probability) {
            return Err(format!("expects a probability from 0 up to 1, got {}", self.probability));
        }
        Ok(input.clone())
    }

    fn in_place(&self) -> bool {
        true
    }

    fn forward(&self, pass: &mut Forward<'_>) {
        let Mode::Train { seed, step, first, node } = pass.mode else { return };
        let width = pass.input.width();
        let together = if self.rows { width } else { 1 };
        let factors = pass.memo.values(0, pass.output.len() / together);
        let kept = 1.0 / (1.0 - self.probability);
        for (item, ends) in pass.offsets.windows(2).enumerate() {
            // An item's numbers are its own, wherever the batch was cut.
            let stream = (step << 32) ^ ((first + item) as u64);
            let mut random = Random::new(seed ^ ((node as u64) << 48), stream);
            let (from, to) = (ends[0] * width / together, ends[1] * width / together);
            for factor in &mut factors[from..to] {
                *factor = if random.unit() < self.probability { 0.0 } else { kept };
            }
        }
        apply(factors, together, pass.output);
    }

    fn backward(&self, pass: &mut Backward<'_>) {
        let together = if self.rows { pass.input.width() } else { 1 };
        apply(&pass.memo.values[0], together, pass.output_gradient);
    }
}

fn apply(factors: &[f32], together: usize, values: &mut [f32]) {
    for (factor, values) in factors.iter().zip(values.chunks_exact_mut(together)) {
        values.iter_mut().for_each(|value| *value *= factor);
    }
}
