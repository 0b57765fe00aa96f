//! The cosine of two items is to be their score (Reimers and Gurevych 2019, arXiv:1908.10084, section 3):
//!
//! ```text
//! loss = (cos(a, b) - score)²
//! ```

use super::{Distance, Judged};

/// Adds the losses of pairs and works out the gradient; `scores` has one for each pair.
pub(super) fn apply(scores: &[f32], share: f64, of: Judged<'_>) {
    let Judged { output, parts, gradient, losses } = of;
    let width = output.width() * output.shape.rows().unwrap_or(1);
    let scale = 1.0 / share.max(1.0);
    let examples = output.values.chunks_exact(parts * width);
    let gradients = gradient.chunks_exact_mut(parts * width);
    let pairs = examples.zip(gradients).zip(losses.chunks_exact_mut(parts));
    for (((x, to), losses), &score) in pairs.zip(scores) {
        let (one, other) = x.split_at(width);
        let distance = Distance::Cosine.of(one, other);
        let error = 1.0 - distance - f64::from(score);
        losses[0] += error * error;
        to.fill(0.0);
        let (of_one, of_other) = to.split_at_mut(width);
        let slope = -2.0 * error * scale;
        Distance::Cosine.add_gradient([one, other], distance, slope, [of_one, of_other]);
    }
}
