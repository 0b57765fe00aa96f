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
    /// Whether the others are made larger, so that the mean stays.
    #[serde(default = "super::yes")]
    rescale: bool,
}

impl Layer for Dropout {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        input.values()?;
        if !(0.0..1.0).contains(&self.probability) {
            return Err(format!("expects a probability from 0 up to 1, got {}", self.probability));
        }
        Ok(input.clone())
    }

    fn takes_windows(&self) -> bool {
        true
    }

    fn in_place(&self) -> bool {
        true
    }

    fn forward(&self, pass: &mut Forward<'_>) {
        let width = pass.input.width();
        let together = if self.rows { width } else { 1 };
        if pass.mode == Mode::Encode {
            return;
        }
        let factors = pass.memo.values(0, pass.output.len() / together);
        draw(pass.mode, self.probability, pass.offsets, width / together, factors);
        if !self.rescale {
            factors.iter_mut().for_each(|factor| *factor = f32::from(*factor > 0.0));
        }
        apply(factors, together, pass.output);
    }

    fn backward(&self, pass: &mut Backward<'_>) {
        let together = if self.rows { pass.input.width() } else { 1 };
        apply(&pass.memo.values[0], together, pass.output_gradient);
    }
}

/// In training, a factor for each of `width` values at every position: zero with this probability.
pub(super) fn draw(
    mode: Mode,
    probability: f32,
    offsets: &[usize],
    width: usize,
    factors: &mut [f32],
) {
    let kept = 1.0 / (1.0 - probability);
    for (item, ends) in offsets.windows(2).enumerate() {
        let Some(mut random) = mode.random(item) else { return };
        for factor in &mut factors[ends[0] * width..ends[1] * width] {
            *factor = if random.unit() < probability { 0.0 } else { kept };
        }
    }
}

/// Multiplies each `together` values by a factor.
pub(super) fn apply(factors: &[f32], together: usize, values: &mut [f32]) {
    for (factor, values) in factors.iter().zip(values.chunks_exact_mut(together)) {
        values.iter_mut().for_each(|value| *value *= factor);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::check::{Case, SEED, check};

    #[test]
    fn values_fall_and_the_others_grow_or_stay() {
        for (rescale, kept) in [(true, 1.0 / 0.6), (false, 1.0)] {
            let layers = json!([{"kind": "dropout", "probability": 0.4, "rescale": rescale}]);
            let case = Case { layers, positions: None, width: 7, lengths: vec![3, 1, 5] };
            check(&case, |x, _| {
                let mut factors = vec![1.0; x.values.len()];
                let mode = Mode::Train { seed: SEED, step: 1, first: 0, node: 1 };
                draw(mode, 0.4, &x.offsets, 7, &mut factors);
                let fallen = factors.iter().filter(|&&factor| factor == 0.0).count();
                assert!((15..36).contains(&fallen), "{fallen} of 63 have fallen");
                let factor = |kept_: &f32| match (x.training, *kept_ > 0.0) {
                    (true, fell) => kept * f64::from(u8::from(fell)),
                    (false, _) => 1.0,
                };
                x.values.iter().zip(&factors).map(|(x, kept)| x * factor(kept)).collect()
            });
        }
    }
}
