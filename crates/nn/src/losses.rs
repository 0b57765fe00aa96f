//! What training makes small. A loss is the mean over all that is wanted in a batch: over rows with a
//! class, over values, or over pairs of items.

mod contrast;
mod sampling;
mod similarity;
#[cfg(test)]
mod tests;
mod triplet;

use std::ops::RangeInclusive;

use inlay_kernels::{Desk, Kernels, softmax_times};
use serde::{Deserialize, Serialize};

use self::contrast::Contrast;
pub use self::contrast::Room;
pub use self::sampling::{Distribution, Sampling};
pub use self::triplet::Distance;
use crate::data::{Column, IGNORED, Window};
use crate::layer::{Pass, Rows};
use crate::shape::{Content, Positions, Shape};

/// A loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Loss {
    /// -ln softmax(scores)[class], for scores of each class in each row.
    CrossEntropy {
        /// What each class counts; 1 without.
        #[serde(default)]
        weights: Option<Vec<f32>>,
        /// This share of what is wanted is spread over all classes (Szegedy et al. 2016).
        #[serde(default)]
        smoothing: f32,
    },
    /// Cross-entropy which is learnt from a few classes at a time (see `layers/sampled.rs`): it takes over the last
    /// layer while that learns. Of what is only looked at, all scores count.
    SampledSoftmax {
        /// Classes that a batch is compared with.
        samples: usize,
        /// How they are drawn.
        distribution: Distribution,
    },
    /// -(t·ln σ(s) + (1 - t)·ln(1 - σ(s))) for each score s and its target t.
    BinaryCrossEntropy,
    /// (y - t)²
    SquaredError,
    /// Of each item: that it finds its positive among those of all (see `contrast.rs`).
    Contrastive {
        /// By which cosines are divided.
        temperature: f32,
        /// Whether each positive is to find its item as well.
        #[serde(default)]
        symmetric: bool,
    },
    /// Of each pair: that the cosine of its items is its score (see `similarity.rs`).
    CosineSimilarity,
    /// Of each item: that its positive is nearer than its negative, by a margin (see `triplet.rs`).
    Triplet {
        /// By how much.
        margin: f32,
        /// How far they are from each other.
        distance: Distance,
    },
}

/// What is wanted of the items of a shard.
#[derive(Default)]
pub struct Targets {
    /// Classes, a row each.
    pub ids: Vec<u32>,
    /// Values, [rows, width].
    pub values: Vec<f32>,
}

/// What a network gave for a shard, and what a loss makes of it.
pub struct Judged<'a> {
    /// Of its items; those of an example one after the other. Without values if `gradient` holds them.
    pub output: Rows<'a>,
    /// How many items an example has.
    pub parts: usize,
    /// Of the loss by the output, to be written.
    pub gradient: &'a mut [f32],
    /// Of each item, to be added to.
    pub losses: &'a mut [f64],
}

impl Loss {
    /// How many items an example has: one, or with it a positive and perhaps a negative.
    pub fn parts(&self) -> RangeInclusive<usize> {
        match self {
            Self::Contrastive { .. } => 2..=3,
            Self::CosineSimilarity => 2..=2,
            Self::Triplet { .. } => 3..=3,
            _ => 1..=1,
        }
    }

    /// What the other items of an example are to the first.
    pub fn companions(&self) -> &'static [&'static str] {
        match self {
            Self::CosineSimilarity => &["others"],
            _ => &["positives", "negatives"],
        }
    }

    /// The fewest examples of a batch that say anything.
    pub fn least_examples(&self, parts: usize) -> usize {
        match self {
            // Who is alone finds its positive for sure.
            Self::Contrastive { .. } if parts == 2 => 2,
            _ => 1,
        }
    }

    /// Which classes it compares with while it learns; `None`: it looks at all that the network gives.
    pub fn sampling(&self) -> Option<Sampling> {
        match *self {
            Self::SampledSoftmax { samples, distribution } => {
                Some(Sampling { samples, distribution })
            }
            _ => None,
        }
    }

    /// What must be given beside each example; `None`: nothing.
    ///
    /// # Errors
    /// Why the network's output is nothing for this loss.
    pub fn target(&self, output: &Shape) -> Result<Option<Shape>, String> {
        match self {
            Self::CrossEntropy { weights, .. } => {
                if let Some(weights) = weights
                    && weights.len() != output.width
                {
                    let (classes, given) = (output.width, weights.len());
                    return Err(format!("has {classes} classes, and {given} weights came"));
                }
                Ok(Some(class_of(output)))
            }
            Self::SampledSoftmax { samples, .. } => {
                let classes = output.width;
                if !(1..=classes).contains(samples) {
                    return Err(format!("has {classes} classes, and its loss draws {samples}"));
                }
                Ok(Some(class_of(output)))
            }
            Self::BinaryCrossEntropy | Self::SquaredError => {
                Ok(Some(Shape { axes: 0, ..output.clone() }))
            }
            Self::Contrastive { .. } | Self::CosineSimilarity | Self::Triplet { .. } => {
                match output.positions {
                    Positions::Fixed(_) if *self == Self::CosineSimilarity => {
                        Ok(Some(Shape::vector(1)))
                    }
                    Positions::Fixed(_) => Ok(None),
                    Positions::Any => {
                        let problem = "and its loss takes a vector for each item: pool them first";
                        Err(format!("gives {output}, {problem}"))
                    }
                }
            }
        }
    }

    /// Where targets lie, if not anywhere.
    pub fn range(&self) -> Option<RangeInclusive<f32>> {
        match self {
            Self::BinaryCrossEntropy => Some(0.0..=1.0),
            Self::CosineSimilarity => Some(-1.0..=1.0),
            _ => None,
        }
    }

    /// What the losses of items are divided by: rows with a class (by their weights), or values.
    pub fn share(&self, targets: &Column, items: &[usize], window: Window) -> f64 {
        let of_item = |&item: &usize| match (self, targets.ids(item, window)) {
            (Self::CrossEntropy { weights, .. }, Some(ids)) => {
                let wanted = ids.iter().filter(|&&class| class != IGNORED);
                match weights {
                    None => wanted.count() as f64,
                    Some(weights) => wanted.map(|&class| f64::from(weights[class as usize])).sum(),
                }
            }
            (Self::SampledSoftmax { .. }, Some(ids)) => {
                ids.iter().filter(|&&class| class != IGNORED).count() as f64
            }
            (Self::Contrastive { .. } | Self::CosineSimilarity | Self::Triplet { .. }, _) => 1.0,
            _ => (window.rows(targets.rows(item)) * targets.width) as f64,
        };
        items.iter().map(of_item).sum()
    }

    /// Adds the loss of each item of a shard, as its part of the batch's sum (not of its mean), and
    /// works out the gradient of the mean.
    pub fn apply(
        &self,
        pass: &Pass<'_>,
        targets: &Targets,
        of: Judged<'_>,
        room: &mut Room,
        desk: &mut Desk,
    ) {
        match *self {
            Self::Contrastive { temperature, symmetric } => {
                Contrast { temperature, symmetric }.apply(pass, of, room, desk);
            }
            Self::CosineSimilarity => similarity::apply(&targets.values, pass.share, of),
            Self::Triplet { margin, distance } => triplet::apply(margin, distance, pass.share, of),
            _ => self.row_by_row(pass, targets, of),
        }
    }

    /// Whether a row of its gradient depends on the same row of the output alone.
    pub fn is_row_by_row(&self) -> bool {
        match self {
            Self::CrossEntropy { .. }
            | Self::SampledSoftmax { .. }
            | Self::BinaryCrossEntropy
            | Self::SquaredError => true,
            Self::Contrastive { .. } | Self::CosineSimilarity | Self::Triplet { .. } => false,
        }
    }

    /// A loss that looks at one row after the other.
    fn row_by_row(&self, pass: &Pass<'_>, targets: &Targets, of: Judged<'_>) {
        let Judged { output, gradient, losses, .. } = of;
        let Pass { kernels, share, .. } = *pass;
        let scale = if share > 0.0 { (1.0 / share) as f32 } else { 0.0 };
        let width = output.width();
        for (ends, loss) in output.offsets.windows(2).zip(losses) {
            for row in ends[0]..ends[1] {
                let gradient = &mut gradient[row * width..][..width];
                if !output.values.is_empty() {
                    gradient.copy_from_slice(&output.values[row * width..][..width]);
                }
                *loss += match self {
                    Self::CrossEntropy { weights, smoothing } => {
                        let wanted = Wanted {
                            class: targets.ids[row],
                            weights: weights.as_deref(),
                            smoothing: *smoothing,
                        };
                        wanted.loss(kernels, scale, gradient)
                    }
                    Self::SampledSoftmax { .. } => {
                        let class = targets.ids[row];
                        let wanted = Wanted { class, weights: None, smoothing: 0.0 };
                        wanted.loss(kernels, scale, gradient)
                    }
                    Self::BinaryCrossEntropy => {
                        binary(&targets.values[row * width..][..width], scale, gradient)
                    }
                    Self::SquaredError => {
                        squared(&targets.values[row * width..][..width], scale, gradient)
                    }
                    Self::Contrastive { .. } | Self::CosineSimilarity | Self::Triplet { .. } => 0.0,
                };
            }
        }
    }

    /// Of the rows for which a class is wanted: how many have their highest score there, and how many
    /// there are. `None` where no classes are wanted.
    pub fn right(&self, output: Rows<'_>, targets: &Targets) -> Option<[u64; 2]> {
        let (Self::CrossEntropy { .. } | Self::SampledSoftmax { .. }) = self else { return None };
        let mut counts = [0, 0];
        let scores = output.values.chunks_exact(output.width());
        for (scores, &class) in scores.zip(&targets.ids) {
            let Some(&score) = scores.get(class as usize) else { continue };
            // Of equal scores the first one is the highest.
            let before = scores[..class as usize].iter().all(|&other| other < score);
            let behind = || scores[class as usize..].iter().all(|&other| other <= score);
            counts[0] += u64::from(before && behind());
            counts[1] += 1;
        }
        Some(counts)
    }
}

/// A class for each row of an output.
fn class_of(output: &Shape) -> Shape {
    let positions = match &output.positions {
        Positions::Fixed(axes) => Positions::Fixed(axes.clone()),
        Positions::Any => Positions::Any,
    };
    Shape { content: Content::Ids, positions, width: 1, axes: 0 }
}

/// What cross-entropy wants of a row.
struct Wanted<'a> {
    class: u32,
    weights: Option<&'a [f32]>,
    smoothing: f32,
}

impl Wanted<'_> {
    fn weight(&self, class: usize) -> f32 {
        self.weights.map_or(1.0, |weights| weights[class])
    }

    /// Of each class k the share t_k of what is wanted, times its weight: the loss is -Σ t_k·ln p_k, and
    /// the scores become its gradient, p_k·Σ t - t_k.
    fn loss(&self, kernels: Kernels, scale: f32, scores: &mut [f32]) -> f64 {
        if self.class == IGNORED {
            scores.fill(0.0);
            return 0.0;
        }
        let class = self.class as usize;
        let main = (1.0 - self.smoothing) * self.weight(class);
        let least = self.smoothing / scores.len() as f32;
        let (mut total, mut along) = (f64::from(main), f64::from(main) * f64::from(scores[class]));
        if self.smoothing > 0.0 {
            for (k, &score) in scores.iter().enumerate() {
                let share = f64::from(least * self.weight(k));
                (total, along) = (total + share, along + share * f64::from(score));
            }
        }
        let (logarithm, highest) = softmax_times(kernels, scores, total as f32 * scale);
        if self.smoothing > 0.0 {
            for (k, slope) in scores.iter_mut().enumerate() {
                *slope -= least * self.weight(k) * scale;
            }
        }
        scores[class] -= main * scale;
        total * (f64::from(logarithm) + f64::from(highest)) - along
    }
}

fn binary(targets: &[f32], scale: f32, scores: &mut [f32]) -> f64 {
    let mut loss = 0.0;
    for (score, &target) in scores.iter_mut().zip(targets) {
        let s = f64::from(*score);
        // ln(1 + e⁻|s|) never overflows.
        loss += s.max(0.0) - s * f64::from(target) + (-s.abs()).exp().ln_1p();
        *score = ((1.0 / (1.0 + (-s).exp())) as f32 - target) * scale;
    }
    loss
}

fn squared(targets: &[f32], scale: f32, values: &mut [f32]) -> f64 {
    let mut loss = 0.0;
    for (value, &target) in values.iter_mut().zip(targets) {
        let difference = *value - target;
        loss += f64::from(difference) * f64::from(difference);
        *value = 2.0 * difference * scale;
    }
    loss
}
