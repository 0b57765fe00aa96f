//! What predicts what: how the rows of a window and the output rows of its centre meet.

use inlay_base::SharedRow;
use inlay_kernels::{Output, Simd, Step, add_to_rows, learn, mean_of_rows};

use crate::objective::Objective;

/// One centre word and its window.
pub trait Context: Sync {
    /// Whether each row of the window is a prediction of its own, as in skip-gram.
    const PREDICTS_ALONE: bool;

    /// Learns from one centre: changes the window's rows and the outputs, returns the loss.
    fn learn<S: Simd, O: Objective>(
        &self,
        simd: S,
        window: &[SharedRow<'_>],
        outputs: &[Output<'_>],
        rate: f32,
        scratch: &mut Scratch,
    ) -> f32;
}

/// Rows of a thread's own, as long as padded ones.
pub struct Scratch {
    hidden: Vec<f32>,
    gradient: Vec<f32>,
}

impl Scratch {
    /// For rows of so many values, padding included.
    pub fn new(padded: usize) -> Self {
        Self { hidden: vec![0.0; padded], gradient: vec![0.0; padded] }
    }
}

/// Each word of the window alone predicts the centre: Mikolov et al. 2013, arXiv:1301.3781.
pub struct SkipGram;

impl Context for SkipGram {
    const PREDICTS_ALONE: bool = true;

    #[inline(always)]
    fn learn<S: Simd, O: Objective>(
        &self,
        simd: S,
        window: &[SharedRow<'_>],
        outputs: &[Output<'_>],
        rate: f32,
        _scratch: &mut Scratch,
    ) -> f32 {
        O::exchange(simd, window, outputs, rate)
    }
}

/// The mean (or the sum) of the window predicts the centre: ibid.
pub struct Cbow {
    /// The mean, as in word2vec.c: its whole gradient goes to every word of the window. With the
    /// sum each word gets its share (gensim's `cbow_mean=0`).
    pub mean: bool,
}

impl Context for Cbow {
    const PREDICTS_ALONE: bool = false;

    #[inline(always)]
    fn learn<S: Simd, O: Objective>(
        &self,
        simd: S,
        window: &[SharedRow<'_>],
        outputs: &[Output<'_>],
        rate: f32,
        scratch: &mut Scratch,
    ) -> f32 {
        let share = 1.0 / window.len() as f32;
        let (sum_scale, step_scale) = if self.mean { (share, 1.0) } else { (1.0, share) };
        let step = Step { rate, reach: O::REACH };
        mean_of_rows(simd, window, sum_scale, &mut scratch.hidden);
        let loss = learn(simd, &scratch.hidden, outputs, step, &mut scratch.gradient);
        add_to_rows(simd, window, step_scale, &scratch.gradient);
        loss
    }
}
