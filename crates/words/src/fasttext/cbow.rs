//! CBOW over subwords: the mean of all rows of all words around a word predicts it, and the whole
//! gradient goes to each of the rows, as in fastText.
//!
//! A word serves about six centres. Its rows are gathered when it comes into the window's reach and
//! written when it leaves it; between, the sum of its rows C and what they have gained G stand for
//! them:
//!
//! ```text
//! h = Σ C_j / Σ n_j          e: what h should gain
//! C_j += n_j · e             G_j += e
//! leaving: each of the n_j rows += G_j
//! ```
//!
//! That is exact but for rows that two words in reach share, which meet in the matrix only.

use inlay_base::SharedMatrix;
use inlay_kernels::{Output, Simd, add_to_rows, axpy, learn, mean_of_rows, prefetch};

use super::rows::WordRows;
use super::skip_gram::Rows;
use crate::lesson::{Lesson, Now, Place, Taught};
use crate::objective::Objective;

/// The words around a word predict it.
pub struct Cbow<'a, O> {
    /// The rows.
    pub rows: Rows<'a>,
    /// How a prediction is scored.
    pub objective: &'a O,
}

/// What a thread keeps from sentence to sentence.
pub struct Desk<'a> {
    /// By place of the sentence, modulo their number.
    ring: Vec<Slot<'a>>,
    outputs: Vec<Output<'a>>,
    next: Vec<Output<'a>>,
    hidden: Vec<f32>,
    gradient: Vec<f32>,
}

/// A word in reach.
struct Slot<'a> {
    rows: WordRows<'a>,
    sum: Vec<f32>,
    gained: Vec<f32>,
    used: bool,
}

impl<'a> Desk<'a> {
    #[inline(always)]
    fn slot(&mut self, place: usize) -> &mut Slot<'a> {
        let length = self.ring.len();
        &mut self.ring[place % length]
    }

    #[inline(always)]
    fn enter<S: Simd>(&mut self, simd: S, place: usize, rows: &Rows<'a>, now: &Now<'a, '_>) {
        let Some(&word) = now.ids.get(place) else { return };
        if let Some(&next) = now.ids.get(place + 1) {
            for &row in rows.table.rows(next) {
                prefetch(simd, rows.input.row(row));
            }
        }
        let slot = self.slot(place);
        slot.rows.find(rows.input, rows.table.rows(word));
        mean_of_rows(simd, slot.rows.rows(), 1.0, &mut slot.sum);
        slot.gained.fill(0.0);
        slot.used = false;
    }

    #[inline(always)]
    fn leave<S: Simd>(&mut self, simd: S, place: usize) {
        let slot = self.slot(place);
        if slot.used {
            add_to_rows(simd, slot.rows.rows(), 1.0, &slot.gained);
            slot.used = false;
        }
    }
}

impl<O: Objective> Lesson for Cbow<'_, O> {
    type Desk<'a>
        = Desk<'a>
    where
        Self: 'a;

    fn input(&self) -> &SharedMatrix {
        self.rows.input
    }

    fn output(&self) -> &SharedMatrix {
        self.rows.output
    }

    fn desk<'a>(&'a self, _spare: &'a SharedMatrix) -> Desk<'a> {
        let zeros = || vec![0.0; self.rows.input.stride()];
        let slot =
            || Slot { rows: WordRows::default(), sum: zeros(), gained: zeros(), used: false };
        Desk {
            ring: (0..2 * self.rows.window + 1).map(|_| slot()).collect(),
            outputs: Vec::new(),
            next: Vec::new(),
            hidden: zeros(),
            gradient: zeros(),
        }
    }

    #[inline(always)]
    fn begin<'a, S: Simd>(&'a self, simd: S, now: &mut Now<'a, '_>, desk: &mut Desk<'a>) {
        for place in 0..self.rows.window.min(now.ids.len()) {
            desk.enter(simd, place, &self.rows, now);
        }
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
        let Place { centre, .. } = place;
        if let Some(left) = centre.checked_sub(self.rows.window + 1) {
            desk.leave(simd, left);
        }
        desk.enter(simd, centre + self.rows.window, &self.rows, now);
        std::mem::swap(&mut desk.outputs, &mut desk.next);
        if let Some(&next) = now.ids.get(centre + 1) {
            self.objective.outputs(next, now.output, now.random, &mut desk.next);
            desk.next.iter().for_each(|output| prefetch(simd, output.row));
        }
        if place.is_alone() {
            return Taught::default();
        }
        let Desk { ring, outputs, hidden, gradient, .. } = &mut *desk;
        let length = ring.len();
        hidden.fill(0.0);
        let mut count = 0;
        for at in place.around() {
            let slot = &ring[at % length];
            axpy(simd, 1.0, &slot.sum, hidden);
            count += slot.rows.rows().len();
        }
        let share = 1.0 / count as f32;
        hidden.iter_mut().for_each(|value| *value *= share);
        let step = self.objective.step(now.rate);
        let loss = learn(simd, hidden, outputs, step, gradient);
        for at in place.around() {
            let slot = &mut ring[at % length];
            axpy(simd, slot.rows.rows().len() as f32, gradient, &mut slot.sum);
            axpy(simd, 1.0, gradient, &mut slot.gained);
            slot.used = true;
        }
        Taught { loss: f64::from(loss), predictions: 1 }
    }

    #[inline(always)]
    fn end<'a, S: Simd>(&'a self, simd: S, _now: &mut Now<'a, '_>, desk: &mut Desk<'a>) {
        for place in 0..desk.ring.len() {
            desk.leave(simd, place);
        }
    }
}
