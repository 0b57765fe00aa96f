//! Several centres at a time: each has its own hidden vector and target, all share their noise words.
//!
//! ```text
//! h_i = fold(window i)
//! h_i and its target learn                      the row of a target is met once
//! every h_i and every noise word learn          one tile: a row of noise is met once for all i
//! what h_i gained goes to the rows of window i
//! ```
//!
//! The rows of windows rest from the first centre of a group to its last.

use inlay_base::{SharedMatrix, SharedRow};
use inlay_kernels::{Output, Simd, exchange, exchange_pairs, gain, lay_values, prefetch_to_write};

use crate::company::Company;
use crate::context::Fold;
use crate::lesson::{Lesson, Now, Place, Taught};
use crate::objective::{NegativeSampling, Objective};
use crate::sight::Sight;

/// Centres of a group.
const CENTRES: usize = 3;

/// Fold, by negative sampling, over one row for each word.
pub struct Group<'a, F, M> {
    /// How a window becomes a hidden vector, which is as long as a row.
    pub fold: &'a F,
    /// Where noise comes from.
    pub objective: &'a NegativeSampling<'a>,
    /// What stands in windows.
    pub sight: Sight<'a, M>,
    /// Rows that words are scored by.
    pub output: &'a SharedMatrix,
}

/// What a thread keeps from sentence to sentence.
pub struct Desk<'a> {
    /// The windows of the group so far, end to end, and where each ends.
    rows: Vec<SharedRow<'a>>,
    ends: Vec<usize>,
    targets: Vec<Output<'a>>,
    noise: Vec<Output<'a>>,
    next: Vec<Output<'a>>,
    /// [CENTRES, padded]: hidden vectors as they were made.
    made: Vec<f32>,
    /// Hidden vectors as they learn, then copies of frozen rows.
    spare: &'a SharedMatrix,
}

impl<F: Fold, M: Company> Lesson for Group<'_, F, M> {
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
        CENTRES * (1 + self.sight.spares())
    }

    fn desk<'a>(&'a self, spare: &'a SharedMatrix) -> Desk<'a> {
        Desk {
            rows: Vec::new(),
            ends: Vec::with_capacity(CENTRES),
            targets: Vec::with_capacity(CENTRES),
            noise: Vec::new(),
            next: Vec::new(),
            made: vec![0.0; CENTRES * self.output.stride()],
            spare,
        }
    }

    #[inline(always)]
    fn begin<'a, S: Simd>(&'a self, _simd: S, now: &mut Now<'a, '_>, desk: &mut Desk<'a>) {
        clear(desk);
        now.drawn.begin(now.ids.len().div_ceil(CENTRES) * self.objective.negative);
        self.draw(0, now, &mut desk.next);
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
        if centre.is_multiple_of(CENTRES) {
            std::mem::swap(&mut desk.noise, &mut desk.next);
            self.draw(centre + CENTRES, now, &mut desk.next);
        }
        let each = desk.next.len().div_ceil(CENTRES).max(1);
        let part = desk.next.chunks(each).nth(centre % CENTRES).unwrap_or_default();
        part.iter().for_each(|output| prefetch_to_write(simd, output.row));
        if let Some(&target) = now.ids.get(centre + CENTRES) {
            prefetch_to_write(simd, now.output.row(target));
        }
        let Desk { rows, ends, targets, made, spare, .. } = &mut *desk;
        let (number, start) = (targets.len(), rows.len());
        let copies = CENTRES + number * self.sight.spares();
        self.sight.look(simd, place, now, (spare, copies), rows);
        if rows.len() > start {
            let padded = self.output.stride();
            let hidden = &mut made[number * padded..(number + 1) * padded];
            self.fold.gather(simd, &rows[start..], hidden);
            lay_values(simd, hidden, spare.row(number as u32));
            ends.push(rows.len());
            let row = now.output.row(now.ids[centre]);
            targets.push(Output { row, sign: 1.0, weight: 1.0 });
        }
        if (centre + 1).is_multiple_of(CENTRES) || centre + 1 == now.ids.len() {
            self.step(simd, now.rate, desk)
        } else {
            Taught::default()
        }
    }
}

impl<F: Fold, M: Company> Group<'_, F, M> {
    /// Draws the noise of the group that begins at `centre`.
    #[inline(always)]
    fn draw<'a>(&'a self, centre: usize, now: &mut Now<'a, '_>, noise: &mut Vec<Output<'a>>) {
        noise.clear();
        let end = now.ids.len().min(centre + CENTRES);
        if centre < end {
            let count = (self.objective.negative, self.objective.weight);
            self.objective.draw(&now.ids[centre..end], count, now, noise);
        }
    }

    /// Learns from the group.
    #[inline(always)]
    fn step<'a, S: Simd>(&'a self, simd: S, rate: f32, desk: &mut Desk<'a>) -> Taught {
        let Desk { rows, ends, targets, noise, made, spare, .. } = &mut *desk;
        let mut hidden = [spare.row(0); CENTRES];
        (0..).zip(&mut hidden).for_each(|(number, row)| *row = spare.row(number));
        let hidden = &hidden[..targets.len()];
        let step = self.objective.step(rate);
        let loss =
            exchange_pairs(simd, hidden, targets, step) + exchange(simd, hidden, noise, step, &[]);
        let mut start = 0;
        let made = made.chunks_exact_mut(self.output.stride());
        for ((&end, gained), &row) in ends.iter().zip(made).zip(hidden) {
            gain(simd, row, gained);
            let window = &rows[start..end];
            self.fold.scatter(simd, window, gained);
            start = end;
        }
        let predictions = targets.len() as u64;
        clear(desk);
        Taught { loss: f64::from(loss), predictions }
    }
}

#[inline(always)]
fn clear(desk: &mut Desk<'_>) {
    desk.rows.clear();
    desk.ends.clear();
    desk.targets.clear();
}
