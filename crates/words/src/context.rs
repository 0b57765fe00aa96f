//! What predicts what: how the rows of a window and the output rows of its centre meet.

use inlay_base::SharedRow;
use inlay_kernels::{
    Output, Simd, Step, add_to_row, add_to_rows, fit, lay_row, learn, mean_of_rows,
};

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
    /// For output rows of so many values, padding included.
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

/// How the rows of a window become one hidden vector, which predicts the centre.
pub trait Fold: Sync {
    /// Makes the hidden vector.
    fn gather<S: Simd>(&self, simd: S, window: &[SharedRow<'_>], hidden: &mut [f32]);

    /// Gives the first `moving` rows of the window their part of its change.
    fn scatter<S: Simd>(&self, simd: S, window: &[SharedRow<'_>], moving: usize, gradient: &[f32]);
}

impl<F: Fold> Context for F {
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
        let step = Step { rate, reach: O::REACH };
        self.gather(simd, window, &mut scratch.hidden);
        let loss = learn(simd, &scratch.hidden, outputs, step, &mut scratch.gradient);
        self.scatter(simd, window, window.len(), &scratch.gradient);
        loss
    }
}

/// The mean (or the sum) of the window predicts the centre: ibid.
pub struct Cbow {
    /// The mean, as in word2vec.c: its whole gradient goes to every word of the window. With the
    /// sum each word gets its share (gensim's `cbow_mean=0`).
    pub mean: bool,
}

impl Fold for Cbow {
    #[inline(always)]
    fn gather<S: Simd>(&self, simd: S, window: &[SharedRow<'_>], hidden: &mut [f32]) {
        let scale = if self.mean { 1.0 / window.len() as f32 } else { 1.0 };
        mean_of_rows(simd, window, scale, hidden);
    }

    #[inline(always)]
    fn scatter<S: Simd>(&self, simd: S, window: &[SharedRow<'_>], moving: usize, gradient: &[f32]) {
        let scale = if self.mean { 1.0 } else { 1.0 / window.len() as f32 };
        add_to_rows(simd, &window[..moving], scale, gradient);
    }
}

/// The rows of the window end to end predict the centre, so each place has outputs of its own: Le
/// and Mikolov 2014, arXiv:1405.4053, section 2.2.
pub struct Concatenation {
    /// Values of a row, without padding.
    pub dimensions: usize,
}

impl Fold for Concatenation {
    /// What lies behind the last row stays as it is: zeros.
    #[inline(always)]
    fn gather<S: Simd>(&self, simd: S, window: &[SharedRow<'_>], hidden: &mut [f32]) {
        for (&row, to) in window.iter().zip(hidden.chunks_exact_mut(self.dimensions)) {
            lay_row(simd, row, to);
        }
    }

    #[inline(always)]
    fn scatter<S: Simd>(&self, simd: S, window: &[SharedRow<'_>], moving: usize, gradient: &[f32]) {
        for (&row, part) in window[..moving].iter().zip(gradient.chunks_exact(self.dimensions)) {
            add_to_row(simd, row, part);
        }
    }
}

/// Only the first row of the window learns; all others, and the outputs, stay as they are.
pub struct Newcomer<'a, F>(pub &'a F);

impl<F: Fold> Context for Newcomer<'_, F> {
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
        let step = Step { rate, reach: O::REACH };
        self.0.gather(simd, window, &mut scratch.hidden);
        let loss = fit(simd, &scratch.hidden, outputs, step, &mut scratch.gradient);
        self.0.scatter(simd, window, 1, &scratch.gradient);
        loss
    }
}
