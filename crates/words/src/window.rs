//! Words whose vectors are single rows: the rows around a word, with what company they have, and its
//! output rows meet.

use inlay_base::{SharedMatrix, SharedRow};
use inlay_kernels::{Output, Simd};

use crate::company::Company;
use crate::context::{Context, Scratch};
use crate::lesson::{Lesson, Now, Place, Taught};
use crate::objective::Objective;
use crate::sight::Sight;

/// Context x objective, over one row for each word.
pub struct Window<'a, C, O, M> {
    /// What predicts what.
    pub context: &'a C,
    /// How a prediction is scored.
    pub objective: &'a O,
    /// What stands in windows.
    pub sight: Sight<'a, M>,
    /// Rows that words are scored by: of words or of nodes.
    pub output: &'a SharedMatrix,
    /// One set of noise words for a whole window instead of one for each of its words.
    pub shared_noise: bool,
}

/// What a thread keeps from sentence to sentence.
pub struct Desk<'a> {
    window: Vec<SharedRow<'a>>,
    outputs: Vec<Output<'a>>,
    next: Vec<Output<'a>>,
    scratch: Scratch,
    /// Copies of frozen rows: what they learn is forgotten.
    spare: &'a SharedMatrix,
}

impl<C: Context, O: Objective, M: Company> Lesson for Window<'_, C, O, M> {
    type Desk<'a>
        = Desk<'a>
    where
        Self: 'a;

    fn input(&self) -> &SharedMatrix {
        self.sight.input
    }

    fn output(&self) -> &SharedMatrix {
        self.output
    }

    fn company(&self) -> Option<&SharedMatrix> {
        self.sight.company.rows()
    }

    fn spares(&self) -> usize {
        self.sight.spares()
    }

    fn desk<'a>(&'a self, spare: &'a SharedMatrix) -> Desk<'a> {
        let scratch = Scratch::new(self.output.stride());
        Desk { window: Vec::new(), outputs: Vec::new(), next: Vec::new(), scratch, spare }
    }

    #[inline(always)]
    fn begin<'a, S: Simd>(&'a self, _simd: S, now: &mut Now<'a, '_>, desk: &mut Desk<'a>) {
        self.objective.begin(now);
        if self.learns_together() {
            self.draw_together(0, now, desk);
        } else if let Some(&first) = now.ids.first() {
            self.objective.outputs(first, now, &mut desk.next);
        }
    }

    #[inline(always)]
    fn learn<'a, S: Simd>(
        &'a self,
        simd: S,
        place: Place,
        now: &mut Now<'a, '_>,
        desk: &mut Desk<'a>,
    ) -> Taught {
        let Self { context, objective, .. } = self;
        let Place { centre, .. } = place;
        if self.learns_together() {
            return self.learn_together(simd, centre, now, desk);
        }
        // One step ahead, so that their rows are on the way while this step is worked out.
        std::mem::swap(&mut desk.outputs, &mut desk.next);
        if let Some(&next) = now.ids.get(centre + 1) {
            objective.outputs(next, now, &mut desk.next);
        }
        desk.window.clear();
        self.sight.look(simd, place, now, (desk.spare, 0), &mut desk.window);
        if desk.window.is_empty() {
            return Taught::default();
        }
        let step = objective.step(now.rate);
        let Desk { window, outputs, next, scratch, .. } = &mut *desk;
        if C::PREDICTS_ALONE && !self.shared_noise {
            let mut taught = Taught::default();
            let mut ahead = next.as_slice();
            for row in window.iter() {
                let (alone, ahead) = (std::slice::from_ref(row), std::mem::take(&mut ahead));
                let loss = context.learn::<S, O>(simd, alone, outputs, step, ahead, scratch);
                taught += Taught { loss: f64::from(loss), predictions: 1 };
                objective.outputs(now.ids[centre], now, outputs);
            }
            return taught;
        }
        let loss = context.learn::<S, O>(simd, window, outputs, step, next, scratch);
        let predictions = if C::PREDICTS_ALONE { window.len() as u64 } else { 1 };
        Taught { loss: f64::from(loss), predictions }
    }
}

impl<C: Context, O: Objective, M: Company> Window<'_, C, O, M> {
    /// Whether windows are the same for all centres of a sentence, so that several can share noise.
    #[inline(always)]
    fn learns_together(&self) -> bool {
        !self.sight.company.has_words() && self.shared_noise
    }

    /// Draws the outputs of the centres from `centre` on.
    #[inline(always)]
    fn draw_together<'a>(&'a self, centre: usize, now: &mut Now<'a, '_>, desk: &mut Desk<'a>) {
        let end = now.ids.len().min(centre + O::TOGETHER);
        if centre < end {
            let targets = &now.ids[centre..end];
            self.objective.outputs_together(targets, now, &mut desk.next);
        }
    }

    /// Every few centres, learns from them all.
    #[inline(always)]
    fn learn_together<'a, S: Simd>(
        &'a self,
        simd: S,
        centre: usize,
        now: &mut Now<'a, '_>,
        desk: &mut Desk<'a>,
    ) -> Taught {
        if !centre.is_multiple_of(O::TOGETHER) {
            return Taught::default();
        }
        std::mem::swap(&mut desk.outputs, &mut desk.next);
        self.draw_together(centre + O::TOGETHER, now, desk);
        desk.window.clear();
        self.sight.company.join(now.sentence, &mut desk.window);
        let step = self.objective.step(now.rate);
        let Desk { window, outputs, next, scratch, .. } = &mut *desk;
        let loss = self.context.learn::<S, O>(simd, window, outputs, step, next, scratch);
        let targets = O::TOGETHER.min(now.ids.len() - centre);
        Taught { loss: f64::from(loss), predictions: (targets * window.len()) as u64 }
    }
}
