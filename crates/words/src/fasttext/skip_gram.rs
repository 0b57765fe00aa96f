//! Skip-gram over subwords: each word around a centre predicts it, by the mean of its rows, and the whole
//! gradient goes to each of them, as in fastText (which has the centre predict the words around it: the
//! same pairs).

use inlay_base::{SharedMatrix, SharedRow};
use inlay_kernels::{Output, Simd};

use super::ring::{Ring, Rows};
use crate::lesson::{Lesson, Now, Place, Taught};
use crate::objective::Objective;

/// Each word around a word predicts it.
pub struct SkipGram<'a, O> {
    /// The rows.
    pub rows: Rows<'a>,
    /// How a prediction is scored.
    pub objective: &'a O,
    /// One set of noise words for a whole window instead of one for each of its words.
    pub shared_noise: bool,
}

/// What a thread keeps from sentence to sentence.
pub struct Desk<'a> {
    ring: Ring<'a>,
    window: Vec<SharedRow<'a>>,
    outputs: Vec<Output<'a>>,
    next: Vec<Output<'a>>,
}

impl<O: Objective> Lesson for SkipGram<'_, O> {
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
        Desk {
            ring: Ring::new(self.rows, spare),
            window: Vec::new(),
            outputs: Vec::new(),
            next: Vec::new(),
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
        let Desk { ring, window, outputs, next } = desk;
        ring.move_to(simd, place.centre, now.ids);
        std::mem::swap(outputs, next);
        if let Some(&target) = now.ids.get(place.centre + 1) {
            self.objective.outputs(target, now, next);
        }
        window.clear();
        ring.around(place, window, |_| {});
        let step = self.objective.step(now.rate);
        let mut loss = 0.0;
        if self.shared_noise {
            loss = O::exchange(simd, window, outputs, step, next);
        } else {
            let mut ahead = next.as_slice();
            for row in window.iter() {
                let (alone, ahead) = (std::slice::from_ref(row), std::mem::take(&mut ahead));
                loss += O::exchange(simd, alone, outputs, step, ahead);
                self.objective.outputs(now.ids[place.centre], now, outputs);
            }
        }
        Taught { loss: f64::from(loss), predictions: window.len() as u64 }
    }

    #[inline(always)]
    fn end<'a, S: Simd>(&'a self, simd: S, _now: &mut Now<'a, '_>, desk: &mut Desk<'a>) {
        desk.ring.end(simd);
    }
}
