//! CBOW over subwords: the mean of all rows of all words around a word predicts it, and the whole
//! gradient goes to each of the rows, as in fastText. For words of n_j rows with the mean m_j
//!
//! ```text
//! h = Σ n_j · m_j / Σ n_j
//! ```

use inlay_base::{SharedMatrix, SharedRow};
use inlay_kernels::{Output, Simd, add_to_rows, learn, prefetch_to_write, weigh_rows};

use super::ring::{Ring, Rows};
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
    ring: Ring<'a>,
    window: Vec<SharedRow<'a>>,
    shares: Vec<f32>,
    outputs: Vec<Output<'a>>,
    next: Vec<Output<'a>>,
    hidden: Vec<f32>,
    gradient: Vec<f32>,
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

    fn spares(&self) -> usize {
        self.rows.reach()
    }

    fn desk<'a>(&'a self, spare: &'a SharedMatrix) -> Desk<'a> {
        let zeros = || vec![0.0; self.rows.input.stride()];
        Desk {
            ring: Ring::new(self.rows, spare),
            window: Vec::new(),
            shares: Vec::new(),
            outputs: Vec::new(),
            next: Vec::new(),
            hidden: zeros(),
            gradient: zeros(),
        }
    }

    #[inline(always)]
    fn begin<'a, S: Simd>(&'a self, simd: S, now: &mut Now<'a, '_>, desk: &mut Desk<'a>) {
        desk.ring.begin(simd, now.ids);
        self.objective.begin(now);
        if let Some(&first) = now.ids.first() {
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
        let Desk { ring, window, shares, outputs, next, hidden, gradient } = desk;
        ring.move_to(simd, place.centre, now.ids);
        std::mem::swap(outputs, next);
        if let Some(&target) = now.ids.get(place.centre + 1) {
            self.objective.outputs(target, now, next);
            next.iter().for_each(|output| prefetch_to_write(simd, output.row));
        }
        if place.is_alone() {
            return Taught::default();
        }
        window.clear();
        shares.clear();
        ring.around(place, window, |rows| shares.push(rows as f32));
        let share = 1.0 / shares.iter().sum::<f32>();
        shares.iter_mut().for_each(|rows| *rows *= share);
        weigh_rows(simd, window, shares, hidden);
        let loss = learn(simd, hidden, outputs, self.objective.step(now.rate), gradient);
        add_to_rows(simd, window, 1.0, gradient);
        Taught { loss: f64::from(loss), predictions: 1 }
    }

    #[inline(always)]
    fn end<'a, S: Simd>(&'a self, simd: S, _now: &mut Now<'a, '_>, desk: &mut Desk<'a>) {
        desk.ring.end(simd);
    }
}
