//! Several new documents at a time: in each step every one of them learns from its next word, and all
//! share the noise of the step, whose rows are met once for all.
//!
//! The noise of a step follows from the seed, the pass, the number of the step, and how long the
//! document is, to a fifth: documents that stand side by side are about as long. So a document has the
//! same vector whatever stands beside it, and as much noise as if it were alone. Were the noise that of
//! all documents, all vectors would be moved away from those of the training in one direction, and a
//! classifier of the one would err more often on the other (half a point on 20 Newsgroups).

use inlay_base::{Random, Run, SharedMatrix, SharedRow};
use inlay_kernels::{Aligned, Output, Simd, Task, prefetch};

use super::tags::Tagged;
use crate::context::Fold;
use crate::lesson::{Now, Reach};
use crate::objective::{Objective, Predictions};
use crate::sight::Sight;
use crate::view::View;
use crate::{Drawn, Subsample};

/// Documents at a time. More share a row of noise, but their windows must stay near as well.
pub const ABREAST: usize = 8;

/// A document on its way.
pub struct Lane<'c> {
    /// Its number among the new ones.
    pub number: usize,
    /// Its words.
    pub ids: &'c [u32],
    /// Its own random numbers.
    pub random: Random,
}

impl Lane<'_> {
    /// Documents of one kind share their noise: four kinds for each doubling of the length.
    pub fn kin(&self) -> u32 {
        let length = self.ids.len().max(1);
        let doublings = length.ilog2();
        4 * doublings + ((4 * length) >> doublings) as u32 % 4
    }
}

/// What a thread keeps from group to group.
pub struct Desk<'a> {
    /// The words of a group's documents, subsampled.
    kept: [Vec<u32>; ABREAST],
    /// The windows of a step, end to end, and where each ends.
    windows: Vec<SharedRow<'a>>,
    ends: Vec<usize>,
    targets: Vec<u32>,
    outputs: Vec<Output<'a>>,
    noise: Vec<Output<'a>>,
    next: Vec<Output<'a>>,
    /// [ABREAST, padded], both.
    hidden: Aligned<f32>,
    gradients: Aligned<f32>,
    padded: usize,
}

impl Desk<'_> {
    /// For output rows of so many values, padding included.
    pub fn new(padded: usize) -> Self {
        let [hidden, gradients] = [0, 1].map(|_| Aligned::new(0.0, ABREAST * padded));
        let (windows, ends, targets) = (vec![], vec![], vec![]);
        let (outputs, noise, next) = (vec![], vec![], vec![]);
        let kept = [const { Vec::new() }; ABREAST];
        Self { kept, windows, ends, targets, outputs, noise, next, hidden, gradients, padded }
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
    pub subsample: &'a Subsample,
    /// The noise of this pass, step by step.
    pub drawn: &'p [u32],
    /// At most `ABREAST`.
    pub lanes: &'p mut [Lane<'a>],
    pub desk: &'p mut Desk<'a>,
    pub run: &'p Run,
}

impl<F: Fold, O: Objective> Task for Pass<'_, '_, F, O> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { fold, objective, sight, output, spare, reach, rate, .. } = self;
        let Self { subsample, drawn, lanes, desk, run, .. } = self;
        let step = objective.step(rate);
        let Desk { kept, windows, ends, targets, outputs, noise, next, hidden, .. } = desk;
        let Desk { gradients, padded, .. } = desk;
        for (lane, kept) in lanes.iter_mut().zip(&mut *kept) {
            subsample.keep(lane.ids, &mut lane.random, kept);
        }
        let none = &mut Drawn::default();
        let kept = &kept[..lanes.len()];
        let steps = kept.iter().map(Vec::len).max().unwrap_or(0);
        let shares = objective.shares();
        let words = |step: usize| drawn.get(step * shares..(step + 1) * shares).unwrap_or(&[]);
        objective.noise(words(0), output, next);
        for centre in 0..steps {
            if run.stopped() {
                return;
            }
            std::mem::swap(noise, next);
            objective.noise(words(centre + 1), output, next);
            next.iter().for_each(|output| prefetch(simd, output.row));
            windows.clear();
            ends.clear();
            targets.clear();
            for (Lane { number, random, .. }, ids) in lanes.iter_mut().zip(kept) {
                let Some(&target) = ids.get(centre) else { continue };
                if let Some(&next) = ids.get(centre + 1) {
                    objective.expect(simd, next, output);
                }
                let place = reach.place(centre, ids.len(), random);
                let now = Now { ids, sentence: *number, output, rate, random, drawn: none };
                let start = windows.len();
                sight.look(simd, place, &now, (spare, 0), windows);
                let lane = targets.len() * *padded;
                fold.gather(simd, &windows[start..], &mut hidden[lane..lane + *padded]);
                ends.push(windows.len());
                targets.push(target);
            }
            let values = targets.len() * *padded;
            objective.fit(
                simd,
                Predictions {
                    hidden: &hidden[..values],
                    targets,
                    noise,
                    rows: output,
                    step,
                    outputs,
                    gradients: &mut gradients[..values],
                },
            );
            let mut start = 0;
            for (&end, gradient) in ends.iter().zip(gradients.chunks_exact(*padded)) {
                fold.scatter(simd, &windows[start..end], 1, gradient);
                start = end;
            }
        }
    }
}
