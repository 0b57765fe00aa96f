//! Several new documents at a time: in each step every one of them learns from its next word, and all
//! share the noise of the step, whose rows are met once for all.
//!
//! The noise of a step follows from the seed, the pass and the number of the step alone. So a document
//! has the same vector whatever stands beside it, and as much noise as if it were alone.

use inlay_base::{Random, Run, SharedMatrix, SharedRow};
use inlay_kernels::{Output, Simd, Task, prefetch};

use super::tags::Tagged;
use crate::context::{Fold, Scratch, learn_first};
use crate::lesson::{Now, Reach};
use crate::objective::Objective;
use crate::sight::Sight;
use crate::view::View;

/// Documents at a time. More share a row of noise, but their windows must stay near as well.
pub const ABREAST: usize = 8;

/// A document on its way.
pub struct Lane {
    /// Its number among the new ones.
    pub number: usize,
    /// Its words in this pass, subsampled.
    pub ids: Vec<u32>,
    /// Its own random numbers.
    pub random: Random,
}

/// What a thread keeps from group to group.
pub struct Desk<'a> {
    window: Vec<SharedRow<'a>>,
    outputs: Vec<Output<'a>>,
    noise: Vec<Output<'a>>,
    next: Vec<Output<'a>>,
    scratch: Scratch,
}

impl Desk<'_> {
    /// For output rows of so many values, padding included.
    pub fn new(padded: usize) -> Self {
        let scratch = Scratch::new(padded);
        Self { window: vec![], outputs: vec![], noise: vec![], next: vec![], scratch }
    }
}

/// One pass over a group of documents.
pub struct Pass<'a, 'p, F, O> {
    pub fold: &'a F,
    pub objective: &'a O,
    pub sight: &'a Sight<'a, Tagged<'a>>,
    pub output: &'a View<'a>,
    /// No rows: nothing is frozen that could move.
    pub spare: &'a SharedMatrix,
    pub reach: Reach,
    pub rate: f32,
    /// The noise of this pass.
    pub random: Random,
    pub lanes: &'p mut [Lane],
    pub desk: &'p mut Desk<'a>,
    pub run: &'p Run,
}

impl<F: Fold, O: Objective> Task for Pass<'_, '_, F, O> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { fold, objective, sight, output, spare, reach, rate, .. } = self;
        let Self { mut random, lanes, desk, run, .. } = self;
        let step = objective.step(rate);
        let Desk { window, outputs, noise, next, scratch } = desk;
        objective.noise(output, &mut random, next);
        let steps = lanes.iter().map(|lane| lane.ids.len()).max().unwrap_or(0);
        for centre in 0..steps {
            if run.stopped() {
                return;
            }
            std::mem::swap(noise, next);
            objective.noise(output, &mut random, next);
            next.iter().for_each(|output| prefetch(simd, output.row));
            for Lane { number, ids, random } in &mut *lanes {
                let Some(&target) = ids.get(centre) else { continue };
                if let Some(&next) = ids.get(centre + 1) {
                    objective.expect(simd, next, output);
                }
                let place = reach.place(centre, ids.len(), random);
                let now = Now { ids, sentence: *number, output, rate, random };
                window.clear();
                sight.look(simd, place, &now, (spare, 0), window);
                objective.outputs_amid(target, noise, output, outputs);
                learn_first(simd, fold, window, outputs, step, scratch);
            }
        }
    }
}
