//! An item is to be nearer to its positive than to its negative (Schroff et al. 2015, arXiv:1503.03832):
//!
//! ```text
//! loss = max(0, d(a, p) - d(a, n) + margin)
//! d(x, y) = |x - y + 1e-6|, as PyTorch has it, or 1 - cos(x, y)
//! ```

use serde::{Deserialize, Serialize};

use super::Judged;

/// How far two vectors are from each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Distance {
    /// The length of their difference.
    Euclidean,
    /// 1 - the cosine of their angle.
    Cosine,
}

/// Keeps the root's derivative finite where two vectors are the same.
const APART: f64 = 1e-6;

/// Adds the losses and works out the gradient.
pub(super) fn apply(margin: f32, distance: Distance, share: f64, of: Judged<'_>) {
    let Judged { output, parts, gradient, losses } = of;
    let width = output.width() * output.shape.rows().unwrap_or(1);
    let scale = 1.0 / share.max(1.0);
    let examples = output.values.chunks_exact(parts * width);
    let gradients = gradient.chunks_exact_mut(parts * width);
    for ((x, to), losses) in examples.zip(gradients).zip(losses.chunks_exact_mut(parts)) {
        let (anchor, others) = x.split_at(width);
        let (positive, negative) = others.split_at(width);
        let (near, far) = (distance.of(anchor, positive), distance.of(anchor, negative));
        let loss = near - far + f64::from(margin);
        to.fill(0.0);
        // Written so that what is no number counts as a loss.
        if loss <= 0.0 {
            continue;
        }
        losses[0] += loss;
        let (of_anchor, of_others) = to.split_at_mut(width);
        let (of_positive, of_negative) = of_others.split_at_mut(width);
        distance.add_gradient([anchor, positive], near, scale, [of_anchor, of_positive]);
        distance.add_gradient([anchor, negative], far, -scale, [of_anchor, of_negative]);
    }
}

impl Distance {
    pub(super) fn of(self, x: &[f32], y: &[f32]) -> f64 {
        let pairs = x.iter().zip(y).map(|(&x, &y)| (f64::from(x), f64::from(y)));
        match self {
            Self::Euclidean => pairs.map(|(x, y)| (x - y + APART).powi(2)).sum::<f64>().sqrt(),
            Self::Cosine => {
                let [xy, xx, yy] = pairs
                    .fold([0.0; 3], |[xy, xx, yy], (x, y)| [xy + x * y, xx + x * x, yy + y * y]);
                1.0 - if xx > 0.0 && yy > 0.0 { xy / (xx.sqrt() * yy.sqrt()) } else { 0.0 }
            }
        }
    }

    /// Adds the gradient of scale·d(x, y), of which d is known.
    pub(super) fn add_gradient(
        self,
        [x, y]: [&[f32]; 2],
        d: f64,
        scale: f64,
        [to_x, to_y]: [&mut [f32]; 2],
    ) {
        let square = |v: &[f32]| v.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>();
        let (xx, yy) = (square(x), square(y));
        // What has no direction has no gradient.
        let inverse = |square: f64| if square > 0.0 { 1.0 / square } else { 0.0 };
        let (both, cosine) = (inverse(xx * yy).sqrt(), 1.0 - d);
        let values = x.iter().zip(y).map(|(&x, &y)| (f64::from(x), f64::from(y)));
        for ((x, y), (to_x, to_y)) in values.zip(to_x.iter_mut().zip(to_y)) {
            let [by_x, by_y] = match self {
                Self::Euclidean => {
                    let slope = (x - y + APART) * inverse(d * d).sqrt();
                    [slope, -slope]
                }
                Self::Cosine => {
                    [cosine * x * inverse(xx) - y * both, cosine * y * inverse(yy) - x * both]
                }
            };
            *to_x += (scale * by_x) as f32;
            *to_y += (scale * by_y) as f32;
        }
    }
}
