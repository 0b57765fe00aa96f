//! How a prediction is scored: which output rows a word is told by, and whether each is to be
//! predicted or is noise; and in which order pairs meet.

mod hierarchical_softmax;
mod negative_sampling;

use inlay_base::{Random, SharedRow};
use inlay_kernels::{Learner, Output, Simd, Step};

use crate::lesson::Now;
use crate::view::View;

pub use hierarchical_softmax::HierarchicalSoftmax;
pub use negative_sampling::NegativeSampling;

/// Turns a word that is to be predicted into output rows with signs, and learns from them.
pub trait Objective: Sync {
    /// Scores this far from zero teach nothing; infinite: all do.
    fn reach(&self) -> f32;

    /// Before the first word of a sentence.
    #[inline(always)]
    fn begin(&self, _now: &mut Now<'_, '_>) {}

    /// Replaces what is in `outputs` by the rows of one prediction of `target`, all different.
    fn outputs<'v>(&self, target: u32, now: &mut Now<'v, '_>, outputs: &mut Vec<Output<'v>>);

    /// Predictions that one call of `outputs_together` can be of.
    const TOGETHER: usize = 1;

    /// As `outputs`, for several predictions from the same inputs, at most `TOGETHER`.
    #[inline(always)]
    fn outputs_together<'v>(
        &self,
        targets: &[u32],
        now: &mut Now<'v, '_>,
        outputs: &mut Vec<Output<'v>>,
    ) {
        self.outputs(targets[0], now, outputs);
    }

    /// Noise words that predictions from different inputs can share.
    #[inline(always)]
    fn shares(&self) -> usize {
        0
    }

    /// Adds so many words that are drawn as noise.
    #[inline(always)]
    fn draw_words(&self, _count: usize, _random: &mut Random, _words: &mut Vec<u32>) {}

    /// Replaces what is in `noise` by the rows of words that were drawn.
    #[inline(always)]
    fn noise<'v>(&self, _words: &[u32], _rows: &'v View<'_>, noise: &mut Vec<Output<'v>>) {
        noise.clear();
    }

    /// A row that `target` will be told by, where that is known soon enough to be asked for.
    #[inline(always)]
    fn expects<'v>(&self, _target: u32, _rows: &'v View<'_>) -> Option<SharedRow<'v>> {
        None
    }

    /// Rows learn from hidden vectors while all outputs stay.
    fn fit<S: Simd>(&self, simd: S, predictions: Predictions<'_, '_>);

    /// One step of every input with every output; returns the loss before. Asks for the rows `ahead`.
    fn exchange<S: Simd>(
        simd: S,
        inputs: &[SharedRow<'_>],
        outputs: &[Output<'_>],
        step: Step,
        ahead: &[Output<'_>],
    ) -> f32;

    /// How far a step goes at this learning rate.
    #[inline(always)]
    fn step(&self, rate: f32) -> Step {
        Step { rate, reach: self.reach() }
    }
}

/// Predictions of several words at once, each from a hidden vector of its own.
pub struct Predictions<'p, 'v> {
    /// Hidden vectors, end to end.
    pub hidden: &'p [f32],
    /// Values of a hidden vector that belong to the row which learns: its first.
    pub columns: usize,
    /// What each is to predict, the row that learns, and its part of the vector's change.
    pub pupils: &'p [Pupil<'v>],
    /// Noise that was drawn before, for all of them.
    pub noise: &'p [Output<'v>],
    /// The rows that words are scored by.
    pub rows: &'v View<'v>,
    /// How far a step goes.
    pub step: Step,
    /// Rows that will be read soon.
    pub ahead: &'p [SharedRow<'v>],
    /// Room.
    pub room: &'p mut Room<'v>,
}

/// What learns from a hidden vector.
#[derive(Clone, Copy)]
pub struct Pupil<'v> {
    /// What the vector is to predict.
    pub target: u32,
    /// The row that learns.
    pub row: SharedRow<'v>,
    /// Its part of the vector's change.
    pub scale: f32,
}

/// Room for what a fit works out on its way.
#[derive(Default)]
pub struct Room<'v> {
    outputs: Vec<Output<'v>>,
    learners: Vec<Learner<'v>>,
    gradient: Vec<f32>,
}
