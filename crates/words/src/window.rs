//! Words whose vectors are single rows: the rows around a word, with what company they have, and its
//! output rows meet.

use inlay_base::{SharedMatrix, SharedRow};
use inlay_kernels::{Output, Simd, prefetch};

use crate::company::Company;
use crate::context::{Context, Scratch};
use crate::lesson::{Lesson, Now, Place, Taught};
use crate::objective::Objective;

/// Context x objective, over one row for each word.
pub struct Window<'a, C, O, M> {
    /// What predicts what.
    pub context: &'a C,
    /// How a prediction is scored.
    pub objective: &'a O,
    /// What stands in windows beside words.
    pub company: &'a M,
    /// One row for each word; none if windows have no words.
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

impl<C: Context, O: Objective, M: Company> Lesson for Window<'_, C, O, M> {
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

    fn company(&self) -> Option<&SharedMatrix> {
        self.company.rows()
    }

    fn spares(&self) -> usize {
        if self.frozen.is_some() { 2 * self.window } else { 0 }
    }

    fn desk<'a>(&'a self, spare: &'a SharedMatrix) -> Desk<'a> {
        let scratch = Scratch::new(self.output.stride());
        Desk { window: Vec::new(), outputs: Vec::new(), next: Vec::new(), scratch, spare }
    }

    #[inline(always)]
    fn begin<'a, S: Simd>(&'a self, _simd: S, now: &mut Now<'a, '_>, desk: &mut Desk<'a>) {
        if self.learns_together() {
            self.draw_together(0, now, desk);
        } else if let Some(&first) = now.ids.first() {
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
        let Self { context, objective, company, input, .. } = self;
        let Place { centre, .. } = place;
        if self.learns_together() {
            return self.learn_together(simd, centre, now, desk);
        }
        // One step ahead, so that their rows are on the way while this step is worked out.
        std::mem::swap(&mut desk.outputs, &mut desk.next);
        if let Some(&next) = now.ids.get(centre + 1) {
            objective.outputs(next, now.output, now.random, &mut desk.next);
            desk.next.iter().for_each(|output| prefetch(simd, output.row));
        }
        let entering = now.ids.get(centre + 1 + self.window);
        if let Some(&entering) = entering.filter(|_| company.has_words()) {
            prefetch(simd, input.row(entering));
        }
        desk.window.clear();
        company.join(now.sentence, &mut desk.window);
        if company.has_words() {
            let words = desk.window.len();
            match company.beyond() {
                None => desk.window.extend(place.around().map(|at| input.row(now.ids[at]))),
                Some(beyond) => {
                    let rows = places(centre, self.window)
                        .map(|at| now.ids.get(at).map_or(beyond, |&id| input.row(id)));
                    desk.window.extend(rows);
                }
            }
            if let Some(frozen) = self.frozen {
                match company.beyond() {
                    None => {
                        let ids = place.around().map(|at| Some(now.ids[at]));
                        spare_frozen(ids, frozen, input, words, desk);
                    }
                    Some(_) => {
                        let ids = places(centre, self.window).map(|at| now.ids.get(at).copied());
                        spare_frozen(ids, frozen, input, words, desk);
                    }
                }
            }
        }
        if desk.window.is_empty() {
            return Taught::default();
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

impl<C: Context, O: Objective, M: Company> Window<'_, C, O, M> {
    /// Whether windows are the same for all centres of a sentence, so that several can share noise.
    #[inline(always)]
    fn learns_together(&self) -> bool {
        !self.company.has_words() && self.shared_noise
    }

    /// Draws the outputs of the centres from `centre` on.
    #[inline(always)]
    fn draw_together<'a>(&'a self, centre: usize, now: &mut Now<'a, '_>, desk: &mut Desk<'a>) {
        let end = now.ids.len().min(centre + O::TOGETHER);
        if centre < end {
            let targets = &now.ids[centre..end];
            self.objective.outputs_together(targets, now.output, now.random, &mut desk.next);
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
        desk.next.iter().for_each(|output| prefetch(simd, output.row));
        desk.window.clear();
        self.company.join(now.sentence, &mut desk.window);
        let Desk { window, outputs, scratch, .. } = &mut *desk;
        let loss = self.context.learn::<S, O>(simd, window, outputs, now.rate, scratch);
        let targets = O::TOGETHER.min(now.ids.len() - centre);
        Taught { loss: f64::from(loss), predictions: (targets * window.len()) as u64 }
    }
}

/// All places around a centre; those before the first word are no places of any sentence.
#[inline(always)]
fn places(centre: usize, window: usize) -> impl Iterator<Item = usize> {
    let before = (1..=window).rev().map(move |back| centre.wrapping_sub(back));
    before.chain((1..=window).map(move |on| centre + on))
}

/// Puts copies in the place of the words' rows that must not move; they begin at `first` in the
/// window.
#[inline(never)]
fn spare_frozen(
    ids: impl Iterator<Item = Option<u32>>,
    frozen: &[bool],
    input: &SharedMatrix,
    first: usize,
    desk: &mut Desk<'_>,
) {
    let mut values = vec![0.0; input.columns()];
    for (place, id) in ids.enumerate() {
        if let Some(id) = id.filter(|&id| frozen[id as usize]) {
            input.read(id, &mut values);
            desk.spare.write(place as u32, &values);
            desk.window[first + place] = desk.spare.row(place as u32);
        }
    }
}
