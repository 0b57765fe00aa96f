use std::ops::Range;
use std::sync::PoisonError;

use serde::{Deserialize, Serialize};

use super::checkpoint::{Exact, Place};
use super::set::Set;
use super::team::{Job, Team};
use crate::data::Window;
use crate::layer::Stretch;

/// One way through a set of examples: batches in an order and, where long items come in windows, the
/// windows of a batch one after the other.
#[derive(Default)]
pub(super) struct Round {
    order: Vec<usize>,
    /// The items of the batch at hand, in the order.
    batch: Range<usize>,
    /// How many of them have been given out, portion by portion.
    given: usize,
    /// The first row of its next window, and of its longest item the rows.
    row: usize,
    longest: usize,
    pub(super) sums: Sums,
}

/// What the batches of a round gave.
#[derive(Debug, Default, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Sums {
    loss: Exact,
    share: Exact,
    /// Rows whose class had the highest score, and rows with a class.
    pub(super) right: [u64; 2],
}

impl Sums {
    /// Whether nothing was wanted of any item.
    pub(super) fn is_empty(&self) -> bool {
        self.share.0 == 0.0
    }

    /// The mean loss.
    pub(super) fn loss(&self) -> f64 {
        self.loss.0 / self.share.0.max(f64::MIN_POSITIVE)
    }
}

impl Round {
    pub(super) fn new(order: Vec<usize>) -> Self {
        Self { order, ..Self::default() }
    }

    /// Goes on where one was.
    pub(super) fn resume(order: Vec<usize>, place: &Place) -> Self {
        let Place { batch, row, longest, sums } = place.clone();
        Self { order, given: batch.len(), batch, row, longest, sums }
    }

    /// Whether a round of this order can be at a place: one that was read may be anything.
    pub(super) fn fits(order: &[usize], place: &Place, set: &Set<'_>, window: usize) -> bool {
        let Place { batch, row, longest, .. } = place;
        let items = order.get(batch.clone());
        let rows = items.and_then(|items| items.iter().map(|&item| set.load(item).max(1)).max());
        items.is_some() && rows.unwrap_or(0) == *longest && (row >= longest || row % window == 0)
    }

    /// Other items, in this order, behind those that were.
    pub(super) fn with(self, order: Vec<usize>) -> Self {
        Self { order, sums: self.sums, ..Self::default() }
    }

    pub(super) fn place(&self) -> Place {
        let Self { batch, row, longest, sums, .. } = self;
        debug_assert!(!self.is_within_batch());
        Place { batch: batch.clone(), row: *row, longest: *longest, sums: *sums }
    }

    /// Whether a window of the batch at hand is still to come.
    pub(super) fn is_between_windows(&self) -> bool {
        self.row < self.longest
    }

    /// Whether a portion of the batch at hand is still to come.
    pub(super) fn is_within_batch(&self) -> bool {
        self.given < self.batch.len()
    }

    /// Whether all has been given out.
    pub(super) fn is_over(&self) -> bool {
        self.batch.end == self.order.len() && self.row >= self.longest && !self.is_within_batch()
    }

    /// Takes in what the last batch gave; the sum of its losses.
    pub(super) fn take_in(&mut self, team: &Team<'_>, job: &Job) -> f64 {
        let mut loss = 0.0;
        for part in &team.shards {
            let part = part.read().unwrap_or_else(PoisonError::into_inner);
            part.losses.iter().for_each(|item| loss += item);
            let right = part.right.unwrap_or_default();
            self.sums.right.iter_mut().zip(right).for_each(|(sum, count)| *sum += count);
        }
        self.sums.loss.0 += loss;
        self.sums.share.0 += job.count;
        loss
    }

    /// How many rows a batch had, or how many items it has brought to their end.
    pub(super) fn done(&self, set: &Set<'_>, job: &Job, rows: bool) -> u64 {
        let of = |&item: &usize| job.window.rows(set.load(item)) as u64;
        match rows {
            true => job.items.iter().map(of).sum(),
            false if self.row >= self.longest => job.items.len() as u64,
            false => 0,
        }
    }

    /// The next batch of so many items of a set, or the next portion of the one at hand, or the next window of
    /// `rows(items)` rows of it.
    pub(super) fn hand_out(
        &mut self,
        team: &Team<'_>,
        number: usize,
        items: usize,
        rows: impl Fn(usize) -> usize,
        job: &mut Job,
    ) {
        let set = team.set(number);
        let length = |item: usize| set.load(item);
        let another = self.row >= self.longest && !self.is_within_batch();
        if another {
            let mut end = self.order.len().min(self.batch.end.saturating_add(items));
            // What is left of an epoch and too little to learn from goes with the batch before it.
            if self.order.len() - end < team.least[number] {
                end = self.order.len();
            }
            (self.batch, self.given, self.row) = (self.batch.end..end, 0, 0);
            let of_batch = self.order[self.batch.clone()].iter();
            self.longest = of_batch.map(|&item| length(item)).max().unwrap_or(0).max(1);
        }
        let batch = &self.order[self.batch.clone()];
        let count = rows(batch.len()).max(1);
        let first = if self.is_within_batch() { 0 } else { self.row };
        let whole = first == 0 && count >= self.longest;
        if self.is_within_batch() || job.items.is_empty() {
            job.begin = if self.is_within_batch() { self.given } else { 0 };
            let portion = if whole {
                team.portion(&set, &batch[job.begin..], job.learn)
            } else {
                batch.len()
            };
            self.given = job.begin + portion;
            job.items.clear();
            job.items.extend_from_slice(&batch[job.begin..self.given]);
            cut(&mut job.cuts, team.shards.len(), &job.items, length);
        }
        job.window = Window { first, count };
        job.stretch = match first {
            0 if whole => Stretch::Whole,
            0 => Stretch::First,
            _ => Stretch::Further,
        };
        self.row = first.saturating_add(count);
        job.count = team.loss.share(set.targets(), &job.items, job.window);
        if job.items.len() == batch.len() {
            job.share = job.count;
        } else if job.begin == 0 {
            job.share = team.loss.share(set.targets(), batch, job.window);
        }
    }
}

/// Cuts a batch into as many shards of about as many rows as there are threads.
fn cut(cuts: &mut Vec<usize>, threads: usize, items: &[usize], rows: impl Fn(usize) -> usize) {
    let total: usize = items.iter().map(|&item| rows(item) + 1).sum();
    cuts.clear();
    cuts.push(0);
    let mut seen = 0;
    for (at, &item) in items.iter().enumerate() {
        while cuts.len() < threads && seen * threads >= total * cuts.len() {
            cuts.push(at);
        }
        seen += rows(item) + 1;
    }
    cuts.resize(threads + 1, items.len());
}
