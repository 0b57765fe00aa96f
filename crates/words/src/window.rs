//! Words whose vectors are single rows: the rows around a word and its output rows meet.

use inlay_base::{SharedMatrix, SharedRow};
use inlay_kernels::{Output, Simd, prefetch};

use crate::context::{Context, Scratch};
use crate::lesson::{Lesson, Now, Place, Taught};
use crate::objective::Objective;

/// Context x objective, over one row for each word.
pub struct Window<'a, C, O> {
    /// What predicts what.
    pub context: &'a C,
    /// How a prediction is scored.
    pub objective: &'a O,
    /// One row for each word.
    pub input: &'a SharedMatrix,
    /// Rows that words are scored by: of words or of nodes.
    pub output: &'a SharedMatrix,
    /// Words on each side, at most.
    pub window: usize,
    /// One set of noise words for a whole window instead of one for each of its words.
    pub shared_noise: bool,
    /// Words whose input rows do not move, by id.
    pub frozen: Option<&'a [bool]>,
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

impl<C: Context, O: Objective> Lesson for Window<'_, C, O> {
    type Desk<'a>
        = Desk<'a>
    where
        Self: 'a;

    fn input(&self) -> &SharedMatrix {
        self.input
    }

    fn output(&self) -> &SharedMatrix {
        self.output
    }

    fn spares(&self) -> usize {
        if self.frozen.is_some() { 2 * self.window } else { 0 }
    }

    fn desk<'a>(&'a self, spare: &'a SharedMatrix) -> Desk<'a> {
        let scratch = Scratch::new(self.input.stride());
        Desk { window: Vec::new(), outputs: Vec::new(), next: Vec::new(), scratch, spare }
    }

    #[inline(always)]
    fn begin<'a, S: Simd>(&'a self, _simd: S, now: &mut Now<'a, '_>, desk: &mut Desk<'a>) {
        if let Some(&first) = now.ids.first() {
            self.objective.outputs(first, now.output, now.random, &mut desk.next);
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
        let Self { context, objective, input, .. } = self;
        let Place { centre, .. } = place;
        // One step ahead, so that their rows are on the way while this step is worked out.
        std::mem::swap(&mut desk.outputs, &mut desk.next);
        if let Some(&next) = now.ids.get(centre + 1) {
            objective.outputs(next, now.output, now.random, &mut desk.next);
            desk.next.iter().for_each(|output| prefetch(simd, output.row));
        }
        if let Some(&entering) = now.ids.get(centre + 1 + self.window) {
            prefetch(simd, input.row(entering));
        }
        if place.is_alone() {
            return Taught::default();
        }
        desk.window.clear();
        desk.window.extend(place.around().map(|at| input.row(now.ids[at])));
        if let Some(frozen) = self.frozen {
            spare_frozen(place.around().map(|at| now.ids[at]), frozen, input, desk);
        }
        let Desk { window, outputs, scratch, .. } = &mut *desk;
        if C::PREDICTS_ALONE && !self.shared_noise {
            let mut taught = Taught::default();
            for row in window.iter() {
                let alone = std::slice::from_ref(row);
                let loss = context.learn::<S, O>(simd, alone, outputs, now.rate, scratch);
                taught += Taught { loss: f64::from(loss), predictions: 1 };
                objective.outputs(now.ids[centre], now.output, now.random, outputs);
            }
            return taught;
        }
        let loss = context.learn::<S, O>(simd, window, outputs, now.rate, scratch);
        let predictions = if C::PREDICTS_ALONE { window.len() as u64 } else { 1 };
        Taught { loss: f64::from(loss), predictions }
    }
}

/// Puts copies in the place of the rows that must not move.
#[inline(never)]
fn spare_frozen(
    ids: impl Iterator<Item = u32>,
    frozen: &[bool],
    input: &SharedMatrix,
    desk: &mut Desk<'_>,
) {
    let mut values = vec![0.0; input.columns()];
    for (place, id) in ids.enumerate() {
        if frozen[id as usize] {
            input.read(id, &mut values);
            desk.spare.write(place as u32, &values);
            desk.window[place] = desk.spare.row(place as u32);
        }
    }
}
