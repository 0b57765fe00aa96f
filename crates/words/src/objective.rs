//! How a prediction is scored: which output rows a word is told by, and whether each is to be
//! predicted or is noise. The arithmetic is one for all of them (`inlay_kernels::exchange`).

mod hierarchical_softmax;
mod negative_sampling;

use inlay_base::Random;
use inlay_kernels::Output;

pub use hierarchical_softmax::HierarchicalSoftmax;
pub use negative_sampling::NegativeSampling;

/// Turns a word that is to be predicted into output rows with signs.
pub trait Objective: Sync {
    /// Scores this far from zero teach nothing.
    const REACH: f32;

    /// Replaces what is in `outputs` by the rows of one prediction of `target`, all different.
    fn outputs<'a>(&'a self, target: u32, random: &mut Random, outputs: &mut Vec<Output<'a>>);
}
