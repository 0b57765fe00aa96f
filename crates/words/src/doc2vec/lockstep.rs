//! Several new documents at a time: in each step every one of them learns from its next word, and all
//! share the noise of the step, whose rows are met once for all.
//!
//! The noise of a step follows from the seed, the pass, the number of the step, and how long the
//! document is, to a fifth: documents that stand side by side are about as long. So a document has the
//! same vector whatever stands beside it, and as much noise as if it were alone. Were the noise that of
//! all documents, all vectors would be moved away from those of the training in one direction, and a
//! classifier of the one would err more often on the other (half a point on 20 Newsgroups).

use inlay_base::{Random, Run, SharedMatrix, SharedRow};
use inlay_kernels::{Aligned, Output, Simd, Task};

use super::around::Around;
use crate::Subsample;
use crate::lesson::Reach;
use crate::objective::{Objective, Predictions, Pupil, Room};
use crate::view::View;

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
pub struct Desk<'a, K> {
    /// The words of a group's documents, subsampled.
    ids: [Vec<u32>; ABREAST],
    /// What is kept of what stands around, for each document.
    kept: Aligned<K>,
    keeps: usize,
    /// Of a step: who learns, from which hidden vector, beside which noise.
    pupils: Vec<Pupil<'a>>,
    noise: Vec<Output<'a>>,
    next: Vec<Output<'a>>,
    /// [ABREAST, padded].
    hidden: Aligned<f32>,
    padded: usize,
    /// Rows that the next steps will read.
    ahead: Vec<SharedRow<'a>>,
    room: Room<'a>,
}

impl<K: Copy + Default> Desk<'_, K> {
    /// For output rows of so many values, padding included.
    pub fn new(around: &impl Around<Kept = K>, padded: usize) -> Self {
        let keeps = around.keeps();
        Self {
            ids: [const { Vec::new() }; ABREAST],
            kept: Aligned::new(K::default(), ABREAST * keeps),
            keeps,
            pupils: Vec::new(),
            noise: Vec::new(),
            next: Vec::new(),
            hidden: Aligned::new(0.0, ABREAST * padded),
            padded,
            ahead: Vec::new(),
            room: Room::default(),
        }
    }
}

/// One pass over a group of documents.
pub struct Pass<'a, 'p, A: Around, O> {
    pub around: &'a A,
    pub objective: &'a O,
    /// One row for each new document.
    pub tags: &'a SharedMatrix,
    pub output: &'a View<'a>,
    pub reach: Reach,
    pub rate: f32,
    pub subsample: &'a Subsample,
    /// The noise of this pass, step by step.
    pub drawn: &'p [u32],
    /// At most `ABREAST`.
    pub lanes: &'p mut [Lane<'a>],
    pub desk: &'p mut Desk<'a, A::Kept>,
    pub run: &'p Run,
}

impl<A: Around, O: Objective> Task for Pass<'_, '_, A, O> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { around, objective, tags, output, reach, rate, .. } = self;
        let Self { subsample, drawn, lanes, desk, run, .. } = self;
        let step = objective.step(rate);
        let Desk { ids, kept, pupils, noise, next, hidden, ahead, room, .. } = desk;
        let (padded, keeps) = (desk.padded, desk.keeps);
        for (lane, (Lane { ids: all, random, .. }, ids)) in
            lanes.iter_mut().zip(&mut *ids).enumerate()
        {
            subsample.keep(all, random, ids);
            around.begin(ids, &mut kept[lane * keeps..][..keeps]);
        }
        let ids = &ids[..lanes.len()];
        let steps = ids.iter().map(Vec::len).max().unwrap_or(0);
        let shares = objective.shares();
        let words = |step: usize| drawn.get(step * shares..(step + 1) * shares).unwrap_or(&[]);
        objective.noise(words(0), output, next);
        for centre in 0..steps {
            if run.stopped() {
                return;
            }
            std::mem::swap(noise, next);
            objective.noise(words(centre + 1), output, next);
            ahead.clear();
            ahead.extend(next.iter().map(|output| output.row));
            pupils.clear();
            for (lane, (Lane { number, random, .. }, ids)) in lanes.iter_mut().zip(ids).enumerate()
            {
                let Some(&target) = ids.get(centre) else { continue };
                let next = ids.get(centre + 1);
                ahead.extend(next.and_then(|&next| objective.expects(next, output)));
                let place = reach.place(centre, ids.len(), random);
                let row = tags.row(*number as u32);
                let kept = &mut kept[lane * keeps..][..keeps];
                let hidden = &mut hidden[pupils.len() * padded..][..padded];
                around.gather(simd, row, (ids, place), kept, hidden);
                pupils.push(Pupil { target, row, scale: around.part(place) });
            }
            let hidden = &hidden[..pupils.len() * padded];
            let (columns, rows) = (tags.columns(), output);
            let asked = Predictions { hidden, columns, pupils, noise, rows, step, ahead, room };
            objective.fit(simd, asked);
        }
    }
}
