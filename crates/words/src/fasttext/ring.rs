//! Words in reach of a centre. A word serves about six centres: the rows of its n-grams are gathered when
//! it comes into reach and written when it leaves. Between, their mean stands for them, a row of the
//! thread's own that learns as any row does. What it has gained then goes to each of the rows: if every
//! row gains g, so does their mean.
//!
//! That is exact but for rows that two words in reach share, which meet in the matrix only.

use inlay_base::{SharedMatrix, SharedRow};
use inlay_kernels::{Simd, add_to_rows, gain, lay_values, mean_of_rows, prefetch_to_write};

use super::table::Table;
use crate::lesson::Place;

/// The rows of words, and what they are scored by.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// Words first, then n-grams.
    pub input: &'a SharedMatrix,
    /// Which rows make a word.
    pub table: &'a Table,
    /// Rows that words are scored by.
    pub output: &'a SharedMatrix,
    /// Words on each side, at most.
    pub window: usize,
}

impl Rows<'_> {
    /// Words that are in reach at once.
    pub fn reach(&self) -> usize {
        2 * self.window + 1
    }
}

/// The words in reach, by place of the sentence modulo their number.
pub struct Ring<'a> {
    rows: Rows<'a>,
    slots: Vec<Slot<'a>>,
}

struct Slot<'a> {
    rows: Vec<SharedRow<'a>>,
    mean: SharedRow<'a>,
    /// The mean as it was gathered.
    made: Vec<f32>,
    used: bool,
}

impl<'a> Ring<'a> {
    /// Nothing is in reach; means will be in the rows of `spare`.
    pub fn new(rows: Rows<'a>, spare: &'a SharedMatrix) -> Self {
        let slot = |row| Slot {
            rows: Vec::new(),
            mean: spare.row(row),
            made: vec![0.0; rows.input.stride()],
            used: false,
        };
        Self { rows, slots: (0..rows.reach() as u32).map(slot).collect() }
    }

    /// A sentence begins.
    #[inline(always)]
    pub fn begin<S: Simd>(&mut self, simd: S, ids: &[u32]) {
        (0..self.rows.window).for_each(|place| self.enter(simd, place, ids));
    }

    /// Moves to a centre from the one before.
    #[inline(always)]
    pub fn move_to<S: Simd>(&mut self, simd: S, centre: usize, ids: &[u32]) {
        if let Some(left) = centre.checked_sub(self.rows.window + 1) {
            self.leave(simd, left % self.slots.len());
        }
        self.enter(simd, centre + self.rows.window, ids);
    }

    /// Adds the means of the words around a centre, which will learn, and calls back with the number of
    /// rows of each.
    #[inline(always)]
    pub fn around(
        &mut self,
        place: Place,
        means: &mut Vec<SharedRow<'a>>,
        mut count: impl FnMut(usize),
    ) {
        let length = self.slots.len();
        for at in place.around() {
            let slot = &mut self.slots[at % length];
            slot.used = true;
            means.push(slot.mean);
            count(slot.rows.len());
        }
    }

    /// The sentence is over: all words leave.
    #[inline(always)]
    pub fn end<S: Simd>(&mut self, simd: S) {
        (0..self.slots.len()).for_each(|slot| self.leave(simd, slot));
    }

    #[inline(always)]
    fn enter<S: Simd>(&mut self, simd: S, place: usize, ids: &[u32]) {
        let Rows { input, table, .. } = self.rows;
        let Some(&word) = ids.get(place) else { return };
        if let Some(&next) = ids.get(place + 1) {
            table.rows(next).iter().for_each(|&row| prefetch_to_write(simd, input.row(row)));
        }
        let length = self.slots.len();
        let slot = &mut self.slots[place % length];
        slot.rows.clear();
        slot.rows.extend(table.rows(word).iter().map(|&row| input.row(row)));
        mean_of_rows(simd, &slot.rows, 1.0 / slot.rows.len() as f32, &mut slot.made);
        lay_values(simd, &slot.made, slot.mean);
    }

    #[inline(always)]
    fn leave<S: Simd>(&mut self, simd: S, slot: usize) {
        let slot = &mut self.slots[slot];
        if slot.used {
            gain(simd, slot.mean, &mut slot.made);
            add_to_rows(simd, &slot.rows, 1.0, &slot.made);
            slot.used = false;
        }
    }
}
